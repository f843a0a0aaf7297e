"""Evidence and policies for the tests of checks: complete and good, to be bent one part at a time."""

from datetime import UTC, datetime
from typing import Any

from ptguard.model import (
    Evidence,
    Limits,
    Mode,
    Policy,
    PolicySource,
    RefUpdate,
    RemoteState,
    RuleMatch,
    Tagger,
    TagObject,
    TagRule,
)
from ptguard.value import replace

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
COMMIT, TAG, OTHER = "c" * 40, "a" * 40, "b" * 40
RULE = TagRule("v*", ("annotated", "signature", "immutable", "branch"), ("li-wei",), ("main", "release/*"))
REMOTE = RemoteState("origin", {}, {"refs/heads/main": COMMIT})


def tag_object(name: str = "v2.9.0", **changes: Any) -> TagObject:
    """Give a well-formed unsigned tag object that names COMMIT."""
    tagger = Tagger("Li Wei", "li.wei@example.com", NOW)
    return replace(TagObject(TAG, COMMIT, "commit", name, tagger, "Release\n", b"", None), **changes)


def evidence(name: str = "v2.9.0", **changes: Any) -> Evidence:
    """Give the evidence of a new annotated tag ``name`` on COMMIT, pushed to origin."""
    ref = f"refs/tags/{name}"
    base = Evidence(
        RefUpdate(ref, TAG, ref, None),
        Mode.PUSH,
        NOW,
        RuleMatch(RULE, name.removeprefix("v"), None),
        REMOTE,
        object_type="tag",
        tag=tag_object(name),
        commit=COMMIT,
    )
    return replace(base, **changes)


def policy(**changes: Any) -> Policy:
    """Give a policy with one rule and nothing else in it."""
    base = Policy(
        source=PolicySource("refs/remotes/origin/main", COMMIT, "0" * 64),
        trust_branch=None,
        rules=(RULE,),
        unmatched="refuse",
        signers={},
        changelog_paths=("CHANGELOG.md",),
        version_sources=("pyproject.toml",),
        candidates="exact",
        image=None,
        smoke=None,
        limits=Limits(),
        audit_since=None,
        waivers=(),
    )
    return replace(base, **changes)
