"""Every format for real: the same exit code, nothing but the document on standard output, the job summary beside it."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ptguard import __main__ as ptguard_main
from ptguard.cli import verify as verify_module
from ptguard.cli.reports import MAX_SUMMARY_BYTES
from ptguard.gateways.files import append_text
from ptguard.report import FORMATS
from tests.e2e.team import Team
from tests.report import test_github, test_gitlab, test_junit, test_markdown, test_sarif

pytestmark = pytest.mark.e2e

READERS: dict[str, Callable[[str], object]] = {
    "text": str.splitlines,
    "json": json.loads,
    "github": test_github.commands,
    "gitlab": test_gitlab.issues,
    "sarif": test_sarif.run_of,
    "junit": test_junit.read,
    "markdown": test_markdown.read,
}
each_format = pytest.mark.parametrize("name", FORMATS)


def test_each_format_has_a_reader() -> None:
    assert set(READERS) == set(FORMATS)


def verify(team: Team, name: str, *args: str, **env: str) -> "subprocess.CompletedProcess[str]":
    return team.repo.ptguard("verify", "--format", name, *args, env=env)


@each_format
def test_accepted_refused_and_not_judged(team: Team, name: str) -> None:
    team.tag()
    team.repo.git("tag", "v2.9.1")
    for args, code in ((("v2.9.0",), 0), (("v2.9.0", "v2.9.1"), 1), (("v3",), 2)):
        done = verify(team, name, *args)
        assert done.returncode == code, done.stdout + done.stderr
        if name == "text" and code == 2:
            assert done.stdout == "" and done.stderr.startswith("ptguard: refused")
        else:
            assert READERS[name](done.stdout) is not None and done.stderr == ""


@each_format
def test_a_tool_that_is_missing(team: Team, name: str, tmp_path: Path) -> None:
    team.tag()
    done = verify(team, name, "v2.9.0", PATH=str(tmp_path))
    assert done.returncode == 3
    if name != "text":
        assert READERS[name](done.stdout) is not None and done.stderr == ""


@each_format
def test_a_mistake_of_our_own(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(verify_module, "judge_tags", broken)
    assert ptguard_main.run(["verify", "--format", name]) == 3
    told = capsys.readouterr()
    said, other = (told.err, told.out) if name == "text" else (told.out, told.err)
    assert "ptguard itself failed: ZeroDivisionError: oh" in said and other == "" and READERS[name](said) is not None


def test_hostile_names_in_real_tags(team: Team) -> None:
    """Of what git takes for a name, a tagger and a path, the worst; undecodable bytes among it."""
    name = "v1.0-%0A,file=x]]><b>`|@evil$#\u202e" + "x" * 150
    env = {"GIT_COMMITTER_NAME": "::set-output name=evil::x ##[add-mask]evil <b>", "GIT_COMMITTER_EMAIL": "]]>@evil"}
    team.repo.try_git("tag", "-a", "-m", "\n::stop-commands::evil\n", name, env=env)
    team.repo.git("tag", "-a", "-m", "x", os.fsdecode(b"v2-\xff\x9b"))
    names = team.repo.git("for-each-ref", "--format=%(refname)", "refs/tags").splitlines()
    assert len(names) == 2
    for format_, reader in READERS.items():
        done = team.repo.ptguard("verify", "--format", format_, name)
        assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
        assert reader(done.stdout) is not None
        done = team.repo.ptguard("verify", "--format", format_, os.fsdecode(b"v2-\xff\x9b"))
        assert done.returncode == 1, done.stdout + done.stderr
        assert reader(done.stdout) is not None


def test_reports_beside_standard_output_say_the_same(team: Team, tmp_path: Path) -> None:
    team.repo.git("tag", "v2.9.1")
    also = [f"--also={name}={tmp_path / name}" for name in FORMATS]
    done = verify(team, "json", *also, "v2.9.1")
    assert done.returncode == 1
    written = {name: (tmp_path / name).read_text() for name in FORMATS}
    assert all(READERS[name](text) is not None for name, text in written.items())
    assert json.loads(written["json"])["tags"] == json.loads(done.stdout)["tags"]
    done = verify(team, "text", *also, "v3")
    assert done.returncode == 2 and json.loads((tmp_path / "json").read_text())["error"]["kind"] == "usage"


def test_a_report_that_cannot_be_written_is_no_acceptance(team: Team, tmp_path: Path) -> None:
    team.tag()
    done = verify(team, "json", f"--also=junit={tmp_path}/no/x", "v2.9.0")
    assert done.returncode == 3 and "cannot be written" in done.stderr and done.stdout == ""


@pytest.mark.parametrize("given", ["junit", "=x", "xml=x", "junit="])
def test_what_is_no_format_and_path_is_told(team: Team, given: str) -> None:
    done = verify(team, "json", "--also", given, "v2.9.0")
    assert done.returncode == 2 and "FORMAT=PATH" in done.stderr


def test_the_job_summary_is_appended_and_only_for_github(team: Team, tmp_path: Path) -> None:
    team.repo.git("tag", "v2.9.1")
    summary = tmp_path / "summary.md"
    summary.write_text("before\n\n")
    assert verify(team, "json", "v2.9.1", GITHUB_STEP_SUMMARY=str(summary)).returncode == 1
    assert summary.read_text() == "before\n\n"
    assert verify(team, "github", "v2.9.1", GITHUB_STEP_SUMMARY=str(summary)).returncode == 1
    assert verify(team, "github", "v3", GITHUB_STEP_SUMMARY=str(summary)).returncode == 2
    text = summary.read_text()
    assert text.startswith("before\n\n## ptguard: refused\n\n### `v2.9.1`: refused\n")
    assert text.count("## ptguard: refused") == 2 and "❌ **usage** `there is no tag v3 here`" in text


def test_a_summary_that_cannot_be_written_changes_no_verdict(team: Team, tmp_path: Path) -> None:
    team.tag()
    done = verify(team, "github", "v2.9.0", GITHUB_STEP_SUMMARY=str(tmp_path / "no" / "x"))
    assert done.returncode == 0 and "the job summary cannot be written" in done.stderr
    assert test_github.commands(done.stdout)[0].data == "accepted v2.9.0"


def test_a_summary_is_cut_at_the_end_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    path.write_text("x" * (MAX_SUMMARY_BYTES - 100))
    append_text(path, "- é line\n" * 50, MAX_SUMMARY_BYTES, "\ncut\n")
    text = path.read_text()
    assert MAX_SUMMARY_BYTES - 12 <= len(text.encode()) <= MAX_SUMMARY_BYTES
    assert text.endswith("- é line\n\ncut\n")
    append_text(path, "more\n" * 9, MAX_SUMMARY_BYTES, "\ncut\n")
    assert len(path.read_bytes()) <= MAX_SUMMARY_BYTES
    path.write_text("x" * (MAX_SUMMARY_BYTES + 9))
    append_text(path, "more\n", MAX_SUMMARY_BYTES, "\ncut\n")
    assert path.stat().st_size == MAX_SUMMARY_BYTES + 9
