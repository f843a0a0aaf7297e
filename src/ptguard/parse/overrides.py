"""What docker compose lays over the file that a source names, without being told to.

Without ``-f``, ``docker compose`` reads a second file beside ``compose.yaml``, and what that says of a service takes
the place of what the first says (docs.docker.com, Merge Compose files; compose-spec, Merge). So an image that stands
there must not go unseen. Where there are several, compose takes one and warns, older ones another: all must agree.
"""

import re
from typing import Final

from ptguard.imagename import same_image
from ptguard.model import DeclaredImage, Location, Problem
from ptguard.parse.declared import images_in, reference_at, split_source
from ptguard.parse.places import Image
from ptguard.text import shown
from ptguard.value import replace

_BASE: Final = re.compile(r"(?:docker-)?compose\.ya?ml")
_NAMES: Final = tuple(f"{name}.override.{end}" for name in ("compose", "docker-compose") for end in ("yml", "yaml"))


def override_sources(source: str) -> tuple[str, ...]:
    """Give what compose reads on top of ``source`` where it is there, each as a source of the same part.

    Only what compose finds by itself has one: ``compose.yml`` and its kin, but not ``compose.gpu.yml``.
    """
    path, part = split_source(source)
    folder, slash, name = path.rpartition("/")
    end = "" if part is None else f":{part}"
    return tuple(f"{folder}{slash}{each}{end}" for each in _NAMES) if _BASE.fullmatch(name) else ()


def overridden(found: DeclaredImage, override: str, data: bytes) -> DeclaredImage | Problem:
    """Give what is left of ``found`` by the source ``override``, whose file is ``data``: the same image, or a Problem.

    Where it says no image, ``found`` stands. Where it leaves out the digest that ``found`` has, so does compose.
    Reasons: ``conflict``, and those of :func:`ptguard.parse.declared.declared_image`.
    """
    read = images_in(override, data)
    path = split_source(override)[0]
    if isinstance(read, Problem):
        where = replace(read.location or Location(path), commit=found.location.commit)
        return found if read.reason == "missing" else replace(read, fix=mend(path), location=where)
    for image in read:
        where = Location(path, image.line, found.location.commit)
        reference = reference_at(image.text, where)
        if isinstance(reference, Problem):
            return reference
        if not same_image(found.reference, reference):
            return _conflict(found, override, image, where)
        if found.reference.digest and not reference.digest:
            found = replace(found, reference=reference, location=where)
    return found


def _conflict(found: DeclaredImage, override: str, image: Image, where: Location) -> Problem:
    path, part = split_source(override)
    here, there = where.shown, found.location.shown
    fix = mend(path)
    if part is None and image.part:
        fix += f'; or name the service that is meant under [image] sources: "{found.location.path}:NAME"'
    return Problem(
        "conflict",
        f"{here}, which docker compose lays over {there}, declares another image",
        got=f"{shown(image.text, 200)} ({here})",
        expected=f"{found.reference} ({there})",
        fix=f"write {found.reference} in {here}, or {fix}",
        location=where,
    )


def mend(path: str) -> str:
    """Give what to do with an override that is not the release's."""
    return f"give {shown(path, 200)} a name of its own, so that compose reads it with -f only"
