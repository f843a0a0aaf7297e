import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptguard.model import DeclaredVersion, Location, Problem
from ptguard.parse.version import MAX_PYTHON_BYTES, MAX_SOURCE_BYTES, declared_version, source_path

OID = "c" * 40


def declared(source: str, text: str | bytes) -> DeclaredVersion:
    found = declared_version(source, text.encode() if isinstance(text, str) else text, OID)
    assert isinstance(found, DeclaredVersion)
    assert (found.location.path, found.location.commit) == (source_path(source), OID)
    return found


def problem(source: str, text: str | bytes) -> Problem:
    found = declared_version(source, text.encode() if isinstance(text, str) else text, OID)
    assert isinstance(found, Problem)
    assert found.message and found.got and found.expected and found.fix
    assert "\n" not in found.message + found.got + found.fix
    return found


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("pyproject.toml", "pyproject.toml"),
        ("pkg/pyproject.toml", "pkg/pyproject.toml"),
        ("src/pkg/__init__.py:__version__", "src/pkg/__init__.py"),
        ("a.py:b", "a.py"),
        ("VERSION", "VERSION"),
    ],
)
def test_source_path(source: str, path: str) -> None:
    assert source_path(source) == path


@pytest.mark.parametrize(
    ("text", "value", "line"),
    [
        ('[project]\nname = "x"\nversion = "2.9.0"\n', "2.9.0", 3),
        ("\ufeff[project]\r\nversion = '2.9.0'\r\n", "2.9.0", 2),
        ('[tool.other]\nversion = "1"\n[project]\nversion = "2.9.0"\n', "2.9.0", 4),
        ('[tool.poetry]\nversion = "2.9.0"\n', "2.9.0", 2),
        ('[project]\nname = "x"\n[tool.poetry]\nversion = "2.9.0"\n', "2.9.0", 4),
        ('[project]\nversion = "2.9.0"\n[tool.poetry]\nversion = "2.9.0"\n', "2.9.0", 2),
        ('project.version = "2.9.0"\n', "2.9.0", 1),
        ('project = {version = "2.9.0"}\n', "2.9.0", None),
        ('[project]\ndynamic = ["version", "readme"]\n', None, 2),
        ('[project]\ndynamic = ["readme"]\nversion = "2.9.0"\n', "2.9.0", 3),
        ('[tool.poetry]\nversion = "0.0.0"\n[tool.poetry-dynamic-versioning]\nenable = true\n', None, None),
        ('[project]\nversion = "what?"\n', "what?", 2),
    ],
)
def test_pyproject(text: str, value: str | None, line: int | None) -> None:
    found = declared("pyproject.toml", text)
    assert (found.value, found.location.line) == (value, line)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no-source"),
        ('[project]\nname = "x"\n', "no-source"),
        ('[tool.poetry]\nname = "x"\n', "no-source"),
        ("project = 1\ntool = []\n", "no-source"),
        ("[project]\nversion = 2.9\n", "unreadable"),
        ("[project\n", "unreadable"),
        ('[project]\nversion = "2.9.0"\nversion = "2.9.1"\n', "unreadable"),
        (b"[project]\nversion = '\xff'\n", "unreadable"),
        ('[project]\nversion = "2.9.0"\ndynamic = ["version"]\n', "conflict"),
        ('[project]\nversion = "2.9.0"\n[tool.poetry]\nversion = "2.8.1"\n', "conflict"),
        ("a = " + "[" * 100_000, "unreadable"),
        ("a = " + "{b=" * 100_000, "unreadable"),
        ("a = " + "9" * 10_000, "unreadable"),
        ("a" + ".a" * 50_000 + " = 1\n", "unreadable"),
        ("#" * (MAX_SOURCE_BYTES + 1), "unreadable"),
    ],
    ids=range(15),
)
def test_pyproject_that_declares_none(text: str | bytes, reason: str) -> None:
    assert problem("pyproject.toml", text).reason == reason


@pytest.mark.parametrize(
    ("text", "value", "line"),
    [
        ("[metadata]\nname = x\nversion = 2.9.0\n", "2.9.0", 3),
        ("[options]\nversion = 1\n[metadata]\nversion: 2.9.0\n", "2.9.0", 4),
        ("[metadata]\nversion = attr: pkg.__version__\n", None, 2),
        ("[metadata]\nversion = file: VERSION\n", None, 2),
        ("[metadata]\nversion = %(oops)s\n", "%(oops)s", 2),
        ("[metadata]\n  Version=2.9.0\n", "2.9.0", 2),
        ("[metadata]\nname = x\n\n  more\nversion : 1=2\n", "1=2", 5),
    ],
)
def test_setup_cfg(text: str, value: str | None, line: int) -> None:
    found = declared("setup.cfg", text)
    assert (found.value, found.location.line) == (value, line)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no-source"),
        ("[metadata]\nname = x\n", "no-source"),
        ("[metadata]\nversion =\n", "no-source"),
        ("version = 2.9.0\n", "no-source"),
        ("[metadata]\nname = x\n  version = 2.9.0\n", "no-source"),
        ("[metadata]\n[other]\nversion = 2.9.0\n", "no-source"),
        ("[metadata]\n# version = 2.9.0\nversion\n", "no-source"),
        ("[metadata]\nversion = 1\nversion = 2\n", "conflict"),
        ("[metadata]\n" + "x\n" * 500_000, "no-source"),
        (b"\xff", "unreadable"),
    ],
)
def test_setup_cfg_that_declares_none(text: str | bytes, reason: str) -> None:
    assert problem("setup.cfg", text).reason == reason


@pytest.mark.parametrize(
    ("text", "value", "line"),
    [
        ('"""Doc."""\n\n__version__ = "2.9.0"\n', "2.9.0", 3),
        ('__version__: str = "2.9.0"\n', "2.9.0", 1),
        ('__version__: Final = "2.9" ".0"\n', "2.9.0", 1),
        ('VERSION = __version__ = "2.9.0"\n', "2.9.0", 1),
        ('__version__ = "2.8.1"\n__version__ = "2.9.0"\n', "2.9.0", 2),
        ('__version__ = ("2.9.0")\n', "2.9.0", 1),
        ('def f():\n    __version__ = "1"\n__version__ = "2.9.0"\n', "2.9.0", 3),
        ('class A:\n    __version__ = "1"\n__version__ = "2.9.0"\n', "2.9.0", 3),
        ('# -*- coding: latin-1 -*-\nx = "caf\xe9"\n__version__ = "2.9.0"\n'.encode("latin-1"), "2.9.0", 3),
        ('__version__: str\n__version__ = "2.9.0"\n', "2.9.0", 2),
        ("from ._version import __version__\n", None, 1),
        ("import _version as __version__\n", None, 1),
        ('__version__ = version("x")\n', None, 1),
        ('__version__ = "2.9.0".strip()\n', None, 1),
        ('__version__ = f"2.{x}"\n', None, 1),
        ("__version__ = base\n", None, 1),
        ("__version__ = 2.9\n", None, 1),
        ('__version__, x = "2.9.0", 1\n', None, 1),
        ('if x:\n    __version__ = "2.9.0"\n', None, 2),
        ('try:\n    pass\nexcept E:\n    __version__ = "2.9.0"\n', None, 4),
        ('__version__ = "2.9.0"\nif x:\n    __version__ = "2.8.1"\n', None, 3),
        ('__version__ = "2.9.0"\n__version__ += ".dev"\n', None, 2),
        ('__version__ = "2.9.0"\ndel __version__\n', None, 2),
        ('__version__ = "2.9.0"\ndef __version__(): ...\n', None, 2),
        ('for __version__ in ("2.9.0",):\n    pass\n', None, 1),
        ('match x:\n    case 1:\n        __version__ = "1"\n', None, 3),
        ('x = "\\d"\n__version__ = "2.9.0"\n', "2.9.0", 2),
    ],
)
def test_python(text: str | bytes, value: str | None, line: int) -> None:
    found = declared("pkg/__init__.py:__version__", text)
    assert (found.value, found.location.line) == (value, line)


def test_python_by_another_name() -> None:
    assert declared("a.py:VERSION", '__version__ = "1"\nVERSION = "2.9.0"\n').value == "2.9.0"
    assert declared("a.py", '__version__ = "2.9.0"\n').value == "2.9.0"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no-source"),
        ('version = "2.9.0"\n', "no-source"),
        ('def f():\n    __version__ = "2.9.0"\n', "no-source"),
        ('x.__version__ = "2.9.0"\n', "no-source"),
        ('# __version__ = "2.9.0"\n', "no-source"),
        ("__version__ = (\n", "unreadable"),
        ("print 'x'\n", "unreadable"),
        (b"\0", "unreadable"),
        (b"# coding: no-such-codec\n", "unreadable"),
        (b"x = '\xff'\n", "unreadable"),
        (b"# coding: punycode\n-" + b"b" * 200_000, "unreadable"),
        (b"#!/usr/bin/python\r# vim: set fileencoding=-IDNA- :\n" + b"__version__ = '2.9.0'\n", "unreadable"),
        ("(" * 100_000, "unreadable"),
        ("-" * 100_000 + "1", "unreadable"),
        ("a" + ".b" * 100_000, "unreadable"),
        ("1" + "+1" * 100_000, "unreadable"),
        ("x = " + "9" * 10_000, "unreadable"),
        ("#" * (MAX_PYTHON_BYTES + 1), "unreadable"),
    ],
    ids=range(18),
)
def test_python_that_declares_none(text: str | bytes, reason: str) -> None:
    assert problem("pkg/__init__.py:__version__", text).reason == reason


def test_nothing_is_run() -> None:
    declared("a.py:__version__", "import sys\nsys.exit(7)\nimport antigravity\n__version__ = '2.9.0'\n")
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2.9.0\n", "2.9.0"),
        ("\ufeff  2.9.0  \r\nmore\n", "2.9.0"),
        ("2.9.0", "2.9.0"),
        ("# comment\n", "# comment"),
        ("9" * 1000, "9" * 200),
    ],
)
def test_plain_file(text: str, value: str) -> None:
    found = declared("pkg/VERSION", text)
    assert (found.value, found.location.line) == (value, 1)


@pytest.mark.parametrize(
    ("text", "reason"), [("", "no-source"), ("\n2.9.0\n", "no-source"), (b"\xff\xfe2", "unreadable")]
)
def test_plain_file_that_declares_none(text: str | bytes, reason: str) -> None:
    assert problem("VERSION", text).reason == reason


def test_a_problem_has_its_place() -> None:
    assert problem("VERSION", "").location == Location("VERSION", None, OID)


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_arbitrary_bytes_never_raise(data: bytes) -> None:
    for source in ("pyproject.toml", "setup.cfg", "a.py:__version__", "VERSION"):
        assert isinstance(declared_version(source, data), DeclaredVersion | Problem)
