"""The whole way through a real dockerd: the signed record, pushes that it proves or not, runs that leave nothing."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.dockerd import Docker
from tests.e2e.team import Team
from tests.loopback import until

pytestmark = pytest.mark.e2e
COMMAND = 'command = ["python3", "-c", "import net; assert net.WEIGHTS == [1, 2, 3]"]'


@pytest.fixture
def lab(team: Team, docker: Docker) -> Team:
    """A team whose image is docker's, and whose policy takes a run on the CPU."""
    team.env |= docker.env
    team.write_policy(team.policy.replace("[smoke]", f'[smoke]\ndevice = "cpu"\n{COMMAND}'))
    team.repo.write("Dockerfile", f"FROM {docker.image}\n")
    team.repo.git("rm", "-q", "-r", ".ptguard/smoke")
    team.repo.commit("Run in the lab")
    team.push("main")
    return team


def words(lab: Team, *args: str) -> tuple[str, ...]:
    key = str(lab.keys.ssh("runner").private)
    return ("smoke", "--runner", "docker", "--framework", "none", "--sign", key, *args)


def recorded(lab: Team) -> list[Path]:
    return sorted((lab.repo.path / ".ptguard" / "smoke").glob("*"))


def test_a_run_through_docker_proves_a_release_that_asks_for_no_more(lab: Team, docker: Docker) -> None:
    done = lab.repo.ptguard(*words(lab))
    assert done.returncode == 0, done.stderr
    assert f"probe: full, docker, in {docker.image}" in done.stderr
    record, _ = recorded(lab)
    annotations = json.loads(record.read_text())["predicate"]["configuration"][0]["annotations"]
    assert annotations["launcher"] == {
        "runner": "docker", "digestSource": "launcher", "platform": "linux/amd64", "network": "none",
    }  # fmt: skip
    assert (annotations["deviceKind"], annotations["command"]["exit"]) == ("cpu", 0)
    lab.repo.commit("Record")
    lab.push("main")
    lab.arm()
    lab.change_policy('device = "cpu"', 'device = "cuda"')
    lab.tag()
    lab.guard("v2.9.0").refused("wrong-device", "no-gpu")
    lab.change_policy('device = "cuda"', 'device = "cpu"')
    lab.tag()
    lab.guard("v2.9.0").accepted("v2.9.0")


def test_a_failing_check_of_the_project_is_recorded_as_that(lab: Team) -> None:
    lab.repo.write("net.py", "WEIGHTS = [9]\n")
    lab.repo.commit("Break it")
    done = lab.repo.ptguard(*words(lab))
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("FAILED: wrote .ptguard/smoke/")
    assert "AssertionError" in done.stderr


def test_what_came_to_no_end_is_not_recorded(lab: Team, docker: Docker) -> None:
    for args, code, said in (
        (("--python", "/lie/hang", "--timeout", "2"), 3, "did not end in time"),
        (("--python", "/lie/made-up"), 3, "something else"),
        (("--python", "/no/python"), 2, "the image has no /no/python"),
    ):
        done = lab.repo.ptguard(*words(lab, *args))
        assert (done.returncode, done.stdout) == (code, ""), done.stderr
        assert said in done.stderr
        assert recorded(lab) == [] and docker.containers() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_leaves_neither_container_nor_record(lab: Team, docker: Docker, number: signal.Signals) -> None:
    argv = (sys.executable, "-I", "-m", "ptguard", *words(lab, "--python", "/lie/hang"))
    process = subprocess.Popen(argv, cwd=lab.repo.path, env=lab.env, stderr=subprocess.PIPE)
    try:
        until(lambda: bool(docker.containers()) or process.poll() is not None, "there is a container", 60)
        process.send_signal(number)
        said = process.communicate(timeout=60)[1].decode()
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, said
    assert docker.containers() == [] and recorded(lab) == []
