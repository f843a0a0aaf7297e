"""JUnit XML: a case for each tag and check, read back by junitparser and by expat."""

from collections import Counter
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from junitparser import Error, Failure, JUnitXml, Skipped

from ptguard.errors import PtguardError
from ptguard.model import Status, Verdict
from ptguard.report.junit import error, verdict
from ptguard.value import replace
from tests.report.hostile import errors, sample, verdicts

# The Jenkins xUnit plugin's junit-10.xsd: what may stand below what, with which attributes.
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"properties", "testcase"},
    "properties": {"property"},
    "property": set(),
    "testcase": {"skipped", "error", "failure", "system-out"},
    "skipped": set(),
    "error": set(),
    "failure": set(),
    "system-out": set(),
}
ATTRIBUTES = {
    "testsuites": {"name", "tests", "failures", "errors"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time", "timestamp"},
    "properties": set(),
    "property": {"name", "value"},
    "testcase": {"classname", "name", "time"},
    "skipped": {"message"},
    "error": {"message", "type"},
    "failure": {"message", "type"},
    "system-out": set(),
}


def read(text: str) -> JUnitXml:
    """Give the report as junitparser reads it, whose elements and sums are right."""
    assert text.isascii() and text.startswith("<?xml version='1.0' encoding='utf-8'?>\n<testsuites ")
    root = ElementTree.fromstring(text)
    for element in root.iter():
        assert set(element.attrib) <= ATTRIBUTES[element.tag]
        assert {child.tag for child in element} <= CHILDREN[element.tag]
    for suite in root:
        cases = suite.findall("testcase")
        counted = Counter(child.tag for case in cases for child in case)
        assert int(suite.attrib["tests"]) == len(cases)
        for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.attrib[name]) == counted[tag]
        assert all(sum(child.tag != "system-out" for child in case) <= 1 for case in cases)
    for name in ("tests", "failures", "errors"):
        assert int(root.attrib[name]) == sum(int(suite.attrib[name]) for suite in root)
    return JUnitXml.fromstring(text.encode())


def kinds(xml: JUnitXml) -> list[tuple[str, str, list[str]]]:
    """Give each case with its suite and how it came out."""
    return [(suite.name, case.name, [type(r).__name__ for r in case.result]) for suite in xml for case in suite]


def test_each_check_of_each_tag_is_a_case() -> None:
    xml = read(verdict(sample().bad))
    assert kinds(xml) == [
        ("v2.9.0", "annotated", []),
        ("v2.9.0", "signature", ["Skipped"]),
        ("v2.9.0", "branch", []),
        ("v2.9.0", "changelog", ["Failure"]),
        ("v2.9.0", "version", ["Failure"]),
        ("v2.9.0", "immutable", ["Error"]),
        ("v2.8.0", "annotated", []),
    ]
    cases = {case.name: case for suite in xml for case in suite if suite.name == "v2.9.0"}
    (failure,) = cases["changelog"].result
    assert (failure.type, failure.message) == ("missing-section", "missing-section: no section")
    assert failure.text == (
        "missing-section: no section\nseen: v2.8.1\nexpected: v2.9.0\nmend: write it\nwhere: CHANGELOG.md:7"
    )
    assert cases["changelog"].system_out == "warn: no-date: no date\nwhere: CHANGELOG.md:7"
    assert cases["branch"].system_out == "waived: waived: waived by li-wei"
    assert cases["changelog"].classname == "ptguard.v2.9.0"


def test_an_accepted_tag_is_all_passed_and_names_its_policy() -> None:
    text = verdict(sample().good)
    assert kinds(read(text)) == [("v2.9.0", "annotated", [])]
    properties = {p.attrib["name"]: p.attrib["value"] for p in ElementTree.fromstring(text).iter("property")}
    assert properties["policy"] == "refs/remotes/origin/main" and properties["mode"] == "verify"


def test_what_stopped_the_judging_is_an_error() -> None:
    xml = read(error(sample().error))
    ((suite, name, (kind,)),) = kinds(xml)
    assert (suite, name, kind) == ("ptguard", "judging", "Error")
    (found,) = next(iter(next(iter(xml)))).result
    assert found.text == "2 mistakes\np: a\np: b\nmend: ptguard policy-check"


def test_a_tag_of_which_nothing_was_checked_is_an_error() -> None:
    bad = sample().bad
    assert kinds(read(verdict(replace(bad, tags=(replace(bad.tags[0], findings=()),))))) == [
        ("v2.9.0", "policy", ["Error"])
    ]


@settings(deadline=None)
@given(verdicts)
def test_hostile_words_make_no_element_and_hide_no_refusal(hostile: Verdict) -> None:
    xml = read(verdict(hostile))
    for suite, tag in zip(xml, hostile.tags, strict=True):
        expected = dict.fromkeys(f.check for f in tag.findings) or {"policy": None}
        assert [case.name for case in suite] == list(expected)
        for case in suite:
            found = [f for f in tag.findings if f.check == case.name]
            outcome = {type(r) for r in case.result}
            if any(f.status is Status.ERROR for f in found) or not found:
                assert outcome == {Error}
            elif any(f.status is Status.FAIL for f in found):
                assert outcome == {Failure}
            else:
                assert outcome == ({Skipped} if {f.status for f in found} == {Status.SKIP} else set())


@settings(deadline=None)
@given(errors)
def test_hostile_errors_are_one_error(hostile: PtguardError) -> None:
    ((_, _, outcome),) = kinds(read(error(hostile)))
    assert outcome == ["Error"]


@pytest.mark.parametrize(
    "text",
    [
        "<testsuites name='x' tests='0' failures='0' errors='0'><evil/></testsuites>",
        "<testsuites name='x' tests='1' failures='0' errors='0'></testsuites>",
    ],
)
def test_the_reader_can_fail(text: str) -> None:
    with pytest.raises((AssertionError, KeyError)):
        read(f"<?xml version='1.0' encoding='utf-8'?>\n{text}")
