"""The smoke records of a tagged tree: read, held against the tree without ``.ptguard/``, signatures verified."""

import re
from collections.abc import Callable, Sequence
from typing import Final

from ptguard.errors import GitError, PtguardError
from ptguard.model import (
    EXECUTABLE,
    Oid,
    Problem,
    SignatureFacts,
    SmokeEntry,
    SmokeEvidence,
    SmokePolicy,
    SmokeRecord,
    Status,
)
from ptguard.parse.smoke import MAX_RECORD_BYTES, pae, parse_record
from ptguard.parse.tree import TreeEntry, prune
from ptguard.snapshot import REGULAR, SYMLINK, Snapshot
from ptguard.value import value

GUARD_FOLDER: Final = ".ptguard"
MAX_ENTRIES: Final = 4096
MAX_RECORDS: Final = 256
MAX_SIGNATURE_BYTES: Final = 1 << 16
SMOKE_NAMESPACE: Final = "ptguard-smoke"
# What may lie under .ptguard/: nothing that could run or be imported, since the record does not cover it.
_README = r"README(?:[^/.]*|[^/]*\.(?:md|rst|txt|adoc))"
_ALLOWED = re.compile(
    r"\.ptguard/(?:policy\.toml|keys/[^/]+\.asc|(?:[^/]+/)*[^/]+\.json(?:\.sig|\.asc)?"
    rf"|(?:[^/]+/)*(?:\.gitattributes|{_README}))"
)

Verify = Callable[[bytes, bytes], SignatureFacts | Problem]
VerifySsh = Callable[[bytes, bytes, str], SignatureFacts | Problem]


@value
class Verifiers:
    """How a record's detached signature is verified, by the end of its file name."""

    ssh: VerifySsh
    openpgp: Verify


def smoke_evidence(snapshot: Snapshot, policy: SmokePolicy, ssh: VerifySsh, openpgp: Verify) -> SmokeEvidence:
    """Give all records under the policy's folder with what their signatures prove, and what must not lie there.

    Only signatures of records that are for this very tree are verified: a folder of old records costs nothing.

    Raises:
        GitError: an object is missing or malformed, or there are too many.
    """
    below = dict(snapshot.walk(GUARD_FOLDER, MAX_ENTRIES))
    top = snapshot.entry(GUARD_FOLDER)
    foreign = [(path, words) for path, entry in sorted(below.items()) if (words := _foreign(path, entry, policy))]
    if top is not None and not below:
        foreign.append((GUARD_FOLDER, "not a folder"))
    paths = [p for p in sorted(below) if p.startswith(f"{policy.directory}/") and p.endswith(".json")]
    records = [(path, _record(snapshot, path)) for path in paths[:MAX_RECORDS]]
    trees = _trees(snapshot, policy, [r for _, r in records if isinstance(r, SmokeRecord)])
    verifiers = Verifiers(ssh, openpgp)
    entries = tuple(SmokeEntry(path, r, _signature(snapshot, r, trees, verifiers)) for path, r in records)
    return SmokeEvidence(trees, entries, tuple(foreign))


def _foreign(path: str, entry: TreeEntry, policy: SmokePolicy) -> str | None:
    """Say in words why ``path`` must not lie under ``.ptguard/``, or None."""
    if entry.mode == SYMLINK:
        return "a symbolic link"
    if entry.mode not in REGULAR:
        return "no regular file"
    if entry.mode == "100755":
        return EXECUTABLE
    if not _ALLOWED.fullmatch(path):
        return "not a policy, key, record or signature"
    if path.endswith((".json", ".json.sig", ".json.asc")) and not path.startswith(f"{policy.directory}/"):
        return f"a record outside {policy.directory}/"
    return None


def _record(snapshot: Snapshot, path: str) -> SmokeRecord | Problem:
    found = snapshot.file(path, MAX_RECORD_BYTES)
    if isinstance(found, Problem):
        return Problem("malformed", found.message, found.got, found.expected, found.fix, found.location)
    return parse_record(path, found.data)


def _trees(snapshot: Snapshot, policy: SmokePolicy, records: Sequence[SmokeRecord]) -> dict[tuple[str, ...], Oid]:
    """Give the pruned tree's id for each list of left-out paths that a record claims and the policy allows."""
    allowed = {GUARD_FOLDER, *policy.ignore}
    claimed = {r.excluded for r in records if GUARD_FOLDER in r.excluded and set(r.excluded) <= allowed}
    claimed.add((GUARD_FOLDER,))
    return {paths: _pruned(snapshot, paths) for paths in sorted(claimed)}


def _pruned(snapshot: Snapshot, paths: tuple[str, ...]) -> Oid:
    found = prune(snapshot.root, paths, snapshot.raw_tree, snapshot.git.object_format)
    if isinstance(found, Problem):
        raise GitError(f"the tagged tree cannot be read: {found.message}", fix="git fsck --full")
    return found


def _signature(
    snapshot: Snapshot, record: SmokeRecord | Problem, trees: dict[tuple[str, ...], Oid], verifiers: Verifiers
) -> SignatureFacts | Problem:
    if isinstance(record, Problem):
        return Problem("malformed", "the record is malformed, so its signature was not looked at")
    if trees.get(record.excluded) != record.tree:
        return Problem("wrong-tree", "the record is for another tree, so its signature was not looked at")
    payload = pae(record.payload)
    ssh = snapshot.file(f"{record.path}.sig", MAX_SIGNATURE_BYTES)
    pgp = snapshot.file(f"{record.path}.asc", MAX_SIGNATURE_BYTES)
    try:
        if not isinstance(ssh, Problem):
            return verifiers.ssh(payload, ssh.data, SMOKE_NAMESPACE)
        if not isinstance(pgp, Problem):
            return verifiers.openpgp(payload, pgp.data)
    except PtguardError as error:
        return Problem("could-not-decide", error.message, fix=error.fix, status=Status.ERROR)
    return Problem("unsigned", f"{record.path} has no signature: neither {record.path}.sig nor .asc is a regular file")
