"""The YAML, XML and shell of docs/ci.md and docs/recipes.md: read, linted, and, where it enforces something, run."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
import yaml

from tests.ci.runner import action, checkout, component, contexts, environment, resolved, run_step
from tests.e2e.team import Team
from tests.report.test_gitlab import SCHEMA
from tests.support import run
from tests.test_docs import DOCS, Page, each_page, pages

BIN = Path(sys.executable).parent
CI = Page(DOCS / "ci.md", (DOCS / "ci.md").read_text("utf-8"))


def workflows() -> Iterator[tuple[str, str]]:
    """Give each workflow for GitHub in the documents, with the name that its first line says."""
    for page in pages():
        for text in page.fences("yaml"):
            if found := re.match(r"# (\.github/workflows/(\S+\.yml))\n", text):
                yield found[2], text


each_workflow = pytest.mark.parametrize(("name", "text"), list(workflows()), ids=[name for name, _ in workflows()])


def loaded(text: str) -> dict[str, Any]:
    return dict(yaml.safe_load(text))


@each_page
def test_yaml_in_examples_can_be_read(page: Page) -> None:
    assert all(yaml.safe_load(text) for text in page.fences("yaml"))


def test_the_workflows_were_found() -> None:
    assert {"tag.yml", "promote.yml"} <= {name for name, _ in workflows()}


@each_workflow
def test_a_workflow_is_one_by_schema_and_zizmor_finds_nothing(name: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / ".github" / "workflows" / name
    path.parent.mkdir(parents=True)
    path.write_text(text)
    run(BIN / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", path)
    done = run(BIN / "zizmor", "--offline", "--persona", "pedantic", path, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@each_workflow
def test_a_workflow_gives_the_action_inputs_that_it_has_and_scripts_that_pass_shellcheck(
    name: str, text: str, tmp_path: Path
) -> None:
    for job in loaded(text)["jobs"].values():
        for step in job["steps"]:
            if "/ptguard@" in step.get("uses", ""):
                assert set(step.get("with", {})) <= set(action()["inputs"])
            if "run" in step:
                assert "${{" not in step["run"]
                script = tmp_path / "step.sh"
                script.write_text(f"#!/bin/bash\n{step['run']}")
                run(BIN / "shellcheck", script)


def test_inputs_and_outputs_in_the_tables_are_those_of_the_action_and_the_component() -> None:
    github, gitlab = CI.text.split("\n## On GitHub\n")[1].split("\n## On GitLab\n")
    told = re.findall(r"^\| `([a-z-]+)` \|", github, re.MULTILINE)
    assert told == [*action()["outputs"], *action()["inputs"]]
    rows = re.findall(r"^\| (`[a-z`, -]+`) \|", gitlab.split("\n## ")[0], re.MULTILINE)
    assert sorted(", ".join(rows).replace("`", "").split(", ")) == sorted(component()[0])


def test_the_component_is_included_with_its_required_input() -> None:
    (text,) = (t for t in CI.fences("yaml") if t.startswith("# .gitlab-ci.yml"))
    (included,) = loaded(text)["include"]
    assert re.fullmatch(r"\$CI_SERVER_FQDN/example/ptguard/verify@[0-9a-f]{40}", included["component"])
    assert set(included["inputs"]) <= set(component()[0]) and "install" in included["inputs"]


def test_the_examples_of_formats_are_of_their_form() -> None:
    (issues,) = (json.loads(text) for text in CI.fences("json"))
    jsonschema.validate(issues, SCHEMA)
    (xml,) = CI.fences("xml")
    suite = ElementTree.fromstring(xml)
    assert [case.attrib["name"] for case in suite.iter("testcase")] == ["annotated", "changelog"]


def promote(team: Team, tmp_path: Path, values: dict[str, str]) -> "tuple[int, str]":
    """Run the step that pushes, as the workflow's own env has it but for the address of the remote."""
    (text,) = (text for name, text in workflows() if name == "promote.yml")
    (step,) = loaded(text)["jobs"]["promote"]["steps"]
    expressions = {"secrets.RELEASE_KEY": "x", "github.repository": "x", **values}
    env = {name: resolved(given, expressions) for name, given in step["env"].items()}
    scratch = tmp_path / "promote"
    scratch.mkdir(parents=True)
    env |= {"REMOTE": f"file://{team.remote}", "RUNNER_TEMP": str(scratch)}
    done = run("bash", "-e", "-c", step["run"], env={**team.env, **env}, check=False)
    return done.returncode, done.stdout + done.stderr


def judged(team: Team, tmp_path: Path, tag: str) -> "tuple[int, str]":
    """Run the judging job of the workflow: a shallow clone of the default branch, then the action."""
    (text,) = (text for name, text in workflows() if name == "promote.yml")
    (step,) = (s for s in loaded(text)["jobs"]["judge"]["steps"] if s.get("id") == "ptguard")
    inputs = {name: resolved(given, {"inputs.tag": tag}) for name, given in step["with"].items()}
    workspace = tmp_path / "work"
    run("git", "clone", "-q", "--depth=1", "--no-tags", f"file://{team.remote}", workspace, env=team.env)
    values = contexts(inputs, workspace) | {"steps.setup.outputs.python": sys.executable}
    done = run_step(action()["runs"]["steps"][1], values, workspace, tmp_path / "scratch", environment(team))
    return done.code, done.outputs.get("object", "")


@pytest.mark.e2e
def test_a_good_candidate_becomes_the_tag_and_a_bad_or_swapped_one_does_not(team: Team, tmp_path: Path) -> None:
    good = team.tag()
    team.push("refs/tags/v2.9.0:refs/candidates/v2.9.0")
    code, oid = judged(team, tmp_path / "1", "v2.9.0")
    assert (code, oid) == (0, good)
    team.tag("v2.9.0", "HEAD", "-m", "swapped", signer="stranger")
    team.push("--force", "refs/tags/v2.9.0:refs/candidates/v2.9.0")
    values = {"inputs.tag": "v2.9.0", "needs.judge.outputs.object": oid}
    code, screen = promote(team, tmp_path / "1", values)
    assert code != 0 and "refs/tags/v2.9.0" not in team.remote_refs(), screen
    assert judged(team, tmp_path / "2", "v2.9.0")[0] == 1
    team.push("--force", f"{good}:refs/candidates/v2.9.0")
    code, screen = promote(team, tmp_path / "2", values)
    assert code == 0 and team.remote_refs()["refs/tags/v2.9.0"] == good, screen


@pytest.mark.e2e
def test_the_lines_for_elsewhere_work_on_a_shallow_clone_of_the_tag(team: Team, tmp_path: Path) -> None:
    (lines,) = (text for text in CI.fences("sh") if text.startswith("T=v2.9.0\n"))
    team.tag()
    team.push("v2.9.0")
    workspace = checkout(team, "v2.9.0", tmp_path / "work")
    done = run("sh", "-eu", "-c", f"deep=\n{lines}", cwd=workspace, env=team.env, check=False)
    assert done.returncode == 0 and "ptguard: accepted v2.9.0" in done.stdout, done.stdout + done.stderr
