"""Foreign text is shown harmless."""

import pytest

from ptguard.text import sh, shown


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("v2.9.0", "v2.9.0"),
        ("Größe 大", "Größe 大"),
        ("a\nb", "a\\x0ab"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x7f\x9b", "\\x7f\\x9b"),
        ("a\u202eb", "a\\u202eb"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("\udcff", "\\udcff"),
        ("\u2028", "\\u2028"),
        ("\U000e0001", "\\U000e0001"),
        (b"\xff ok", "\\xff ok"),
    ],
)
def test_hidden_characters_become_escapes(given: str | bytes, expected: str) -> None:
    assert shown(given) == expected


def test_long_text_is_cut_and_says_so() -> None:
    assert shown("x" * 500, 10) == "x" * 10 + "…"
    assert shown(b"x" * 10**7, 10) == "x" * 10 + "…"


def test_words_are_quoted_for_a_shell() -> None:
    assert sh("git", "push", "origin", "v1") == "git push origin v1"
    assert sh("git", "tag", "-d", "v1;rm -rf $HOME") == "git tag -d 'v1;rm -rf $HOME'"
    assert sh("a'b") == "'a'\"'\"'b'"
    assert "\n" not in sh("a\nb")
