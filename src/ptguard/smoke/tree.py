"""The source tree that a record names, written out file by file from git's own objects.

Not ``git archive``: that leaves out what the attribute export-ignore says and rewrites what export-subst says, so the
files tried would not be the tree that the record names. No filter, no line-ending conversion and no hook runs here.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ptguard.collect_smoke import GUARD_FOLDER
from ptguard.errors import GitError, UsageError
from ptguard.gateways.git import Git
from ptguard.parse.tree import TreeEntry
from ptguard.smoke.talk import Say
from ptguard.snapshot import FOLDER, SUBMODULE, SYMLINK, Snapshot
from ptguard.text import shown

MAX_FILES: Final = 1_000_000
MAX_FILE_BYTES: Final = 1 << 31
MAX_BYTES: Final = 1 << 34
_LFS: Final = b"version https://git-lfs"
_NAMED: Final = 5


def write_source(root: Path, target: Path, say: Say) -> None:
    """Write HEAD's tree of the repository at ``root``, without ``.ptguard/``, into the new folder ``target``.

    Everybody may read it, for the user inside a container may be anyone. Submodules are empty folders and what Git
    LFS keeps elsewhere stays a pointer; both are said.

    Raises:
        UsageError: there is no commit.
        GitError: an object is missing or malformed, or the tree is too large.
    """
    odd: dict[str, list[str]] = {"submodule": [], "Git LFS pointer": []}
    with Git.open(root) as git:
        commit = git.resolve("HEAD^{commit}")
        if commit is None:
            raise UsageError("there is no commit yet that could be tried", fix="git commit")
        snapshot = Snapshot(git, commit)
        _folder(target)
        left = MAX_BYTES
        for count, (path, entry) in enumerate(_below(snapshot), start=1):
            place = target / os.fsdecode(path)
            if entry.mode in (FOLDER, SUBMODULE):
                _folder(place)
                if entry.mode == SUBMODULE:
                    odd["submodule"].append(place.name)
                continue
            data = git.read(entry.oid, "blob", min(MAX_FILE_BYTES, left))
            left -= len(data)
            if count > MAX_FILES:
                raise GitError(f"the source tree has more than {MAX_FILES} files")
            _file(place, entry.mode, data)
            if data.startswith(_LFS) and len(data) < 1024:
                odd["Git LFS pointer"].append(place.name)
    for what, names in odd.items():
        if names:
            listed = ", ".join(shown(name, 80) for name in names[:_NAMED])
            say(f"the tree has {len(names)} of the kind {what}, whose content is no part of it: {listed}")


def _below(snapshot: Snapshot) -> Iterator[tuple[bytes, TreeEntry]]:
    """Give every entry below the root with its path, a folder before what is in it; ``.ptguard`` is left out."""
    waiting = [(b"", snapshot.root)]
    while waiting:
        prefix, oid = waiting.pop()
        for entry in snapshot.folder(oid):
            path = prefix + entry.name
            if path == GUARD_FOLDER.encode():
                continue
            yield path, entry
            if entry.mode == FOLDER:
                waiting.append((path + b"/", entry.oid))


def _folder(place: Path) -> None:
    place.mkdir()
    place.chmod(0o755)


def _file(place: Path, mode: str, data: bytes) -> None:
    """Write a new file, or a link with its text as it stands; neither goes through a link that is there."""
    if mode == SYMLINK:
        place.symlink_to(os.fsdecode(data))
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(place, flags, 0o600), "wb") as file:
        file.write(data)
        os.fchmod(file.fileno(), 0o755 if mode == "100755" else 0o644)
