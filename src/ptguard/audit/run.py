"""An audit from end to end: which tags, judged in how many processes, kept for the next time."""

import os
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from ptguard.audit.cache import Cache
from ptguard.audit.share import Share, judge_share
from ptguard.audit.worker import judged_apart
from ptguard.errors import UsageError
from ptguard.gateways.git import Git
from ptguard.judging import asked_clone, known_clone, notes, temporary_home
from ptguard.later import apart
from ptguard.model import TAG_PREFIX, Mode, Policy, PolicyChange, RefUpdate, TagVerdict, Verdict
from ptguard.remotes import Clone
from ptguard.roots import Changes
from ptguard.text import shown
from ptguard.trust import Choice, client_policy
from ptguard.value import replace, value

ALWAYS: Final = "annotated"
MOST_CHANGES: Final = 1000
WORTH_A_PROCESS: Final = 128
"""Below that many tags for each, a second process costs more than it saves."""

Tell = Callable[[int, int], None]
"""Takes how many tags have been judged, and of how many."""


@value
class Order:
    """What to audit: every tag, or those not made before the tag ``since``; ``checks`` None: those of each rule.

    ``offline``: the remote is not asked, and `immutable` holds the tags against nothing. ``cached``: what the last
    audit kept is read, and kept again.
    """

    start: Path
    choice: Choice
    now: datetime
    remote: str | None = None
    offline: bool = False
    since: str | None = None
    checks: tuple[str, ...] | None = None
    jobs: int | None = None
    cached: bool = True


@value
class Audit:
    """The verdict on each tag, oldest first; ``uncounted``: the refs from before ``[audit] since`` of the policy."""

    verdict: Verdict
    uncounted: frozenset[str]


@apart
def audit(order: Order, tell: Tell) -> Audit:
    """Judge the tags of the history that ``order`` names.

    Raises:
        PtguardError: nothing could be judged: no policy, no such tag, a remote that does not answer.
    """
    with Git.open(order.start) as git:
        clone = known_clone(git, order.remote) if order.offline else asked_clone(git, order.remote)
        policy = client_policy(clone, order.choice)
        times = git.tag_times()
        tags = _tags(clone, times, order.since)
        cache = Cache.at(clone, policy) if order.cached else Cache(None)
        with temporary_home() as home:
            share = Share(clone, _narrowed(policy, order.checks), tags, order.now, home)
            verdicts = _all(share, cache, order.jobs, tell)
            changes = _changes(clone, policy, order.now, home)
        cache.save()
    said = tuple(notes(policy, clone.state))
    verdict = Verdict(Mode.AUDIT, order.now, policy.source, tuple(verdicts), said, changes)
    return Audit(verdict, _before(policy, times))


def _all(share: Share, cache: Cache, jobs: int | None, tell: Tell) -> list[TagVerdict]:
    """Judge the share, in several processes where it is worth that; what is new goes into the cache."""
    known = [share.whole(u, cache.get(u, published=share.is_published(u))) for u in share.tags]
    most = min(jobs or len(os.sched_getaffinity(0)), known.count(False) // WORTH_A_PROCESS)
    verdicts: dict[int, TagVerdict] = {}
    tell(0, len(share.tags))
    for one in judged_apart(share, cache, most) if most > 1 else judge_share(share, cache):
        verdicts[one.place] = one.verdict
        update = share.tags[one.place]
        cache.put(update, one.news, published=share.is_published(update))
        tell(len(verdicts), len(share.tags))
    return [verdicts[at] for at in range(len(share.tags))]


def _changes(clone: Clone, policy: Policy, now: datetime, home: Path) -> tuple[PolicyChange, ...]:
    """Give what has become of the policy where it is found on a branch; a file outside has no history here."""
    tip = policy.source.commit
    if tip is None:
        return ()
    folder = home / "changes"
    folder.mkdir(mode=0o700)
    return Changes(clone.git, now, folder).history(tip, MOST_CHANGES)


def _tags(clone: Clone, times: dict[str, int], since: str | None) -> tuple[RefUpdate, ...]:
    """Give the tags, oldest first (by tagger's time, a lightweight one by its commit's)."""
    first = _time_of(times, since)
    refs = sorted(clone.refs.under(TAG_PREFIX), key=lambda ref: (times.get(ref, 0), ref))
    chosen = [ref for ref in refs if first is None or times.get(ref, first) >= first]
    if not chosen:
        raise UsageError("there is no tag to audit", fix="git fetch --tags")
    return tuple(RefUpdate(ref, clone.refs[ref], ref, clone.state.tags.get(ref)) for ref in chosen)


def _time_of(times: dict[str, int], tag: str | None) -> int | None:
    if tag is None:
        return None
    for ref in (TAG_PREFIX + tag, tag):
        if ref in times:
            return times[ref]
    raise UsageError(f"--since: there is no tag {shown(tag)} here", fix="git fetch --tags   # or: git tag --list")


def _before(policy: Policy, times: dict[str, int]) -> frozenset[str]:
    """Give the refs of tags from before the policy was adopted: reported, not counted."""
    adopted = times.get(f"{TAG_PREFIX}{policy.audit_since}")
    return frozenset() if adopted is None else frozenset(ref for ref, made in times.items() if made < adopted)


def _narrowed(policy: Policy, checks: Sequence[str] | None) -> Policy:
    """Give the policy with no other checks than ``checks``, and the one that is always on."""
    if checks is None:
        return policy
    wanted = {ALWAYS, *checks}
    rules = (replace(rule, checks=tuple(c for c in rule.checks if c in wanted)) for rule in policy.rules)
    return replace(policy, rules=tuple(rules))
