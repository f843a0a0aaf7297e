"""Where a smoke run happens: on this machine as it is, or in a container (:mod:`ptguard.smoke.contained`)."""

import os
import platform
import secrets
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from ptguard.errors import ToolFailedError, UsageError
from ptguard.model import ImageReference
from ptguard.smoke.report import MAX_ANSWER, Report, read_report
from ptguard.smoke.talk import Outcome, Say, converse, ended, last_line, tell
from ptguard.text import sh, shown
from ptguard.value import value

PROBE: Final = Path(__file__).with_name("probe.py")


@value
class Asked:
    """What the probe is to try: the ``framework`` (``auto``: the first there is), how much, in how many seconds."""

    framework: str
    mode: str
    seconds: float

    def words(self, nonce: str) -> tuple[str, ...]:
        """Give the probe's arguments; a report counts only with ``nonce`` in it.

        The probe is given a little less time than there is, so that it can say itself what did not end.
        """
        left = max(self.seconds - max(1.0, self.seconds / 20), 1.0)
        return ("-", nonce, self.framework, self.mode, f"{left:.1f}")


class Runner(Protocol):
    """Where the run happens. ``digest_source``: who tells the digest of the image that it happens in."""

    name: str
    digest_source: str
    network: str
    platform: str

    def resolve(self, image: ImageReference | None) -> ImageReference | None:
        """Give the image of the run with its digest, and make ready to run it; None where there is none."""
        ...

    def probe(self, asked: Asked, say: Say) -> Report:
        """Run the probe and give its answer."""
        ...

    def command(self, argv: Sequence[str], timeout: float, say: Say) -> Outcome:
        """Run the project's own check on the source tree for at most ``timeout`` seconds."""
        ...


class LocalRunner:
    """Runs on this machine as it is. Which image that is can only be told by whoever calls it."""

    name = "local"
    network = "host"

    def __init__(self, root: Path, python: str) -> None:
        """``root`` is the root of the work tree, ``python`` the interpreter that has the framework."""
        self.root = root
        self.python = python
        self.digest_source = "operator"
        machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine() or "unknown")
        self.platform = f"{sys.platform}/{machine}"

    def resolve(self, image: ImageReference | None) -> ImageReference | None:
        """Give ``image``; where it has no digest its registry is asked, which is then the source of the digest.

        Raises:
            PtguardError: the registry did not tell.
        """
        if image is None or image.digest is not None:
            return image
        from ptguard.gateways.registry import resolve
        from ptguard.value import replace

        self.digest_source = "registry"
        return replace(image, digest=resolve(image).digest)

    def probe(self, asked: Asked, say: Say) -> Report:
        """Run the probe in an empty folder, so that nothing of the repository is imported by it.

        Raises:
            ToolFailedError: it did not end well, said too much, or its answer is none of its own.
        """
        nonce = secrets.token_hex(16)
        with tempfile.TemporaryDirectory(prefix="ptguard-", ignore_cleanup_errors=True) as folder:
            argv, code = [self.python, *asked.words(nonce)], PROBE.read_bytes()
            done = converse(
                argv, stdin=code, cwd=Path(folder), timeout=asked.seconds, say=say, keep=MAX_ANSWER,
                extra={"TMPDIR": folder},
            )  # fmt: skip
        if done.exit != 0:
            raise ToolFailedError(f"the probe {ended(done.exit)}{last_line(done.tail)}", fix=_TRY.format(self.python))
        return read_report(done.answer, nonce)

    def command(self, argv: Sequence[str], timeout: float, say: Say) -> Outcome:
        """Run ``argv`` in the root of the work tree; what it prints last is said.

        Raises:
            ToolMissingError: there is no such program.
            ToolFailedError: it was killed or took too long; a status other than 0 is an outcome.
        """
        done = converse(argv, stdin=b"", cwd=self.root, timeout=timeout, say=lambda _: None)
        tell(done, say)
        if done.exit < 0:
            raise ToolFailedError(f"{shown(sh(*argv), 120)} {ended(done.exit)}")
        return done


_TRY: Final = "{} -c 'import torch; print(torch.cuda.is_available())'   # see what this machine says"


def pick(name: str, root: Path, python: str | None, device: str) -> Runner:
    """Give the runner called ``name`` for the work tree ``root``.

    ``auto`` is docker or podman, whichever answers, else ``local``. ``python`` None means the one on PATH (of the
    image, where there is one); ``device`` is the kind that the policy asks for, whose flags a container gets.

    Raises:
        UsageError: there is no such engine or interpreter here.
        ToolFailedError: the engine does not answer.
    """
    from ptguard.gateways import container
    from ptguard.smoke.contained import ContainerRunner

    engine = None
    if name == "auto":
        engine = container.find()  # one that answers
    elif name != "local":
        engine = container.Engine("docker" if name == "docker" else "podman")
        engine.check()
    if engine is not None:
        return ContainerRunner(engine, root, python, device)
    wanted = python or shutil.which("python") or shutil.which("python3") or sys.executable
    found = shutil.which(wanted)
    if found is None:
        raise UsageError(f"{shown(wanted)} is no interpreter that can be run", fix="ptguard smoke --python PATH …")
    # The probe runs in an empty folder, where a path from here means nothing; links stay, a venv's python is one.
    return LocalRunner(root, os.path.abspath(found))  # noqa: PTH100 - resolve() would follow the link
