"""Audits of real histories: what would stand today, in one process or two, cold or warm, and what a cache cannot do."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.team import Team, finding

pytestmark = pytest.mark.e2e
COUNT = 300


def audit(team: Team, *args: str) -> dict[str, Any]:
    done = team.repo.ptguard("audit", "--format", "json", *args)
    assert done.returncode == 0, done.stdout + done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    document["judged_at"] = "now"
    return document


def reasons(document: dict[str, Any]) -> dict[str, list[str]]:
    return {
        tag["tag"]: [f"{f['check']}/{f['reason']}" for f in tag["findings"] if f["status"] in ("fail", "error")]
        for tag in document["tags"]
    }


@pytest.fixture
def history(team: Team) -> Team:
    """A release, and beside it every kind of tag that would not stand; nothing of it went past a guard."""
    team.tag()
    team.repo.git("tag", "v2.8.0")
    team.repo.git("tag", "-a", "-m", "x", "v2.8.1")
    team.tag("v2.8.2", signer="stranger")
    team.tag_ssh("nightly-1")
    team.tag_ssh("stray")
    team.push("--tags")
    return team


def test_every_tag_is_named_with_what_would_not_stand(history: Team) -> None:
    found = reasons(audit(history))
    assert found["v2.9.0"] == found["nightly-1"] == []
    assert "annotated/lightweight" in found["v2.8.0"]
    assert "signature/unsigned" in found["v2.8.1"]
    assert "signature/unknown-signer" in found["v2.8.2"]
    assert found["stray"] == ["policy/unmatched"]


def test_a_table_with_counts_for_a_reader(history: Team) -> None:
    done = history.repo.ptguard("audit")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert any(line.startswith("✓ v2.9.0") and "li-wei" in line for line in lines)
    assert any(line.startswith("✗ v2.8.1") and "signature/unsigned" in line for line in lines)
    assert "     2  signature/unsigned" in lines
    assert "     2  would stand today, of 6" in lines
    assert done.stderr == ""  # no bar where there is no terminal


def test_a_bar_shows_the_progress_where_there_is_a_terminal(history: Team, tmp_path: Path) -> None:
    argv = [sys.executable, "-I", "-m", "ptguard", "audit", "--no-cache", "--format", "json"]
    env = {**history.env, "TERM": "xterm"}
    terminal, ours = os.openpty()
    shown = b""
    with (
        (tmp_path / "out").open("wb") as out,
        os.fdopen(terminal, "rb", buffering=0) as screen,
        subprocess.Popen(argv, cwd=history.repo.path, env=env, stdout=out, stderr=ours) as process,
    ):
        os.close(ours)
        with suppress(OSError):  # EIO: the other end has gone (pty(7))
            while part := screen.read(4096):
                shown += part
    assert b"tags  [" in shown and b"100%" in shown
    assert process.returncode == 0
    assert len(json.loads((tmp_path / "out").read_bytes())["tags"]) == 6


def test_strict_refuses_by_the_exit_code(history: Team) -> None:
    assert history.repo.ptguard("audit").returncode == 0
    assert history.repo.ptguard("audit", "--strict").returncode == 1
    for name in ("v2.8.0", "v2.8.1", "v2.8.2", "stray"):
        history.repo.git("tag", "-d", name)
    assert history.repo.ptguard("audit", "--strict", "--checks", "signature").returncode == 0
    path = history.env["PATH"].split(os.pathsep)
    without = os.pathsep.join(p for p in path if not Path(p, "gpg").exists())
    tools = history.root / "tools"
    tools.mkdir()
    for tool in ("git", "ssh-keygen"):
        (tools / tool).symlink_to(shutil.which(tool) or "")
    done = history.repo.ptguard("audit", "--strict", "--no-cache", env={"PATH": f"{tools}{os.pathsep}{without}"})
    assert done.returncode == 3, done.stdout + done.stderr
    assert "signature/could-not-decide" in done.stdout


def test_the_rules_are_those_of_history(team: Team) -> None:
    """A retired key keeps what it signed; the same tag is refused at a push."""
    team.tag()
    team.push("v2.9.0")
    team.change_policy('file = "keys/li-wei.asc"', 'file = "keys/li-wei.asc"\nstatus = "retired"')
    assert reasons(audit(team))["v2.9.0"] == []
    team.repo.git("tag", "v3.0.0", "v2.9.0")
    team.arm()
    team.guard("v3.0.0").refused("outside-window")


def test_since_leaves_out_and_the_policy_s_since_does_not_count(team: Team) -> None:
    team.env["GIT_COMMITTER_DATE"] = "2024-01-01T00:00:00Z"
    team.repo.git("tag", "-a", "-m", "old", "v1.0.0")
    del team.env["GIT_COMMITTER_DATE"]
    team.tag()
    assert sorted(reasons(audit(team))) == ["v1.0.0", "v2.9.0"]
    assert sorted(reasons(audit(team, "--since", "v2.9.0"))) == ["v2.9.0"]
    assert team.repo.ptguard("audit", "--strict").returncode == 1
    team.change_policy("[smoke]", '[audit]\nsince = "v2.9.0"\n\n[smoke]')
    done = team.repo.ptguard("audit", "--strict")
    assert done.returncode == 0, done.stdout
    assert "not counted" in next(line for line in done.stdout.splitlines() if "v1.0.0" in line)
    assert "     1  would stand today, of 1 (and 1 not counted)" in done.stdout.splitlines()


def test_calls_that_are_wrong_are_refused_in_words(history: Team) -> None:
    for args, words in (
        (("--since", "v9"), "there is no tag v9 here"),
        (("--checks", "signature,smell"), "there is no check 'smell'"),
        (("--policy-ref", "nowhere"), "names no commit here"),
    ):
        done = history.repo.ptguard("audit", *args)
        assert done.returncode == 2
        assert words in done.stderr
    for name in history.repo.git("tag").split():
        history.repo.git("tag", "-d", name)
    assert history.repo.ptguard("audit").returncode == 2


def test_a_remote_that_has_another_tag_is_told_unless_nobody_asks_it(history: Team) -> None:
    history.tag("v2.9.0", "HEAD", signer="stranger")
    assert "immutable/moved" in reasons(audit(history))["v2.9.0"]
    history.remote.rename(history.root / "gone.git")
    assert "immutable/unknown" in reasons(audit(history))["v2.9.0"]
    assert "signature/unknown-signer" in reasons(audit(history, "--offline"))["v2.9.0"]
    assert not any("immutable" in why for why in reasons(audit(history, "--offline"))["v2.9.0"])


# --------------------------------------------------------------------------------------------- the cache


def cache_file(team: Team) -> Path:
    (file,) = (team.repo.path / ".git" / "ptguard" / "audit").iterdir()
    return file


def test_a_second_audit_says_the_same_and_asks_nobody_again(history: Team, tmp_path: Path) -> None:
    first = audit(history)
    log, folder = tmp_path / "calls", tmp_path / "bin"
    folder.mkdir()
    for program in ("gpg", "ssh-keygen"):
        (folder / program).write_text(f'#!/bin/sh\necho {program} >> "{log}"\nexec {shutil.which(program)} "$@"\n')
        (folder / program).chmod(0o755)
    history.repo.env["PATH"] = f"{folder}{os.pathsep}{history.env['PATH']}"
    assert audit(history) == first
    assert not log.exists()
    assert audit(history, "--no-cache") == first
    assert log.exists()
    cache_file(history).unlink()
    assert audit(history) == first


def test_a_change_of_policy_keys_refs_or_remote_is_seen_at_once(history: Team) -> None:
    before = audit(history)
    history.change_policy('signers = ["li-wei", "bot"]', 'signers = ["bot"]')
    assert "signature/signer-not-allowed" in reasons(audit(history))["v2.9.0"]
    history.change_policy('signers = ["bot"]\nbranches', 'signers = ["li-wei", "bot"]\nbranches')
    assert reasons(audit(history)) == reasons(before)
    history.repo.git("branch", "-q", "v2.9.0")
    history.push("refs/heads/v2.9.0")
    assert "immutable/shadowed" in reasons(audit(history))["v2.9.0"]


def test_a_poisoned_cache_changes_no_verdict_of_a_push(history: Team) -> None:
    """Every refusal in it is turned into a pass: the next audit may believe it, a push never does."""
    history.push("--delete", "refs/tags/v2.8.2")
    audit(history)
    file = cache_file(history)
    document = json.loads(file.read_text())
    for _, said in document["known"].values():
        for rows in said.values():
            for row in rows:
                row[1], row[2] = "pass", "ok"
    file.write_text(json.dumps(document))
    assert reasons(audit(history))["v2.8.2"] == []
    history.arm()
    history.guard("v2.8.2").refused("unknown-signer")
    code, verdict = history.verify("v2.8.2")
    assert code == 1
    assert finding(verdict, "signature")["reason"] == "unknown-signer"
    assert "signature/unknown-signer" in reasons(audit(history, "--no-cache"))["v2.8.2"]


def test_a_waiver_that_ran_out_is_not_kept_alive(history: Team) -> None:
    waiver = '\n[[waivers]]\ntag = "v2.9.0"\ncheck = "{}"\nreason = "x"\nby = "li-wei"\nexpires = {}\n'
    history.repo.write("Dockerfile", "FROM pytorch/pytorch:2.9.0-cuda12.8-cudnn9-devel\n")
    history.settle()
    history.tag("v2.9.1")
    history.write_policy(history.policy + waiver.format("image", "2099-01-01").replace("v2.9.0", "v2.9.1"))
    history.repo.commit("Waive")
    history.push("main")
    for _ in range(2):
        assert "image/not-pinned" not in reasons(audit(history))["v2.9.1"]


# --------------------------------------------------------------------------------------------- processes


@pytest.fixture
def long_history(history: Team) -> Team:
    """Some hundred more tags, signed, unsigned, light and forged, on several commits."""
    oid = history.repo.git("rev-parse", "refs/tags/v2.9.0")
    raw = history.repo.git("cat-file", "tag", oid)
    head, updates, stream = history.repo.git("rev-parse", "HEAD"), [], []
    first = history.repo.git("rev-parse", "HEAD^")
    forged = history.repo.git("hash-object", "-t", "tag", "-w", "--stdin", stdin=raw.replace("Li", "La").encode())
    for at in range(COUNT):
        name = f"v1.{at}.0"
        kind = at % 5
        if kind == 0:
            at_commit = head if at % 2 else first
            stream.append(f"tag {name}\nfrom {at_commit}\ntagger A <a@b.c> {1_700_000_000 + at} +0000\ndata 1\nx\n")
        else:
            updates.append(f"create refs/tags/{name} {(oid, head, first, forged)[kind - 1]}\n")
    history.repo.git("fast-import", "--quiet", stdin="".join(stream).encode())
    history.repo.git("update-ref", "--stdin", stdin="".join(updates).encode())
    return history


def test_one_process_and_two_give_the_same_document(long_history: Team) -> None:
    one = audit(long_history, "--no-cache", "--jobs", "1")
    assert len(one["tags"]) == COUNT + 6
    assert audit(long_history, "--no-cache", "--jobs", "2") == one
    assert audit(long_history, "--jobs", "2") == one  # fills the cache
    assert audit(long_history, "--jobs", "2") == one


def test_an_interrupt_leaves_nothing_behind(long_history: Team, tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    folder = tmp_path / "bin"
    folder.mkdir()
    wait = "grep -qz audit.worker /proc/$PPID/cmdline && sleep 600"  # so that it is under way whenever we come
    (folder / "git").write_text(f'#!/bin/sh\n{wait}\nexec {shutil.which("git")} "$@"\n')
    (folder / "git").chmod(0o755)
    path = f"{folder}{os.pathsep}{long_history.env['PATH']}"
    env = {**long_history.env, "TMPDIR": str(temporary), "PATH": path}
    argv = [sys.executable, "-I", "-m", "ptguard", "audit", "--no-cache", "--jobs", "2"]
    with subprocess.Popen(argv, cwd=long_history.repo.path, env=env, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while not any("sleep" in line for line in left_running(temporary)) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 130
    assert list(temporary.iterdir()) == []
    while left_running(temporary) and time.monotonic() < deadline:  # killed, and not gone yet
        time.sleep(0.01)
    assert left_running(temporary) == []


def left_running(temporary: Path) -> list[str]:
    """Give the command lines of processes that were started with ``temporary`` as their TMPDIR."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"TMPDIR={temporary}".encode() in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "cmdline").read_text())
    return found


def test_a_worker_that_dies_ends_the_audit_in_words(long_history: Team, tmp_path: Path) -> None:
    """git is told to end in the workers: what they should have said is missing, and nobody makes it up."""
    folder = tmp_path / "bin"
    folder.mkdir()
    kill = "grep -qz audit.worker /proc/$PPID/cmdline && kill -9 $PPID"
    script = f'#!/bin/sh\n{kill}\nexec {shutil.which("git")} "$@"\n'
    (folder / "git").write_text(script)
    (folder / "git").chmod(0o755)
    done = long_history.repo.ptguard(
        "audit", "--no-cache", "--jobs", "2", env={"PATH": f"{folder}{os.pathsep}{long_history.env['PATH']}"}
    )
    assert done.returncode == 3, done.stderr
    assert "a worker of the audit ended after 0 of" in done.stderr


def test_a_tag_that_git_gives_up_at_is_one_more_that_would_not_stand(history: Team) -> None:
    """It calls a tree a commit: git ends over it, and every other tag is judged all the same, also with --since."""
    tree = history.repo.git("rev-parse", "HEAD^{tree}")
    raw = f"object {tree}\ntype commit\ntag v0.1\ntagger A <a@b> 1000000000 +0000\n\nx\n".encode()
    oid = history.repo.git("hash-object", "-t", "tag", "-w", "--stdin", "--literally", stdin=raw)
    before = reasons(audit(history, "--no-cache"))
    history.repo.git("update-ref", "refs/tags/v0.1", oid)
    found = reasons(audit(history, "--no-cache"))
    assert "annotated/not-a-commit" in found.pop("v0.1")
    assert found == before
    assert "v0.1" in reasons(audit(history, "--since", "v2.9.0"))
