"""Every place that declares the image declares the same one, by a name that stays what it is."""

from collections.abc import Mapping, Sequence
from typing import Final

from ptguard.imagename import floating, same_image
from ptguard.model import (
    DeclaredImage,
    Evidence,
    Finding,
    ImageFacts,
    ImageReference,
    Policy,
    Problem,
    Status,
)

ID: Final = "image"
ORDER: Final = 70
REASONS: Final[Mapping[str, str]] = {
    "ok": "all sources declare one image, pinned as the policy asks",
    "not-applicable": "the tag names no commit, so no tree declares an image; `annotated` refuses it",
    "no-source": "the policy names no file that declares the image",
    "missing": "a file that the policy names is not in the tagged tree, or declares no image",
    "conflict": "two places declare different images, or name and expectation contradict each other",
    "unresolvable": "the tree alone does not decide which image it is",
    "not-pinned": "the image has no digest, and the policy asks for one",
    "invalid-reference": "the text is no image reference, or its tag no release tag of that repository",
    "floating-tag": "the tag is moved to newer images; only a warning where a digest pins the image",
    "could-not-decide": "the sources were not read",
}


def check(evidence: Evidence, policy: Policy) -> Sequence[Finding]:
    """Judge what the policy's sources declare: each by itself, and against the others."""
    if evidence.commit is None:
        return [Finding(ID, Status.SKIP, "not-applicable", "the tag names no commit")]
    if policy.image is None or not policy.image.sources:
        return [_no_source()]
    found = evidence.images
    if isinstance(found, Problem):
        return [_own(found)]
    if found is None:
        return [_undecided("the files that declare the image were not read")]
    declared = [image for image in found if isinstance(image, DeclaredImage)]
    findings = [_own(problem) for problem in found if isinstance(problem, Problem)]
    if not findings and len(found) != len(policy.image.sources):
        return [_undecided(f"{len(found)} of {len(policy.image.sources)} sources were read")]
    findings += _conflicts(declared)
    for image in declared:
        findings += _single(image, declared, require_digest=policy.image.require_digest)
    if any(finding.refuses for finding in findings):
        return findings
    return [*findings, _passed(declared)]


def _own(problem: Problem) -> Finding:
    """Give a problem of a parser; one that is not about images must not get out under its own name."""
    if problem.reason in REASONS:
        return Finding.of(ID, problem)
    return Finding(
        ID,
        Status.ERROR,
        "could-not-decide",
        problem.message,
        problem.got,
        problem.expected,
        problem.fix,
        problem.location,
    )


def _no_source() -> Finding:
    return Finding(
        ID,
        Status.FAIL,
        "no-source",
        "the policy does not say which file declares the image",
        "no sources under [image]",
        'sources = ["Dockerfile"] or another file of the repository',
        'write sources = ["Dockerfile"] under [image] in .ptguard/policy.toml on the trust branch',
    )


def _undecided(message: str) -> Finding:
    return Finding(ID, Status.ERROR, "could-not-decide", message, expected="every source of the policy read")


# ------------------------------------------------------------------------------------------------ one against others


def _conflicts(images: Sequence[DeclaredImage]) -> list[Finding]:
    """Give one finding for each source that differs from those before it that agree with the first, the authority."""
    agreed: list[DeclaredImage] = []
    found = []
    for image in images:
        other = next((o for o in agreed if not same_image(o.reference, image.reference)), None)
        if other is None:
            agreed.append(image)
        else:
            found.append(_conflict(other, image))
    return found


def _conflict(first: DeclaredImage, second: DeclaredImage) -> Finding:
    return Finding(
        ID,
        Status.FAIL,
        "conflict",
        f"{second.location.shown} and {first.location.shown} declare different images",
        f"{second.reference} ({second.location.shown})",
        f"{first.reference} ({first.location.shown})",
        f"write {first.reference} in {second.location.shown}, or the other way round",
        second.location,
    )


# ------------------------------------------------------------------------------------------------ one by itself


def _single(image: DeclaredImage, images: Sequence[DeclaredImage], *, require_digest: bool) -> list[Finding]:
    found = []
    if require_digest and image.reference.digest is None:
        found.append(_not_pinned(image, images))
    if image.reference.tag is None and image.reference.digest is None:
        found.append(_floating(image, "no tag, which docker takes for latest"))
    elif image.reference.tag is not None and floating(image.reference.tag):
        found.append(_floating(image, f"the tag {image.reference.tag}"))
    return found


def _not_pinned(image: DeclaredImage, images: Sequence[DeclaredImage]) -> Finding:
    reference, place = image.reference, image.location.shown
    return Finding(
        ID,
        Status.FAIL,
        "not-pinned",
        f"{reference} in {place} has no digest, so what is pulled can change",
        str(reference),
        f"{reference}@sha256:…",
        _pin(reference, place, images),
        image.location,
    )


def _pin(reference: ImageReference, place: str, images: Sequence[DeclaredImage]) -> str:
    """Say how to pin: with the digest that another source has, else with the one that the registry gives."""
    for other in images:
        if other.reference.digest and same_image(reference, other.reference):
            return f"write {other.reference} in {place}, as {other.location.shown} does"
    return "ptguard image pin   # asks the registry for the digest and writes it in; then commit"


def _floating(image: DeclaredImage, what: str) -> Finding:
    reference, place = image.reference, image.location.shown
    pinned = reference.digest is not None
    reads = "says nothing about what is in it" if pinned else "names another image tomorrow"
    return Finding(
        ID,
        Status.WARN if pinned else Status.FAIL,
        "floating-tag",
        f"{reference.repository} in {place} has {what}: it {reads}",
        str(reference),
        "a tag that names a release, such as 2.9.0-cuda12.8-cudnn9-devel",
        f"write the release's own tag in {place}",
        image.location,
    )


# ------------------------------------------------------------------------------------------------ the words of a pass


def _passed(images: Sequence[DeclaredImage]) -> Finding:
    """Show the most complete of the references, where it stands, and which sources agree."""
    shown_one = next((i for i in images if i.reference.digest), images[0])
    facts = _facts(shown_one.facts)
    rest = [i.location.shown for i in images if i is not shown_one]
    agree = f"; {', '.join(rest)} {'agrees' if len(rest) == 1 else 'agree'}" if rest else ""
    words = f"{shown_one.reference}{f' ({facts})' if facts else ''}, {shown_one.location.shown}{agree}"
    return Finding.passed(ID, words, shown_one.location)


_LABELS: Final[Mapping[str, str]] = {
    "torch": "torch",
    "jax": "jax",
    "tensorflow": "tensorflow",
    "release": "release",
    "commit": "commit",
    "cuda": "CUDA",
    "rocm": "ROCm",
    "cudnn": "cuDNN",
    "python": "Python",
}


def _facts(facts: ImageFacts) -> str:
    """Give the facts in words, such as ``torch 2.9.0, CUDA 12.8, cuDNN 9, devel``; empty when there are none."""
    said = [f"{label} {getattr(facts, name)}" for name, label in _LABELS.items() if getattr(facts, name) is not None]
    return ", ".join([*said, *(bare for bare in (facts.os, facts.flavour) if bare is not None)])
