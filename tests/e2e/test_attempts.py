"""Pushes that were refused without being judged: called off, stopped, or met by a wrong setting; each is in the log."""

import fcntl
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ptguard.receipts import seen
from tests.e2e.team import Team
from tests.loopback import processes_of, until
from tests.support import run

pytestmark = pytest.mark.e2e


def config(team: Team, *args: str) -> None:
    """Set the server's own configuration."""
    run("git", "-C", team.remote, "config", "--local", *args, env=team.env)


def reasons(team: Team) -> list[tuple[str, list[str]]]:
    """Give what the log says of each attempt: the ref and why; all of them were refused."""
    assert {receipt["decision"] for receipt in team.receipts()} <= {"refuse"}
    return [(receipt["ref"].removeprefix("refs/tags/"), receipt["reasons"]) for receipt in team.receipts()]


def slow_gpg(folder: Path, team: Team) -> tuple[dict[str, str], Path]:
    """Give an environment in which gpg never answers, and the file that says that it was asked."""
    folder.mkdir()
    asked = folder / "asked"
    (folder / "gpg").write_text(f"#!/bin/sh\ntouch {asked}\nexec tail -f /dev/null\n")
    (folder / "gpg").chmod(0o755)
    return {**team.env, "PATH": f"{folder}:{team.env['PATH']}"}, asked


@contextmanager
def pushing(team: Team, env: dict[str, str], *refspecs: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Push in the background; what is left of it ends with the block."""
    push = subprocess.Popen(["git", "push", "origin", *refspecs], cwd=team.repo.path, env=env,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)  # fmt: skip
    try:
        yield push
    finally:
        if push.poll() is None:
            os.killpg(push.pid, signal.SIGKILL)
        push.wait()


@pytest.mark.parametrize(
    ("key", "wrong"), [("ptguard.maxTags", "many"), ("ptguard.timeout", "soon"), ("ptguard.trustBranch", " ")]
)
def test_a_wrong_setting(served: Team, key: str, wrong: str) -> None:
    good = served.tag()
    config(served, key, wrong)
    served.repo.git("tag", "light")
    assert key in served.guard("--tags").refused().screen
    assert reasons(served) == [("light", ["error/policy"]), ("v2.9.0", ["error/policy"])]
    assert [r["object"] for r in served.receipts()][1] == good
    config(served, key, {"ptguard.maxTags": "5", "ptguard.timeout": "5m"}.get(key, "main"))
    served.guard("v2.9.0").accepted("v2.9.0")
    assert served.receipts()[-1]["decision"] == "accept"


def test_a_wrong_setting_leaves_branches_and_the_log_alone(served: Team) -> None:
    config(served, "ptguard.maxTags", "many")
    served.guard("HEAD:refs/heads/work").accepted()
    served.repo.git("commit", "-q", "--allow-empty", "-m", "more")
    served.guard("main").accepted()
    assert served.receipts() == []


def test_a_push_that_takes_too_long(served: Team, tmp_path: Path) -> None:
    config(served, "ptguard.timeout", "1s")
    env, _ = slow_gpg(tmp_path / "bin", served)
    served.tag()
    with pushing(served, env, "v2.9.0") as push:
        _, said = push.communicate(timeout=120)
    assert push.returncode != 0 and b"took longer to judge than 1 s" in said, said
    assert served.remote_refs().keys() == {"refs/heads/main"}
    assert reasons(served) == [("v2.9.0", ["error/timeout"])]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal(served: Team, tmp_path: Path, number: signal.Signals) -> None:
    env, asked = slow_gpg(tmp_path / "bin", served)
    served.tag()
    with pushing(served, env, "v2.9.0") as push:
        until(asked.exists, "gpg is asked")
        (judge,) = (line for line in processes_of(served.root) if "ptguard pre-receive" in line)
        os.kill(int(judge.split()[0]), number)
        _, said = push.communicate(timeout=120)
    assert push.returncode != 0 and b"interrupted: refused, nothing was pushed by it" in said, said
    assert served.remote_refs().keys() == {"refs/heads/main"}
    assert reasons(served) == [("v2.9.0", ["error/interrupted"])]
    assert seen(served.remote / "ptguard") == {}
    served.guard("v2.9.0").accepted("v2.9.0")


def test_no_more_receipts_than_tags_are_judged(served: Team) -> None:
    config(served, "ptguard.maxTags", "2")
    config(served, "ptguard.timeout", "soon")
    for name in ("a", "b", "c"):
        served.repo.git("tag", name)
    served.guard("--tags").refused()
    assert len(reasons(served)) == 3  # which number is right is not known where one setting is wrong
    config(served, "ptguard.timeout", "5m")
    served.guard("--tags").refused()
    assert len(reasons(served)) == 3 + 2


def test_a_log_that_cannot_be_written_changes_neither_the_words_nor_the_no(served: Team) -> None:
    (served.remote / "ptguard").mkdir()
    (served.remote / "ptguard" / "receipts.jsonl").mkdir()
    config(served, "ptguard.maxTags", "many")
    served.tag()
    said = served.guard("v2.9.0").refused().screen
    assert "not a whole number" in said and "note: no receipt of this push is kept: " in said
    assert "receipts.jsonl cannot be written: Is a directory" in said


def test_a_log_that_another_holds_delays_no_refusal(served: Team) -> None:
    """The lock is held all the time; were it waited for, the push would not end."""
    served.repo.git("tag", "light")
    served.guard("light").refused("unmatched")
    config(served, "ptguard.maxTags", "many")
    log = served.remote / "ptguard" / "receipts.jsonl"
    with log.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        said = served.guard("light").refused().screen
    assert "not a whole number" in said
    assert "no receipt of this push is kept: receipts.jsonl could not be written within 5 s" in said
    assert "fuser -v ptguard/receipts.jsonl" in said
    assert len(served.receipts()) == 1
    served.guard("light").refused()
    assert reasons(served)[1:] == [("light", ["error/policy"])]


def test_what_was_refused_so_proves_nothing_to_an_audit(served: Team, tmp_path: Path) -> None:
    """The first time that counts is that of the acceptance, however often the tag was tried before."""
    config(served, "ptguard.maxTags", "many")
    tag = served.tag()
    served.guard("v2.9.0").refused()
    assert seen(served.remote / "ptguard") == {}
    log = served.remote / "ptguard" / "receipts.jsonl"
    earlier = json.loads(log.read_text()) | {"at": "2020-01-01T00:00:00Z"}
    log.write_text(json.dumps(earlier, separators=(",", ":")) + "\n")
    config(served, "ptguard.maxTags", "5")
    served.guard("v2.9.0").accepted("v2.9.0")
    ((key, at),) = seen(served.remote / "ptguard").items()
    assert key == ("refs/tags/v2.9.0", tag) and at.year > 2020
