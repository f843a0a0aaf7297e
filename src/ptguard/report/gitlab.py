"""A Code Quality report for GitLab.

Source: GitLab's documentation, "Code Quality", section "Code Quality report format": a JSON array of objects with
``description``, ``check_name``, ``fingerprint``, ``severity``, ``location.path`` and ``location.lines.begin``.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from ptguard.errors import PtguardError
from ptguard.model import Location, Status, Verdict
from ptguard.report.common import POLICY_FILE, Told, clean, place, said, sentence, told

SEVERITIES: Final = {
    Status.ERROR: "blocker",
    Status.FAIL: "critical",
    Status.WARN: "minor",
    Status.WAIVED: "info",
}


def verdict(verdict: Verdict, *, color: bool = False) -> str:
    """Give one issue for each finding to look at, the worst first; an accepted tag without remarks has none."""
    del color
    return _document([_finding(one) for one in told(verdict)])


def error(error: PtguardError, *, color: bool = False) -> str:
    """Give what stopped the judging as issues of the policy file, each mistake one of its own."""
    del color
    lines = list(said(error))
    lines[0] += f" (mend: {clean(error.fix)})" if error.fix else ""
    issues = []
    for number, line in enumerate(lines):
        known_by = hashlib.sha256(f"{error.kind}\0{number}".encode()).hexdigest()
        issues.append(_issue(line, f"ptguard/{error.kind}", known_by, "blocker", Location(POLICY_FILE)))
    return _document(issues)


def _finding(one: Told) -> dict[str, Any]:
    finding = one.finding
    words = sentence(one) + (f" (mend: {clean(finding.fix)})" if finding.fix else "")
    return _issue(words, f"ptguard/{one.rule}", one.known_by, SEVERITIES[finding.status], place(finding))


def _issue(description: str, name: str, known_by: str, severity: str, where: Location) -> dict[str, Any]:
    return {
        "type": "issue",
        "description": description,
        "check_name": name,
        "fingerprint": known_by,
        "severity": severity,
        "categories": ["Security"],
        "location": {"path": clean(where.path), "lines": {"begin": where.line or 1}},
    }


def _document(issues: list[dict[str, Any]]) -> str:
    return json.dumps(issues, indent=2, ensure_ascii=True) + "\n"
