"""What docker compose lays over a source: which files, and what is left of the image."""

import pytest

from ptguard.model import DeclaredImage, Location, Problem
from ptguard.parse.declared import declared_image
from ptguard.parse.overrides import overridden, override_sources
from ptguard.value import replace

REF = "pytorch/pytorch:2.9.0-cuda12.8-cudnn9-devel"
DIGEST = "@sha256:" + "1" * 64
OTHER = "@sha256:" + "2" * 64
COMMIT = "c" * 40


def declared(source: str, text: str) -> DeclaredImage:
    found = declared_image(source, text.encode(), COMMIT, None)
    assert isinstance(found, DeclaredImage)
    return found


NAMES = ("compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml")


@pytest.mark.parametrize("name", ["compose.yml", "compose.yaml", "docker-compose.yml", "docker-compose.yaml"])
def test_what_compose_finds_by_itself_has_overrides_by_any_name(name: str) -> None:
    assert override_sources(name) == NAMES
    assert override_sources(f"a/b/{name}") == tuple(f"a/b/{each}" for each in NAMES)
    assert override_sources(f"{name}:trainer") == tuple(f"{each}:trainer" for each in NAMES)


@pytest.mark.parametrize(
    "source",
    ["compose.gpu.yml", "docker-compose.prod.yaml:trainer", "compose.override.yml", "Dockerfile", "Dockerfile:train",
     "compose.yml/Dockerfile", "xcompose.yml", ".github/workflows/compose.yml.yml", "pyproject.toml", ""],
)  # fmt: skip
def test_what_has_to_be_named_has_none(source: str) -> None:
    assert override_sources(source) == ()


BASE = f"services:\n  t:\n    image: {REF}{DIGEST}\n"


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("", ""),
        ("", "services: {}"),
        ("", "services:\n  t:\n    environment: {A: b}\n"),
        ("", "services:\n  t:\n    image: null\n"),
        ("", f"services:\n  t:\n    image: {REF}{DIGEST}\n"),
        ("", f"services:\n  t:\n    image: docker.io/{REF}{DIGEST}\n"),
        ("", f"services:\n  u:\n    image: {REF}{DIGEST}\n"),
        (":t", "services:\n  u:\n    image: postgres:16\n"),
        (":t", "services:\n  u:\n    build: .\n"),
        (":t", "volumes: {x: {}}"),
        (":t", "include: [x.yml]\n"),
    ],
)
def test_an_override_that_says_the_same_or_nothing_changes_nothing(part: str, text: str) -> None:
    found = declared(f"compose.yml{part}", BASE)
    assert overridden(found, f"compose.override.yml{part}", text.encode()) == found


@pytest.mark.parametrize(
    ("part", "text", "reason", "line", "words"),
    [
        ("", "services:\n  t:\n    image: python:3.11\n", "conflict", 3, "lays over compose.yml:3"),
        (":t", "services:\n  t:\n    image: python:3.11\n", "conflict", 3, "declares another image"),
        ("", f"services:\n  t:\n    image: {REF}{OTHER}\n", "conflict", 3, "another image"),
        ("", f"services:\n  t: {{image: {REF.replace('12.8', '12.6')}{DIGEST}}}\n", "conflict", 2, "another image"),
        ("", "services:\n  u:\n    image: postgres:16\n", "conflict", 3, "another image"),
        ("", "include: [x.yml]\n", "unresolvable", 1, "include brings in services"),
        ("", "services:\n  t:\n    build: .\n", "unresolvable", 3, "t is built, not pulled"),
        (":t", "services:\n  t:\n    build: {context: .}\n", "unresolvable", 3, "t is built, not pulled"),
        ("", "services:\n  t:\n    image: ${IMAGE}\n", "unresolvable", 3, "filled in from outside"),
        ("", "services:\n  t:\n    image: !reset null\n", "unresolvable", 3, "no plain text"),
        ("", "services:\n  t: !override\n    image: x\n", "unresolvable", 2, "a tag of its own"),
        ("", "services:\n  t:\n    extends: {service: x}\n", "unresolvable", 3, "extends another one"),
        ("", "services:\n  t:\n    image: 'A B'\n", "invalid-reference", 3, "compose.override.yml:3"),
        ("", "a: [", "unresolvable", None, "no YAML"),
    ],
)
def test_an_override_that_says_another_image_is_named_with_its_line(
    part: str, text: str, reason: str, line: int | None, words: str
) -> None:
    found = overridden(declared(f"x/compose.yml{part}", BASE), f"x/compose.override.yml{part}", text.encode())
    assert isinstance(found, Problem)
    assert found.reason == reason
    assert words in found.message.replace("x/", "")
    assert found.fix
    assert found.location is not None
    assert (found.location.path, found.location.commit) == ("x/compose.override.yml", COMMIT)
    assert line is None or found.location.line == line


def test_both_sides_are_told_and_how_to_mend_it() -> None:
    data = b"services:\n  db:\n    image: postgres:16\n"
    found = overridden(declared("compose.yml", BASE), "compose.override.yml", data)
    assert isinstance(found, Problem)
    assert found.got == "postgres:16 (compose.override.yml:3)"
    assert found.expected == f"docker.io/{REF}{DIGEST} (compose.yml:3)"
    assert f"write docker.io/{REF}{DIGEST} in compose.override.yml:3" in str(found.fix)
    assert "a name of its own" in str(found.fix)
    assert 'name the service that is meant under [image] sources: "compose.yml:NAME"' in str(found.fix)


def test_an_override_without_the_digest_takes_it_away() -> None:
    found, text = declared("compose.yml", BASE), f"services:\n  t:\n    image: {REF}\n"
    left = overridden(found, "compose.override.yml", text.encode())
    where = Location("compose.override.yml", 3, COMMIT)
    assert left == replace(found, reference=replace(found.reference, digest=None), location=where)
    plain = declared("compose.yml", text)
    assert overridden(plain, "compose.override.yml", BASE.encode()) == plain
