"""A smoke run in a container: the probe on standard input, nothing mounted; the project's check on a copy of HEAD."""

import re
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ptguard.errors import ToolFailedError, UsageError
from ptguard.gateways.container import Container, Engine
from ptguard.gateways.signing import undisturbed
from ptguard.model import ImageReference
from ptguard.smoke.launch import PROBE, Asked
from ptguard.smoke.report import MAX_ANSWER, Report, read_report
from ptguard.smoke.talk import Outcome, Say, converse, ended, last_line, tell
from ptguard.smoke.tree import write_source
from ptguard.text import sh, shown

_PYTHONS: Final = ("python", "python3")
# What an engine ends with when it is not the program that ended (docker run, EXIT STATUS).
_ENGINE, _NOT_RUNNABLE, _NOT_FOUND, _KILLED = 125, 126, 127, 137
_GPU: Final = ("gpu", "nvidia", "cdi", "/dev/kfd", "/dev/dri")
# What a client says of its own, and what docker's adds to that, of help for instance.
_OWN: Final = ("docker: ", "Error: ")
_ADDED: Final = re.compile(r"(?:See|Run) 'docker |time=\"")


class ContainerRunner:
    """Runs in containers of one image, by digest, without a network; each is gone when it is no longer waited for."""

    digest_source = "launcher"
    network = "none"

    def __init__(self, engine: Engine, root: Path, python: str | None, device: str) -> None:
        """``root``: the work tree whose HEAD is tried; ``python``: the image's, None: what its PATH has."""
        self.name: str = engine.name
        self.platform = "unknown"
        self._engine, self._root, self._device = engine, root, device
        self._pythons = (python,) if python else _PYTHONS
        self._image: ImageReference | None = None

    def resolve(self, image: ImageReference | None) -> ImageReference:
        """Give ``image`` with the digest by which it will be run; it is pulled where it is not here.

        Raises:
            UsageError: no image is named, or it has not one digest.
            ToolFailedError: the engine failed.
        """
        if image is None:
            raise UsageError("no image is named, and the policy has no [image]", fix="ptguard smoke --image REF …")
        self._image = self._engine.resolve(image)
        self.platform = self._engine.platform(self._image)
        return self._image

    def probe(self, asked: Asked, say: Say) -> Report:
        """Feed the probe to the image's Python and give its answer.

        Raises:
            UsageError: the image has no Python, or the engine will not hand out a GPU.
            ToolFailedError: it did not end well, said too much, or its answer is none of the probe's.
        """
        for python in self._pythons:
            nonce = secrets.token_hex(16)
            words = asked.words(nonce)
            with self._container(python, words, asked.seconds, None, say) as argv:
                done = self._run(argv, PROBE.read_bytes(), asked.seconds, say, MAX_ANSWER)
            if done.exit != _NOT_FOUND or self._gpu_denied(done):
                break
        if done.exit == _NOT_FOUND and not self._gpu_denied(done):
            tried = " or ".join(shown(python, 80) for python in self._pythons)
            fix = "ptguard smoke --python PATH …   # the interpreter's path inside the image"
            raise UsageError(f"the image has no {tried} on its PATH", fix=fix)
        if done.exit != 0:
            raise self._failed("the probe", done)
        return read_report(done.answer, nonce)

    def command(self, argv: Sequence[str], timeout: float, say: Say) -> Outcome:
        """Run ``argv`` on a read-only copy of HEAD's source tree; what it prints last is said.

        Raises:
            UsageError: the image has no such program.
            ToolFailedError: it was killed or took too long; a status other than 0 is an outcome.
        """
        with tempfile.TemporaryDirectory(prefix="ptguard-", ignore_cleanup_errors=True) as folder:
            source = Path(folder, "source")
            write_source(self._root, source, say)
            with self._container(argv[0], argv[1:], timeout, source, say) as words:
                done = self._run(words, b"", timeout, lambda _: None, None)
        tell(done, say)
        if done.exit == _NOT_FOUND and not self._gpu_denied(done):
            what = argv[0] if _own_words(done.tail) else f"that {argv[0]} needs"
            raise UsageError(
                f"the image has no program {shown(what, 120)}{_why(done.tail)}", fix="ptguard smoke --command WORDS …"
            )
        if done.exit < 0 or done.exit in (_ENGINE, _NOT_RUNNABLE, _NOT_FOUND, _KILLED):
            raise self._failed(shown(sh(*argv), 120), done)
        return done

    @contextmanager
    def _container(
        self, entrypoint: str, argv: Sequence[str], seconds: float, source: Path | None, say: Say
    ) -> Iterator[list[str]]:
        """Give the command line of a container that is done away with when the block ends, however it ends."""
        if self._image is None:
            raise ToolFailedError("no image was resolved before the run")
        name = f"ptguard-{secrets.token_hex(8)}"
        container = Container(self._image, name, entrypoint, tuple(argv), self._device, seconds, source)
        cut_off = True
        try:
            yield self._engine.argv(container)
            cut_off = False
        finally:
            with undisturbed():
                if not self._engine.remove(container, cut_off=cut_off):
                    say(f"the container {name} is still there: {sh(self.name, 'rm', '--force', name)}")

    def _run(self, argv: Sequence[str], stdin: bytes, timeout: float, say: Say, keep: int | None) -> Outcome:
        with tempfile.TemporaryDirectory(prefix="ptguard-", ignore_cleanup_errors=True) as folder:
            return converse(argv, stdin=stdin, cwd=Path(folder), timeout=timeout, say=say, keep=keep)

    def _gpu_denied(self, done: Outcome) -> bool:
        """Tell whether the engine would not hand a GPU out; docker ends like for a program that is not there, too."""
        said = _why(done.tail).lower()
        asked = self._device != "cpu" and done.exit in (_ENGINE, _NOT_RUNNABLE, _NOT_FOUND)
        return asked and 'exec: "' not in said and any(word in said for word in _GPU)

    def _failed(self, what: str, done: Outcome) -> ToolFailedError | UsageError:
        """Say what an exit status of the engine means."""
        said = _why(done.tail)
        if self._gpu_denied(done):
            words = f"{self.name} hands no GPU to a container here{said}"
            return UsageError(words, fix=_gpu_fix(self.name, self._device))
        if "bind source path does not exist" in said and self.name == "docker":
            words = "docker does not see the files of this machine, so HEAD cannot be tried in it"
            return UsageError(f"{words}{said}", fix=_ELSEWHERE)
        if done.exit in (_ENGINE, _NOT_RUNNABLE):
            return ToolFailedError(f"{self.name} did not start the container{said}", fix=f"{self.name} info")
        if done.exit == _KILLED:
            words = f"{what} was killed in its container: out of memory, out of time, or by somebody"
            return ToolFailedError(words, fix="dmesg | tail   # names what was killed for memory")
        # A shell, and the engine, give 128 and the signal's number for what a signal ended.
        how = ended(128 - done.exit if 128 < done.exit < 160 else done.exit)
        return ToolFailedError(f"{what} {how} in its container{last_line(done.tail)}", fix="see what was printed above")


_ELSEWHERE: Final = (
    "TMPDIR=FOLDER ptguard smoke …   # one that the machine of dockerd has by the same path; or run ptguard there"
)


def _gpu_fix(engine: str, device: str) -> str:
    if device == "rocm":
        return "ls -l /dev/kfd /dev/dri   # needs AMD's driver, and a user who may open both"
    return {
        "docker": "docker run --rm --gpus all IMAGE nvidia-smi   # needs NVIDIA's container toolkit",
        "podman": "nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml && nvidia-ctk cdi list   # must name all",
    }[engine]


def _own_words(tail: bytes) -> str:
    """Give what the engine's client said of its own, on one line; empty where the last words are the program's."""
    lines = [line.strip() for line in tail.decode("utf-8", "backslashreplace").splitlines()]
    lines = [line for line in lines if line and not _ADDED.match(line)]
    first = max((number for number, line in enumerate(lines) if line.startswith(_OWN)), default=len(lines))
    return " ".join(lines[first:]).removeprefix("docker: ")


def _why(tail: bytes) -> str:
    """Give what the engine's client said, else the last line of the program, for the end of a sentence."""
    own = _own_words(tail)
    return f": {shown(own, 500)}" if own else last_line(tail)
