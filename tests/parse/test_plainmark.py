# ruff: noqa: E501 - tables of odd Markdown
"""Plain Markdown is read here exactly as the library reads it, or not at all."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ptguard.parse.changelog import commonmark_outline
from ptguard.parse.outline import Outline
from ptguard.parse.plainmark import plain_outline

USUAL = """\
# Changelog

All notable changes are kept here.
The form is [Keep a Changelog](https://keepachangelog.com).

## [Unreleased]

## [2.9.0] - 2025-04-05

### Added

- A thing that
  goes on over two lines.
  - A nested one (#12), by **somebody**.
    It goes on, too.
- `flag` does [this](https://example.com).

* Another list

## [2.8.1] - 2025-01-02
- Straight below its heading.
Text of 3 < 4 & more.

[Unreleased]: https://example.com/compare/v2.9.0...HEAD
[2.9.0]: https://example.com/compare/v2.8.1...v2.9.0
[2.9.0]: https://example.com/twice
"""


def parts(outline: Outline) -> tuple[object, ...]:
    return outline.titles, outline.lines, sorted(outline.decoys), outline.links


def agree(text: str) -> bool:
    """Tell whether ``text`` was plain; if so, both ways must give the same."""
    plain = plain_outline(text)
    if plain is not None:
        assert parts(plain) == parts(commonmark_outline(text)), text
    return plain is not None


def test_a_usual_changelog_is_plain() -> None:
    text = USUAL.replace("- Straight below its heading.\nText", "- Straight below its heading.\n\nText")
    assert agree(text)
    assert agree(text.replace("\n", "\r\n"))


ODD = [
    "```\n## 2.9.0\n```", "~~~\n## 2.9.0\n~~~", "<!--\n## 2.9.0\n-->", "    ## 2.9.0", "> ## 2.9.0", "- ## 2.9.0",
    "2.9.0\n=====", "2.9.0\n---", "text\n-\n", "-\n", "- a\n\n  b", "- a\nb", "text\n- a", "text\n  - a", "1. a", "2) a",
    "- 1. a", "- - a", "***", "- - -", "* * *", "[a]: <x>", "[a]:\nhttps://x.y", '[a]: https://x.y "t"', "[a\nb]: https://x.y",
    '[a]: https://x.y\n"title"', "[a]: https://x.y\ntext", "text\n[a]: https://x.y", "##2.9.0", "## 2.9.0 ##", "# C#", "#", "####### x",
    "## a\tb", "\ttext", "## 2.9.0\u00a0", "## 2.9.0\u3000", "a\rb", "a\x0bb", "## a \n", "text  \nmore", "**2.9.0**", "---\na: b\n---",
    "- [a]: https://x.y", "  ## x", "- a\n   b", "- a\n    - b", "+ a\n  - b\n      c", "text\n\n  - a", "\\# x", "| a | b |\n|---|---|", "![x](y)",
    "[a]: javascript:x", "- a\n  [b]: https://x.y", "![a]: https://x.y", "[^1]: note", "[]: https://x.y", "- **a\n  b**\n\n  c",
]  # fmt: skip


@pytest.mark.parametrize("odd", ODD)
def test_what_could_be_misread_is_left_to_the_library(odd: str) -> None:
    assert not agree(odd)
    assert not agree(f"# Changelog\n\n## 2.9.0\n\n- x\n\n{odd}\n\n## 2.8.0\n\n- y\n")


LINES = st.sampled_from(
    ["", "", "", "# Changelog", "## 2.9.0", "## [2.9.0] - 2025-04-05", "### Added", "- a", "- b `c` d", "* e", "+ f", "  - g",
     "  h", "    i", "    - j", "text", "More text.", "[l](u)", "[2.9.0]: https://x.y/z", "[a b]: https://x.y", "`x`", "**b** c",
     "- **b** c", "- [x] y", "  * k", "2.9.0 text", "---", "===", "```", "<!--", "-->", "> q", "#x", "- # y", "-", "1. z", "\t", " "],
)  # fmt: skip
TEXTS = st.one_of(
    st.lists(LINES, max_size=14).map("\n".join),
    st.text(alphabet="#-*+ \n[]:ab`~<>!_1.=\t\\&()", max_size=40),
    st.lists(st.tuples(st.integers(0, 5), LINES), max_size=10).map(
        lambda rows: "\n".join(" " * n + x for n, x in rows)
    ),
)


@settings(max_examples=1500, deadline=None)
@example("- a\n\n  - b\n\n- c")
@example("  - a\n- b")
@given(TEXTS)
def test_the_two_ways_agree(text: str) -> None:
    agree(text)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(["", "# A", "## 2.9.0", "- a", "  b", "  - c", "    d", "text", "[a]: https://x.y"]),
        max_size=20,
    )
)
def test_the_two_ways_agree_on_what_is_mostly_plain(lines: list[str]) -> None:
    agree("\n".join(lines))
