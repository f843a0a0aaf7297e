"""Markdown in a terminal: nothing is lost, nothing is wider than asked, colour only when asked for."""

import re

import pytest

from ptguard.pages import load
from ptguard.pages.render import WIDTH, plain, tables

SMALL = """\
# Title

Some *words* and `code with spaces` and [a link](x.md)
in two lines.

- one item that is rather long so that it must be wrapped somewhere near here
- two

| a | b |
|---|---|
| `x` | y |

```sh
git tag -s v1    # left as it stands, however long the line may be, since someone will copy it
```
"""


def test_a_small_page() -> None:
    assert plain(SMALL, 60) == (
        "Title\n=====\n\n"
        "Some words and `code with spaces` and a link in two lines.\n\n"
        "- one item that is rather long so that it must be wrapped\n  somewhere near here\n- two\n\n"
        "a    b\n`x`  y\n\n"
        "    git tag -s v1    # left as it stands, however long the line may be, since someone will copy it\n"
    )


def test_a_table_that_does_not_fit_becomes_blocks() -> None:
    table = "| reason | status | what it means | how to mend |\n|---|---|---|---|\n"
    table += f"| `ok` | pass | {'word ' * 20}| |\n| `bad` | fail | no | `git tag {'x ' * 30}` |\n"
    text = plain(table, 60)
    assert text.startswith("ok      pass\n    word word ") and "\nbad     fail\n    no\n    mend: `git tag x" in text
    assert max(map(len, text.splitlines())) <= 60


@pytest.mark.parametrize("page", load(), ids=lambda page: page.check)
def test_every_page_fits_and_loses_no_word(page: object) -> None:
    markdown = str(getattr(page, "markdown", ""))
    text = plain(markdown)
    code = re.findall(r"^```.*?^```", markdown, re.MULTILINE | re.DOTALL)
    examples = {f"    {line}".rstrip() for block in code for line in block.splitlines()}
    assert [
        line for line in text.splitlines() if len(line) > WIDTH and line not in examples and " " in line.strip()
    ] == []
    links = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", re.sub(r"^```.*$|^\|[-|]+$", "", markdown, flags=re.MULTILINE))
    words = set(re.findall(r"[\w-]{4,}", links))
    labels = {"reason", "status", "what", "means"}  # the heading of a table that became blocks
    assert words - labels - set(re.findall(r"[\w-]{4,}", text)) == set()
    assert "\x1b" not in text and text.endswith("\n") and not text.endswith("\n\n")


def test_colour_only_when_asked_for_and_only_around_words() -> None:
    painted = plain(SMALL, 60, color=True)
    assert "\x1b[1mTitle\x1b[0m" in painted
    assert re.sub(r"\x1b\[[01]m", "", painted) == plain(SMALL, 60)


def test_tables_are_given_cell_by_cell() -> None:
    assert tables(SMALL) == [[["a", "b"], ["`x`", "y"]]]
    assert tables("no table") == []
