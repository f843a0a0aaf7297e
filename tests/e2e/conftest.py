"""The team of the end-to-end tests: built once a worker, copied for each test."""

from pathlib import Path

import pytest

from tests.e2e.team import Team


@pytest.fixture
def team(template: Team, tmp_path: Path, env: dict[str, str]) -> Team:
    """A team of one's own, not yet armed."""
    return template.copy_to(tmp_path / "team", env)


@pytest.fixture
def served(team: Team) -> Team:
    """A team whose remote has the guard installed, and its clone none."""
    team.serve()
    return team


@pytest.fixture
def armed(team: Team) -> Team:
    """A team whose clone has the guard installed."""
    team.arm()
    return team
