"""The JSON document: its schema, its words, its bytes."""

import json
from typing import Any

import jsonschema
import pytest

from ptguard.errors import PolicyError, PtguardError, UsageError
from ptguard.model import Finding, Location, Mode, PolicySource, Status, TagVerdict, Verdict
from ptguard.report import FORMATS, load
from ptguard.report.json import error, verdict
from ptguard.resources import resource
from tests.build import COMMIT, NOW, TAG

SOURCE = PolicySource("refs/remotes/origin/main", COMMIT, "0" * 64)
PASS = Finding.passed("annotated", "an annotated tag")
FAIL = Finding(
    "changelog", Status.FAIL, "missing-section", "no section", "v2.8.1", "v2.9.0", "write it",
    Location("CHANGELOG.md", 7, COMMIT),
)  # fmt: skip


@pytest.fixture(scope="module")
def schema() -> Any:
    loaded = json.loads(resource("schema/verdict-1.json").read_text())
    jsonschema.Draft202012Validator.check_schema(loaded)
    return jsonschema.Draft202012Validator(loaded)


def whole(*findings: Finding) -> Verdict:
    tag = TagVerdict("refs/tags/v2.9.0", "v2.9.0", TAG, COMMIT, findings)
    return Verdict(Mode.VERIFY, NOW, SOURCE, (tag,), ("a note",))


def test_an_accepted_and_a_refused_tag(schema: Any) -> None:
    good, bad = (json.loads(verdict(whole(*f))) for f in ((PASS,), (PASS, FAIL)))
    for document in (good, bad):
        schema.validate(document)
        assert document["schema"] == "ptguard.verdict/1" and document["judged_at"] == "2026-11-22T12:00:00Z"
    assert good["decision"] == good["tags"][0]["decision"] == "accept"
    assert bad["decision"] == bad["tags"][0]["decision"] == "refuse"
    assert bad["tags"][0]["findings"][1]["location"] == {"path": "CHANGELOG.md", "line": 7, "commit": COMMIT}
    assert bad["policy"] == {"source": SOURCE.source, "commit": COMMIT, "sha256": "0" * 64, "stale": False}


def test_a_deletion_has_neither_object_nor_commit(schema: Any) -> None:
    tag = TagVerdict("refs/tags/v1", "v1", None, None, (PASS,))
    document = json.loads(verdict(Verdict(Mode.PUSH, NOW, SOURCE, (tag,))))
    schema.validate(document)
    assert document["tags"][0]["object"] is document["tags"][0]["commit"] is None


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (UsageError("no such tag", fix="git fetch"), "usage"),
        (PolicyError("bad policy", problems=("a: b",)), "policy"),
        (PtguardError("broken"), "error"),
    ],
)
def test_what_stopped_the_judging_refuses(schema: Any, raised: PtguardError, kind: str) -> None:
    document = json.loads(error(raised))
    schema.validate(document)
    assert document["decision"] == "refuse" and document["tags"] == [] and document["error"]["kind"] == kind


def test_hostile_text_stays_inside_its_string(schema: Any) -> None:
    evil = Finding.passed("annotated", 'a"},{"decision":"accept"}\n\x1b[31m\u202e\udcff')
    text = verdict(whole(evil))
    assert text.isascii() and "\x1b" not in text
    assert json.loads(text)["tags"][0]["findings"][0]["message"] == evil.message


def test_the_schema_can_fail(schema: Any) -> None:
    document = json.loads(verdict(whole(PASS)))
    bends: tuple[dict[str, object], ...] = (
        {"decision": "maybe"},
        {"schema": "ptguard.verdict/2"},
        {"error": {}},
        {"mode": "other"},
    )
    for bend in bends:
        with pytest.raises(jsonschema.ValidationError):
            schema.validate({**document, **bend})
    document["tags"][0]["findings"] = []
    with pytest.raises(jsonschema.ValidationError):
        schema.validate(document)


def test_formats_load_by_name_only() -> None:
    assert all(hasattr(load(name), "verdict") and hasattr(load(name), "error") for name in FORMATS)
    with pytest.raises(ValueError, match="evil"):
        load("evil")
