"""Annotations: the runner obeys exactly those, whatever stands in a tag."""

import pytest
from hypothesis import given, settings

from ptguard.errors import PtguardError
from ptguard.model import Finding, Status, Verdict
from ptguard.report.common import clean, place, sentence, told
from ptguard.report.github import SHOWN, error, verdict
from ptguard.value import replace
from tests.report.hostile import errors, sample, verdicts
from tests.report.workflow_commands import Command, command, lines


def commands(output: str) -> list[Command]:
    """Give all commands of an output in which every line must be one, in the form with colons."""
    assert all(line.startswith("::") for line in lines(output))
    found = [command(line) for line in lines(output)]
    assert None not in found, output
    return [one for one in found if one is not None]


def test_a_refusal_names_file_and_line_the_worst_first() -> None:
    found = commands(verdict(sample().bad))
    assert [(c.name, c.properties["title"]) for c in found] == [
        ("error", "ptguard (immutable)"),
        ("error", "ptguard (changelog)"),
        ("error", "ptguard (version)"),
        ("warning", "ptguard (changelog)"),
        ("notice", "ptguard (branch)"),
    ]
    assert found[1] == Command(
        "error",
        {"title": "ptguard (changelog)", "file": "CHANGELOG.md", "line": "7"},
        "v2.9.0: missing-section: no section\nseen: v2.8.1\nexpected: v2.9.0\nmend: write it",
    )
    assert found[0].properties["file"] == ".ptguard/policy.toml"


def test_the_form_is_the_documented_one() -> None:
    line = next(x for x in lines(verdict(sample().bad)) if "missing-section" in x)
    assert line.startswith("::error title=ptguard (changelog),file=CHANGELOG.md,line=7::v2.9.0: missing-section: ")
    assert "%0Aseen: v2.8.1%0A" in line


def test_an_accepted_tag_is_a_notice() -> None:
    (only,) = commands(verdict(sample().good))
    assert (only.name, only.data) == ("notice", "accepted v2.9.0")


def test_what_stopped_the_judging_is_an_error_with_all_mistakes() -> None:
    (only,) = commands(error(sample().error))
    assert only.name == "error" and only.properties == {"title": "ptguard (policy)"}
    assert only.data == "refused: 2 mistakes\np: a\np: b\nmend: ptguard policy-check"


def test_no_more_than_github_shows_and_the_last_one_counts_the_rest() -> None:
    bad = sample().bad
    fail = Finding("changelog", Status.FAIL, "missing-section", "no section")
    many = replace(bad, tags=tuple(replace(bad.tags[0], ref=f"refs/tags/v{n}", findings=(fail,)) for n in range(50)))
    found = commands(verdict(many))
    assert len(found) == SHOWN
    assert found[-1].data.startswith("and 41 more in 41 tags")
    exact = replace(many, tags=many.tags[:SHOWN])
    assert [c.data.split(":")[1].strip() for c in commands(verdict(exact))] == ["missing-section"] * SHOWN


def test_a_tag_of_which_nothing_was_checked_is_an_error() -> None:
    bad = sample().bad
    (only,) = commands(verdict(replace(bad, tags=(replace(bad.tags[0], findings=()),))))
    assert only.name == "error" and "nothing was checked" in only.data


@settings(deadline=None)
@given(verdicts)
def test_hostile_words_make_no_command(hostile: Verdict) -> None:
    found = commands(verdict(hostile))
    assert all(c.name in ("error", "warning", "notice") for c in found)
    assert all(set(c.properties) <= {"title", "file", "line"} for c in found)
    assert all(c.properties["title"].startswith("ptguard") for c in found)
    for kind, statuses in (("error", (Status.ERROR, Status.FAIL)), ("warning", (Status.WARN,))):
        meant = [one for one in told(hostile) if one.finding.status in statuses]
        said = [c for c in found if c.name == kind][: SHOWN if len(meant) <= SHOWN else SHOWN - 1]
        for annotation, one in zip(said, meant, strict=False):
            where = place(one.finding)
            assert annotation.properties["file"] == clean(where.path)
            assert annotation.properties["line"] == str(where.line or 1)
            assert annotation.data.split("\n")[0] == sentence(one)
    refusing = sum(one.finding.refuses for one in told(hostile))
    assert sum(c.name == "error" for c in found) == min(refusing, SHOWN)
    assert any(c.name == "error" for c in found) != hostile.accepted


@settings(deadline=None)
@given(errors)
def test_hostile_errors_make_no_other_command(hostile: PtguardError) -> None:
    (only,) = commands(error(hostile))
    assert only.name == "error" and set(only.properties) == {"title"}


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("::set-output name=x::y", "set-output"),
        ("  ::stop-commands::x", "stop-commands"),
        ("by ##[add-mask]x", "add-mask"),
        ("::nothing::##[error]x", "error"),
        ("::error title=a%3Ab::x%250A%0A", "error"),
    ],
)
def test_the_reader_finds_commands(line: str, name: str) -> None:
    found = command(line)
    assert found is not None and found.name == name


def test_the_reader_undoes_the_escapes() -> None:
    assert command("::error title=a%3Ab%2C,file=x::y%0A%25") == Command("error", {"title": "a:b,", "file": "x"}, "y\n%")
    assert command("accepted v2.9.0") is None
