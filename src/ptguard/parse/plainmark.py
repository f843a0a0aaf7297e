"""Markdown so plain that nothing can be misread: read without the library, or not at all.

Most changelogs are `#` headings, blank lines, bullets, paragraphs and, at the end, link definitions. Loading
markdown-it-py for them costs 45 ms at every tag push (docs/adr/0012-plain-markdown.md). Here each line must be one of
those few, in a place where CommonMark 0.31 leaves only one reading; whatever else is in the file, from a fence to a
tab, sends the whole file to the library. The tests hold the two against each other.
"""

import re
from typing import Final

from ptguard.parse.inline import label_of
from ptguard.parse.outline import Outline, Title

# A paragraph begins with a letter, with emphasis that cannot be a rule or a bullet, or with a link.
_WORD: Final = r"(?:[^\W\d_]|\*\*(?=[^\s*])|`(?=[^`\s])|\[)"
_HEADING: Final = re.compile(r"(#{1,6}) +([^\s#](?:.*[^\s#])?) *")
_BULLET: Final = re.compile(rf"(|  )[-*+] ({_WORD}.*)")
_ONGOING: Final = re.compile(rf"( +)({_WORD}.*)")
_PARAGRAPH: Final = re.compile(rf"{_WORD}.*")
_DEFINITION: Final = re.compile(r"\[([0-9A-Za-z][0-9A-Za-z .+_-]{0,60})\]: (https?://[0-9A-Za-z./_~:@=?&+-]+)")
# Control characters, tabs, blanks of other alphabets and blanks at the end of a line.
_ODD: Final = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]| (?:\n|\\Z)"
)


def plain_outline(text: str) -> Outline | None:
    """Give the outline of ``text``, or None where it is not plain enough to be read here."""
    text = text.replace("\r\n", "\n")
    if _ODD.search(text):
        return None
    reader = _Reader()
    for number, line in enumerate(text.split("\n"), 1):
        if not reader.take(number, line):
            return None
    reader.outline.define(reader.definitions)
    return reader.outline


# No paragraph is open: after a blank line or a heading, and right below a link definition.
_NONE: Final = -1
_DEFINED: Final = -2


class _Reader:
    """Goes through the lines once; ``indent`` is where the text of the open paragraph begins, or one of the below."""

    __slots__ = ("bullets", "definitions", "indent", "outline")

    def __init__(self) -> None:
        self.outline = Outline()
        self.definitions: dict[str, int] = {}
        self.indent = _NONE
        self.bullets = False

    def take(self, number: int, line: str) -> bool:
        """Take one line; false where CommonMark might read it in another way."""
        if not line:
            self.indent = _NONE
            return True
        if line.startswith("#"):
            return self._heading(number, line)
        if line[0] in "-*+ " and not line.startswith("**"):
            return self._bullet(number, line) or self._ongoing(number, line)
        if line.startswith("[") and "]:" in line:
            return self._definition(number, line)
        return self._paragraph(number, line)

    def _heading(self, number: int, line: str) -> bool:
        match = _HEADING.fullmatch(line)
        if match is None:
            return False
        self.outline.titles.append(Title(number, len(match[1]), match[2]))
        self.indent, self.bullets = _NONE, False
        return True

    def _bullet(self, number: int, line: str) -> bool:
        match = _BULLET.fullmatch(line)
        if match is None or "]:" in match[2]:
            return False
        inner = len(match[1])
        if inner and not self.bullets:
            return False  # two blanks before a bullet are a list of its own only inside another list
        if self.indent in (_DEFINED, 0):
            return False  # right below a paragraph or a definition: the library may say what it interrupts
        self.bullets, self.indent = True, inner + 2
        self.outline.lines.append((number, match[2]))
        return True

    def _ongoing(self, number: int, line: str) -> bool:
        """Take a further line of a bullet's paragraph, indented as its text is."""
        match = _ONGOING.fullmatch(line)
        if match is None or "]:" in line or self.indent <= 0 or len(match[1]) != self.indent:
            return False
        self.outline.lines.append((number, match[2]))
        return True

    def _definition(self, number: int, line: str) -> bool:
        match = _DEFINITION.fullmatch(line)
        if match is None or self.indent >= 0:
            return False  # right below a paragraph it would be part of it
        self.definitions.setdefault(label_of(match[1]), number)  # the first definition of a label counts
        self.indent, self.bullets = _DEFINED, False
        return True

    def _paragraph(self, number: int, line: str) -> bool:
        if not _PARAGRAPH.fullmatch(line) or "]:" in line or line.startswith("**"):
            return False  # a bold line may be a decoy
        if self.indent not in (_NONE, 0):
            return False  # below a bullet it would go on with its paragraph, below a definition be its title
        self.outline.lines.append((number, line))
        self.indent, self.bullets = 0, False
        return True
