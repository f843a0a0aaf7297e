"""The whole way for real: torch's CPU build in a container, its signed record, and pushes that it proves or not."""

import json
from pathlib import Path

import pytest

from tests.containers import PYTHON_IMAGE, TORCH_IMAGE, Podman, with_torch
from tests.e2e.team import Team

pytestmark = pytest.mark.e2e
COMMAND = 'command = ["python3", "-c", "import net; assert net.WEIGHTS == [1, 2, 3]"]'


@pytest.fixture
def lab(team: Team, podman: Podman) -> Team:
    """A team whose image is the one with torch, and whose policy takes a run on the CPU."""
    team.env |= podman.env
    team.write_policy(team.policy.replace("[smoke]", f'[smoke]\ndevice = "cpu"\n{COMMAND}'))
    team.repo.write("Dockerfile", f"FROM {with_torch(podman)}\n")
    team.repo.git("rm", "-q", "-r", ".ptguard/smoke")
    team.repo.write(
        "pyproject.toml", '[project]\nname = "net"\nversion = "2.9.0"\n\n[tool.ptguard.expect]\ntorch = "2.13.0"\n'
    )
    team.repo.commit("Run in the lab")
    team.push("main")
    return team


def smoke(team: Team, *args: str) -> dict[str, object]:
    done = team.repo.ptguard("smoke", "--runner", "podman", "--sign", str(team.keys.ssh("runner").private), *args)
    assert done.returncode == 0, done.stderr
    assert "judged as v2.9.0: version, changelog, image" in done.stderr
    (path,) = (team.repo.path / ".ptguard" / "smoke").glob("*.json")
    team.repo.commit("Record")
    team.push("main")
    found: dict[str, object] = json.loads(path.read_text())["predicate"]["configuration"][0]["annotations"]
    return found


def test_a_run_on_the_cpu_proves_a_release_that_asks_for_no_more(lab: Team, podman: Podman) -> None:
    told = smoke(lab, "--quick")
    environment, launcher = told["environment"], told["launcher"]
    assert isinstance(environment, dict) and isinstance(launcher, dict)
    assert (told["deviceKind"], told["mode"], told["framework"]) == ("cpu", "quick", "torch")
    assert environment["torch"] == "2.13.0+cpu"
    assert (launcher["runner"], launcher["digestSource"], launcher["network"]) == ("podman", "launcher", "none")
    lab.arm()
    lab.tag()
    lab.change_policy('device = "cpu"', 'device = "cuda"')
    lab.tag()
    lab.guard("v2.9.0").refused("wrong-device", "no-gpu")
    lab.change_policy('device = "cuda"', 'device = "cpu"')
    spoiled(lab, podman)
    lab.tag()
    lab.guard("v2.9.0").accepted("v2.9.0")


def spoiled(lab: Team, podman: Podman) -> None:
    """Change one thing at a time, see the push refused, and put it back."""
    (record,) = (lab.repo.path / ".ptguard" / "smoke").glob("*.json")
    signature = Path(f"{record}.sig")
    other = podman.pinned(PYTHON_IMAGE)
    for path, old, new, reason in (
        (lab.repo.path / "net.py", "[1, 2, 3]", "[1, 2, 4]", "wrong-tree"),
        (lab.repo.path / "Dockerfile", podman.pinned(TORCH_IMAGE), other, "wrong-image"),
        (lab.repo.path / "pyproject.toml", "2.13.0", "2.12.0", "version-mismatch"),
        (record, "2.13.0+cpu", "2.13.1+cpu", "bad-signature"),
        (record, '"PASSED"', '"PASSED" ', "malformed"),
        (signature, "U1NIU0lH", "U1NIU0lI", "bad-signature"),
    ):
        before = path.read_text()
        assert old in before, path
        path.write_text(before.replace(old, new))
        lab.repo.commit("Spoil it")
        lab.push("main")
        lab.tag()
        lab.guard("v2.9.0").refused(reason)
        path.write_text(before)
        lab.repo.commit("Put it back")
        lab.push("main")


def test_a_tree_that_could_not_be_released_is_not_run(lab: Team) -> None:
    lab.repo.write("CHANGELOG.md", "# Changelog\n")
    lab.repo.commit("Forget the changelog")
    sign = ("--sign", str(lab.keys.ssh("runner").private))
    done = lab.repo.ptguard("smoke", "--runner", "podman", *sign)
    assert done.returncode == 2, done.stdout
    assert "a release v2.9.0 of this tree would be refused whatever the run says: changelog: " in done.stderr
    assert "probe:" not in done.stderr
    assert not (lab.repo.path / ".ptguard" / "smoke").exists()


def test_a_failing_check_of_the_project_is_recorded_as_that(lab: Team) -> None:
    lab.repo.write("net.py", "WEIGHTS = [9]\n")
    lab.repo.commit("Break it")
    done = lab.repo.ptguard(
        "smoke", "--runner", "podman", "--quick", "--framework", "none", "--sign", str(lab.keys.ssh("runner").private)
    )
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("FAILED: wrote .ptguard/smoke/")
    lab.repo.commit("Record")
    lab.push("main")
    lab.arm()
    lab.tag()
    lab.guard("v2.9.0").refused("failed")
