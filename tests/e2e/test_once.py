"""A push that comes to the guard by two ways is judged once, and only that push; what was said stands for both ways."""

import sys
from pathlib import Path

import pytest

from ptguard.gateways.repo import layout
from ptguard.install import examine, inspect
from ptguard.install.hookfile import render
from tests.e2e.team import Outcome, Team
from tests.support import run

pytestmark = pytest.mark.e2e


def by_a_call(team: Team) -> None:
    """The team adds the line for those with an older git, and one clone has the config hook already."""
    team.repo.write(".githooks/pre-push", '#!/bin/sh\nptguard pre-push "$@" || exit $?\n').chmod(0o755)


def by_a_guard(team: Team) -> None:
    """The guard lies in the folder that core.hooksPath names as well."""
    team.repo.write(".githooks/pre-push", render(Path(sys.executable))).chmod(0o755)


def by_the_own_folder(team: Team) -> None:
    """core.hooksPath is gone and an older ptguard armed the hooks folder."""
    team.repo.git("config", "--unset", "core.hooksPath")
    team.repo.write(".git/hooks/pre-push", render(Path(sys.executable))).chmod(0o755)


def by_pre_commit(team: Team) -> None:
    """The guard is pre-commit's ``.legacy`` and a config hook."""
    team.repo.git("config", "--unset", "core.hooksPath")
    team.repo.write(".pre-commit-config.yaml", "default_install_hook_types: [pre-push]\nrepos: []\n")
    run(sys.executable, "-m", "pre_commit", "install", cwd=team.repo.path, env=team.repo.env)
    team.repo.write(".git/hooks/pre-push.legacy", render(Path(sys.executable))).chmod(0o755)


WAYS = [by_a_call, by_a_guard, by_the_own_folder, by_pre_commit]


@pytest.fixture
def config_hook(team: Team, new_git: bool) -> Team:
    team.repo.git("config", "core.hooksPath", ".githooks")
    team.arm()
    assert inspect(layout(team.repo.path)).config.armed
    return team


def verdicts(done: Outcome) -> int:
    return sum(line.startswith("policy: refs/") for line in done.screen.splitlines())


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_two_ways_judge_once(config_hook: Team, way: object) -> None:
    team = config_hook
    assert callable(way)
    way(team)
    state = inspect(layout(team.repo.path))
    assert state.armed and state.twice
    assert any("armed twice" in t.what and t.fix == "ptguard install" and not t.grave for t in examine(state))
    team.repo.git("tag", "v2.9.0")
    refused = team.guard("v2.9.0").refused("lightweight")
    assert verdicts(refused) == 1
    assert verdicts(team.guard("v2.9.0").refused("lightweight")) == 1  # a push of its own, judged for itself
    team.tag()
    assert verdicts(team.guard("v2.9.0").accepted("v2.9.0")) == 1
    assert team.repo.ptguard("install").returncode == 0
    state = inspect(layout(team.repo.path))
    assert state.armed and not state.twice


def test_what_was_said_of_another_push_counts_for_nothing(config_hook: Team) -> None:
    """A note that is left behind is no verdict: not for another process, and not for other lines."""
    team = config_hook
    team.tag()
    team.guard("v2.9.0").accepted("v2.9.0")
    note = team.repo.path / ".git/ptguard/judged"
    assert note.read_text().endswith(" 0\n")
    team.repo.git("tag", "nightly-1")
    oid = team.repo.git("rev-parse", "nightly-1")
    line = f"refs/tags/nightly-1 {oid} refs/tags/nightly-1 {'0' * 40}\n".encode()
    done = team.repo.ptguard("pre-push", "origin", "../remote.git", stdin=line)
    assert done.returncode == 1 and "lightweight:" in done.stderr
