"""The team of the end-to-end tests, for set-ups that are pushed from for real."""

from pathlib import Path

import pytest

from tests.e2e.team import Team


@pytest.fixture
def team(template: Team, tmp_path: Path, env: dict[str, str]) -> Team:
    """A team of one's own, not yet armed."""
    return template.copy_to(tmp_path / "team", env)
