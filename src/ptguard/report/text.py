"""The verdict for someone in a hurry: what failed, what was seen, the command that mends it, all at once."""

from collections.abc import Iterator
from typing import Final

from ptguard.errors import PolicyError, PtguardError
from ptguard.model import Finding, Location, Mode, Status, TagVerdict, Verdict
from ptguard.text import shown

_MARKS: Final = {
    Status.PASS: ("✓", "32"),
    Status.FAIL: ("✗", "31"),
    Status.ERROR: ("✗", "31"),
    Status.WARN: ("!", "33"),
    Status.SKIP: ("-", "2"),
    Status.WAIVED: ("~", "33"),
}
_WIDTH: Final = 11
_MAX_FIELD: Final = 1000
_NAMED: Final = 5


def verdict(verdict: Verdict, *, color: bool = False) -> str:
    """Give the whole report; the last lines of a refused push say what was refused and that nothing was pushed."""
    return "".join(parts(verdict, color=color))


def parts(verdict: Verdict, *, color: bool = False) -> Iterator[str]:
    """Give the same report line by line: ten thousand tags make ten megabytes, which nobody needs at once."""
    return (f"{line}\n" for line in _lines(verdict, color=color))


def error(error: PtguardError, *, color: bool = False) -> str:
    """Give what stopped the judging, every mistake of a policy on a line of its own."""
    lines = [f"ptguard: {_paint('refused', '31', color=color)}: {_clean(error.message)}"]
    if isinstance(error, PolicyError):
        lines += [f"  {_clean(problem)}" for problem in error.problems]
    if error.fix:
        lines.append(f"  mend      {_clean(error.fix)}")
    return "".join(f"{line}\n" for line in lines)


def _lines(verdict: Verdict, *, color: bool) -> Iterator[str]:
    for note in verdict.notes:
        yield f"ptguard: note: {_clean(note)}"
    for tag in verdict.tags:
        yield from _tag(tag, brief=verdict.mode is Mode.PUSH, color=color)
    yield from _summary(verdict, color=color)


def _tag(tag: TagVerdict, *, brief: bool, color: bool) -> Iterator[str]:
    word = _paint("accepted", "32", color=color) if tag.accepted else _paint("refused", "31", color=color)
    yield f"{_clean(tag.tag)}  {word}"
    quiet = (Status.PASS, Status.SKIP) if brief else ()
    for finding in tag.findings:
        if finding.status not in quiet:
            yield from finding_lines(finding, finding.check, color=color)
    passed = [f.check for f in tag.findings if f.status is Status.PASS]
    if brief and passed:
        yield f"  {_mark(Status.PASS, color=color)} {', '.join(dict.fromkeys(passed))}"


def finding_lines(finding: Finding, label: str, *, color: bool) -> Iterator[str]:
    """Give the lines of one finding; the first names it by ``label``, the others say both sides and what mends it."""
    reason = "" if finding.reason in ("ok", "waived") else f"{finding.reason}: "
    yield f"  {_mark(finding.status, color=color)} {label:<{_WIDTH}}{reason}{_clean(finding.message)}"
    rows = {"seen": finding.got, "expected": finding.expected, "where": _where(finding.location), "mend": finding.fix}
    for word, value in rows.items():
        if value:
            yield f"      {word:<10}{_clean(value)}"


def _where(location: Location | None) -> str | None:
    if location is None:
        return None
    return f"{location.path}:{location.line}" if location.line else location.path


def _summary(verdict: Verdict, *, color: bool) -> Iterator[str]:
    policy = verdict.policy
    at = f" at {policy.commit[:12]}" if policy.commit else ""
    stale = " (stale: git fetch)" if policy.stale else ""
    yield f"policy: {_clean(policy.source)}{at}, sha256 {policy.sha256[:12]}{stale}"
    refused = [tag for tag in verdict.tags if not tag.accepted]
    if not refused:
        yield f"ptguard: {_paint('accepted', '32', color=color)} {_names(verdict.tags)}"
        return
    if about := _explain(refused):
        yield f"more: ptguard explain {about}"
    yield f"ptguard: {_paint('refused', '31', color=color)} {_names(refused)}"
    for tag in refused[:_NAMED]:
        why = ", ".join(dict.fromkeys(f.check for f in tag.findings if f.refuses))
        yield f"  {_clean(tag.tag)}: {why or 'nothing was checked'}"
    if verdict.mode is Mode.PUSH:
        others = (
            f", also not the {len(verdict.tags) - len(refused)} accepted" if len(verdict.tags) > len(refused) else ""
        )
        yield f"Nothing was pushed{others}."


def _names(tags: tuple[TagVerdict, ...] | list[TagVerdict]) -> str:
    first = ", ".join(_clean(tag.tag) for tag in tags[:_NAMED])
    return first + (f" and {len(tags) - _NAMED} more" if len(tags) > _NAMED else "")


def _mark(status: Status, *, color: bool) -> str:
    sign, code = _MARKS[status]
    return _paint(sign, code, color=color)


def _paint(text: str, code: str, *, color: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if color else text


def _explain(refused: list[TagVerdict]) -> str | None:
    """Give the words that ``ptguard explain`` takes for the first refusal, where there is a page of it."""
    refusing = (f for tag in refused for f in tag.findings if f.refuses and f.check != "policy")
    first = next(refusing, None)
    return f"{first.check}/{first.reason}" if first else None


def _clean(text: str) -> str:
    # GitHub's runner looks for commands in this form anywhere in a line of a log (actions/runner, ActionCommand).
    return shown(text, _MAX_FIELD).replace("##[", "##\\x5b")
