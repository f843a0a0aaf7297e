"""On which line each key of a TOML document stands: tomllib gives the values, but not their places.

The scanner expects a document that tomllib has accepted, and is held against what tomllib read: if the two do not
see the same keys, no line at all is given, rather than one that may be wrong.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence

KeyPath = tuple[str | int, ...]
"""The place of a value: keys and, in arrays, positions from 0."""

MAX_DEPTH = 16

_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*+")
_KEY = re.compile(r"[ \t]*([A-Za-z0-9_-]+|\"(?:[^\"\\]|\\.)*+\"|'[^']*')[ \t]*(\.?)")
_STRING = re.compile(
    r'"""(?:[^\\"]|\\.|"(?!""))*+"{3,5}' r"|'''(?:[^']|'(?!''))*+'{3,5}" r'|"(?:[^"\\\n]|\\.)*+"' r"|'[^'\n]*+'",
    re.DOTALL,
)
_PLAIN = re.compile(r"[^,\]}\n#]*+")


class _LostError(Exception):
    """The scanner no longer knows where it is."""


def key_lines(text: str, document: Mapping[str, object]) -> dict[KeyPath, int]:
    """Give the line, from 1, where each key path of ``document`` first stands in ``text``; empty where unsure.

    ``document`` is what tomllib made of ``text``. Elements of arrays have paths of their own.
    """
    scanner = _Scanner(text.replace("\r\n", "\n"))
    try:
        paths = set(_paths(document, ()))
        scanner.document()
    except (_LostError, RecursionError):
        return {}
    return scanner.lines if set(scanner.lines) == paths else {}


def _paths(value: object, path: KeyPath) -> Iterator[KeyPath]:
    if len(path) > MAX_DEPTH:
        raise _LostError
    pairs: Iterator[tuple[str | int, object]] = iter(())
    if isinstance(value, dict):
        pairs = iter(value.items())
    elif isinstance(value, list):
        pairs = iter(enumerate(value))
    for key, inner in pairs:
        yield (*path, key)
        yield from _paths(inner, (*path, key))


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[KeyPath, int] = {}
        self._line, self._counted = 1, 0
        self._tables: dict[KeyPath, int] = {}  # how many [[tables]] of that name there are so far

    def document(self) -> None:
        table: KeyPath = ()
        self._skip(_BLANK)
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)

    def _header(self) -> KeyPath:
        double = self.text.startswith("[[", self.at)
        self.at += 1 + double
        keys = self._keys()
        self._expect("]]" if double else "]")
        path: KeyPath = ()
        for depth, key in enumerate(keys):
            path = self._note((*path, key))
            if double and depth == len(keys) - 1:
                self._tables[path] = self._tables.get(path, 0) + 1
            if path in self._tables:
                path = self._note((*path, self._tables[path] - 1))
        return path

    def _pair(self, table: KeyPath) -> None:
        path = table
        for key in self._keys():
            path = self._note((*path, key))
        self._expect("=")
        self._skip(_BLANK)
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        opening = self.text[self.at : self.at + 1]
        if opening == "[":
            self._sequence("]", path)
        elif opening == "{":
            self._sequence("}", path)
        elif opening in ('"', "'"):
            self._skip(_STRING)
        else:
            self._skip(_PLAIN)

    def _sequence(self, closing: str, path: KeyPath) -> None:
        """Step over an array or an inline table, noting what is in it."""
        self.at += 1
        self._skip(_BLANK)
        position = 0
        while not self.text.startswith(closing, self.at):
            if closing == "]":
                self._value(self._note((*path, position)))
            else:
                self._pair(path)
            position += 1
            self._skip(_BLANK)
            if self.text.startswith(",", self.at):
                self.at += 1
                self._skip(_BLANK)
            elif not self.text.startswith(closing, self.at):
                raise _LostError
        self.at += 1

    def _keys(self) -> Sequence[str]:
        keys = []
        while found := _KEY.match(self.text, self.at):
            raw, dot = found.groups()
            keys.append(str(tomllib.loads(f"k = {raw}")["k"]) if raw[0] in "\"'" else raw)
            self.at = found.end()
            if not dot:
                return keys
        raise _LostError

    def _note(self, path: KeyPath) -> KeyPath:
        if path not in self.lines:
            self._line += self.text.count("\n", self._counted, self.at)
            self._counted = self.at
            self.lines[path] = self._line
        return path

    def _expect(self, text: str) -> None:
        self._skip(_BLANK)
        if not self.text.startswith(text, self.at):
            raise _LostError
        self.at += len(text)

    def _skip(self, what: re.Pattern[str]) -> None:
        found = what.match(self.text, self.at)
        if found is None:
            raise _LostError
        self.at = found.end()
