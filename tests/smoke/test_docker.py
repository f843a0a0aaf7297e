"""Runs through a real dockerd: who is refused and why, and that nothing is ever left behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from ptguard.errors import PtguardError, ToolFailedError, UsageError
from ptguard.gateways.container import SOURCE, Container, Engine
from ptguard.smoke.contained import ContainerRunner
from ptguard.smoke.launch import Asked
from ptguard.value import replace
from tests.dockerd import Docker
from tests.loopback import until
from tests.runs import ASKED, reference, silent
from tests.support import Repo, run


def runner(docker: Docker, root: Path, python: str | None = None, device: str = "cpu") -> ContainerRunner:
    made = ContainerRunner(Engine("docker"), root, python, device)
    made.resolve(reference(docker.image))
    return made


# --------------------------------------------------------------------------------------------- the probe


def test_the_real_probe_in_a_real_container(docker: Docker, tmp_path: Path) -> None:
    assert Engine("docker").check()[0].isdigit()
    made = runner(docker, tmp_path)
    report = made.probe(ASKED, silent)
    assert (report.mode, report.device, report.facts["os"]) == ("facts", "cpu", "debian 12")
    assert (made.name, made.digest_source, made.network, made.platform) == ("docker", "launcher", "none", "linux/amd64")


def test_an_image_that_lies_floods_or_dies_gives_no_report(docker: Docker, tmp_path: Path) -> None:
    for lie, words in {
        "made-up": "something else",
        "silent": "without an answer",
        "flood": "answered more than",
        "broken": "ended with status 1 in its container: it broke",
        "died": "was killed by SIGSEGV in its container",
    }.items():
        with pytest.raises(ToolFailedError, match=words):
            runner(docker, tmp_path, f"/lie/{lie}").probe(ASKED, silent)
        assert docker.containers() == [], lie


def test_an_image_that_hangs_is_stopped(docker: Docker, tmp_path: Path) -> None:
    with pytest.raises(ToolFailedError, match="did not end in time"):
        runner(docker, tmp_path, "/lie/hang").probe(Asked("none", "full", 2), silent)
    assert docker.containers() == []


def test_what_docker_cannot_start_is_told_apart(docker: Docker, tmp_path: Path) -> None:
    """An interpreter that is not there, one that is a folder, a GPU of either kind: docker says the first of both."""
    for python, device, kind, words in (
        ("/no/python", "cpu", UsageError, "the image has no /no/python"),
        ("/lie", "cpu", ToolFailedError, "docker did not start the container: .*permission denied"),
        (None, "cuda", UsageError, "docker hands no GPU to a container here: .*could not select device driver"),
        (None, "rocm", UsageError, "docker hands no GPU to a container here: .*/dev/(kfd|dri)"),
    ):
        with pytest.raises(kind, match=words) as caught:
            runner(docker, tmp_path, python, device).probe(ASKED, silent)
        assert caught.value.fix
    assert docker.containers() == []


ADVICE = "\n\nRun 'docker run --help' for more information\n"
FAILED = "docker: Error response from daemon: OCI runtime create failed: runc create failed: "
TOLD = {
    "no driver": (
        125,
        (
            f"{FAILED}error running prestart hook #0: exit status 1, stdout: , stderr: Auto-detected mode as 'legacy'\n"
            f"nvidia-container-cli: initialization error: nvml error: driver not loaded{ADVICE}"
        ),
        "docker hands no GPU to a container here: .*as 'legacy' nvidia-container-cli: .*driver not loaded$",
    ),
    "no library": (
        127,
        (
            f"{FAILED}error running hook: exit status 1, stderr:\nnvidia-container-cli: load library failed: "
            "libnvidia-ml.so.1: cannot open shared object file: no such file or directory: unknown.\n"
        ),
        "docker hands no GPU to a container here: .*libnvidia-ml.so.1",
    ),
    "no such path": (
        127,
        f'{FAILED}exec: "/opt/nvidia/python": stat /opt/nvidia/python: no such file or directory: unknown{ADVICE}',
        "the image has no /opt/nvidia/python on its PATH$",
    ),
    "no room": (
        125,
        (
            "docker: Error response from daemon: no space left on device.\nSee 'docker run --help'.\n"
            'time="2026-11-28T02:33:28Z" level=error msg="error waiting for container: context canceled"\n'
        ),
        "docker did not start the container: Error response from daemon: no space left on device.$",
    ),
}


@pytest.mark.parametrize("case", TOLD)
def test_docker_s_own_words_are_told_without_its_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """What docker says where there are GPUs, written down from elsewhere: a stand-in says it here."""
    code, said, words = TOLD[case]
    (tmp_path / "said").write_text(said)
    (tmp_path / "docker").write_text(
        f"#!/bin/sh\n[ $1 = run ] || exit 0\ncat >/dev/null; cat '{tmp_path}/said' >&2; exit {code}\n"
    )
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    made = ContainerRunner(Engine("docker"), tmp_path, "/opt/nvidia/python", "cuda")
    image = reference(f"team/x:1@sha256:{'1' * 64}")
    monkeypatch.setattr(made, "_image", image)
    with pytest.raises(PtguardError, match=words) as caught:
        made.probe(ASKED, silent)
    assert caught.value.fix


# --------------------------------------------------------------------------------------------- nothing left behind


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_no_container(docker: Docker, tmp_path: Path, number: signal.Signals) -> None:
    script = (
        "import signal, sys; from pathlib import Path; from tests.smoke import test_docker as here\n"
        "signal.signal(signal.SIGTERM, signal.default_int_handler)\n"
        f"docker = here.Docker(Path(), {{}}, {docker.image!r})\n"
        f"here.runner(docker, Path({str(tmp_path)!r}), '/lie/hang').probe(here.ASKED, print)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stderr=subprocess.DEVNULL, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    try:
        until(lambda: bool(docker.containers()) or process.poll() is not None, "there is a container", 60)
        process.send_signal(number)
        assert process.wait(60) != 0
    finally:
        process.kill()
        process.wait()
    assert docker.containers() == []


def ask(docker: Docker, method: str, path: str, body: object) -> None:
    """Send one request to dockerd and go away, as a client does that is killed before it is answered."""
    data = json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: {len(data)}"
    with socket.socket(socket.AF_UNIX) as to:
        to.connect(docker.env["DOCKER_HOST"].removeprefix("unix://"))
        to.sendall(f"{head}\r\n\r\n".encode() + data)


def happened(docker: Docker, name: str, what: str) -> bool:
    """Tell whether dockerd noted an event of a container."""
    filters = ("--filter", f"container={name}", "--filter", f"event={what}")
    return bool(docker("events", "--since", "10m", "--until", f"{time.time():.9f}", *filters))


def test_a_container_that_docker_was_still_making_is_not_left_either(docker: Docker) -> None:
    """dockerd makes it to the end although nobody waits for it any more (docker run was killed at its first step)."""
    engine, image = Engine("docker"), reference(docker.image)
    for number in range(8):
        name = f"ptguard-late-{number}"
        ask(docker, "POST", f"/containers/create?name={name}", {"Image": docker.image, "Cmd": ["true"]})
        assert engine.remove(Container(image, name, "python3", (), "cpu", 60), cut_off=True)
        until(partial(happened, docker, name, "destroy"), f"{name} is gone")
        assert docker.containers() == [], name


def test_a_container_that_somebody_kills_gives_no_report(docker: Docker, tmp_path: Path) -> None:
    killer = (
        "import subprocess, time\n"
        "def names(): return subprocess.check_output(['docker', 'ps', '--quiet']).split()\n"
        "while not names(): time.sleep(0.05)\n"
        "subprocess.check_call(['docker', 'kill', names()[0]])"
    )
    process = subprocess.Popen([sys.executable, "-c", killer], stdout=subprocess.DEVNULL)
    try:
        with pytest.raises(ToolFailedError, match="killed in its container"):
            runner(docker, tmp_path, "/lie/hang").probe(ASKED, silent)
    finally:
        assert process.wait(60) == 0
    assert docker.containers() == []


# --------------------------------------------------------------------------------------------- which image


def test_an_image_is_known_by_its_digest_or_not_at_all(docker: Docker) -> None:
    engine, image = Engine("docker"), reference(docker.image)
    assert engine.resolve(image) == image
    assert engine.resolve(replace(image, digest=None)) == image
    for wrong in (replace(image, digest="sha256:" + "1" * 64), replace(image, tag="none", digest=None)):
        with pytest.raises(UsageError, match="here, and it could not be pulled") as caught:
            engine.resolve(wrong)
        assert "docker pull" in str(caught.value.fix)
    docker("tag", docker.image, "team/own:1")
    with pytest.raises(UsageError, match="no digest of a registry: it was made here and never pushed"):
        engine.resolve(reference("team/own:1"))
    docker("rmi", "team/own:1")


def test_a_name_is_only_its_own(docker: Docker) -> None:
    docker("create", "--name", "ptguard-name", "--network", "none", docker.image, "true")
    assert [Engine("docker").stands(name) for name in ("ptguard-name", "ptguard", "name")] == [True, False, False]
    docker("rm", "ptguard-name")


def test_without_its_daemon_docker_is_no_engine(docker: Docker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    with pytest.raises(ToolFailedError, match=r"docker is installed but does not answer: .*nowhere") as caught:
        Engine("docker").check()
    assert "systemctl start docker" in str(caught.value.fix)
    with pytest.raises(ToolFailedError, match="docker cannot say what"):
        Engine("docker").resolve(reference(docker.image))


# --------------------------------------------------------------------------------------------- the project's check


@pytest.fixture
def project(repo: Repo) -> Repo:
    repo.write("model.py", "print('whole')\n")
    repo.commit()
    repo.write("model.py", "print('changed, not committed')\n")
    return repo


def test_the_command_sees_head_and_cannot_change_it(docker: Docker, project: Repo) -> None:
    said: list[str] = []
    made = runner(docker, project.path)
    words = ("sh", "-c", "touch /tmp/x && touch here 2>&1; python3 model.py; pwd; exit 5")
    assert made.command(words, 60, said.append).exit == 5
    assert "Read-only file system" in said[0]
    assert said[1:] == ["  whole", f"  {SOURCE}"]
    with pytest.raises(UsageError, match="the image has no program no-such"):
        made.command(("no-such",), 60, silent)
    with pytest.raises(UsageError, match="no program that sh needs: sh: 1: no-such: not found"):
        made.command(("sh", "-c", "no-such"), 60, silent)
    with pytest.raises(UsageError, match=r"hands no GPU.*/dev/(kfd|dri)") as caught:
        runner(docker, project.path, None, "rocm").command(("true",), 60, silent)
    assert "ls -l /dev/kfd" in str(caught.value.fix)
    with pytest.raises(ToolFailedError, match="killed in its container"):
        made.command(("sh", "-c", "sh -c 'kill -9 $$'; exit $?"), 60, silent)
    assert docker.containers() == []


def test_a_docker_that_sees_other_files_does_not_try_an_empty_folder(
    docker: Docker, project: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a docker elsewhere (DOCKER_HOST, docker in docker): --volume would make the folder there, and all passes."""
    from ptguard.smoke import contained

    def nothing(root: Path, folder: Path, say: Callable[[str], None]) -> None:
        del root, folder, say

    monkeypatch.setattr(contained, "write_source", nothing)
    with pytest.raises(PtguardError, match="docker does not see") as caught:
        runner(docker, project.path).command(("true",), 60, silent)
    assert "TMPDIR=" in str(caught.value.fix)
    assert docker.containers() == []


# --------------------------------------------------------------------------------------------- from end to end


def test_the_daemon_is_the_tests_own(docker: Docker) -> None:
    assert docker.env["DOCKER_HOST"] == os.environ["DOCKER_HOST"]
    assert run("docker", "info", "--format", "{{.DockerRootDir}}").stdout.strip() == str(docker.folder / "data")
