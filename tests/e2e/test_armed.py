"""Real tags, good and bad, judged by the real guard through every way of arming a clone; the remote tells the truth."""

import re
import sys
from collections.abc import Callable

import pytest

from tests.e2e.team import Outcome, Team
from tests.e2e.test_precommit import LOCAL
from tests.support import run

pytestmark = pytest.mark.e2e


def by_install(team: Team) -> None:
    team.arm()


def by_pre_commit(team: Team) -> None:
    """`pre-commit install`, then one commit: the configuration is the team's own, the remote has it."""
    team.repo.write(".pre-commit-config.yaml", LOCAL)
    run(sys.executable, "-m", "pre_commit", "install", cwd=team.repo.path, env=team.repo.env)
    team.settle("Use pre-commit")


def by_install_over_pre_commit(team: Team) -> None:
    team.repo.write(".pre-commit-config.yaml", LOCAL)
    team.settle("Use pre-commit")
    team.arm()


def by_install_before_pre_commit(team: Team) -> None:
    team.arm()
    by_pre_commit(team)


def by_a_hooks_path(team: Team) -> None:
    """A folder of hooks of the team's own: the lines that `ptguard install` prints, put there by hand."""
    team.repo.git("config", "core.hooksPath", ".git/our-hooks")
    team.repo.ptguard("install")
    hook = team.repo.write(".git/our-hooks/pre-push", '#!/bin/sh\nptguard pre-push "$@" || exit $?\ncat >/dev/null\n')
    hook.chmod(0o755)
    assert team.repo.ptguard("install", "--check").returncode == 0


WAYS = [by_install, by_pre_commit, by_install_over_pre_commit, by_install_before_pre_commit, by_a_hooks_path]


@pytest.fixture(params=WAYS, ids=lambda way: way.__name__)
def ready(team: Team, request: pytest.FixtureRequest) -> Team:
    """A team whose clone has been armed, and whose HEAD the remote has already."""
    arm: Callable[[Team], None] = request.param
    arm(team)
    assert team.remote_refs()["refs/heads/main"] == team.repo.git("rev-parse", "HEAD")
    return team


def judged_once(done: Outcome) -> Outcome:
    """Assert that the guard spoke one time in this push."""
    assert len(re.findall(r"^policy: refs/", done.screen, re.MULTILINE)) == 1, done.screen
    return done


def test_good_and_bad_tags_of_a_commit_that_the_remote_has(ready: Team) -> None:
    ready.repo.git("tag", "v2.9.0")
    judged_once(ready.guard("v2.9.0").refused("lightweight"))
    ready.repo.git("tag", "-f", "-a", "-m", "not signed", "v2.9.0")
    judged_once(ready.guard("--tags").refused("unsigned"))
    ready.tag(signer="stranger")
    judged_once(ready.guard("v2.9.0").refused("unknown-signer"))
    good = ready.tag()
    judged_once(ready.guard("--dry-run", "v2.9.0"))
    assert "refs/tags/v2.9.0" not in ready.remote_refs()
    done = judged_once(ready.guard("--tags").accepted("v2.9.0"))
    assert done.after["refs/tags/v2.9.0"] == good
    assert "policy:" not in ready.guard("--tags").accepted("v2.9.0").screen  # up to date: no line, nothing to judge
    judged_once(ready.guard(":refs/tags/v2.9.0").refused("deleted"))
    ready.tag("v2.9.0", "HEAD", "-m", "another text")
    judged_once(ready.guard("-f", "v2.9.0").refused("moved"))


def test_one_bad_tag_of_two_stops_both_and_the_branch(ready: Team) -> None:
    ready.tag()
    ready.repo.git("tag", "-a", "-m", "not signed", "nightly-1")
    ready.repo.git("commit", "-q", "--allow-empty", "-m", "more")
    done = judged_once(ready.guard("main", "v2.9.0", "nightly-1").refused("unsigned"))
    assert "v2.9.0  accepted" in done.screen
    ready.repo.git("tag", "-d", "nightly-1")
    ready.tag_ssh("nightly-1")
    done = ready.guard("main", "v2.9.0", "nightly-1").accepted("v2.9.0", "nightly-1")
    assert done.after["refs/heads/main"] == ready.repo.git("rev-parse", "HEAD")
