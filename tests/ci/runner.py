"""Just enough of GitHub's and GitLab's runners to run our own steps: clones as they make them, env as declared."""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.team import Team
from tests.support import run

ROOT = Path(__file__).parents[2]
_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


@dataclass(frozen=True)
class Step:
    """What came of a step: exit code, what it printed, outputs, the job summary."""

    code: int
    stdout: str
    stderr: str
    outputs: dict[str, str]
    summary: str


def action() -> dict[str, Any]:
    """Give action.yml."""
    return dict(yaml.safe_load((ROOT / "action.yml").read_text("utf-8")))


def resolved(text: str, values: Mapping[str, str]) -> str:
    """Give ``text`` with each expression replaced by its value; one that ``values`` lacks is a mistake."""
    return _EXPRESSION.sub(lambda found: values[found[1]], text)


def contexts(inputs: Mapping[str, str], workspace: Path) -> dict[str, str]:
    """Give the values of all expressions that action.yml may name, its inputs as given or by default."""
    values = {
        "github.workspace": str(workspace),
        "github.action_path": str(ROOT),
        "github.server_url": "https://github.example",
        "github.token": "",
        "github.ref_type == 'tag' && github.ref_name || ''": "",
    }
    for name, declared in action()["inputs"].items():
        values[f"inputs.{name}"] = inputs.get(name, resolved(declared["default"], values))
    return values


def run_step(
    step: Mapping[str, Any], values: Mapping[str, str], workspace: Path, scratch: Path, env: Mapping[str, str]
) -> Step:
    """Run one step of the action as the runner does: its script in a file, its env, its command files."""
    assert step["shell"] == "bash"
    scratch.mkdir(exist_ok=True)
    script = scratch / f"{step['id']}.sh"
    script.write_text(step["run"])
    output, summary = scratch / f"{step['id']}.output", scratch / f"{step['id']}.summary"
    output.touch()
    summary.touch()
    given = {name: resolved(text, values) for name, text in step["env"].items()}
    known = {"RUNNER_TEMP": str(scratch), "GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)}
    done = run(
        "bash", "--noprofile", "--norc", "-e", "-o", "pipefail", script,
        cwd=workspace, env={**env, **known, **given, "CI": "true"}, check=False, timeout=600,
    )  # fmt: skip
    outputs = dict(line.split("=", 1) for line in output.read_text().splitlines())
    return Step(done.returncode, done.stdout, done.stderr, outputs, summary.read_text())


def checkout(team: Team, tag: str, workspace: Path, *, depth: int = 1) -> Path:
    """Clone as actions/checkout v4.4 does where a tag started the workflow (fetch-depth: 1, or 0 for all).

    It asks for the commit and writes it where the tag belongs: an annotated tag becomes a lightweight one.
    """
    commit = run("git", "-C", team.remote, "rev-parse", f"refs/tags/{tag}^{{commit}}", env=team.env).stdout.strip()
    _clone(team, workspace)
    fetch = ["fetch", "--no-tags", "--prune", "--no-recurse-submodules"]
    if not depth:
        everything = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
        git(team, workspace, "-c", "protocol.version=2", *fetch, "origin", *everything)
    shallow = [f"--depth={depth}"] if depth else []
    spec = f"+{commit}:refs/tags/{tag}"
    git(team, workspace, "-c", "protocol.version=2", *fetch, *shallow, "origin", spec)
    git(team, workspace, "checkout", "-q", "--force", f"refs/tags/{tag}")
    assert git(team, workspace, "cat-file", "-t", f"refs/tags/{tag}") == "commit"
    return workspace


def gitlab_clone(team: Team, tag: str, workspace: Path) -> Path:
    """Clone as GitLab's runner does for the pipeline of a tag: the last 20 commits of it, detached."""
    _clone(team, workspace)
    spec = f"+refs/tags/{tag}:refs/tags/{tag}"
    git(team, workspace, "fetch", "origin", "--no-recurse-submodules", spec, "--depth", "20", "--prune", "--quiet")
    git(team, workspace, "checkout", "-f", "-q", f"refs/tags/{tag}^{{commit}}")
    return workspace


def _clone(team: Team, workspace: Path) -> None:
    run("git", "init", "-q", workspace, env=team.env)
    git(team, workspace, "remote", "add", "origin", f"file://{team.remote}")


def git(team: Team, workspace: Path, *args: str) -> str:
    """Run git in the workspace and give what it prints."""
    return run("git", "-C", workspace, *args, env=team.env).stdout.strip()


def component() -> tuple[dict[str, Any], dict[str, Any]]:
    """Give the inputs of templates/verify.yml and its body with each input at its default, ``install`` at a path."""
    head, body = (ROOT / "templates" / "verify.yml").read_text("utf-8").split("\n---\n")
    inputs = yaml.safe_load(head)["spec"]["inputs"]
    filled = re.sub(r"\$\[\[ inputs\.([a-z-]+) \]\]", lambda found: str(inputs[found[1]].get("default", ROOT)), body)
    return inputs, yaml.safe_load(filled)


def environment(team: Team) -> dict[str, str]:
    """Give the environment of a job: the tests' clean one, under which nothing of ours is on PATH."""
    own = str(Path(sys.executable).parent)
    path = os.pathsep.join(part for part in team.env["PATH"].split(os.pathsep) if part != own)
    return {**team.env, "PATH": path}
