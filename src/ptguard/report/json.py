"""The verdict as JSON, schema ``ptguard.verdict/1`` (src/ptguard/schema/verdict-1.json)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

from ptguard.errors import PolicyError, PtguardError
from ptguard.model import Finding, Location, TagVerdict, Verdict

SCHEMA: Final = "ptguard.verdict/1"


def verdict(verdict: Verdict, *, color: bool = False) -> str:
    """Give ``verdict`` as one JSON document; ``color`` has no meaning here."""
    del color
    return _document(
        {
            "schema": SCHEMA,
            "decision": decision(accepted=verdict.accepted),
            "mode": verdict.mode.value,
            "judged_at": _instant(verdict.judged_at),
            "policy": {
                "source": verdict.policy.source,
                "commit": verdict.policy.commit,
                "sha256": verdict.policy.sha256,
                "stale": verdict.policy.stale,
            },
            "notes": list(verdict.notes),
            "tags": [_tag(tag) for tag in verdict.tags],
        }
    )


def error(error: PtguardError, *, color: bool = False) -> str:
    """Give what stopped the judging as a JSON document that refuses."""
    del color
    said: dict[str, Any] = {"kind": error.kind, "message": error.message, "fix": error.fix}
    if isinstance(error, PolicyError):
        said["problems"] = list(error.problems)
    return _document({"schema": SCHEMA, "decision": decision(accepted=False), "error": said, "tags": []})


def decision(*, accepted: bool) -> str:
    """Give the word for a decision, as every format spells it."""
    return "accept" if accepted else "refuse"


def _document(value: dict[str, Any]) -> str:
    # ASCII only: names may hold lone surrogates or terminal escapes, and JSON has its own spelling for them.
    return json.dumps(value, indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def _tag(tag: TagVerdict) -> dict[str, Any]:
    return {
        "ref": tag.ref,
        "tag": tag.tag,
        "object": tag.object,
        "commit": tag.commit,
        "decision": decision(accepted=tag.accepted),
        "findings": [_finding(finding) for finding in tag.findings],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "check": finding.check,
        "status": finding.status.value,
        "reason": finding.reason,
        "message": finding.message,
        "got": finding.got,
        "expected": finding.expected,
        "fix": finding.fix,
        "location": _location(finding.location),
        "signer": finding.signer,
        "fingerprint": finding.fingerprint,
    }


def _location(location: Location | None) -> dict[str, Any] | None:
    if location is None:
        return None
    return {"path": location.path, "line": location.line, "commit": location.commit}


def _instant(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
