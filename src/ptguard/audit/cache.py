"""What the checks said before, kept in the git folder from one audit to the next.

Only audits read it, never a push or ``verify``. It may be thrown away, or hold rubbish, at any time: what cannot be
read strictly is not there. It holds what the checks said before waivers, for one policy with its keys and one version
of ptguard, and nothing whose answer depends on the clock. What looks at other refs or at the remote counts only as
long as all of these are what they were.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from ptguard import __version__
from ptguard.gateways.files import write_whole
from ptguard.model import Finding, Location, Oid, OpenPgpKey, Policy, RefUpdate, Status
from ptguard.receipts import seen
from ptguard.remotes import Clone
from ptguard.value import fields, value

LASTING: Final = frozenset({"annotated", "signature", "changelog", "image", "smoke"})
"""Checks that look at the tag, its commit and the policy alone; `branch`, `version`, `immutable` look at other refs."""
# What another day may answer otherwise: the clock moves on, a tool is installed.
_PASSING: Final = frozenset({"future", "future-date", "too-old", "key-unavailable", "could-not-decide", "expired-key"})
_FORM: Final = 1
_MAX_BYTES: Final = 1 << 27

Said = Mapping[str, Sequence[Finding]]


@value
class Known:
    """What is known of a tag: the ``commit`` that it names, and what each check said, before waivers."""

    commit: Oid | None
    said: Said


NOTHING: Final = Known(None, {})


FOLDER: Final = "audit"
"""Where all caches of a repository lie, below what the guard keeps there; linked work trees share it."""


def policy_digest(policy: Policy) -> str:
    """Give the SHA-256, in hex, of all that decides: the policy's text and the keys beside it."""
    digest = hashlib.sha256(policy.source.sha256.encode("ascii"))
    for signer in policy.signers.values():
        for key in signer.keys:
            if isinstance(key, OpenPgpKey):
                digest.update(hashlib.sha256(key.material).digest())
    return digest.hexdigest()


def world_digest(clone: Clone) -> str:
    """Give the SHA-256, in hex, of every ref here and of all that is known of the remote."""
    state = clone.state
    everything = [
        sorted(clone.refs.items()), sorted(clone.refs.symbolic.items()), state.name, sorted(state.tags.items()),
        sorted(state.branches.items()), state.asked, state.none, state.problem is None, clone.git.shallow,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(everything).encode("ascii")).hexdigest()


class Cache:
    """The answers of one policy; ``file`` None keeps nothing."""

    def __init__(self, file: Path | None, world: str = "") -> None:
        """Read what is there; nothing that is wrong with it is an error."""
        self._file, self._world = file, world
        self._known: dict[str, Known] = _read(file, world) if file else {}
        self._changed = False

    @classmethod
    def at(cls, clone: Clone, policy: Policy) -> "Cache":
        """Give the cache of ``policy``, and of what a server has seen, in the repository of ``clone``."""
        folder = clone.git.guard_dir
        receipts = "".join(sorted(f"{ref} {oid} {at}" for (ref, oid), at in seen(folder).items()))
        digest = hashlib.sha256(f"{policy_digest(policy)}{receipts}".encode("utf-8", "surrogateescape")).hexdigest()
        return cls(folder / FOLDER / f"{digest[:32]}.json", world_digest(clone))

    def get(self, update: RefUpdate, *, published: bool) -> Known:
        """Give what is known of the tag's object under this name."""
        return self._known.get(_key(update, published=published), NOTHING)

    def put(self, update: RefUpdate, known: Known, *, published: bool) -> None:
        """Keep of ``known`` what lasts, beside what is kept already."""
        key = _key(update, published=published)
        lasting = {check: tuple(findings) for check, findings in known.said.items() if _lasts(findings)}
        if lasting:
            self._known[key] = Known(known.commit, {**self._known.get(key, NOTHING).said, **lasting})
            self._changed = True

    def save(self) -> None:
        """Write the file anew, whole; that it cannot be written is nobody's trouble but the next audit's."""
        if self._file is None or not self._changed:
            return
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._file, (part.encode("ascii") for part in self._parts()), 0o600)

    def _parts(self) -> Iterator[str]:
        """Give the document in parts: as a whole it would take as much memory as all that is known."""
        yield _json({"form": _FORM, "ptguard": __version__, "world": self._world})[:-1] + ',"known":{'
        for number, (key, one) in enumerate(self._known.items()):
            yield f"{',' if number else ''}{_json(key)}:{_json([one.commit, rows_of(one.said)])}"
        yield "}}"


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _key(update: RefUpdate, *, published: bool) -> str:
    """Give what an answer is about; the mending words differ where the tag is published."""
    return f"{update.remote_ref} {update.local_oid} {int(published)}"


def _lasts(findings: Sequence[Finding]) -> bool:
    return bool(findings) and not any(f.status is Status.ERROR or f.reason in _PASSING for f in findings)


def _read(file: Path, world: str) -> dict[str, Known]:
    try:
        if file.stat().st_size > _MAX_BYTES:
            return {}
        document = json.loads(file.read_text(encoding="ascii"))
        if (document["form"], document["ptguard"]) != (_FORM, __version__):
            return {}
        same = document["world"] == world
        return {key: _known(commit, rows, same=same) for key, (commit, rows) in document["known"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def _known(commit: object, rows: object, *, same: bool) -> Known:
    if not isinstance(commit, str | None):
        raise TypeError("no object id")
    said = said_of(rows)
    return Known(commit, said if same else {check: found for check, found in said.items() if check in LASTING})


# --------------------------------------------------------------------------------------------- findings as JSON

_TEXTS: Final = ("got", "expected", "fix", "signer", "fingerprint")
_NAMES: Final = fields(Finding)


def rows_of(said: Said) -> dict[str, list[Any]]:
    """Give what the checks said as JSON values."""
    return {check: [row(finding) for finding in found] for check, found in said.items()}


def said_of(value: object) -> dict[str, tuple[Finding, ...]]:
    """Give what :func:`rows_of` was made from.

    Raises:
        ValueError: it is nothing of the kind.
    """
    if not isinstance(value, dict):
        raise ValueError("no table of findings")
    said = {check: tuple(map(finding_of, rows)) for check, rows in value.items()}
    if any(not found or any(one.check != check for one in found) for check, found in said.items()):
        raise ValueError("a check without findings, or with another's")
    return said


def row(finding: Finding) -> list[Any]:
    """Give ``finding`` as a JSON list, its fields in their order."""
    where = finding.location
    place = None if where is None else [where.path, where.line, where.commit]
    return [place if name == "location" else getattr(finding, name) for name in _NAMES]


def finding_of(value: object) -> Finding:
    """Give the finding that a row is.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, list) or len(value) != len(_NAMES):
        raise ValueError("no row of a finding")
    given = dict(zip(_NAMES, value, strict=True))
    must = (given["check"], given["reason"], given["message"])
    if not all(isinstance(text, str) for text in must):
        raise ValueError("a finding without check, reason or message")
    if not all(isinstance(given[name], str | None) for name in _TEXTS):
        raise ValueError("a finding with something else than text in it")
    given["status"] = Status(given["status"])
    given["location"] = _location(given["location"])
    return Finding(**given)


def _location(value: object) -> Location | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 3:
        raise ValueError("no place")
    path, line, commit = value
    if not isinstance(path, str) or not isinstance(line, int | None) or not isinstance(commit, str | None):
        raise ValueError("no place")
    return Location(path, line, commit)
