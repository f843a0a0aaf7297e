"""Four people push a hundred times at once to one guarded remote, each through a guard of his own as well."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.team import Team
from tests.support import Repo, run

pytestmark = pytest.mark.e2e
CLIENTS, EACH = 4, 25


@pytest.fixture
def crowd(team: Team) -> list[Repo]:
    """Four armed clones of a guarded remote, each with tags of its own, of which every third is not signed."""
    team.serve()
    clones = []
    for client in range(CLIENTS):
        repo = Repo(team.root / f"client-{client}", team.env)
        run("cp", "-r", team.repo.path, repo.path, env=team.env)
        one = Team(team.root, team.env, team.keys, team.policy)
        one.repo = repo
        for number in range(EACH):
            name = f"nightly-{client}-{number}"
            if number % 3:
                one.tag_ssh(name)
            else:
                repo.git("tag", "-a", "-m", "x", name)
        assert repo.ptguard("install").returncode == 0
        clones.append(repo)
    return clones


def test_a_hundred_pushes_by_four_at_once(team: Team, crowd: list[Repo], tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    env = {**team.env, "TMPDIR": str(temporary)}

    def push(client: int) -> list[tuple[str, subprocess.CompletedProcess[str]]]:
        names = [f"nightly-{client}-{number}" for number in range(EACH)]
        past = ["--no-verify"] if client % 2 else []  # two of them go past the guard of their own clone
        return [
            (n, run("git", "push", *past, "origin", n, cwd=crowd[client].path, env=env, check=False)) for n in names
        ]

    before = team.remote_refs()
    with ThreadPoolExecutor(CLIENTS) as pool:
        done = [one for pushes in pool.map(push, range(CLIENTS)) for one in pushes]
    good = {name for name, _ in done if int(name.rpartition("-")[2]) % 3}
    for name, said in done:
        words = "accepted" if name in good else "refused"
        assert (said.returncode == 0) is (name in good), said.stderr
        assert f"ptguard: {words} {name}" in said.stderr, said.stderr
    assert set(team.remote_refs()) == set(before) | {f"refs/tags/{name}" for name in good}
    kept = {(r["ref"].removeprefix("refs/tags/"), r["decision"]) for r in team.receipts()}
    past = {name for name, _ in done if int(name.split("-")[1]) % 2}
    assert kept == {(n, "accept") for n in good} | {(n, "refuse") for n in past - good}
    assert len(team.receipts()) == len(kept)
    assert list(temporary.iterdir()) == []
    assert str(temporary) not in run("ps", "-eo", "args", env=env).stdout
