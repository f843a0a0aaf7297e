"""Taking a JSON value apart strictly: each function gives the value in its type, or raises :class:`Bad`.

Only parsers of this package use it, and they catch what it raises.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from ptguard.text import shown

T = TypeVar("T")

MAX_TEXT: Final = 4096
MAX_ITEMS: Final = 10_000
_OID = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


class Bad(Exception):  # noqa: N818 - a value is bad; no error of the program, and it never leaves a parser
    """A value is not of the form that was asked for."""

    def __init__(self, message: str, got: str | None = None, expected: str | None = None) -> None:
        """Keep what a Problem needs."""
        super().__init__(message)
        self.got = got
        self.expected = expected


def depth(value: object) -> int:
    """Give how deep lists and objects are nested; a plain value has depth 0.

    Raises:
        RecursionError: deeper than the interpreter goes.
    """
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


def mapping(value: object, name: str) -> dict[str, Any]:
    """Give a JSON object whose keys and texts are within bounds."""
    if not isinstance(value, dict):
        raise Bad(f"{_named(name)} is no object", _kind(value), "an object")
    for key, item in value.items():
        text(key, f"a key of {_named(name)}")
        if isinstance(item, str):
            text(item, f"{name}.{shown(key, 60)}".lstrip("."))
        elif isinstance(item, int):
            integer(int(item), f"{name}.{shown(key, 60)}".lstrip("."), -(2**53), 2**53)
    return value


def record(value: object, name: str, keys: Sequence[str]) -> dict[str, Any]:
    """Give a JSON object that has exactly ``keys``."""
    found = mapping(value, name)
    if missing := [key for key in keys if key not in found]:
        raise Bad(f"{_named(name)} lacks {', '.join(missing)}")
    if unknown := sorted(set(found) - set(keys)):
        raise Bad(f"{_named(name)} has an unknown key", shown(", ".join(unknown), 120), ", ".join(keys))
    return found


def items(value: object, name: str, least: int = 0, most: int = MAX_ITEMS) -> list[Any]:
    """Give a JSON array of ``least`` to ``most`` values."""
    if not isinstance(value, list):
        raise Bad(f"{name} is no list", _kind(value), "a list")
    if not least <= len(value) <= most:
        raise Bad(f"{name} has {len(value)} entries", str(len(value)), f"{least} to {most}")
    return value


def text(value: object, name: str) -> str:
    """Give a text that is not empty, not huge, and no half of a surrogate pair."""
    if not isinstance(value, str):
        raise Bad(f"{name} is no text", _kind(value), "a text")
    if not 0 < len(value) <= MAX_TEXT:
        raise Bad(f"{name} has {len(value)} characters", str(len(value)), f"1 to {MAX_TEXT}")
    if any("\ud800" <= c <= "\udfff" or c == "\0" for c in value):
        raise Bad(f"{name} holds a character that cannot be written", shown(value, 80))
    return value


def texts(value: object, name: str) -> tuple[str, ...]:
    """Give a JSON array of texts."""
    return tuple(text(item, f"{name}[{i}]") for i, item in enumerate(items(value, name)))


def one_of(value: object, name: str, allowed: Sequence[str]) -> str:
    """Give a text that is one of ``allowed``."""
    found = text(value, name)
    if found not in allowed:
        raise Bad(f"{name} is not known", shown(found, 120), " or ".join(allowed))
    return found


def oid(value: object, name: str, digits: int | None = None) -> str:
    """Give lower-case hex of ``digits`` digits (None: 40 or 64)."""
    found = text(value, name)
    if not _OID.fullmatch(found) or (digits is not None and len(found) != digits):
        raise Bad(
            f"{name} is no object id or digest", shown(found, 80), f"{digits or '40 or 64'} lower-case hex digits"
        )
    return found


def boolean(value: object, name: str) -> bool:
    """Give true or false."""
    if not isinstance(value, bool):
        raise Bad(f"{name} is neither true nor false", _kind(value))
    return value


def integer(value: object, name: str, least: int = 0, most: int = 2**53) -> int:
    """Give an integer from ``least`` to ``most`` (2**53: what every JSON reader holds exactly)."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise Bad(f"{name} is no integer", _kind(value))
    if not least <= value <= most:
        raise Bad(f"{name} is out of range", expected=f"{least} to {most}")
    return value


def number(value: object, name: str) -> float:
    """Give a number, an integer or not."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Bad(f"{name} is no number", _kind(value))
    if not -(2**53) <= value <= 2**53:
        raise Bad(f"{name} is out of range")
    return float(value)


def optional(read: Callable[[object, str], T], value: object, name: str) -> T | None:
    """Give what ``read`` gives, or None for null."""
    return None if value is None else read(value, name)


def _named(name: str) -> str:
    return name or "the document"


def _kind(value: object) -> str:
    if value is None:
        return "null"
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", int: "an integer"}
    return names.get(type(value), "a number")
