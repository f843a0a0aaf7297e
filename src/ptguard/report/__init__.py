"""Verdicts as text for people and programs; one module a format, found by name."""

import importlib
from typing import Final, Protocol, cast

from ptguard.errors import PtguardError
from ptguard.model import Verdict

FORMATS: Final = ("text", "json", "github", "gitlab", "sarif", "junit", "markdown")


class Format(Protocol):
    """What a report module offers."""

    def verdict(self, verdict: Verdict, *, color: bool) -> str:
        """Give the whole document for a verdict, ending in a line break."""
        ...

    def error(self, error: PtguardError, *, color: bool) -> str:
        """Give the whole document for what stopped the judging, ending in a line break."""
        ...


def load(name: str) -> Format:
    """Give the report module called ``name``, one of :data:`FORMATS`."""
    if name not in FORMATS:
        raise ValueError(name)
    return cast(Format, importlib.import_module(f"ptguard.report.{name}"))
