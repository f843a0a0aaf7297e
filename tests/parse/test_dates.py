# ruff: noqa: E501 - tables of dates
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptguard.parse.dates import find_dates, is_placeholder, line_date

APRIL = date(2025, 4, 5)


@pytest.mark.parametrize(
    "text",
    [
        "2025-04-05", "2025-4-5", "2025/04/05", "2025\u201104\u201105", "2025-04-05T10:00:00Z", "2025-04-05 10:00",
        "April 5, 2025", "April 5th, 2025", "Apr 5 2025", "Apr. 5, 2025", "APRIL 5, 2025", "5 April 2025",
        "5th April, 2025", "5th of April, 2025", "5-Apr-2025", "Sat, 5 April 2025", "2025 Apr 05",
        "2025年4月5日", "2025 年 4 月 5 日",
    ],
)  # fmt: skip
def test_dates_that_real_changelogs_have(text: str) -> None:
    (found,) = find_dates(f"({text})")
    assert (found.day, found.placeholder) == (APRIL, False)
    assert f"({text})"[found.start : found.end].endswith(text[-4:])


@pytest.mark.parametrize("text", ["2025.04.05", "05.04.2025", "5.4.2025", "20250405"])
def test_dates_that_could_be_versions_count_only_behind_one(text: str) -> None:
    assert find_dates(text) == []
    assert [f.day for f in find_dates(text, after_version=True)] == [APRIL]


@pytest.mark.parametrize(
    "text", ["2025-02-30", "2025-13-01", "0000-00-00", "February 30, 2025", "31/31/2025", "2025年13月1日"]
)
def test_days_that_no_calendar_has(text: str) -> None:
    (found,) = find_dates(text)
    assert (found.day, found.placeholder, found.vague) == (None, False, False)


def test_day_and_month_that_cannot_be_told_apart() -> None:
    assert [(f.day, f.vague) for f in find_dates("4/5/2025")] == [(None, True)]
    assert [(f.day, f.vague) for f in find_dates("4/25/2025")] == [(date(2025, 4, 25), False)]
    assert [(f.day, f.vague) for f in find_dates("25/4/2025")] == [(date(2025, 4, 25), False)]
    assert [(f.day, f.vague) for f in find_dates("4/4/2025")] == [(date(2025, 4, 4), False)]


@pytest.mark.parametrize(
    "text",
    [
        "2.9.0.dev2025-04-05",
        "12025-04-05",
        "2025-04-055",
        "12.2025-04-05",
        "2025-04",
        "2024-2025",
        "April 2025",
        "x2025-04-05",
    ],
)
def test_what_is_no_date(text: str) -> None:
    assert find_dates(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "TBD", "tbd", "TBA", "To be announced", "?", "??", "????-??-??", "YYYY-MM-DD", "yyyy-mm-dd", "DD.MM.YYYY", "XX",
        "2025-XX-XX", "2025-xx-xx", "2025-04-??", "2025-04-XX", "April XX, 2025", "?? April 2025", "20XX", "unreleased",
        "Unreleased", "not yet released", "in development", "Released TBD", "Release date: TBD", "date", "{{ date }}",
        "$DATE", "<release date>", "未发布",
    ],
)  # fmt: skip
def test_words_that_hold_the_place_of_a_date(text: str) -> None:
    assert is_placeholder(text)


@pytest.mark.parametrize(
    "text",
    ["", "2025-04-05", "Released 2025-04-05", "The Big Release", "What??", "release", "Aluminium Falcon", "x" * 61],
)
def test_words_that_hold_no_place(text: str) -> None:
    assert not is_placeholder(text)


@pytest.mark.parametrize(
    "line",
    ["Released 2025-04-05", "*2025-04-05*", "**Released:** 2025-04-05", "Release date: April 5, 2025", ":Date: 2025-04-05",
     "_Released on 5 April 2025._", "- 2025-04-05"],
)  # fmt: skip
def test_a_line_that_is_a_date(line: str) -> None:
    found = line_date(line)
    assert found is not None
    assert found.day == APRIL


@pytest.mark.parametrize(
    "line",
    ["Fixed on 2025-04-05", "2025-04-05 was a good day", "- 2025-04-05: released", "from 2025-04-05 to 2025-05-05", ""],
)
def test_a_line_that_only_has_a_date_in_it(line: str) -> None:
    assert line_date(line) is None


def test_a_line_that_holds_the_place_of_a_date() -> None:
    found = line_date("Unreleased")
    assert found is not None
    assert (found.day, found.placeholder) == (None, True)


@given(st.text(alphabet=st.sampled_from("0123456789-/.xXyY? aprilAPRILm,年月日İ\u2011")))
def test_arbitrary_text_never_raises(text: str) -> None:
    for found in find_dates(text, after_version=True):
        assert text[found.start : found.end] == found.text
    is_placeholder(text)
    line_date(text)
