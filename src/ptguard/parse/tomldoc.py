"""TOML of foreign origin, read without its reader being hurt: the standard library's tomllib, guarded.

tomllib keeps every prefix of a dotted key, so one key of 130,000 parts (260 KB) takes all the memory there is; its
recursion and the limit on digits of int() end in exceptions of other kinds than its own.
"""

import re
from typing import Any

MAX_BYTES = 256 * 1024
"""Largest document that is read unless said otherwise; a usual pyproject.toml has 10 KB."""

MAX_KEY_PARTS = 32
"""Dots after which a key is refused; text inside a string is counted alike, since telling the two apart is parsing."""

# Parts may be quoted; only short ones count, so that a line of escaped quotes is not scanned from each of them.
_PART = r"(?:[\w-]++|\"(?:[^\"\\\n]|\\.){0,100}+\"|'[^'\n]{0,100}+')"
_LONG_KEY = re.compile(rf"(?<![\w-])(?:{_PART}[ \t]*+\.[ \t]*+){{{MAX_KEY_PARTS},}}")


class TomlError(ValueError):
    """The document cannot be read; the message says why, with line and column where tomllib gives them."""


def load_toml(data: bytes, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """Give the document in ``data``, UTF-8 TOML 1.0 of at most ``max_bytes``.

    Raises:
        TomlError: too large, not UTF-8, not TOML, nested too deeply, or a key of more than ``MAX_KEY_PARTS`` parts.
    """
    import tomllib

    if len(data) > max_bytes:
        raise TomlError(f"it has {len(data)} bytes, more than {max_bytes}")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TomlError(f"it is not UTF-8 (line {line})") from None
    if _LONG_KEY.search(text):
        raise TomlError(f"it has a dotted key of more than {MAX_KEY_PARTS} parts")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise TomlError("it is nested too deeply") from None
    except ValueError as error:
        raise TomlError(str(error)) from None
