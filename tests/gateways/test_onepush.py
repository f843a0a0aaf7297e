"""The note by which a push is judged once: found where it counts, and worth nothing anywhere else."""

import os
from pathlib import Path

import pytest

from ptguard.errors import ExitCode
from ptguard.gateways.onepush import PUSH, remember, said_before


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone's folder, with this very process's parent as the push."""
    (tmp_path / ".git/ptguard").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path / ".git/ptguard"


def noted(monkeypatch: pytest.MonkeyPatch, *pushed: bytes, code: ExitCode = ExitCode.REFUSED) -> None:
    monkeypatch.setenv(PUSH, str(os.getppid()))
    remember(code, *pushed)
    monkeypatch.delenv(PUSH)


def test_the_note_is_for_these_lines_and_this_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert said_before(b"origin", b"url", b"lines") is None
    noted(monkeypatch, b"origin", b"url", b"lines")
    assert said_before(b"origin", b"url", b"lines") is ExitCode.REFUSED
    for other in ((b"origin", b"url", b"other"), (b"backup", b"url", b"lines"), (b"origin", b"urll", b"ines")):
        assert said_before(*other) is None
    monkeypatch.setenv(PUSH, "1")  # the config hook itself always judges
    assert said_before(b"origin", b"url", b"lines") is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "9" + text,
        lambda text: text.replace(text.split()[1], "12345", 1),
        lambda text: text.rsplit(" ", 1)[0] + " 9\n",
        lambda text: text.rsplit(" ", 1)[0] + " x\n",
        lambda text: text + text,
        lambda _: "",
        lambda _: "\0\udcff",
    ],
)
def test_a_note_that_is_not_whole_counts_for_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, spoil: object
) -> None:
    assert callable(spoil)
    noted(monkeypatch, b"x", code=ExitCode.ACCEPTED)
    note = folder / "judged"
    note.write_bytes(spoil(note.read_text()).encode("utf-8", "surrogateescape"))
    assert said_before(b"x") is None


def test_only_a_process_above_can_be_noted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for push in ("999999999", "", "x", str(os.getpid())):
        monkeypatch.setenv(PUSH, push)
        remember(ExitCode.ACCEPTED, b"x")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("shape", ["worktree", "gitfile", "GIT_DIR"])
def test_the_note_is_found_wherever_git_keeps_the_clone(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: str
) -> None:
    noted(monkeypatch, b"x")
    there = tmp_path / "elsewhere"
    there.mkdir()
    monkeypatch.chdir(there)
    assert said_before(b"x") is None
    if shape == "GIT_DIR":
        monkeypatch.setenv("GIT_DIR", "../.git")
    elif shape == "gitfile":
        (there / ".git").write_text("gitdir: ../.git\n")
    else:
        (tmp_path / ".git/worktrees/elsewhere").mkdir(parents=True)
        (tmp_path / ".git/worktrees/elsewhere/commondir").write_text("../..\n")
        (there / ".git").write_text(f"gitdir: {tmp_path}/.git/worktrees/elsewhere\n")
    assert said_before(b"x") is ExitCode.REFUSED
