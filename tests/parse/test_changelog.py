# ruff: noqa: E501, RUF001 - tables of headings, in many languages and hands
import os
import re
import subprocess
import sys
import time
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptguard.model import Changelog, ChangelogSection, Problem
from ptguard.parse.changelog import MAX_CHANGELOG_BYTES, MAX_CHANGELOG_LINES, MAX_CHANGELOG_TITLES, parse_changelog
from ptguard.pep440 import same


def parsed(text: str, path: str = "CHANGELOG.md") -> Changelog:
    log = parse_changelog(path, text.encode())
    assert isinstance(log, Changelog)
    return log


def versions(text: str, path: str = "CHANGELOG.md") -> list[str]:
    return [s.version for s in parsed(text, path).sections]


def section(text: str, version: str = "2.9.0") -> ChangelogSection:
    (found,) = (s for s in parsed(text).sections if same(s.version, version))
    return found


OLD = "\n\n## [2.8.1] - 2025-01-02\n\n- older\n"

ACCEPTED = [
    "## [v2.9.0] - 2025-04-05", "## [2.9.0] - 2025-04-05", "## 2.9.0 - 2025-04-05", "## 2.9.0 (2025-04-05)",
    "## 2.9.0 — 2025-04-05", "## [2.9.0](https://example.com) (2025-04-05)", "## [2.9.0][v2.9.0] - 2025-04-05",
    "## \\[2.9.0\\] - 2025-04-05", "## `2.9.0` (2025-04-05)", "## 🚀 2.9.0 (2025-04-05)", "## Version 2.9.0 (2025-04-05)",
    "## Release 2.9.0 (2025-04-05)", "# 2.9.0 (2025-04-05)", "2.9.0 (2025-04-05)\n==================", "2.9.0 - 2025-04-05\n---",
    "## 2025-04-05 - 2.9.0", "## 2.9.0 - 2025-04-05 - The Big One", "## 【v2.9.0】2025-04-05", "## v2.9.0（2025-04-05）",
    "## 2.9 - 2025-04-05", "### 2.9.0 - 2025-04-05", "## 2.9.0 - 2025-04-05 ##", "   ## 2.9.0 - 2025-04-05",
    "##\t2.9.0 - 2025-04-05", '<a name="2.9.0"></a>\n## 2.9.0 (2025-04-05)', '<a name="2.9.0"></a>\n\n## 2.9.0 (2025-04-05)',
    "prose before\n## 2.9.0 - 2025-04-05", "## PyTorch 2.9.0 (2025-04-05)", "## 2.9.0\n\nReleased 2025-04-05",
    "## 2.9.0\n\n*April 5, 2025*",
]  # fmt: skip


@pytest.mark.parametrize("heading", ACCEPTED)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_accepted_forms(heading: str, newline: str) -> None:
    text = f"# Changelog\n\n{heading}\n\n- something new{OLD}".replace("\n", newline)
    found = section(text)
    assert (found.date, found.body, found.yanked) == (date(2025, 4, 5), 1, False)
    assert text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[found.line - 1].strip(" #\t=")[:1]
    assert versions(text)[-1] == "2.8.1"


def test_line_is_that_of_the_heading() -> None:
    assert section("\ufeff# Changelog\n\nprose\n\n## 2.9.0\n- x\n").line == 5
    assert section("# Changelog\r\n\r\n2.9.0\r\n-----\r\n- x\r\n").line == 3
    assert section('# Changelog\n\n<a name="a"></a>\n## 2.9.0\n- x\n').line == 4


REFUSED = [
    ("```\n## 2.9.0 - 2025-04-05\n- x\n```", "a code fence"),
    ("~~~text\n## 2.9.0\n~~~", "a code fence"),
    ("```\n## 2.9.0 in a fence that never ends\n", "a code fence"),
    ("<!--\n## 2.9.0\n- x\n-->", "a comment"),
    ("<!--\n\n## 2.9.0\n\n- a comment that never ends", "a comment"),
    ("<div>\n## 2.9.0\n</div>", "an HTML block"),
    ("- a list\n\n      ## 2.9.0\n", "an indented block"),
    ("text:\n\n    ## 2.9.0\n    - x\n", "an indented block"),
    ("> ## 2.9.0\n> - x", "a quote"),
    ("- ## 2.9.0\n  text", "a list"),
    ("1. ## 2.9.0\n", "a list"),
    ("> 2.9.0\n> -----\n", "a quote"),
    ("##[2.9.0] - 2025-04-05\n- x", "a line without a blank after #"),
    ("**2.9.0** (2025-04-05)", None),
    ("**2.9.0**\n\n- x", "a bold line, which is no heading"),
    ("[2.9.0]: https://example.com", "a link definition"),
    ("[v2.9.0]: https://example.com\n---\n", "a link definition"),
    ("In 2.9.0 we did much.", None),
    ("####### 2.9.0", None),
    ("\\## 2.9.0", None),
    ("2.9.0\nand more prose\n---\n", None),
    ("## 2.9.0\u200b", "a heading with hidden characters"),
    ("## 2.9.0\u202e - 2025-04-05", "a heading with hidden characters"),
    ("## 12.9.0", None), ("## 2x9x0", None), ("## 2.9.0rc1", None), ("## 2.9.0.post1", None), ("## 2.9.0a", None),
    ("## 2.8.2 - backport of 2.9.0", None), ("## Changes since 2.9.0", None), ("<h2>2.9.0</h2>", None),
    ("## [Unreleased]: after 2.9.0", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "where"), REFUSED)
def test_refused_forms(text: str, where: str | None) -> None:
    log = parsed(f"# Changelog{OLD}\n{text}\n")
    assert [s.version for s in log.sections if same(s.version, "2.9.0")] == []
    decoys = [d[1] for d in log.decoys if same(d[2], "2.9.0")]
    assert decoys == ([] if where is None else [where])


def test_a_decoy_has_its_line() -> None:
    assert parsed("# C\n\n```text\nfoo\n## 2.9.0\n```\n").decoys == ((5, "a code fence", "2.9.0"),)
    assert parsed("# C\n\n<!--\n\n## 2.9.0\n-->\n").decoys == ((5, "a comment", "2.9.0"),)
    assert parsed("# C\n\nx\n\n[2.9.0]: u\n").decoys == ((5, "a link definition", "2.9.0"),)


def test_front_matter_is_no_heading() -> None:
    log = parsed("---\nversion: 2.9.0\n---\n\n# Changelog\n")
    assert log.sections == ()
    assert log.decoys == ((2, "the front matter", "2.9.0"),)
    assert versions("\n---\n\nversion: 2.9.0\n---\n\n# Changelog\n") == ["2.9.0"]


@pytest.mark.parametrize(
    "text",
    [
        "# CUTLASS 2.9\n\n## [2.8.1] - 2025-01-02\n- x\n",
        "# CUTLASS 2.9\n\n## 2.8.1\n- x\n",
        "# CUTLASS 2.9\n\n# 2.8.1 (2025-01-02)\n- x\n",
        "# Changelog of 2.9\n\n## 2.8.1 (2025-01-02)\n- x\n",
        "# 2.9\n\n## 2.9.1 (2025-05-06)\n- x\n",
        "# 2.9\n\ntext\n\n## 2.9.1\n- x\n",
        "## 1.4.0 (2025-04-05)\n\n### Torch 2.9.0\n- x\n",
        "## 1.4.0\n\n### Torch 2.9.0\n- x\n",
        "## 1.4.0 (2025-04-05)\n\n### 2.9.0: what it means\n- x\n",
    ],
)
def test_a_title_above_or_below_the_sections_is_none(text: str) -> None:
    assert [v for v in versions(text) if same(v, "2.9.0")] == []
    assert versions(text) != []


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("# CUTLASS 2.9\n\n- the first release\n", [1]),
        ("# CUTLASS 2.9\n\n## 2.9.0 (2025-04-05)\n- x\n", [3]),
        ("# CUTLASS 2.9\n\n## 2.9.0\n- x\n", [3]),
        ("# 2.9\n\n## 2.9.0 - The Big One\n- x\n", [3]),
        ("# 2.9.0\n\n## Added\n- x\n\n# 2.8.1 (2025-01-02)\n- x\n", [1]),
        ("# 2.9.0\n- x\n## 2.8.1\n- x\n## 2.8.0\n- x\n# 2.7.0\n- x\n", [1]),
        ("## jax 2.9.0\n- x\n\n## jax 2.8.1 (2025-01-02)\n- x\n\n## jaxlib 2.8.1 (2025-01-02)\n- x\n", [1]),
        ("## PyTorch 2.9.0\n- x\n## PyTorch 2.8.1\n- x\n", [1]),
        ("## 2.9.0\n- x\n### 2.9.0rc1\n- y\n", [1]),
    ],
)
def test_a_title_that_is_the_section(text: str, lines: list[int]) -> None:
    assert [s.line for s in parsed(text).sections if same(s.version, "2.9.0")] == lines


def test_a_section_named_twice_is_there_twice() -> None:
    assert versions("## 2.9.0 (2025-04-05)\n- x\n\n## v2.9.0\n- y\n") == ["2.9.0", "v2.9.0"]


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ("- one\n- two", 2),
        ("one line\nanother", 2),
        ("### Added\n\n- x", 1),
        ("### Added\n\n### Fixed", 0),
        ("<!-- entries here -->", 0),
        ("<!--\n\n- entries here\n\n-->", 0),
        ("- <!-- entries here -->", 0),
        ("text <!-- why -->", 1),
        ("- \n-", 0),
        ("---\n\n***", 0),
        ("- TBD", 0),
        ("TODO", 0),
        ("- Nothing changed yet.", 0),
        ("_No changes_", 0),
        ("- No changes to the API", 1),
        ("&nbsp;", 0),
        ("- R&nbsp;D", 1),
        ("```python\nimport torch\n```", 1),
        ("    code", 1),
        ("> quoted", 1),
        ("> # quoted", 1),
        ("<details>\n<summary>More</summary>\n</details>", 1),
        ("<br>\n", 0),
        ("![](picture.png)", 1),
        ("| a | b |\n|---|---|\n| c | d |", 2),
        ("[2.9.0]: https://example.com", 0),
        ("Fixes many things.\n---", 1),
        ("# What changed\n\n- x", 0),
        ("## What changed\n\n- x", 1),
        ("## Unreleased\n\n- x", 0),
        ("## Contributors\n\n", 0),
    ],
)
def test_what_counts_as_substance(body: str, count: int) -> None:
    assert section(f"## 2.9.0 (2025-04-05)\n\n{body}\n{OLD}").body == count


def test_date_below_the_heading_is_no_substance() -> None:
    found = section(f"## 2.9.0\n\nReleased 2025-04-05\n{OLD}")
    assert (found.body, found.date) == (0, date(2025, 4, 5))
    held = section(f"## 2.9.0\n\nReleased TBD\n\n- x\n{OLD}")
    assert (held.date, held.date_text, held.placeholder) == (None, "Released TBD", True)


def test_empty_subsections() -> None:
    text = (
        "## 2.9.0\n\n### Added\n\n- x\n\n### Fixed\n\n<!-- none -->\n\n### Changed\n\n#### Deep\n\n- y\n\n### Removed\n"
    )
    assert section(text + OLD).empty_subsections == ("Fixed", "Removed")


@pytest.mark.parametrize("heading", ["2.9.0", "2.9.0 (Apr 5)", "v2.9.0: Falcon", "2.9.0 - 2025-04-05"])
def test_releases_below_a_year(heading: str) -> None:
    years = f"# Log\n\n## 2025\n\n### {heading}\n- x\n\n## 2024\n\n### 2.8.0 (Mar 1)\n- y\n"
    assert section(years).body == section(years, "2.8.0").body == 1
    assert "3.13.1" not in versions(f"# Log\n\n## {heading}\n- x\n\n### 3.13.1 support\n- y\n")
    assert "3.13.1" not in versions("# Log\n\n## 2025\n- x\n\n### Python 3.13.1\n- y\n")


def test_digest_is_of_the_words() -> None:
    one = section("## 2.9.0\n\n- same   words\n")
    assert one.digest == section("## 2.9.0 (2025-04-05)\n- same words\n").digest
    assert one.digest != section("## 2.9.0\n\n- other words\n").digest
    assert section("## 2.9.0\n").digest == ""


def test_unreleased_and_links() -> None:
    log = parsed("# C\n\n## [Unreleased]\n\n### Added\n- a\n- b\n\n## [2.9.0]\n- x\n\n[2.9.0]: u\n[unreleased]: v\n")
    assert (log.unreleased, log.unreleased_at) == (2, 3)
    assert log.links == {"2.9.0", "UNRELEASED"}
    assert log.sections[0].label == "2.9.0"
    assert (parsed("## 2.9.0\n- x\n").unreleased, parsed("## 2.9.0\n").unreleased_at) == (0, None)


def test_names_levels_and_headings() -> None:
    log = parsed("# Log\n\n### torch-audio v2.9.0\n- x\n\n### Changes in 2.8.0\n- y\n")
    assert [(s.name, s.level, s.title) for s in log.sections] == [
        ("torch-audio", 3, "torch-audio v2.9.0"),
        ("", 3, "Changes in 2.8.0"),
    ]
    assert log.headings == ((1, "Log"), (3, "torch-audio v2.9.0"), (6, "Changes in 2.8.0"))


# ------------------------------------------------------------------------------------------ what is not read


@pytest.mark.parametrize(
    ("data", "reason", "got"),
    [
        (b"#" * (MAX_CHANGELOG_BYTES + 1), "too-large", "2000001 bytes"),
        (b"x\n" * (MAX_CHANGELOG_LINES + 1), "too-large", "50001 lines"),
        (b"\r" * (MAX_CHANGELOG_LINES + 1), "too-large", "50001 lines"),
        (b"## 1.2.3\n" * (MAX_CHANGELOG_TITLES + 1), "too-large", "20001 headings"),
        (b"1.2.3\n=====\n" * (MAX_CHANGELOG_TITLES + 1), "too-large", "20001 headings"),
        (b"- - - - - - a\n" * 10_000, "too-large", "10000 lines with 50000 more lists and quotes in them"),
        (b"> 1. > - >> + * a\n" * 8_000, "too-large", "8000 lines with 56000 more lists and quotes in them"),
        (b"## 2.9.0\n\xff\xfe", "undecodable", "byte 0xff in line 2"),
        ("## 2.9.0\n- café".encode("latin-1"), "undecodable", "byte 0xe9 in line 2"),
        ("## 2.9.0\n- x".encode("utf-16"), "undecodable", "byte 0x00 in line 1"),
        (b"\x7fELF\0\0", "undecodable", "byte 0x00 in line 1"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "lfs-pointer", "a Git LFS pointer"),
    ],
)  # fmt: skip
def test_not_read(data: bytes, reason: str, got: str) -> None:
    problem = parse_changelog("a b.md", data)
    assert isinstance(problem, Problem)
    assert (problem.reason, problem.got) == (reason, got)
    assert problem.message and problem.expected and problem.fix
    assert problem.location is not None
    assert "\n" not in problem.message + problem.fix


def test_the_words_that_mend_an_undecodable_file_end_in_no_comment() -> None:
    problem = parse_changelog("a b.md", "## 2.9.0\n- café".encode("latin-1"))
    assert isinstance(problem, Problem)
    assert problem.fix == (
        "if it is ISO-8859-1: iconv -f ISO-8859-1 -t UTF-8 'a b.md' > changelog.tmp && mv changelog.tmp 'a b.md'"
        " && git commit -m 'Write the changelog in UTF-8' -- 'a b.md'"
    )


def test_read_up_to_the_limits() -> None:
    assert isinstance(parse_changelog("C.md", b"x" * MAX_CHANGELOG_BYTES), Changelog)
    assert isinstance(parse_changelog("C.md", b"\r\n" * MAX_CHANGELOG_LINES), Changelog)
    assert isinstance(parse_changelog("C.md", b""), Changelog)
    assert isinstance(parse_changelog("C.md", b"## 1.2.3\n" * MAX_CHANGELOG_TITLES), Changelog)
    assert isinstance(parse_changelog("C.md", b"- - - a\n" * 16_000 + b"\n" + b"-" * 60_000), Changelog)


# Each takes a second or so; anything quadratic would take minutes.
HOSTILE = {
    "hashes": "#\n" * 20_000,
    "one line of hashes": "#" * 2_000_000,
    "quotes": ">" * 10_000,
    "lines of quotes": (">" * 39 + "\n") * 1_200,
    "brackets": "[" * 100_000,
    "a heading of brackets": "# " + "[" * 1_000_000,
    "headings of brackets": ("# " + "[" * 400 + "1\n") * 500,
    "headings of comments": ("# " + "<!--" * 110 + "1\n") * 500,
    "headings of stars": ("# " + "*a" * 200 + "1\n") * 500,
    "headings of links": ("# " + "[a](" * 110 + "1\n") * 500,
    "headings of dates": ("# 1.0 " + "1.1.2025 " * 50 + "\n") * 500,
    "headings of words": ("# " + "a " * 220 + "1\n") * 500,
    "headings of backslashes": ("# " + "\\" * 440 + "1\n") * 500,
    "backticks": "`" * 2_000_000,
    "lines of backticks": "```\n" * 49_000,
    "a fence of headings": "```\n" + "## 1.2.3\n" * 20_000,
    "definitions": "".join(f"[{i}]: b\n" for i in range(20_000)),
    "open definitions": "[a]: b (\n" * 20_000,
    "open comments": "<!--\n" * 49_000,
    "open tags": ("<div <div " * 100 + "\n\n") * 1_900,
    "open anchors": '<a name="' * 200_000,
    "open comments in a line": ("x <!--" * 300 + "\n") * 1_000,
    "bold": ("**" * 900 + "\n") * 1_000,
    "setext": "a\n=\n" * 9_000,
    "plain definitions": "".join(f"[{i}]: https://x.y\n" for i in range(49_999)),
    "headings with dates": "## 2.9.0 2025-01-01 2.9.0 2025-01-01\n" * 20_000,
    "lists in lists": ("- " * 10 + "a\n") * 4_900,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_input_takes_no_longer_than_it_is_long(name: str) -> None:
    text = HOSTILE[name]
    started = time.process_time()
    log = parse_changelog("CHANGELOG.md", text.encode())
    assert time.process_time() - started < 20
    assert isinstance(log, Changelog)


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_arbitrary_bytes_never_raise(data: bytes) -> None:
    for path in ("CHANGELOG.md", "CHANGES.rst"):
        assert isinstance(parse_changelog(path, data), Changelog | Problem)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.sampled_from(
            [
                "# ",
                "## ",
                "2.9.0",
                "\n",
                "\n\n",
                "===",
                "---",
                "```",
                "> ",
                "- ",
                "    ",
                "<!--",
                "-->",
                "[2.9.0]: u",
                " (2025-04-05)",
                "text",
            ]
        )
    )
)
def test_arbitrary_markdown_never_raises(parts: list[str]) -> None:
    log = parsed("".join(parts))
    lines = "".join(parts).count("\n") + 1
    assert all(1 <= s.line <= lines for s in log.sections)


def test_reading_loads_nothing_that_fetches(tmp_path: object) -> None:
    code = (
        "import sys\nfrom ptguard.parse.changelog import parse_changelog\n"
        "assert 'markdown_it' not in sys.modules\n"
        "parse_changelog('C.md', b'# 2.9.0\\n\\n![x](https://example.com/x.png)\\n')\n"
        "print(*[m for m in ('socket', 'http.client', 'urllib.request', 'docutils') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert re.sub(r"\s", "", done.stdout) == ""
