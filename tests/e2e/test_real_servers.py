"""Real servers with the guard in their repository: gitolite over sshd, git-http-backend behind nginx, forges' layouts.

Who pushes has no guard in his clone, so whatever holds a tag back is the server.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.ci.runner import checkout, git
from tests.e2e.team import Outcome, Team
from tests.hosting import Server
from tests.servers import SERVERS
from tests.support import KeyChain, run

pytestmark = pytest.mark.e2e

GITLABS = ("gitlab", "gitlab-global")
KINDS = list(SERVERS)


@contextmanager
def hosted(kind: str, team: Team, keychain: KeyChain, folder: Path) -> Iterator[Server]:
    """Move ``team`` to a server: its clone pushes there, its remote is the repository on it, with the guard in it."""
    with SERVERS[kind](folder, keychain.ssh("pusher")) as server:
        team.env.update(server.client)
        team.remote = server.repository
        team.repo.git("remote", "set-url", "origin", server.url)
        team.push("main")
        team.serve(*(("--layout", "gitlab") if kind in GITLABS else ()))
        if kind == "gitlab-global":  # the administrator takes the same file and puts it where all repositories look
            own = server.repository / "custom_hooks" / "pre-receive.d" / server.hook.name
            server.put_hook(own.read_text())
            own.unlink()
        assert server.hook.exists()
        yield server


def remote_lines(done: Outcome) -> list[str]:
    """Give what the server said, as the pusher sees it; git pads what it passes on with blanks."""
    return [line.removeprefix("remote: ").rstrip() for line in done.screen.splitlines() if line.startswith("remote:")]


@pytest.mark.parametrize("kind", KINDS)
def test_tags_are_held_to_the_policy_and_branches_left_alone(
    kind: str, team: Team, keychain: KeyChain, tmp_path: Path
) -> None:
    with hosted(kind, team, keychain, tmp_path / "server"):
        for specs in (("HEAD:refs/heads/work",), ("-f", "HEAD~1:refs/heads/work"), (":refs/heads/work",)):
            done = team.guard(*specs).accepted()
            assert "ptguard" not in done.screen
        team.repo.git("tag", "v2.9.0")
        said = remote_lines(team.guard("v2.9.0").refused("lightweight", "unsigned"))
        begin = "GL-HOOK-ERR: " if kind in GITLABS else ""
        assert all(line.startswith(begin) for line in said), said
        assert f"{begin}v2.9.0  refused" in said and f"{begin}Nothing was pushed." in said
        assert any(line.startswith(f"{begin}      mend      git tag -f -s -m v2.9.0 v2.9.0 ") for line in said), said
        tag = team.tag()
        done = team.guard("v2.9.0").accepted("v2.9.0")
        assert done.after["refs/tags/v2.9.0"] == tag and "ptguard: accepted v2.9.0" in remote_lines(done)
        team.guard("--delete", "v2.9.0").refused("deleted")
        team.tag("v2.9.0", "HEAD", "-m", "again")
        team.guard("--force", "v2.9.0").refused("moved")
        assert team.guard("HEAD~1:refs/heads/late").accepted().after["refs/tags/v2.9.0"] == tag
        wanted = [
            ("refuse", "annotated/lightweight"),
            ("accept", None),
            ("refuse", "immutable/deleted"),
            ("refuse", "immutable/moved"),
        ]
        assert [(r["decision"], next(iter(r["reasons"]), None)) for r in team.receipts()] == wanted
        if kind not in ("path", "file"):
            assert {r["pusher"] for r in team.receipts()} == {"li-wei"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_branch_and_its_tag_in_one_push(kind: str, team: Team, keychain: KeyChain, tmp_path: Path) -> None:
    """A tag that leans on the branch of its own push: where no hook can hold it back, it is refused beforehand."""
    with hosted(kind, team, keychain, tmp_path / "server"):
        team.repo.git("commit", "-q", "--allow-empty", "-m", "more")
        team.tag()
        done = team.guard("main", "v2.9.0")
        if kind in (*GITLABS, "http"):
            done.refused("not-on-branch")
            assert "git push origin main && git push origin v2.9.0" in done.screen
            team.guard("main").accepted()
            done = team.guard("v2.9.0")
        done.accepted("v2.9.0")


@pytest.mark.parametrize("kind", ["gitolite", "http", "gitea", "gitlab"])
def test_nobody_authorizes_himself_and_the_policy_stays(
    kind: str, team: Team, keychain: KeyChain, tmp_path: Path
) -> None:
    with hosted(kind, team, keychain, tmp_path / "server"):
        team.write_policy(team.policy.replace(keychain.ssh("bot").public, keychain.ssh("mallory").public))
        team.repo.commit("Mallory may release")
        team.tag_ssh(signer="mallory")
        team.guard("main", "v2.9.0").refused("unknown-signer")
        team.guard("-f", f"{team.repo.git('rev-parse', 'origin/main~1')}:refs/heads/main").refused()
        team.guard(":refs/heads/main").refused()
        team.guard("main").accepted()  # who may push the trust branch decides from now on
        team.guard("v2.9.0").accepted("v2.9.0")


# ----------------------------------------------------------------------------------- one verdict in three places


def _good(team: Team) -> None:
    team.tag()


def _lightweight(team: Team) -> None:
    team.repo.git("tag", "v2.9.0")


def _stranger(team: Team) -> None:
    team.tag(signer="mallory")


def _no_release(team: Team) -> None:
    team.tag("v2.9.0rc1")


def _other_tree(team: Team) -> None:
    team.repo.write("net.py", "WEIGHTS = []\n")
    team.repo.write("Dockerfile", "FROM pytorch/pytorch:latest\n")
    team.repo.commit("Change what was tested")
    team.push("main")
    team.tag_ssh()


def _of_no_branch(team: Team) -> None:
    team.repo.git("checkout", "-q", "-b", "feature")
    team.repo.git("commit", "-q", "--allow-empty", "-m", "not reviewed")
    team.push("feature")
    team.tag()


MAKINGS = (_good, _lightweight, _stranger, _no_release, _other_tree, _of_no_branch)


def findings(lines: list[str]) -> dict[str, tuple[str, list[str], set[str]]]:
    """Give of each tag of a report: accepted or refused, the lines about what fails, the checks that pass.

    What mends it is left out: that depends on who reads it, and on whether the tag is out already.
    """
    found: dict[str, tuple[str, list[str], set[str]]] = {}
    bad: list[str] = []
    passed: set[str] = set()
    failing = False
    for line in lines:
        if tag := re.fullmatch(r"(\S+)  (accepted|refused)", line):
            bad, passed = [], set()
            found[tag[1]] = (tag[2], bad, passed)
        elif line.startswith("  ✓ "):
            failing = False
            brief = re.fullmatch(r"[a-z]+(, [a-z]+)*", line[4:])
            passed |= set(line[4:].split(", ")) if brief else {line.split()[1]}
        elif line.startswith("  ✗ "):
            failing = True
            bad.append(line)
        elif line.startswith("      ") and failing and not line.startswith("      mend"):
            bad.append(line)
        elif not line.startswith(" "):
            failing = False
    return found


@pytest.mark.parametrize("make", MAKINGS, ids=[make.__name__.strip("_") for make in MAKINGS])
def test_client_server_and_ci_find_the_same(make: Any, team: Team, tmp_path: Path) -> None:
    make(team)
    (name,) = team.repo.git("tag").split()
    client, server, ci = (team.copy_to(tmp_path / place, team.env) for place in ("client", "server", "ci"))
    client.arm()
    there = client.repo.try_git("push", "--dry-run", "origin", name)
    server.serve()
    pushed = server.guard(name)
    ci.push(name)
    work = checkout(ci, name, tmp_path / "work")
    fetch = ("fetch", "-q", "--force", "--no-tags", "--unshallow", "origin")
    git(ci, work, *fetch, f"+refs/tags/{name}:refs/tags/{name}", "+refs/heads/*:refs/remotes/origin/*")
    verified = run("ptguard", "verify", name, cwd=work, env=ci.env, check=False)
    here = findings(there.stderr.splitlines())
    assert list(here) == [name] and (here[name][0] == "accepted") is (make is _good), there.stderr
    assert findings(remote_lines(pushed)) == here, pushed.screen
    assert findings(verified.stdout.splitlines()) == here, verified.stdout
    assert (there.returncode == 0) is (pushed.code == 0) is (verified.returncode == 0) is (make is _good)
    document = json.loads(run("ptguard", "verify", name, "--format", "json", cwd=work, env=ci.env, check=False).stdout)
    sources = {re.search(r"^policy: (.*) at ([0-9a-f]{12}), sha256 ([0-9a-f]{12})$", text, re.MULTILINE) for text in (
        there.stderr, "\n".join(remote_lines(pushed)), verified.stdout)}  # fmt: skip
    assert {found and found[1] for found in sources} == {"refs/remotes/origin/main", "refs/heads/main before this push"}
    same = {(found[2], found[3]) for found in sources if found}
    assert same == {(document["policy"]["commit"][:12], document["policy"]["sha256"][:12])}


@pytest.mark.parametrize("kind", ["path", "file", "gitea"])
def test_a_tag_whose_branch_was_refused_stays_out_and_the_pusher_hears_why(
    kind: str, team: Team, keychain: KeyChain, tmp_path: Path
) -> None:
    with hosted(kind, team, keychain, tmp_path / "server"):
        team.repo.git("commit", "-q", "--allow-empty", "-m", "more")
        team.tag()
        update = team.remote / "hooks" / "update"
        update.write_text("#!/bin/sh\ncase $1 in refs/heads/*) exit 1 ;; esac\n")
        update.chmod(0o755)
        done = team.guard("main", "v2.9.0").refused()
        assert "refs/heads/main did not arrive with it" in done.screen
