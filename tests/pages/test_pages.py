"""The pages are read whole: every reason of every check, in its order; names are found, near ones are offered."""

import re
from pathlib import Path

import pytest

from ptguard.checks import discover
from ptguard.errors import UsageError
from ptguard.pages import COMMON, POLICY, Page, find, known, load

REFERENCE = (Path(__file__).parents[2] / "docs" / "reference.md").read_text("utf-8")
PAGES = load()


def names(word: str) -> list[str]:
    found = find(PAGES, word)
    assert not isinstance(found, Page)
    return [reason.name for reason in found]


def test_each_check_has_its_page_with_all_reasons_in_order() -> None:
    assert [page.check for page in PAGES] == list(discover())
    for page in PAGES:
        assert [row.reason for row in page.reasons] == list(discover()[page.check].REASONS)
        assert page.summary and all(row.meaning and row.statuses for row in page.reasons)
        said = {status for row in page.reasons for status in row.statuses}
        assert said <= {"pass", "fail", "warn", "skip", "error", "waived"}


def test_what_refuses_says_how_to_mend_it() -> None:
    bare = [r.name for r in known(PAGES) if {"fail", "error"} & set(r.statuses) and not r.mend]
    assert bare == []


def test_reasons_of_the_policy_are_those_of_the_reference() -> None:
    section = REFERENCE.split("A finding of\n`policy` has one of these:", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| `([a-z-]+)` \| ([a-z, ]+) \| (.+) \|$", section, re.MULTILINE)
    assert {name: (tuple(statuses.split(", ")), words.replace("`", "")) for name, statuses, words in rows} == {
        name: said[:2] for name, said in POLICY.items()
    }
    assert all(f"`{name}`" in section or f"`{name}`" in REFERENCE for name in COMMON)


def test_a_check_is_its_page_and_a_reason_is_every_check_that_gives_it() -> None:
    page = find(PAGES, "changelog")
    assert isinstance(page, Page) and page.markdown.startswith("# changelog\n")
    assert names("missing-section") == ["changelog/missing-section"]
    assert names("malformed") == ["annotated/malformed", "signature/malformed", "smoke/malformed"]
    assert names("smoke/malformed") == ["smoke/malformed"]
    assert names("policy") == [f"policy/{name}" for name in POLICY]
    assert len(names("waived")) == len(PAGES)
    assert "changelog/waived" in names("waived") and names("version/waived") == ["version/waived"]


@pytest.mark.parametrize(
    ("word", "fix"),
    [
        ("missing-sektion", "ptguard explain missing-section"),
        ("Changelog", "ptguard explain changelog"),
        ("image/not-pined", "ptguard explain image/not-pinned"),
        ("zzz", "ptguard checks"),
        ("\x1b[2J", "ptguard checks"),
        ("", "ptguard checks"),
    ],
)
def test_an_unknown_word_gets_the_nearest_names(word: str, fix: str) -> None:
    with pytest.raises(UsageError) as raised:
        find(PAGES, word)
    assert raised.value.fix is not None and raised.value.fix.startswith(fix)
    assert "\x1b" not in raised.value.message


def test_every_reason_that_can_be_given_can_be_explained() -> None:
    for reason in known(PAGES):
        assert reason.name in names(reason.name)
        assert reason.name in names(reason.reason)
