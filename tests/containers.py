"""Real containers for the tests: podman with a store of its own, an image with Python, one with torch's CPU build.

The images are made once from Debian's packages and PyPI (about two minutes), and kept in the folder ``.cache`` of the
repository for the next run. Nothing of the machine's own containers is seen or touched.
"""

import fcntl
import hashlib
import inspect
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support import run

CACHE = Path(__file__).parents[1] / ".cache" / "containers"
TORCH = ("torch==2.13.0", "numpy")
CONF = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
netns = "none"
[engine]
runtime = "runc"
lock_type = "file"
tmp_dir = "{folder}/libpod"
"""

PYTHON_IMAGE, TORCH_IMAGE = "localhost/ptguard/python:3.11", "localhost/ptguard/torch:2.13.0"


@dataclass(frozen=True)
class Podman:
    """podman as the tests know it: ``env`` leads to it, and to no other engine."""

    folder: Path
    env: dict[str, str]

    def __call__(self, *args: str | Path, stdin: bytes = b"", check: bool = True) -> str:
        """Run podman and give its standard output, stripped."""
        env = {**os.environ, **self.env}
        return run(self.folder / "bin" / "podman", *args, env=env, stdin=stdin, check=check, timeout=900).stdout.strip()

    def digest(self, image: str) -> str:
        """Give the digest of an image that is here."""
        return self("image", "inspect", image, "--format", "{{.Digest}}")

    def pinned(self, image: str) -> str:
        """Give the reference of an image that is here, with its digest."""
        return f"{image}@{self.digest(image)}"

    def containers(self) -> list[str]:
        """Give the names of all containers, running or not."""
        return self("ps", "--all", "--format", "{{.Names}}").split()

    def build(self, name: str, folder: Path, containerfile: str) -> str:
        """Build an image from ``folder`` without running anything in it, and give its pinned reference."""
        (folder / "Containerfile").write_text(containerfile)
        self("build", "--quiet", "--tag", name, "--file", folder / "Containerfile", folder)
        return self.pinned(name)

    def trust(self, registry: str) -> None:
        """Let podman talk http to ``registry``, which is on this machine."""
        (self.folder / "registries.conf").write_text(f'[[registry]]\nlocation = "{registry}"\ninsecure = true\n')


def podman() -> Podman:
    """Give podman with the image that has Python.

    Raises:
        RuntimeError: a program is missing.
    """
    _need("podman", "runc", "debootstrap")
    made_by = "".join(inspect.getsource(step) for step in (_run_folder, _write, _make_python, _make_torch))
    recipe = hashlib.sha256(f"{TORCH}{CONF}{made_by}".encode()).hexdigest()[:12]
    folder = CACHE / recipe
    found = Podman(folder, _environment(folder))
    with _locked(folder):
        if not (folder / "python-is-there").exists():
            _write(folder)
            _make_python(found)
            (folder / "python-is-there").touch()
    return found


def with_torch(engine: Podman) -> str:
    """Give the pinned reference of the image with torch's CPU build in it, made on first use."""
    with _locked(engine.folder):
        if not (engine.folder / "torch-is-there").exists():
            _make_torch(engine)
            (engine.folder / "torch-is-there").touch()
    return engine.pinned(TORCH_IMAGE)


def _environment(folder: Path) -> dict[str, str]:
    return {
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "CONTAINERS_CONF": str(folder / "containers.conf"),
        "CONTAINERS_REGISTRIES_CONF": str(folder / "registries.conf"),
    }


def _run_folder(folder: Path) -> Path:
    """Give a folder for what runs now: podman takes none of more than 50 characters."""
    return Path(tempfile.gettempdir(), f"ptguard-podman-{hashlib.sha256(bytes(folder)).hexdigest()[:12]}")


def _write(folder: Path) -> None:
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    (folder / "containers.conf").write_text(CONF.format(folder=folder))
    (folder / "registries.conf").write_text("")
    # By CONTAINERS_STORAGE_CONF every run would take 20 s: podman then waits for its own clean-up in vain (4.3).
    where = f'--root "{folder}/store" --runroot "{_run_folder(folder)}"'
    for name, script in {
        "podman": f'exec {shutil.which("podman")} {where} "$@"',
        # docker's client may be here without its daemon: for the tests there is none, whatever the machine has.
        "docker": 'echo "Cannot connect to the Docker daemon" >&2; exit 1',
    }.items():
        (folder / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / "bin" / name).chmod(0o755)


def _make_python(engine: Podman) -> None:
    root = engine.folder / "root"
    shutil.rmtree(root, ignore_errors=True)
    run("debootstrap", "--variant=minbase", "--include=python3", "bookworm", root, env=os.environ, timeout=900)
    for heavy in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale", "usr/share/man"):
        shutil.rmtree(root / heavy, ignore_errors=True)
    packed = engine.folder / "root.tar"
    run("tar", "-C", root, "-cf", packed, ".", env=os.environ, timeout=900)
    engine("import", "--quiet", packed, PYTHON_IMAGE)
    packed.unlink()
    shutil.rmtree(root, ignore_errors=True)


def _make_torch(engine: Podman) -> None:
    """Put torch on top of the image with Python, which is of the same minor version as the one that runs the tests."""
    folder = engine.folder / "torch"
    shutil.rmtree(folder, ignore_errors=True)
    wanted = ("--python-version", "3.11", "--only-binary=:all:", "--no-compile", "--target", str(folder / "torch"))
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    run(*pip, *wanted, *TORCH, env=os.environ, timeout=900)
    engine.build(TORCH_IMAGE, folder, f"FROM {PYTHON_IMAGE}\nCOPY torch /opt/torch\nENV PYTHONPATH=/opt/torch\n")
    shutil.rmtree(folder, ignore_errors=True)


def _need(*programs: str) -> None:
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        raise RuntimeError(f"these tests need {', '.join(missing)}: apt-get install {' '.join(missing)}")


@contextmanager
def alone(engine: Podman) -> Iterator[None]:
    """Hold the engine for one test: what others run in it must be neither counted nor killed."""
    with _locked(engine.folder, "in-use"):
        yield


@contextmanager
def _locked(folder: Path, name: str = "lock") -> Iterator[None]:
    """Hold the lock of the cache: several workers ask at once, one of them makes."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
