"""The form of the pushed object, accept and refuse cases beside each other."""

import re

import pytest

from ptguard.checks.annotated import REASONS, check, retag
from ptguard.model import Finding, Mode, Problem, RefUpdate, Status
from ptguard.parse.tag import parse_tag, too_large
from ptguard.resources import resource
from ptguard.value import replace
from tests.build import COMMIT, OTHER, REMOTE, TAG, evidence, policy, tag_object

REF = "refs/tags/v2.9.0"


def judged(name: str = "v2.9.0", **changes: object) -> list[Finding]:
    found = list(check(evidence(name, **changes), policy()))
    assert found
    assert {f.reason for f in found} <= set(REASONS)
    return found


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("name", ["v2.9.0", "-x", "pkg/v1", "v\u00a01", "v" * 200, "v\udcff"])
def test_a_well_formed_tag_passes(name: str, mode: Mode) -> None:
    (found,) = judged(name, mode=mode)
    assert (found.status, found.reason) == (Status.PASS, "ok")
    assert COMMIT[:12] in found.message
    assert "Li Wei" in found.message


@pytest.mark.parametrize("kind", ["commit", "tree", "blob"])
def test_a_lightweight_tag_is_refused(kind: str) -> None:
    (found,) = judged(object_type=kind, tag=None)
    assert (found.status, found.reason, found.got) == (Status.FAIL, "lightweight", f"a {kind}")
    assert found.fix == f"git tag -f -s -m v2.9.0 v2.9.0 {COMMIT}"


def test_a_tag_under_another_name_is_refused() -> None:
    (found,) = judged("v3.0.0", tag=tag_object("v2.9.0"))
    assert (found.status, found.reason, found.got) == (Status.FAIL, "name-mismatch", "tag v2.9.0")
    assert found.fix == f"git tag -f -s -m v3.0.0 v3.0.0 {COMMIT}"
    assert judged("v2.9.0", tag=tag_object("V2.9.0"))[0].reason == "name-mismatch"


def test_a_misspelled_ref_is_another_check_s() -> None:
    ref = "refs/Tags/v2.9.0"
    assert judged(update=RefUpdate(ref, TAG, ref, None))[0].reason == "ok"


def test_a_nested_tag_is_refused() -> None:
    (found,) = judged(tag=tag_object(target=OTHER, target_type="tag"))
    assert (found.status, found.reason) == (Status.FAIL, "nested")
    assert found.fix is not None
    assert found.fix.endswith(COMMIT)


@pytest.mark.parametrize("kind", ["tree", "blob"])
def test_a_tag_of_no_commit_is_refused(kind: str) -> None:
    (found,) = judged(tag=tag_object(target=OTHER, target_type=kind), commit=None)
    assert (found.status, found.reason, found.got) == (Status.FAIL, "not-a-commit", f"{kind} {OTHER}")


@pytest.mark.parametrize("commit", [None, OTHER])
def test_a_target_that_is_not_what_the_tag_says_is_refused(commit: str | None) -> None:
    assert judged(commit=commit)[0].reason == "not-a-commit"


def test_everything_that_is_wrong_is_said_at_once() -> None:
    found = judged("v3.0.0", tag=tag_object("v2.9.0", target=OTHER, target_type="tag"))
    assert [f.reason for f in found] == ["name-mismatch", "nested"]


@pytest.mark.parametrize("reason", ["malformed", "injected-header", "nul-byte", "too-large"])
def test_what_the_parser_refuses_is_passed_on_with_a_way_to_mend_it(reason: str) -> None:
    (found,) = judged(tag=Problem(reason, "words", "got", "expected"))
    assert (found.status, found.reason, found.message, found.got) == (Status.FAIL, reason, "words", "got")
    assert found.fix == f"git tag -f -s -m v2.9.0 v2.9.0 {COMMIT}"


def test_the_parser_has_no_reason_that_the_check_lacks() -> None:
    head = f"object {COMMIT}\ntype commit\ntag v1\ntagger A <a@b> 1 +0000\n".encode()
    raws = (b"", b"\0", head, head + b"gpgsig x\n\n", head + head + b"\n")
    found = [parse_tag(TAG, raw) for raw in raws] + [too_large(2, 1)]
    assert {f.reason for f in found if isinstance(f, Problem)} == {
        "malformed",
        "nul-byte",
        "injected-header",
        "too-large",
    }


@pytest.mark.parametrize("changes", [{"object_type": None}, {"tag": None}])
def test_what_was_not_collected_is_no_pass(changes: dict[str, object]) -> None:
    (found,) = judged("v2.9.0", **changes)
    assert (found.status, found.reason) == (Status.ERROR, "could-not-decide")


def test_a_tag_that_could_not_be_read_stays_undecided() -> None:
    problem = Problem("could-not-decide", "git failed", fix="git fsck", status=Status.ERROR)
    (found,) = judged(tag=problem)
    assert (found.status, found.fix) == (Status.ERROR, "git fsck")


def test_a_deletion_is_another_check_s() -> None:
    (found,) = judged(update=RefUpdate("(delete)", None, REF, TAG), object_type=None, tag=None)
    assert (found.status, found.reason) == (Status.SKIP, "not-applicable")


def test_the_command_that_mends_is_safe_to_paste() -> None:
    assert retag(evidence("v1; rm -rf ~")) == f"git tag -f -s -m 'v1; rm -rf ~' 'v1; rm -rf ~' {COMMIT}"
    assert retag(evidence("-x")) == f"git tag -f -s -m -x -- -x {COMMIT}"
    assert retag(evidence(commit=None)).endswith(" HEAD")
    published = retag(evidence(remote=replace(REMOTE, tags={REF: OTHER})))
    assert "-f" not in published
    assert "new name" in published


def test_the_page_lists_the_reasons() -> None:
    text = resource("docs/checks/annotated.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([a-z0-9-]+)` \|", text, re.MULTILINE) == list(REASONS)
