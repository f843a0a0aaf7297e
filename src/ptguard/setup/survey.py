"""What a repository and its user have that a first policy can be made from. Reads only; the network is not asked."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ptguard.errors import UsageError
from ptguard.gateways import signing
from ptguard.gateways.files import read_regular
from ptguard.gateways.git import Git, Refs
from ptguard.gateways.repo import Repository
from ptguard.glob import matches
from ptguard.model import BRANCH_PREFIX, TAG_PREFIX, DeclaredImage, DeclaredVersion, Problem
from ptguard.parse.changelog import MAX_CHANGELOG_BYTES, parse_changelog
from ptguard.parse.declared import declared_image, expected_facts
from ptguard.parse.image.pyproject import read_pyproject
from ptguard.parse.openpgp import primary_fingerprints
from ptguard.parse.version import declared_version
from ptguard.remotes import Config, Remote, chosen
from ptguard.setup.draft import PATTERN, Found
from ptguard.tagging.keys import FoundKey, Hand, UserKey
from ptguard.text import sh, shown
from ptguard.trust import trust_branch

MAX_SOURCE_BYTES: Final = 1 << 20
MAX_FOLDERS: Final = 500
_CHANGELOGS: Final = ("changelog", "changes", "history", "news", "releases", "release_notes")
_VERSION_FILES: Final = ("pyproject.toml", "setup.cfg", "VERSION")
_VERSION_MODULES: Final = ("__init__.py", "version.py", "_version.py", "__about__.py")
_IMAGE_FILES: Final = ("Dockerfile", "Containerfile")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_USUAL_KEY: Final = "~/.ssh/id_ed25519.pub"


def survey(top: Path, wanted_branch: str | None) -> Found:
    """Give what there is in the clone whose work tree is ``top``; ``wanted_branch`` is the trust branch asked for.

    Raises:
        UsageError: there is no signing key, or the branch or the remote cannot be told.
        PtguardError: git or gpg failed.
    """
    repository = Repository(top)
    with Git.open(top) as git:
        config = git.local_config()
        remote = _remote(config)
        refs = git.refs(TAG_PREFIX, BRANCH_PREFIX, "refs/remotes/")
    branch, why = _trust(config, refs, remote, wanted_branch, repository.branch())
    user, email = (repository.config(name) for name in ("user.name", "user.email"))
    return Found(
        user=user.value if user else None,
        email=email.value if email else None,
        key=signing_key(repository, top),
        branch=branch,
        branch_why=why,
        remote=remote.name if remote else None,
        versions=tuple(_versions(top)),
        changelogs=tuple(_changelogs(top)),
        images=tuple(_images(top)),
        strange_tags=tuple(n for ref in refs.under(TAG_PREFIX) if not matches(PATTERN, n := ref[len(TAG_PREFIX) :])),
    )


def _remote(config: Config) -> Remote | None:
    try:
        return chosen(config, None)
    except UsageError as error:
        raise UsageError(
            error.message, fix="git config ptguard.remote NAME   # the remote that releases go to"
        ) from error


# --------------------------------------------------------------------------------------------- the branch


def _trust(
    config: Config, refs: Refs, remote: Remote | None, wanted: str | None, current: str | None
) -> tuple[str, str]:
    """Give the branch whose copy of the policy is to count, and why that one."""
    if wanted is not None:
        if not signing.is_name(wanted, BRANCH_PREFIX):
            raise UsageError(f"{shown(wanted)} is no name for a branch", fix="ptguard init --trust-branch main")
        return wanted, "as asked for"
    usual = trust_branch(config, refs, remote)
    if "ptguard.trustbranch" in config:
        return usual, "git config ptguard.trustBranch"
    if remote is not None and f"refs/remotes/{remote.name}/HEAD" in refs.symbolic:
        return usual, f"{remote.name}'s default branch"
    tracking = remote.tracking(BRANCH_PREFIX + usual) if remote else None
    if current in (None, usual) or BRANCH_PREFIX + usual in refs or tracking in refs:
        return usual, "the usual one"
    assert current is not None  # noqa: S101 - it would be among (None, usual)
    return current, "the only branch there is a sign of"


def lines_to_type(top: Path, found: Found, sources: tuple[str, ...]) -> Iterator[str]:
    """Give the commands that make the written policy count, in their order."""
    repository = Repository(top)
    with Git.open(top) as git:
        config, refs = git.local_config(), git.refs(BRANCH_PREFIX, "refs/remotes/")
    remote = _remote(config)
    head = f"refs/remotes/{found.remote}/HEAD"
    differs = trust_branch(config, refs, remote) != found.branch
    by_head = remote is not None and head not in refs.symbolic and "ptguard.trustbranch" not in config
    if differs and not by_head:
        everywhere = "   # in every clone" if remote is not None else ""
        yield sh("git", "config", "ptguard.trustBranch", found.branch) + everywhere
    if repository.branch() != found.branch:
        known = BRANCH_PREFIX + found.branch in refs or f"refs/remotes/{found.remote}/{found.branch}" in refs
        yield sh("git", "switch", *([] if known else ["-c"]), found.branch)
    force = ["-f"] if repository.ignores(".ptguard/policy.toml") else []
    new = [path for path in dict.fromkeys(sources) if path not in repository.tracked(*sources)]
    yield sh("git", "add", *force, ".ptguard", *new)
    yield sh("git", "commit", "-m", "Add the release policy")
    if remote is not None:
        yield sh("git", "push", "-u", remote.name, found.branch)
        yield sh("git", "fetch", remote.name)
    if remote is not None and differs and by_head:
        yield sh("git", "remote", "set-head", remote.name, found.branch)
    yield "ptguard install"


# --------------------------------------------------------------------------------------------- the key


def signing_key(repository: Repository, top: Path) -> FoundKey:
    """Give the user's signing key with what others need to verify with it.

    Raises:
        UsageError: none is configured, or it is none that could sign a tag.
        PtguardError: gpg failed.
    """
    hand = Hand(repository, top)
    key = hand.configured()
    if key is None:
        raise UsageError(
            "no signing key is configured (git config user.signingkey), so nobody could sign; nothing was written",
            fix=f"{_use_usual_key()}   # or an OpenPGP key: git config user.signingkey FINGERPRINT",
        )
    if isinstance(key, Problem):
        got = f" ({shown(key.got)})" if key.got else ""
        raise UsageError(f"{key.message}{got}; nothing was written", fix=_use_usual_key())
    if key.kind == "ssh":
        return FoundKey(key.kind, key.fingerprint, (key.public or "").encode("ascii"))
    return _exported(hand.gpg, key)


def _use_usual_key() -> str:
    """Give the commands that configure the user's usual SSH key, and make it first where there is none."""
    make = "" if Path(_USUAL_KEY).expanduser().is_file() else "ssh-keygen -t ed25519 && "
    return f"{make}git config gpg.format ssh && git config user.signingkey {_USUAL_KEY}"


def _exported(gpg: str, key: UserKey) -> FoundKey:
    if not key.signs:
        message = f"the OpenPGP key {key.fingerprint} cannot sign here: it is expired, revoked or not at hand"
        fix = sh("gpg", "--list-secret-keys", key.fingerprint) + "   # or configure another: " + _use_usual_key()
        raise UsageError(f"{message}; nothing was written", fix=fix)
    data = signing.export_minimal(gpg, key.fingerprint)
    held = primary_fingerprints(data)
    if isinstance(held, Problem) or key.fingerprint not in held:
        why = held.message if isinstance(held, Problem) else "another key came out"
        raise UsageError(f"the OpenPGP key {key.fingerprint} cannot be exported whole: {why}; nothing was written")
    return FoundKey(key.kind, key.fingerprint, data)


# --------------------------------------------------------------------------------------------- the files


def _versions(top: Path) -> Iterator[tuple[str, DeclaredVersion | Problem]]:
    for source in (*_VERSION_FILES, *_modules(top)):
        data = read_file(top, source.partition(":")[0], MAX_SOURCE_BYTES)
        if data is None or (source.endswith(":__version__") and b"__version__" not in data):
            continue
        found = declared_version(source, data, None)
        if not (source == "setup.cfg" and isinstance(found, Problem)):  # mostly there for the linters
            yield source, found


def _modules(top: Path) -> Iterator[str]:
    """Give the places of ``__version__`` in the packages at the top and under src."""
    for base in ("", "src/"):
        try:
            names = sorted(e.name for e in os.scandir(top / base) if e.is_dir(follow_symlinks=False))
        except OSError:
            continue
        for name in [n for n in names if _PLAIN.fullmatch(n)][:MAX_FOLDERS]:
            yield from (f"{base}{name}/{module}:__version__" for module in _VERSION_MODULES)


def _changelogs(top: Path) -> Iterator[tuple[str, Problem | None]]:
    names = sorted(e.name for e in os.scandir(top) if _PLAIN.fullmatch(e.name))
    for stem in _CHANGELOGS:
        for name in names:
            head, dot, extension = name.lower().rpartition(".")
            if dot and head == stem and extension in ("md", "rst"):
                data = read_file(top, name, MAX_CHANGELOG_BYTES)
                found = parse_changelog(name, data) if data is not None else _unread(name)
                yield name, found if isinstance(found, Problem) else None


def _unread(name: str) -> Problem:
    return Problem("missing-file", f"{name} is no regular file of at most {MAX_CHANGELOG_BYTES} bytes")


def _images(top: Path) -> Iterator[tuple[str, DeclaredImage | Problem]]:
    pyproject = read_file(top, "pyproject.toml", MAX_SOURCE_BYTES)
    expect = expected_facts(pyproject) if pyproject is not None else None
    facts = None if isinstance(expect, Problem) else expect
    for name in _IMAGE_FILES:
        data = read_file(top, name, MAX_SOURCE_BYTES)
        if data is not None:
            yield name, declared_image(name, data, None, facts)
    if pyproject is None:
        return
    said = read_pyproject("pyproject.toml", pyproject)
    if not isinstance(said, Problem) or said.reason != "missing":
        yield "pyproject.toml", declared_image("pyproject.toml", pyproject, None, facts)


def read_file(top: Path, path: str, limit: int) -> bytes | None:
    """Give the regular file ``path`` below ``top``; None where it is none, a link, or larger than ``limit`` bytes."""
    data = read_regular(top, path, limit)
    return data if isinstance(data, bytes) and len(data) <= limit else None
