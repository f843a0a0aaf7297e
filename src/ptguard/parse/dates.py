"""Dates as people write them into changelog headings, and the words that hold a date's place.

Patterns are compiled when a text first hints at their form: compiling all of them costs more than most pushes spend
on the changelog.
"""

import re
from datetime import date
from functools import cache
from typing import Final

from ptguard.parse.inline import phrases
from ptguard.value import value

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH: Final = (
    r"(?P<mon>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_DAY: Final = r"(?P<d>\d{1,2})(?:st|nd|rd|th)?"
_DASH: Final = "[-\u2010\u2011/]"
_TIME: Final = r"(?:[t ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:z|[+-]\d\d:?\d\d)?)?"

_ISO: Final = rf"(?P<y>\d{{4}}){_DASH}(?P<m>\d{{1,2}}){_DASH}(?P<d>\d{{1,2}}){_TIME}"
_CJK: Final = r"(?P<y>\d{4})\s?年\s?(?P<m>\d{1,2})\s?月\s?(?P<d>\d{1,2})\s?日"
_NAMED: Final = (
    rf"{_DAY}[\s.-]{{1,2}}(?:of\s)?{_MONTH}[\s,-]{{1,2}}(?P<y>\d{{4}})",
    rf"{_MONTH}\s{_DAY}(?:,\s?|\s)(?P<y>\d{{4}})",
    rf"(?P<y>\d{{4}})[\s-]{_MONTH}[\s-]{_DAY}",
)
_EITHER: Final = r"(?P<a>\d{1,2})[-/](?P<b>\d{1,2})[-/](?P<y>\d{4})"
_HOLE: Final = r"(?P<hole>[\dxy?]{4}[-/][\dxm?]{1,2}[-/][\dxd?]{1,2}|d{1,2}[-/.]m{1,3}[-/.]y{4}|m{1,2}/d{1,2}/y{4})"
# Read as a date only after the version: alone, they are versions themselves.
_LIKE_VERSIONS: Final = (
    r"(?P<y>(?:19|20)\d\d)\.(?P<m>\d{1,2})\.(?P<d>\d{1,2})",
    r"(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>(?:19|20)\d\d)",
    r"(?P<y>(?:19|20)\d\d)(?P<m>0[1-9]|1[0-2])(?P<d>0[1-9]|[12]\d|3[01])",
)


@cache
def _compiled(form: str) -> re.Pattern[str]:
    """Give ``form`` as a word of its own, of lower-case ASCII."""
    return re.compile(rf"(?<![^\W_])(?<![\d.+!])(?:{form})(?![\w?])(?!\.\d)", re.ASCII)


def _forms(low: str, after_version: bool) -> list[str]:  # noqa: FBT001 - private
    """Give the forms that ``low`` (lower case) can hold at all."""
    digits = sum(map(str.isdigit, low)) >= 4
    forms = (
        [_ISO] if digits and low.count("-") + low.count("/") + low.count("\u2010") + low.count("\u2011") >= 2 else []
    )
    if digits and "年" in low:
        forms.append(_CJK)
    if digits and any(month in low for month in _MONTHS):
        forms.extend(_NAMED)
    if forms[:1] == [_ISO]:
        forms.append(_EITHER)
    if "xx" in low or "??" in low or "yyyy" in low:
        forms.append(_HOLE)
    return [*forms, *_LIKE_VERSIONS] if digits and after_version else forms


@value
class FoundDate:
    """A date at ``text[start:end]``: ``day`` None where it is none that the calendar has, or one that is not settled.

    ``placeholder``: the words only hold the place of a date. ``vague``: day and month cannot be told apart.
    """

    start: int
    end: int
    text: str
    day: date | None
    placeholder: bool = False
    vague: bool = False


def find_dates(text: str, *, after_version: bool = False) -> list[FoundDate]:
    """Give the dates in ``text``, in its order and without overlap; ``after_version`` takes dotted ones too."""
    low = text.lower()
    if len(low) != len(text):  # one letter of Unicode grows
        low = text
    found: list[FoundDate] = []
    for form in _forms(low, after_version):
        for match in _compiled(form).finditer(low):
            if not any(match.start() < f.end and f.start < match.end() for f in found):
                found.append(_read(match, text))
    return sorted(found, key=lambda f: f.start)


def _read(match: re.Match[str], original: str) -> FoundDate:
    part = match.groupdict()
    start, end = match.span()
    text = original[start:end]
    if part.get("hole"):
        return FoundDate(start, end, text, None, placeholder=True)
    year = int(part["y"])
    if part.get("a"):
        days = {d for d in (_day(year, part["a"], part["b"]), _day(year, part["b"], part["a"])) if d}
        return FoundDate(start, end, text, days.pop() if len(days) == 1 else None, vague=bool(days))
    mon = part.get("mon")
    month = str(_MONTHS.index(mon[:3]) + 1) if mon else part["m"]
    return FoundDate(start, end, text, _day(year, month, part["d"]))


def _day(year: int, month: str, day: str) -> date | None:
    try:
        return date(year, int(month), int(day))
    except ValueError:
        return None


_BEFORE: Final = phrases(
    ", released, release, release date, to be released, date, on, released on, published, published on, expected"
    ", planned, eta, due"
)
_PROMISES: Final = phrases(
    "tba, tbd, tbc, to be announced, to be determined, to be decided, to be released, todo, wip, fixme"
    ", work in progress, unreleased, un-released, not released, not yet released, not released yet, in development"
    ", planned, draft, tentative, cancelled, canceled, skipped, never released"
    ", in progress, under development, coming soon, upcoming, date, release date, release-date, release_date"
    ", 20xx, 20??, 未发布, 未定, 待定, 未リリース"
)


def is_placeholder(words: str) -> bool:
    """Tell whether ``words`` only hold the place of a date: TBD, ``??``, YYYY-MM-DD, XX, unreleased, …"""
    if len(words) > 60:
        return False
    low = " ".join(words.lower().strip(" \t$%{}<>").split())
    if low in _PROMISES or (low and not low.strip("?")) or (len(low) > 1 and not low.strip("x")):
        return True
    before, _, last = low.rpartition(" ")
    if last in _PROMISES or not last.strip("?"):
        return before.rstrip(": ") in _BEFORE and low not in _BEFORE
    if "xx" in low or "??" in low or "yy" in low:
        month = any(word[:3] in _MONTHS for word in low.split())
        return month or any(f.placeholder and before.rstrip(": ") in _BEFORE for f in find_dates(low))
    return False


def line_date(line: str) -> FoundDate | None:
    """Give the date of a line that says only when it was released, as some write it below the heading, or None."""
    words = line.strip("*_:`- \t.").replace("*", "")
    if not words or len(words) > 60:
        return None
    dates = find_dates(words, after_version=True)
    if not dates and is_placeholder(words):
        return FoundDate(0, len(words), words, None, placeholder=True)
    if len(dates) != 1:
        return None
    only = dates[0]
    before, after = words[: only.start].lower().strip(" :\t"), words[only.end :].strip(" .)")
    return only if before in _BEFORE and not after else None
