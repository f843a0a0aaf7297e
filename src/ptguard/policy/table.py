"""Reading one TOML table: every mistake is noted with its key path, and reading goes on.

A converter takes a value and gives what the policy holds, or raises :class:`WrongError`; a reader of
:class:`Table` notes that and answers with a stand-in, which nobody sees since a policy with mistakes is never given.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import date, datetime, time
from typing import TypeVar

from ptguard.policy.lines import KeyPath
from ptguard.text import shown
from ptguard.value import value

T = TypeVar("T")
D = TypeVar("D")

MAX_ENTRIES = 1000
_BARE = re.compile(r"[A-Za-z0-9_-]+")


class WrongError(Exception):
    """What stands there, and what may stand there."""

    def __init__(self, stands: str, may: str) -> None:
        """Keep both halves of the line."""
        super().__init__(stands)
        self.stands = stands
        self.may = may


@value
class Mistake:
    """One mistake at ``path``: what ``stands`` there and what ``may``."""

    path: KeyPath
    stands: str
    may: str


class Mistakes:
    """All mistakes found so far, in the order of their finding."""

    __slots__ = ("found",)

    def __init__(self) -> None:
        """Begin with none."""
        self.found: list[Mistake] = []

    @property
    def enough(self) -> bool:
        """Whether there are so many that nobody would read more: what remains of a list is then left alone."""
        return len(self.found) >= MAX_ENTRIES

    def add(self, path: KeyPath, stands: str, may: str) -> None:
        """Note one mistake."""
        self.found.append(Mistake(path, stands, may))


def dotted(path: KeyPath) -> str:
    """Give a key path as TOML spells it, positions in brackets: ``tags[0].signers[1]``."""
    parts = []
    for key in path:
        if isinstance(key, int):
            parts.append(f"[{key}]")
        else:
            parts.append("." + (key if _BARE.fullmatch(key) and len(key) <= 80 else f'"{shown(key, 80)}"'))
    return "".join(parts).removeprefix(".")


def described(value: object) -> str:
    """Say in a few words what a TOML value is, as it would be written."""
    match value:
        case str():
            return f'"{shown(value, 80)}"'
        case bool():
            return f"{str(value).lower()} (a boolean)"
        case int():
            return f"the number {value}" if abs(value) < 10**18 else "a huge number"
        case float():
            return f"the number {value!r}"
        case list():
            return "a list" if value else "an empty list"
        case dict():
            return "a table"
        case datetime() | date() | time():
            return f"the time {value.isoformat()}" if not _is_day(value) else f"the day {value}"
    return "a value of another type"


def _is_day(value: object) -> bool:
    return isinstance(value, date) and not isinstance(value, datetime)


def nearest(word: str, known: Collection[str]) -> str:
    """Give ``known`` as words for a mistake, the one that ``word`` was probably meant to be first."""
    import difflib

    known = list(known)[:200]
    if not known:
        return "there is none"
    close = difflib.get_close_matches(word[:80], known, n=1)
    names = ", ".join(shown(k, 80) for k in known[:20])
    return f"did you mean {shown(close[0], 80)}? (known: {names})" if close else f"one of {names}"


class Table:
    """A table of the document with the keys that it may have; others are noted as mistakes when it is opened."""

    def __init__(self, data: Mapping[str, object], path: KeyPath, mistakes: Mistakes, known: Collection[str]) -> None:
        """Open ``data``, which stands at ``path``."""
        self.data = data
        self.path = path
        self.mistakes = mistakes
        for key in data:
            if key not in known:
                mistakes.add((*path, key), "an unknown key", "a known key" if mistakes.enough else nearest(key, known))

    def has(self, key: str) -> bool:
        """Whether ``key`` is written down."""
        return key in self.data

    def wrong(self, key: str, stands: str, may: str) -> None:
        """Note a mistake at ``key``."""
        self.mistakes.add((*self.path, key), stands, may)

    def missing(self, key: str, may: str) -> None:
        """Note that ``key`` is missing."""
        self.wrong(key, "missing", may)

    def take(self, key: str, convert: Callable[[object], T], default: D) -> T | D:
        """Give the value of ``key``, or ``default`` where it is not written or wrong."""
        if key not in self.data:
            return default
        return self._converted((*self.path, key), self.data[key], convert, default)

    def need(self, key: str, convert: Callable[[object], T], default: D, may: str) -> T | D:
        """Give the value of ``key``, which must be there; ``may`` says what should stand there."""
        if key not in self.data:
            self.missing(key, may)
        return self.take(key, convert, default)

    def each(
        self,
        key: str,
        convert: Callable[[object], T],
        default: tuple[T, ...],
        *,
        empty: bool = False,
        repeats: bool = False,
    ) -> tuple[T, ...]:
        """Give the list at ``key``, each element converted; ``empty`` and ``repeats`` say whether it may so be."""
        if key not in self.data:
            return default
        value, path = self.data[key], (*self.path, key)
        if not isinstance(value, list):
            self.mistakes.add(path, described(value), "a list")
            return default
        if not value and not empty:
            self.mistakes.add(path, "an empty list", "at least one entry, or no key at all")
        self._bound(path, len(value))
        items: list[T] = []
        for i, entry in enumerate(value[:MAX_ENTRIES]):
            if self.mistakes.enough:
                break
            item = self._converted((*path, i), entry, convert, None)
            if item is not None and item in items and not repeats:
                self.mistakes.add((*path, i), f"{described(entry)} for the second time", "each entry once")
            elif item is not None:
                items.append(item)
        return tuple(items)

    def table(self, key: str, known: Collection[str]) -> "Table | None":
        """Open the table at ``key``, or None where there is none."""
        if key not in self.data:
            return None
        value = self.data[key]
        if not isinstance(value, dict):
            self.wrong(key, described(value), f"a table: [{dotted((*self.path, key))}]")
            return None
        return Table(value, (*self.path, key), self.mistakes, known)

    def tables(self, key: str, known: Collection[str]) -> Iterator["Table"]:
        """Open each table of the array at ``key``."""
        value, path = self.data.get(key, []), (*self.path, key)
        if not isinstance(value, list):
            self.mistakes.add(path, described(value), f"an array of tables: [[{_generic(path)}]]")
            return
        self._bound(path, len(value))
        for i, entry in enumerate(value[:MAX_ENTRIES]):
            if self.mistakes.enough:
                break
            if isinstance(entry, dict):
                yield Table(entry, (*path, i), self.mistakes, known)
            else:
                self.mistakes.add((*path, i), described(entry), f"a table: [[{_generic(path)}]]")

    def _bound(self, path: KeyPath, entries: int) -> None:
        if entries > MAX_ENTRIES:
            self.mistakes.add(path, f"{entries} entries", f"at most {MAX_ENTRIES}")

    def _converted(self, path: KeyPath, value: object, convert: Callable[[object], T], default: D) -> T | D:
        try:
            return convert(value)
        except WrongError as wrong:
            self.mistakes.add(path, wrong.stands, wrong.may)
            return default


def _generic(path: KeyPath) -> str:
    """Give a key path without positions, as it stands in a table's header."""
    return dotted(tuple(key for key in path if isinstance(key, str)))
