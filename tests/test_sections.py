from datetime import date

import pytest

from ptguard.model import Changelog, ChangelogSection, RuleMatch
from ptguard.parse.changelog import parse_changelog
from ptguard.sections import for_tag, heading_for, nearest, newest, release_before
from tests.build import RULE, evidence, policy

TODAY = date(2026, 11, 22)


def log_of(*titles: str) -> Changelog:
    log = parse_changelog("CHANGELOG.md", "".join(f"## {t}\n\n- {t}\n\n" for t in titles).encode())
    assert isinstance(log, Changelog)
    return log


def lines(log: Changelog, tag: str, *, package: str | None = None, **changes: object) -> list[str]:
    version = tag.rsplit("/", 1)[-1].removeprefix("jax-").removeprefix("v")
    match = RuleMatch(RULE, version, package)
    return [s.title for s in for_tag(evidence(tag, match=match), policy(**changes), log, match)]


@pytest.mark.parametrize(
    ("tag", "titles", "found"),
    [
        ("v2.9.0", ["2.9.0", "2.8.1"], ["2.9.0"]),
        ("v2.9.0", ["[2.9]", "2.8.1"], ["[2.9]"]),
        ("v2.9", ["2.9.0", "2.8.1"], ["2.9.0"]),
        ("v2.9.0rc1", ["2.9.0-rc1"], ["2.9.0-rc1"]),
        ("v2.9.0", ["2.9.0rc1", "12.9.0", "2.9.0.post1", "2.9.0a"], []),
        ("v2.9.0rc1", ["2.9.0"], []),
        ("v2.9.0", ["2.9.0", "v2.9"], ["2.9.0", "v2.9"]),
        ("jax-v0.4.34", ["jax 0.4.34 (2025-01-01)", "jaxlib 0.4.34 (2025-01-01)"], ["jax 0.4.34 (2025-01-01)"]),
        ("v0.4.34", ["jax 0.4.34", "jaxlib 0.4.34", "jax 0.4.33", "jaxlib 0.4.33"], ["jax 0.4.34", "jaxlib 0.4.34"]),
        ("v2.9.0", ["2.9.0 (2025-01-01)", "torch 2.9.0 (2025-01-01)"], ["2.9.0 (2025-01-01)"]),
    ],
)
def test_for_tag(tag: str, titles: list[str], found: list[str]) -> None:
    assert lines(log_of(*titles), tag) == found


def test_candidates_may_carry_the_section_of_the_release() -> None:
    log = log_of("2.9.0", "2.8.1")
    assert lines(log, "v2.9.0rc1", candidates="base") == ["2.9.0"]
    assert lines(log, "v2.9.0.dev3", candidates="base") == ["2.9.0"]
    assert lines(log, "v2.9.0.post1", candidates="base") == []
    assert lines(log, "v2.9.0+cu128", candidates="base") == []
    assert lines(log_of("2.9.0", "2.9.0rc1"), "v2.9.0rc1", candidates="base") == ["2.9.0rc1"]


def test_packages_that_share_a_file() -> None:
    log = log_of("foo 1.2.3 (2025-01-01)", "bar 1.2.3 (2025-01-01)", "1.2.2 (2025-01-01)")
    assert lines(log, "foo/1.2.3", package="foo") == ["foo 1.2.3 (2025-01-01)"]
    assert lines(log, "Foo_/1.2.3", package="Foo_") == ["foo 1.2.3 (2025-01-01)"]
    assert lines(log, "baz/1.2.3", package="baz") == []
    assert lines(log, "baz/1.2.2", package="baz") == ["1.2.2 (2025-01-01)"]
    own = {"changelog_paths": ("{package}/CHANGELOG.md",)}
    assert lines(log_of("Foo Thing 1.2.3 (2025-01-01)"), "foo/1.2.3", package="foo", **own) != []


def name(section: ChangelogSection | None) -> str | None:
    return section.version if section else None


def test_newest_nearest_and_before() -> None:
    down, up = log_of("2.8.1", "2.8.0", "2.7.0").sections, log_of("0.1", "0.2", "0.3").sections
    assert (name(newest(down)), name(newest(up)), newest([])) == ("2.8.1", "0.3", None)
    assert (name(nearest(down, "2.9.0")), name(nearest(down, "2.7.5")), name(nearest(down, "1.0"))) == (
        "2.8.1", "2.7.0", "2.8.1",
    )  # fmt: skip
    assert name(nearest(log_of("2.8.1", "2.9.0rc1").sections, "2.9.0")) == "2.9.0rc1"
    assert (nearest([], "2.9.0"), nearest(down, "what")) == (None, None)
    assert name(release_before(down, down[0])) == "2.8.0"
    assert release_before(down, down[2]) is None


@pytest.mark.parametrize(
    ("like", "heading"),
    [
        (None, "## [2.9.0] - 2026-11-22"),
        ("2.8.1 (2025-01-02)", "## 2.9.0 (2026-11-22)"),
        ("[v2.8.1] - 2025-01-02", "## [v2.9.0] - 2026-11-22"),
        ("Version 2.8.1", "## Version 2.9.0"),
        ("[2.8.1](https://example.com/2.8.1) (2025-01-02)", "## [2.9.0] - 2026-11-22"),
        ("2.8.1 - TBD", "## [2.9.0] - 2026-11-22"),
    ],
)
def test_a_missing_heading_is_written_as_the_others_are(like: str | None, heading: str) -> None:
    section = None if like is None else log_of(like).sections[0]
    assert heading_for("2.9.0", TODAY, section) == heading


def test_a_missing_heading_has_the_level_of_the_others() -> None:
    log = parse_changelog("C.md", b"# 2.8.1 (2025-01-02)\n\n- x\n")
    assert isinstance(log, Changelog)
    assert heading_for("2.9.0", TODAY, log.sections[0]) == "# 2.9.0 (2026-11-22)"
