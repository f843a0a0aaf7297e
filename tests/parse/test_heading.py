# ruff: noqa: E501, RUF001 - tables of headings, in many languages and hands
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptguard import pep440
from ptguard.parse.heading import MAX_TITLE, is_unreleased, read_heading
from ptguard.parse.inline import plain

APRIL = date(2025, 4, 5)

DATED = [
    "[v2.9.0] - 2025-04-05", "[2.9.0] - 2025-04-05", "2.9.0 - 2025-04-05", "v2.9.0 - 2025-04-05", "V2.9.0 (2025-04-05)",
    "2.9.0 (2025-04-05)", "[2.9.0] (2025-04-05)", "2.9.0 — 2025-04-05", "2.9.0 – 2025-04-05", "2.9.0 / 2025-04-05",
    "2.9.0, 2025-04-05", "2.9.0: 2025-04-05", "2.9.0 2025-04-05", "2.9.0-2025-04-05", "2.9.0 | 2025-04-05",
    "[2.9.0](https://example.com/compare/v2.8.1...v2.9.0) (2025-04-05)", "[2.9.0](https://example.com) - 2025-04-05",
    "[2.9.0][v2.9.0] - 2025-04-05", "[2.9.0][] - 2025-04-05", r"\[2.9.0\] - 2025-04-05", "`2.9.0` - 2025-04-05",
    "**2.9.0** - 2025-04-05", "*2.9.0* (2025-04-05)", "**[2.9.0]** - 2025-04-05", "[`2.9.0`](u) - 2025-04-05",
    "2.9.0 (April 5th, 2025)", "2.9.0 (5 April 2025)", "2.9.0 (released Apr 5, 2025)", "2.9.0 (2025.04.05)",
    "2.9.0 (05.04.2025)", "2.9.0 (20250405)", "2025-04-05 - 2.9.0", "2025-04-05, Version 2.9.0 (Current), @someone",
    "2025-04-05 v2.9.0", "[2025-04-05] 2.9.0", "2025.04.05 - 2.9.0", "2025.04.05 v2.9.0", "April 5, 2025: 2.9.0",
    "🚀 2.9.0 - 2025-04-05", "🎉2.9.0 - 2025-04-05", "⚠️ 2.9.0 - 2025-04-05", ":rocket: [2.9.0] - 2025-04-05",
    "Version 2.9.0 (2025-04-05)", "Release 2.9.0 (2025-04-05)", "Release v2.9.0 - 2025-04-05", "Release: 2.9.0 2025-04-05",
    "release-2.9.0 (2025-04-05)", "【v2.9.0】2025-04-05", "v2.9.0（2025-04-05）", "版本 2.9.0（2025年4月5日）",
    "版本2.9.0 2025-04-05", "2.9.0 - 2025-04-05 🎉", "2.9.0 - 2025-04-05 - The Big One", "2.9 - 2025-04-05",
    "v.2.9.0 - 2025-04-05", "2.9.0 <a name=\"x\"></a> - 2025-04-05", "2.9.0&nbsp;- 2025-04-05", "2.9.0 <!-- x --> 2025-04-05",
    "[![badge](u)](v) 2.9.0 - 2025-04-05", "2.9.0 - <2025-04-05>", "2.9.0 Release Notes (2025-04-05)",
    "PyTorch 2.9.0 (2025-04-05)", "torch-audio v2.9.0 (2025-04-05)", "pkg-v2.9.0 - 2025-04-05", "pkg/v2.9.0 - 2025-04-05",
    "@scope/pkg@2.9.0 (2025-04-05)", "jax (2.9.0) (2025-04-05)", "Changes in 2.9.0 (2025-04-05)", "What's new in 2.9.0 (2025-04-05)",
    "2.9.0 (2025-04-05, the fast one)", "2.9.0 - Final - 2025-04-05", "2.9.0. - 2025-04-05",
]  # fmt: skip


@pytest.mark.parametrize("title", DATED)
def test_accepted_with_its_date(title: str) -> None:
    heading = read_heading(title)
    assert heading is not None
    assert pep440.same(heading.version, "2.9.0")
    assert (heading.day, heading.placeholder, heading.yanked) == (APRIL, False, False)


@pytest.mark.parametrize(
    "title",
    [
        "2.9.0", "v2.9.0", "[2.9.0]", "[v2.9.0]", "`2.9.0`", "【v2.9.0】", "🚀 2.9.0", "v2.9.0 🎉", "Version 2.9.0",
        "Release 2.9.0", "2.9.0 - The Big Release", "2.9.0: The Big Release", '2.9.0 "Aluminium Falcon"', "2.9.0 (LTS)",
        "2.9.0 A new hope", "2.9.0 and friends", "2.9.0 - 10x faster", "2.9.0!", "PyTorch 2.9.0", "PyTorch 2.9.0 Release Notes",
        "CUTLASS 2.9", "2.9.0 Final", "2.9.0 - a title of 5 May", "&#50;.9.0", "2.9.0 - What??",
    ],
)  # fmt: skip
def test_accepted_without_a_date(title: str) -> None:
    heading = read_heading(title)
    assert heading is not None
    assert pep440.same(heading.version, "2.9.0")
    assert (heading.date_text, heading.day) == (None, None)


@pytest.mark.parametrize(
    ("title", "version"),
    [
        ("12.9.0", "12.9.0"),
        ("2.9.0rc1", "2.9.0rc1"),
        ("2.9.0-rc1", "2.9.0rc1"),
        ("2.9.0-rc.1", "2.9.0rc1"),
        ("2.9.0 rc1", "2.9.0rc1"),
        ("2.9.0 RC 1", "2.9.0rc1"),
        ("2.9.0 (rc1)", "2.9.0rc1"),
        ("2.9.0 - Beta 2", "2.9.0b2"),
        ("2.9.0 beta", "2.9.0b0"),
        ("2.9.0 alpha testers", "2.9.0a0"),
        ("2.9.0<b>rc1</b>", "2.9.0rc1"),
        ("2.9.0<!-- -->rc1", "2.9.0rc1"),
        ("2.9.0.post1", "2.9.0.post1"),
        ("2.9.0 post1", "2.9.0.post1"),
        ("2.9.0-1", "2.9.0.post1"),
        ("2.9.0a", "2.9.0a0"),
        ("2.9.0.dev1", "2.9.0.dev1"),
        ("2.9.0+cu128", "2.9.0+cu128"),
        ("1!2.9.0", "1!2.9.0"),
        ("2.8.1 - backport of 2.9.0", "2.8.1"),
        ("2.8.1 (fixes 2.9.0)", "2.8.1"),
        ("[2.8.1](https://example.com/2.9.0)", "2.8.1"),
        ("[2.8.1][2.9.0]", "2.8.1"),
        ("2.8.1 <!-- 2.9.0 -->", "2.8.1"),
        ("<!-- 2.9.0 --> 2.8.1", "2.8.1"),
        ("2025.04.05 - requires torch 2.9.0", "2025.4.5"),
        ("2025.04.05", "2025.4.5"),
        ("20250405", "20250405"),
        ("&#49;2.9.0", "12.9.0"),
        ("`1`2.9.0", "12.9.0"),
        ("Version 5", "5"),
        ("v5 the fifth", "5"),
        ("[1]2.9.0", "1"),
    ],
)
def test_names_another_version(title: str, version: str) -> None:
    heading = read_heading(title)
    assert heading is not None
    assert pep440.same(heading.version, version)
    assert not pep440.same(heading.version, "2.9.0")


@pytest.mark.parametrize(
    "title",
    [
        "", "Changelog", "Unreleased", "2x9x0", "2.9.x", "2.x", "2.9.*", "2.9.0+", "2.9.0-foo", "2.9.0-SNAPSHOT", "2.9.0~rc1",
        "2.9.0^", "2.9.0_rc_x", "py2.9.0x", "cu12.8", "x2.9.0", "١2.9.0", "2.9.0١", "２.9.0", "2️⃣.9.0", "2.9.0\u0301",
        "2.9.0\u200brc1", "1\u200b2.9.0", "2.9.0\u202e", "2.9.0&#8203;rc1", "1\u200d2.9.0",
        "1*2.9.0*", "**1**2.9.0", "<b>1</b>2.9.0",
        "Unreleased (after 2.9.0)", "Unreleased since 2.9.0", "Changes since 2.9.0", "Upgrading to 2.9.0", "Upgrade from 2.9.0",
        "Known issues in 2.9.0", "Support for 2.9.0", "Backport of 2.9.0", "Before 2.9.0", "Pre-2.9.0", "non-2.9.0", "Older than 2.9.0",
        "Requires torch 2.9.0", "Fixes in 2.9.0", "< 2.9.0", ">= 2.9.0", "~2.9.0", "==2.9.0", "≥ 2.9.0", "$2.9.0",
        "2.9.0 to 2.10.0", "2.9.0 - 2.9.3", "2.9.0 → 2.10.0", "2.9.0 / 2.8.1", "2.9.0, 2.8.1", "2.9.0 and 2.8.1", "2.9.0...2.9.1",
        "2.9.0 and later", "2.9.0 or newer", "2.9.0 is broken", "2.9.0 migration guide", "2.9.0 users",
        "Python 3.9 support", "NumPy 1.26 support dropped", "Node 3 and torch 2.9.0", "We worked hard on the new 2.9.0",
        "3 new features", "1. Introduction", "10x faster", "3D support in 2.9.0", "https://example.com/releases/2.9.0",
        "[release](https://example.com/2.9.0)", "[release][2.9.0]", "2025-04-05", "4.x", "2.9.0" + "x" * MAX_TITLE,
        "1.2.3/1.2.4 2.9.0", "2.9.0=2.9.0",
    ],
)  # fmt: skip
def test_refused(title: str) -> None:
    assert read_heading(title) is None


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("2.9.0 - TBD", "TBD"), ("2.9.0 (TBD)", "TBD"), ("2.9.0 TBD", "TBD"), ("[2.9.0] - ??", "??"), ("2.9.0 - XX", "XX"),
        ("2.9.0 - YYYY-MM-DD", "YYYY-MM-DD"), ("2.9.0-YYYY-MM-DD", "YYYY-MM-DD"), ("2.9.0 - <YYYY-MM-DD>", "YYYY-MM-DD"),
        ("2.9.0 (2025-XX-XX)", "2025-XX-XX"), ("2.9.0 - 2025-04-??", "2025-04-??"), ("2.9.0 - xxxx-xx-xx", "xxxx-xx-xx"),
        ("2.9.0 (unreleased)", "unreleased"), ("2.9.0 - Unreleased", "Unreleased"), ("[Unreleased] 2.9.0", "Unreleased"),
        ("Upcoming: 2.9.0", "Upcoming"), ("2.9.0 (in development)", "in development"), ("2.9.0 - DD/MM/YYYY", "DD/MM/YYYY"),
        ("2.9.0 (April XX, 2025)", "April XX"), ("2.9.0 (released TBA)", "released TBA"), ("2.9.0 - {{ date }}", "{{ date }}"),
        ("2.9.0 (planned)", "planned"), ("2.9.0 draft", "draft"), ("2.9.0 - cancelled", "cancelled"), ("Draft 2.9.0", "Draft"),
        ("Roadmap: 2.9.0", "Roadmap"), ("TODO 2.9.0", "TODO"), ("2.9.0 (never released)", "never released"),
    ],
)  # fmt: skip
def test_placeholders(title: str, text: str) -> None:
    heading = read_heading(title)
    assert heading is not None
    assert (heading.version, heading.date_text, heading.day, heading.placeholder) == ("2.9.0", text, None, True)


def test_an_impossible_date_is_no_placeholder() -> None:
    heading = read_heading("2.9.0 - 2025-02-30")
    assert heading is not None
    assert (heading.date_text, heading.day, heading.placeholder) == ("2025-02-30", None, False)


@pytest.mark.parametrize(
    ("title", "yanked"),
    [
        ("[2.9.0] - 2025-04-05 [YANKED]", True),
        ("[2.9.0] - 2025-04-05 (yanked)", True),
        ("[YANKED] 2.9.0", True),
        ("2.9.0 - yanked", True),
        ("~~2.9.0~~ - 2025-04-05", True),
        ("<del>2.9.0</del> - 2025-04-05", True),
        ("2.9.0 (retracted: wrong wheels)", True),
        ("2.9.0 - pip installs yanked releases", False),
        ("2.9.0 - ~~2025-04-04~~ 2025-04-05", False),
        ("2.9.0 - 2025-04-05", False),
    ],
)
def test_yanked(title: str, yanked: bool) -> None:
    heading = read_heading(title)
    assert heading is not None
    assert heading.yanked is yanked


@pytest.mark.parametrize(
    ("title", "name", "label"),
    [
        ("[2.9.0] - 2025-04-05", "", "2.9.0"),
        ("[v2.9.0]", "", "V2.9.0"),
        ("[2.9.0][rel  290]", "", "REL 290"),
        ("[2.9.0][]", "", "2.9.0"),
        ("[2.9.0](https://example.com)", "", None),
        (r"\[2.9.0\]", "", None),
        ("2.9.0", "", None),
        ("jax 2.9.0", "jax", None),
        ("torch-audio v2.9.0", "torch-audio", None),
        ("@scope/pkg@2.9.0", "@scope/pkg", None),
        ("Apache Spark 2.9.0", "Apache Spark", None),
        ("Release 2.9.0", "", None),
    ],
)
def test_name_and_label(title: str, name: str, label: str | None) -> None:
    heading = read_heading(title)
    assert heading is not None
    assert (heading.name, heading.label) == (name, label)


@pytest.mark.parametrize(
    ("title", "unreleased"),
    [
        ("Unreleased", True), ("[Unreleased]", True), ("[UNRELEASED](https://example.com)", True), ("Unreleased - YYYY-MM-DD", True),
        ("Next", True), ("Next release", True), ("Upcoming", True), ("未发布", True), ("Next steps", False), ("2.9.0", False),
    ],
)  # fmt: skip
def test_unreleased(title: str, unreleased: bool) -> None:
    assert is_unreleased(title) is unreleased


@given(
    st.text(max_size=60)
    | st.text(alphabet=st.sampled_from("29.01v-[]()<>*_~`:&#;\\ rcab!+/@é版🎉\u200d\u200b"), max_size=40)
)
def test_arbitrary_text_never_raises(title: str) -> None:
    heading = read_heading(title)
    assert heading is None or pep440.parse(heading.version) is not None
    plain(title)
    is_unreleased(title)
