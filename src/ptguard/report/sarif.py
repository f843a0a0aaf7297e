"""SARIF 2.1.0, for code scanning.

Source: OASIS, Static Analysis Results Interchange Format (SARIF) Version 2.1.0; what GitHub asks for beside it stands
in its page "SARIF support for code scanning".
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from ptguard import HOMEPAGE, __version__
from ptguard.errors import PtguardError
from ptguard.model import Location, Status, Verdict
from ptguard.report.common import MAX_NAME, POLICY_FILE, Told, clean, page, place, rows, said, sentence, told

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS: Final = {
    Status.ERROR: "error",
    Status.FAIL: "error",
    Status.WARN: "warning",
    Status.WAIVED: "note",
}
# RFC 3986, unreserved, and the slash between segments; a colon in the first segment would make a scheme of it.
_PLAIN: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")


def verdict(verdict: Verdict, *, color: bool = False) -> str:
    """Give one run with a result for each finding to look at, the worst first, and a rule for each reason in it."""
    del color
    found = told(verdict)
    checks = {one.rule: one.finding.check for one in found}
    order = {rule: number for number, rule in enumerate(checks)}
    results = [_result(one, order[one.rule]) for one in found]
    rules = [_rule(rule, page(check), f"ptguard explain {rule}") for rule, check in checks.items()]
    return _document(rules, results, {"executionSuccessful": True})


def error(error: PtguardError, *, color: bool = False) -> str:
    """Give what stopped the judging: a run that did not succeed, with a result for each thing said."""
    del color
    rule = f"ptguard/{error.kind}"
    lines = list(said(error))
    lines[0] += f"\nmend: {clean(error.fix)}" if error.fix else ""
    results = [
        {
            "ruleId": rule,
            "ruleIndex": 0,
            "level": "error",
            "message": {"text": _plain(line)},
            "locations": [_location(Location(POLICY_FILE))],
            "partialFingerprints": _fingerprints(hashlib.sha256(f"{rule}\0{number}".encode()).hexdigest()),
        }
        for number, line in enumerate(lines)
    ]
    note = {"level": "error", "message": {"text": _plain(lines[0])}, "descriptor": {"id": rule}}
    invocation = {"executionSuccessful": False, "toolExecutionNotifications": [note]}
    described = _rule(rule, f"{HOMEPAGE}/blob/main/docs/reference.md#exit-codes", "nothing was judged: refused")
    return _document([described], results, invocation)


def _document(rules: list[dict[str, Any]], results: list[dict[str, Any]], invocation: dict[str, Any]) -> str:
    driver = {"name": "ptguard", "version": __version__, "informationUri": HOMEPAGE, "rules": rules}
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": "ptguard/"},
        "columnKind": "unicodeCodePoints",
        "invocations": [invocation],
        "results": results,
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=True) + "\n"


def _rule(rule: str, address: str, help_: str) -> dict[str, Any]:
    return {
        "id": rule,
        "name": "".join(part.capitalize() for part in rule.replace("/", "-").split("-")),
        "shortDescription": {"text": rule},
        "fullDescription": {"text": f"{rule}: {address}"},
        "help": {"text": help_},
        "helpUri": address,
    }


def _result(one: Told, index: int) -> dict[str, Any]:
    finding = one.finding
    words = [sentence(one), *(f"{label}: {text}" for label, text in rows(finding))]
    result: dict[str, Any] = {
        "ruleId": one.rule,
        "ruleIndex": index,
        "level": LEVELS[finding.status],
        "message": {"text": _plain("\n".join(words))},
        "locations": [_location(place(finding))],
        "partialFingerprints": _fingerprints(one.known_by),
        "properties": {
            "tag": clean(one.tag.tag, MAX_NAME),
            "object": one.tag.object,
            "commit": one.tag.commit,
            "status": finding.status.value,
        },
    }
    if finding.status is Status.WAIVED:
        result["suppressions"] = [{"kind": "external", "status": "accepted"}]
    return result


def _plain(text: str) -> str:
    """Give ``text`` so that no viewer finds a link (3.11.6) or a placeholder (3.11.5) in it."""
    for char in "\\[]":
        text = text.replace(char, f"\\{char}")
    return text.replace("{", "{{").replace("}", "}}")


def _location(where: Location) -> dict[str, Any]:
    artifact = {"uri": _relative(where.path), "uriBaseId": "%SRCROOT%"}
    return {"physicalLocation": {"artifactLocation": artifact, "region": {"startLine": where.line or 1}}}


def _relative(path: str) -> str:
    """Give a path below the root as a relative reference (RFC 3986, 4.2), byte for byte as git has it."""
    try:
        data = path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        data = path.encode("utf-8", "surrogatepass")
    return "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in data)


def _fingerprints(known_by: str) -> dict[str, str]:
    # GitHub reads the first name only; without it two tags with one trouble would become one alert.
    return {"primaryLocationLineHash": known_by, "ptguardFinding/v1": known_by}
