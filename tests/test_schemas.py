"""The JSON Schemas beside the verdict's: each is one, bites, and says of shared parts what the verdict's says.

Real output is held against them where the commands are tested (tests.support.held_against).
"""

import copy
import json
from typing import Any

import jsonschema
import pytest

from ptguard.cli import image, smoke_show, smoke_verify
from ptguard.resources import resource

ERROR = {"kind": "usage", "message": "there is no tag v9 here", "fix": None}
SIGNATURE = {"state": "good", "words": "good, by runner", "signer": "runner", "fingerprint": "SHA256:x"}
PROBLEM = {"reason": "malformed", "message": "it is no JSON", "fix": None}
FINDING = {"check": "smoke", "status": "fail", "reason": "wrong-tree", "message": "another tree"}
GOOD: dict[str, dict[str, Any]] = {
    "smoke-show-1.json": {
        "schema": smoke_show.SCHEMA,
        "records": [{"path": "x.json", "record": {"_type": "x"}, "signature": SIGNATURE, "problem": None}],
    },
    "smoke-verify-1.json": {
        "schema": smoke_verify.SCHEMA,
        "decision": "refuse",
        "record": "x.json",
        "commit": "0" * 40,
        "judged_at": "2026-11-22T12:00:00Z",
        "policy": {"source": "refs/remotes/origin/main", "commit": None, "sha256": "0" * 64, "stale": False},
        "rules": [{"rule": "tree", "status": "fail", "words": "", "findings": [FINDING]}],
    },
    "image-show-1.json": {
        "schema": image.SCHEMA,
        "images": [
            {"source": "Dockerfile", "image": "x:1", "pinned": False, "line": 1, "facts": {"torch": "2.9.0"}},
            {"source": "compose.yml", "problem": PROBLEM},
        ],
    },
}
LISTS = {"smoke-show-1.json": "records", "smoke-verify-1.json": "rules", "image-show-1.json": "images"}


def schema(name: str) -> dict[str, Any]:
    loaded = json.loads(resource(f"schema/{name}").read_text("utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def valid(name: str, document: object) -> bool:
    return jsonschema.Draft202012Validator(schema(name)).is_valid(document)


@pytest.mark.parametrize("name", GOOD)
def test_each_is_a_schema_and_takes_what_is_good(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(name))
    assert schema(name)["$id"] == f"urn:ptguard:schema:{name.removesuffix('.json')}"
    assert valid(name, GOOD[name])
    assert valid(name, {**GOOD[name], "later": "a key that a newer ptguard adds"})
    stopped = {"schema": GOOD[name]["schema"], "decision": "refuse", "error": ERROR, LISTS[name]: []}
    assert valid(name, stopped)
    assert not valid(name, {**stopped, LISTS[name]: GOOD[name][LISTS[name]]})


def spoilt(document: Any) -> list[Any]:
    """Give copies of ``document``, each with one value of another kind, at whatever depth."""
    found: list[Any] = []
    pairs = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in pairs:
        for new in [7.5] if not isinstance(value, (dict, list)) else [7.5, *spoilt(value)]:
            made = copy.copy(document)
            made[key] = new
            found.append(made)
    return found


@pytest.mark.parametrize("name", GOOD)
def test_each_refuses_what_is_of_another_kind_or_missing(name: str) -> None:
    bent = [made for made in spoilt(GOOD[name]) if '"_type": 7.5' not in json.dumps(made)]
    assert len(bent) > 10
    assert [made for made in bent if valid(name, made)] == []
    for key in GOOD[name]:
        assert not valid(name, {k: v for k, v in GOOD[name].items() if k != key}), key
    for entry in GOOD[name][LISTS[name]]:
        for key in entry:
            less = {k: v for k, v in entry.items() if k != key}
            assert not valid(name, {**GOOD[name], LISTS[name]: [less]}), key


def test_what_they_share_with_the_verdict_is_the_same() -> None:
    verdict, one = schema("verdict-1.json"), schema("smoke-verify-1.json")
    assert one["$defs"]["finding"] == verdict["$defs"]["finding"]
    assert one["properties"]["policy"] == verdict["properties"]["policy"]
    for name in GOOD:
        assert schema(name)["properties"]["error"] == verdict["properties"]["error"]
