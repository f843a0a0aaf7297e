"""A declaring file with the digest written in, and all else byte for byte as it stands.

No edit is believed: the new bytes are read again, and must declare just the image that was asked for.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from ptguard.model import ImageReference, Location, Problem
from ptguard.parse.declared import images_in, reference_at, split_source
from ptguard.parse.places import Image
from ptguard.text import shown

_MAX_READINGS: Final = 200
"""Of the whole file, each with one edit more: a file of the greatest size takes about a second to read."""

_MAX_TRIED: Final = 64
_DIGEST: Final = re.compile(rb"sha256:[0-9a-f]{64}")
# Behind a word that may end a reference: a name, a tag, or a variable.
_ENDS: Final = re.compile(rb"(?<=[A-Za-z0-9}_])(?=[\s\"',#\]}]|$)")

Read = Sequence[tuple[Image, ImageReference]]


def pinned(source: str, data: bytes, reference: ImageReference) -> bytes | Problem:
    """Give the bytes of ``source``'s file with the digest of ``reference`` at every image that the source means.

    An old digest is replaced where it stands, also in a Dockerfile's ARG; where there is none, the new one is put
    behind the reference. A Problem where the file declares another image, or no such edit can be made.
    """
    read = _read(source, data)
    if isinstance(read, Problem):
        return read
    wrong = next((i for i, r in read if (r.repository, r.tag) != (reference.repository, reference.tag)), None)
    if wrong is not None:
        words = f"{shown(source, 200)} declares {shown(wrong.text, 200)}, not {reference}"
        return Problem("conflict", words, wrong.text, str(reference), "make all sources declare the same image")
    readings = 0
    while left := [image for image, found in read if found != reference]:
        for new, least in _edits(data, left, str(reference.digest).encode("ascii")):
            readings += 1
            after = _read(source, new)
            if not isinstance(after, Problem) and _pins(read, after, reference) >= least:
                data, read = new, after
                break
            if readings >= _MAX_READINGS:
                return _by_hand(source, reference)
        else:
            return _by_hand(source, reference)
    return data


def _by_hand(source: str, reference: ImageReference) -> Problem:
    where = shown(split_source(source)[0], 200)
    return Problem(
        "unresolvable",
        f"the digest cannot be written into {where} without changing more than that",
        got="an image that is put together, or written in an unusual way",
        expected="the image as one text",
        fix=f"write {reference} in {where} by hand",
    )


def _read(source: str, data: bytes) -> Read | Problem:
    """Give each image that the source means, as it stands there and as it is read."""
    found = images_in(source, data)
    if isinstance(found, Problem):
        return found
    path, read = split_source(source)[0], []
    for image in found:
        one = reference_at(image.text, Location(path, image.line))
        if isinstance(one, Problem):
            return one
        read.append((image, one))
    return read


def _pins(before: Read, after: Read, reference: ImageReference) -> int:
    """Give how many images an edit pins; none where another one is no longer what it was."""
    if len(before) != len(after):
        return 0
    changed = [now for (_, was), (_, now) in zip(before, after, strict=True) if was != now]
    return len(changed) if all(now == reference for now in changed) else 0


def _edits(data: bytes, left: Sequence[Image], digest: bytes) -> Iterator[tuple[bytes, int]]:
    """Give edited files, each with the number of images that it must pin, at the least, so that no edit is in vain.

    First all the images in ``left`` whose text stands once on its line. Then one edit each, for the first image: its
    text on its line or below, an old digest anywhere, the end of a word on its line.
    """
    starts = [0, *(found.end() for found in re.finditer(rb"\n", data))]
    texts = [(_start(starts, image), image.text.encode("utf-8")) for image in left]
    alone = [(data.find(text, at), text) for at, text in texts if data.count(text, at, _end(data, at)) == 1]
    if alone:
        yield _edited(data, [(at, at + len(text), _with(text, digest)) for at, text in sorted(set(alone))]), len(alone)
    start, text = texts[0]
    for _ in range(_MAX_TRIED):
        start = data.find(text, start)
        if start < 0:
            break
        yield _edited(data, [(start, start + len(text), _with(text, digest))]), 1
        start += len(text)
    for _, old in zip(range(_MAX_TRIED), _DIGEST.finditer(data), strict=False):
        yield _edited(data, [(*old.span(), digest)]), 1
    start = texts[0][0]
    ends = _ENDS.finditer(data, start, len(data) if left[0].line is None else _end(data, start))
    for _, place in zip(range(_MAX_TRIED), ends, strict=False):
        yield _edited(data, [(*place.span(), b"@" + digest)]), 1


def _start(starts: Sequence[int], image: Image) -> int:
    """Give where the line of an image starts; the file's start where the line is not known or counted otherwise."""
    line = image.line or 1
    return starts[line - 1] if line <= len(starts) else 0


def _end(data: bytes, start: int) -> int:
    """Give where the line that starts there ends."""
    end = data.find(b"\n", start)
    return len(data) if end < 0 else end


def _with(text: bytes, digest: bytes) -> bytes:
    return text.partition(b"@")[0] + b"@" + digest


def _edited(data: bytes, edits: Sequence[tuple[int, int, bytes]]) -> bytes:
    """Give the bytes with each range (start, end, new bytes) replaced; ranges in order, none within another."""
    parts, at = [], 0
    for start, end, new in edits:
        parts += [data[at:start], new]
        at = end
    return b"".join([*parts, data[at:]])
