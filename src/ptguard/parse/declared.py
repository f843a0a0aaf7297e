"""Where a repository declares its image: a table from kinds of file to their readers.

A new kind is one row of ``_KINDS`` and its reader; a file of no row is a problem, never a guess.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

from ptguard.model import DeclaredImage, ImageFacts, ImageReference, Location, Oid, Problem
from ptguard.parse import dockerfile
from ptguard.parse.image import facts_of, parse_reference, same_image
from ptguard.parse.image.pyproject import expected_facts, read_pyproject
from ptguard.parse.places import Image, LostError, read_yaml
from ptguard.text import shown
from ptguard.value import fields, replace, value

__all__ = ["declared_image", "expected_facts", "images_in", "missing_source", "reference_at", "split_source"]

Found = Sequence[Image]
Reader = Callable[[str, bytes, str | None], Found | Problem | None]
"""Takes a path, the file's bytes and the part that is meant; gives what it declares, None: no kind that is known."""


@value
class Kind:
    """A kind of file, by the pattern of its ``name`` (the whole path), and its reader."""

    label: str
    name: str
    read: Reader


def split_source(source: str) -> tuple[str, str | None]:
    """Give the path of a source, and the part of the file that it names: ``compose.yml:trainer``.

    The part may hold colons and slashes (GitLab's jobs do) behind the name of a file of a known kind.
    """
    for found in re.finditer(":", source):
        head, rest = source[: found.start()], source[found.end() :]
        if rest and _kind(head) is not None:
            return head, rest
    path, colon, part = source.rpartition(":")
    return (path, part) if colon and path and part and "/" not in part else (source, None)


def declared_image(path: str, data: bytes, commit: Oid | None, expect: ImageFacts | None) -> DeclaredImage | Problem:
    """Give the image that the source ``path`` declares, with its facts: the name's, and those of ``expect``.

    ``expect`` is what :func:`expected_facts` gave. Reasons: ``unresolvable``, ``missing``, ``invalid-reference``,
    ``conflict`` (name and expectation differ), and ``could-not-decide`` (the Dockerfile parser is not installed).
    """
    read = images_in(path, data)
    if isinstance(read, Problem):
        return _at(read, read.location or Location(split_source(path)[0]), commit)
    first = _one(path, read, commit)
    if isinstance(first, Problem):
        return first
    where = Location(split_source(path)[0], first.line, commit)
    reference = reference_at(first.text, where)
    if isinstance(reference, Problem):
        return reference
    facts = facts_of(reference)
    if isinstance(facts, Problem):
        return replace(facts, message=f"{facts.message}, in {where.shown}", location=where)
    joined = _joined(facts, expect, where)
    return joined if isinstance(joined, Problem) else DeclaredImage(reference, joined, where)


def reference_at(text: str, where: Location) -> ImageReference | Problem:
    """Read the ``text`` of an image; reasons ``unresolvable`` (a template) and ``invalid-reference``, at ``where``."""
    if "$" in text or "{{" in text or "{%" in text:
        return _template(text, where)
    reference = parse_reference(text)
    if isinstance(reference, Problem):
        return replace(reference, message=f"{reference.message}, in {where.shown}", location=where)
    return reference


def images_in(source: str, data: bytes) -> Found | Problem:
    """Give every image that ``source`` means, at least one, as it stands in the file."""
    path, part = split_source(source)
    kind = _kind(path)
    try:
        read = kind.read(path, data, part) if kind else None
    except LostError as lost:
        return _lost(path, str(lost), lost.line)
    if read is None:
        return _unknown_kind(path, None)
    if isinstance(read, Problem):
        return read
    if part is not None and kind is not None and kind.label not in _WITH_PARTS_OF_ITS_OWN:
        named = [image for image in read if image.part == part]
        if not named:
            there = ", ".join(dict.fromkeys(shown(image.part, 40) for image in read)) or "none"
            return _missing_image(path, f"{shown(part, 60)} of {shown(path, 200)} declares no image (there: {there})")
        read = named
    if not read:
        return _missing_image(path, f"{shown(path, 200)} declares no image")
    untold = next((image for image in read if image.lost), None)
    if untold is not None:
        return _lost(path, shown(untold.lost or "", 160), untold.line)
    return read


def _one(source: str, images: Found, commit: Oid | None) -> Image | Problem:
    """Give the one image that all of ``images`` are; one without digest speaks for those that have one."""
    read = [(image, parse_reference(image.text)) for image in images]
    plain = next((image for image, found in read if isinstance(found, Problem)), None)
    if plain is not None or len(images) == 1:
        return plain or images[0]
    known = [(image, found) for image, found in read if isinstance(found, ImageReference)]
    path = split_source(source)[0]
    agreed: dict[ImageReference, Image] = {}  # one without digest is the same as each of two that differ
    for image, found in known:
        first = next((held for other, held in agreed.items() if not same_image(found, other)), None)
        if first is None:
            agreed.setdefault(found, image)
        else:
            places = [Location(path, one.line).shown for one in (image, first)]
            return Problem(
                "conflict",
                f"{places[0]} and {places[1]} declare different images",
                got=f"{shown(image.text, 200)} ({places[0]})",
                expected=f"{shown(first.text, 200)} ({places[1]}), or a source that names one of them",
                fix=f'name the one that is meant under [image] sources: "{path}:{image.part or "NAME"}"',
                location=Location(path, image.line, commit),
            )
    return next((image for found, image in agreed.items() if found.digest is None), known[0][0])


def _lost(path: str, why: str, line: int | None) -> Problem:
    place = Location(path, line).shown
    return Problem(
        "unresolvable",
        f"the image of {place} cannot be told: {why}",
        got=why,
        expected="an image that the file itself decides",
        fix=f"write the image in full in {place}, or name another file under [image] sources",
        location=Location(path, line),
    )


def _missing_image(path: str, words: str) -> Problem:
    return Problem(
        "missing",
        words,
        got="no image",
        expected="an image in the file, in the part that the source names",
        fix=f"declare the image in {shown(path, 200)}, or name another source in .ptguard/policy.toml",
        location=Location(path),
    )


def missing_source(path: str, commit: Oid | None) -> Problem:
    """Give the problem of a source that the policy names and whose file the tagged tree does not have."""
    path = split_source(path)[0]
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
        f"the image in {where.shown} is filled in from outside the tree",
        got=shown(text, 200),
        expected="an image that the file itself decides",
        fix=f"write the image in full in {where.shown}",
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
                f"{name} is {said} by the image's name in {where.shown}, {wanted} by [tool.ptguard.expect]",
                got=f"{name} {said} ({where.shown})",
                expected=f"{name} {wanted} (pyproject.toml, [tool.ptguard.expect])",
                fix=f"make {name} the same in {where.shown} and in [tool.ptguard.expect] of pyproject.toml",
                location=where,
            )
        values[name] = said if said is not None else wanted
    return ImageFacts(**values)


def _plain(version: str) -> str:
    """Give a version without trailing zeros, as PEP 440 compares it: 2.9 is 2.9.0."""
    return re.sub(r"(\.0+)+$", "", version)


def _dockerfile(path: str, data: bytes, part: str | None) -> Found | Problem:
    found = dockerfile.declared_reference(path, data, part)
    return found if isinstance(found, Problem) else (Image(part or "", *found),)


def _pyproject(path: str, data: bytes, part: str | None) -> Found | Problem:
    del part
    found = read_pyproject(path, data)
    return found if isinstance(found, Problem) else (Image("", *found),)


def _devcontainer(path: str, data: bytes, part: str | None) -> Found:
    del path, part
    from ptguard.parse.devcontainer import devcontainer

    return tuple(devcontainer(data))


def _yaml(kind: str | None) -> Reader:
    def read(path: str, data: bytes, part: str | None) -> Found | None:
        del path, part
        return read_yaml(data, kind)

    return read


_ANY: Final = r"(?:.+/)?"
_KINDS: tuple[Kind, ...] = (
    Kind(
        "a Dockerfile",
        _ANY + r"(?i:(?:Docker|Container)file(?:[.-][^/]+)?|[^/]+\.(?:docker|container)file)",
        _dockerfile,
    ),
    Kind("pyproject.toml", _ANY + r"pyproject\.toml", _pyproject),
    Kind("a GitHub workflow", _ANY + r"\.github/workflows/[^/]+\.ya?ml", _yaml("a GitHub workflow")),
    Kind("a GitLab pipeline", _ANY + r"\.gitlab-ci\.ya?ml", _yaml("a GitLab pipeline")),
    Kind("a compose file", _ANY + r"(?:docker-)?compose(?:[.-][^/]+)?\.ya?ml", _yaml("a compose file")),
    Kind("devcontainer.json", _ANY + r"\.?devcontainer\.json", _devcontainer),
    Kind("a Kubernetes manifest or SkyPilot task", _ANY + r"[^/]+\.ya?ml", _yaml(None)),
)


def _kind(path: str) -> Kind | None:
    return next((kind for kind in _KINDS if re.fullmatch(kind.name, path)), None)


_WITH_PARTS_OF_ITS_OWN: Final = ("a Dockerfile",)
"""Their readers follow the part themselves: a stage is not only looked up but built upon others."""
