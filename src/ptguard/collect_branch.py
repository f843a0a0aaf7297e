"""Which branches of the remote count for a release, and which of them carries the tagged commit."""

from collections.abc import Mapping, Sequence
from typing import Final

from ptguard.gateways.git import Git
from ptguard.glob import matches
from ptguard.model import BRANCH_PREFIX, BranchEvidence, Oid, Problem, RefUpdate, Status
from ptguard.remotes import Clone
from ptguard.text import sh, shown
from ptguard.value import value

MAX_LOCAL: Final = 20


def branch_lines(clone: Clone) -> Mapping[str, RefUpdate]:
    """Give what the push does to branches, by the ref on the remote."""
    return {u.remote_ref: u for u in clone.updates if u.remote_ref.startswith(BRANCH_PREFIX)}


class Branches:
    """What the branches of one call carry; with ``many`` tags, git is asked for each branch, not for each tag."""

    def __init__(self, clone: Clone, *, many: bool = False) -> None:
        """Nothing is asked before it is needed; the local branches, which only word the mending, not with ``many``."""
        self._clone, self._many = clone, many
        self._eligible: dict[tuple[str, ...], _Eligible] = {}
        self._tagged: dict[tuple[Oid, ...], frozenset[Oid]] = {}

    def carrying(self, patterns: Sequence[str], commit: Oid) -> BranchEvidence | Problem:
        """Give the branch of the remote that ``patterns`` match and that contains ``commit``, if one does.

        A branch counts with its tip before the push, and with its new one where the push fast-forwards it; one that
        the push creates, forces or deletes counts with neither.

        Raises:
            GitError: git could not say.
        """
        clone, key = self._clone, tuple(patterns)
        if key not in self._eligible:
            self._eligible[key] = _eligible(clone, patterns)
        found = self._eligible[key]
        carrier = self._known(found, commit) if self._many else None
        if carrier is None:
            # A yes stands; a no rests on commit dates, which may lie, and is asked for with more care.
            carrier = _carrier(clone.git, commit, found.here)
        if carrier is None and found.unknown is not None:
            return _not_here(clone, found.unknown)
        local = () if carrier or self._many else _local(clone, patterns, commit, found.matching)
        return BranchEvidence(found.matching, carrier, found.ineligible, local, shallow=clone.git.shallow)

    def leaning(self, patterns: Sequence[str], commit: Oid) -> str | None:
        """Give the branch whose new tip alone carries ``commit``: where it does not land, the tag must not.

        None where a branch carries it as it stood before the push, or none does.

        Raises:
            GitError: git could not say.
        """
        if not self._clone.forwards:
            return None
        found = self._eligible.get(tuple(patterns)) or _eligible(self._clone, patterns)
        stood = self._clone.state.branches
        if self._clone.git.contained(
            commit, [stood[ref] for ref, oids in found.here.items() if stood.get(ref) in oids]
        ):
            return None
        return _carrier(self._clone.git, commit, found.here)

    def _known(self, found: "_Eligible", commit: Oid) -> str | None:
        """Give the first branch that git names for ``commit`` when asked for all tagged commits that a branch has."""
        for ref, oids in found.here.items():
            tips = tuple(oids)
            if tips not in self._tagged:
                self._tagged[tips] = self._clone.git.tagged_in(tips)
            if commit in self._tagged[tips]:
                return ref
        return None


@value
class _Eligible:
    """The branches that match: all of them, those that do not count, the tips that are here, one that is not."""

    matching: tuple[str, ...]
    ineligible: tuple[str, ...]
    here: Mapping[str, Sequence[Oid]]
    unknown: str | None


def _eligible(clone: Clone, patterns: Sequence[str]) -> _Eligible:
    git, lines = clone.git, branch_lines(clone)
    tips: dict[str, list[Oid]] = {}
    ineligible = []
    for ref in _matching({**clone.state.branches, **lines}, patterns):
        before, line = clone.state.branches.get(ref), lines.get(ref)
        added = _forward(git, line) if line is not None else []
        if line is not None and not added:
            ineligible.append(ref)
            tips[ref] = []
        else:
            tips[ref] = [*([before] if before else []), *(added if clone.forwards else [])]
    known = {ref: [oid for oid in oids if git.info(oid) is not None] for ref, oids in tips.items()}
    unknown = next((ref for ref in tips if len(known[ref]) < len(tips[ref])), None)
    here = {ref: oids for ref, oids in known.items() if oids}
    return _Eligible(tuple(tips), tuple(ineligible), here, unknown)


def _matching(refs: Mapping[str, object], patterns: Sequence[str]) -> list[str]:
    """Give the refs whose branch a pattern matches, those that a pattern names outright first."""
    names = {ref: ref.removeprefix(BRANCH_PREFIX) for ref in refs}
    found = [ref for ref, name in names.items() if any(matches(pattern, name) for pattern in patterns)]
    return sorted(found, key=lambda ref: (names[ref] not in patterns, ref))


def _carrier(git: Git, commit: Oid, tips: Mapping[str, Sequence[Oid]]) -> str | None:
    """Give the first branch that contains ``commit``; one question to git where there is one branch or a no."""
    if not git.contained(commit, list(dict.fromkeys(oid for oids in tips.values() for oid in oids))):
        return None
    *most, last = tips
    return next((ref for ref in most if git.contained(commit, tips[ref])), last)


def _forward(git: Git, line: RefUpdate) -> list[Oid]:
    """Give the new tip of a branch that existed and that this push fast-forwards, else nothing."""
    old, new = line.remote_oid, line.local_oid
    if old is None or new is None or git.info(old) is None:
        return []
    return [new] if git.contained(old, [new]) else []


def _local(clone: Clone, patterns: Sequence[str], commit: Oid, matching: Sequence[str]) -> tuple[str, ...]:
    """Give the local branches that would carry the commit if they were pushed, for the mending words.

    A server cannot see them: the first branch that matches is likely the one.
    """
    if clone.receiving:
        return tuple(ref.removeprefix(BRANCH_PREFIX) for ref in matching[:1])
    heads = {ref: clone.refs[ref] for ref in clone.refs.under(BRANCH_PREFIX)}
    near = _matching(heads, patterns)[:MAX_LOCAL]
    return tuple(ref.removeprefix(BRANCH_PREFIX) for ref in near if clone.git.contained(commit, [heads[ref]]))


def _not_here(clone: Clone, ref: str) -> Problem:
    return Problem(
        "could-not-decide",
        f"the tip of {shown(ref)} on {clone.state.name} is not in this clone",
        fix=sh("git", "fetch", clone.state.name),
        status=Status.ERROR,
    )
