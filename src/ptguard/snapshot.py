"""The files of one commit, read from its raw tree objects; the working tree is never looked at."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ptguard.errors import GitError
from ptguard.gateways.git import Git
from ptguard.model import File, Location, Oid, Problem
from ptguard.parse.tree import TreeEntry, entries

MAX_TREE_BYTES: Final = 1 << 24
SYMLINK: Final = "120000"
SUBMODULE: Final = "160000"
FOLDER: Final = "40000"
REGULAR: Final = ("100644", "100755", "100664")


class Snapshot:
    """One commit's tree, opened on the way down and kept while a push is judged."""

    def __init__(self, git: Git, commit: Oid) -> None:
        """Open ``commit``.

        Raises:
            GitError: the commit or its tree is not here.
        """
        self.git = git
        self.commit = commit
        self.root = git.tree_of(commit)
        self._folders: dict[Oid, tuple[TreeEntry, ...]] = {}

    def raw_tree(self, oid: Oid) -> bytes:
        """Give the raw bytes of the tree object ``oid``, bounded.

        Raises:
            GitError: it is not here or too large.
        """
        with self._left_out():
            return self.git.read(oid, "tree", MAX_TREE_BYTES)

    @contextmanager
    def _left_out(self) -> Iterator[None]:
        """Say how to get what a partial clone left out; it is not fetched here, in an environment without a name."""
        try:
            yield
        except GitError as error:
            if not self.git.partial:
                raise
            fix = f"git archive {self.commit} >/dev/null   # this clone is partial: that brings the commit's files"
            raise GitError(error.message, fix=fix) from error

    def folder(self, oid: Oid) -> tuple[TreeEntry, ...]:
        """Give the entries of the tree object ``oid``.

        Raises:
            GitError: it is not here or not a well-formed tree.
        """
        if oid not in self._folders:
            parsed = entries(self.raw_tree(oid), 20 if self.git.object_format == "sha1" else 32)
            if isinstance(parsed, Problem):
                raise GitError(f"{parsed.message} (tree {oid})", fix="git fsck --full")
            self._folders[oid] = parsed
        return self._folders[oid]

    def entry(self, path: str) -> TreeEntry | None:
        """Give the entry of ``path`` (from the root, parts split at ``/``), or None where there is none."""
        oid, found = self.root, None
        parts = path.encode("utf-8", "surrogateescape").split(b"/")
        for depth, part in enumerate(parts):
            found = next((e for e in self.folder(oid) if e.name == part), None)
            last = depth == len(parts) - 1
            if found is None or (not last and found.mode != FOLDER):
                return None
            oid = found.oid
        return found

    def file(self, path: str, limit: int) -> File | Problem:
        """Give the regular file ``path``, at most ``limit`` bytes.

        A Problem has one of the reasons ``missing-file``, ``symlink``, ``not-a-file``, ``too-large``.
        """
        entry = self.entry(path)
        where = Location(path, None, self.commit)
        if entry is None:
            return Problem("missing-file", f"{path} is not in commit {self.commit[:12]}", location=where)
        if entry.mode == SYMLINK:
            return Problem("symlink", f"{path} is a symbolic link", "a link", "a regular file", location=where)
        if entry.mode not in REGULAR:
            kind = "a submodule" if entry.mode == SUBMODULE else "a folder"
            return Problem("not-a-file", f"{path} is no regular file", kind, "a regular file", location=where)
        with self._left_out():
            found = self.git.info(entry.oid)
            if found is None:
                raise GitError(f"{path} (object {entry.oid}) is not in this repository", fix="git fetch --all --tags")
        if found[2] > limit:
            return Problem(
                "too-large", f"{path} is too large", f"{found[2]} bytes", f"at most {limit} bytes", location=where
            )
        return File(path, self.git.read(entry.oid, "blob", limit, found))

    def walk(self, path: str, limit: int) -> Iterator[tuple[str, TreeEntry]]:
        """Give every entry that is no folder below ``path``, with its full path, at most ``limit`` of them.

        Raises:
            GitError: there are more, or a tree is not well formed.
        """
        top = self.entry(path)
        waiting = [(path, top.oid)] if top is not None and top.mode == FOLDER else []
        count = 0
        while waiting:
            prefix, oid = waiting.pop()
            for entry in self.folder(oid):
                full = f"{prefix}/{entry.name.decode('utf-8', 'surrogateescape')}"
                count += 1
                if count > limit:
                    raise GitError(f"{path}/ holds more than {limit} entries")
                if entry.mode == FOLDER:
                    waiting.append((full, entry.oid))
                else:
                    yield full, entry
