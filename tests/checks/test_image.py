"""The check image: what passes and with which words, and every reason to refuse."""

import re
import shlex

import pytest

from ptguard.checks.image import REASONS, check
from ptguard.model import (
    DeclaredImage,
    Finding,
    ImageFacts,
    ImagePolicy,
    ImageReference,
    Location,
    Problem,
    RefUpdate,
    Status,
)
from ptguard.parse.declared import declared_image, missing_source
from ptguard.resources import resource
from ptguard.value import replace
from tests.build import COMMIT, evidence, policy

SHA = "sha256:" + "0123456789abcdef" * 4
OTHER = "sha256:" + "f" * 64
TAG = "2.9.0-cuda12.8-cudnn9-devel"
NAME = f"docker.io/pytorch/pytorch:{TAG}"
FACTS = ImageFacts(torch="2.9.0", cuda="12.8", cudnn="9", flavour="devel")

Part = DeclaredImage | Problem


def image(
    tag: str | None = TAG, digest: str | None = SHA, path: str = "Dockerfile", line: int | None = 3
) -> DeclaredImage:
    ref = ImageReference("docker.io/pytorch/pytorch", tag, digest)
    return DeclaredImage(ref, FACTS, Location(path, line, COMMIT))


def judge(*images: Part, pinned: bool = True, sources: int | None = None) -> list[Finding]:
    paths = tuple(f"source-{n}" for n in range(len(images) if sources is None else sources))
    found = check(evidence(images=images), policy(image=ImagePolicy(paths, pinned)))
    assert found
    assert {f.check for f in found} == {"image"}
    assert {f.reason for f in found} <= set(REASONS)
    for finding in found:
        assert "\n" not in finding.message + str(finding.fix)
        assert not finding.refuses or finding.reason == "could-not-decide" or (finding.fix and finding.expected)
    return list(found)


def reasons(*images: Part, pinned: bool = True) -> list[str]:
    return [f.reason for f in judge(*images, pinned=pinned)]


# ------------------------------------------------------------------------------------------------ accepted


def test_one_pinned_image_passes_and_says_what_it_declares() -> None:
    (finding,) = judge(image())
    assert finding.status is Status.PASS
    assert finding.message == f"{NAME}@{SHA} (torch 2.9.0, CUDA 12.8, cuDNN 9, devel), Dockerfile:3"
    assert finding.location == Location("Dockerfile", 3, COMMIT)


def test_sources_that_agree_pass() -> None:
    (finding,) = judge(image(), image(path="pyproject.toml", line=12), image(path="gpu.Dockerfile", line=1))
    assert finding.status is Status.PASS
    assert finding.message.endswith("Dockerfile:3; pyproject.toml:12, gpu.Dockerfile:1 agree")


def test_the_same_digest_with_and_without_a_tag_is_the_same_image() -> None:
    (finding,) = judge(image(), image(tag=None, path="pyproject.toml", line=None))
    assert finding.status is Status.PASS
    assert finding.message.endswith("Dockerfile:3; pyproject.toml agrees")


def test_an_unpinned_image_passes_where_the_policy_does_not_ask() -> None:
    (finding,) = judge(image(digest=None), pinned=False)
    assert finding.message == f"{NAME} (torch 2.9.0, CUDA 12.8, cuDNN 9, devel), Dockerfile:3"
    (finding,) = judge(image(digest=None), image(path="pyproject.toml", line=2), pinned=False)
    assert finding.status is Status.PASS
    assert finding.message.startswith(f"{NAME}@{SHA} ")


def test_a_name_that_declares_nothing_passes_on_its_digest() -> None:
    nameless = replace(image(), reference=ImageReference("reg.example/team/x", "1", SHA), facts=ImageFacts())
    (finding,) = judge(nameless)
    assert finding.message == f"reg.example/team/x:1@{SHA}, Dockerfile:3"


def test_all_facts_are_shown() -> None:
    facts = ImageFacts("2.7.1", None, None, None, "7.2", None, "3.10", None, None, None, "ubuntu 22.04")
    (finding,) = judge(replace(image(), facts=facts))
    assert "(torch 2.7.1, ROCm 7.2, Python 3.10, ubuntu 22.04)" in finding.message


def test_a_real_dockerfile_passes() -> None:
    data = f"ARG TAG={TAG}\nFROM pytorch/pytorch:${{TAG}}@{SHA} AS base\nFROM base\n".encode()
    (finding,) = judge(declared_image("Dockerfile", data, COMMIT, None))
    assert (finding.status, finding.reason) == (Status.PASS, "ok")
    assert finding.message == f"{NAME}@{SHA} (torch 2.9.0, CUDA 12.8, cuDNN 9, devel), Dockerfile:2"


# ------------------------------------------------------------------------------------------------ refused


def test_an_image_without_a_digest_is_refused_with_the_command_that_gives_it() -> None:
    (finding,) = judge(image(digest=None))
    assert (finding.status, finding.reason) == (Status.FAIL, "not-pinned")
    assert finding.got == NAME
    assert finding.expected == f"{NAME}@sha256:…"
    command, remark = str(finding.fix).split("   # ")
    assert shlex.split(command) == ["ptguard", "image", "pin"]
    assert remark == "asks the registry for the digest and writes it in; then commit"


def test_the_digest_of_another_source_is_offered() -> None:
    (finding,) = judge(image(), image(digest=None, path="pyproject.toml", line=12))
    assert finding.reason == "not-pinned"
    assert finding.fix == f"write {NAME}@{SHA} in pyproject.toml:12, as Dockerfile:3 does"


@pytest.mark.parametrize(
    "second",
    [image(digest=OTHER, path="b"), image(tag="2.8.0-cuda12.8-cudnn9-devel", path="b"),
     replace(image(path="b"), reference=ImageReference("docker.io/team/pytorch", TAG, SHA))],
)  # fmt: skip
def test_sources_that_differ_are_a_conflict_with_both_places(second: DeclaredImage) -> None:
    (finding,) = judge(image(), second)
    assert (finding.status, finding.reason) == (Status.FAIL, "conflict")
    assert finding.message == "b:3 and Dockerfile:3 declare different images"
    assert finding.got == f"{second.reference} (b:3)"
    assert finding.expected == f"{NAME}@{SHA} (Dockerfile:3)"
    assert finding.location == second.location


def test_each_source_that_differs_is_named_once_and_none_that_agrees() -> None:
    found = judge(image(), image(digest=OTHER, path="b"), image(path="c"), image(digest=OTHER, path="d"))
    assert [f.reason for f in found] == ["conflict", "conflict"]
    assert [f.location.path for f in found if f.location] == ["b", "d"]


def test_two_digests_behind_an_unpinned_authority_are_a_conflict() -> None:
    assert reasons(image(digest=None), image(path="b"), image(digest=OTHER, path="c"), pinned=False) == ["conflict"]


def test_a_digest_without_a_tag_is_not_taken_for_a_tag_without_a_digest() -> None:
    assert reasons(image(digest=None), image(tag=None, path="b"), pinned=False) == ["conflict"]


@pytest.mark.parametrize("tag", ["latest", "main", "nightly"])
def test_a_floating_tag_is_refused(tag: str) -> None:
    (finding,) = judge(image(tag=tag, digest=None), pinned=False)
    assert (finding.status, finding.reason) == (Status.FAIL, "floating-tag")
    assert finding.got == f"docker.io/pytorch/pytorch:{tag}"


def test_no_tag_at_all_is_latest() -> None:
    (finding,) = judge(image(tag=None, digest=None), pinned=False)
    assert finding.reason == "floating-tag"
    assert "docker takes for latest" in finding.message


def test_a_floating_tag_with_a_digest_is_a_warning_beside_the_pass() -> None:
    warning, passed = judge(image(tag="latest"))
    assert (warning.status, warning.reason) == (Status.WARN, "floating-tag")
    assert (passed.status, passed.reason) == (Status.PASS, "ok")


def test_all_that_is_wrong_is_said_at_once() -> None:
    gone = missing_source("gpu.Dockerfile", COMMIT)
    found = reasons(image(), gone, image(tag="latest", digest=None, path="b"))
    assert found == ["missing", "conflict", "not-pinned", "floating-tag"]


@pytest.mark.parametrize(
    ("path", "data", "reason"),
    [
        ("pyproject.toml", b"[project]\nname = 'x'\n", "missing"),
        ("Dockerfile", b"ARG V\nFROM a:$V\n", "unresolvable"),
        (".gitlab-ci.yml", b"image: $IMAGE\n", "unresolvable"),
        ("Dockerfile", b"FROM pytorch/pytorch:2.9.0-cuda11-8-devel\n", "invalid-reference"),
        ("pyproject.toml", b"[tool.ptguard]\nimage = 'A'\n", "invalid-reference"),
    ],
)
def test_what_a_file_does_not_declare_is_refused(path: str, data: bytes, reason: str) -> None:
    (finding,) = judge(declared_image(path, data, COMMIT, None))
    assert (finding.status, finding.reason) == (Status.FAIL, reason)
    assert finding.location is not None
    assert (finding.location.path, finding.location.commit) == (path, COMMIT)


def test_one_bad_source_refuses_beside_a_good_one() -> None:
    assert reasons(image(), missing_source("b", COMMIT)) == ["missing"]


def test_name_and_expectation_that_differ_refuse() -> None:
    data = f"FROM pytorch/pytorch:{TAG}@{SHA}\n".encode()
    (finding,) = judge(declared_image("Dockerfile", data, COMMIT, ImageFacts(torch="2.8.0")))
    assert (finding.status, finding.reason) == (Status.FAIL, "conflict")


# ------------------------------------------------------------------------------------------------ nothing to judge


@pytest.mark.parametrize("section", [None, ImagePolicy((), require_digest=True)])
def test_a_policy_without_sources_refuses(section: ImagePolicy | None) -> None:
    (finding,) = check(evidence(images=(image(),)), policy(image=section))
    assert (finding.status, finding.reason) == (Status.FAIL, "no-source")
    assert finding.fix


SOURCES = policy(image=ImagePolicy(("Dockerfile",), require_digest=True))


def test_evidence_that_was_not_collected_never_passes() -> None:
    (finding,) = check(evidence(images=None), SOURCES)
    assert (finding.status, finding.reason) == (Status.ERROR, "could-not-decide")


@pytest.mark.parametrize("images", [(), (image(),) * 2])
def test_another_number_of_images_than_sources_never_passes(images: tuple[DeclaredImage, ...]) -> None:
    (finding,) = check(evidence(images=images), SOURCES)
    assert (finding.status, finding.reason) == (Status.ERROR, "could-not-decide")


def test_a_problem_of_the_collector_is_shown() -> None:
    for reason, shown in (("missing", "missing"), ("lfs-pointer", "could-not-decide")):
        (finding,) = check(evidence(images=Problem(reason, "why", fix="mend")), SOURCES)
        assert (finding.refuses, finding.reason, finding.message) == (True, shown, "why")
        (finding,) = check(evidence(images=(Problem(reason, "why", fix="mend"),)), SOURCES)
        assert (finding.refuses, finding.reason, finding.message) == (True, shown, "why")


def test_without_a_commit_there_is_nothing_to_judge() -> None:
    for update in (RefUpdate("(delete)", None, "refs/tags/v1", "a" * 40), evidence().update):
        (finding,) = check(evidence(update=update, commit=None), SOURCES)
        assert (finding.status, finding.reason) == (Status.SKIP, "not-applicable")


def test_a_hostile_path_stays_on_one_line() -> None:
    (finding,) = judge(image(digest=None, path="Docker\nfile\x1b[31m"))
    assert finding.message.isprintable()
    assert str(finding.fix).isprintable()


# ------------------------------------------------------------------------------------------------ the page


def test_the_page_lists_the_reasons_with_their_meaning() -> None:
    page = resource("docs/checks/image.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| [a-z, ]+ \| (.+?) \|", page, re.MULTILINE)
    assert rows == list(REASONS.items())


def test_the_refusal_on_the_page_is_a_real_one() -> None:
    page = resource("docs/checks/image.md").read_text(encoding="utf-8")
    (finding,) = judge(image(digest=None))
    for words in (finding.reason, finding.message, finding.got, finding.expected, finding.fix):
        assert str(words) in page
