"""Private folders: nobody else's, where TMPDIR says, and gone with all in them."""

import os
import stat
from pathlib import Path

import pytest

from ptguard.errors import ToolFailedError
from ptguard.gateways.scratch import private_folder


def test_it_is_private_and_goes_with_all_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "mine"))
    (tmp_path / "mine").mkdir()
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("stays")
    with private_folder("ptguard-") as folder, private_folder("ptguard-") as other:
        assert folder.parent == tmp_path / "mine" and folder.name.startswith("ptguard-") and folder != other
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "a" / "b").mkdir(parents=True)
        (folder / "a" / "b" / "key").write_text("x")
        (folder / "a" / "link").symlink_to(kept)
        (folder / "gone").symlink_to("nowhere")
        os.mkfifo(folder / "pipe")
    assert list((tmp_path / "mine").iterdir()) == []
    assert (kept / "file").read_text() == "stays"


def test_it_goes_where_the_block_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    def fails() -> None:
        with private_folder("x-") as folder:
            (folder / "file").write_text("x")
            raise LookupError

    with pytest.raises(LookupError):
        fails()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_had_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, path in (("TMPDIR", "no such folder"), ("TEMP", ""), ("TMP", "usable")):
        monkeypatch.setenv(name, path and str(tmp_path / path))
    (tmp_path / "usable").mkdir()
    with private_folder("x-") as folder:
        assert folder.parent == tmp_path / "usable"


def test_a_name_that_is_there_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    given = iter([b"\1" * 8, b"\1" * 8, b"\2" * 8])
    monkeypatch.setattr(os, "urandom", lambda _: next(given))
    (tmp_path / ("x-" + "01" * 8)).symlink_to(tmp_path / "elsewhere")  # another user's, foreseen
    with private_folder("x-") as folder:
        assert folder.name == "x-" + "02" * 8
    assert not (tmp_path / "elsewhere").exists()


def test_none_at_all_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(ToolFailedError, match=r"no temporary folder can be made .*No space left"), private_folder("x-"):
        pass
