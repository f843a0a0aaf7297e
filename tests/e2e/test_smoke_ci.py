"""The recipe of docs/smoke-ci.md, run: its steps make a record and propose it, and a tag of the merge goes through.

Played by us is only what GitHub does: checking out, carrying the artifact from job to job, `gh`. There is no container
and no GPU: the recipe's options are set to a run on this machine without a framework.
"""

import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.team import DIGEST, Team
from tests.support import Repo, run, toml_list

pytestmark = pytest.mark.e2e

PAGE = Path(__file__).parents[2] / "docs" / "smoke-ci.md"
IMAGE = f"registry.example.com/team/train:2.9@{DIGEST}"
GH = """\
#!/bin/sh
printf '%s\\n' "$@" > {notes}/argv
cat > {notes}/body
"""


def recipe(name: str) -> dict[str, Any]:
    """Give the CI file that the page has under ``name``."""
    found = re.search(rf"<!-- recipe: {name} -->\n```yaml\n(.*?)```\n", PAGE.read_text("utf-8"), re.DOTALL)
    assert found is not None
    document: dict[str, Any] = yaml.safe_load(found[1])
    return document


@dataclass
class Ci:
    """What stands for GitHub: a folder for each job, the artifacts between them, a `gh` that notes what it is told."""

    team: Team
    root: Path
    secrets: dict[str, str]
    options: str

    def job(self, name: str) -> tuple[int, str]:
        """Run the steps of a job in a fresh checkout, up to the first that fails; give its status and what was said."""
        flow = recipe("github")
        work = self.root / name
        said = ""
        for step in flow["jobs"][name]["steps"]:
            if "uses" in step:
                self._use(step, work)
            elif step["name"] != "Install ptguard":  # it is installed here already
                done = run("bash", "-e", "-c", step["run"], cwd=work, env=self._env(flow, step), check=False)
                said += done.stdout + done.stderr
                if done.returncode != 0:
                    return done.returncode, said
        return 0, said

    def _env(self, flow: dict[str, Any], step: dict[str, Any]) -> dict[str, str]:
        home, temp, notes = (self.root / name for name in ("home", "temp", "gh"))
        for folder in (home, temp, notes):
            folder.mkdir(exist_ok=True)
        gh = notes / "gh"
        gh.write_text(GH.format(notes=notes))
        gh.chmod(0o755)
        values = {**self.secrets, "github.token": "a token"}
        own = {k: re.sub(r"\$\{\{ (.+?) \}\}", lambda m: values[m[1]], v) for k, v in step.get("env", {}).items()}
        return {
            **self.team.env,
            **flow["env"],
            "SMOKE_OPTIONS": self.options,
            **own,
            "HOME": str(home),
            "PATH": f"{notes}:{self.team.env['PATH']}",
            "RUNNER_TEMP": str(temp),
            "GITHUB_SHA": self.team.repo.git("rev-parse", "HEAD"),
            "GITHUB_REF_NAME": "main",
            "GITHUB_RUN_ID": "4711",
        }

    def _use(self, step: dict[str, Any], work: Path) -> None:
        action, options = step["uses"].split("@")[0], step.get("with", {})
        store = self.root / "artifacts"
        if action == "actions/checkout":
            assert options["fetch-depth"] == 0
            run("git", "clone", "-q", self.team.remote, work, env=self.team.env)
        elif action == "actions/upload-artifact":
            files = list(work.glob(options["path"]))
            assert files and options["include-hidden-files"]
            store.mkdir(exist_ok=True)
            for file in files:
                shutil.copy(file, store)
        else:
            assert action == "actions/download-artifact", action
            shutil.copytree(store, work / options["path"], dirs_exist_ok=True)


@pytest.fixture
def ci(armed: Team, tmp_path: Path) -> Ci:
    """A team with a policy that takes a run on this machine, and a commit that was never tried."""
    check = [sys.executable, "-c", "import net; assert net.WEIGHTS"]
    armed.change_policy(
        '[smoke]\nsigners = ["runner"]',
        f'[smoke]\nsigners = ["runner"]\ndevice = "cpu"\nimage-from = "operator"\ncommand = {toml_list(check)}',
    )
    armed.repo.write("Dockerfile", f"FROM {IMAGE}\n")
    armed.repo.write("net.py", "WEIGHTS = [4, 5, 6]\n")
    armed.repo.git("rm", "-q", "-r", ".ptguard/smoke")
    armed.repo.commit("What is to be released")
    armed.push("main")
    key = armed.keys.ssh("runner").private.read_text()
    (tmp_path / "ci").mkdir()
    options = f"--runner local --framework none --python {sys.executable} --image {IMAGE}"
    return Ci(armed, tmp_path / "ci", {"secrets.SMOKE_KEY": key.removesuffix("\n")}, options)


@pytest.mark.parametrize("how", ["merge", "rebase", "squash"])
def test_the_proposed_commit_makes_the_release_stand(ci: Ci, how: str) -> None:
    team = ci.team
    team.tag()
    team.guard("v2.9.0").refused("missing")
    code, said = ci.job("record")
    assert code == 0, said
    assert "OPENSSH PRIVATE KEY" not in said
    code, said = ci.job("propose")
    assert code == 0, said
    assert "the record stands for HEAD" in said

    team.repo.git("fetch", "-q", "origin")
    branch = "origin/smoke/4711"
    changed = team.repo.git("diff", "--name-status", "main", branch).split()
    assert changed == ["A", ".ptguard/smoke/gpu.json", "A", ".ptguard/smoke/gpu.json.sig"]
    argv = (ci.root / "gh" / "argv").read_text().splitlines()
    assert argv[:6] == ["pr", "create", "--base", "main", "--head", "smoke/4711"]
    body = (ci.root / "gh" / "body").read_text()
    assert "    .ptguard/smoke/gpu.json\n" in body and "result     PASSED" in body

    merge = {"merge": ["merge", "-q", "--no-ff", branch], "rebase": ["rebase", "-q", branch]}
    team.repo.git(*merge.get(how, ["merge", "-q", "--squash", branch]))
    team.repo.git("commit", "-q", "--allow-empty", "-m", "Merged")
    team.push("main")
    team.tag()
    team.guard("v2.9.0").accepted("v2.9.0")


def test_a_run_that_fails_proposes_nothing(ci: Ci) -> None:
    ci.team.repo.write("net.py", "WEIGHTS = []\n")
    ci.team.repo.commit("Broken")
    ci.team.push("main")
    code, said = ci.job("record")
    assert code == 1 and "FAILED: wrote .ptguard/smoke/gpu.json" in said
    assert not (ci.root / "artifacts").exists()


def test_a_record_that_was_changed_on_the_way_proposes_nothing(ci: Ci) -> None:
    assert ci.job("record")[0] == 0
    record = ci.root / "artifacts" / "gpu.json"
    record.write_bytes(record.read_bytes().replace(b'"dirty": false', b'"dirty": true'))
    code, said = ci.job("propose")
    assert code == 1 and "bad-signature: " in said and "dirty: " in said
    assert "refs/heads/smoke/4711" not in ci.team.remote_refs()
    assert not (ci.root / "gh" / "argv").exists()


def test_another_key_proposes_nothing(ci: Ci) -> None:
    ci.secrets["secrets.SMOKE_KEY"] = ci.team.keys.ssh("bot").private.read_text()
    code, said = ci.job("record")
    assert code == 2 and "the policy would not take it" in said


def test_what_landed_meanwhile_asks_for_another_run(ci: Ci) -> None:
    assert ci.job("record")[0] == 0 and ci.job("propose")[0] == 0
    team = ci.team
    team.repo.write("net.py", "WEIGHTS = [7]\n")
    team.repo.commit("Landed first")
    team.repo.git("fetch", "-q", "origin")
    team.repo.git("merge", "-q", "--no-edit", "origin/smoke/4711")
    team.push("main")
    team.tag()
    team.guard("v2.9.0").refused("wrong-tree")


def test_the_jobs_share_out_what_each_may_do() -> None:
    """The one with the key may not write, the one that may write has no key and tries nothing."""
    jobs = recipe("github")["jobs"]
    assert recipe("github")["permissions"] == {}
    assert jobs["record"]["permissions"] == {"contents": "read"} and jobs["record"]["environment"]
    assert set(jobs["propose"]["permissions"].values()) == {"write"}
    scripts = {name: "\n".join(str(step) for step in job["steps"]) for name, job in jobs.items()}
    assert "secrets." in scripts["record"] and "secrets." not in scripts["propose"]
    assert "--sign" in scripts["record"] and "--sign" not in scripts["propose"]
    assert jobs["record"]["steps"][0]["with"]["persist-credentials"] is False


def test_the_gitlab_recipe_has_the_same_steps() -> None:
    flow = recipe("gitlab")
    assert flow["stages"] == [flow["smoke"]["stage"], flow["propose"]["stage"]]
    assert any("--sign" in line for line in flow["smoke"]["script"])
    lines = flow["propose"]["script"]
    assert not any("--sign" in line for line in lines)
    verify = next(n for n, line in enumerate(lines) if line.startswith("ptguard smoke verify"))
    assert verify < next(n for n, line in enumerate(lines) if line.startswith("git push"))


def test_the_gitlab_steps_that_are_shell_alone_run(ci: Ci, env: dict[str, str]) -> None:
    """From the fetch to the signature, in a checkout as GitLab's runner leaves it: no branch, one ref of the remote."""
    flow, team = recipe("gitlab"), ci.team
    work = Repo(ci.root / "builds", env)
    run("git", "init", "-q", work.path, env=env)
    work.git("remote", "add", "origin", str(team.remote))
    sha = team.repo.git("rev-parse", "HEAD")
    work.git("fetch", "-q", "origin", "main")
    work.git("checkout", "-q", sha)
    key = ci.root / "key"
    shutil.copy(team.keys.ssh("runner").private, key)
    variables = {**flow["variables"], "CI_DEFAULT_BRANCH": "main", "CI_JOB_IMAGE": IMAGE, "SMOKE_KEY": str(key)}
    lines = [line for line in flow["smoke"]["script"] if "/opt/ptguard" not in line]
    lines += [line for line in flow["propose"]["script"] if not line.startswith(("python3 -m pip", "git push"))]
    script = "\n".join(lines).replace("--runner local", f"--runner local --python {sys.executable} --framework none")
    script = script.replace("$CI_SERVER_HOST", "gitlab.example.com")
    done = run("bash", "-e", "-c", script, cwd=work.path, env={**env, **variables, "CI_COMMIT_SHA": sha}, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert work.git("log", "-1", "--format=%s") == f"Record the smoke run of {sha}"
    work.git("push", "-q", "origin", "HEAD:refs/heads/main")
    team.repo.git("pull", "-q", "origin", "main")
    team.tag()
    team.guard("v2.9.0").accepted("v2.9.0")
