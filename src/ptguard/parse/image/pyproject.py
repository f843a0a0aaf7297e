"""What ``[tool.ptguard]`` in pyproject.toml says of the image: its reference, and what is expected of it."""

import re
from collections.abc import Mapping

from ptguard.model import ImageFacts, Location, Problem
from ptguard.parse.tomldoc import TomlError, load_toml
from ptguard.text import shown

_MAX_CANDIDATES = 8


def _document(path: str, data: bytes) -> Mapping[str, object] | Problem:
    try:
        return load_toml(data)
    except TomlError as error:
        return _unreadable(path, shown(str(error), 200))


def _unreadable(path: str, why: str) -> Problem:
    return Problem(
        "unresolvable",
        f"{shown(path, 200)} cannot be read: {why}",
        got=why,
        expected="a TOML document",
        fix=f"mend {shown(path, 200)}",
        location=Location(path),
    )


def _ptguard_table(document: Mapping[str, object]) -> Mapping[str, object]:
    tool = document.get("tool")
    table = tool.get("ptguard") if isinstance(tool, dict) else None
    return table if isinstance(table, dict) else {}


def read_pyproject(path: str, data: bytes) -> tuple[str, int | None] | Problem:
    """Give ``[tool.ptguard] image`` and its line, from 1.

    Reasons: ``missing``, ``unresolvable`` (no TOML), ``invalid-reference`` (no string).
    """
    document = _document(path, data)
    if isinstance(document, Problem):
        return document
    value = _ptguard_table(document).get("image")
    if value is None:
        return Problem(
            "missing",
            f"{shown(path, 200)} declares no image",
            got="no image under [tool.ptguard]",
            expected='[tool.ptguard] with image = "…"',
            fix=f'add image = "registry/repository:tag@sha256:…" under [tool.ptguard] in {shown(path, 200)}',
            location=Location(path),
        )
    line = _line_of_image(data.decode("utf-8"))
    if not isinstance(value, str):
        return Problem(
            "invalid-reference",
            f"image under [tool.ptguard] in {shown(path, 200)} is no string",
            got=type(value).__name__,
            expected='image = "registry/repository:tag@sha256:…"',
            fix="write the image as one string",
            location=Location(path, line),
        )
    return value, line


_IMAGE_KEY = re.compile(r"""\bimage["']?[ \t]*=""")


def _line_of_image(text: str) -> int | None:
    """Give the line of ``[tool.ptguard] image``: the first whose prefix of the document has the key.

    TOML readers give no places; only lines that hold the key are tried, and few of them.
    """
    lines = text.split("\n")
    candidates = [n for n, line in enumerate(lines, start=1) if _IMAGE_KEY.search(line)]
    for number in candidates[:_MAX_CANDIDATES]:
        try:
            prefix = load_toml("\n".join([*lines[:number], ""]).encode())
        except TomlError:
            continue
        if "image" in _ptguard_table(prefix):
            return number
    return None


# ------------------------------------------------------------------------------------------------ expectations

EXPECT_FORMS: Mapping[str, tuple[str, str]] = {
    "torch": (r"\d+(\.\d+)*((a|b|rc)\d+)?(\.dev\d+)?", 'a public version such as "2.9.0"'),
    "jax": (r"\d+(\.\d+)*((a|b|rc)\d+)?(\.dev\d+)?", 'a public version such as "0.7.2"'),
    "tensorflow": (r"\d+(\.\d+)*((a|b|rc)\d+)?(\.dev\d+)?", 'a public version such as "2.17.0"'),
    "cuda": (r"\d+\.\d+", 'major and minor, such as "12.8"'),
    "rocm": (r"\d+\.\d+", 'major and minor, such as "7.2"'),
    "cudnn": (r"\d+", "the major version, such as 9"),
    "python": (r"\d+\.\d+", 'major and minor, such as "3.11"'),
    "flavour": ("devel|runtime", '"devel" or "runtime"'),
    "release": (r"\d\d\.\d\d", 'a container release such as "25.09"'),
    "commit": ("[0-9a-f]{7,40}", "a commit id, 7 to 40 lower-case hex digits"),
    "os": (r"[a-z]+ \d+(\.\d+)?", 'a distribution and its version, such as "ubuntu 22.04"'),
}


def expected_facts(pyproject: bytes, path: str = "pyproject.toml") -> ImageFacts | Problem:
    """Give the facts that ``[tool.ptguard.expect]`` says the image has (empty where there is no such table).

    A version is written as exactly as it is compared: CUDA, ROCm and Python by minor, cuDNN by major, frameworks by
    public version. Anything else there is the problem ``unresolvable``, so that nobody relies on what is not looked at.
    """
    document = _document(path, pyproject)
    if isinstance(document, Problem):
        return document
    table = _ptguard_table(document).get("expect", {})
    if not isinstance(table, dict):
        return _bad_expectation(path, "expect", f"a {type(table).__name__}", "a table [tool.ptguard.expect]")
    facts: dict[str, str] = {}
    for key, value in table.items():
        form = EXPECT_FORMS.get(key)
        if form is None:
            return _bad_expectation(path, key, "an unknown key", ", ".join(EXPECT_FORMS))
        text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
        if len(text) > 64 or not re.fullmatch(form[0], text, re.ASCII):
            return _bad_expectation(path, key, shown(text or type(value).__name__, 80), form[1])
        facts[key] = text
    return ImageFacts(**facts)


def _bad_expectation(path: str, key: str, got: str, expected: str) -> Problem:
    place = "[tool.ptguard.expect]" if key == "expect" else f"{shown(key, 60)} in [tool.ptguard.expect]"
    return Problem(
        "unresolvable",
        f"{place} of {shown(path, 200)} says nothing that can be compared",
        got=got,
        expected=expected,
        fix=f"mend {place} in {shown(path, 200)}",
        location=Location(path),
    )
