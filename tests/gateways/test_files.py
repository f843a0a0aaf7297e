"""Only regular files are read, never through a link, never without bounds."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ptguard.gateways.files import read_regular, write_whole
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


def test_a_file_is_written_whole_or_not_at_all(folder: Path) -> None:
    target = folder / "keys" / "b"
    write_whole(target, b"one", 0o600)
    write_whole(target, (part for part in (b"tw", b"o")))
    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (b"two", 0o600)

    def ends_early() -> Iterator[bytes]:
        yield b"th"
        raise BlockingIOError

    with pytest.raises(BlockingIOError):
        write_whole(target, ends_early())
    assert target.read_bytes() == b"two"
    assert sorted(path.name for path in target.parent.iterdir()) == ["a.asc", "b"]
