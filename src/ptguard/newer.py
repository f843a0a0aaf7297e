"""Which tags of the same rule stand on earlier commits with an equal or a higher version.

For a few tags git is asked about each commit. From then on all of history is walked once, oldest first: asking
about each commit would take the number of tags times the number of tags.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final

from ptguard.gateways.git import Git, Refs, hash_object
from ptguard.model import TAG_PREFIX, Oid, Policy, RefUpdate, RuleMatch
from ptguard.pep440 import parse
from ptguard.policy import match_rule

if TYPE_CHECKING:
    from packaging.version import Version

Group = tuple[str, str | None]
"""What versions are compared within: the pattern of the rule and the package."""
Top = tuple[tuple["Version", str], ...]
"""The highest versions of a group with the names of their tags, the highest first."""

NAMED: Final = 4
"""How many higher tags are named; the report shows three and that there are more."""
_KEPT: Final = NAMED + 1  # one of them may be the tag that is asked about
MANY: Final = 8
"""With more tags than that, what is to be known of history is asked for once and not for each."""


class Newer:
    """Answers for all tags of one call; nothing is read before it is needed."""

    def __init__(self, git: Git, policy: Policy, refs: Refs, asked: Sequence[RefUpdate] = ()) -> None:
        """Take the repository's refs and the updates that will be asked about."""
        self._git, self._policy, self._refs, self._asked = git, policy, refs, asked
        self._before: tuple[Oid, Mapping[Group, Top]] | None = None
        self._calls = 0

    def higher(self, match: RuleMatch, commit: Oid, name: str) -> tuple[str, ...]:
        """Give other tags, at most :data:`NAMED`, of ``match``'s rule and package that are not below its version.

        Only tags that are reachable from a parent of ``commit`` count; the highest comes first.

        Raises:
            GitError: history could not be read.
        """
        mine, group = parse(match.version), (match.rule.pattern, match.package)
        if mine is None or not _not_below(self._highest.get(group, ()), mine, name):
            return ()
        return _not_below(self._top(group, commit), mine, name)[:NAMED]

    def _top(self, group: Group, commit: Oid) -> Top:
        if self._before is None or self._before[0] != commit:
            self._calls += 1
            if self._calls > MANY and len(self._asked) > MANY:
                walked = self._walked.get((commit, group))
                if walked is not None:
                    return walked
            before = (self._tags[name] for name in self._git.tags_before(commit) if name in self._tags)
            self._before = commit, _tops(before)
        return self._before[1].get(group, ())

    @cached_property
    def _tags(self) -> Mapping[str, tuple[Group, "Version", str]]:
        """Every local tag that a rule with a version matches, by its name."""
        rows: dict[str, tuple[Group, Version, str]] = {}
        for ref in self._refs.under(TAG_PREFIX):
            name = ref.removeprefix(TAG_PREFIX)
            match = match_rule(self._policy, name)
            version = parse(match.version) if match else None
            if match and version is not None:
                rows[name] = (match.rule.pattern, match.package), version, name
        return rows

    @cached_property
    def _highest(self) -> Mapping[Group, Top]:
        return _tops(self._tags.values())

    @cached_property
    def _walked(self) -> Mapping[tuple[Oid, Group], Top]:
        """Give the answer for each commit and group that will be asked about, from one walk."""
        wanted: dict[Oid, set[Group]] = {}
        for update in self._asked:
            match = match_rule(self._policy, update.tag)
            commit = self._commit(update.local_oid)
            if match is not None and commit is not None:
                wanted.setdefault(commit, set()).add((match.rule.pattern, match.package))
        own: dict[Oid, list[tuple[Group, Version, str]]] = {}
        for name, row in self._tags.items():
            commit = self._commit(self._refs[TAG_PREFIX + name])
            if commit is not None:
                own.setdefault(commit, []).append(row)
        return walk(self._history(list(wanted), own), lambda c: own.get(c, ()), wanted)

    def _history(self, commits: Sequence[Oid], own: Iterable[Oid]) -> Sequence[tuple[Oid, Sequence[Oid]]]:
        git = self._git
        named = git.history(commits, named=True)
        there = {commit for commit, _ in named}
        nothing = hash_object("tree", b"", git.object_format)
        if any(commit not in there and git.tree_of(commit) == nothing for commit in own):
            return git.history(commits, named=False)
        return named

    def _commit(self, oid: Oid | None) -> Oid | None:
        found = self._git.info(f"{oid}^{{commit}}") if oid else None
        return found[0] if found else None


def walk(
    history: Sequence[tuple[Oid, Sequence[Oid]]],
    own: Callable[[Oid], Iterable[tuple[Group, "Version", str]]],
    wanted: Mapping[Oid, Iterable[Group]],
) -> Mapping[tuple[Oid, Group], Top]:
    """Give, for each wanted commit and group, the highest tags on its ancestors.

    ``history``: commits with their parents, no commit before its parents; ``own``: the tags on a commit. What is
    known of a commit is handed on to its last child, so that no more is kept than lines stand side by side.
    """
    children = Counter(parent for _, parents in history for parent in set(parents))
    live: dict[Oid, dict[Group, Top]] = {}
    answers: dict[tuple[Oid, Group], Top] = {}
    for commit, parents in history:
        state: dict[Group, Top] = {}
        for parent in dict.fromkeys(parents):
            children[parent] -= 1
            given = live.pop(parent, {}) if children[parent] <= 0 else live.get(parent, {}).copy()
            less, state = sorted((given, state), key=len)
            for group, top in less.items():
                state[group] = _highest((*top, *state.get(group, ())))
        answers.update(((commit, group), state.get(group, ())) for group in wanted.get(commit, ()))
        for group, version, name in own(commit):
            state[group] = _highest((*state.get(group, ()), (version, name)))
        if children[commit]:
            live[commit] = state
    return answers


def _tops(rows: Iterable[tuple[Group, "Version", str]]) -> Mapping[Group, Top]:
    found: dict[Group, Top] = {}
    for group, version, name in rows:
        found[group] = _highest((*found.get(group, ()), (version, name)))
    return found


def _highest(top: Iterable[tuple["Version", str]]) -> Top:
    return tuple(sorted(set(top), reverse=True)[:_KEPT])


def _not_below(top: Top, mine: "Version", name: str) -> tuple[str, ...]:
    return tuple(other for version, other in top if version >= mine and other != name)
