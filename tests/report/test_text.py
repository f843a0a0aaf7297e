"""The report for a person: everything that failed, what mends it, nothing that moves the cursor."""

from ptguard.errors import PolicyError, UsageError
from ptguard.model import Finding, Location, Mode, PolicySource, Status, TagVerdict, Verdict
from ptguard.report.text import error, verdict
from ptguard.value import replace
from tests.build import COMMIT, NOW, TAG
from tests.report.workflow_commands import command, lines

SOURCE = PolicySource("refs/remotes/origin/main", COMMIT, "0" * 64)
PASS = Finding.passed("annotated", "an annotated tag object")
FAIL = Finding(
    "changelog", Status.FAIL, "missing-section", "CHANGELOG.md has no section for v2.9.0",
    "newest section is v2.8.1", "a section for v2.9.0", "add it", Location("CHANGELOG.md", 7, COMMIT),
)  # fmt: skip
WARN = Finding("changelog", Status.WARN, "not-newest", "an odd order")


def tag(name: str, *findings: Finding) -> TagVerdict:
    return TagVerdict(f"refs/tags/{name}", name, TAG, COMMIT, findings)


def push(*tags: TagVerdict) -> Verdict:
    return Verdict(Mode.PUSH, NOW, SOURCE, tags)


def test_a_refused_push_says_all_and_that_nothing_was_pushed() -> None:
    text = verdict(push(tag("v2.9.0", PASS, FAIL, WARN), tag("v2.8.1", PASS)))
    assert text == (
        "v2.9.0  refused\n"
        "  ✗ changelog  missing-section: CHANGELOG.md has no section for v2.9.0\n"
        "      seen      newest section is v2.8.1\n"
        "      expected  a section for v2.9.0\n"
        "      where     CHANGELOG.md:7\n"
        "      mend      add it\n"
        "  ! changelog  not-newest: an odd order\n"
        "  ✓ annotated\n"
        "v2.8.1  accepted\n"
        "  ✓ annotated\n"
        f"policy: refs/remotes/origin/main at {COMMIT[:12]}, sha256 000000000000\n"
        "more: ptguard explain changelog/missing-section\n"
        "ptguard: refused v2.9.0\n"
        "  v2.9.0: changelog\n"
        "Nothing was pushed, also not the 1 accepted.\n"
    )


def test_an_accepted_push_is_short_and_verify_shows_each_check() -> None:
    good = tag("v2.9.0", PASS)
    assert "annotated tag object" not in verdict(push(good))
    shown = verdict(replace(push(good), mode=Mode.VERIFY))
    assert "✓ annotated  an annotated tag object" in shown and "Nothing was pushed" not in shown
    assert shown.endswith("ptguard: accepted v2.9.0\n")


def test_nothing_checked_is_refused_in_words() -> None:
    assert "v1: nothing was checked" in verdict(push(tag("v1")))


def test_hostile_text_cannot_move_the_cursor_or_make_a_line() -> None:
    evil = "x\n✓ all good\x1b[2J\r\u202e"
    finding = Finding("changelog", Status.FAIL, "missing-section", evil, evil, evil, evil, Location(evil, 1))
    text = verdict(push(tag(f"v{evil}", finding)))
    assert "\x1b" not in text and "\r" not in text and "\u202e" not in text
    assert not any(line.startswith("✓ all good") for line in text.splitlines())


def test_colour_only_when_asked_for() -> None:
    assert "\x1b[31m" in verdict(push(tag("v1", FAIL)), color=True)
    assert "\x1b" not in verdict(push(tag("v1", FAIL)), color=False)


def test_errors_have_their_mending_words() -> None:
    assert error(UsageError("no such tag", fix="git fetch --tags")) == (
        "ptguard: refused: no such tag\n  mend      git fetch --tags\n"
    )
    text = error(PolicyError("2 mistakes", problems=("p: a; b", "p: c; d")))
    assert text == "ptguard: refused: 2 mistakes\n  p: a; b\n  p: c; d\n"


def test_many_refused_tags_are_counted() -> None:
    text = verdict(push(*(tag(f"v{n}", FAIL) for n in range(8))))
    assert "ptguard: refused v0, v1, v2, v3, v4 and 3 more" in text


def test_the_hint_is_given_once_and_only_where_there_is_a_page() -> None:
    assert verdict(push(tag("v1", FAIL), tag("v2", FAIL))).count("ptguard explain") == 1
    unmatched = Finding("policy", Status.FAIL, "unmatched", "no pattern")
    assert "ptguard explain" not in verdict(push(tag("v1", unmatched), tag("v2", PASS)))
    assert "ptguard explain" not in verdict(push(tag("v2", PASS)))


def test_a_log_of_github_finds_no_command_in_it() -> None:
    evil = Finding.passed("annotated", "by ##[add-mask]x and\n::set-output name=x::y")
    text = verdict(replace(push(tag("v1", evil, FAIL)), mode=Mode.VERIFY))
    assert [command(line) for line in lines(text)] == [None] * len(lines(text))
    assert command("by ##[add-mask]x") is not None
