"""The pages of docs/checks, which ship with the package: what each check wants, what its reasons mean, what mends."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from ptguard.checks import discover
from ptguard.errors import UsageError
from ptguard.pages.render import tables
from ptguard.resources import resource
from ptguard.text import sh, shown
from ptguard.value import value

NEAR: Final = 5


@value
class Reason:
    """A row of a page's table: a reason that ``check`` may give, with the statuses that it comes with."""

    check: str
    reason: str
    statuses: tuple[str, ...]
    meaning: str
    mend: str

    @property
    def name(self) -> str:
        """Give the name that no other reason has."""
        return f"{self.check}/{self.reason}"


@value
class Page:
    """The page of one check: its Markdown, and the rows of its table of reasons in their order."""

    check: str
    markdown: str
    reasons: tuple[Reason, ...]

    @property
    def summary(self) -> str:
        """Say in one line what is true of a tag that passes."""
        return next(reason.meaning for reason in self.reasons if reason.reason == "ok")


POLICY: Final[Mapping[str, tuple[tuple[str, ...], str, str]]] = {
    "ok": (("pass",), "no pattern fits and [unmatched] action is allow, or the rule lets its tags be deleted", ""),
    "unmatched": (
        ("fail", "warn"),
        "no pattern of the policy fits the tag; [unmatched] action says which",
        "push the wanted tag by name instead of --tags, or add a [[tags]] rule on the trust branch",
    ),
    "waiver-expired": (
        ("warn",),
        "a waiver that would have covered a refusal has run out and is ignored",
        "take the waiver out, or date it anew, on the trust branch",
    ),
}
"""The policy's own word about a tag; docs/reference.md, Reasons."""

COMMON: Final[Mapping[str, tuple[tuple[str, ...], str, str]]] = {
    "waived": (("waived",), "a waiver of the policy covers what the check refused", ""),
    "not-applicable": (("skip",), "a deletion, or a tag that does not exist yet, has nothing to judge here", ""),
    "could-not-decide": (("error",), "the check itself failed, so it refuses", "run it again, then report it"),
}
"""What any check may give, whether its page has a row for it or not; docs/reference.md, Reasons."""


def load() -> tuple[Page, ...]:
    """Give the pages of all checks, in the order of reports.

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    return tuple(_page(check) for check in discover())


def _page(check: str) -> Page:
    markdown = resource(f"docs/checks/{check}.md").read_text("utf-8")
    table = next(rows for rows in tables(markdown) if rows[0][:2] == ["reason", "status"])
    reasons = tuple(_reason(check, *cells) for cells in table[1:])
    return Page(check, markdown, reasons)


def _reason(check: str, reason: str, status: str, meaning: str, mend: str) -> Reason:
    return Reason(check, reason.strip("`"), tuple(status.split(", ")), meaning, mend)


def find(pages: Sequence[Page], word: str) -> Page | tuple[Reason, ...]:
    """Give what ``word`` names: a check's page, or every reason that it fits (``REASON`` or ``CHECK/REASON``).

    Raises:
        UsageError: nothing is called so; the nearest names are in its mending words.
    """
    page = next((page for page in pages if page.check == word), None)
    if page is not None:
        return page
    every = tuple(known(pages))
    found = tuple(reason for reason in every if word in (reason.reason, reason.name, reason.check))
    if found:
        return found
    raise UsageError(f"there is no reason and no check called {shown(word, 80)}", fix=_nearest(pages, every, word))


def known(pages: Iterable[Page]) -> Iterator[Reason]:
    """Give every reason that a finding may have: those of the pages, of any check, and of the policy."""
    for page in pages:
        yield from page.reasons
        rows = {row.reason for row in page.reasons}
        yield from (Reason(page.check, name, *said) for name, said in COMMON.items() if name not in rows)
    yield from (Reason("policy", name, *said) for name, said in POLICY.items())


def _nearest(pages: Sequence[Page], every: Sequence[Reason], word: str) -> str:
    names = [page.check for page in pages]
    names += [reason.name for reason in every] if "/" in word else dict.fromkeys(r.reason for r in every)
    near = difflib.get_close_matches(word.lower(), names, n=NEAR, cutoff=0.5)
    if not near:
        return "ptguard checks   # lists them all"
    others = f"   # or: {', '.join(near[1:])}" if near[1:] else ""
    return sh("ptguard", "explain", near[0]) + others
