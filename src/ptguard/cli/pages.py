"""How ``ptguard explain`` and ``ptguard checks`` print: lines for people, one JSON document for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from ptguard.errors import UsageError

if TYPE_CHECKING:
    from ptguard.pages import Page, Reason

FORMATS: Final = ("text", "json")
SCHEMA: Final = "ptguard.checks/1"


def entry(reasons: Sequence[Reason], *, color: bool) -> Iterator[str]:
    """Give each reason with what it means and how to mend it; those that say the same share their words."""
    from ptguard.pages.render import WIDTH, bold, wrapped

    for said, group in groupby(reasons, key=lambda reason: (reason.statuses, reason.meaning, reason.mend)):
        statuses, meaning, mend = said
        names = wrapped(", ".join(reason.name for reason in group), WIDTH)
        names[-1] += f"  ({', '.join(statuses)})"
        yield from (bold(name, color=color) for name in names)
        yield from wrapped(meaning, WIDTH, "    ")
        if mend:
            yield from wrapped(f"mend: {mend}", WIDTH, "    ")
        yield ""
    checks = dict.fromkeys(reason.check for reason in reasons if reason.check != "policy")
    if len(checks) == 1:
        yield f"The whole page: ptguard explain {next(iter(checks))}"
    else:
        yield "The whole page of a check: ptguard explain CHECK"


def listing(pages: Sequence[Page], *, color: bool) -> Iterator[str]:
    """Give each check with its line."""
    from ptguard.pages.render import WIDTH, bold, wrapped

    width = max(len(page.check) for page in pages) + 2
    for page in pages:
        first, *rest = wrapped(page.summary, WIDTH, " " * width)
        yield bold(f"{page.check:<{width}}", color=color) + first[width:]
        yield from rest
    yield ""
    yield "What one wants and what its reasons mean: ptguard explain CHECK"


def document(pages: Sequence[Page], found: Page | tuple[Reason, ...] | None) -> str:
    """Give the checks that ``found`` is about (None: all) with the reasons in it, as one JSON document."""
    from ptguard.pages import Page

    if found is None or isinstance(found, Page):
        wanted = pages if found is None else (found,)
        checks = [_check(page, page.reasons, whole=True) for page in wanted]
    else:
        by_name: dict[str, Page] = {page.check: page for page in pages}
        grouped = groupby(found, key=lambda reason: reason.check)
        checks = [_check(by_name.get(check), tuple(reasons), whole=False) for check, reasons in grouped]
    return _dumped({"schema": SCHEMA, "checks": checks})


def failure(error: UsageError) -> str:
    """Give what was asked for in vain as a document with no checks in it."""
    said = {"kind": error.kind, "message": error.message, "fix": error.fix}
    return _dumped({"schema": SCHEMA, "error": said, "checks": []})


def _check(page: Page | None, reasons: Sequence[Reason], *, whole: bool) -> dict[str, Any]:
    return {
        "check": page.check if page else "policy",
        "summary": page.summary if page else None,
        "page": page.markdown if page and whole else None,
        "reasons": [
            {"reason": r.reason, "status": list(r.statuses), "meaning": r.meaning, "mend": r.mend or None}
            for r in reasons
        ],
    }


def _dumped(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=True) + "\n"
