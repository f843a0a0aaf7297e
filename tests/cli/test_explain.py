"""`ptguard explain` and `ptguard checks`, as processes: what they print, their exit codes, their JSON."""

import json
import os
import pty
import subprocess
import sys

import pytest

from ptguard.checks import discover
from tests.support import Repo, run


def ptguard(*args: str, **env: str) -> "subprocess.CompletedProcess[str]":
    return run(sys.executable, "-I", "-m", "ptguard", *args, env={**os.environ, **env}, check=False)


def test_a_reason_is_explained_in_a_few_lines() -> None:
    done = ptguard("explain", "missing-section")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "changelog/missing-section  (fail)\n"
        "    no heading names the tag's version, or the tag's version is none\n"
        "    mend: add the heading that the refusal shows, commit, tag anew\n"
        "\n"
        "The whole page: ptguard explain changelog\n"
    )


def test_an_ambiguous_reason_shows_each_and_one_of_them_can_be_named() -> None:
    every = ptguard("explain", "unsigned").stdout
    assert "signature/unsigned  (fail)" in every and "smoke/unsigned  (fail)" in every
    one = ptguard("explain", "smoke/unsigned").stdout
    assert "smoke/unsigned" in one and "signature/unsigned" not in one


def test_reasons_that_say_the_same_share_their_words() -> None:
    assert ptguard("explain", "waived").stdout.count("a waiver of the policy covers") == 1


def test_a_check_shows_its_page() -> None:
    done = ptguard("explain", "image")
    assert done.returncode == 0 and done.stdout.startswith("image\n=====\n\nA release is made for one image:")
    assert "\nnot-pinned           fail\n" in done.stdout


def test_an_unknown_word_is_exit_2_with_the_nearest_names() -> None:
    done = ptguard("explain", "missing-sektion")
    assert (done.returncode, done.stdout) == (2, "")
    assert "ptguard explain missing-section" in done.stderr


def test_checks_are_listed_a_line_each() -> None:
    done = ptguard("checks")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines() if line and line[0] != " "][:-1] == list(discover())
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_json_of_both() -> None:
    every = json.loads(ptguard("checks", "--format", "json").stdout)
    assert every["schema"] == "ptguard.checks/1"
    assert [check["check"] for check in every["checks"]] == list(discover())
    for check in every["checks"]:
        assert [row["reason"] for row in check["reasons"]] == list(discover()[check["check"]].REASONS)
        assert check["page"].startswith(f"# {check['check']}\n")
    (one,) = json.loads(ptguard("explain", "--format", "json", "image/not-pinned").stdout)["checks"]
    assert one["check"] == "image" and one["page"] is None
    (row,) = one["reasons"]
    assert row["reason"] == "not-pinned" and row["status"] == ["fail"] and "digest" in row["mend"]
    (page,) = json.loads(ptguard("explain", "--format", "json", "image").stdout)["checks"]
    assert page == next(check for check in every["checks"] if check["check"] == "image")
    (own,) = json.loads(ptguard("explain", "--format", "json", "unmatched").stdout)["checks"]
    assert own["check"] == "policy" and own["summary"] is None
    done = ptguard("explain", "--format", "json", "x/y")
    document = json.loads(done.stdout)
    assert done.returncode == 2 and document["checks"] == [] and document["error"]["kind"] == "usage"


def test_it_needs_no_repository(repo: Repo) -> None:
    bare = run(sys.executable, "-I", "-m", "ptguard", "explain", "moved", cwd=repo.path.parent, env=repo.env)
    assert "immutable/moved" in bare.stdout


@pytest.mark.parametrize(("no_color", "bold"), [("", True), ("1", False)])
def test_colour_on_a_terminal_only(no_color: str, bold: bool) -> None:
    ours, theirs = pty.openpty()
    try:
        env = {**os.environ, "NO_COLOR": no_color, "TERM": "xterm"}
        argv = [sys.executable, "-I", "-m", "ptguard", "explain", "moved"]
        subprocess.run(argv, stdout=theirs, env=env, check=True, timeout=60)
        assert (b"\x1b[1m" in os.read(ours, 65536)) is bold
    finally:
        os.close(ours)
        os.close(theirs)
    assert "\x1b" not in ptguard("explain", "moved", NO_COLOR="").stdout
