"""Markdown as plain text for a terminal: headings, paragraphs, lists, code and tables, as our own pages use them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from markdown_it.token import Token

WIDTH: Final = 80
_BOLD: Final = "1"
_GAP: Final = "  "
_LABELLED: Final = 2
"""So many columns stand in the first line of a row that is laid out as a block; the others get a line and a label."""


def plain(markdown: str, width: int = WIDTH, *, color: bool = False) -> str:
    """Give a page as text of at most ``width`` columns (code is left as it stands), ending in a line break."""
    blocks = [block for block in _blocks(_tokens(markdown), width, color=color) if block]
    return "\n\n".join("\n".join(lines) for lines in blocks) + "\n"


def tables(markdown: str) -> list[list[list[str]]]:
    """Give the cells of each table, row by row, the heading first, as plain text."""
    return [_cells(tokens) for kind, tokens in _groups(_tokens(markdown)) if kind == "table"]


def wrapped(text: str, width: int, indent: str = "", first: str | None = None) -> list[str]:
    """Give ``text`` in lines of at most ``width`` columns; no word is broken."""
    return textwrap.wrap(
        text,
        width,
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def bold(text: str, *, color: bool) -> str:
    """Give ``text`` in bold where the terminal shows it."""
    return f"\x1b[{_BOLD}m{text}\x1b[0m" if color else text


def _tokens(markdown: str) -> list[Token]:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable("table").parse(markdown)


def _groups(tokens: Sequence[Token]) -> Iterator[tuple[str, list[Token]]]:
    """Give each block of the outermost level by its kind, with the tokens inside."""
    inside: list[Token] = []
    for token in tokens:
        if token.level == 0 and token.nesting == 1:
            inside = []
        elif token.level == 0:
            kind = token.type.removesuffix("_close")
            yield (f"heading {token.tag}" if kind == "heading" else kind), (inside if token.nesting else [token])
        else:
            inside.append(token)


def _blocks(tokens: Sequence[Token], width: int, *, color: bool) -> Iterator[list[str]]:
    for kind, inside in _groups(tokens):
        if kind.startswith("heading"):
            title = _inline(inside[0])
            line = ("=" if kind.endswith("h1") else "-") * len(title)
            yield [bold(title, color=color), line]
        elif kind in ("fence", "code_block"):
            yield [f"    {line}".rstrip() for line in inside[0].content.splitlines()]
        elif kind == "table":
            yield list(_table(_cells(inside), width, color=color))
        elif kind in ("bullet_list", "ordered_list"):
            yield [line for item in _items(inside) for line in wrapped(item, width, "  ", "- ")]
        else:
            yield [line for token in inside if token.type == "inline" for line in wrapped(_inline(token), width)]


def _items(tokens: Sequence[Token]) -> Iterator[str]:
    yield from (_inline(token) for token in tokens if token.type == "inline")


def _inline(token: Token) -> str:
    """Give the text of a block: links by their words, code in its backticks, so that one sees where it ends."""
    said = []
    for child in token.children or ():
        if child.type == "code_inline":
            said.append(f"`{child.content}`")
        elif child.type in ("softbreak", "hardbreak"):
            said.append(" ")
        else:
            said.append(child.content)
    return "".join(said)


def _cells(tokens: Sequence[Token]) -> list[list[str]]:
    rows: list[list[str]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(_inline(token))
    return rows


def _table(rows: list[list[str]], width: int, *, color: bool) -> Iterator[str]:
    """Lay a table out in columns where it fits, otherwise each row as a block of its own."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    if sum(widths) + len(_GAP) * (len(widths) - 1) <= width:
        for number, row in enumerate(rows):
            line = _GAP.join(f"{cell:<{size}}" for cell, size in zip(row, widths, strict=True)).rstrip()
            yield bold(line, color=color and number == 0)
        return
    for row in rows[1:]:
        head = f"{row[0].strip('`'):<{widths[0]}}{_GAP}" + _GAP.join(row[1:_LABELLED])
        yield bold(head.rstrip(), color=color)
        for label, cell in zip(rows[0][_LABELLED:], row[_LABELLED:], strict=True):
            if cell:
                yield from wrapped(cell, width, "    ", f"    {_label(label)}")


def _label(heading: str) -> str:
    return "" if heading == "what it means" else f"{heading.removeprefix('how to ')}: "
