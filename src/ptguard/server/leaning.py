"""Tags that may land only with a branch of their own push: named for the reference-transaction hook, file by file.

The file ``ptguard/leaning/<id of the tag object>`` holds the commit that the tag names and the branch that must carry
it. The object's id is name enough: it covers the tag's own name, which the ref must equal.
"""

import time
from collections.abc import Sequence
from typing import Final

from ptguard.collect_branch import Branches
from ptguard.errors import PtguardError
from ptguard.model import BRANCH_PREFIX, Oid, Policy, RefUpdate, Verdict
from ptguard.policy import match_rule
from ptguard.remotes import Clone
from ptguard.server.store import Store
from ptguard.text import sh
from ptguard.value import value

FOLDER: Final = "leaning"
_KEPT: Final = 24 * 3600.0
"""Seconds: no push takes longer from its judgement to its landing."""


@value
class Leaning:
    """The tag object ``oid`` names ``commit``, which only ``branch`` as this push leaves it carries."""

    oid: Oid
    commit: Oid
    branch: str


def of(clone: Clone, policy: Policy, verdict: Verdict) -> tuple[Leaning, ...]:
    """Give the accepted tags that lean on a branch of their own push.

    Raises:
        GitError: git could not say.
    """
    if not any(u.remote_ref.startswith(BRANCH_PREFIX) and not u.deletion for u in clone.updates):
        return ()
    branches, found = Branches(clone), []
    for tag in verdict.tags:
        match = match_rule(policy, tag.tag)
        if tag.object is None or tag.commit is None or match is None or "branch" not in match.rule.checks:
            continue
        branch = branches.leaning(match.rule.branches, tag.commit)
        if branch is not None:
            found.append(Leaning(tag.object, tag.commit, branch))
    return tuple(found)


def note(store: Store, tags: Sequence[RefUpdate], leaning: Sequence[Leaning]) -> None:
    """Name the ``leaning`` tags to the hook; the other ``tags`` of the push lean on nothing any more.

    Raises:
        PtguardError: it cannot be written.
    """
    folder = store.root / FOLDER
    if folder.is_dir():
        names = {one.oid for one in leaning}
        free = [u.local_oid for u in tags if u.local_oid and u.local_oid not in names]
        old = [path.name for path in folder.iterdir() if time.time() - path.stat().st_mtime > _KEPT]
        for name in (*free, *old):
            (folder / name).unlink(missing_ok=True)
    for one in leaning:
        if "\n" in one.branch or " " in one.branch:
            raise PtguardError(f"a branch of this push has an impossible name: {sh(one.branch)}")
        store.write(f"{FOLDER}/{one.oid}", f"{one.commit} {one.branch}\n".encode("utf-8", "surrogateescape"))
