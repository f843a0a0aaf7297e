"""One share of an audit: some tags of a history judged in this process, with what is known of them from before."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from ptguard.audit.cache import Cache, Known
from ptguard.collect import Collector, Scene
from ptguard.judging import in_groups
from ptguard.model import Mode, Policy, RefUpdate, TagVerdict
from ptguard.policy import match_rule
from ptguard.remotes import Clone
from ptguard.value import replace, value
from ptguard.verdict import judge, run_check


@value
class Judged:
    """The verdict on the tag at ``place`` of the share, and what is new of what was said of it."""

    place: int
    verdict: TagVerdict
    news: Known


@value
class Share:
    """What is judged: ``tags`` of ``clone`` under ``policy`` at ``now``; ``home`` is a private folder."""

    clone: Clone
    policy: Policy
    tags: tuple[RefUpdate, ...]
    now: datetime
    home: Path

    def is_published(self, update: RefUpdate) -> bool:
        """Tell whether the remote is known to have a tag of this name."""
        return update.remote_ref in self.clone.state.tags

    def asked(self, update: RefUpdate) -> tuple[str, ...]:
        """Give the checks of the tag's rule; none where no rule matches."""
        match = match_rule(self.policy, update.tag)
        return match.rule.checks if match else ()

    def whole(self, update: RefUpdate, known: Known) -> bool:
        """Tell whether every check of the tag's rule is known, so that nothing has to be read."""
        asked = self.asked(update)
        return bool(asked) and all(check in known.said for check in asked)


def judge_share(share: Share, cache: Cache) -> Iterator[Judged]:
    """Judge every tag of ``share``, in an order in which little is done twice."""
    known = [cache.get(update, published=share.is_published(update)) for update in share.tags]
    left = [at for at, update in enumerate(share.tags) if not share.whole(update, known[at])]
    tags = [share.tags[at] for at in left]
    collector = Collector(Scene(share.clone, share.policy, Mode.AUDIT, share.now, share.home), tags)
    for at in set(range(len(known))).difference(left):
        yield _known(collector, share, at, known[at])

    def look_ahead(places: Sequence[int]) -> None:
        collector.look_ahead([tags[at] for at in places if "signature" not in known[left[at]].said])

    for group in in_groups(collector.in_order(tags), look_ahead):
        for at in group:
            yield _judged(collector, share, left[at], known[left[at]])


def _known(collector: Collector, share: Share, at: int, known: Known) -> Judged:
    """Give the verdict on a tag of which all is known; the waivers are those of today."""
    evidence = replace(collector.outside(share.tags[at]), commit=known.commit)
    return Judged(at, judge(evidence, share.policy, known.said), Known(known.commit, {}))


def _judged(collector: Collector, share: Share, at: int, known: Known) -> Judged:
    update = share.tags[at]
    evidence = collector.evidence(update, known.said)
    unknown = (check for check in share.asked(update) if check not in known.said)
    news = {check: tuple(run_check(check, evidence, share.policy)) for check in unknown}
    verdict = judge(evidence, share.policy, {**known.said, **news})
    return Judged(at, verdict, Known(evidence.commit, news))
