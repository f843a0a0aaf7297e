"""Converters: what a single value of the policy may be. Each gives the value or raises WrongError."""

import re
from collections.abc import Callable, Collection
from datetime import date, datetime, timedelta
from typing import TypeVar

from ptguard.glob import compile_pattern
from ptguard.model import FORGEABLE
from ptguard.policy.table import WrongError, described, nearest
from ptguard.text import shown

S = TypeVar("S", bound=str)

MAX_TEXT = 4096
MAX_DURATION = timedelta(days=36525)
DIGESTS = ("SHA256", "SHA384", "SHA512", *FORGEABLE)
_DURATION = re.compile(r"[0-9]{1,12}[smhdw]")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_SIGNER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")
_PYTHON = re.compile(r".+\.py:[A-Za-z_][A-Za-z0-9_]*")
_VERSION_FILES = ("pyproject.toml", "setup.cfg", "VERSION")
_GLOB = re.compile(r"[*?\[{]")


def schema(value: object) -> int:
    """The version of the policy's form."""
    if isinstance(value, bool) or value != 1 or not isinstance(value, int):
        raise WrongError(described(value), "1, the only schema there is; a newer one needs a newer ptguard")
    return value


def text(value: object) -> str:
    """A text that is not blank, on one line, without control characters."""
    may = "a text on one line"
    if not isinstance(value, str):
        raise WrongError(described(value), may)
    if not value.strip():
        raise WrongError("an empty text", may)
    if len(value) > MAX_TEXT or re.search(r"[\x00-\x1f\x7f\x85\u2028\u2029]", value):
        raise WrongError(described(value), f"{may} without control characters, at most {MAX_TEXT} characters")
    return value


def flag(value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise WrongError(described(value), "true or false, without quotes")
    return value


def number(low: int, high: int) -> Callable[[object], int]:
    """A whole number between ``low`` and ``high``; a boolean is none."""

    def convert(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise WrongError(described(value), f"a whole number from {low} to {high}")
        return value

    return convert


def choice(*known: S) -> Callable[[object], S]:
    """One of the words ``known``."""

    def convert(value: object) -> S:
        for word in known:
            if isinstance(value, str) and value == word:
                return word
        may = nearest(value, known) if isinstance(value, str) else "one of " + ", ".join(known)
        raise WrongError(described(value), may)

    return convert


def duration(value: object) -> timedelta:
    """A whole number and one of s, m, h, d, w; at most a hundred years."""
    may = 'a number with s, m, h, d or w behind it, such as "30d", at most 36525d'
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise WrongError(described(value), may)
    seconds = int(value[:-1]) * _UNITS[value[-1]]
    if seconds > MAX_DURATION.total_seconds():
        raise WrongError(described(value), may)
    return timedelta(seconds=seconds)


def moment(value: object) -> datetime:
    """A date and time with its offset from UTC, not in quotes."""
    may = "a date and time with an offset, without quotes, such as 2027-01-01T00:00:00Z"
    if not isinstance(value, datetime) or not 1970 <= value.year <= 9000:
        raise WrongError(described(value), may)
    if value.tzinfo is None:
        raise WrongError(f"{described(value)} without an offset", may)
    return value


def day(value: object) -> date:
    """A calendar day, not in quotes."""
    if not isinstance(value, date) or isinstance(value, datetime) or not 1970 <= value.year <= 9000:
        raise WrongError(described(value), "the last day, without quotes, such as 2026-12-01")
    return value


def signer_id(value: object) -> str:
    """The id of a person or a machine, safe as a principal of ssh-keygen."""
    name = text(value)
    if "*" in name or "?" in name:
        raise WrongError(f"{described(value)}, a wildcard", "the ids of signers, each by name: nobody signs for all")
    if not _SIGNER_ID.fullmatch(name):
        raise WrongError(
            described(value), "an id that begins with a letter or digit and holds A-Z a-z 0-9 . _ @ + - only"
        )
    return name


def known_signer(known: Collection[str]) -> Callable[[object], str]:
    """The id of one of the signers that the policy has."""

    def convert(value: object) -> str:
        name = signer_id(value)
        if name not in known:
            raise WrongError(f"{described(value)}, no signer of this policy", nearest(name, known))
        return name

    return convert


def pattern(*, captures: bool) -> Callable[[object], str]:
    """A glob; ``captures`` for tags, not for branches."""

    def convert(value: object) -> str:
        glob = text(value)
        compiled = compile_pattern(glob, captures=captures)
        if isinstance(compiled, str):
            raise WrongError(described(value), f"a glob: {shown(compiled)}")
        return glob

    return convert


def tag(value: object) -> str:
    """The exact name of a tag."""
    name = text(value)
    if _GLOB.search(name):
        raise WrongError(f"{described(value)}, a pattern", "the exact name of one tag")
    return name


def path(value: object) -> str:
    """A path inside a tree: relative, exact, nothing that steps out of it."""
    may = "a path from the root of the repository, without a leading / and without . or .. in it"
    name = text(value)
    parts = name.split("/")
    if "\\" in name or any(part in ("", ".", "..") or part.lower() == ".git" for part in parts):
        raise WrongError(described(value), may)
    return name


def exact_path(value: object) -> str:
    """A path without anything that looks like a glob."""
    name = path(value)
    if _GLOB.search(name):
        raise WrongError(f"{described(value)}, a pattern", "the exact path of one file")
    return name


def package_path(value: object) -> str:
    """A path in which ``{package}`` may stand."""
    name = path(value)
    if re.search(r"[{}]", name.replace("{package}", "")):
        raise WrongError(described(value), "a path in which only {package} stands in braces")
    return name


def version_source(value: object) -> str:
    """A place where code declares its version."""
    name = text(value)
    if name == "none":
        return name
    file = package_path(name)
    if file.rsplit("/", 1)[-1] not in _VERSION_FILES and not _PYTHON.fullmatch(file):
        raise WrongError(
            described(value),
            "pyproject.toml, setup.cfg, VERSION (also in a folder), pkg/__init__.py:__version__, none",
        )
    return name


def smoke_folder(value: object) -> str:
    """A folder below ``.ptguard/``, which is left out of the tree that a record is bound to."""
    name = exact_path(value)
    if not name.startswith(".ptguard/"):
        raise WrongError(described(value), 'a folder under .ptguard/, such as ".ptguard/smoke"')
    return name


def key_file(value: object) -> str:
    """The path of an OpenPGP key file, from the policy's own folder."""
    name = text(value)
    if not re.fullmatch(r"keys/[^/\\.][^/\\]*\.asc", name):
        raise WrongError(described(value), "a file right under keys/ beside the policy, such as keys/li-wei.asc")
    return name


def fingerprint(value: object) -> str:
    """The full fingerprint of a primary key, as upper-case hex."""
    may = "the full fingerprint of the primary key, 40 or 64 hex digits (gpg --list-keys --with-colons, line fpr)"
    name = text(value)
    digits = name.removeprefix("0x").removeprefix("0X")
    if re.fullmatch(r"[0-9A-Fa-f]{8,39}", digits):
        raise WrongError(f"{described(value)}, a short key id", may)
    if not re.fullmatch(r"[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64}", name):
        raise WrongError(described(value), may)
    return name.upper()
