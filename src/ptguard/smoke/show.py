"""What smoke records say of themselves, and who signed them; nothing of it is believed here."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

from ptguard.collect import Collector
from ptguard.collect_smoke import GUARD_FOLDER, MAX_ENTRIES, MAX_RECORDS, MAX_SIGNATURE_BYTES, detached
from ptguard.errors import GitError, PtguardError, UsageError
from ptguard.gateways.git import Git
from ptguard.judging import Request, trusted_policy
from ptguard.later import apart
from ptguard.model import TAG_PREFIX, Oid, Policy, Problem, SmokePolicy, SmokeRecord
from ptguard.parse.smoke import MAX_RECORD_BYTES, parse_record
from ptguard.parse.ssh import parse_signature
from ptguard.smoke.examine import beside, collector_for, read_record, verifiers
from ptguard.snapshot import Snapshot
from ptguard.text import shown
from ptguard.trust import Choice
from ptguard.value import value
from ptguard.vouching import key_of, objections

Read = Callable[[str], bytes | Problem]
"""Gives the bytes of a file by its path; the reason of its Problem is ``missing-file`` where there is none."""

State = Literal["good", "bad", "none", "unverified"]


@value
class Signed:
    """What is known of a record's signature, in ``words``.

    ``good``: it fits and its key may vouch; ``bad``: one of both is not so; ``unverified``: there is no policy whose
    keys could be asked. ``signer`` is the id that the policy knows the key by.
    """

    state: State
    words: str
    signer: str | None = None
    fingerprint: str | None = None


@value
class Told:
    """A record of the file ``path``: its ``statement`` as it stands there, or why it cannot be read."""

    path: str
    statement: dict[str, Any] | None
    signature: Signed | None
    problem: Problem | None = None


@apart
def told(request: Request, named: str | None) -> tuple[Told, ...]:
    """Give the record of the file ``named``, else the records in the tree of that tag, or of HEAD (None).

    A policy is used to say who signed where there is a trusted one; where one is named by hand it must be there.

    Raises:
        PtguardError: there is no such file, tag or repository, or no such policy.
    """
    with _asking(request) as whose:
        if named is not None and _is_file(request.start, named):
            file = request.start / named
            return (_told(str(file), read_record(file), beside, whose),)
        with Git.open(request.start) as git:
            snapshot = Snapshot(git, _commit(git, named))

            def read(path: str) -> bytes | Problem:
                found = snapshot.file(path, MAX_SIGNATURE_BYTES)
                return found if isinstance(found, Problem) else found.data

            return tuple(_told(path, _at(snapshot, path), read, whose) for path in _paths(snapshot))


def _is_file(start: Path, named: str) -> bool:
    """Tell whether a file is meant and no tag: by its ending, or because it is there."""
    return named.endswith(".json") or (start / named).is_file()


def _commit(git: Git, tag: str | None) -> Oid:
    if tag is None:
        commit = git.resolve("HEAD^{commit}")
        if commit is None:
            raise UsageError("there is no commit yet, so no record", fix="git commit")
        return commit
    commit = git.resolve(f"{TAG_PREFIX}{tag.removeprefix(TAG_PREFIX)}^{{commit}}")
    if commit is None:
        raise UsageError(
            f"there is no file and no tag {shown(tag)} here", fix="git fetch --tags   # or: git tag --list"
        )
    return commit


def _paths(snapshot: Snapshot) -> Sequence[str]:
    """Give all files that may be records, also where the policy does not look for them."""
    paths = sorted(p for p, _ in snapshot.walk(GUARD_FOLDER, MAX_ENTRIES) if p.endswith(".json"))
    if len(paths) > MAX_RECORDS:
        raise GitError(f"{GUARD_FOLDER}/ holds {len(paths)} records, at most {MAX_RECORDS} are read")
    return paths


def _at(snapshot: Snapshot, path: str) -> SmokeRecord | Problem:
    found = snapshot.file(path, MAX_RECORD_BYTES)
    return found if isinstance(found, Problem) else parse_record(path, found.data)


def _told(path: str, record: SmokeRecord | Problem, read: Read, whose: "Whose") -> Told:
    if isinstance(record, Problem):
        return Told(path, None, None, record)
    return Told(path, json.loads(record.payload), whose(record, read))


# --------------------------------------------------------------------------------------------- who signed

Whose = Callable[[SmokeRecord, Read], Signed]


@contextmanager
def _asking(request: Request) -> Iterator[Whose]:
    """Give how it is told who signed: by the trusted policy, or not at all."""
    policy, why = _policy(request)
    if policy is None or policy.smoke is None:
        yield lambda record, read: _unverified(record, read, why)
        return
    smoke = policy.smoke
    with collector_for(request, policy) as collector:
        yield lambda record, read: _verified(record, read, collector, smoke)


def _policy(request: Request) -> tuple[Policy | None, str]:
    """Give the trusted policy and why it says nothing of records, where it does not."""
    try:
        return trusted_policy(request), "the policy has no [smoke] section"
    except PtguardError as error:
        if request.choice != Choice():
            raise
        return None, error.message


def _verified(record: SmokeRecord, read: Read, collector: Collector, smoke: SmokePolicy) -> Signed:
    facts = detached(record, read, verifiers(collector))
    if isinstance(facts, Problem):
        state: State = "none" if facts.reason == "unsigned" else "bad"
        return Signed(state, f"{facts.reason}: {shown(facts.message)}")
    policy, now = collector.scene.policy, collector.scene.now
    found = key_of(policy, smoke, facts)
    name = found[0] if found else None
    against = next(objections(policy, smoke, facts, record.finished, now, history=False), None)
    words = f"good, by {name}" if against is None else f"{against.reason}: {shown(against.message)}"
    return Signed("bad" if against or name is None else "good", words, name, facts.fingerprint)


_KINDS: Final = ((".sig", "SSH"), (".asc", "OpenPGP"))


def _unverified(record: SmokeRecord, read: Read, why: str) -> Signed:
    """Say what the signature says of itself, where no policy can be asked."""
    for suffix, kind in _KINDS:
        found = read(record.path + suffix)
        if isinstance(found, Problem):
            continue
        said = parse_signature(found) if suffix == ".sig" else None
        fingerprint = None if said is None or isinstance(said, Problem) else said.fingerprint
        of = f" that names the key {fingerprint}" if fingerprint else ""
        return Signed("unverified", f"an {kind} signature{of}, not verified: {shown(why)}", None, fingerprint)
    return Signed("none", "there is none")
