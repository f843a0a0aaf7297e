"""JUnit XML: a suite for each tag, a test case for each of its checks, so that what passed shows too.

Source: the Jenkins xUnit plugin's junit-10.xsd, which GitLab, Jenkins and Azure DevOps read a part of.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC
from typing import Final

from ptguard.errors import PtguardError
from ptguard.model import Finding, Status, TagVerdict, Verdict
from ptguard.report.common import MAX_NAME, clean, place, rows, said

_NOTHING: Final = Finding("policy", Status.ERROR, "could-not-decide", "nothing was checked")
_HEAD: Final = "<?xml version='1.0' encoding='utf-8'?>\n"


def verdict(verdict: Verdict, *, color: bool = False) -> str:
    """Give the whole report; what is waived or warned of passes and is said in ``system-out``."""
    del color
    when = verdict.judged_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    policy = {"policy": verdict.policy.source, "policy-sha256": verdict.policy.sha256, "mode": verdict.mode.value}
    policy |= {"policy-commit": verdict.policy.commit} if verdict.policy.commit else {}
    return _suites([_suite(tag, when, policy) for tag in verdict.tags])


def error(error: PtguardError, *, color: bool = False) -> str:
    """Give what stopped the judging as one test case with an error."""
    del color
    lines = [*said(error), *([f"mend: {clean(error.fix)}"] if error.fix else [])]
    outcome = _outcome("error", error.kind, lines[0], lines)
    case = _element("testcase", {"classname": "ptguard", "name": "judging", "time": "0"}, [outcome])
    counted = {"tests": "1", "failures": "0", "errors": "1", "skipped": "0"}
    return _suites([({"name": "ptguard", **counted}, [case])])


Suite = tuple[dict[str, str], list[str]]


def _suites(suites: list[Suite]) -> str:
    names = ("tests", "failures", "errors", "skipped")
    sums = {name: str(sum(int(attributes[name]) for attributes, _ in suites)) for name in names[:3]}
    inner = [_element("testsuite", attributes, children) for attributes, children in suites]
    return _HEAD + _element("testsuites", {"name": "ptguard", **sums}, inner) + "\n"


def _suite(tag: TagVerdict, when: str, policy: dict[str, str]) -> Suite:
    name = clean(tag.tag, MAX_NAME)
    checks = dict.fromkeys(f.check for f in tag.findings) if tag.findings else {_NOTHING.check: None}
    cases, kinds = [], []
    for check in checks:
        findings = [f for f in tag.findings if f.check == check] or [_NOTHING]
        kind = _kind(findings)
        kinds.append(kind)
        attributes = {"classname": f"ptguard.{name}", "name": check, "time": "0"}
        cases.append(_element("testcase", attributes, [*_outcomes(kind, findings), *_remarks(findings)]))
    attributes = {
        "name": name,
        "tests": str(len(cases)),
        "failures": str(kinds.count("failure")),
        "errors": str(kinds.count("error")),
        "skipped": str(kinds.count("skipped")),
        "time": "0",
        "timestamp": when,
    }
    known = [_element("property", {"name": key, "value": clean(text)}, []) for key, text in policy.items()]
    return attributes, [_element("properties", {}, known), *cases]


def _kind(findings: list[Finding]) -> str:
    said_of = {f.status for f in findings}
    if Status.ERROR in said_of:
        return "error"
    if Status.FAIL in said_of:
        return "failure"
    return "skipped" if said_of == {Status.SKIP} else ""


def _outcomes(kind: str, findings: list[Finding]) -> Iterator[str]:
    """Give the one element that says how a case came out; none for one that passed."""
    if not kind:
        return
    wanted = [f for f in findings if f.refuses] or findings
    lines = [line for finding in wanted for line in _lines(finding)]
    if kind == "skipped":
        yield _element("skipped", {"message": lines[0]}, [])
    else:
        yield _outcome(kind, wanted[0].reason, lines[0], lines)


def _remarks(findings: list[Finding]) -> Iterator[str]:
    lines = [line for f in findings if f.status in (Status.WARN, Status.WAIVED) for line in _lines(f)]
    if lines:
        yield "<system-out>" + _text("\n".join(lines)) + "</system-out>"


def _lines(finding: Finding) -> Iterator[str]:
    word = "" if finding.status not in (Status.WARN, Status.WAIVED) else f"{finding.status.value}: "
    yield f"{word}{finding.reason}: {clean(finding.message)}"
    yield from (f"{label}: {text}" for label, text in rows(finding))
    if finding.location is not None:
        where = place(finding)
        yield f"where: {clean(where.path)}:{where.line or 1}"


def _outcome(kind: str, reason: str, message: str, lines: Iterable[str]) -> str:
    attributes = " ".join(f'{name}="{_text(text)}"' for name, text in (("message", message), ("type", reason)))
    return f"<{kind} {attributes}>" + _text("\n".join(lines)) + f"</{kind}>"


def _element(name: str, attributes: dict[str, str], children: list[str]) -> str:
    head = "".join(f' {key}="{_text(text)}"' for key, text in attributes.items())
    if not children:
        return f"<{name}{head}/>"
    return f"<{name}{head}>\n" + "\n".join(children) + f"\n</{name}>"


def _text(text: str) -> str:
    """Give ``text`` as ASCII character data that fits an attribute too.

    What XML forbids (controls, surrogates, U+FFFE, U+FFFF) has been made visible by ``clean`` before.
    """
    for char, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#39;")):
        text = text.replace(char, entity)
    return text.encode("ascii", "xmlcharrefreplace").decode("ascii")
