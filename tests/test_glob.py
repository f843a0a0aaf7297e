"""Globs: what fits and what does not, side by side; held against an independent matcher; never slow."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptguard.glob import MAX_PATTERN, Match, Pattern, compile_pattern, matches


def compiled(pattern: str, *, captures: bool = True) -> Pattern:
    found = compile_pattern(pattern, captures=captures)
    assert isinstance(found, Pattern), found
    return found


@pytest.mark.parametrize(
    ("pattern", "fit", "unfit"),
    [
        ("v*", ["v1", "v", "v2.9.0", "v1*"], ["V1", "xv1", "v1/2", "", "a/v1"]),
        ("v**", ["v1", "v1/2", "v/"], ["V1", "a/v1"]),
        ("*", ["a", "", "-x"], ["a/b", "/"]),
        ("**", ["", "a", "a/b", "/"], []),
        ("**/v1", ["a/v1", "a/b/v1", "/v1"], ["v1", "a/v11"]),
        ("v?", ["v1", "vé"], ["v", "v12", "v/"]),
        ("v[0-9]*", ["v1", "v9x"], ["v", "vx", "v/"]),
        ("[!v]*", ["a", "xv"], ["v", "", "/a"]),
        ("[^v]", ["a", "^"], ["v", "/"]),
        ("[v][1-1]", ["v1"], ["v2", "a1", "[v]1"]),
        ("[]a-]", ["]", "a", "-"], ["b", "[]a-]"]),
        ("release/*", ["release/x", "release/"], ["release/x/y", "release", "Release/x"]),
        ("release/**", ["release/x", "release/x/y"], ["release", "releases/x"]),
        ("main", ["main"], ["Main", "main2", "xmain", ""]),
        ("a.b+c", ["a.b+c"], ["axb+c", "a.bbc"]),
        ("*-*-x", ["a-b-x", "--x", "a-b-c-x"], ["a-x", "a-b-x/"]),
        ("a*a*a", ["aaa", "axaxa", "aaaa"], ["aa", "aa/a"]),
        ("Ünïcode*", ["Ünïcode1"], ["ünïcode1", "U\u0308nïcode1"]),
    ],
)
def test_the_whole_name_fits_or_not(pattern: str, fit: list[str], unfit: list[str]) -> None:
    glob = compiled(pattern, captures=False)
    assert [name for name in fit if not glob.matches(name)] == []
    assert [name for name in unfit if glob.matches(name)] == []
    assert [name for name in fit if not matches(pattern, name)] == []
    assert [name for name in unfit if glob.match(name) is not None] == []


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("v*", "v2.9.0", Match("2.9.0", None)),
        ("nightly-*", "nightly-2026.11.22", Match("2026.11.22", None)),
        ("v[0-9]*", "v2.9.0", Match("2.9.0", None)),
        ("release/*", "release/2.9.0", Match("2.9.0", None)),
        ("v2.9.0", "v2.9.0", Match("v2.9.0", None)),
        ("v{version}", "v2.9.0", Match("2.9.0", None)),
        ("v{version}-gpu", "v2.9.0-gpu", Match("2.9.0", None)),
        ("v{version}-gpu", "v2.9.0", None),
        ("v{version}", "v", None),
        ("v{version}", "v1/2", None),
        ("{package}/v{version}", "core/v1.2.0", Match("1.2.0", "core")),
        ("{package}/v{version}", "libs/core/v1.2.0", None),
        ("libs/{package}/v{version}", "libs/core/v1.2.0", Match("1.2.0", "core")),
        ("**/{package}/v{version}", "a/b/core/v1.2.0", Match("1.2.0", "core")),
        ("{package}/v{version}", "/v1.2.0", None),
        ("{package}-v{version}", "my-vision-v1.2.0", Match("1.2.0", "my-vision")),
        ("{package}-v{version}", "a-v1-v2", Match("2", "a-v1")),
        ("{package}/v*", "core/v1.2.0", Match("1.2.0", "core")),
        ("{package}-release", "core-release", Match("core-release", "core")),
        ("{version}/{package}", "1.2/core", Match("1.2", "core")),
    ],
)
def test_what_a_pattern_takes_from_a_name(pattern: str, name: str, expected: Match | None) -> None:
    assert compiled(pattern).match(name) == expected


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("", "an empty pattern"),
        ("***", "more than two stars"),
        ("*" * 1000, "more than two stars"),
        ("a" * (MAX_PATTERN + 1), "at most 1024 characters"),
        ("v[0-9", "a [ without its ]"),
        ("v[]", "a [ without its ]"),
        ("[!]", "a [ without its ]"),
        ("[z-a]", "runs backwards"),
        ("v{version", "only {package} and {version}"),
        ("v}", "only {package} and {version}"),
        ("v{Version}", "only {package} and {version}"),
        ("v{a,b}", "only {package} and {version}"),
        ("{{version}}", "only {package} and {version}"),
        ("{version}{package}", "beside"),
        ("{version}*", "beside"),
        ("**{package}/v1", "beside"),
        ("{version}/{version}", "once only"),
        ("refs/tags/v*", "after refs/tags/"),
        ("refs/heads/main", "after refs/heads/"),
        ("v 1", "no ref name holds ' '"),
        ("v\n", "no ref name holds '\\n'"),
        ("v1\\*", "no ref name holds"),
        ("v1^", "no ref name holds '^'"),
        ("v~1", "no ref name holds '~'"),
        ("a:b", "no ref name holds ':'"),
    ],
)
def test_a_pattern_that_cannot_be_meant_is_named(pattern: str, words: str) -> None:
    found = compile_pattern(pattern)
    assert isinstance(found, str)
    assert words in found


@pytest.mark.parametrize("pattern", ["v{version}", "{package}", "a{b}"])
def test_branch_patterns_capture_nothing(pattern: str) -> None:
    assert compile_pattern(pattern, captures=False) == "no braces here"


def test_a_pattern_that_cannot_be_read_fits_nothing() -> None:
    assert not matches("***", "***")
    assert not matches("", "")


def test_the_prefix_ends_at_the_first_wildcard_or_capture() -> None:
    assert [compiled(p).prefix for p in ("v*", "a/{package}-v*", "main", "?x")] == ["v", "a/", "main", ""]


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("*a" * 500 + "b", "a" * 60_000),
        ("**a" * 300 + "b*", "ab" * 30_000),
        ("*" + "?" * 1000, "a" * 60_000),
        ("{package}-" + "*-" * 400 + "v{version}", "a-" * 30_000 + "v1"),
    ],
)
def test_no_pattern_is_slow(pattern: str, name: str) -> None:
    glob = compiled(pattern)
    began = time.process_time()
    glob.match(name)
    assert time.process_time() - began < 5  # a backtracking matcher would not come back at all


_ALPHABET = "ab/v-1"
_PIECES = {
    "**": ".*",
    "*": "[^/]*",
    "?": "[^/]",
    "[ab]": "[ab]",
    "[!a]": "[^a/]",
    "{package}": "(?P<package>[^/]+)",
    "{version}": "(?P<version>[^/]+)",
} | {c: re.escape(c) for c in _ALPHABET}


@given(st.lists(st.sampled_from(sorted(_PIECES)), min_size=1, max_size=8), st.text(_ALPHABET, max_size=12))
def test_agrees_with_a_backtracking_matcher(pieces: list[str], name: str) -> None:
    glob = compile_pattern("".join(pieces))
    if isinstance(glob, str):
        return  # two stars and a star beside each other, or a capture twice: refused, not matched
    read = re.findall(r"\*\*|\*|\?|\[[^\]]*\]|\{[^}]*\}|.", glob.text)  # * and * side by side became **
    found = re.fullmatch("".join(_PIECES[p] for p in read), name, re.DOTALL)
    match = glob.match(name)
    assert (match is not None) == (found is not None) == glob.matches(name)
    if match is not None and found is not None:
        assert match.package == found.groupdict().get("package")
        if "version" in found.groupdict():
            assert match.version == found["version"]


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_is_a_pattern_or_a_sentence(pattern: str, name: str) -> None:
    for captures in (True, False):
        glob = compile_pattern(pattern, captures=captures)
        if isinstance(glob, str):
            assert glob
        else:
            assert glob.matches(name) is (glob.match(name) is not None)
