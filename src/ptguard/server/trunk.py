"""The branch that holds the policy, kept from pushes that would take the policy away.

Whoever may push to the trust branch may change the policy, and is held to it from the next push on. Nobody may make
it go away: where there is no policy, the next one who brings one decides alone.
"""

import json
import re
from datetime import UTC, datetime
from typing import Final

from ptguard.errors import PolicyError
from ptguard.gateways.files import read_regular
from ptguard.gateways.git import Git
from ptguard.model import BRANCH_PREFIX, File, Oid, Problem, RefUpdate
from ptguard.parse.tomldoc import TomlError, load_toml
from ptguard.receipts import TIME
from ptguard.server.store import Store
from ptguard.snapshot import Snapshot
from ptguard.text import sh, shown
from ptguard.trust import MAX_POLICY_BYTES, POLICY_PATH
from ptguard.value import value

STOOD: Final = "policy-stood.json"
_MAX_STOOD: Final = 4096
_OID: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@value
class Stood:
    """That a policy has stood here: ``commit`` had it when it was last seen; None: nobody can tell any more."""

    commit: Oid | None


@value
class Trunk:
    """The trust branch ``branch`` (short name) at ``tip`` (None: it has no commit) before the push.

    ``ref`` is what a push to it changes: its full name, or what that leads to as a symbolic ref. ``policy``: the tip
    has a policy file, of whatever kind; ``stood``: what is remembered of one.
    """

    branch: str
    ref: str
    tip: Oid | None
    policy: bool
    stood: Stood | None

    @property
    def last(self) -> Oid | None:
        """The commit whose policy stands, or stood last; None where there never was one, or nobody can tell."""
        return self.tip if self.policy else self.stood.commit if self.stood else None

    @property
    def kept(self) -> bool:
        """Whether there is a policy to be kept from going away."""
        return self.policy or self.stood is not None


def look(git: Git, store: Store, branch: str, ref: str, tip: Oid | None) -> Trunk:
    """Look at the trust branch as it stands; ``ref`` is what a push to it changes.

    Raises:
        GitError: its tree cannot be read.
    """
    policy = tip is not None and not _absent(_policy_at(git, tip))
    return Trunk(branch, ref, tip, policy, _remembered(store))


def remember(store: Store, trunk: Trunk, now: datetime) -> None:
    """Keep in mind that a policy stands, so that its absence is never taken for a beginning.

    Raises:
        PtguardError: it cannot be written.
    """
    if trunk.policy and (trunk.stood is None or trunk.stood.commit != trunk.tip):
        seen = {"commit": trunk.tip, "seen": now.astimezone(UTC).strftime(TIME)}
        store.write(STOOD, json.dumps(seen).encode("ascii") + b"\n")


def protect(git: Git, trunk: Trunk, line: RefUpdate, claimed: Oid | None) -> None:
    """Refuse a push that would take the policy away from the trust branch; ``claimed``: what it says stood there.

    Raises:
        PolicyError: it would.
        GitError: git could not say.
    """
    if not trunk.kept:
        return
    name, new = shown(trunk.branch), line.local_oid
    if new is None:
        raise _refused(f"this push would delete {name}, the branch that holds the release policy", "keep the branch")
    if claimed != trunk.tip:
        raise _refused(
            f"{name} has moved since this push was made", f"git pull --rebase origin {name}, then push again"
        )
    _goes_on(git, trunk, new)
    policy = _policy_at(git, new)
    if trunk.tip and not trunk.policy:
        _brought_back(git, trunk, absent=_absent(policy))
        return
    if isinstance(policy, Problem):
        raise _refused(
            f"this push would take {POLICY_PATH} away from {name}: {policy.message}",
            f"git checkout origin/{name} -- {POLICY_PATH}, commit it, then push again",
        )
    if _empty(policy):
        raise _refused(
            f"this push would empty {POLICY_PATH} on {name}",
            f"git checkout origin/{name} -- {POLICY_PATH}, commit it, then push again",
        )


def _goes_on(git: Git, trunk: Trunk, new: Oid) -> None:
    """Refuse what is no commit, or none that goes on from where the policy stands, or stood last."""
    name = shown(trunk.branch)
    found = git.info(new)
    if found is not None and (kind := found[1]) != "commit":
        way = sh("git", "push", "origin", f"{new}^{{commit}}:{BRANCH_PREFIX}{trunk.branch}")
        raise _refused(
            f"this push would put a {kind} in the place of the commit of {name}, which holds the release policy",
            way if kind == "tag" else "push a commit",
        )
    before = trunk.tip or (trunk.stood.commit if trunk.stood else None)
    if before is None or git.info(before) is None or not git.contained(before, [new]):
        gone = f"{name} is gone, and what this push brings does not go on from where its policy stood"
        raise _refused(
            f"this push would rewind {name}, the branch that holds the release policy" if trunk.tip else gone,
            f"git pull --rebase origin {name}, then push without --force"
            if trunk.tip
            else "an administrator puts the branch back on the server: git update-ref",
        )


def _brought_back(git: Git, trunk: Trunk, *, absent: bool) -> None:
    """Hold a push to a trust branch whose policy has gone already: no tag passes, but other work goes on."""
    last = trunk.last
    if not absent and (last is None or git.info(last) is None):
        raise _refused(
            f"a policy has stood on {shown(trunk.branch)} here, and nobody can tell any more who may put one there",
            f"an administrator, on the server: rm ptguard/{STOOD}   # in the repository's folder; then anybody may",
        )


def asks_for_root(git: Git, commit: Oid) -> bool:
    """Tell whether a policy that cannot be read asks for signatures on its changes all the same."""
    found = _policy_at(git, commit)
    try:
        return isinstance(found, File) and "root" in load_toml(found.data, MAX_POLICY_BYTES)
    except TomlError:
        return isinstance(found, File) and b"[root]" in found.data


def missing(trunk: Trunk) -> PolicyError | None:
    """Give why no tag can be judged where a policy has stood and none stands now; None where one does, or never did."""
    if trunk.policy or trunk.stood is None:
        return None
    at = f" (in {trunk.stood.commit})" if trunk.stood.commit else ""
    return PolicyError(
        f"a policy has stood on {shown(trunk.branch)} here{at} and is gone, so no tag can be judged",
        fix=f"git push origin {shown(trunk.branch)}   # with {POLICY_PATH} back in it; an administrator may be needed",
    )


def _policy_at(git: Git, commit: Oid) -> File | Problem:
    return Snapshot(git, commit).file(POLICY_PATH, MAX_POLICY_BYTES)


def _absent(found: File | Problem) -> bool:
    return isinstance(found, Problem) and found.reason == "missing-file"


def _empty(found: File) -> bool:
    """Tell whether nothing is said in the policy; one that is wrong refuses every tag, and is no danger."""
    try:
        return not load_toml(found.data, MAX_POLICY_BYTES)
    except TomlError:
        return False


def _remembered(store: Store) -> Stood | None:
    try:
        (store.root / STOOD).lstat()
    except FileNotFoundError:
        return None
    except OSError:
        return Stood(None)  # not to be allowed to look is not to know that nothing is there
    found = read_regular(store.root, STOOD, _MAX_STOOD)
    if isinstance(found, Problem):
        return Stood(None)
    try:
        commit = json.loads(found)["commit"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return Stood(None)  # something was remembered, so something stood
    return Stood(commit if isinstance(commit, str) and _OID.fullmatch(commit) else None)


def _refused(message: str, fix: str) -> PolicyError:
    return PolicyError(message, fix=fix)
