# ruff: noqa: RUF001 - dashes, brackets and words of many languages are meant
"""What a changelog's heading says: its version, its date, whether it was yanked. One grammar for Markdown and rST.

A heading names the version that stands first in it. Before it only a date, an ornament, a word for "release" or a
short name may stand; so "12.9.0", "since 2.9.0" and "2.8.1 - backport of 2.9.0" do not name 2.9.0. Every pattern is
linear or works on at most :data:`MAX_TITLE` characters.
"""

import functools
import re
import unicodedata
from datetime import date
from typing import Final

from ptguard import pep440
from ptguard.parse.dates import FoundDate, find_dates, is_placeholder
from ptguard.parse.inline import hidden, is_struck, label_in, plain
from ptguard.value import value

MAX_TITLE: Final = 500

_RUN: Final = re.compile(r"[0-9A-Za-z._+!/@-]+")
_VERSION: Final = re.compile(r"(?:([A-Za-z@].*?)[-_/@])?(?:[vV]?\.)?([vV]?\d[^/@]*)")
_BEHIND: Final = re.compile(r"([^\w]*)([^\W\d_]*)([\s.-]?)([\d.]*)")
_WORDS: Final = re.compile(r"[^\w@+.'’/-]+")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_YANKED: Final = r"(?i:[\[(]\s*(?:yanked|retracted|withdrawn)\b|[-–—:,\s]\s*yanked\s*$)|\bYANKED\b"
_UNRELEASED: Final = (
    r"\bun-?released\b|\bupcoming\b|^\W*next(?: (?:release|version))?\W*$|\bin development\b|未发布|未リリース"
)

_PLAIN_WORDS: Final = _words(
    "v ver version rel release released tag tagged stable final patch hotfix major minor lts"
    " 版本 发布 发行版 版 バージョン リリース versión versão versione версия"
)
_DOC_WORDS: Final = _words("changelog change changes history news notes note what's what’s whats new")
_LINKING: Final = _words("in for of the")
_PROMISING: Final = _words("unreleased upcoming next planned draft roadmap todo wip tentative 未发布")
_PROSE: Final = _words(
    "a add added adds after all an and are as at backport backported backports before below between breaking build bump"
    " bumped by compat compatibility compatible deprecate deprecated deprecates deprecations dependency do does drop"
    " dropped drops due earlier fix fixed fixes from has have if into is issue issues known later like migrate migrated"
    " migrating migration min minimum more need needs no non not now older on only or over post pre prior regression"
    " remove removed removes require required requirement requirements requires revert reverted since support supported"
    " supports switch than that these this those through till to under until up update updated updates upgrade upgraded"
    " upgrades upgrading use used uses using via vs was were when with without you your"
)
_TAIL_WORDS: Final = _PLAIN_WORDS | _DOC_WORDS | {"ga", "current", "on", "yanked"}
_ORNAMENTS: Final = frozenset(" \t\u00a0-–—:,|·•#*[](){}\"'&_.’\x1f")
_CANDIDATES: Final = _words("alpha beta rc pre preview dev")
_CANDIDATES_WITH_NUMBER: Final = _words("a b c post rev r")
_AND: Final = _words("to through thru until and or vs")
_OTHER_VERSIONS: Final = _words("later newer above up older earlier below before")
_NO_TITLE: Final = _words(
    "to vs is was has will are onward onwards upgrade upgrading migration migrating compat compatibility compatible"
    " deprecation deprecations require requires user users"
)
_BETWEEN: Final = frozenset(["-", "–", "—", "→", "->", "/", "&", ",", "+", "..", "...", "…"])


@value
class Heading:
    """A heading that names ``version``; ``name`` is what it calls the thing that is released ("" as a rule).

    ``bare``: nothing but name, version and date stands in it. ``label``: the link label that it refers to, as
    CommonMark normalises labels, or None where it refers to none.
    """

    version: str
    name: str
    date_text: str | None
    day: date | None
    placeholder: bool
    vague: bool
    yanked: bool
    bare: bool
    label: str | None


def is_unreleased(title: str) -> bool:
    """Tell whether a heading without a version collects what is not released yet."""
    return len(title) <= MAX_TITLE and bool(re.search(_UNRELEASED, title.lower()))


def package_name(name: str) -> str:
    """Give the name in a heading without words such as "Changes in"; "" where nothing else is there."""
    return " ".join(w for w in name.split() if w.lower() not in _DOC_WORDS)


@functools.lru_cache(4096)  # from one release to the next a changelog has the same headings
def read_heading(title: str) -> Heading | None:
    """Give what the heading ``title`` (its source text, without ``##``) says, or None where it names no version."""
    if len(title) > MAX_TITLE or not any(c.isdigit() for c in title):
        return None
    text = plain(title)
    if any(hidden(c) for c in text):
        return None
    dates = find_dates(text)
    for found in dates:
        text = text[: found.start] + "\x1f" * (found.end - found.start) + text[found.end :]
    for run in _RUN.finditer(text):
        if any(c.isdigit() for c in run[0]):
            return _after_dotted_date(title, text, run, dates) or _named(title, text, run, dates)
    return None


def _after_dotted_date(title: str, text: str, run: re.Match[str], dates: list[FoundDate]) -> Heading | None:
    """Read ``2025.04.05 - 2.9.0``: a first run that is a dotted date gives way to a version right behind it."""
    soft = find_dates(run[0], after_version=True)
    if dates or len(soft) != 1 or (soft[0].start, soft[0].end) != (0, len(run[0])) or text[: run.start()].strip("[( "):
        return None
    following = re.match(r"[\s\x1f)\]:,|–—-]+", text[run.end() :])
    later = _RUN.match(text, run.end() + following.end()) if following else None
    if later is None or "." not in later[0]:
        return None
    masked = text[: run.start()] + "\x1f" * len(run[0]) + text[run.end() :]
    return _named(title, masked, later, soft)


def _named(title: str, text: str, run: re.Match[str], dates: list[FoundDate]) -> Heading | None:
    """Give the heading whose version is in ``run``, or None where it cannot be."""
    match = _VERSION.fullmatch(run[0])
    if match is None or not _ends_well(text, run):
        return None
    lead = _lead(text[: run.start()] + (match[1] or ""))
    if lead is None:
        return None
    name, promised, marked = lead
    version, rest = _joined(match[2].rstrip(".-_!"), text[run.end() :])
    parsed = pep440.parse(version)
    if parsed is None or _speaks_of_more(rest):
        return None
    bare = _is_bare(rest)
    if name and not bare and rest.lstrip()[:1] not in tuple("-–—:,|(["):
        return None
    dates = dates + find_dates(rest, after_version=True)
    marked = marked or run[0][0] in "vV" or text[run.start() - 1 : run.start()] == "["
    if len(parsed.release) == 1 and not (parsed.is_prerelease or marked or (bare and (dates or not name))):
        return None
    held = promised or next((s for s in _segments(rest) if is_placeholder(s)), None)
    when = dates[0] if dates else None
    return Heading(
        version,
        name,
        when.text if when else held,
        when.day if when else None,
        placeholder=when.placeholder if when else held is not None,
        vague=bool(when and when.vague),
        yanked=is_struck(title) or _is_yanked(text),
        bare=bare,
        label=label_in(title),
    )


def _is_yanked(text: str) -> bool:
    low = text.lower()
    return ("yanked" in low or "retracted" in low or "withdrawn" in low) and bool(re.search(_YANKED, text))


def _ends_well(text: str, run: re.Match[str]) -> bool:
    """Tell whether the run of version characters is a word of its own, also for an eye that sees no joiners."""
    before, after = text[run.start() - 1 : run.start()], text[run.end() : run.end() + 1]
    if before == "\u200d" or (before.isalnum() and (before.isdigit() or ord(before) < 0x2E80)):
        return False
    if not after or after.isspace() or after in "\x1f)]}:;,|\"'([&–—’?":
        return True
    if ord(after) >= 0x2E80 and not after.isdigit():
        return unicodedata.category(after) not in ("Mn", "Me", "Mc")
    return unicodedata.category(after) in ("So", "Pd", "Ps", "Pe", "Pf")


def _lead(lead: str) -> tuple[str, str | None, bool] | None:
    """Give the name, the word that says "not released" and whether a word says "version", of what stands before.

    None where it is prose.
    """
    if not all(c.isalnum() or c in _ORNAMENTS or _is_ornament(c) or c in "@+/" for c in lead):
        return None
    words = [w.strip("-.'’_") for w in _WORDS.split(lead) if any(c.isalnum() for c in w)]
    names: list[str] = []
    promised, marked, linked = None, False, False
    for word in words:
        low = word.lower()
        if low in _PROSE:
            return None
        if low in _LINKING:
            linked = True
            if any(n.lower() not in _DOC_WORDS for n in names):
                return None
        elif low in _PROMISING:
            promised = word
        elif low in _PLAIN_WORDS:
            marked = True
        elif linked or not (word[0].isalpha() or word[0] == "@"):
            return None
        else:
            names.append(word)
    return (" ".join(names), promised, marked) if len(names) <= 3 else None


def _is_ornament(char: str) -> bool:
    """Tell whether ``char`` is an emoji or a part of one."""
    category = unicodedata.category(char)
    return category in ("So", "Ps", "Pe") or char in "\u200d\ufe0f\u20e3" or (category == "Sk" and ord(char) > 0x1F000)


def _joined(version: str, rest: str) -> tuple[str, str]:
    """Join what a blank parts: ``2.9.0 rc1`` and ``2.9.0 - beta`` name a candidate, not 2.9.0."""
    match = _BEHIND.match(rest)
    if match is None or not match[2]:
        return version, rest
    gap, word, _, number = match.groups()
    end = match.end() if number else match.end(2)
    low, after = word.lower(), rest[end : end + 1]
    directly = gap.isspace() and not after.isalnum()
    apart = not gap.strip(" \t\u00a0-–—:,([") and (not after or after in ")],")
    if (low in _CANDIDATES and (directly or apart)) or (low in _CANDIDATES_WITH_NUMBER and directly and number):
        return f"{version}{word}{number}", rest[end:]
    return version, rest


def _speaks_of_more(rest: str) -> bool:
    """Tell whether the text behind a version makes it a span ("2.9.0 to 2.10") or a remark ("2.9.0 and later")."""
    match = _BEHIND.match(rest)
    if match is None:
        return False
    gap, word, _, number = match.groups()
    low, after = word.lower(), rest[match.end() :]
    if not word:
        other = "." in number.strip(".") and not after[:1].isalnum()
        return other and gap.strip() in _BETWEEN and not find_dates(rest, after_version=True)
    if not gap.isspace():
        return False
    if low in _AND:
        following = _BEHIND.match(after if number else match[4] + after)
        return bool(number) or (following is not None and following[2].lower() in _OTHER_VERSIONS) or low in _NO_TITLE
    return low in _NO_TITLE


def _is_bare(rest: str) -> bool:
    """Tell whether nothing but dates, brackets and words such as "release notes" stand behind the version."""
    for found in reversed(find_dates(rest, after_version=True)):
        rest = rest[: found.start] + " " + rest[found.end :]
    words = re.findall(r"[^\W_]+", rest)
    return len(words) <= 6 and (
        all(w.lower() in _TAIL_WORDS for w in words) or all(map(is_placeholder, _segments(rest)))
    )


def _segments(rest: str) -> list[str]:
    """Give the pieces of the text behind a version that could stand in a date's place."""
    return [s for s in (p.strip(" \t\x1f.-–—*") for p in re.split(r"[()\[\],:|;]|\s[-–—]\s?|^[-–—]", rest)) if s]
