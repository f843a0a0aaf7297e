"""How text of foreign origin is shown: the one place that makes it harmless.

Whatever comes from a repository (tagger, message, path, version) may hold terminal escapes, line breaks or
bidirectional overrides; see CVE-2021-42574 ("Trojan Source") for the latter.
"""

import shlex
import unicodedata

# Cc: control, Cf: format (bidi overrides, zero-width), Cs: lone surrogates, Co: private, Zl/Zp: line separators.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def shown(value: str | bytes, limit: int = 400) -> str:
    """Give ``value`` as printable text on one line, at most ``limit`` characters, the cut marked by an ellipsis.

    Bytes are read as UTF-8, what is not valid stays visible as ``\\xNN``; hidden characters become escapes.
    """
    if isinstance(value, bytes):
        value = value[: 4 * limit + 4].decode("utf-8", "backslashreplace")
    clipped = value[:limit] + "…" if len(value) > limit else value
    if clipped.isascii() and clipped.isprintable():
        return clipped
    return "".join(_escape(c) if unicodedata.category(c) in _HIDDEN else c for c in clipped)


def _escape(char: str) -> str:
    code = ord(char)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def sh(*words: str) -> str:
    """Give ``words`` as one line for a POSIX shell, each quoted only where it must be (for mending commands)."""
    return " ".join(shlex.quote(shown(word)) for word in words)


def diff(path: str, old: bytes, new: bytes) -> str:
    """Give what changed in the file ``path`` as a unified diff, every line harmless to show."""
    import difflib

    before, after = (data.decode("utf-8", "backslashreplace").splitlines() for data in (old, new))
    rows = difflib.unified_diff(before, after, f"a/{path}", f"b/{path}", lineterm="")
    return "".join(shown(row, 400) + "\n" for row in rows)
