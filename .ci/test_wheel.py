"""The wheel is what is tested: built from this tree, installed into an empty venv, used for a real push."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.ci.runner import action, checkout, component, contexts, environment, gitlab_clone, run_step
from tests.e2e.team import Team
from tests.support import GITCONFIG, KeyChain, clean_environment, refs, run

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", out, ROOT, env=dict(os.environ), timeout=300)
    (built,) = out.glob("ptguard-*.whl")
    return built


@pytest.fixture(scope="session")
def venv(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("empty") / "venv"
    run(sys.executable, "-m", "venv", folder, env=dict(os.environ))
    run(folder / "bin/python", "-m", "pip", "install", "-q", wheel, env=dict(os.environ), timeout=600)
    return folder


@pytest.fixture
def team(venv: Path, tmp_path: Path) -> Iterator[Team]:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(GITCONFIG)
    env = clean_environment(home)
    env["PATH"] = f"{venv / 'bin'}{os.pathsep}{env['PATH']}"
    chain = KeyChain.make()
    try:
        yield Team.build(tmp_path / "team", env, chain)
    finally:
        chain.close()


def ptguard(venv: Path, team: Team, *args: str) -> "subprocess.CompletedProcess[str]":
    return run(venv / "bin/ptguard", *args, cwd=team.repo.path, env=team.env, check=False)


def test_it_carries_hooks_pages_schema_and_types(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"ptguard/hooks/pre-push", "ptguard/schema/verdict-1.json", "ptguard/py.typed"} <= names
    checks = {Path(n).stem for n in names if n.startswith("ptguard/checks/") and not n.endswith("__init__.py")}
    pages = {Path(n).stem for n in names if n.startswith("ptguard/docs/checks/")}
    tests = {p.stem.removeprefix("test_") for p in (ROOT / "tests/checks").glob("test_*.py")}
    assert checks == pages == tests and len(checks) == 8


def test_it_says_its_version(venv: Path) -> None:
    done = run(venv / "bin/ptguard", "--version", env=dict(os.environ))
    assert done.stdout == "ptguard, version 0.1.0\n"


def test_it_explains_from_the_pages_that_it_carries(venv: Path, tmp_path: Path) -> None:
    done = run(venv / "bin/ptguard", "explain", "missing-section", cwd=tmp_path, env=dict(os.environ))
    assert done.stdout.startswith("changelog/missing-section  (fail)\n")
    listed = run(venv / "bin/ptguard", "checks", "--format", "json", cwd=tmp_path, env=dict(os.environ))
    pages = {check["check"]: check["page"] for check in json.loads(listed.stdout)["checks"]}
    assert pages == {path.stem: path.read_text("utf-8") for path in (ROOT / "docs/checks").glob("*.md")}


def test_it_verifies_and_its_hook_judges_a_push(venv: Path, team: Team) -> None:
    team.tag()
    done = ptguard(venv, team, "verify", "--format", "json", "v2.9.0")
    assert done.returncode == 0 and json.loads(done.stdout)["decision"] == "accept"
    assert ptguard(venv, team, "install").returncode == 0
    assert str(venv) in (team.repo.path / ".git/hooks/pre-push").read_text()
    team.repo.git("tag", "v2.9.1")
    before = refs(team.remote, team.env)
    bad = team.repo.try_git("push", "origin", "v2.9.1")
    assert bad.returncode != 0 and "lightweight" in bad.stderr
    assert refs(team.remote, team.env) == before
    good = team.repo.try_git("push", "origin", "v2.9.0")
    assert good.returncode == 0, good.stderr
    assert "refs/tags/v2.9.0" in refs(team.remote, team.env)


def leave_traps(team: Team) -> None:
    """Commit modules that a careless `python -m venv` or `-m pip` in the work tree would run."""
    for name in ("venv", "pip", "ensurepip", "ptguard", "sitecustomize"):
        team.repo.write(f"{name}.py", "import pathlib, sys\npathlib.Path('evil').touch()\nsys.exit(0)\n")
    team.settle("Leave traps")
    team.tag()
    team.push("v2.9.0")


def test_the_action_sets_itself_up_and_judges(team: Team, tmp_path: Path) -> None:
    leave_traps(team)
    workspace = checkout(team, "v2.9.0", tmp_path / "work")
    values = contexts({"tag": "v2.9.0"}, workspace)
    setup, judge = action()["runs"]["steps"]
    done = run_step(setup, values, workspace, tmp_path / "scratch", {**os.environ, **environment(team)})
    assert done.code == 0, done.stdout + done.stderr
    values["steps.setup.outputs.python"] = done.outputs["python"]
    done = run_step(judge, values, workspace, tmp_path / "scratch", environment(team))
    assert done.code == 0 and done.outputs["decision"] == "accept", done.stdout + done.stderr
    assert not (workspace / "evil").exists()


def test_the_component_sets_itself_up_and_judges(team: Team, tmp_path: Path) -> None:
    leave_traps(team)
    workspace = gitlab_clone(team, "v2.9.0", tmp_path / "work")
    ((_, job),) = component()[1].items()
    env = {**environment(team), **job["variables"], "CI_COMMIT_TAG": "v2.9.0"}
    done = run("sh", "-c", "\n".join(job["script"]), cwd=workspace, env=env, check=False, timeout=600)
    assert done.returncode == 0 and "ptguard: accepted v2.9.0" in done.stdout, done.stdout + done.stderr
    assert not (workspace / "evil").exists()
