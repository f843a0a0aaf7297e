"""What the name of a well-known image declares: a table from repositories to the grammar of their tags.

A row is data and one pattern whose named groups are the facts; a repository without a row declares nothing.
The tags were read off the registries' own lists (Docker Hub, ghcr.io, nvcr.io).
"""

import re
from collections.abc import Callable, Mapping

from ptguard.imagename import floating
from ptguard.model import ImageFacts, ImageReference, Problem
from ptguard.text import shown
from ptguard.value import value

_VERSION = r"\d{1,4}\.\d{1,4}(?:\.\d{1,4})?"
_MINOR = r"\d{1,3}\.\d{1,3}"


@value
class _Family:
    """``pattern``: the whole tag, its groups named as the facts; ``example``: real tags, for the refusal."""

    pattern: str
    example: str
    read: Callable[[Mapping[str, str | None]], ImageFacts]


def _facts(groups: Mapping[str, str | None]) -> ImageFacts:
    return ImageFacts(**groups)


def _os(groups: Mapping[str, str | None]) -> str | None:
    """Give the distribution where os-release names it as tags do (``ubi9`` is rhel 9.4 inside)."""
    named_alike = groups["distro"] in ("ubuntu", "debian")
    return f"{groups['distro']} {groups['distro_version']}" if named_alike else None


def _nightly(groups: Mapping[str, str | None]) -> ImageFacts:
    """The short form has no torch version but its commit; ``cu11.8.0`` is CUDA 11.8."""
    return ImageFacts(
        torch=groups["torch"],
        commit=groups["commit"],
        cuda=groups["cuda"] or groups["cu"],
        cudnn=groups["cudnn"],
        flavour=groups["flavour"],
    )


def _rocm(groups: Mapping[str, str | None]) -> ImageFacts:
    return ImageFacts(
        torch=groups["torch"],
        rocm=groups["rocm"],
        python=groups["python"],
        os=_os(groups),
    )


def _cuda(groups: Mapping[str, str | None]) -> ImageFacts:
    """``base`` is no flavour of its own here: it has neither what runtime nor what devel promises."""
    return ImageFacts(
        cuda=groups["cuda"],
        cudnn=groups["cudnn"],
        flavour=None if groups["flavour"] == "base" else groups["flavour"],
        os=_os(groups),
    )


_PYTORCH = _Family(
    rf"(?P<torch>{_VERSION}(?:rc\d+)?)-cuda(?P<cuda>{_MINOR})-cudnn(?P<cudnn>\d+)-(?P<flavour>devel|runtime)",
    "2.9.0-cuda12.8-cudnn9-devel",
    _facts,
)
_PYTORCH_NIGHTLY = _Family(
    rf"(?P<torch>{_VERSION}\.dev\d{{8}})-cuda(?P<cuda>{_MINOR})-cudnn(?P<cudnn>\d+)-(?P<flavour>devel|runtime)"
    rf"|(?P<commit>[0-9a-f]{{7,40}})-cu(?P<cu>{_MINOR})\.\d{{1,3}}",
    "2.9.0.dev20250720-cuda12.6-cudnn9-devel or b3874ab-cu11.8.0",
    _nightly,
)
_NGC = _Family(
    r"(?P<release>\d\d\.(?:0[1-9]|1[0-2]))(?:-[a-z]{1,20})?-py[23](?:-[a-z]{1,20})?",
    "25.09-py3",
    _facts,
)
_ROCM = _Family(
    rf"rocm(?P<rocm>{_MINOR})(?:\.\d{{1,3}})?_(?P<distro>[a-z]{{1,20}})(?P<distro_version>\d{{1,3}}(?:\.\d{{1,3}})?)"
    rf"_py(?P<python>\d\.\d{{1,2}})_pytorch_(?:release[_-])?(?P<torch>{_VERSION})",
    "rocm7.2_ubuntu22.04_py3.10_pytorch_release_2.7.1",
    _rocm,
)
_CUDA = _Family(
    rf"(?P<cuda>{_MINOR})(?:\.\d{{1,3}})?(?:-(?:cudnn(?P<cudnn>\d+)?|tensorrt))?-(?P<flavour>base|runtime|devel)"
    r"-(?P<distro>[a-z]{1,20})(?P<distro_version>\d{1,4}(?:\.\d{1,3})?)",
    "12.8.0-cudnn-runtime-ubuntu22.04",
    _cuda,
)
_TENSORFLOW = _Family(
    r"(?P<tensorflow>\d{1,3}\.\d{1,3}\.\d{1,3}(?:-?rc\d{1,3})?)(?:-(?:gpu|py[23]|jupyter|devel)){0,4}",
    "2.17.0-gpu",
    _facts,
)

FAMILIES: Mapping[str, _Family] = {
    "docker.io/pytorch/pytorch": _PYTORCH,
    "ghcr.io/pytorch/pytorch-nightly": _PYTORCH_NIGHTLY,
    "nvcr.io/nvidia/pytorch": _NGC,
    "nvcr.io/nvidia/jax": _NGC,
    "docker.io/rocm/pytorch": _ROCM,
    "docker.io/nvidia/cuda": _CUDA,
    "nvcr.io/nvidia/cuda": _CUDA,
    "docker.io/tensorflow/tensorflow": _TENSORFLOW,
}
"""The rows, by normalised repository; one more row is one more line here and one in the tests."""


def facts_of(ref: ImageReference) -> ImageFacts | Problem | None:
    """Give what the name of ``ref`` declares, None where it declares nothing (unknown repository, no fixed tag).

    A tag that is not of its repository's grammar is the problem ``invalid-reference``, naming a real tag.
    """
    family = FAMILIES.get(ref.repository)
    if family is None or ref.tag is None or floating(ref.tag):
        return None
    match = re.fullmatch(family.pattern, ref.tag, re.ASCII)
    if match is None:
        return Problem(
            "invalid-reference",
            f"{shown(ref.tag, 130)} is no release tag of {ref.repository}",
            got=ref.tag,
            expected=f"a tag like {family.example}",
            fix=f"name a tag that the registry lists, such as {ref.repository}:{family.example}",
        )
    return family.read(match.groupdict())
