# ruff: noqa: E501 - tables
"""``ptguard changelog-check``, as a person and as pre-commit call it."""

from pathlib import Path

import pytest

from ptguard.cli.changelog import command
from tests.support import Invoked, Repo, invoke

GOOD = "# Changelog\n\n## [Unreleased]\n\n## [2.9.0] - TBD\n\n- new\n\n## [2.8.1] - 2026-10-01\n\n- old\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*args: str) -> Invoked:
    return invoke(command, *args)


def test_a_good_changelog(folder: Path) -> None:
    (folder / "CHANGELOG.md").write_text(GOOD)
    done = run()
    assert (done.exit_code, done.output) == (0, "")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (GOOD + "\n## v2.8.1\n- x\n", "CHANGELOG.md:13: duplicate-section: a second section for v2.8.1, the first is in line 9"),
        (GOOD + "\n## 2.8.0 - TBD\n- x\n", "CHANGELOG.md:13: bad-date: TBD only holds the place of a date, in the section for 2.8.0"),
        (GOOD.replace("TBD", "2026-02-30"), "CHANGELOG.md:5: bad-date: 2026-02-30 is no day of the calendar, in the section for 2.9.0"),
        ("x\0", "CHANGELOG.md:1: undecodable: CHANGELOG.md is not UTF-8 text"),
        ("version https://git-lfs.github.com/spec/v1\n", "CHANGELOG.md:1: lfs-pointer: CHANGELOG.md is a Git LFS pointer"),
        ("x" * 2_000_001, "CHANGELOG.md: too-large: CHANGELOG.md is too large"),
    ],
)  # fmt: skip
def test_each_mistake_has_its_place(folder: Path, text: str, line: str) -> None:
    (folder / "CHANGELOG.md").write_text(text)
    done = run("CHANGELOG.md")
    assert done.exit_code == 1
    assert done.stderr.startswith(line)
    assert (done.stdout, done.stderr.count("\n")) == ("", 1)


def test_every_file_and_every_mistake_is_told(folder: Path) -> None:
    (folder / "a.md").write_text("## 1.1 - 2026-02-30\n- x\n## 1.0 - 2026-02-31\n- x\n## 1.0\n- x\n")
    (folder / "b.rst").write_text("1.0\n---\n\n- x\n\n1.0.0\n-----\n\n- y\n")
    (folder / "c.md").write_text(GOOD)
    done = run("a.md", "b.rst", "c.md")
    assert done.exit_code == 1
    assert [line.split(": ")[:2] for line in done.stderr.splitlines()] == [
        ["a.md:1", "bad-date"],
        ["a.md:3", "bad-date"],
        ["a.md:5", "duplicate-section"],
        ["b.rst:6", "duplicate-section"],
    ]


def test_sections_of_two_packages_are_no_duplicates(folder: Path) -> None:
    (folder / "CHANGELOG.md").write_text("## foo 1.0\n- x\n## bar 1.0\n- x\n## foo 0.9\n- x\n## bar 0.9\n- x\n")
    assert run().exit_code == 0


def test_what_is_no_file(folder: Path) -> None:
    (folder / "real.md").write_text(GOOD)
    (folder / "link.md").symlink_to("real.md")
    (folder / "folder.md").mkdir()
    for name, reason in (("gone.md", "missing-file"), ("link.md", "symlink"), ("folder.md", "not-a-file")):
        done = run(name)
        assert (done.exit_code, done.stderr.split(": ")[:2]) == (1, [name, reason])


def test_a_wrong_call(folder: Path) -> None:
    assert run("--no-such-option").exit_code == 2


def test_control_characters_are_escaped(folder: Path) -> None:
    (folder / "a\x1b[31m.md").write_text("## 1.0\n- x\n## 1.0\n- x\n")
    done = run("a\x1b[31m.md")
    assert "\x1b" not in done.stderr
    assert "a\\x1b[31m.md:3: duplicate-section" in done.stderr


def test_as_a_process(repo: Repo) -> None:
    repo.write("CHANGELOG.md", GOOD)
    assert repo.ptguard("changelog-check", "CHANGELOG.md").returncode == 0
    repo.write("CHANGELOG.md", GOOD + GOOD)
    done = repo.ptguard("changelog-check", "CHANGELOG.md")
    assert (done.returncode, done.stdout) == (1, "")
    assert "CHANGELOG.md:16: duplicate-section" in done.stderr
