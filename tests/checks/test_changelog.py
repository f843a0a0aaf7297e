# ruff: noqa: E501 - tables
"""The changelog has a section for the tag; accept and refuse cases beside each other."""

import re
from datetime import timedelta

import pytest

from ptguard.checks.changelog import ID, REASONS, check
from ptguard.model import (
    Changelog,
    Evidence,
    Finding,
    Location,
    Mode,
    Policy,
    Problem,
    RemoteState,
    RuleMatch,
    Status,
)
from ptguard.parse.changelog import parse_changelog
from ptguard.resources import resource
from tests.build import COMMIT, NOW, OTHER, RULE, evidence, policy

OLD = "\n## [2.8.1] - 2026-10-01\n\n- older\n"
GOOD = f"# Changelog\n\n## [2.9.0] - 2026-11-22\n\n- newer\n{OLD}"
RETAG = "git tag -d v2.9.0 && git tag -s v2.9.0 -m v2.9.0"


def given(text: str | bytes, name: str = "v2.9.0", **changes: object) -> Evidence:
    data = text.encode() if isinstance(text, str) else text
    return evidence(name, **{"changelog": parse_changelog("CHANGELOG.md", data), **changes})


def judged(text: str | bytes, name: str = "v2.9.0", judge: Policy | None = None, **changes: object) -> list[Finding]:
    found = list(check(given(text, name, **changes), judge or policy()))
    for finding in found:
        assert finding.check == ID
        assert finding.reason in REASONS
        assert "\n" not in " ".join(filter(None, (finding.message, finding.got, finding.expected, finding.fix)))
        if finding.status in (Status.FAIL, Status.WARN):
            assert finding.got and finding.expected and finding.fix and finding.location
    return found


def reasons(
    text: str | bytes, name: str = "v2.9.0", judge: Policy | None = None, **changes: object
) -> dict[str, Status]:
    return {f.reason: f.status for f in judged(text, name, judge, **changes)}


def test_a_good_section_passes() -> None:
    (finding,) = judged(GOOD)
    assert (finding.status, finding.reason) == (Status.PASS, "ok")
    assert finding.location == Location("CHANGELOG.md", 3, COMMIT)


def test_a_missing_section_names_what_is_there_and_what_to_add() -> None:
    (finding,) = judged(f"# Changelog\n\nAll changes.\n{OLD}")
    assert (finding.status, finding.reason) == (Status.FAIL, "missing-section")
    assert finding.message == "CHANGELOG.md has no section for v2.9.0"
    assert finding.got == "newest section is 2.8.1 (line 5)"
    assert finding.expected == "a section for v2.9.0"
    assert finding.location == Location("CHANGELOG.md", 5, COMMIT)
    assert finding.fix == (
        f'add "## [2.9.0] - 2026-11-22" and what changed below it to CHANGELOG.md, commit, push the branch, then {RETAG}'
    )


def test_a_missing_section_names_the_nearest_heading() -> None:
    (finding,) = judged("## 12.9.0\n- x\n\n## 2.9.0rc1\n- x\n\n## 2.8.1\n- x\n")
    assert finding.got == 'nearest section is "2.9.0rc1" (line 4), newest section is 12.9.0 (line 1)'
    assert finding.location == Location("CHANGELOG.md", 4, COMMIT)


def test_a_missing_section_names_a_match_that_is_no_heading() -> None:
    (finding,) = judged(f"# Changelog\n\n```\n## [2.9.0] - 2026-11-22\n```\n\n[2.9.0]: u\n{OLD}")
    assert finding.reason == "missing-section"
    assert str(finding.got).endswith("; 2.9.0 stands in a code fence (line 4)")
    assert finding.location == Location("CHANGELOG.md", 4, COMMIT)


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("", "no heading at all"),
        ("prose\n", "no heading at all"),
        ("# Changelog\n", 'no heading names a version; the first is "Changelog" (line 1)'),
    ],
)
def test_a_changelog_without_sections(text: str, got: str) -> None:
    (finding,) = judged(text)
    assert (finding.reason, finding.got) == ("missing-section", got)


def test_a_candidate_needs_its_own_section_unless_the_policy_says_otherwise() -> None:
    assert reasons(GOOD, "v2.9.0rc1") == {"missing-section": Status.FAIL}
    assert reasons(GOOD, "v2.9.0rc1", policy(candidates="base")) == {"ok": Status.PASS}
    assert reasons(GOOD, "v2.9.0.post1", policy(candidates="base")) == {"missing-section": Status.FAIL}
    (finding,) = judged(OLD, "v2.9.0rc1", policy(candidates="base"))
    assert finding.expected == "a section for v2.9.0rc1 or for 2.9.0"


@pytest.mark.parametrize("version", ["nightly", "2x9x0", "", "2.9.0-foo", "9" * 200])
def test_a_tag_that_is_no_version_has_no_section(version: str) -> None:
    (finding,) = judged(f"## {version}\n- x\n{GOOD}", match=RuleMatch(RULE, version, None))
    assert (finding.status, finding.reason) == (Status.FAIL, "missing-section")
    assert "PEP 440" in finding.message


def test_two_sections() -> None:
    assert reasons(f"{GOOD}\n## v2.9\n- again\n")["duplicate-section"] is Status.FAIL
    finding = judged(f"{GOOD}\n## v2.9\n- again\n")[0]
    assert (finding.got, finding.location) == ("lines 3, 11", Location("CHANGELOG.md", 3, COMMIT))
    assert "duplicate-section" not in reasons(f"{GOOD}\n## 2.8.1\n- again\n")


@pytest.mark.parametrize("body", ["", "<!-- soon -->\n", "### Added\n\n### Fixed\n", "- TBD\n"])
def test_an_empty_section(body: str) -> None:
    found = judged(f"# Changelog\n\n## [2.9.0] - 2026-11-22\n\n{body}{OLD}")
    assert [(f.reason, f.status) for f in found] == [("empty-section", Status.FAIL)]
    assert found[0].fix == f"write what changed below CHANGELOG.md:3, commit, push the branch, then {RETAG}"


def test_a_yanked_section() -> None:
    assert reasons(GOOD.replace("11-22", "11-22 [YANKED]")) == {"yanked": Status.FAIL}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("TBD", "only holds the place of a date"), ("??", "only holds the place"), ("YYYY-MM-DD", "only holds the place"),
        ("XX", "only holds the place"), ("2026-11-XX", "only holds the place"), ("Unreleased", "only holds the place"),
        ("2026-11-31", "is no day of the calendar"), ("2026-22-11", "is no day"), ("February 30, 2026", "is no day"),
    ],
)  # fmt: skip
def test_a_bad_date(text: str, words: str) -> None:
    (finding,) = judged(GOOD.replace("2026-11-22", text))
    assert (finding.status, finding.reason, finding.got) == (Status.FAIL, "bad-date", text)
    assert words in finding.message
    assert f"put 2026-11-22 in the place of {text}" in str(finding.fix)


@pytest.mark.parametrize(("days", "reason"), [(0, "ok"), (1, "ok"), (2, "future-date"), (30, "future-date")])
def test_a_date_that_is_still_to_come(days: int, reason: str) -> None:
    later = (NOW + timedelta(days=days)).date().isoformat()
    assert (reason in reasons(GOOD.replace("2026-11-22", later))) is True


def test_clock_skew_counts_for_a_date_that_is_still_to_come() -> None:
    late = NOW.replace(hour=23, minute=55)
    text = GOOD.replace("2026-11-22", "2026-11-24")
    assert "future-date" not in reasons(text, now=late)
    assert reasons(text, now=NOW)["future-date"] is Status.FAIL


def test_no_date_only_warns() -> None:
    (finding,) = judged(GOOD.replace(" - 2026-11-22", ""))
    assert (finding.status, finding.reason, finding.got) == (Status.WARN, "no-date", "no date")
    (vague,) = judged(GOOD.replace("2026-11-22", "4/5/2026"))
    assert (vague.status, vague.reason, vague.got) == (Status.WARN, "no-date", "4/5/2026: is the day first?")


@pytest.mark.parametrize(
    ("day", "reason"), [("2026-11-20", "ok"), ("2026-11-19", "date-differs"), ("2020-01-01", "date-differs")]
)
def test_a_date_that_differs_from_the_tags(day: str, reason: str) -> None:
    assert list(reasons(GOOD.replace("2026-11-22", day))) == [reason]
    assert "date-differs" not in reasons(GOOD.replace("2026-11-22", day), tag=None)


def test_a_section_that_is_not_on_top() -> None:
    below = f"# Changelog\n{OLD}\n## [2.9.0] - 2026-11-22\n\n- newer\n\n## [2.8.0] - 2026-09-01\n\n- x\n"
    assert reasons(below) == {"not-newest": Status.WARN}
    upward = "## 2.7 - 2026-01-01\n- a\n## 2.8 - 2026-02-01\n- b\n## 2.9.0 - 2026-11-22\n- c\n"
    assert reasons(upward) == {"ok": Status.PASS}


def test_entries_left_under_unreleased() -> None:
    (finding,) = judged(GOOD.replace("## [2.9.0]", "## [Unreleased]\n\n- later\n\n## [2.9.0]"))
    assert (finding.status, finding.reason, finding.got) == (Status.WARN, "unreleased-left", "1 lines")
    assert finding.location == Location("CHANGELOG.md", 3, COMMIT)
    assert reasons(GOOD.replace("## [2.9.0]", "## [Unreleased]\n\n## [2.9.0]")) == {"ok": Status.PASS}


def test_a_missing_link() -> None:
    assert reasons(GOOD + "\n[2.8.1]: u\n") == {"missing-link": Status.WARN}
    assert reasons(GOOD + "\n[2.8.1]: u\n[2.9.0]: v\n") == {"ok": Status.PASS}
    assert reasons(GOOD + "\n[other]: u\n") == {"ok": Status.PASS}


def test_an_empty_subsection() -> None:
    (finding,) = judged(GOOD.replace("- newer", "### Added\n\n- newer\n\n### Fixed"))
    assert (finding.status, finding.reason, finding.got) == (Status.WARN, "empty-subsection", '"Fixed"')


def test_the_same_words_as_before() -> None:
    assert reasons(GOOD.replace("newer", "older")) == {"same-body": Status.WARN}


def test_all_that_is_wrong_is_said_at_once() -> None:
    text = f"# C\n\n## [Unreleased]\n- x\n{OLD}\n## [2.9.0] - TBD [YANKED]\n\n## 2.9 - 2027-01-01\n- y\n"
    assert {"duplicate-section", "yanked", "empty-section", "bad-date", "not-newest", "unreleased-left"} <= set(
        reasons(text)
    )


# ---------------------------------------------------------------------------------------- no changelog


@pytest.mark.parametrize("reason", ["missing-file", "symlink", "too-large", "undecodable", "lfs-pointer"])
def test_a_changelog_that_cannot_be_read(reason: str) -> None:
    problem = Problem(reason, "CHANGELOG.md is not there", location=Location("CHANGELOG.md"))
    (finding,) = judged("", changelog=problem)
    assert (finding.status, finding.reason, finding.message) == (Status.FAIL, reason, problem.message)
    assert finding.location == Location("CHANGELOG.md", None, COMMIT)
    assert str(finding.fix).endswith(f", then {RETAG}")


@pytest.mark.parametrize("data", [b"x" * 2_000_001, b"\xff", b"\0", b"version https://git-lfs.github.com/spec/v1\n"])
def test_what_the_parser_refuses_is_refused(data: bytes) -> None:
    (finding,) = judged(data)
    assert finding.status is Status.FAIL


def test_what_was_not_collected_never_passes() -> None:
    assert reasons("", changelog=None) == {"could-not-decide": Status.ERROR}
    assert reasons(GOOD, match=None) == {"could-not-decide": Status.ERROR}
    problem = Problem("could-not-decide", "git failed", status=Status.ERROR)
    assert reasons("", changelog=problem) == {"could-not-decide": Status.ERROR}
    assert reasons(GOOD, commit=None) == {"not-applicable": Status.SKIP}


# ------------------------------------------------------------------------------------------- mending words


def test_words_for_a_tag_that_is_not_there_yet_and_for_one_that_is_published() -> None:
    (before,) = judged(OLD, object_type=None, tag=None)
    assert str(before.fix).endswith("commit, push the branch, then git tag -s v2.9.0 -m v2.9.0")
    remote = RemoteState("origin", {"refs/tags/v2.9.0": OTHER}, {})
    for changes in ({"remote": remote}, {"mode": Mode.PUBLISHED}, {"mode": Mode.AUDIT}):
        (after,) = judged(OLD, **changes)
        assert "git tag" not in str(after.fix)
        assert "a published tag stays as it is" in str(after.fix)


def test_names_of_the_repository_are_quoted_and_made_harmless() -> None:
    log = parse_changelog("a\x1b[31m b.md", b"# x\x1b[31m\n")
    assert isinstance(log, Changelog)
    (finding,) = check(evidence("v2.9.0;rm", match=RuleMatch(RULE, "2.9.0", None), changelog=log), policy())
    assert "git tag -s 'v2.9.0;rm' -m 'v2.9.0;rm'" in str(finding.fix)
    assert not re.search(r"[\x00-\x1f]", finding.message + str(finding.got) + str(finding.fix))


def test_the_page_lists_the_reasons() -> None:
    page = (resource("docs/checks") / f"{ID}.md").read_text("utf-8")
    assert re.findall(r"^\| `([a-z0-9-]+)` \|", page, re.MULTILINE) == list(REASONS)


def test_the_pages_example_is_real() -> None:
    page = (resource("docs/checks") / f"{ID}.md").read_text("utf-8")
    (finding,) = judged(
        f"# Changelog\n\nAll changes of note.\n\n{OLD}".replace("2.8.1", "v2.8.1").replace("\n\n\n", "\n\n")
    )
    for words in (finding.message, finding.got, finding.expected, finding.fix):
        assert str(words) in page
