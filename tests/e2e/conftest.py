"""The team of the end-to-end tests: built once a worker, copied for each test."""

from pathlib import Path

import pytest

from tests.e2e.team import Team
from tests.support import GITCONFIG, KeyChain, clean_environment


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, keychain: KeyChain) -> Team:
    """The team as it starts, for copying only."""
    home = tmp_path_factory.mktemp("template-home")
    (home / ".gitconfig").write_text(GITCONFIG)
    return Team.build(tmp_path_factory.mktemp("template") / "team", clean_environment(home), keychain)


@pytest.fixture
def team(template: Team, tmp_path: Path, env: dict[str, str]) -> Team:
    """A team of one's own, not yet armed."""
    return template.copy_to(tmp_path / "team", env)


@pytest.fixture
def armed(team: Team) -> Team:
    """A team whose clone has the guard installed."""
    team.arm()
    return team
