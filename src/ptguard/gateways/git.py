"""The one doorway to git: plumbing by object id, in an environment that neither user nor repository shapes.

GitPython is not used here: importing it costs about 100 ms at every push and its object reads fail on SHA-256
repositories (docs/adr/0002-gitpython-off-the-hot-path.md).
"""

import functools
import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, get_args

from ptguard.errors import GitError, UsageError
from ptguard.gateways.catfile import Batch, Info
from ptguard.gateways.process import Completed, clean_env, run
from ptguard.model import BRANCH_PREFIX, TAG_PREFIX, Oid
from ptguard.text import sh, shown

ObjectFormat = Literal["sha1", "sha256"]
OPEN_ARGS = ("--absolute-git-dir", "--is-shallow-repository", "--show-object-format")
MAX_REFS_OUTPUT = 1 << 28
LS_REMOTE_TIMEOUT = 60.0
_IN_FLIGHT = 256  # names of that many objects fit into a pipe that nobody reads from yet
_REFS_IN_A_CALL = 500
# A push arrives with its objects in quarantine (githooks(5), pre-receive): those variables are git's own.
_KEPT = ("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH")


def judging_env(git_dir: Path) -> dict[str, str]:
    """Give the environment for git commands that judge: only the repository's own objects, refs and config.

    No replace refs, no grafts, no user or system configuration, no lazy fetch; GIT_DIR is given, since git calls
    a repository of another owner 'dubious' when the configuration that would allow it is gone (see git(1)).
    """
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return clean_env(
        kept
        | {
            "GIT_DIR": str(git_dir),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_GRAFT_FILE": "/dev/null",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_TERMINAL_PROMPT": "0",
        }
    )


class Git:
    """A repository. ``git_dir`` is absolute; ``start`` the folder that it was opened from."""

    def __init__(self, git_dir: Path, start: Path, object_format: ObjectFormat, *, shallow: bool) -> None:
        """Take what :meth:`open` found; use that."""
        self.git_dir = git_dir
        self.start = start
        self.object_format: ObjectFormat = object_format
        self.shallow = shallow
        self._env = judging_env(git_dir)
        self._info: Batch | None = None
        self._contents: Batch | None = None
        self._config: Mapping[str, tuple[str, ...]] | None = None

    @classmethod
    def open(cls, start: Path) -> Self:
        """Find the repository of ``start`` as git itself would, under the caller's own rules of ownership.

        Raises:
            UsageError: there is none, or git will not touch it.
            ToolMissingError: git is not installed.
        """
        return cls._opened(start, dict(os.environ), "run ptguard inside a clone, or name one: ptguard -C DIR …")

    @classmethod
    def receiving(cls) -> Self:
        """Open the repository that a server's hook was started for: GIT_DIR, else the folder it stands in.

        What the pusher configured for himself has no say, not even in whose repositories git touches: the server
        has begun to write into this one already. Source: githooks(5).

        Raises:
            UsageError: there is none.
            ToolMissingError: git is not installed.
        """
        git_dir = Path(os.environ.get("GIT_DIR", ".")).resolve()
        return cls._opened(git_dir, judging_env(git_dir), "let git run the hook: git push")

    @classmethod
    def _opened(cls, start: Path, env: Mapping[str, str], fix: str) -> Self:
        done = run(["git", "rev-parse", *OPEN_ARGS], env=env, cwd=start)
        lines = done.stdout.decode("utf-8", "surrogateescape").removesuffix("\n").split("\n")
        if done.returncode != 0 or len(lines) != len(OPEN_ARGS):
            raise unreadable(_first_line(done), done.stderr, fix)
        git_dir, shallow, object_format = lines
        for known in get_args(ObjectFormat):
            if object_format == known:
                opened = cls(Path(git_dir), start, known, shallow=shallow == "true")
                opened.warm_up()
                return opened
        raise GitError(f"git names an object format that ptguard does not know: {shown(object_format)}")

    def __enter__(self) -> Self:
        """Give itself; leaving ends the helper processes."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """End the helper processes, whatever happened."""
        self.close()

    def close(self) -> None:
        """End the helper processes."""
        for batch in (self._info, self._contents):
            if batch is not None:
                batch.close()
        self._info = self._contents = None

    # ----------------------------------------------------------------------------------------- objects

    def warm_up(self) -> None:
        """Start the two helper processes, so that they are ready when they are asked."""
        self._info = self._info or Batch("--batch-check", self._env)
        self._contents = self._contents or Batch("--batch", self._env)

    def info(self, name: str) -> Info | None:
        """Give (object id, type, size in bytes) of an object id or ``<oid>^{commit}``; None where there is none.

        Raises:
            GitError: git ended over it, as it does at a damaged object and at one that a partial clone left out.
        """
        if self._info is None:
            self._info = Batch("--batch-check", self._env)
        try:
            return self._info.header(name)
        except GitError:
            self._info.close()
            self._info = None  # the other objects are asked for as before
            raise

    def info_all(self, names: Sequence[str]) -> list[Info | None]:
        """Give what :meth:`info` gives for each of ``names``, without waiting for one answer before the next question.

        Raises:
            GitError: as :meth:`info`; of which object is not said.
        """
        found: list[Info | None] = []
        for start in range(0, len(names), _IN_FLIGHT):
            if self._info is None:
                self._info = Batch("--batch-check", self._env)
            try:
                found += self._info.headers(names[start : start + _IN_FLIGHT])
            except GitError:
                self._info.close()
                self._info = None
                raise
        return found

    def read(self, oid: Oid, kind: str, limit: int, known: Info | None = None) -> bytes:
        """Give the raw bytes of the object ``oid``, which must be of type ``kind`` and at most ``limit`` bytes.

        Git does not compare a loose object with its name when it reads it raw, so it is hashed again here. ``known``
        is what :meth:`info` gave for it, where that was asked for already.

        Raises:
            GitError: it is not here, of another type, too large, or not what its id says.
        """
        found = known or self.info(oid)
        if found is None:
            raise GitError(f"object {oid} is not in this repository", fix="git fetch --all --tags")
        if found[1] != kind or found[2] > limit:
            raise GitError(f"object {oid} is a {found[1]} of {found[2]} bytes; a {kind} of at most {limit} is wanted")
        if self._contents is None:
            self._contents = Batch("--batch", self._env)
        data = self._contents.contents(oid)
        if hash_object(kind, data, self.object_format) != oid:
            raise GitError(f"object {oid} is damaged: its content has another id", fix="git fsck --full")
        return data

    @functools.cached_property
    def common_dir(self) -> Path:
        """The git folder that linked work trees share (gitrepository-layout(5), commondir)."""
        with suppress(OSError):
            return (self.git_dir / (self.git_dir / "commondir").read_text(encoding="utf-8").strip()).resolve()
        return self.git_dir

    @property
    def guard_dir(self) -> Path:
        """The folder of what the guard keeps in this repository."""
        return self.common_dir / "ptguard"

    @functools.cached_property
    def partial(self) -> bool:
        """Whether the clone was made with a filter, so that objects may be left out (gitrepository-layout(5))."""
        config = self.local_config()
        return "extensions.partialclone" in config or any(key.endswith(".promisor") for key in config)

    def tree_of(self, commit: Oid) -> Oid:
        """Give the id of the tree of ``commit``.

        Raises:
            GitError: the commit is not here or not well formed.
        """
        head = self.read(commit, "commit", 1 << 24).split(b"\n", 1)[0]
        if not re.fullmatch(rb"tree [0-9a-f]{40,64}", head):
            raise GitError(f"commit {commit} names no tree")
        return head[5:].decode("ascii")

    # ----------------------------------------------------------------------------------------- refs, history

    def refs(self, *patterns: str) -> "Refs":
        """Give the refs under ``patterns`` (full prefixes) with their ids, and where symbolic ones point."""
        fields = "--format=%(objectname) %(refname) %(symref)"
        out = self._run("for-each-ref", fields, "--", *patterns, limit=MAX_REFS_OUTPUT)
        ids: dict[str, Oid] = {}
        symbolic: dict[str, str] = {}
        for line in out.decode("utf-8", "surrogateescape").split("\n"):
            if line:
                oid, name, target = line.split(" ", 2)
                ids[name] = oid
                if target:
                    symbolic[name] = target
        return Refs(ids, symbolic)

    def leads_to(self, ref: str) -> str | None:
        """Give the ref that the symbolic ref ``ref`` names, which need not exist: :meth:`refs` leaves such ones out.

        None where it is no symbolic ref. Source: gitrepository-layout(5), refs; git-check-ref-format(1) for ``..``.
        """
        if ".." in ref:
            return None
        if (self.common_dir / "reftable").is_dir():
            done = self._try("symbolic-ref", "--quiet", "--no-recurse", ref)
            text = b"ref: " + done.stdout if done.returncode == 0 else b""
        else:
            text = _ref_file(self.common_dir / ref)
        target = text.removeprefix(b"ref:").strip().decode("utf-8", "surrogateescape")
        return target if text.startswith(b"ref:") and target.startswith("refs/") else None

    def resolve(self, name: str) -> Oid | None:
        """Give the object id that ``name`` (a ref or revision typed by the user) stands for, or None."""
        done = self._try("rev-parse", "--verify", "--quiet", "--end-of-options", name)
        text = done.stdout.decode("ascii", "replace").strip()
        return text if done.returncode == 0 and re.fullmatch(r"[0-9a-f]{40,64}", text) else None

    def contained(self, commit: Oid, tips: Sequence[Oid]) -> bool:
        """Tell whether ``commit`` is reachable from one of ``tips`` (all of them commits that are here).

        ``rev-list`` answers yes in a few ms where ``merge-base`` takes 150; its no rests on commit dates, which may
        lie, so a no is asked for again: the merge base of a commit with several others is the commit itself exactly
        where one of them contains it (git-merge-base(1), the hypothetical merge commit).
        """
        if not tips:
            return False
        args = "\n".join([commit, *(f"^{tip}" for tip in tips)]) + "\n"
        walked = self._try("rev-list", "-n1", "--stdin", stdin=args.encode("ascii"))
        if walked.returncode != 0:
            raise _not_walked(commit, walked)
        if not walked.stdout:
            return True
        done = self._try("merge-base", commit, *tips)
        if done.returncode not in (0, 1):
            raise GitError(f"git merge-base failed: {_first_line(done)}")
        return done.stdout.decode("ascii", "replace").strip() == commit

    def head_branch(self) -> str | None:
        """Give the full name of the ref that HEAD stands for, which need not exist; None where HEAD is a commit."""
        done = self._try("symbolic-ref", "--quiet", "HEAD")
        return done.stdout.decode("utf-8", "surrogateescape").strip() if done.returncode == 0 else None

    def tags_before(self, commit: Oid) -> frozenset[str]:
        """Give the names (after refs/tags/) of all tags that are reachable from a parent of ``commit``."""
        parents = self.parents(commit)
        if not parents:
            return frozenset()
        merged = (f"--merged={parent}" for parent in parents)
        return self._tag_names(self._of_tags("--format=%(refname)", *merged))

    def tag_times(self) -> dict[str, int]:
        """Give, for each ref under refs/tags/, when it says it was made: seconds since 1970, 0 where it does not say.

        The tagger's time, or a lightweight tag's committer's (git-for-each-ref(1), ``creatordate``). A tag that git
        gives up at is left out.
        """
        out = self._of_tags("--format=%(refname) %(creatordate:raw)")
        found: dict[str, int] = {}
        for line in out.decode("utf-8", "surrogateescape").split("\n"):
            ref, _, when = line.partition(" ")
            if ref:
                seconds = when.partition(" ")[0]
                found[ref] = int(seconds) if re.fullmatch("[0-9]{1,12}", seconds) else 0
        return found

    def tagged_in(self, tips: Sequence[Oid]) -> frozenset[Oid]:
        """Give the objects that tags peel to and that are reachable from one of ``tips`` (git-for-each-ref(1))."""
        merged = (f"--merged={tip}" for tip in tips)
        fields = "--format=%(if)%(*objectname)%(then)%(*objectname)%(else)%(objectname)%(end)"
        out = self._of_tags(fields, *merged)
        return frozenset(out.decode("ascii").split())

    def history(
        self, commits: Sequence[Oid], *, named: bool, without: Sequence[Oid] = ()
    ) -> Sequence[tuple[Oid, tuple[Oid, ...]]]:
        """Give ``commits`` and all their ancestors with their parents, no commit before its parents.

        Those that are reachable from ``without`` are left out, though they may be named as parents.
        ``named``: only those that refs name and the merges between them, each with the nearest such ones as parents
        (git-rev-list(1), ``--simplify-by-decoration``). A commit of the empty tree may be left out of these where
        it is a root, also when a ref names it: git takes it for one that changes nothing.
        """
        options = ("--topo-order", "--reverse", "--parents", *(("--simplify-by-decoration",) if named else ()))
        stdin = "".join([*(f"{commit}\n" for commit in commits), *(f"^{commit}\n" for commit in without)]).encode(
            "ascii"
        )
        out = self._run("rev-list", *options, "--stdin", stdin=stdin, limit=MAX_REFS_OUTPUT)
        rows = (line.split(" ") for line in out.decode("ascii").split("\n") if line)
        return [(commit, tuple(parents)) for commit, *parents in rows]

    def parents(self, commit: Oid) -> tuple[Oid, ...]:
        """Give the parents of ``commit``, the first one first.

        Raises:
            GitError: it is not here.
        """
        header = self.read(commit, "commit", 1 << 24).split(b"\n\n", 1)[0]
        return tuple(line[7:].decode("ascii") for line in header.split(b"\n") if line.startswith(b"parent "))

    def first_parents(self, tip: Oid, paths: Sequence[str], most: int) -> tuple[Oid, ...]:
        """Give the commits on the first-parent line of ``tip`` that changed one of ``paths``, newest first."""
        options = ("--first-parent", f"--max-count={most}")
        out = self._run("rev-list", *options, tip, "--", *(f":(top,literal){path}" for path in paths))
        return tuple(out.decode("ascii").split())

    def tags_at(self, commit: Oid) -> tuple[str, ...]:
        """Give the names (after refs/tags/) of the tags that name ``commit``, directly or through a tag object."""
        out = self._of_tags("--format=%(refname)", f"--points-at={commit}")
        return tuple(sorted(self._tag_names(out)))

    def _of_tags(self, *options: str) -> bytes:
        """Give what git says of all tags (git-for-each-ref(1)).

        git gives up at a tag object whose target is not what it says, or is not here; then the others are asked about
        without it, or one such tag would keep every other one from being judged.
        """
        done = self._try("for-each-ref", *options, TAG_PREFIX, limit=MAX_REFS_OUTPUT)
        if done.returncode == 0:
            return done.stdout
        refs = self.refs(TAG_PREFIX)
        peeled = self.info_all([f"{oid}^{{}}" for oid in refs.values()])
        sound = [ref for ref, target in zip(refs, peeled, strict=True) if target is not None]
        if len(sound) == len(refs):
            raise GitError(f"git for-each-ref failed: {_first_line(done)}")
        groups = (sound[start : start + _REFS_IN_A_CALL] for start in range(0, len(sound), _REFS_IN_A_CALL))
        return b"".join(self._run("for-each-ref", *options, "--", *group, limit=MAX_REFS_OUTPUT) for group in groups)

    @staticmethod
    def _tag_names(out: bytes) -> frozenset[str]:
        names = out.decode("utf-8", "surrogateescape").split("\n")
        return frozenset(name[len(TAG_PREFIX) :] for name in names if name)

    # ----------------------------------------------------------------------------------------- config, remote

    def local_config(self) -> Mapping[str, tuple[str, ...]]:
        """Give the repository's own configuration: each key (section and name in lower case) with its values.

        Only ``--local``: what the user or the system configured has no say in a verdict. It is read once.
        """
        if self._config is None:
            self._config = self._read_config()
        return self._config

    def _read_config(self) -> Mapping[str, tuple[str, ...]]:
        out = self._run("config", "--local", "--null", "--list").decode("utf-8", "surrogateescape")
        found: dict[str, tuple[str, ...]] = {}
        for entry in out.split("\0"):
            if entry:
                key, equals, value = entry.partition("\n")
                # A key without `=` means true (git-config(1), SYNTAX), and no line break follows it here.
                found[key] = (*found.get(key, ()), value if equals else "true")
        return found

    def ls_remote(self, remote: str) -> Mapping[str, Oid]:
        """Ask ``remote`` for its branches and tags: full ref names with their ids (tags not peeled).

        It runs in the caller's own environment, where his credentials live; what it says is data only.

        Raises:
            GitError: the remote could not be asked.
        """
        argv = ["git", "ls-remote", "--quiet", "--", remote, f"{TAG_PREFIX}*", f"{BRANCH_PREFIX}*"]
        env = dict(os.environ)
        done = run(argv, env=env, cwd=self.start, timeout=LS_REMOTE_TIMEOUT, limit=MAX_REFS_OUTPUT, terminal=True)
        if done.returncode != 0:
            raise GitError(
                f"the remote {shown(remote)} could not be asked: {_first_line(done)}",
                fix=sh("git", "ls-remote", remote) + "   # until it answers, then again",
            )
        return _parse_ls_remote(done.stdout)

    def push_url(self, remote: str) -> str | None:
        """Give the URL that a push to the configured ``remote`` goes to, after insteadOf, or None."""
        done = run(["git", "remote", "get-url", "--push", "--", remote], env=dict(os.environ), cwd=self.start)
        return done.stdout.decode("utf-8", "surrogateescape").strip() if done.returncode == 0 else None

    # ----------------------------------------------------------------------------------------- plumbing

    def _try(self, *args: str, stdin: bytes = b"", limit: int = 1 << 24) -> Completed:
        return run(["git", *args], stdin=stdin, env=self._env, cwd=self.start, timeout=120, limit=limit)

    def _run(self, *args: str, stdin: bytes = b"", limit: int = 1 << 24) -> bytes:
        done = self._try(*args, stdin=stdin, limit=limit)
        if done.returncode != 0:
            raise GitError(f"git {args[0]} failed: {_first_line(done)}")
        return done.stdout


class Refs(dict[str, Oid]):
    """Full ref names with their object ids; ``symbolic`` says where symbolic refs point."""

    def __init__(self, ids: Mapping[str, Oid], symbolic: Mapping[str, str]) -> None:
        """Hold both."""
        super().__init__(ids)
        self.symbolic = symbolic

    def under(self, prefix: str) -> Iterable[str]:
        """Give the names that begin with ``prefix``."""
        return (name for name in self if name.startswith(prefix))


def unreadable(why: str, said: bytes, fix: str) -> UsageError:
    """Say that git takes a folder for no repository, and what mends it: ``fix``, or what git itself ``said``."""
    for line in said.decode("utf-8", "backslashreplace").splitlines():
        if "--add safe.directory " in line:  # another user's (git-config(1), safe.directory)
            fix = f"{shown(line.strip())}   # if you trust whose it is"
    if "bad config line" in why:
        fix = "mend that line of that file"
    return UsageError(f"not a git repository that can be read: {shown(why)}", fix=fix)


def hash_object(kind: str, data: bytes, object_format: ObjectFormat) -> Oid:
    """Give the id of an object of type ``kind`` with content ``data`` (gitformat-loose(5))."""
    digest = hashlib.sha1(usedforsecurity=False) if object_format == "sha1" else hashlib.sha256()
    digest.update(b"%s %d\0" % (kind.encode("ascii"), len(data)))
    digest.update(data)
    return digest.hexdigest()


def _ref_file(path: Path) -> bytes:
    """Give what the file of a ref says, a link (core.preferSymlinkRefs) as the other spelling of the same."""
    try:
        if path.is_symlink():
            return b"ref: " + os.fsencode(path.readlink())
        with path.open("rb") as file:
            return file.read(1 << 13)
    except OSError:
        return b""


def _not_walked(commit: Oid, done: Completed) -> GitError:
    """Say why the ancestors of ``commit`` cannot be followed: a shallow clone pushes what has none on the server."""
    if b"Could not read" in done.stderr or b"Failed to traverse parents" in done.stderr:
        fix = "git fetch --unshallow   # in the clone that pushes, if it is a shallow one; then push again"
        return GitError(f"the history of commit {commit} is not whole: {_first_line(done)}", fix=fix)
    return GitError(f"git rev-list failed: {_first_line(done)}")


def _parse_ls_remote(out: bytes) -> Mapping[str, Oid]:
    rows = (line.split("\t", 1) for line in out.decode("utf-8", "surrogateescape").split("\n") if "\t" in line)
    return {
        name: oid
        for oid, name in rows
        if not name.endswith("^{}") and re.fullmatch(r"[0-9a-f]{40}([0-9a-f]{24})?", oid)
    }


def _first_line(done: Completed) -> str:
    said = done.stderr.decode("utf-8", "backslashreplace").splitlines()
    # Hints come first and are not why: one is about the grafts file, which is set so that there is none.
    lines = [line for line in said if line.strip() and not line.startswith("hint:")]
    return shown(lines[0]) if lines else f"git exited {done.returncode} and said nothing"
