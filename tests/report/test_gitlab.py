"""The Code Quality report: the form that GitLab documents, fingerprints that stay and are never shared."""

import json
import re
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings

from ptguard.errors import PtguardError
from ptguard.model import Finding, Location, Verdict
from ptguard.report.common import told
from ptguard.report.gitlab import error, verdict
from ptguard.value import replace
from tests.report.hostile import errors, loaded, sample, verdicts

# Written from GitLab's table "Code Quality report format" and its five severities: GitLab publishes no schema of it.
SCHEMA = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "properties": {
            "type": {"const": "issue"},
            "description": {"type": "string", "pattern": r"^[^\x00-\x1f\x7f]+$"},
            "check_name": {"type": "string", "pattern": "^ptguard/[a-z0-9/-]+$"},
            "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "categories": {"type": "array", "items": {"type": "string"}},
            "location": {
                "type": "object",
                "required": ["path", "lines"],
                "properties": {
                    "path": {"type": "string", "minLength": 1, "not": {"pattern": r"^\./|^/|(^|/)\.\.(/|$)"}},
                    "lines": {
                        "type": "object",
                        "required": ["begin"],
                        "properties": {"begin": {"type": "integer", "minimum": 1}},
                    },
                },
            },
        },
    },
}


def issues(text: str) -> list[dict[str, Any]]:
    """Give the issues of a report that GitLab would take."""
    found = loaded(text)
    jsonschema.validate(found, SCHEMA)
    assert len({issue["fingerprint"] for issue in found}) == len(found)
    return list(found)


def test_severities_and_places() -> None:
    found = issues(verdict(sample().bad))
    assert [
        (i["severity"], i["check_name"], i["location"]["path"], i["location"]["lines"]["begin"]) for i in found
    ] == [
        ("blocker", "ptguard/immutable/unknown", ".ptguard/policy.toml", 1),
        ("critical", "ptguard/changelog/missing-section", "CHANGELOG.md", 7),
        ("critical", "ptguard/version/mismatch", ".ptguard/policy.toml", 1),
        ("minor", "ptguard/changelog/no-date", "CHANGELOG.md", 7),
        ("info", "ptguard/branch/waived", ".ptguard/policy.toml", 1),
    ]
    assert found[1]["description"] == "v2.9.0: missing-section: no section (mend: write it)"


def test_an_accepted_tag_leaves_no_issue() -> None:
    assert verdict(sample().good) == "[]\n"


def test_every_mistake_of_a_policy_is_an_issue() -> None:
    assert [i["description"] for i in issues(error(sample().error))] == [
        "2 mistakes (mend: ptguard policy-check)", "p: a", "p: b",
    ]  # fmt: skip


def test_a_fingerprint_outlives_words_and_lines_but_not_tag_check_reason_or_path() -> None:
    bad = sample().bad
    fail = bad.tags[0].findings[4]

    def fingerprint(finding: Finding, ref: str = "refs/tags/v2.9.0") -> str:
        tag = replace(bad.tags[0], ref=ref, findings=(finding,))
        return str(issues(verdict(replace(bad, tags=(tag,))))[0]["fingerprint"])

    here = fingerprint(fail)
    same = replace(fail, message="other words", got=None, location=Location("CHANGELOG.md", 99))
    assert fingerprint(same) == here
    others = {
        fingerprint(fail, "refs/tags/v2.9.1"),
        fingerprint(replace(fail, check="version")),
        fingerprint(replace(fail, reason="empty-section")),
        fingerprint(replace(fail, location=Location("docs/CHANGELOG.md", 7))),
    }
    assert len(others | {here}) == 5


def test_two_findings_alike_are_told_apart() -> None:
    bad = sample().bad
    fail = bad.tags[0].findings[4]
    assert len(issues(verdict(replace(bad, tags=(replace(bad.tags[0], findings=(fail, fail)),))))) == 2


@settings(deadline=None)
@given(verdicts)
def test_hostile_words_stay_in_their_strings(hostile: Verdict) -> None:
    distinct = replace(hostile, tags=tuple(replace(tag, ref=f"{tag.ref}{n}") for n, tag in enumerate(hostile.tags)))
    text = verdict(distinct)
    assert text.isascii()
    found = issues(text)
    assert len(found) == len(told(distinct))
    assert not any(
        re.search("[\u202a-\u202e\u2066-\u2069\u200b\ufeff]", json.dumps(i, ensure_ascii=False)) for i in found
    )
    assert any(i["severity"] in ("critical", "blocker") for i in found) != distinct.accepted


@settings(deadline=None)
@given(errors)
def test_hostile_errors_are_issues(hostile: PtguardError) -> None:
    found = issues(error(hostile))
    assert len(found) == 1 + len(getattr(hostile, "problems", ()))
    assert {i["severity"] for i in found} == {"blocker"}


@pytest.mark.parametrize("bend", [{"severity": "bad"}, {"fingerprint": ""}, {"location": {"path": "../x"}}])
def test_the_schema_can_fail(bend: dict[str, object]) -> None:
    found = issues(verdict(sample().bad))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate([{**found[0], **bend}], SCHEMA)
