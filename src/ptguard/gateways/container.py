"""Container engines, docker and podman: which is there, which digest an image has, how one is run and done away with.

Everything is asked of the engine's own command line, in the caller's environment (DOCKER_HOST, CONTAINERS_CONF and
their kin say which engine is meant). An image is run by digest and nothing else, so what was resolved is what runs.
"""

import json
import os
import re
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal

from ptguard.errors import PtguardError, ToolFailedError, UsageError
from ptguard.gateways.process import Completed, run
from ptguard.model import ImageReference
from ptguard.text import sh, shown
from ptguard.value import replace, value

EngineName = Literal["docker", "podman"]
ENGINES: Final[tuple[EngineName, ...]] = ("docker", "podman")
SOURCE: Final = "/ptguard/source"
"""Where the source tree is mounted, read-only, for the project's own check."""
_SEEN: Final = "/ptguard/seen"

_ASK: Final = 20.0
_PULL: Final = 3600.0
_REMOVE: Final = 60.0
_PAUSE, _FAULTS = 0.25, 5
_GRACE: Final = 30
_LIMIT: Final = 1 << 22
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
# What a process in the image may need and docker's 64 MB would not hold: data loaders and NCCL talk through it.
_SHARED_MEMORY: Final = "1g"


@value
class Container:
    """What is to run: ``argv`` behind the ``entrypoint`` of ``image`` (by digest), under a name that is ours alone.

    ``source`` is a folder to be mounted read-only at :data:`SOURCE`, or None for no mount at all. ``device`` is
    ``cuda``, ``rocm`` or ``cpu``; ``seconds`` the most that it may live.
    """

    image: ImageReference
    name: str
    entrypoint: str
    argv: tuple[str, ...]
    device: str
    seconds: float
    source: Path | None = None


class Engine:
    """One engine on this host."""

    def __init__(self, name: EngineName) -> None:
        """Take docker or podman as PATH has it; nothing is asked yet."""
        self.name = name

    def check(self) -> str:
        """Give the engine's version.

        Raises:
            UsageError: it is not installed, or is podman called docker, which leaves GPUs out without a word.
            ToolFailedError: it does not answer, as docker without its daemon.
        """
        if shutil.which(self.name) is None:
            fix = f"apt-get install {_PACKAGE[self.name]}   # or, inside the image: ptguard smoke --runner local"
            raise UsageError(f"{self.name} is not installed", fix=fix)
        if self.name == "docker" and self._ask("--version").stdout.lower().startswith(b"podman"):
            raise UsageError("docker is podman here (podman-docker)", fix="ptguard smoke --runner podman")
        done = self._ask(
            "version", "--format", "{{.Server.Version}}" if self.name == "docker" else "{{.Client.Version}}"
        )
        if done.returncode != 0:
            raise ToolFailedError(f"{self.name} is installed but does not answer: {_said(done)}", fix=_START[self.name])
        return shown(done.stdout.decode("utf-8", "replace").strip(), 40)

    def platform(self, image: ImageReference) -> str:
        """Give the platform of ``image``, by digest and here, such as ``linux/amd64``."""
        found = self._inspected(f"{image.repository}@{image.digest}") or {}
        parts = (str(found.get(key) or "unknown") for key in ("Os", "Architecture"))
        return shown("/".join(parts), 60)

    def resolve(self, image: ImageReference) -> ImageReference:
        """Give ``image`` with the digest under which it is here, pulled first where it is not.

        With a digest it stays that one. Without, its tag has to lead to one digest: podman knows an image by several
        (that of the index and that of the platform's manifest), and it is not ours to choose.

        Raises:
            UsageError: there is no such image, it has no digest of a registry, or several.
            ToolFailedError: the engine failed.
        """
        wanted = f"{image.repository}@{image.digest}" if image.digest else str(image)
        found = self._inspected(wanted) or self._pulled(image, wanted)
        digests = _digests(found.get("RepoDigests"), image.repository)
        if image.digest is not None:
            if image.digest not in digests:
                raise UsageError(
                    f"{self.name} knows {shown(wanted)} by {_list(digests)} only", fix=sh(self.name, "pull", wanted)
                )
            return image
        if len(digests) == 1:
            return replace(image, digest=digests[0])
        if not digests:
            raise UsageError(
                f"{shown(str(image))} has no digest of a registry: it was made here and never pushed",
                fix=sh(self.name, "push", str(image)) + "   # then name it by the digest that this prints",
            )
        raise UsageError(
            f"{self.name} knows {shown(str(image))} by several digests: {_list(digests)}",
            fix=sh("ptguard", "smoke", "--image", f"{image}@{digests[0]}")
            + "   # the one that the repository declares",
        )

    def argv(self, container: Container) -> list[str]:
        """Give the command line that runs ``container`` and ends with its exit status."""
        words = [self.name, "run", "--rm", "--interactive", "--name", container.name, "--network", "none"]
        words += ["--pull", "never", "--cap-drop", "all", "--security-opt", "no-new-privileges"]
        words += ["--shm-size", _SHARED_MEMORY, *self._device(container.device)]
        if self.name == "podman":
            # The first holds also where we are no longer there; the second keeps the caller's proxies out.
            words += ["--timeout", str(int(container.seconds) + _GRACE), "--http-proxy=false"]
        if container.source is not None:
            words += ["--volume", f"{container.source}:{SOURCE}:ro,Z", "--workdir", SOURCE]
            if self.name == "docker":
                # --volume makes an empty folder where dockerd runs elsewhere and does not see this one, and any command
                # might pass in it; --mount refuses to, but knows no SELinux label (Z): so docker is asked for both.
                words += ["--mount", f"type=bind,source={container.source},target={_SEEN},readonly"]
            words += ["--env", "PYTHONDONTWRITEBYTECODE=1"]
        image = f"{container.image.repository}@{container.image.digest}"
        return [*words, "--entrypoint", container.entrypoint, image, *container.argv]

    def remove(self, container: Container, *, cut_off: bool) -> bool:
        """Do away with ``container``, running or not, and tell whether it is gone; it is no error that there is none.

        The engine may be at it already (``--rm``) and refuse a second hand, so it is looked whether it is gone.
        ``cut_off``: its client was ended before its time, so docker may still be making what nobody waits for.
        """
        force = ("--force", "--time", "0", "--ignore") if self.name == "podman" else ("--force",)
        deadline, faults = time.monotonic() + _REMOVE, 0
        while time.monotonic() < deadline and faults < _FAULTS:
            try:
                self._ask("rm", *force, container.name, timeout=_REMOVE)
                if not self.stands(container.name) and not (cut_off and self._being_made(container)):
                    return True
            except PtguardError:
                faults += 1
            time.sleep(_PAUSE)
        return False

    def _being_made(self, container: Container) -> bool:
        """Tell whether docker is still making ``container``: its name is taken then, although none is listed.

        Where it is not, the name is ours now, and a request that comes late is refused until this one is gone again.
        """
        if self.name == "podman":  # what makes a container there has been ended with its client
            return False
        image = f"{container.image.repository}@{container.image.digest}"
        words = ("--name", container.name, "--network", "none", "--pull", "never", "--entrypoint", "/", image)
        taken = self._ask("create", *words, timeout=_REMOVE)
        if taken.returncode == 0:
            self._ask("rm", "--force", container.name, timeout=_REMOVE)
        return b"already in use" in taken.stderr

    def stands(self, name: str) -> bool:
        """Tell whether there is a container called ``name``, running or not.

        Raises:
            ToolFailedError: the engine did not say.
        """
        done = self._ask("ps", "--all", "--quiet", "--filter", f"name=^{name}$")
        if done.returncode != 0:
            raise ToolFailedError(f"{self.name} does not say what runs: {_said(done)}", fix=_START[self.name])
        return bool(done.stdout.strip())

    def _device(self, kind: str) -> Sequence[str]:
        """Give the flags that hand the GPUs in (docker run --gpus; podman by the Container Device Interface)."""
        if kind == "cuda":
            return ("--gpus", "all") if self.name == "docker" else ("--device", "nvidia.com/gpu=all")
        return ("--device", "/dev/kfd", "--device", "/dev/dri") if kind == "rocm" else ()

    def _inspected(self, name: str) -> dict[str, Any] | None:
        """Give what the engine says of an image that is here, or None."""
        done = (
            self._ask("image", "inspect", "--", name) if self.name == "docker" else self._ask("image", "inspect", name)
        )
        if done.returncode != 0:
            if re.search(rb"(?i)no such image|not known|does not resolve|unable to find", done.stderr):
                return None
            raise ToolFailedError(f"{self.name} cannot say what {shown(name)} is: {_said(done)}", fix=_START[self.name])
        try:
            (found,) = json.loads(done.stdout)
        except (ValueError, TypeError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise ToolFailedError(f"{self.name} image inspect gave no image")
        return found

    def _pulled(self, image: ImageReference, wanted: str) -> dict[str, Any]:
        done = self._ask("pull", "--quiet", wanted, timeout=_PULL)
        found = self._inspected(wanted) if done.returncode == 0 else None
        if found is None:
            raise UsageError(
                f"there is no image {shown(wanted)} here, and it could not be pulled: {_said(done)}",
                fix=sh(self.name, "pull", wanted)
                + f"   # or: {sh(self.name, 'login', image.repository.split('/')[0])}",
            )
        return found

    def _ask(self, *words: str, timeout: float = _ASK) -> Completed:
        return run([self.name, *words], env=dict(os.environ), timeout=timeout, limit=_LIMIT)


_PACKAGE: Final = {"docker": "docker.io", "podman": "podman"}
_START: Final = {
    "docker": "systemctl start docker   # or: ptguard smoke --runner podman",
    "podman": "podman info   # until it answers without an error",
}


def find() -> Engine | None:
    """Give the first engine that is here and answers, docker before podman; None where there is none."""
    for name in ENGINES:
        engine = Engine(name)
        with suppress(PtguardError):
            engine.check()
            return engine
    return None


def _digests(listed: object, repository: str) -> list[str]:
    """Give the digests of ``repository`` in an engine's list of ``name@sha256:…``; docker leaves docker.io/ out."""
    short = repository.removeprefix("docker.io/").removeprefix("library/")
    names = {repository, short, repository.removeprefix("docker.io/"), f"library/{short}"}
    rows = (row.partition("@") for row in listed if isinstance(row, str)) if isinstance(listed, list) else ()
    return sorted({digest for name, _, digest in rows if name in names and _DIGEST.fullmatch(digest)})


def _list(digests: Sequence[str]) -> str:
    return ", ".join(digests[:4]) or "no digest"


def _said(done: Completed) -> str:
    lines = [x for x in done.stderr.decode("utf-8", "backslashreplace").splitlines() if x.strip()]
    return shown(lines[-1].strip(), 300) if lines else f"it ended with status {done.returncode}"
