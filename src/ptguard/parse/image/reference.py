"""Image references after the grammar of the distribution project, normalised as Docker does it.

The grammar is that of https://github.com/distribution/reference (regexp.go, normalize.go). docker-image-py has it
too, but costs about 30 ms to import at every push; the tests hold the two against each other. See
docs/adr/0005-image-references.md.
"""

import functools
import re

from ptguard.model import ImageReference, Problem
from ptguard.text import shown

MAX_LENGTH = 600
"""Longer than any valid reference of use: a name of 255, a tag of 128, a digest of 135, a host, and separators."""

_MAX_PATH = 255
_HUB = "docker.io"
_DIGITS = {"sha256": 64, "sha384": 96, "sha512": 128}

_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_DOMAIN = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REMOTE = rf"({_PART}(?:/{_PART})*)(?::([A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}}))?(?:@([^@]+))?"


def parse_reference(text: str) -> ImageReference | Problem:
    """Give the reference that ``text`` spells, with docker.io and library filled in; reason ``invalid-reference``.

    Also read: ``docker://IMAGE`` (Apptainer), ``docker:IMAGE`` (SkyPilot; only where Docker would not take the text
    for its own image ``docker``) and ``REGISTRY#IMAGE`` (enroot). White space is not trimmed.
    """
    if len(text) > MAX_LENGTH:
        return _invalid(text, f"an image reference of {len(text)} characters", f"at most {MAX_LENGTH} characters")
    read = _docker(_unprefixed(text))
    if isinstance(read, Problem) and text.startswith("docker:") and not text.startswith("docker://"):
        again = _docker(_enroot(text.removeprefix("docker:")))
        return again if isinstance(again, ImageReference) else read
    return read


def _unprefixed(text: str) -> str:
    return _enroot(text.removeprefix("docker://"))


def _enroot(text: str) -> str:
    """Give ``nvcr.io#nvidia/pytorch`` with the slash that Docker writes; other texts unchanged."""
    registry, mark, rest = text.partition("#")
    is_host = registry == "localhost" or "." in registry or ":" in registry
    return f"{registry}/{rest}" if mark and is_host and "/" not in registry else text


def _split_domain(text: str) -> tuple[str, str]:
    """Give registry and remainder as Docker tells them apart (normalize.go, splitDockerDomain)."""
    head, slash, rest = text.partition("/")
    if slash and (head == "localhost" or "." in head or ":" in head or head != head.lower()):
        domain, remainder = head, rest
    else:
        domain, remainder = _HUB, text
    if domain == "index.docker.io":
        domain = _HUB
    if domain == _HUB and "/" not in remainder:
        remainder = f"library/{remainder}"
    return domain, remainder


@functools.cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    return re.compile(_DOMAIN), re.compile(_REMOTE)


def _docker(text: str) -> ImageReference | Problem:
    if not text:
        return _invalid(text, "the image reference is empty", "registry/repository:tag@sha256:digest")
    domain_form, remote_form = _patterns()
    domain, remainder = _split_domain(text)
    remote = remote_form.fullmatch(remainder)
    if remote is None or not domain_form.fullmatch(domain) or re.fullmatch("[0-9a-f]{64}", text):
        return _invalid(text, "no image reference", _hint(text, remainder))
    path, tag, digest = remote.groups()
    if len(path) > _MAX_PATH:
        return _invalid(text, f"a repository name of {len(path)} characters", f"at most {_MAX_PATH} characters")
    if digest is not None and not _is_digest(digest):
        return _invalid(text, f"no digest: {shown(digest, 140)}", "@sha256: and 64 lower-case hex digits")
    return ImageReference(f"{domain}/{path}", tag, digest)


def _is_digest(digest: str) -> bool:
    algorithm, _, value = digest.partition(":")
    return len(value) == _DIGITS.get(algorithm, -1) and re.fullmatch("[0-9a-f]+", value) is not None


def _hint(text: str, remainder: str) -> str:
    if any(c.isspace() for c in text):
        return "registry/repository:tag@sha256:digest without white space"
    if re.fullmatch("[0-9a-f]{64}", text):
        return "a repository name; 64 hex digits are an image id"
    name = remainder.split("@", maxsplit=1)[0].split(":", maxsplit=1)[0]
    if name != name.lower():
        return f"a lower-case repository name, such as {shown(name.lower(), 120)}"
    return "registry/repository:tag@sha256:digest"


def _invalid(text: str, what: str, expected: str) -> Problem:
    return Problem(
        "invalid-reference",
        f"{what}: {shown(text, 160)}" if what.startswith("no image") else what,
        got=shown(text, 200) or "nothing",
        expected=expected,
        fix="write the image as docker pull takes it, such as pytorch/pytorch:2.9.0-cuda12.8-cudnn9-devel@sha256:…",
    )
