"""From a path and its bytes to a declared image: kinds of files, pyproject.toml, expectations."""

import pytest

from ptguard.model import DeclaredImage, ImageFacts, ImageReference, Location, Problem
from ptguard.parse.declared import declared_image, expected_facts, missing_source
from ptguard.parse.image.pyproject import EXPECT_FORMS
from ptguard.value import fields, replace

COMMIT = "c" * 40
TAG = "2.9.0-cuda12.8-cudnn9-devel"
REF = ImageReference("docker.io/pytorch/pytorch", TAG, None)
FACTS = ImageFacts(torch="2.9.0", cuda="12.8", cudnn="9", flavour="devel")
DOCKERFILE = f"ARG T={TAG}\n\nFROM pytorch/pytorch:$T\n".encode()


def problem(read: DeclaredImage | ImageFacts | Problem) -> Problem:
    assert isinstance(read, Problem)
    return read


@pytest.mark.parametrize(
    "path",
    ["Dockerfile", "docker/Dockerfile", "Dockerfile.gpu", "Dockerfile-gpu", "gpu.Dockerfile", "gpu.dockerfile",
     "dockerfile", "Containerfile", "a b/Containerfile.x", "gpu.containerfile"],
)  # fmt: skip
def test_a_dockerfile_by_any_of_its_names(path: str) -> None:
    assert declared_image(path, DOCKERFILE, COMMIT, None) == DeclaredImage(REF, FACTS, Location(path, 3, COMMIT))


@pytest.mark.parametrize(
    "path",
    ["", "Dockerfiles", "Dockerfile/x", ".github/release.json", "compose.json", "pyproject.toml.bak",
     "mypyproject.toml", "Dockerfile\n", "xDockerfile", "setup.py"],
)  # fmt: skip
def test_another_kind_of_file_is_said_to_be_unreadable(path: str) -> None:
    found = problem(declared_image(path, DOCKERFILE, COMMIT, None))
    assert found.reason == "unresolvable"
    assert "cannot be read for an image yet" in found.message
    assert (found.expected or "").startswith("a Dockerfile or pyproject.toml or a GitHub workflow or ")
    assert found.location == Location(path, None, COMMIT)


PYPROJECTS = [
    ('[tool.ptguard]\nimage = "{}"\n', 2),
    ('[project]\nname = "x"\n\n[tool.ptguard]\n# image = "no"\nimage="{}" # pinned\n', 6),
    ('tool.ptguard.image = "{}"\n', 1),
    ('[tool]\nptguard = {{ image = "{}" }}\n', 2),
    ('[tool.ptguard]\n"image" = "{}"\n', 2),
    ("[tool.ptguard]\n'image'='{}'\n", 2),
    ('[tool.x]\nimage = "x"\n[tool.ptguard]\nimage = "{}"\n', 4),
    ('x = """\n[tool.ptguard]\nimage = "no"\n"""\n[tool.ptguard]\nimage = "{}"\n', 6),
    ('[tool.x]\ny = [\n  "image = 1",\n]\n[tool.ptguard]\nimage = "{}"\n', 6),
    ('[tool.ptguard]\r\nimage = "{}"\r\n', 2),
    ('[tool.ptguard]\n"im\\u0061ge" = "{}"\n', None),
]


@pytest.mark.parametrize(("text", "line"), PYPROJECTS)
def test_pyproject_declares_with_its_line(text: str, line: int | None) -> None:
    data = text.format(f"pytorch/pytorch:{TAG}").encode()
    where = Location("pyproject.toml", line, COMMIT)
    assert declared_image("pyproject.toml", data, COMMIT, None) == DeclaredImage(REF, FACTS, where)


@pytest.mark.parametrize(
    ("data", "reason", "line"),
    [
        (b"", "missing", None),
        (b"[tool.ptguard]\n", "missing", None),
        (b"[tool.ptguard]\nimages = 'x'\n", "missing", None),
        (b"tool = 1\n", "missing", None),
        (b"[tool]\nptguard = 'x'\n", "missing", None),
        (b"[tool.ptguard]\nimage = 1\n", "invalid-reference", 2),
        (b"[tool.ptguard]\nimage = ['x']\n", "invalid-reference", 2),
        (b"[tool.ptguard]\nimage = ''\n", "invalid-reference", 2),
        (b"[tool.ptguard]\nimage = 'A B'\n", "invalid-reference", 2),
        (b"[tool.ptguard]\nimage = 'pytorch/pytorch:2.9.0-cuda11-8-devel'\n", "invalid-reference", 2),
        (b"[tool.ptguard]\nimage = '${IMAGE}'\n", "unresolvable", 2),
        (b"[tool.ptguard]\nimage = 'x:{{ tag }}'\n", "unresolvable", 2),
        (b"[tool.ptguard]\nimage = '{% x %}'\n", "unresolvable", 2),
        (b"[tool.ptguard\n", "unresolvable", None),
        (b"\xff", "unresolvable", None),
        (b"a=" + b"[" * 100_000, "unresolvable", None),
    ],
)
def test_pyproject_that_declares_none(data: bytes, reason: str, line: int | None) -> None:
    found = problem(declared_image("sub/pyproject.toml", data, COMMIT, None))
    assert (found.reason, found.location) == (reason, Location("sub/pyproject.toml", line, COMMIT))
    assert found.got
    assert found.expected
    assert found.fix


@pytest.mark.parametrize(
    ("data", "reason", "line"),
    [
        (b"FROM pytorch/pytorch:2.9.0-cuda11-8-devel\n", "invalid-reference", 1),
        (b"\nFROM Pytorch:1\n", "invalid-reference", 2),
        (b"ARG X\nFROM $X\n", "unresolvable", 2),
    ],
)
def test_a_dockerfile_whose_image_is_wrong_is_named_with_its_line(data: bytes, reason: str, line: int) -> None:
    found = problem(declared_image("Dockerfile", data, COMMIT, None))
    assert (found.reason, found.location) == (reason, Location("Dockerfile", line, COMMIT))
    assert f"Dockerfile:{line}" in found.message


def test_a_source_that_is_not_there() -> None:
    found = missing_source("docker/Dockerfile", COMMIT)
    assert (found.reason, found.location) == ("missing", Location("docker/Dockerfile", None, COMMIT))
    assert "docker/Dockerfile" in str(found.fix)


# ------------------------------------------------------------------------------------------------ expectations


def expect(body: str) -> ImageFacts | Problem:
    return expected_facts(f"[tool.ptguard.expect]\n{body}\n".encode())


def test_every_fact_can_be_expected() -> None:
    assert set(EXPECT_FORMS) == set(fields(ImageFacts))
    text = (
        'torch = "2.9.0"\njax = "0.7.2"\ntensorflow = "2.17.0"\ncuda = "12.8"\nrocm = "7.2"\ncudnn = 9\n'
        'python = "3.11"\nflavour = "devel"\nrelease = "25.09"\ncommit = "b3874ab"\nos = "ubuntu 22.04"'
    )
    assert expect(text) == ImageFacts(
        "2.9.0", "0.7.2", "2.17.0", "12.8", "7.2", "9", "3.11", "devel", "25.09", "b3874ab", "ubuntu 22.04"
    )


@pytest.mark.parametrize("data", [b"", b"[project]\n", b"[tool.ptguard]\nimage = 'x'\n", b"[tool.ptguard.expect]\n"])
def test_without_a_table_nothing_is_expected(data: bytes) -> None:
    assert expected_facts(data) == ImageFacts()


@pytest.mark.parametrize(
    "body",
    ['troch = "2.9.0"', "torch = 2.9", 'torch = "2.9.0+cu128"', 'torch = ">=2.9"', 'torch = ""', "torch = true",
     'cuda = "12"', 'cuda = "12.8.1"', 'cudnn = "9.10"', "cudnn = -9", 'flavour = "base"', 'release = "25.9"',
     'commit = "B3874AB"', 'torch = ["2.9.0"]', "torch = 2025-01-01", f'torch = "{"1" * 100}"', 'torch = "\uff12.9"'],
)  # fmt: skip
def test_an_expectation_that_could_not_be_compared_is_a_mistake(body: str) -> None:
    found = problem(expect(body))
    assert found.reason == "unresolvable"
    assert body.split(" ", maxsplit=1)[0] in found.message
    assert found.expected
    assert found.location == Location("pyproject.toml")


@pytest.mark.parametrize("data", [b"[", b"\xff", b"[tool.ptguard]\nexpect = 1\n"])
def test_expectations_that_cannot_be_read(data: bytes) -> None:
    assert problem(expected_facts(data)).reason == "unresolvable"


def test_expectations_speak_for_an_unknown_repository() -> None:
    read = declared_image("Dockerfile", b"FROM team/image:1\n", COMMIT, ImageFacts(torch="2.9.0", cuda="12.8"))
    assert isinstance(read, DeclaredImage)
    assert read.facts == ImageFacts(torch="2.9.0", cuda="12.8")


def test_an_unknown_repository_without_expectations_declares_nothing() -> None:
    read = declared_image("Dockerfile", b"FROM team/image:1\n", COMMIT, None)
    assert isinstance(read, DeclaredImage)
    assert read.facts == ImageFacts()


@pytest.mark.parametrize("torch", ["2.9.0", "2.9"])
def test_expectations_add_to_what_the_name_says(torch: str) -> None:
    read = declared_image("Dockerfile", DOCKERFILE, COMMIT, ImageFacts(torch=torch, python="3.11"))
    assert isinstance(read, DeclaredImage)
    assert read.facts == replace(FACTS, python="3.11")


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (ImageFacts(torch="2.8.0"), "torch is 2.9.0"),
        (ImageFacts(cuda="12.6"), "cuda is 12.8"),
        (ImageFacts(torch="2.9", cudnn="8"), "cudnn is 9"),
        (ImageFacts(flavour="runtime"), "flavour is devel"),
        (ImageFacts(torch="2.90"), "torch is 2.9.0"),
    ],
)
def test_name_and_expectation_that_differ_are_a_conflict(wanted: ImageFacts, words: str) -> None:
    found = problem(declared_image("Dockerfile", DOCKERFILE, COMMIT, wanted))
    assert found.reason == "conflict"
    assert words in found.message
    assert "Dockerfile:3" in str(found.got)
    assert "[tool.ptguard.expect]" in str(found.expected)
    assert found.location == Location("Dockerfile", 3, COMMIT)
