"""The GitLab component: its script runs for real on a clone as GitLab's runner makes it; the job's form is GitLab's."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.ci.runner import component, environment, gitlab_clone
from tests.e2e.team import Team
from tests.report import test_gitlab, test_junit, test_markdown
from tests.support import run

BIN = Path(sys.executable).parent


def job() -> dict[str, Any]:
    ((_, body),) = component()[1].items()
    return dict(body)


def judge(team: Team, tag: str, workspace: Path, **variables: str) -> tuple[int, str]:
    """Run the part of the script that judges, with this Python as the one set up; give exit code and screen."""
    declared = {k: v for k, v in job()["variables"].items() if k.startswith("PTGUARD_")}
    env = {**environment(team), **declared, "CI_COMMIT_TAG": tag, "PTGUARD_PYTHON": sys.executable, **variables}
    done = run("sh", "-c", job()["script"][1], cwd=workspace, env=env, check=False)
    return done.returncode, done.stdout + done.stderr


def verdict(workspace: Path) -> dict[str, Any]:
    return dict(json.loads((workspace / "ptguard-report/verdict.json").read_text()))


@pytest.mark.e2e
def test_a_good_tag_is_accepted_and_every_report_is_there(team: Team, tmp_path: Path) -> None:
    oid = team.tag()
    team.push("v2.9.0")
    work = gitlab_clone(team, "v2.9.0", tmp_path / "work")
    code, screen = judge(team, "v2.9.0", work)
    assert code == 0 and "ptguard: accepted v2.9.0" in screen, screen
    assert verdict(work)["tags"][0]["object"] == oid
    reports = job()["artifacts"]["reports"]
    cases = test_junit.kinds(test_junit.read((work / reports["junit"]).read_text()))
    assert len(cases) == 8 and not any(outcome for _, _, outcome in cases)
    assert test_gitlab.issues((work / reports["codequality"]).read_text()) == []
    assert "accepted" in (work / "ptguard-report/summary.md").read_text()
    assert set(job()["artifacts"]["paths"]) == {"ptguard-report/"} and job()["artifacts"]["when"] == "always"


@pytest.mark.e2e
def test_bad_tags_are_refused_with_their_reasons(team: Team, tmp_path: Path) -> None:
    team.repo.git("tag", "v2.9.0-light")
    team.repo.git("tag", "-a", "-m", "not signed", "v2.9.0-bare")
    team.repo.git("tag", "v2.9.0;$(touch${IFS}evil)`id`")
    for tag, reason in {
        "v2.9.0-light": "lightweight",
        "v2.9.0-bare": "unsigned",
        "v2.9.0;$(touch${IFS}evil)`id`": "lightweight",
    }.items():
        team.push(tag)
        work = gitlab_clone(team, tag, tmp_path / reason / str(len(tag)))
        code, screen = judge(team, tag, work)
        assert code == 1 and f"{reason}: " in screen, screen
        assert reason in {i["check_name"].split("/")[-1] for i in _issues(work)}
        test_markdown.read((work / "ptguard-report/summary.md").read_text())
    assert not list(tmp_path.rglob("evil"))


def _issues(work: Path) -> list[dict[str, Any]]:
    return test_gitlab.issues((work / "ptguard-report/codequality.json").read_text())


@pytest.mark.e2e
def test_a_link_in_the_commit_leads_no_report_elsewhere(team: Team, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (team.repo.path / "ptguard-report").symlink_to(outside)
    team.settle("Put a link there")
    team.tag()
    team.push("v2.9.0")
    work = gitlab_clone(team, "v2.9.0", tmp_path / "work")
    assert (work / "ptguard-report").is_symlink()
    assert judge(team, "v2.9.0", work)[0] == 0
    assert list(outside.iterdir()) == [] and not (work / "ptguard-report").is_symlink()


@pytest.mark.e2e
def test_a_tag_that_is_gone_stops_the_job(team: Team, tmp_path: Path) -> None:
    team.tag()
    team.push("v2.9.0")
    work = gitlab_clone(team, "v2.9.0", tmp_path / "work")
    code, screen = judge(team, "v9", work)
    assert code != 0 and "refs/tags/v9" in screen
    assert not (work / "ptguard-report/verdict.json").exists()


def check_schema(tmp_path: Path, body: object) -> int:
    path = tmp_path / "job.yml"
    path.write_text(yaml.safe_dump(body))
    argv = (BIN / "check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", path)
    return run(*argv, check=False).returncode


def test_the_job_is_one_by_the_published_schema(tmp_path: Path) -> None:
    body = component()[1]
    assert list(body) == ["ptguard"]
    assert check_schema(tmp_path, body) == 0
    assert check_schema(tmp_path, {"spec": {"inputs": component()[0]}}) == 0
    for bend in ({"stage": 1}, {"artifacts": {"when": "maybe"}}, {"rules": "x"}):
        assert check_schema(tmp_path, {"ptguard": {**job(), **bend}}) != 0


def test_every_input_is_described_and_none_is_a_part_of_the_script() -> None:
    inputs, _ = component()
    assert all(declared["description"] for declared in inputs.values())
    assert [name for name, declared in inputs.items() if "default" not in declared] == ["install"]
    assert not any("$[[" in script or "inputs." in script for script in job()["script"])


def test_the_scripts_pass_shellcheck(tmp_path: Path) -> None:
    script = tmp_path / "job.sh"
    script.write_text("#!/bin/sh\n" + "\n".join(job()["script"]))
    run(BIN / "shellcheck", script)
