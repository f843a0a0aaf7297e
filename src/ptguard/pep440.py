"""Versions as PEP 440 equates and orders them (``packaging.version``), names as PEP 503; every text bounded.

What is no version is None, never an error: the words come from tags, headings and files of strangers.
"""

import functools
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from packaging.version import Version

MAX_LENGTH: Final = 128


@functools.lru_cache(maxsize=4096)
def parse(text: str) -> "Version | None":
    """Give ``text`` as a version, or None where it is none under PEP 440.

    ASCII without white space only: packaging itself also takes line breaks around it, and a long s for an ``s``.
    """
    if len(text) > MAX_LENGTH or not text.isascii() or text.split() != [text]:
        return None
    from packaging.version import InvalidVersion, Version

    try:
        return Version(text)
    except InvalidVersion:
        return None


def same(a: str, b: str) -> bool:
    """Tell whether both are versions and equal: 2.9 and 2.9.0, 2.9.0-rc1 and 2.9.0rc1; a local label counts."""
    left, right = parse(a), parse(b)
    return left is not None and left == right


def base(text: str) -> "Version | None":
    """Give the version that a candidate leads to (2.9.0 for 2.9.0rc1 and 2.9.0.dev3), or None where it is none.

    Only what makes it a candidate is taken off; epoch, post-release and local label stay.
    """
    version = parse(text)
    if version is None or not version.is_prerelease:
        return version
    epoch = f"{version.epoch}!" if version.epoch else ""
    # 2.9.0rc1.post2 is a mended candidate, 2.9.0.post2.dev1 leads to a post-release.
    post = f".post{version.post}" if version.pre is None and version.post is not None else ""
    local = f"+{version.local}" if version.local else ""
    return parse(epoch + ".".join(map(str, version.release)) + post + local)


def oldest_first(texts: Sequence[str]) -> bool:
    """Tell whether a list of versions is written upward, as few changelogs are; what is no version is passed over."""
    versions = [v for v in map(parse, texts) if v is not None]
    steps = [a < b for a, b in pairwise(versions) if a != b]
    return bool(steps) and sum(steps) * 2 > len(steps)


def same_name(a: str, b: str) -> bool:
    """Tell whether two names of a package are one: case, ``-``, ``_``, ``.`` and blanks do not count (PEP 503)."""
    return folded_name(a) == folded_name(b)


def folded_name(name: str) -> str:
    """Give the form of a package's name that equal names share (PEP 503, with blanks)."""
    return re.sub(r"[-_.\s]+", "-", name).strip("-").lower()
