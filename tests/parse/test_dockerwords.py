"""Words of Dockerfiles: quotes, escapes, substitutions, and what no file decides."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptguard.parse.dockerwords import MAX_EXPANDED, Missing, UnresolvedError, expand

VARIABLES: dict[str, str | Missing] = {
    "A": "one",
    "EMPTY": "",
    "BARE": Missing("ARG BARE has no default", bare=True),
    "ARCH": Missing("ARCH is set by the builder", bare=False),
}


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("plain:1", "plain:1"),
        ("$A", "one"),
        ("${A}", "one"),
        ("x$A.y", "xone.y"),
        ("${A}b", "oneb"),
        ("'$A'", "$A"),
        ('"$A"', "one"),
        ('"${A}"two', "onetwo"),
        (r"\$A", "$A"),
        (r'"\$A"', "$A"),
        (r'"\x"', r"\x"),
        (r"\x", "x"),
        ("${A:-d}", "one"),
        ("${NONE:-d}", "d"),
        ("${NONE-d}", "d"),
        ("${BARE:-d}", "d"),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${EMPTY}", ""),
        ("${A:+d}", "d"),
        ("${NONE:+d}", ""),
        ("${BARE:+d}", ""),
        ("${EMPTY:+d}", ""),
        ("${EMPTY+d}", "d"),
        ("${A:?no}", "one"),
        ("${A?no}", "one"),
        ("${NONE:-$A}", "one"),
        ("${NONE:-${EMPTY:-x}}", "x"),
        ("${A:-$BARE}", "one"),  # the branch is not taken
        ("${NONE:+$BARE}", ""),
        ("x${NONE:-}y", "xy"),
        ("${NONE:-'}'}", "}"),
        ("end\\", "end"),
    ],
)
def test_a_word_is_expanded_as_buildkit_does(word: str, value: str) -> None:
    assert expand(word, VARIABLES, "\\") == value


def test_the_escape_is_the_files_own() -> None:
    assert expand("`$A", VARIABLES, "`") == "$A"
    assert expand(r"\$A", VARIABLES, "`") == r"\one"


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("$NONE", "no ARG before the first FROM declares NONE"),
        ("${NONE}", "no ARG before the first FROM declares NONE"),
        ("$BARE", "ARG BARE has no default"),
        ("${BARE-d}", "ARG BARE has no default"),  # versions of BuildKit differ
        ("${BARE+d}", "ARG BARE has no default"),
        ("${ARCH:-d}", "ARCH is set by the builder"),
        ("${ARCH:+d}", "ARCH is set by the builder"),
        ("${NONE:-$BARE}", "ARG BARE has no default"),
        ("${A:+$BARE}", "ARG BARE has no default"),
        ("${NONE:?no}", "NONE has no value, and the file demands one"),
        ("${A", "the substitution of A is of a kind that cannot be decided here"),
        ("${A:-x", "a substitution lacks its closing }"),
        ("${A#o}", "the substitution of A is of a kind that cannot be decided here"),
        ("${A%e}", "the substitution of A is of a kind that cannot be decided here"),
        ("${A/o/x}", "the substitution of A is of a kind that cannot be decided here"),
        ("${}", "a $ stands before what is no name"),
        ("$1", "a $ stands before what is no name"),
        ("$", "a $ stands before what is no name"),
        ("$(date)", "a $ stands before what is no name"),
        ("$@", "a $ stands before what is no name"),
        ("'open", "a single quote is not closed"),
        ('"open', "a double quote is not closed"),
        ("${X:-" * 40 + "}" * 40, "substitutions are nested too deeply"),
        ("x" * (MAX_EXPANDED + 1), f"the value is longer than {MAX_EXPANDED} characters"),
        ('"' + "x" * (MAX_EXPANDED + 1) + '"', f"the value is longer than {MAX_EXPANDED} characters"),
    ],
)
def test_what_the_file_does_not_decide_is_never_guessed(word: str, why: str) -> None:
    with pytest.raises(UnresolvedError) as caught:
        expand(word, VARIABLES, "\\")
    assert str(caught.value) == why


@given(st.text(st.sampled_from("$${{}}AB:-+?\"'\\ `x"), max_size=40))
def test_no_word_breaks_the_reader(word: str) -> None:
    with contextlib.suppress(UnresolvedError):
        assert len(expand(word, VARIABLES, "\\")) <= MAX_EXPANDED
