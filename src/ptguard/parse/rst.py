# ruff: noqa: RUF001 - the bullets that reStructuredText knows are meant
"""The titles of a reStructuredText changelog, by a small scanner.

docutils is not used: its directives can include files, fetch and run. What is a title follows the reStructuredText
specification, "Sections": text at the left margin with an underline, or between two equal lines, of one punctuation
character, as long as the text (docutils takes shorter ones from 4 characters on, with a warning; so does this).
"""

import re
import string
import unicodedata
from typing import Final

from ptguard.parse.heading import MAX_TITLE
from ptguard.parse.outline import Outline, Title

_BREAKS: Final = re.compile(r"\r\n?|\n")
_MARKS: Final = frozenset(string.punctuation)
_NO_TITLE: Final = re.compile(r"\s|[-+*•‣⁃](?:\s|$)|\.\.(?:\s|$)|__\s|\|\s|>>>\s|:[^:\s][^:]*:\s")
_DIRECTIVE: Final = re.compile(r"\.\.\s+(?:\|[^|]*\|\s+)?[\w:.+-]+::")
_SILENT: Final = re.compile(r"\.\.\s+(?:contents|sectnum|include|highlight|currentmodule|module|towncrier[\w-]*)::")
_ROLE: Final = re.compile(r":[a-zA-Z][\w:.+-]*:`([^`]*)`")
_LINKED: Final = re.compile(r"`([^`<>]*?)\s*<[^`<>]*>`_{0,2}")


def outline_of(text: str) -> Outline:
    """Give the titles and lines of ``text``; lines of comments and link targets are left out."""
    scanner = _Scanner(_BREAKS.split(text))
    scanner.scan()
    return scanner.outline


def _mark(line: str) -> str | None:
    """Give the character that ``line`` repeats from end to end, or None where it is no adornment."""
    bare = line.rstrip()
    return bare[0] if bare and bare[0] in _MARKS and bare == bare[0] * len(bare) else None


def _width(text: str) -> int:
    """Give the columns of ``text``: wide East Asian characters take two, combining ones none."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 0 if unicodedata.combining(c) else 1 for c in text)


def _long_enough(line: str, title: str) -> bool:
    length = len(line.rstrip())
    return length >= 4 or length >= _width(title.strip())


class _Scanner:
    def __init__(self, lines: list[str]) -> None:
        self.lines = [*lines, "", ""]
        self.outline = Outline()
        self.styles: list[tuple[str, bool]] = []
        self.comment = False

    def scan(self) -> None:
        """Go through all lines once, from the top."""
        at, fresh = 0, True  # fresh: a title may begin here
        while at < len(self.lines) - 2:
            used = self._title(at) if fresh else 0
            if used:
                at += used
                self.comment = False
                continue
            fresh = self._line(at)
            at += 1

    def _title(self, at: int) -> int:
        """Take the title that begins in line ``at`` and give how many lines it has, 0 where there is none."""
        first, second, third = self.lines[at : at + 3]
        over = _mark(first)
        if over and second.strip() and _mark(second) is None and third.rstrip() == first.rstrip() and len(first) > 1:
            if _long_enough(first, second):
                self._add(at + 1, second, (over, True))
                return 3
            return 0
        under = _mark(second)
        if under and first.strip() and not _NO_TITLE.match(first) and _long_enough(second, first):
            self._add(at, first, (under, False))
            return 2
        return 0

    def _add(self, at: int, text: str, style: tuple[str, bool]) -> None:
        if style not in self.styles:
            self.styles.append(style)
        self.outline.titles.append(Title(at + 1, self.styles.index(style) + 1, _words(text)))

    def _line(self, at: int) -> bool:
        """Take a line that is no title and tell whether the next one may begin a title."""
        line = self.lines[at]
        if not line.strip():
            return True
        indented = line[0].isspace()
        if not indented:
            self.comment = line.startswith("..") and line[2:3].strip() == "" and not _DIRECTIVE.match(line)
        if indented and _mark(self.lines[at + 1].strip()) and _mark(line.strip()) is None:
            self.outline.decoy(at + 1, "a comment" if self.comment else "an indented block", _words(line))
        if not self.comment and not _SILENT.match(line):
            self.outline.lines.append((at + 1, line))
        return line.startswith("..")


def _words(text: str) -> str:
    """Give a title without roles and link targets; the rest of the marks fall to the reader of headings."""
    if len(text) > MAX_TITLE:
        return text.strip()
    return _LINKED.sub(r"\1", _ROLE.sub(r"\1", text)).strip()
