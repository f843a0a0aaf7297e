"""Annotations for GitHub Actions: workflow commands, and nothing else, on standard output.

Source: "Workflow commands for GitHub Actions", and the escaping of actions/toolkit (``@actions/core``, command.ts).
The job summary is the format ``markdown``; the command line puts it where ``GITHUB_STEP_SUMMARY`` says.
"""

from __future__ import annotations

from typing import Final

from ptguard.errors import PtguardError
from ptguard.model import Location, Status, Verdict
from ptguard.report.common import MAX_NAME, Told, clean, place, rows, said, sentence, told

SHOWN: Final = 10
"""GitHub shows that many annotations of a kind and step and drops the rest without a word."""
_KINDS: Final = {Status.ERROR: "error", Status.FAIL: "error", Status.WARN: "warning", Status.WAIVED: "notice"}


def verdict(verdict: Verdict, *, color: bool = False) -> str:
    """Give one annotation for each finding to look at, the worst first, and one that says the decision."""
    del color
    found = told(verdict)
    lines: list[str] = []
    for kind in ("error", "warning", "notice"):
        lines += _annotations(kind, [one for one in found if _KINDS[one.finding.status] == kind])
    if verdict.accepted:
        names = ", ".join(clean(tag.tag, MAX_NAME) for tag in verdict.tags[:SHOWN])
        more = f" and {len(verdict.tags) - SHOWN} more" if len(verdict.tags) > SHOWN else ""
        lines.append(_command("notice", "ptguard", None, f"accepted {names}{more}"))
    return "".join(lines)


def error(error: PtguardError, *, color: bool = False) -> str:
    """Give what stopped the judging as one annotation."""
    del color
    lines = [*said(error), *([f"mend: {clean(error.fix)}"] if error.fix else [])]
    return _command("error", f"ptguard ({error.kind})", None, "refused: " + "\n".join(lines))


def _annotations(kind: str, found: list[Told]) -> list[str]:
    shown = found if len(found) <= SHOWN else found[: SHOWN - 1]
    lines = [_annotation(kind, one) for one in shown]
    if len(shown) < len(found):
        left = found[len(shown) :]
        tags = len({one.tag.ref for one in left})
        lines.append(
            _command(
                kind, "ptguard", None, f"and {len(left)} more in {tags} tags: see the job summary or --format json"
            )
        )
    return lines


def _annotation(kind: str, one: Told) -> str:
    words = [sentence(one), *(f"{label}: {text}" for label, text in rows(one.finding))]
    return _command(kind, f"ptguard ({one.finding.check})", place(one.finding), "\n".join(words))


def _command(kind: str, title: str, where: Location | None, message: str) -> str:
    properties = {"title": title}
    if where is not None:
        properties["file"] = clean(where.path)
        properties["line"] = str(where.line or 1)
    told_as = ",".join(f"{name}={_property(text)}" for name, text in properties.items())
    return f"::{kind} {told_as}::{_data(message)}\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
