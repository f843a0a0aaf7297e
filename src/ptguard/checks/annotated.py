"""The tag is an annotated tag object, well formed, under its own name, and names a commit."""

from collections.abc import Mapping, Sequence
from typing import Final

from ptguard.model import Evidence, Finding, Policy, Problem, Status, TagObject
from ptguard.text import sh, shown
from ptguard.value import replace

ID: Final = "annotated"
ORDER: Final = 10
REASONS: Final[Mapping[str, str]] = {
    "ok": "an annotated tag object under its own name that names a commit",
    "lightweight": "the ref points straight at a commit (or another object), not at a tag object",
    "name-mismatch": "the tag object was made under another name than the one it is pushed under",
    "nested": "the tag object names another tag",
    "not-a-commit": "the tag object names a tree, a blob, or no commit that is here",
    "malformed": "a header of the tag object is missing, doubled, out of order or not well formed",
    "injected-header": "the tag object has a header that no tag has",
    "too-large": "the tag object is larger than max-tag-bytes",
    "nul-byte": "the tag object holds a NUL byte",
    "not-applicable": "the push deletes the tag",
    "could-not-decide": "the pushed object could not be read",
}


def check(evidence: Evidence, policy: Policy) -> Sequence[Finding]:
    """Judge the form of the pushed object; everything that is wrong with it is said at once."""
    del policy
    tag = evidence.tag
    if evidence.update.deletion:
        return [Finding(ID, Status.SKIP, "not-applicable", "the push deletes the tag")]
    if evidence.object_type is None:
        return [Finding(ID, Status.ERROR, "could-not-decide", "the pushed object is not here")]
    if evidence.object_type != "tag":
        return [_lightweight(evidence, evidence.object_type)]
    if tag is None:
        return [Finding(ID, Status.ERROR, "could-not-decide", "the tag object was not read")]
    if isinstance(tag, Problem):
        return [Finding.of(ID, replace(tag, fix=tag.fix or retag(evidence)))]
    wrong = [*_name(evidence, tag), *_target(evidence, tag)]
    return wrong or [
        Finding.passed(ID, f"an annotated tag of commit {tag.target[:12]} by {shown(tag.tagger.name, 80)}")
    ]


def retag(evidence: Evidence) -> str:
    """Give the command that makes the tag anew, annotated and signed; a published tag is only followed by another."""
    commit = evidence.commit or "HEAD"
    if evidence.update.remote_ref in evidence.remote.tags:
        return f"a published tag stays as it is; release again under a new name: git tag -s NEW-NAME {commit[:12]}"
    end = ["--"] if evidence.name.startswith("-") else []
    return sh("git", "tag", "-f", "-s", "-m", evidence.name, *end, evidence.name, commit)


def _fail(evidence: Evidence, reason: str, message: str, got: str, expected: str) -> Finding:
    return Finding(ID, Status.FAIL, reason, message, got, expected, retag(evidence))


def _lightweight(evidence: Evidence, kind: str) -> Finding:
    message = (
        f"{shown(evidence.name)} is a lightweight tag: only a name for a {kind}, with no tagger, message or signature"
    )
    return _fail(evidence, "lightweight", message, f"a {kind}", "an annotated, signed tag object")


def _name(evidence: Evidence, tag: TagObject) -> Sequence[Finding]:
    if tag.name == evidence.name:
        return []
    message = "the tag object was made under another name, and what was signed is that name"
    return [
        _fail(evidence, "name-mismatch", message, f"tag {shown(tag.name, 120)}", f"tag {shown(evidence.name, 120)}")
    ]


def _target(evidence: Evidence, tag: TagObject) -> Sequence[Finding]:
    if tag.target_type == "tag":
        message = "the tag object names another tag, so what is signed is not the release"
        return [_fail(evidence, "nested", message, f"tag {tag.target}", "a commit")]
    if tag.target_type != "commit":
        message = f"the tag object names a {tag.target_type}"
        return [_fail(evidence, "not-a-commit", message, f"{tag.target_type} {tag.target}", "a commit")]
    if evidence.commit != tag.target:
        message = "the tag object calls its target a commit, but there is no such commit here"
        return [_fail(evidence, "not-a-commit", message, tag.target, "a commit")]
    return []
