"""The checks, one file each, found by looking into this package and nowhere else.

A check module has ``ORDER`` (its place in reports), ``REASONS`` (each slug that it may give, with a line that says
what it means) and ``check(evidence, policy)``, a pure function that gives at least one finding. The module's name
is the check's id everywhere: in the policy, in reports, in docs/checks and in the tests.
"""

import functools
import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, cast

from ptguard.model import Evidence, Finding, Policy


class Check(Protocol):
    """What a module in this package offers."""

    ORDER: int
    REASONS: Mapping[str, str]

    def check(self, evidence: Evidence, policy: Policy) -> Sequence[Finding]:
        """Judge one tag: at least one finding, none of them about another check."""
        ...


@functools.cache
def discover() -> Mapping[str, Check]:
    """Give every check of this package by its id, in the order of reports."""
    # Not pkgutil.iter_modules, which imports inspect: 14 ms at every tag push, to list eight files.
    names = sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))
    found = {name: cast(Check, importlib.import_module(f"{__name__}.{name}")) for name in names}
    return dict(sorted(found.items(), key=lambda item: item[1].ORDER))
