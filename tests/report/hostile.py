"""Verdicts whose every word is hostile: what a tag, a tagger, a path or a registry could say to break out."""

import json
from dataclasses import dataclass
from typing import Any, NoReturn

from hypothesis import strategies as st

from ptguard.errors import PolicyError, PtguardError, ToolFailedError, UsageError
from ptguard.model import Finding, Location, Mode, PolicySource, Status, TagVerdict, Verdict
from tests.build import COMMIT, NOW, TAG

MARK = "evil"
"""Stands in every nasty word: a reader that finds it anywhere but in plain text has been broken into."""

WORDS = (
    "::set-output name=evil::x",
    "\n::set-output name=evil::x",
    "\r\n::stop-commands::evil",
    "::error file=evil::x",
    "##[set-env name=evil]x",
    "\n##[add-mask]evil",
    "%0A::add-mask::evil",
    "%250A::error::evil",
    "%",
    "a,file=evil",
    "x::y",
    "]]><evil/>",
    "<script>evil()</script>",
    "<!-- evil -->",
    "&evil;",
    "</testcase></testsuite>evil",
    '" onload="evil',
    "' evil='",
    "| evil | x |\n|---|---|",
    "`evil`",
    "``` evil\n",
    "`",
    "``` `` `",
    " `evil",
    "\\`evil",
    "\\",
    "[evil](javascript:evil)",
    "![evil](https://evil.example/x.png)",
    "https://evil.example/",
    "www.evil.example",
    "<https://evil.example>",
    "evil@evil.example",
    "@evil",
    "#123",
    "evil/evil#1",
    "$`evil`$",
    "\n# evil\n",
    "\n\n- evil\n",
    "\n> evil",
    "\nevil\n====\n",
    "[evil]: https://evil.example",
    "[evil](0)",
    "{0} {evil}",
    "\u202eevil\u2066",
    "\u200bevil\ufeff",
    "\x1b]8;;https://evil.example\x07evil\x1b]8;;\x07",
    "\x1b[2Jevil",
    "\x00evil\x08\x0b\x0c\x1f\x7f\x85\x9f",
    "\ud800evil",
    "\udcff\udc80evil",
    "\ufffe\uffffevil\U0001ffff",
    "\u2028evil\u2029",
    "evil" * 50,
    "名前-é-evil",
    '"},{"decision":"accept","evil":1}',
    "../../evil",
    "/evil",
    "evil:x",
    "//evil.example/x",
    "   ",
    "",
)

anything = st.one_of(
    st.sampled_from(WORDS),
    st.text(st.characters(), max_size=30),
    st.lists(st.one_of(st.sampled_from(WORDS), st.text(st.characters(), max_size=4)), max_size=4).map("".join),
)
maybe = st.one_of(st.none(), anything)
named = anything.map(lambda text: text or "v1")

findings = st.builds(
    Finding,
    st.sampled_from(["annotated", "signature", "changelog", "image", "smoke", "policy"]),
    st.sampled_from(list(Status)),
    st.sampled_from(["ok", "missing-section", "unsigned", "wrong-tree", "could-not-decide", "waived"]),
    anything,
    maybe,
    maybe,
    maybe,
    st.one_of(st.none(), st.builds(Location, anything, st.one_of(st.none(), st.integers(1, 9999)), st.just(COMMIT))),
)


def _tag(name: str, found: tuple[Finding, ...]) -> TagVerdict:
    return TagVerdict(f"refs/tags/{name}", name, TAG, COMMIT, found)


tags = st.lists(st.builds(_tag, named, st.lists(findings, max_size=4).map(tuple)), max_size=4).map(tuple)
sources = st.builds(PolicySource, anything, st.sampled_from([None, COMMIT]), st.just("0" * 64), st.booleans())
verdicts = st.builds(
    Verdict, st.sampled_from(list(Mode)), st.just(NOW), sources, tags, st.lists(anything, max_size=2).map(tuple)
)


def _policy_error(message: str, fix: str | None, problems: list[str]) -> PtguardError:
    return PolicyError(message, fix=fix, problems=tuple(problems))


errors: st.SearchStrategy[PtguardError] = st.one_of(
    st.builds(lambda message, fix: UsageError(message, fix=fix), anything, maybe),
    st.builds(lambda message, fix: ToolFailedError(message, fix=fix), anything, maybe),
    st.builds(_policy_error, anything, maybe, st.lists(anything, max_size=4)),
)


@dataclass(frozen=True)
class Sample:
    """Good and bad verdicts that every format is tried with, and what stops the judging."""

    good: Verdict
    bad: Verdict
    error: PtguardError


def sample() -> Sample:
    """Give one verdict that accepts, one that refuses in several ways, and an error."""
    source = PolicySource("refs/remotes/origin/main", COMMIT, "0" * 64)
    where = Location("CHANGELOG.md", 7, COMMIT)
    bad = (
        Finding.passed("annotated", "an annotated tag"),
        Finding("signature", Status.SKIP, "not-applicable", "nothing to see"),
        Finding("branch", Status.WAIVED, "waived", "waived by li-wei"),
        Finding("changelog", Status.WARN, "no-date", "no date", location=where),
        Finding("changelog", Status.FAIL, "missing-section", "no section", "v2.8.1", "v2.9.0", "write it", where),
        Finding("version", Status.FAIL, "mismatch", "another version", "2.8.1", "2.9.0"),
        Finding("immutable", Status.ERROR, "unknown", "the remote could not be asked", fix="git ls-remote origin"),
    )

    def verdict(*found: TagVerdict) -> Verdict:
        return Verdict(Mode.VERIFY, NOW, source, found, ("a note",))

    return Sample(
        verdict(_tag("v2.9.0", bad[:1])),
        verdict(_tag("v2.9.0", bad), _tag("v2.8.0", bad[:1])),
        PolicyError("2 mistakes", fix="ptguard policy-check", problems=("p: a", "p: b")),
    )


def loaded(text: str) -> Any:
    """Give a JSON document as a reader takes it that knows of no lone surrogates and no NaN."""
    text.encode("utf-8")
    document = json.loads(text, parse_constant=_no_number)
    json.dumps(document, ensure_ascii=False).encode("utf-8")
    return document


def _no_number(name: str) -> NoReturn:
    raise AssertionError(name)
