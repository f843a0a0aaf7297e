"""Where a repository declares its image: a table from kinds of file to their readers.

A new kind is one row of ``_KINDS`` and its reader; a file of no row is a problem, never a guess.
"""

import re
from collections.abc import Callable

from ptguard.model import DeclaredImage, ImageFacts, Location, Oid, Problem
from ptguard.parse import dockerfile
from ptguard.parse.image import facts_of, parse_reference
from ptguard.parse.image.pyproject import expected_facts, read_pyproject
from ptguard.text import shown
from ptguard.value import fields, replace, value

__all__ = ["declared_image", "expected_facts", "missing_source"]

Reader = Callable[[str, bytes], tuple[str, int | None] | Problem]
"""Takes a path and the file's bytes; gives the text of the reference and its line, from 1 (None: not known)."""


@value
class Kind:
    """A kind of file, by its ``name``'s pattern (last part of the path), and its reader."""

    label: str
    name: str
    read: Reader


def declared_image(path: str, data: bytes, commit: Oid | None, expect: ImageFacts | None) -> DeclaredImage | Problem:
    """Give the image that the file at ``path`` declares, with its facts: the name's, and those of ``expect``.

    ``expect`` is what :func:`expected_facts` gave. Reasons: ``unresolvable``, ``missing``, ``invalid-reference``,
    ``conflict`` (name and expectation differ), and ``could-not-decide`` (the Dockerfile parser is not installed).
    """
    kind = next((k for k in _KINDS if re.fullmatch(k.name, path.rpartition("/")[2])), None)
    if kind is None:
        return _unknown_kind(path, commit)
    read = kind.read(path, data)
    if isinstance(read, Problem):
        return _at(read, read.location or Location(path), commit)
    text, line = read
    where = Location(path, line, commit)
    if "$" in text or "{{" in text or "{%" in text:
        return _template(text, where)
    reference = parse_reference(text)
    if isinstance(reference, Problem):
        return replace(reference, message=f"{reference.message}, in {_place(where)}", location=where)
    facts = facts_of(reference)
    if isinstance(facts, Problem):
        return replace(facts, message=f"{facts.message}, in {_place(where)}", location=where)
    joined = _joined(facts, expect, where)
    return joined if isinstance(joined, Problem) else DeclaredImage(reference, joined, where)


def missing_source(path: str, commit: Oid | None) -> Problem:
    """Give the problem of a source that the policy names and the tagged tree does not have."""
    return Problem(
        "missing",
        f"{shown(path, 200)} declares the image by the policy, and the tagged tree has no such file",
        got="no such file",
        expected=f"a regular file {shown(path, 200)}",
        fix=f"commit {shown(path, 200)}, or take it out of [image] sources in .ptguard/policy.toml on the trust branch",
        location=Location(path, None, commit),
    )


def _at(problem: Problem, where: Location, commit: Oid | None) -> Problem:
    return replace(problem, location=replace(where, commit=commit))


def _place(where: Location) -> str:
    return shown(where.path if where.line is None else f"{where.path}:{where.line}", 220)


def _unknown_kind(path: str, commit: Oid | None) -> Problem:
    return Problem(
        "unresolvable",
        f"{shown(path, 200)} is of a kind of file that cannot be read for an image yet",
        got=shown(path.rpartition("/")[2], 120),
        expected=" or ".join(kind.label for kind in _KINDS),
        fix="name another file under [image] sources in .ptguard/policy.toml on the trust branch",
        location=Location(path, None, commit),
    )


def _template(text: str, where: Location) -> Problem:
    return Problem(
        "unresolvable",
        f"the image in {_place(where)} is filled in from outside the tree",
        got=shown(text, 200),
        expected="an image that the file itself decides",
        fix=f"write the image in full in {_place(where)}",
        location=where,
    )


def _joined(facts: ImageFacts | None, expect: ImageFacts | None, where: Location) -> ImageFacts | Problem:
    """Give both together; where both speak of one thing and differ, that is the problem ``conflict``."""
    if facts is None or expect is None:
        return facts or expect or ImageFacts()
    values: dict[str, str | None] = {}
    for name in fields(ImageFacts):
        said, wanted = getattr(facts, name), getattr(expect, name)
        if said is not None and wanted is not None and _plain(said) != _plain(wanted):
            return Problem(
                "conflict",
                f"{name} is {said} by the image's name in {_place(where)}, {wanted} by [tool.ptguard.expect]",
                got=f"{name} {said} ({_place(where)})",
                expected=f"{name} {wanted} (pyproject.toml, [tool.ptguard.expect])",
                fix=f"make {name} the same in {_place(where)} and in [tool.ptguard.expect] of pyproject.toml",
                location=where,
            )
        values[name] = said if said is not None else wanted
    return ImageFacts(**values)


def _plain(version: str) -> str:
    """Give a version without trailing zeros, as PEP 440 compares it: 2.9 is 2.9.0."""
    return re.sub(r"(\.0+)+$", "", version)


_KINDS: tuple[Kind, ...] = (
    Kind(
        "a Dockerfile",
        r"(?i:(?:Docker|Container)file(?:[.-].+)?|.+\.(?:docker|container)file)",
        dockerfile.declared_reference,
    ),
    Kind("pyproject.toml", r"pyproject\.toml", read_pyproject),
)
