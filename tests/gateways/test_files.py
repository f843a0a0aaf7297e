"""Only regular files are read, never through a link, never without bounds."""

import os
from pathlib import Path

import pytest

from ptguard.gateways.files import read_regular
from ptguard.model import Problem


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "a.asc").write_bytes(b"12345")
    (tmp_path / "link.asc").symlink_to("keys/a.asc")
    (tmp_path / "linked").symlink_to("keys")
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


def test_a_regular_file_up_to_one_byte_past_the_limit(folder: Path) -> None:
    assert read_regular(folder, "keys/a.asc", 100) == b"12345"
    assert read_regular(folder, "keys/a.asc", 3) == b"1234"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gone", "missing-file"),
        ("keys", "not-a-file"),
        ("pipe", "not-a-file"),
        ("link.asc", "symlink"),
        ("linked/a.asc", "symlink"),
        ("keys/a.asc/b", "missing-file"),
    ],
)
def test_nothing_else(folder: Path, name: str, reason: str) -> None:
    found = read_regular(folder, name, 100)
    assert isinstance(found, Problem) and found.reason == reason
