"""The declared image against the one of a run, and what its name declares against what the run saw."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, Literal

from ptguard.model import ImageFacts, ImageReference
from ptguard.value import value

SOURCES: Final = ("operator", "registry", "launcher")
"""Where an image's digest comes from, from weak to strong."""

Environment = Mapping[str, str | int | None]


@value
class Mismatch:
    """A fact of the name that the run does not bear out; ``seen`` is None where the run saw nothing of the kind."""

    what: str
    seen: str | None
    declared: str


def difference(ran: ImageReference, declared: ImageReference) -> Literal["wrong-image", "wrong-digest"] | None:
    """Give in what the image of a run is not the declared one: by name, or by digest alone; None where it is.

    One digest is one image, so a side that names no tag is no contradiction where the digests are the same.
    """
    same_digest = declared.digest is not None and declared.digest == ran.digest
    same_tag = ran.tag == declared.tag or (same_digest and None in (ran.tag, declared.tag))
    if ran.repository != declared.repository or not same_tag:
        return "wrong-image"
    return None if declared.digest is None or same_digest else "wrong-digest"


def weak(source: str | None, least: str) -> bool:
    """Tell whether a digest's source is weaker than ``least``, or none that is known."""
    return source not in SOURCES[SOURCES.index(least) :]


def mismatches(facts: ImageFacts, seen: Environment) -> Iterator[Mismatch]:
    """Give every fact that ``facts`` declares and ``seen`` (a record's ``environment``) does not show."""
    for what, declared, key, same in (
        ("torch", facts.torch, "torch", _public),
        ("torch commit", facts.commit, "torchCommit", _commit),
        ("jax", facts.jax, "jax", _public),
        ("tensorflow", facts.tensorflow, "tensorflow", _public),
        ("CUDA", facts.cuda, "cuda", _minor),
        ("ROCm", facts.rocm, "rocm" if seen.get("rocm") else "hip", _minor),
        ("cuDNN", facts.cudnn, "cudnn", _major),
        ("Python", facts.python, "python", _minor),
        ("container release", facts.release, "ngcRelease", str.__eq__),
        ("OS", facts.os, "os", str.__eq__),
    ):
        if declared is not None:
            found = _plain(what, seen.get(key))
            if found is None or not same(declared, found):
                yield Mismatch(what, found, declared)
    if facts.flavour == "devel" and not seen.get("nvcc"):
        yield Mismatch("nvcc", None, "devel flavour")


def cudnn_version(value: int) -> str:
    """Give ``torch.backends.cudnn.version()`` as it is spoken: 91002 is 9.10.2; before major 9, 8902 is 8.9.2.

    See CUDNN_VERSION in cudnn_version.h.
    """
    step = 10_000 if value >= 90_000 else 1000
    return f"{value // step}.{value % step // 100}.{value % 100}"


def _plain(what: str, value: str | int | None) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, int):
        return cudnn_version(value) if what == "cuDNN" else str(value)
    return public(value) if what in ("torch", "jax", "tensorflow") else value


def public(version: str) -> str:
    """Give a version without its local part: ``2.9.0+cu128`` is ``2.9.0``."""
    return version.split("+", 1)[0]


def _public(declared: str, seen: str) -> bool:
    if declared == seen:
        return True
    from packaging.version import InvalidVersion, Version

    try:
        return Version(public(declared)) == Version(seen)
    except InvalidVersion:
        return False


def _leading(count: int) -> Callable[[str, str], bool]:
    """Compare the first ``count`` parts of two dotted versions, as far as the declared one goes."""

    def same(declared: str, seen: str) -> bool:
        wanted = declared.split(".")[:count]
        return seen.split(".")[: len(wanted)] == wanted

    return same


_major, _minor = _leading(1), _leading(2)


def _commit(declared: str, seen: str) -> bool:
    return len(declared) >= 7 and seen.startswith(declared)
