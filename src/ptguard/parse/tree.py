"""Raw git tree objects: reading, writing, hashing, and the id that a tree would have without some of its paths.

The format is ``<mode> SP <name> NUL <raw object id>`` for each entry, in the order of :func:`_order`
(git's Documentation/gitformat-pack and tree.c, ``base_name_compare``). Nothing here reads a repository: the bytes of
a tree come from the caller.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from typing import Literal

from ptguard.model import Oid, Problem
from ptguard.text import shown
from ptguard.value import value

ObjectFormat = Literal["sha1", "sha256"]
"""The hash of a repository, as ``git rev-parse --show-object-format`` names it."""

TREE_MODE = "40000"

WIDTHS: dict[ObjectFormat, Literal[20, 32]] = {"sha1": 20, "sha256": 32}

# 100664 and its like are in the history of old projects; git reads them, and so do we, unchanged.
_MODE = re.compile(rb"40000|100[0-7]{3}|120000|160000")
_NEVER = (b"", b".", b"..", b".git")


@value
class TreeEntry:
    """One entry of a tree: ``mode`` as it stands there (``100644``, ``40000``, …), the raw name, the object's id."""

    mode: str
    name: bytes
    oid: Oid

    @property
    def is_tree(self) -> bool:
        """Whether the entry is a folder."""
        return self.mode == TREE_MODE


def entries(raw: bytes, width: Literal[20, 32]) -> tuple[TreeEntry, ...] | Problem:
    """Give the entries of a raw tree whose object ids have ``width`` bytes, or what is wrong with it.

    Strict: an unknown mode, a name that git would never check out, a wrong order and a name that occurs twice (also
    once as a file and once as a folder) are refused, since two readers may see two different trees there.
    """
    found: list[TreeEntry] = []
    seen: set[bytes] = set()
    at = 0
    while at < len(raw):
        space = raw.find(b" ", at, at + 7)
        end = raw.find(b"\0", space + 1) if space > 0 else -1
        if space < 0 or end < 0 or end + 1 + width > len(raw):
            return _malformed(f"it is cut or garbled at byte {at}")
        mode, name = raw[at:space], raw[space + 1 : end]
        if not _MODE.fullmatch(mode):
            return _malformed(f"the mode {shown(mode, 20)} is unknown")
        if b"/" in name or name.lower() in _NEVER or name in seen:
            return _malformed(f"the name {shown(name, 80)!r} is not allowed there or stands twice")
        at = end + 1 + width
        entry = TreeEntry(mode.decode("ascii"), name, raw[end + 1 : at].hex())
        if found and _order(found[-1]) >= _order(entry):
            return _malformed(f"the entry {shown(name, 80)!r} is out of order")
        seen.add(name)
        found.append(entry)
    return tuple(found)


def _malformed(what: str) -> Problem:
    return Problem(
        "malformed",
        f"a tree object is malformed: {what}",
        expected="a tree that git fsck accepts",
        fix="git fsck --strict",
    )


def _order(entry: TreeEntry) -> bytes:
    """Give the key that git sorts by: a folder as if its name ended in a slash."""
    return entry.name + b"/" if entry.is_tree else entry.name


def write(items: Iterable[TreeEntry]) -> bytes:
    """Give the raw tree of ``items``, put into git's order."""
    return b"".join(
        e.mode.encode("ascii") + b" " + e.name + b"\0" + bytes.fromhex(e.oid) for e in sorted(items, key=_order)
    )


def hash_tree(raw: bytes, object_format: ObjectFormat) -> Oid:
    """Give the object id of the raw tree ``raw``."""
    digest = hashlib.new(object_format, b"tree %d\0" % len(raw))
    digest.update(raw)
    return digest.hexdigest()


def prune(root: Oid, drop: Iterable[str], read: Callable[[Oid], bytes], object_format: ObjectFormat) -> Oid | Problem:
    """Give the id that the tree ``root`` would have without the paths ``drop``, or why it cannot be told.

    The same as ``git rm -r --cached`` of these paths in a temporary index and ``git write-tree``, but nothing is
    written. ``drop`` are paths from the root, with slashes; one that is not there changes nothing. ``read`` gives the
    raw bytes of a tree object and is asked only for the trees on the way down.
    """
    paths = [tuple(p.encode("utf-8", "surrogateescape").split(b"/")) for p in drop]
    if any(part in (b"", b".", b"..") for path in paths for part in path):
        raise ValueError("a path to leave out is not in its plain form")
    pruned = _prune(root, paths, read, object_format)
    return hash_tree(b"", object_format) if pruned is None else pruned


def _prune(
    oid: Oid, paths: list[tuple[bytes, ...]], read: Callable[[Oid], bytes], object_format: ObjectFormat
) -> Oid | Problem | None:
    """Prune one level; None where nothing is left of it."""
    found = entries(read(oid), WIDTHS[object_format])
    if isinstance(found, Problem):
        return found
    whole = {path[0] for path in paths if len(path) == 1}
    kept: list[TreeEntry] = []
    for entry in found:
        if entry.name in whole:
            continue
        below = [path[1:] for path in paths if len(path) > 1 and path[0] == entry.name]
        if not below or not entry.is_tree:
            kept.append(entry)
            continue
        pruned = _prune(entry.oid, below, read, object_format)
        if isinstance(pruned, Problem):
            return pruned
        if pruned is not None:
            kept.append(TreeEntry(entry.mode, entry.name, pruned))
    if kept == list(found):
        return oid
    return hash_tree(write(kept), object_format) if kept else None
