"""The version that a file of the tree declares, read as text; nothing is imported, run or built.

What is computed when the package is built (setuptools-scm, ``attr:``, a call) is a declaration without a value.
"""

import re
from collections.abc import Iterator
from typing import Final

from ptguard.model import DeclaredVersion, Location, Oid, Problem
from ptguard.parse.tomldoc import TomlError, load_toml
from ptguard.text import shown

MAX_SOURCE_BYTES: Final = 1 << 20
MAX_PYTHON_BYTES: Final = 1 << 18
"""A syntax tree costs 6 microseconds and 1 KB a byte at worst."""

_PYTHON: Final = re.compile(r"(?P<path>.+\.py):(?P<name>[^/:]+)")
_MAX_VALUE: Final = 200


def source_path(source: str) -> str:
    """Give the file of a version source: ``pkg/__init__.py`` of ``pkg/__init__.py:__version__``, else the source."""
    match = _PYTHON.fullmatch(source)
    return match["path"] if match else source


def declared_version(source: str, data: bytes, commit: Oid | None = None) -> DeclaredVersion | Problem:
    """Give what ``source`` of the policy declares, from ``data``, the bytes of its file in ``commit``.

    The reasons of a problem are ``no-source`` (nothing is declared), ``unreadable`` and ``conflict`` (the file
    declares two versions). A value is the text as it stands, at most 200 characters, not yet known to be a version.
    """
    path = source_path(source)
    place = Location(path, None, commit)
    most = MAX_PYTHON_BYTES if path.endswith(".py") else MAX_SOURCE_BYTES
    if len(data) > most:
        return _unreadable(place, f"{len(data)} bytes", f"at most {most} bytes")
    if path.endswith(".py"):
        match = _PYTHON.fullmatch(source)
        return _python(data, match["name"] if match else "__version__", place)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _unreadable(place, f"byte 0x{data[error.start]:02x} at offset {error.start}", "UTF-8 text")
    name = path.rsplit("/", 1)[-1]
    if name.endswith(".toml"):
        return _pyproject(text, place)
    if name.endswith(".cfg"):
        return _setup_cfg(text, place)
    return _plain(text, place)


def _unreadable(place: Location, got: str, expected: str) -> Problem:
    message = f"{shown(place.path)} cannot be read"
    return Problem("unreadable", message, shown(got), expected, f"mend {shown(place.path)} and commit", place)


def _nothing(place: Location, expected: str) -> Problem:
    message = f"{shown(place.path)} declares no version"
    fix = f"add {expected} to {shown(place.path)} and commit"
    return Problem("no-source", message, "no version", expected, fix, place)


def _found(value: str | None, place: Location, line: int | None) -> DeclaredVersion:
    return DeclaredVersion(None if value is None else value[:_MAX_VALUE], Location(place.path, line, place.commit))


# --------------------------------------------------------------------------------------- pyproject.toml


def _pyproject(text: str, place: Location) -> DeclaredVersion | Problem:
    """Read ``project.version`` (PyPA specification, pyproject.toml) or ``tool.poetry.version``."""
    try:
        document = load_toml(text.encode())
    except TomlError as error:
        return _unreadable(place, str(error), "TOML 1.0")
    project, poetry = _table(document, "project"), _table(document, "tool", "poetry")
    own, other = project.get("version"), poetry.get("version")
    dynamic = project.get("dynamic")
    computed = isinstance(dynamic, list) and "version" in dynamic
    if computed and own is not None:
        line = _toml_line(text, "project", "dynamic")
        return _twice(place, line, f"version = {shown(repr(own), 60)} and dynamic = [… version …]")
    if own is not None and other is not None and own != other:
        line = _toml_line(text, "project", "version")
        return _twice(place, line, f"project {shown(repr(own), 60)}, tool.poetry {shown(repr(other), 60)}")
    if computed or _table(document, "tool", "poetry-dynamic-versioning").get("enable") is True:
        return _found(None, place, _toml_line(text, "project", "dynamic"))
    table, value = ("project", own) if own is not None else ("tool.poetry", other)
    if value is None:
        return _nothing(place, 'version = "…" under [project]')
    if not isinstance(value, str):
        return _unreadable(place, f"version = {shown(repr(value), 60)}", "a string")
    return _found(value, place, _toml_line(text, table, "version"))


def _table(document: dict[str, object], *keys: str) -> dict[str, object]:
    for key in keys:
        inner = document.get(key)
        document = inner if isinstance(inner, dict) else {}
    return document


def _twice(place: Location, line: int | None, got: str) -> Problem:
    message = f"{shown(place.path)} declares its version twice"
    fix = f"keep one of them in {shown(place.path)} and commit"
    return Problem("conflict", message, got, "one declaration", fix, Location(place.path, line, place.commit))


def _toml_line(text: str, table: str, key: str) -> int | None:
    """Give the line of ``key`` in ``[table]`` as it is usually written, for the reader's eye only."""
    here = ""
    for number, line in enumerate(text.split("\n"), 1):
        bare = line.strip()
        if bare.startswith("["):
            here = bare.strip("[] \t").split("]", 1)[0].replace(" ", "")
        elif bare.startswith((key, f'"{key}"', f"{table}.{key}")) and "=" in bare:
            name = bare.split("=", 1)[0].strip().replace('"', "")
            if (here, name) == (table, key) or f"{here}.{name}".lstrip(".") == f"{table}.{key}":
                return number
    return None


# -------------------------------------------------------------------------------------------- setup.cfg


def _setup_cfg(text: str, place: Location) -> DeclaredVersion | Problem:
    """Read ``[metadata] version`` as setuptools does, ``attr:`` and ``file:`` left alone.

    Not by configparser: 500,000 lines without ``=`` take it more than six minutes.
    """
    found = list(_metadata_version(text))
    if len(found) > 1:
        return _twice(place, found[1][0], f"version in the lines {found[0][0]} and {found[1][0]}")
    if not found or not found[0][1]:
        return _nothing(place, "version = … under [metadata]")
    line, value = found[0]
    return _found(None if value.startswith(("attr:", "file:")) else value, place, line)


def _metadata_version(text: str) -> Iterator[tuple[int, str]]:
    """Give each ``version`` of ``[metadata]`` with its line; indented lines go on with the option before them."""
    inside, option = False, False
    for number, line in enumerate(re.split(r"\r\n?|\n", text), 1):
        bare = line.strip()
        if not bare or bare[0] in "#;" or (option and line[0].isspace()):
            continue
        if bare[0] == "[" and "]" in bare:
            inside, option = bare[1:].rsplit("]", 1)[0] == "metadata", False
            continue
        option = True
        key, mark, value = bare.replace(":", "=", 1).partition("=") if _colon_first(bare) else bare.partition("=")
        if inside and mark and key.rstrip().lower() == "version":
            yield number, value.strip()


def _colon_first(line: str) -> bool:
    colon, equals = line.find(":"), line.find("=")
    return colon >= 0 and (equals < 0 or colon < equals)


# ------------------------------------------------------------------------------- Python and plain files


def _python(data: bytes, name: str, place: Location) -> DeclaredVersion | Problem:
    from ptguard.parse.pyversion import binding

    found = binding(data, name)
    if isinstance(found, str):
        return _unreadable(place, found, "Python source")
    if found is None:
        return _nothing(place, f'{shown(name)} = "…"')
    return _found(found.value, place, found.line)


def _plain(text: str, place: Location) -> DeclaredVersion | Problem:
    """Read the first line."""
    value = re.split(r"\r\n?|\n", text, maxsplit=1)[0].strip()
    return _found(value, place, 1) if value else _nothing(place, "the version as its first line")
