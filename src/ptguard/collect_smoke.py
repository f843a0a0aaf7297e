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
from ptguard.snapshot import FOLDER, REGULAR, SUBMODULE, SYMLINK, Snapshot
from ptguard.text import sh
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
    if len(paths) > MAX_RECORDS:
        fix = sh("git", "rm", f"{policy.directory}/OLD.json*") + "   # those of images that are no longer used"
        raise GitError(f"{policy.directory}/ holds {len(paths)} records, at most {MAX_RECORDS} are read", fix=fix)
    records = [(path, _record(snapshot, path)) for path in paths]
    trees = pruned_trees(snapshot, policy, [r for _, r in records if isinstance(r, SmokeRecord)])
    verifiers = Verifiers(ssh, openpgp)
    entries = tuple(SmokeEntry(path, r, _signature(snapshot, r, trees, verifiers)) for path, r in records)
    return SmokeEvidence(trees, entries, tuple(foreign), loose(snapshot, policy))


def loose(snapshot: Snapshot, policy: SmokePolicy) -> dict[str, str]:
    """Give the paths of ``[smoke] ignore`` that are something else than a plain file, with what they are.

    A record leaves these paths out, so what stands there could be swapped after the run for a link to anything, a
    program, or a folder of code.
    """
    found = ((path, snapshot.entry(path)) for path in policy.ignore)
    return {path: words for path, entry in found if entry is not None and (words := _no_plain_file(entry))}


def _no_plain_file(entry: TreeEntry) -> str | None:
    """Say in words what ``entry`` is where it is no regular file, or one that can be executed; else None."""
    if entry.mode in REGULAR:
        return EXECUTABLE if entry.mode == "100755" else None
    return {SYMLINK: "a symbolic link", FOLDER: "a folder", SUBMODULE: "a submodule"}.get(entry.mode, "no regular file")


def _foreign(path: str, entry: TreeEntry, policy: SmokePolicy) -> str | None:
    """Say in words why ``path`` must not lie under ``.ptguard/``, or None."""
    if words := _no_plain_file(entry):
        return words
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


def pruned_trees(snapshot: Snapshot, policy: SmokePolicy, records: Sequence[SmokeRecord]) -> dict[tuple[str, ...], Oid]:
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

    def read(path: str) -> bytes | Problem:
        found = snapshot.file(path, MAX_SIGNATURE_BYTES)
        return found if isinstance(found, Problem) else found.data

    return detached(record, read, verifiers)


def detached(
    record: SmokeRecord, read: Callable[[str], bytes | Problem], verifiers: Verifiers
) -> SignatureFacts | Problem:
    """Give what the signature in the file beside ``record`` proves: that of ssh-keygen, where there is none gpg's.

    ``read`` gives the bytes of a file by its path; the reason of its Problem is ``missing-file`` where there is none.
    """
    try:
        for suffix in (".sig", ".asc"):
            found = read(record.path + suffix)
            if isinstance(found, Problem):
                if found.reason != "missing-file":
                    return Problem("bad-signature", f"the signature cannot be read: {found.message}", found.got)
            elif suffix == ".sig":
                return verifiers.ssh(pae(record.payload), found, SMOKE_NAMESPACE)
            else:
                return verifiers.openpgp(pae(record.payload), found)
    except PtguardError as error:
        return Problem("could-not-decide", error.message, fix=error.fix, status=Status.ERROR)
    return Problem("unsigned", f"{record.path} has no signature: neither {record.path}.sig nor .asc is there")
