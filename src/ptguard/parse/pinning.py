"""A declaring file with the digest written in, and all else byte for byte as it stands.

No edit is believed: the new bytes are read again, and must declare just the image that was asked for.
"""

import re
from collections.abc import Iterator
from typing import Final

from ptguard.model import ImageReference, Problem
from ptguard.parse.declared import images_in, split_source
from ptguard.parse.image import parse_reference
from ptguard.text import shown

_MAX_EDITS: Final = 64
_DIGEST: Final = re.compile(rb"@sha256:[0-9a-f]{64}")
# Behind a word that may end a reference: a name, a tag, or a variable.
_ENDS: Final = re.compile(rb"(?<=[A-Za-z0-9}_])(?=[\s\"',#\]}]|$)")
_MAX_TRIED: Final = 64


def pinned(source: str, data: bytes, reference: ImageReference) -> bytes | Problem:
    """Give the bytes of ``source``'s file with the digest of ``reference`` at every image that the source means.

    An old digest is replaced where it stands, also in a Dockerfile's ARG; where there is none, the new one is put
    behind the reference. A Problem where the file declares another image, or no such edit can be made.
    """
    wrong = _other(source, data, reference)
    if wrong is not None:
        return wrong
    for _ in range(_MAX_EDITS):
        left = _left(source, data, reference)
        if not left:
            return data
        digest = f"@{reference.digest}".encode("ascii")
        edited = next((new for new in _edits(data, left[0], digest) if _better(source, data, new, reference)), None)
        if edited is None:
            break
        data = edited
    where = shown(split_source(source)[0], 200)
    return Problem(
        "unresolvable",
        f"the digest cannot be written into {where} without changing more than that",
        got="an image that is put together, or written in an unusual way",
        expected="the image as one text",
        fix=f"write {reference} in {where} by hand",
    )


def _references(source: str, data: bytes) -> list[tuple[ImageReference | None, int | None]] | None:
    """Give each image that the source means with its line; None where it cannot be read."""
    found = images_in(source, data)
    if isinstance(found, Problem):
        return None
    read = ((parse_reference(image.text), image.line) for image in found)
    return [(None if isinstance(one, Problem) else one, line) for one, line in read]


def _other(source: str, data: bytes, reference: ImageReference) -> Problem | None:
    found = images_in(source, data)
    if isinstance(found, Problem):
        return found
    for image in found:
        read = parse_reference(image.text)
        if isinstance(read, Problem):
            return read
        if (read.repository, read.tag) != (reference.repository, reference.tag):
            words = f"{shown(source, 200)} declares {shown(image.text, 200)}, not {reference}"
            return Problem("conflict", words, image.text, str(reference), "make all sources declare the same image")
    return None


def _left(source: str, data: bytes, reference: ImageReference) -> list[int | None]:
    """Give the lines of the images that are not ``reference`` yet."""
    return [line for found, line in _references(source, data) or [] if found != reference]


def _better(source: str, old: bytes, new: bytes, reference: ImageReference) -> bool:
    """Tell whether an edit pins one image or more and leaves every other one what it was."""
    before, after = _references(source, old), _references(source, new)
    if before is None or after is None or len(before) != len(after):
        return False
    changed = [now for was, now in zip(before, after, strict=True) if was != now]
    return bool(changed) and all(now[0] == reference for now in changed)


def _edits(data: bytes, line: int | None, digest: bytes) -> Iterator[bytes]:
    """Give the file with one edit each: an old digest replaced, anywhere; else the new one put in on ``line``."""
    for number, old in enumerate(_DIGEST.finditer(data)):
        if number < _MAX_TRIED:
            yield data[: old.start()] + digest + data[old.end() :]
    start = 0
    for _ in range((line or 1) - 1):
        start = data.find(b"\n", start) + 1
    end = data.find(b"\n", start) if line is not None else len(data)
    stop = len(data) if end < 0 else end
    for number, place in enumerate(_ENDS.finditer(data, start, stop)):
        if number < _MAX_TRIED:
            yield data[: place.start()] + digest + data[place.start() :]
