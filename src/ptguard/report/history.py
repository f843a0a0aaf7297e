"""An audit for a reader: one line a tag, what would not stand today and why, and how often each reason was given."""

from collections import Counter
from collections.abc import Collection, Iterator
from typing import Final

from ptguard.model import Status, TagVerdict, Verdict
from ptguard.text import shown

_MOST_NAME: Final = 40
_MOST_WHY: Final = 4


def parts(verdict: Verdict, uncounted: Collection[str], *, color: bool = False) -> Iterator[str]:
    """Give the report line by line, each with its line break; ``uncounted``: refs that are reported, not counted."""
    return (f"{line}\n" for line in _lines(verdict, uncounted, color=color))


def _lines(verdict: Verdict, uncounted: Collection[str], *, color: bool) -> Iterator[str]:
    for note in verdict.notes:
        yield f"ptguard: note: {shown(note, 1000)}"
    width = min(max((len(shown(tag.tag, _MOST_NAME)) for tag in verdict.tags), default=0), _MOST_NAME)
    signers = max((len(_signer(tag)) for tag in verdict.tags), default=0)
    for tag in verdict.tags:
        line = (
            f"{_mark(tag, color=color)} {shown(tag.tag, _MOST_NAME):<{width}}  {_signer(tag):<{signers}}  {_why(tag)}"
        )
        yield line.rstrip() + ("  (before [audit] since: not counted)" if tag.ref in uncounted else "")
    yield from _summary([tag for tag in verdict.tags if tag.ref not in uncounted], len(verdict.tags))
    yield from _changes(verdict)
    policy = verdict.policy
    at = f" at {policy.commit[:12]}" if policy.commit else ""
    yield f"policy: {shown(policy.source, 200)}{at}, sha256 {policy.sha256[:12]}"


def _changes(verdict: Verdict) -> Iterator[str]:
    """Name every change of the policy by whom and when."""
    if not verdict.changes:
        return
    yield ""
    yield "changes of the policy, newest first:"
    for change in verdict.changes:
        stands = {None: " ", True: "✓", False: "✗"}[change.allowed]
        signed = f"signed by {shown(change.signer, _MOST_NAME)}" if change.reason == "ok" and change.signer else ""
        why = signed or f"{change.reason}: {shown(change.message, 200)}"
        day = change.at.date().isoformat()
        yield f"{stands} {change.commit[:12]}  {day}  {shown(change.by, 80)}  {', '.join(change.paths)}  {why}"


def _summary(counted: list[TagVerdict], all_of_them: int) -> Iterator[str]:
    reasons = Counter(why for tag in counted for why in dict.fromkeys(_reasons(tag)))
    yield ""
    for why, count in sorted(reasons.items(), key=lambda item: (-item[1], item[0])):
        yield f"{count:>6}  {why}"
    standing = sum(tag.accepted for tag in counted)
    yield f"{standing:>6}  would stand today, of {len(counted)}" + (
        f" (and {all_of_them - len(counted)} not counted)" if all_of_them != len(counted) else ""
    )


def _reasons(tag: TagVerdict) -> list[str]:
    return [f"{f.check}/{f.reason}" for f in tag.findings if f.refuses]


def _why(tag: TagVerdict) -> str:
    """Give the reasons of a tag that would not stand, or what is odd about one that would."""
    found = list(dict.fromkeys(_reasons(tag)))
    if not found and not tag.accepted:
        found = ["nothing was checked"]
    if not found:
        odd = (f for f in tag.findings if f.status in (Status.WARN, Status.WAIVED))
        found = list(dict.fromkeys(f"{f.check}/{f.reason}" for f in odd))
    more = f" and {len(found) - _MOST_WHY} more" if len(found) > _MOST_WHY else ""
    return ", ".join(found[:_MOST_WHY]) + more


def _signer(tag: TagVerdict) -> str:
    return next((shown(f.signer, _MOST_NAME) for f in tag.findings if f.check == "signature" and f.signer), "-")


def _mark(tag: TagVerdict, *, color: bool) -> str:
    sign, code = ("✓", "32") if tag.accepted else ("✗", "31")
    return f"\x1b[{code}m{sign}\x1b[0m" if color else sign
