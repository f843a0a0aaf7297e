"""The declared version is the tag's; accept and refuse cases beside each other."""

import re

import pytest

from ptguard.checks.version import ID, REASONS, check
from ptguard.model import DeclaredVersion, Finding, Location, Mode, Policy, Problem, RuleMatch, Status, VersionEvidence
from ptguard.resources import resource
from tests.build import COMMIT, RULE, evidence, policy

PLACE = Location("pyproject.toml", 3, COMMIT)
RETAG = "git tag -d v2.9.0 && git tag -s v2.9.0 -m v2.9.0"


def of(value: str | None, path: str = "pyproject.toml") -> DeclaredVersion:
    return DeclaredVersion(value, Location(path, 3, COMMIT))


def judged(
    *declared: DeclaredVersion | Problem,
    name: str = "v2.9.0",
    judge: Policy | None = None,
    higher: tuple[str, ...] = (),
    **changes: object,
) -> list[Finding]:
    given = evidence(name, **{"version": VersionEvidence(declared, higher), **changes})
    found = list(check(given, judge or policy()))
    for finding in found:
        assert finding.check == ID
        assert finding.reason in REASONS
        if finding.status is Status.FAIL:
            assert finding.got and finding.expected and finding.fix
            assert "\n" not in finding.message + finding.got + finding.expected + finding.fix
    return found


def only(*declared: DeclaredVersion | Problem, **changes: object) -> tuple[Status, str]:
    (finding,) = judged(*declared, **changes)  # type: ignore[arg-type]
    return finding.status, finding.reason


@pytest.mark.parametrize("value", ["2.9.0", "2.9", "v2.9.0", "2.9.0.0"])
def test_an_equal_version_passes(value: str) -> None:
    (finding,) = judged(of(value))
    assert (finding.status, finding.reason, finding.location) == (Status.PASS, "ok", PLACE)


@pytest.mark.parametrize(
    "value", ["2.8.1", "12.9.0", "2.9.0rc1", "2.9.0.post1", "2.9.0+cu128", "2.9.0.dev0", "1!2.9.0"]
)
def test_another_version_is_refused(value: str) -> None:
    (finding,) = judged(of(value))
    assert (finding.status, finding.reason) == (Status.FAIL, "mismatch")
    assert (finding.got, finding.expected, finding.location) == (value, "2.9.0", PLACE)
    assert finding.fix == f"set 2.9.0 in pyproject.toml:3, commit, push the branch, then {RETAG}"


def test_a_candidate_may_carry_the_release_if_the_policy_says_so() -> None:
    base = policy(candidates="base")
    assert only(of("2.9.0"), name="v2.9.0rc1") == (Status.FAIL, "mismatch")
    assert only(of("2.9.0"), name="v2.9.0rc1", judge=base) == (Status.PASS, "ok")
    assert only(of("2.9.0rc1"), name="v2.9.0rc1", judge=base) == (Status.PASS, "ok")
    assert only(of("2.9.0rc1"), name="v2.9.0", judge=base) == (Status.FAIL, "mismatch")
    assert only(of("2.9.0"), name="v2.9.0.post1", judge=base) == (Status.FAIL, "mismatch")
    assert only(of("2.9.0rc2"), name="v2.9.0rc1", judge=base) == (Status.FAIL, "mismatch")


def test_sources_that_agree_and_sources_that_do_not() -> None:
    assert only(of("2.9.0"), of("2.9", "VERSION")) == (Status.PASS, "ok")
    (finding,) = judged(of("2.9.0"), of("2.8.1", "VERSION"))
    assert (finding.status, finding.reason) == (Status.FAIL, "conflict")
    assert finding.got == "2.9.0 in pyproject.toml:3, 2.8.1 in VERSION:3"
    assert finding.location == Location("VERSION", 3, COMMIT)
    assert (
        only(of("2.9.0"), of("2.9.0rc1", "VERSION"), name="v2.9.0rc1", judge=policy(candidates="base"))[1] == "conflict"
    )


def test_a_computed_version_is_skipped_and_frees_no_other_source() -> None:
    assert only(of(None)) == (Status.SKIP, "dynamic")
    assert [f.reason for f in judged(of(None), of("2.9.0", "VERSION"))] == ["ok", "dynamic"]
    assert [f.reason for f in judged(of(None), of("2.8.1", "VERSION"))] == ["mismatch", "dynamic"]


@pytest.mark.parametrize("value", ["what?", "2.9.x", "", "2.9.0-foo", " 2.9.0", "9" * 200])
def test_a_declared_version_that_is_none(value: str) -> None:
    assert only(of(value)) == (Status.FAIL, "not-pep440")


def test_a_tag_that_is_no_version() -> None:
    (finding,) = judged(of("2.9.0"), match=RuleMatch(RULE, "nightly", None))
    assert (finding.status, finding.reason) == (Status.FAIL, "not-pep440")
    assert finding.got == "nightly, by the pattern v*"


def test_a_tag_that_is_no_version_is_refused_without_sources_too() -> None:
    none = policy(version_sources=("none",))
    found = judged(judge=none, match=RuleMatch(RULE, "nightly", None))
    assert [(f.reason, f.status) for f in found] == [("not-pep440", Status.FAIL), ("not-applicable", Status.SKIP)]


def test_sources_that_declare_nothing() -> None:
    problem = Problem("no-source", "VERSION is not in the tagged tree", location=Location("VERSION", None, COMMIT))
    (finding,) = judged(problem)
    assert (finding.status, finding.reason, finding.got) == (Status.FAIL, "no-source", "no file VERSION")
    assert finding.fix == f"set 2.9.0 in VERSION, commit, push the branch, then {RETAG}"
    assert [f.reason for f in judged(problem, of("2.9.0"))] == ["no-source"]
    told = Problem("unreadable", "m", "g", "e", "f", PLACE)
    assert judged(told) == [Finding.of(ID, told)]
    assert only() == (Status.FAIL, "no-source")


def test_no_source_by_policy_still_asks_for_upward_releases() -> None:
    none = policy(version_sources=("none",))
    assert only(judge=none) == (Status.SKIP, "not-applicable")
    assert [f.reason for f in judged(judge=none, higher=("v2.10.0",))] == ["not-applicable", "not-newer"]


def test_a_release_that_goes_backward() -> None:
    (finding,) = judged(of("2.9.0"), higher=("v2.10.0", "v2.9.0.post1", "v3.0", "v4.0"))
    assert (finding.status, finding.reason) == (Status.FAIL, "not-newer")
    assert finding.got == "v2.10.0, v2.9.0.post1, v3.0, … on an earlier commit"
    assert str(finding.fix).startswith("git tag -d v2.9.0, then raise the version")


def test_what_was_not_collected_never_passes() -> None:
    assert only(version=None) == (Status.ERROR, "could-not-decide")
    assert only(of("2.9.0"), match=None) == (Status.ERROR, "could-not-decide")
    problem = Problem("could-not-decide", "git failed", status=Status.ERROR)
    assert only(version=problem) == (Status.ERROR, "could-not-decide")
    assert only(problem) == (Status.ERROR, "could-not-decide")
    assert only(of("2.9.0"), commit=None) == (Status.SKIP, "not-applicable")


def test_words_for_a_published_tag() -> None:
    (finding,) = judged(of("2.8.1"), mode=Mode.PUBLISHED)
    assert "git tag" not in str(finding.fix)


def test_the_page_lists_the_reasons() -> None:
    page = (resource("docs/checks") / f"{ID}.md").read_text("utf-8")
    assert re.findall(r"^\| `([a-z0-9-]+)` \|", page, re.MULTILINE) == list(REASONS)


def test_the_pages_example_is_real() -> None:
    page = (resource("docs/checks") / f"{ID}.md").read_text("utf-8")
    (finding,) = judged(of("2.8.1"))
    for words in (finding.message, finding.got, finding.expected, finding.fix):
        assert str(words) in page
