"""A changelog's bytes as its sections: Markdown here, reStructuredText in :mod:`ptguard.parse.rst`.

Markdown is read with markdown-it-py's CommonMark block rules only, for fences, comments, indented code, quotes and
setext headings are what a hand-written pattern gets wrong. Nothing is rendered, run or fetched.
"""

import re
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from ptguard.model import Changelog, Location, Problem
from ptguard.parse.heading import is_unreleased, read_heading
from ptguard.parse.inline import label_of
from ptguard.parse.outline import Outline, Title, changelog_of
from ptguard.parse.plainmark import plain_outline
from ptguard.text import sh, shown

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

MAX_CHANGELOG_BYTES: Final = 2_000_000
MAX_CHANGELOG_LINES: Final = 50_000
"""Bounds the time too: 50,000 lines of the worst kind take a few seconds, in which a real 2 MB file has 40,000."""
MAX_CHANGELOG_TITLES: Final = 20_000
"""Reading a heading takes a third of a millisecond at worst; the longest real changelogs have some 2,000."""

_LFS: Final = b"version https://git-lfs.github.com/spec/"
# conventional-changelog writes <a name="…"></a> right above a heading, which hides it in an HTML block.
_ANCHOR: Final = r"(?m)^ {0,3}<a (?:name|id)=(?:\"[^\"\n]*\"|'[^'\n]*')>[ \t]*</a>[ \t]*$"
_COMMENT: Final = r"(?s)<!--.*?(?:-->|\Z)"
_TAG: Final = r"</?[A-Za-z][^<>]*>"
_MARKER: Final = r"(?:>|(?:[-+*]|\d{1,9}[.)])(?=[ \t]))[ \t]*"
_MARKERS: Final = rf"(?m)^[ \t]*(?:{_MARKER}){{2,}}"
_NO_BLANK: Final = r"#{1,6}(?=[^#\s])(.*)"
_BOLD: Final = r"(?:\*\*|__)(.+?)(?:\*\*|__)\W*"
_CONTAINERS: Final = {
    "blockquote_open": "a quote",
    "list_item_open": "a list",
}


def parse_changelog(path: str, data: bytes) -> Changelog | Problem:
    """Give the changelog in ``data``, the bytes of the file ``path``, or why it cannot be read.

    The reasons are ``too-large``, ``undecodable`` and ``lfs-pointer``. A name that ends in ``.rst`` is read as
    reStructuredText, any other as Markdown.
    """
    if len(data) > MAX_CHANGELOG_BYTES:
        return _too_large(path, f"{len(data)} bytes", f"{MAX_CHANGELOG_BYTES} bytes")
    if data.startswith(_LFS):
        return _pointer(path)
    text = _text(path, data)
    if isinstance(text, Problem):
        return text
    lines = text.count("\n") + text.count("\r") - text.count("\r\n")
    if lines > MAX_CHANGELOG_LINES:
        return _too_large(path, f"{lines} lines", f"{MAX_CHANGELOG_LINES} lines")
    outline = _outline(path, text, lines)
    if isinstance(outline, Problem):
        return outline
    if len(outline.titles) > MAX_CHANGELOG_TITLES:
        return _too_large(path, f"{len(outline.titles)} headings", f"{MAX_CHANGELOG_TITLES} headings")
    return changelog_of(path, outline)


def _outline(path: str, text: str, lines: int) -> Outline | Problem:
    if path.lower().endswith(".rst"):
        from ptguard.parse.rst import outline_of

        return outline_of(text)
    outline = plain_outline(text)
    if outline is not None:
        return outline
    nested = _nested(text)
    if lines + nested > MAX_CHANGELOG_LINES:
        got = f"{lines} lines with {nested} more lists and quotes in them"
        return _too_large(path, got, f"{MAX_CHANGELOG_LINES} of both together")
    return commonmark_outline(text)


def _nested(text: str) -> int:
    """Give how many lists and quotes begin within lines that have begun one: each is as much work as a line."""
    return sum(len(re.findall(_MARKER, found[0])) - 1 for found in re.finditer(_MARKERS, text))


def _text(path: str, data: bytes) -> str | Problem:
    """Decode UTF-8, with or without a byte order mark."""
    if b"\0" in data:
        return _undecodable(path, data.index(b"\0"), data, "UTF-16")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _undecodable(path, error.start, data, "ISO-8859-1")


def _too_large(path: str, got: str, most: str) -> Problem:
    fix = "move old releases to a file of their own, for instance CHANGELOG-old.md, and commit"
    return Problem("too-large", f"{shown(path)} is too large", got, f"at most {most}", fix, Location(path))


def _pointer(path: str) -> Problem:
    back = [sh("git", "lfs", "untrack", path), sh("git", "add", "--renormalize", path, ".gitattributes")]
    return Problem(
        "lfs-pointer",
        f"{shown(path)} is a Git LFS pointer: its text is not in the commit",
        "a Git LFS pointer",
        "the text itself in the commit",
        " && ".join([*back, sh("git", "commit", "-m", "Keep the changelog in git")]),
        Location(path, 1),
    )


def _undecodable(path: str, offset: int, data: bytes, guess: str) -> Problem:
    line = data.count(b"\n", 0, offset) + 1
    recode = f"{sh('iconv', '-f', guess, '-t', 'UTF-8', path)} > changelog.tmp && {sh('mv', 'changelog.tmp', path)}"
    return Problem(
        "undecodable",
        f"{shown(path)} is not UTF-8 text",
        f"byte 0x{data[offset]:02x} in line {line}",
        "UTF-8 text",
        f"if it is {guess}: {recode} && {sh('git', 'commit', '-m', 'Write the changelog in UTF-8', '--', path)}",
        Location(path, line),
    )


# --------------------------------------------------------------------------------------------- Markdown


@cache
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark")
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser


def commonmark_outline(text: str) -> Outline:
    """Give the outline of any Markdown ``text``, read with the library."""
    from markdown_it.token import Token

    if "<a " in text:
        text = re.sub(_ANCHOR, "", text)
    env: dict[str, dict[str, dict[str, object]]] = {}
    reader = _MarkdownReader(text[:80].splitlines()[:1] == ["---"])
    tokens = _parser().parse(text, env)
    tokens.append(Token("end", "", 0))
    for token, following in pairwise(tokens):
        reader.take(token, following)
    definitions: dict[str, int] = {}
    for label, reference in env.get("references", {}).items():
        place = reference.get("map")
        definitions[label_of(label)] = place[0] + 1 if isinstance(place, list) else 1
    reader.outline.define(definitions)
    return reader.outline


class _MarkdownReader:
    """Goes once through the block tokens of markdown-it-py."""

    def __init__(self, front_matter: bool) -> None:  # noqa: FBT001 - private
        self.outline = Outline()
        self.front_matter = front_matter
        self.inside: list[str] = []
        self.title = False
        self.hashes = False

    def take(self, token: "Token", following: "Token") -> None:
        """Take one token; ``following`` is the next one, a heading's text."""
        start = token.map[0] + 1 if token.map else 1
        if token.type in _CONTAINERS:
            self.inside.append(_CONTAINERS[token.type])
        elif token.type in ("blockquote_close", "list_item_close"):
            self.inside.pop()
        elif token.type == "heading_open":
            self._heading(token, following, start)
        elif token.type == "inline":
            self._inline(token, start)
        elif token.type == "fence":
            self._block(token.content, start + 1, "a code fence")
        elif token.type == "code_block":
            self._block(token.content, start, "an indented block")
        elif token.type == "html_block":
            self._html(token.content, start)

    def _heading(self, token: "Token", following: "Token", line: int) -> None:
        text = following.content
        self.title = False
        if self.inside:
            self.outline.decoy(line, self.inside[-1], text)
            return
        setext = token.markup in ("=", "-")
        matter = setext and self.front_matter and line == 2
        title = Title(line, int(token.tag[1:]), text, eligible=not (matter or "\n" in text))
        if matter:
            self.outline.decoy(line, "the front matter", text.split("\n")[-1])
        if setext and not matter and self._is_underlined_text(text):
            return
        self.title, self.hashes = True, not setext
        self.outline.titles.append(title)

    def _is_underlined_text(self, text: str) -> bool:
        """Tell whether a setext heading is text above a rule: below ``##`` headings, ``---`` is meant so."""
        return self.hashes and read_heading(text) is None and not is_unreleased(text)

    def _inline(self, token: "Token", line: int) -> None:
        if self.title:
            self.title = False
            return
        for number, text in enumerate(token.content.split("\n"), line):
            self.outline.lines.append((number, text))
            if self.inside:
                continue
            no_blank = re.match(_NO_BLANK, text) if text.startswith("#") else None
            bold = re.fullmatch(_BOLD, text) if text.startswith(("**", "__")) else None
            if no_blank:
                self.outline.decoy(number, "a line without a blank after #", no_blank[1].strip(" #"))
            elif bold:
                self.outline.decoy(number, "a bold line, which is no heading", bold[1])

    def _block(self, content: str, line: int, what: str) -> None:
        for number, text in enumerate(content.split("\n"), line):
            if text:
                self.outline.lines.append((number, text))
                if "#" in text:
                    self.outline.hidden_line(number, what, text)

    def _html(self, content: str, line: int) -> None:
        comment = content.lstrip().startswith("<!--")
        for number, text in enumerate(content.split("\n"), line):
            if "#" in text:
                self.outline.hidden_line(number, "a comment" if comment else "an HTML block", text)
        visible = re.sub(_COMMENT, lambda m: "\n" * m[0].count("\n"), content)
        for number, text in enumerate(re.sub(_TAG, " ", visible).split("\n"), line):
            if text.strip():
                self.outline.lines.append((number, text))
