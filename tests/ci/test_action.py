"""The composite action: its scripts run for real, on a clone as actions/checkout v4.4 leaves it."""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.ci.runner import ROOT, Step, action, checkout, contexts, environment, git, run_step
from tests.e2e.team import Team
from tests.report.workflow_commands import Command, command, lines
from tests.support import run

BIN = Path(sys.executable).parent


def steps() -> dict[str, dict[str, object]]:
    return {step["id"]: step for step in action()["runs"]["steps"]}


def judge(team: Team, tag: str, tmp_path: Path, *, depth: int = 1, **inputs: str) -> Step:
    """Check ``tag`` out as a workflow does and run the step that judges, with this Python as the one set up."""
    workspace = checkout(team, tag, tmp_path / "work", depth=depth)
    return judge_in(team, workspace, tmp_path, {"tag": tag, **inputs})


def judge_in(team: Team, workspace: Path, tmp_path: Path, inputs: Mapping[str, str]) -> Step:
    named = {name.replace("_", "-"): text for name, text in inputs.items()}
    values = contexts(named, workspace) | {"steps.setup.outputs.python": sys.executable}
    return run_step(steps()["judge"], values, workspace, tmp_path / "scratch", environment(team))


def obeyed(step: Step) -> list[Command]:
    """Give the commands that the runner obeys in what a step printed."""
    found: list[Command] = []
    word = None
    for line in lines(step.stdout) + lines(step.stderr):
        one = command(line)
        if word is not None:
            word = None if line == f"::{word}::" else word
        elif one is not None and one.name == "stop-commands":
            word = one.data
        elif one is not None:
            found.append(one)
    assert word is None
    return found


def reasons(step: Step) -> set[str]:
    document = json.loads(Path(step.outputs["json"]).read_text())
    return {f["reason"] for tag in document["tags"] for f in tag["findings"] if f["status"] in ("fail", "error")}


@pytest.mark.e2e
@pytest.mark.parametrize("depth", [1, 0])
def test_a_good_tag_is_accepted(team: Team, tmp_path: Path, depth: int) -> None:
    oid = team.tag()
    team.push("v2.9.0")
    step = judge(team, "v2.9.0", tmp_path, depth=depth)
    assert step.code == 0, step.stdout + step.stderr
    assert step.outputs["decision"] == "accept" and step.outputs["object"] == oid
    document = json.loads(Path(step.outputs["json"]).read_text())
    assert document["decision"] == "accept" and document["tags"][0]["object"] == oid
    assert document["policy"]["source"] == "refs/remotes/origin/main"
    assert [(c.name, c.data) for c in obeyed(step)] == [("notice", "accepted v2.9.0")]
    assert step.summary.startswith("## ptguard: accepted\n\n### `v2.9.0`: accepted\n")


@pytest.mark.e2e
def test_bad_tags_are_refused_with_their_reasons(team: Team, tmp_path: Path) -> None:
    team.repo.git("tag", "v2.9.0-light")
    team.repo.git("tag", "-a", "-m", "not signed", "v2.9.0-bare")
    team.tag("v2.9.0-alien", signer="stranger")
    team.tag("v2.9.0-many")
    bad = {"light": "lightweight", "bare": "unsigned", "alien": "unknown-signer", "many": "missing-section"}
    for name, reason in bad.items():
        tag = f"v2.9.0-{name}"
        team.push(tag)
        step = judge(team, tag, tmp_path / name)
        assert step.code == 1, step.stdout + step.stderr
        assert step.outputs["decision"] == "refuse" and reason in reasons(step)
        assert any(c.name == "error" and f"{tag}: {reason}: " in c.data for c in obeyed(step)), step.stdout
        assert f"### `{tag}`: refused" in step.summary and f"`{reason}`" in step.summary


@pytest.mark.e2e
def test_the_commit_of_a_release_on_no_release_branch_is_refused(team: Team, tmp_path: Path) -> None:
    team.repo.git("checkout", "-q", "-b", "side")
    team.release("2.9.1")
    team.push("side")
    team.repo.git("reset", "-q", "--hard", "side")
    team.tag("v2.9.1")
    team.repo.git("push", "-q", "--no-verify", "--force", "origin", "HEAD~2:main", "v2.9.1")
    assert reasons(judge(team, "v2.9.1", tmp_path)) == {"not-on-branch"}


@pytest.mark.e2e
def test_a_policy_in_the_tagged_commit_has_no_say(team: Team, tmp_path: Path) -> None:
    team.write_policy(team.policy.replace(team.keys.ssh("bot").public, team.keys.ssh("mallory").public))
    team.settle("Let mallory sign")
    team.tag_ssh("v2.9.0", signer="mallory")
    team.repo.git(
        "push", "-q", "--no-verify", "--force", "origin", "v2.9.0", "HEAD:refs/heads/release/x", "HEAD~2:main"
    )
    assert "unknown-signer" in reasons(judge(team, "v2.9.0", tmp_path))


@pytest.mark.e2e
def test_a_trust_branch_can_be_named(team: Team, tmp_path: Path) -> None:
    team.write_policy(team.policy.replace('branch = "main"', 'branch = "release/2.9"'))
    team.repo.commit("Trust another branch")
    team.tag()
    team.push("v2.9.0", "HEAD:refs/heads/release/2.9")
    step = judge(team, "v2.9.0", tmp_path, trust_branch="release/2.9")
    assert step.code == 0, step.stdout + step.stderr
    policy = json.loads(Path(step.outputs["json"]).read_text())["policy"]
    assert policy["source"] == "refs/remotes/origin/release/2.9"
    step = judge(team, "v2.9.0", tmp_path / "2", trust_branch="gone")
    assert step.code == 3 and step.outputs == {"decision": "refuse"}


@pytest.mark.e2e
def test_a_candidate_is_judged_before_it_is_a_tag_of_the_remote(team: Team, tmp_path: Path) -> None:
    oid = team.tag()
    team.push("refs/tags/v2.9.0:refs/candidates/v2.9.0")
    workspace = tmp_path / "work"
    run("git", "clone", "-q", "--depth=1", f"file://{team.remote}", workspace, env=team.env)
    given = {"tag": "v2.9.0", "ref": "refs/candidates/v2.9.0"}
    step = judge_in(team, workspace, tmp_path, given)
    assert step.code == 0 and step.outputs["object"] == oid, step.stdout + step.stderr
    assert "refs/tags/v2.9.0" not in team.remote_refs()
    team.push("v2.9.0")
    team.tag("v2.9.0", "HEAD", "-m", "another text")
    team.push("--force", "refs/tags/v2.9.0:refs/candidates/v2.9.0")
    assert reasons(judge_in(team, workspace, tmp_path, given)) == {"moved"}
    assert judge_in(team, workspace, tmp_path, {**given, "ref": "x::set-output"}).code == 2


@pytest.mark.e2e
def test_what_cannot_be_judged_is_refused(team: Team, tmp_path: Path) -> None:
    team.tag()
    team.push("v2.9.0")
    workspace = checkout(team, "v2.9.0", tmp_path / "work")
    cases = {
        "": (2, "no tag to judge"),
        "v2.9.0 x": (2, "is no name for a tag"),
        "x\n::set-output name=evil::x": (2, "is no name for a tag"),
        "$(touch evil)": (2, "is no name for a tag"),
        "v9": (3, "could not be fetched"),
        "--upload-pack=evil": (3, "could not be fetched"),
        "`touch${IFS}evil`": (3, "could not be fetched"),
    }
    for tag, (code, words) in cases.items():
        step = judge_in(team, workspace, tmp_path, {"tag": tag})
        assert (step.code, step.outputs) == (code, {"decision": "refuse"}), (tag, step)
        (only,) = obeyed(step)
        assert only.name == "error" and words in only.data and "evil" not in only.data
    assert not list(tmp_path.rglob("evil"))


@pytest.mark.e2e
@pytest.mark.parametrize(
    "name", ["v2.9.0;$(touch${IFS}evil)`id`", "-x--published", "v'2.9.0\"&&exit", "refs/tags/v2.9.0"]
)
def test_a_hostile_name_is_only_a_name(team: Team, tmp_path: Path, name: str) -> None:
    """The last one is a tag beside which a good one stands, whose verdict it must not get."""
    team.tag()
    team.push("v2.9.0")
    team.push(f"HEAD^0:refs/tags/{name}")
    step = judge(team, name, tmp_path)
    assert step.code == 1, step.stdout + step.stderr
    document = json.loads(Path(step.outputs["json"]).read_text())
    assert [tag["tag"] for tag in document["tags"]] == [name]
    assert not list(tmp_path.rglob("evil"))
    good = judge_in(team, tmp_path / "work", tmp_path, {"tag": "v2.9.0"})
    assert good.code == 0 and [c.data for c in obeyed(good)] == ["accepted v2.9.0"]


@pytest.mark.e2e
def test_hostile_words_of_a_tag_give_the_runner_no_command(team: Team, tmp_path: Path) -> None:
    env = {"GIT_COMMITTER_NAME": "##[add-mask]evil ::set-output name=evil::x"}
    team.repo.try_git("tag", "-a", "-m", "\n::set-output name=evil::x\n", "v2.9.0", env=env)
    team.push("v2.9.0")
    step = judge(team, "v2.9.0", tmp_path)
    assert step.code == 1 and {c.name for c in obeyed(step)} == {"error"}
    assert set(step.outputs) == {"decision", "json", "object"}


@pytest.mark.e2e
def test_the_token_is_masked_and_sent_once(team: Team, tmp_path: Path) -> None:
    """Git itself says what it would send: the header that actions/checkout left is gone, ours is there."""
    team.tag()
    team.push("v2.9.0")
    workspace = checkout(team, "v2.9.0", tmp_path / "work")
    key = "http.https://github.example/.extraheader"
    git(team, workspace, "config", key, "AUTHORIZATION: basic left-behind")
    step = judge_in(team, workspace, tmp_path, {"tag": "v2.9.0", "token": "secret"})
    assert step.code == 0
    masks = [c.data for c in obeyed(step) if c.name == "add-mask"]
    assert masks == ["eC1hY2Nlc3MtdG9rZW46c2VjcmV0"] and step.stdout.count(masks[0]) == 1
    exports = "\n".join(re.findall(r"^ *export GIT_CONFIG.*$", str(steps()["judge"]["run"]), re.MULTILINE))
    env = {**team.env, "SERVER": "https://github.example", "basic": masks[0]}
    asked = ["git", "-C", str(workspace), "config", "--get-all", key]
    said = run("bash", "-c", f'{exports}\n"$@"', "bash", *asked, env=env).stdout.splitlines()
    assert said == ["AUTHORIZATION: basic left-behind", "", f"AUTHORIZATION: basic {masks[0]}"]


def test_it_is_an_action_by_the_published_schema() -> None:
    run(BIN / "check-jsonschema", "--builtin-schema", "vendor.github-actions", ROOT / "action.yml")


def test_zizmor_finds_nothing() -> None:
    done = run(BIN / "zizmor", "--offline", "--persona", "pedantic", ROOT / "action.yml", check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_zizmor_would_find_a_template_in_a_script(tmp_path: Path) -> None:
    text = (ROOT / "action.yml").read_text("utf-8").replace('cd -- "$FOLDER"', "cd ${{ inputs.path }}")
    (tmp_path / "action.yml").write_text(text)
    done = run(BIN / "zizmor", "--offline", "--persona", "pedantic", tmp_path / "action.yml", check=False)
    assert done.returncode != 0 and "template-injection" in done.stdout


@pytest.mark.parametrize("name", list(steps()))
def test_the_scripts_pass_shellcheck_and_hold_no_expression(name: str, tmp_path: Path) -> None:
    script = tmp_path / "step.sh"
    script.write_text(f"#!/bin/bash\n{steps()[name]['run']}")
    assert "${{" not in script.read_text()
    run(BIN / "shellcheck", script)
