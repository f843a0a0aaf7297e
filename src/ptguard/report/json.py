"""The verdict as JSON, schema ``ptguard.verdict/1`` (src/ptguard/schema/verdict-1.json)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

from ptguard.errors import PolicyError, PtguardError
from ptguard.model import Finding, Location, Mode, PolicyChange, PolicySource, TagVerdict, Verdict

SCHEMA: Final = "ptguard.verdict/1"


def verdict(verdict: Verdict, *, color: bool = False) -> str:
    """Give ``verdict`` as one JSON document; ``color`` has no meaning here."""
    del color
    said: dict[str, Any] = {
        "schema": SCHEMA,
        "decision": decision(accepted=verdict.accepted),
        "mode": verdict.mode.value,
        "judged_at": instant(verdict.judged_at),
        "policy": policy_object(verdict.policy),
        "notes": list(verdict.notes),
        "tags": [_tag(tag) for tag in verdict.tags],
    }
    if verdict.mode is Mode.AUDIT:
        said["policy_changes"] = [_change(change) for change in verdict.changes]
    return document(said)


def error(error: PtguardError, *, color: bool = False) -> str:
    """Give what stopped the judging as a JSON document that refuses."""
    del color
    said = {"schema": SCHEMA, "decision": decision(accepted=False), "error": error_object(error), "tags": []}
    return document(said)


def error_object(error: PtguardError) -> dict[str, Any]:
    """Give what stopped the judging, as the document has it."""
    said: dict[str, Any] = {"kind": error.kind, "message": error.message, "fix": error.fix}
    if isinstance(error, PolicyError):
        said["problems"] = list(error.problems)
    return said


def decision(*, accepted: bool) -> str:
    """Give the word for a decision, as every format spells it."""
    return "accept" if accepted else "refuse"


def document(value: dict[str, Any]) -> str:
    """Give ``value`` as the text of a JSON document, ending in a line break."""
    # ASCII only: names may hold lone surrogates or terminal escapes, and JSON has its own spelling for them.
    return json.dumps(value, indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def policy_object(source: PolicySource) -> dict[str, Any]:
    """Give which policy decided, as the document has it."""
    return {"source": source.source, "commit": source.commit, "sha256": source.sha256, "stale": source.stale}


def _tag(tag: TagVerdict) -> dict[str, Any]:
    return {
        "ref": tag.ref,
        "tag": tag.tag,
        "object": tag.object,
        "commit": tag.commit,
        "decision": decision(accepted=tag.accepted),
        "findings": [finding_object(finding) for finding in tag.findings],
    }


def finding_object(finding: Finding) -> dict[str, Any]:
    """Give one finding as the document has it."""
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


def _change(change: PolicyChange) -> dict[str, Any]:
    return {
        "commit": change.commit,
        "at": instant(change.at),
        "by": change.by,
        "paths": list(change.paths),
        "reason": change.reason,
        "message": change.message,
        "signer": change.signer,
        "fingerprint": change.fingerprint,
        "allowed": change.allowed,
    }


def _location(location: Location | None) -> dict[str, Any] | None:
    if location is None:
        return None
    return {"path": location.path, "line": location.line, "commit": location.commit}


def instant(when: datetime) -> str:
    """Give a time as the document has it: UTC, whole seconds."""
    return when.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
