"""What the formats for machines share: the order of findings, where one is shown, what it is known by."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from ptguard import HOMEPAGE
from ptguard.errors import PtguardError
from ptguard.model import Finding, Location, Status, TagVerdict, Verdict
from ptguard.text import shown
from ptguard.value import value

POLICY_FILE: Final = ".ptguard/policy.toml"
CHANGELOG: Final = "CHANGELOG.md"
MAX_FIELD: Final = 1000
MAX_NAME: Final = 250
TOLD: Final = (Status.ERROR, Status.FAIL, Status.WARN, Status.WAIVED)
"""What someone should look at, the worst first."""


@value
class Told:
    """One finding of one tag that someone should look at.

    ``known_by`` is the same in every run for the same trouble, and no two findings of a verdict share it.
    """

    tag: TagVerdict
    finding: Finding
    known_by: str

    @property
    def rule(self) -> str:
        """Give the name that ``ptguard explain`` takes: check and reason."""
        return f"{self.finding.check}/{self.finding.reason}"


def told(verdict: Verdict) -> list[Told]:
    """Give the findings to look at, the worst first, otherwise as they came; a tag without any has one of its own."""
    seen: Counter[str] = Counter()
    found = [_told(tag, finding, seen) for tag in verdict.tags for finding in _findings(tag)]
    return sorted(found, key=lambda one: TOLD.index(one.finding.status))


def _findings(tag: TagVerdict) -> Iterator[Finding]:
    yield from (finding for finding in tag.findings if finding.status in TOLD)
    if not tag.accepted and not any(finding.refuses for finding in tag.findings):
        yield Finding("policy", Status.ERROR, "could-not-decide", "nothing was checked")


def _told(tag: TagVerdict, finding: Finding, seen: Counter[str]) -> Told:
    path = finding.location.path if finding.location else ""
    base = "\0".join((tag.ref, finding.check, finding.reason, path))
    seen[base] += 1
    # Neither line nor words: both change while the trouble stays.
    key = f"{base}\0{seen[base]}".encode("utf-8", "surrogatepass")
    return Told(tag, finding, hashlib.sha256(key).hexdigest())


def clean(text: str, limit: int = MAX_FIELD) -> str:
    """Give foreign text on one line without hidden characters, never empty."""
    return shown(text, limit) or "(nothing)"


def rows(finding: Finding) -> Iterator[tuple[str, str]]:
    """Give what was seen and expected and how to mend it, each with its label, as the text report has them."""
    for label, said in (("seen", finding.got), ("expected", finding.expected), ("mend", finding.fix)):
        if said:
            yield label, clean(said)


def sentence(one: Told) -> str:
    """Give the finding in one line that stands by itself: tag, reason, words."""
    finding = one.finding
    return f"{clean(one.tag.tag, MAX_NAME)}: {finding.reason}: {clean(finding.message)}"


def place(finding: Finding) -> Location:
    """Give where to show a finding in the repository.

    What is about the tag itself has no line of its own: the changelog stands for its check, the policy for the rest.
    """
    here = finding.location
    if here is not None and _inside(here.path):
        return here
    return Location(CHANGELOG if finding.check == "changelog" else POLICY_FILE)


def _inside(path: str) -> bool:
    """Tell whether ``path`` is one below the repository's root, and of a length that viewers take."""
    return len(path) <= MAX_FIELD and all(part not in ("", ".", "..") for part in path.split("/"))


def page(check: str) -> str:
    """Give the address of the page that says what the reasons of ``check`` mean."""
    file = "reference.md" if check == "policy" else f"checks/{check}.md"
    return f"{HOMEPAGE}/blob/main/docs/{file}#reasons"


def said(error: PtguardError) -> Iterable[str]:
    """Give what stopped the judging, a line each: what happened, then every mistake of a policy."""
    return [clean(error.message), *(clean(problem) for problem in getattr(error, "problems", ()))]
