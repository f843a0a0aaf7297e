"""docker for real: Debian's dockerd on a socket of its own, with the image of tests/containers.py and some lies in it.

The image is handed over once, through a registry, so that docker has its digest, and kept beside podman's for the next
run. Neither the machine's own docker nor its network is seen or touched: no bridge, no rule of a firewall.
"""

import fcntl
import hashlib
import inspect
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.containers import PYTHON_IMAGE, Podman
from tests.loopback import running
from tests.registry import registry
from tests.support import run

LIES = {
    "hang": "cat >/dev/null; trap '' TERM INT; while :; do sleep 1; done",
    "flood": "yes",
    "silent": "cat >/dev/null",
    "made-up": 'cat >/dev/null; echo \'{"schema": "ptguard.probe/1", "nonce": "0"}\'',
    "broken": "cat >/dev/null; echo it broke >&2; exit 1",
    "died": "cat >/dev/null; sh -c 'kill -SEGV $$'; exit $?",
}
"""Interpreters that are none, as ``/lie/NAME`` of the image: a script each, the probe on its standard input."""


@dataclass(frozen=True)
class Docker:
    """A running dockerd: ``env`` leads the client to it; ``image`` is there, by its digest."""

    folder: Path
    env: dict[str, str]
    image: str

    def __call__(self, *args: str | Path, check: bool = True) -> str:
        """Run the client and give its standard output, stripped."""
        return run("docker", *args, env={**os.environ, **self.env}, check=check, timeout=300).stdout.strip()

    def containers(self) -> list[str]:
        """Give the names of all containers, running or not."""
        return self("ps", "--all", "--format", "{{.Names}}").split()

    @property
    def tag(self) -> str:
        """Give the image's name without its digest."""
        return self.image.partition("@")[0]


@contextmanager
def docker(podman: Podman) -> Iterator[Docker]:
    """Run a dockerd that has the image; it and what it runs end with the block. One at a time on this machine.

    Raises:
        RuntimeError: a program is missing, or dockerd did not start.
    """
    made_by = "".join(inspect.getsource(step) for step in (_answering, _hand_over))
    folder = podman.folder / f"docker-{hashlib.sha256(f'{LIES}{made_by}'.encode()).hexdigest()[:12]}"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with _answering(folder) as env:
            if not (folder / "image").exists():
                _hand_over(podman, Docker(folder, env, ""))
            found = Docker(folder, env, (folder / "image").read_text())
            for name in found.containers():  # of a run that was killed
                found("rm", "--force", name)
            yield found


@contextmanager
def _answering(folder: Path) -> Iterator[dict[str, str]]:
    """Run dockerd on what ``folder`` holds, and give the environment that leads there."""
    program = shutil.which("dockerd", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
    if program is None or shutil.which("docker") is None:
        raise RuntimeError("these tests need docker: apt-get install docker.io")
    (folder / "daemon.json").write_text("{}")  # not the machine's own
    with tempfile.TemporaryDirectory(prefix="ptguard-docker-") as here:  # a socket's path is at most 108 bytes long
        socket = Path(here, "socket")
        words = ["--config-file", f"{folder}/daemon.json", "--data-root", f"{folder}/data"]
        words += [
            "--exec-root",
            f"{here}/exec",
            "--pidfile",
            f"{here}/pid",
            "--host",
            f"unix://{socket}",
        ]
        words += ["--bridge", "none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"]
        env = {"DOCKER_HOST": f"unix://{socket}", "DOCKER_CONFIG": f"{here}/client"}

        def ready() -> bool:
            return run("docker", "version", env={**os.environ, **env}, check=False).returncode == 0

        with running(program, *words, log=folder / "log", ready=ready, patience=30):
            yield env


def _hand_over(podman: Podman, engine: Docker) -> None:
    """Put the image with Python and the lies into docker's store, by way of a registry, and write down its name."""
    scripts = engine.folder / "lie"
    scripts.mkdir(exist_ok=True)
    for name, script in LIES.items():
        (scripts / name).write_text(f"#!/bin/sh\n{script}\n")
        (scripts / name).chmod(0o755)
    podman.build(own := "localhost/ptguard/lies:1", engine.folder, f"FROM {PYTHON_IMAGE}\nCOPY lie /lie\n")
    with tempfile.TemporaryDirectory(prefix="ptguard-registry-") as folder, registry(Path(folder)) as found:
        name = f"{found.host}/team/python:3.11"
        podman("push", "--quiet", "--tls-verify=false", "--digestfile", Path(folder, "digest"), own, name)
        engine("pull", "--quiet", name)
        podman("rmi", "--force", own)
        (engine.folder / "image").write_text(f"{name}@{Path(folder, 'digest').read_text().strip()}")
