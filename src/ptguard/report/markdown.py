"""The verdict in Markdown, for a job summary or a comment on a merge request.

Whatever is not ours stands in a code span: there neither CommonMark nor GitHub nor GitLab looks for HTML, links,
images, headings, @mentions, #references or formulas. Tables hold nothing foreign, for parsers disagree on ``\\|``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ptguard.errors import PtguardError
from ptguard.model import Finding, Location, Status, TagVerdict, Verdict
from ptguard.report.common import MAX_NAME, clean, page, said

_MARKS: Final = {
    Status.PASS: "✅",
    Status.FAIL: "❌",
    Status.ERROR: "❌",
    Status.WARN: "⚠️",
    Status.SKIP: "⚪",
    Status.WAIVED: "⚠️",
}
_QUIET: Final = (Status.PASS, Status.SKIP)


def verdict(verdict: Verdict, *, color: bool = False) -> str:
    """Give the whole report: each tag with what should be looked at in full, the rest in one line."""
    return "".join(parts(verdict, color=color))


def parts(verdict: Verdict, *, color: bool = False) -> Iterator[str]:
    """Give the same report in parts that each end a block, so that it may be cut between any two."""
    del color
    word = "accepted" if verdict.accepted else "refused"
    yield f"## ptguard: {word}\n\n"
    for note in verdict.notes:
        yield f"Note: {code(note)}\n\n"
    for tag in sorted(verdict.tags, key=lambda tag: tag.accepted):
        yield from _tag(tag)
    policy = verdict.policy
    at = f" at `{policy.commit[:12]}`" if policy.commit else ""
    stale = " (stale)" if policy.stale else ""
    yield f"Policy: {code(policy.source)}{at}, sha256 `{policy.sha256[:12]}`{stale}\n"


def error(error: PtguardError, *, color: bool = False) -> str:
    """Give what stopped the judging, every mistake of a policy in an item of its own."""
    del color
    first, *rest = said(error)
    lines = [f"## ptguard: refused\n\n❌ **{error.kind}** {code(first)}\n"]
    lines += [f"\n- {code(problem)}" for problem in rest] + (["\n"] if rest else [])
    if error.fix:
        lines.append(f"\nmend: {code(error.fix)}\n")
    return "".join(lines)


def _tag(tag: TagVerdict) -> Iterator[str]:
    yield f"### {code(tag.tag, MAX_NAME)}: {'accepted' if tag.accepted else 'refused'}\n\n"
    for finding in tag.findings:
        if finding.status not in _QUIET:
            yield _finding(finding)
    for status in _QUIET:
        quiet = dict.fromkeys(f.check for f in tag.findings if f.status is status)
        if quiet:
            yield f"- {_MARKS[status]} {status.value}: {', '.join(quiet)}\n"
    yield "\n" if tag.findings else "- ❌ nothing was checked\n\n"


def _finding(finding: Finding) -> str:
    link = f"[{finding.check}]({page(finding.check)})"
    lines = [f"- {_MARKS[finding.status]} {link} `{finding.reason}`: {code(finding.message)}"]
    rows = {"seen": finding.got, "expected": finding.expected, "where": _where(finding.location), "mend": finding.fix}
    lines += [f"  - {label}: {code(text)}" for label, text in rows.items() if text]
    return "\n".join(lines) + "\n"


def _where(location: Location | None) -> str | None:
    if location is None:
        return None
    return f"{location.path}:{location.line}" if location.line else location.path


def code(text: str, limit: int = 1000) -> str:
    """Give foreign text as one code span that nothing in it can end (CommonMark 0.31, 6.1)."""
    inner = clean(text, limit)
    longest = max((len(run) for run in re.findall("`+", inner)), default=0)
    fence = "`" * (longest + 1)
    # A reader takes one space from either end where both have one, unless there is nothing else.
    pad = " " if inner.strip(" ") and (inner[0] in "` " or inner[-1] in "` ") else ""
    return f"{fence}{pad}{inner}{pad}{fence}"
