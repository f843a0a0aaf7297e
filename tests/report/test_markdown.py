"""Markdown: whatever is foreign stands in code spans; nothing else is made of it."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from markdown_it import MarkdownIt
from markdown_it.token import Token

from ptguard import HOMEPAGE
from ptguard.errors import PtguardError
from ptguard.model import Status, Verdict
from ptguard.report.common import clean
from ptguard.report.markdown import code, error, parts, verdict
from ptguard.value import replace
from tests.report.hostile import MARK, anything, errors, sample, verdicts

OURS = {
    "heading_open", "heading_close", "paragraph_open", "paragraph_close", "bullet_list_open", "bullet_list_close",
    "list_item_open", "list_item_close", "inline", "text", "code_inline", "link_open", "link_close", "strong_open",
    "strong_close", "softbreak",
}  # fmt: skip


def tokens(text: str) -> Iterator[Token]:
    """Give every token of a page, as GitHub's flavour has them: tables and struck text, HTML allowed."""
    for token in MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text):
        yield token
        yield from token.children or ()


def read(text: str) -> list[Token]:
    """Give the tokens of a page that holds nothing foreign but in code spans."""
    found = list(tokens(text))
    assert {token.type for token in found} <= OURS, text
    for token in found:
        if token.type == "text":
            assert MARK not in token.content and not set(token.content) & set("@#<>|`$[]"), text
        if token.type == "link_open":
            assert str(token.attrs["href"]).startswith(f"{HOMEPAGE}/blob/main/docs/"), text
    assert not MarkdownIt("commonmark").parse(text)[-1].type.startswith("fence")
    return found


def spans(found: list[Token]) -> list[str]:
    return [token.content for token in found if token.type == "code_inline"]


def test_a_refusal_says_all_and_the_refused_tag_comes_first() -> None:
    bad = sample().bad
    text = verdict(replace(bad, tags=bad.tags[::-1]))
    assert text == (
        "## ptguard: refused\n\n"
        "Note: `a note`\n\n"
        "### `v2.9.0`: refused\n\n"
        f"- ⚠️ [branch]({HOMEPAGE}/blob/main/docs/checks/branch.md#reasons) `waived`: `waived by li-wei`\n"
        f"- ⚠️ [changelog]({HOMEPAGE}/blob/main/docs/checks/changelog.md#reasons) `no-date`: `no date`\n"
        "  - where: `CHANGELOG.md:7`\n"
        f"- ❌ [changelog]({HOMEPAGE}/blob/main/docs/checks/changelog.md#reasons) `missing-section`: `no section`\n"
        "  - seen: `v2.8.1`\n"
        "  - expected: `v2.9.0`\n"
        "  - where: `CHANGELOG.md:7`\n"
        "  - mend: `write it`\n"
        f"- ❌ [version]({HOMEPAGE}/blob/main/docs/checks/version.md#reasons) `mismatch`: `another version`\n"
        "  - seen: `2.8.1`\n"
        "  - expected: `2.9.0`\n"
        f"- ❌ [immutable]({HOMEPAGE}/blob/main/docs/checks/immutable.md#reasons) `unknown`: "
        "`the remote could not be asked`\n"
        "  - mend: `git ls-remote origin`\n"
        "- ✅ pass: annotated\n"
        "- ⚪ skip: signature\n"
        "\n"
        "### `v2.8.0`: accepted\n\n"
        "- ✅ pass: annotated\n"
        "\n"
        "Policy: `refs/remotes/origin/main` at `cccccccccccc`, sha256 `000000000000`\n"
    )
    read(text)


def test_an_accepted_tag_is_short() -> None:
    assert "### `v2.9.0`: accepted\n\n- ✅ pass: annotated\n" in verdict(sample().good)


def test_what_stopped_the_judging_is_said_with_all_mistakes() -> None:
    text = error(sample().error)
    assert (
        text
        == "## ptguard: refused\n\n❌ **policy** `2 mistakes`\n\n- `p: a`\n- `p: b`\n\nmend: `ptguard policy-check`\n"
    )
    read(text)


def test_parts_end_blocks_and_make_the_whole() -> None:
    bad = sample().bad
    assert "".join(parts(bad)) == verdict(bad) and all(part.endswith("\n") for part in parts(bad))


@settings(deadline=None)
@given(verdicts)
def test_hostile_words_stay_in_code(hostile: Verdict) -> None:
    found = read(verdict(hostile))
    headings = [token for token in found if token.type == "heading_open"]
    assert len(headings) == 1 + len(hostile.tags)
    said = spans(found)
    for tag in hostile.tags:
        assert clean(tag.tag, 250) in said
        for finding in tag.findings:
            if finding.status not in (Status.PASS, Status.SKIP):
                assert finding.reason in said and clean(finding.message) in said


@settings(deadline=None)
@given(errors)
def test_hostile_errors_stay_in_code(hostile: PtguardError) -> None:
    found = read(error(hostile))
    assert clean(hostile.message) in spans(found)


@settings(deadline=None)
@given(anything)
def test_a_code_span_holds_exactly_its_text(text: str) -> None:
    found = [token for token in tokens(f"x {code(text)} y") if token.type == "code_inline"]
    assert [token.content for token in found] == [clean(text)]


@pytest.mark.parametrize("text", ["<b>x</b>", "![x](y)", "[x](javascript:y)", "| a |\n|---|\n", "@evil", "a\n\n# evil"])
def test_the_reader_can_fail(text: str) -> None:
    with pytest.raises(AssertionError):
        read(text)
