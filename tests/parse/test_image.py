"""Image references: the grammar, what names declare, and agreement with docker-image-py."""

import string

import pytest
from docker_image import reference as oracle
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ptguard.model import ImageFacts, ImageReference, Problem
from ptguard.parse.image import facts_of, floating, parse_reference, same_image
from ptguard.parse.image.families import FAMILIES

HEX = "0123456789abcdef" * 4
SHA = f"sha256:{HEX}"

VALID = [
    ("ubuntu", "docker.io/library/ubuntu", None, None),
    ("ubuntu:22.04", "docker.io/library/ubuntu", "22.04", None),
    (f"ubuntu@{SHA}", "docker.io/library/ubuntu", None, SHA),
    (f"ubuntu:22.04@{SHA}", "docker.io/library/ubuntu", "22.04", SHA),
    ("pytorch/pytorch", "docker.io/pytorch/pytorch", None, None),
    ("docker.io/pytorch/pytorch:x", "docker.io/pytorch/pytorch", "x", None),
    ("index.docker.io/pytorch/pytorch:x", "docker.io/pytorch/pytorch", "x", None),
    ("index.docker.io/ubuntu", "docker.io/library/ubuntu", None, None),
    ("docker.io/ubuntu", "docker.io/library/ubuntu", None, None),
    ("docker.io/library/ubuntu", "docker.io/library/ubuntu", None, None),
    ("localhost/x", "localhost/x", None, None),
    ("localhost:5000/x:y", "localhost:5000/x", "y", None),
    ("box:5000/x", "box:5000/x", None, None),
    ("[::1]:5000/x:y", "[::1]:5000/x", "y", None),
    ("ghcr.io/pytorch/pytorch-nightly:b3874ab-cu11.8.0", "ghcr.io/pytorch/pytorch-nightly", "b3874ab-cu11.8.0", None),
    ("nvcr.io/nvidia/pytorch:25.09-py3", "nvcr.io/nvidia/pytorch", "25.09-py3", None),
    ("a/b/c/d/e:1", "docker.io/a/b/c/d/e", "1", None),
    ("a__b/c--d.e_f", "docker.io/a__b/c--d.e_f", None, None),
    ("Upper/x", "Upper/x", None, None),  # a host, as Docker reads it
    ("x:_A.b-C", "docker.io/library/x", "_A.b-C", None),
    ("x:" + "t" * 128, "docker.io/library/x", "t" * 128, None),
    ("a.b/" + "x" * 255, "a.b/" + "x" * 255, None, None),
    (f"x@sha512:{HEX}{HEX}", "docker.io/library/x", None, f"sha512:{HEX}{HEX}"),
    ("docker:24", "docker.io/library/docker", "24", None),  # Docker's own image
    ("docker:5000/x", "docker:5000/x", None, None),  # a host called docker
    ("docker:pytorch/pytorch:2.1", "docker.io/pytorch/pytorch", "2.1", None),
    ("docker:ubuntu:22.04", "docker.io/library/ubuntu", "22.04", None),
    ("docker://ubuntu", "docker.io/library/ubuntu", None, None),
    ("docker://nvcr.io/nvidia/pytorch:25.09-py3", "nvcr.io/nvidia/pytorch", "25.09-py3", None),
    ("nvcr.io#nvidia/pytorch:25.09-py3", "nvcr.io/nvidia/pytorch", "25.09-py3", None),
    ("docker://nvcr.io#nvidia/pytorch:25.09-py3", "nvcr.io/nvidia/pytorch", "25.09-py3", None),
    ("docker:nvcr.io#nvidia/pytorch", "nvcr.io/nvidia/pytorch", None, None),
    ("localhost:5000#team/x", "localhost:5000/team/x", None, None),
]

INVALID = [
    "",
    " ",
    "ubuntu ",
    " ubuntu",
    "ubuntu\n",
    "ubuntu:22.04\n",
    "ubuntu:",
    "ubuntu@",
    "ubuntu:22.04@",
    ":22.04",
    "/ubuntu",
    "ubuntu/",
    "a//b",
    "Ubuntu",
    "pytorch/PyTorch",
    "a_-b",
    "a___b",
    "-a",
    "a-",
    "a.b_c/x",
    "-a.b/x",
    "x:-tag",
    "x:.tag",
    "x:" + "t" * 129,
    "a.b/" + "x" * 256,
    "x" * 5000,
    "x:ä",
    "ü/x",
    "x:\uff11",
    HEX,
    f"x@{SHA[:-1]}",
    f"x@{SHA}0",
    f"x@{SHA.upper()}",
    f"x@sha256:{HEX.upper()}",
    f"x@md5:{HEX[:32]}",
    f"x@{SHA}@{SHA}",
    f"@{SHA}",
    "https://docker.io/x",
    "oras://x",
    "docker://",
    "docker://docker://x",
    "docker:",
    "a#b/c",
    "nvcr.io#",
    "nvcr.io##x",
    "${IMAGE}",
    "{{ image }}",
    "x\0",
    "x\x1b[31m",
    "x:\u202etag",
    "../../etc/passwd",
    "--privileged",
    "[::1]/x]",
    "a:b:c",
]


@pytest.mark.parametrize(("text", "repository", "tag", "digest"), VALID)
def test_a_reference_is_read_and_normalised(text: str, repository: str, tag: str | None, digest: str | None) -> None:
    read = parse_reference(text)
    assert read == ImageReference(repository, tag, digest)
    assert parse_reference(str(read)) == read


@pytest.mark.parametrize("text", INVALID)
def test_what_docker_would_not_pull_is_refused(text: str) -> None:
    read = parse_reference(text)
    assert isinstance(read, Problem)
    assert read.reason == "invalid-reference"
    assert read.got
    assert read.expected
    assert read.fix
    assert len(read.message) < 250
    assert read.message.isprintable()


def test_the_refusal_names_the_mistake() -> None:
    upper, spaced, hexes = (parse_reference(t) for t in ("pytorch/PyTorch:1", "a b", HEX))
    assert isinstance(upper, Problem)
    assert upper.expected == "a lower-case repository name, such as pytorch/pytorch"
    assert isinstance(spaced, Problem)
    assert "white space" in str(spaced.expected)
    assert isinstance(hexes, Problem)
    assert "image id" in str(hexes.expected)


# ------------------------------------------------------------------------------------------------ agreement


def by_docker_image_py(text: str) -> ImageReference | None:
    try:
        read = oracle.Reference.parse_normalized_named(text)
    except (oracle.InvalidReference, oracle.digest_.InvalidDigest):
        return None
    return ImageReference(f"{read.domain()}/{read.path()}", read["tag"], read["digest"])


def assert_agree(text: str) -> None:
    """Ours is the same, but for a final line break, which the other takes for nothing, and our prefixes."""
    ours, theirs = parse_reference(text), by_docker_image_py(text)
    if text.endswith("\n") or "#" in text or (text.startswith("docker:") and theirs is None):
        assert theirs is None or isinstance(ours, Problem)
        return
    assert (ours if isinstance(ours, ImageReference) else None) == theirs, text


@pytest.mark.parametrize("text", [row[0] for row in VALID] + INVALID)
def test_the_tables_agree_with_docker_image_py(text: str) -> None:
    assert_agree(text)


SEPARATED = st.lists(st.sampled_from(["a", "b1", "X", ".", "_", "__", "___", "-", "--", "ä"]), max_size=5).map("".join)
HOSTS = st.one_of(
    st.sampled_from(["docker.io", "index.docker.io", "localhost", "localhost:5000", "nvcr.io", "[::1]:5", "a.b:x"]),
    st.builds("{}.{}".format, SEPARATED, SEPARATED),
    SEPARATED,
)
TAGS = st.one_of(st.just(""), st.text("aZ09._-:/ ", max_size=5).map(lambda t: f":{t}"))
DIGESTS = st.sampled_from(["", "", f"@{SHA}", f"@sha256:{HEX[1:]}", f"@sha1:{HEX[:40]}", f"@sha384:{HEX}{HEX[:32]}"])
REFERENCES = st.builds(
    lambda host, parts, tag, digest: "/".join([*host, *parts]) + tag + digest,
    st.lists(HOSTS, max_size=1),
    st.lists(SEPARATED, max_size=4),
    TAGS,
    DIGESTS,
)


@settings(max_examples=400, deadline=None)
@given(REFERENCES)
def test_made_up_references_agree_with_docker_image_py(text: str) -> None:
    assert_agree(text)


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from(string.ascii_letters + string.digits + "./:@_-[]#"), max_size=30))
@example("a" * 64)
def test_any_text_agrees_with_docker_image_py(text: str) -> None:
    assert_agree(text)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80))
def test_no_text_breaks_the_parser(text: str) -> None:
    read = parse_reference(text)
    assert isinstance(read, Problem) or parse_reference(str(read)) == read


# ------------------------------------------------------------------------------------------------ families

TORCH = ImageFacts(torch="2.9.0", cuda="12.8", cudnn="9", flavour="devel")
DECLARING = [
    ("pytorch/pytorch:2.9.0-cuda12.8-cudnn9-devel", TORCH),
    (f"pytorch/pytorch:2.9.0-cuda12.8-cudnn9-devel@{SHA}", TORCH),
    (
        "pytorch/pytorch:2.1.0-cuda12.1-cudnn8-runtime",
        ImageFacts(torch="2.1.0", cuda="12.1", cudnn="8", flavour="runtime"),
    ),
    ("pytorch/pytorch:1.0-cuda10.0-cudnn7-devel", ImageFacts(torch="1.0", cuda="10.0", cudnn="7", flavour="devel")),
    (
        "ghcr.io/pytorch/pytorch-nightly:2.9.0.dev20250720-cuda12.6-cudnn9-devel",
        ImageFacts(torch="2.9.0.dev20250720", cuda="12.6", cudnn="9", flavour="devel"),
    ),
    ("ghcr.io/pytorch/pytorch-nightly:b3874ab-cu11.8.0", ImageFacts(commit="b3874ab", cuda="11.8")),
    ("nvcr.io/nvidia/pytorch:25.09-py3", ImageFacts(release="25.09")),
    ("nvcr.io/nvidia/pytorch:25.09-py3-igpu", ImageFacts(release="25.09")),
    ("nvcr.io#nvidia/pytorch:25.09-py3", ImageFacts(release="25.09")),
    ("nvcr.io/nvidia/jax:25.04-py3", ImageFacts(release="25.04")),
    ("nvcr.io/nvidia/jax:25.01-maxtext-py3", ImageFacts(release="25.01")),
    (
        "rocm/pytorch:rocm7.2_ubuntu22.04_py3.10_pytorch_release_2.7.1",
        ImageFacts(rocm="7.2", os="ubuntu 22.04", python="3.10", torch="2.7.1"),
    ),
    (
        "rocm/pytorch:rocm6.4.1_ubuntu24.04_py3.12_pytorch_release_2.6.0",
        ImageFacts(rocm="6.4", os="ubuntu 24.04", python="3.12", torch="2.6.0"),
    ),
    (
        "rocm/pytorch:rocm5.7_ubuntu20.04_py3.9_pytorch_2.0.1",
        ImageFacts(rocm="5.7", os="ubuntu 20.04", python="3.9", torch="2.0.1"),
    ),
    ("nvidia/cuda:12.8.0-cudnn-runtime-ubuntu22.04", ImageFacts(cuda="12.8", flavour="runtime", os="ubuntu 22.04")),
    (
        "nvidia/cuda:11.8.0-cudnn8-devel-ubuntu22.04",
        ImageFacts(cuda="11.8", cudnn="8", flavour="devel", os="ubuntu 22.04"),
    ),
    ("nvidia/cuda:12.8.0-base-ubuntu24.04", ImageFacts(cuda="12.8", os="ubuntu 24.04")),
    ("nvidia/cuda:12.6.3-devel-rockylinux9", ImageFacts(cuda="12.6", flavour="devel")),
    ("nvcr.io/nvidia/cuda:12.8.1-cudnn-runtime-ubi9", ImageFacts(cuda="12.8", flavour="runtime")),
    ("tensorflow/tensorflow:2.17.0-gpu", ImageFacts(tensorflow="2.17.0")),
    ("tensorflow/tensorflow:2.17.0rc1-gpu-jupyter", ImageFacts(tensorflow="2.17.0rc1")),
    ("tensorflow/tensorflow:2.17.0", ImageFacts(tensorflow="2.17.0")),
]


@pytest.mark.parametrize(("text", "facts"), DECLARING)
def test_a_known_name_declares_its_facts(text: str, facts: ImageFacts) -> None:
    ref = parse_reference(text)
    assert isinstance(ref, ImageReference)
    assert facts_of(ref) == facts


def test_every_family_is_tried() -> None:
    tried = {ref.repository for text, _ in DECLARING if isinstance(ref := parse_reference(text), ImageReference)}
    assert tried == set(FAMILIES)


@pytest.mark.parametrize(
    "text",
    [
        "pytorch/pytorch:2.9.0-cuda11-8-devel",
        "pytorch/pytorch:2.9.0-cuda12.8-cudnn9",
        "pytorch/pytorch:2.9.0-cuda12.8-cudnn9-develx",
        "pytorch/pytorch:2.9.0",
        f"pytorch/pytorch:2.9.0-cuda11-8-devel@{SHA}",
        "ghcr.io/pytorch/pytorch-nightly:2.9.0-cuda12.6-cudnn9-devel",
        "ghcr.io/pytorch/pytorch-nightly:b3874a-cu11.8.0",
        "nvcr.io/nvidia/pytorch:25.13-py3",
        "nvcr.io/nvidia/pytorch:2.9.0",
        "rocm/pytorch:rocm7.2_ubuntu22.04_py3.10_pytorch_staging",
        "nvidia/cuda:12.8-devel",
        "nvidia/cuda:12.8.0-cudnn-ubuntu22.04",
        "tensorflow/tensorflow:2.17-gpu",
        "tensorflow/tensorflow:2.17.0-tpu",
    ],
)
def test_a_tag_that_its_repository_does_not_have_is_refused(text: str) -> None:
    ref = parse_reference(text)
    assert isinstance(ref, ImageReference)
    problem = facts_of(ref)
    assert isinstance(problem, Problem)
    assert problem.reason == "invalid-reference"
    assert problem.got == ref.tag


def test_the_invented_tag_is_answered_with_the_real_form() -> None:
    problem = facts_of(ImageReference("docker.io/pytorch/pytorch", "2.9.0-cuda11-8-devel", None))
    assert isinstance(problem, Problem)
    assert problem.expected == "a tag like 2.9.0-cuda12.8-cudnn9-devel"


@pytest.mark.parametrize(
    "text",
    ["ubuntu:22.04", "team/pytorch:2.9.0", "pytorch/pytorch", f"pytorch/pytorch@{SHA}", "pytorch/pytorch:latest"],
)
def test_other_names_declare_nothing(text: str) -> None:
    ref = parse_reference(text)
    assert isinstance(ref, ImageReference)
    assert facts_of(ref) is None


@pytest.mark.parametrize(
    "tag",
    ["latest", "Latest", "main", "master", "nightly", "latest-gpu", "nightly-gpu", "2.9.0-latest", "main-cuda12",
     "nightly-devel-cuda10.0-cudnn7", "latest-release", "dev", "stable", "edge"],
)  # fmt: skip
def test_a_tag_that_is_moved_is_floating(tag: str) -> None:
    assert floating(tag)


@pytest.mark.parametrize(
    "tag",
    ["2.9.0-cuda12.8-cudnn9-devel", "25.09-py3", "2.9.0.dev20250720-cuda12.6-cudnn9-devel", "nightly-20250720",
     "nightly-2025-07-20", "main-3f2a1bc", "v1", "mainline-1.2", "2.17.0-gpu", "latestage-1"],
)  # fmt: skip
def test_a_tag_of_one_release_is_not_floating(tag: str) -> None:
    assert not floating(tag)


# ------------------------------------------------------------------------------------------------ sameness

OTHER = f"sha256:{HEX[::-1]}"


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("x:1", "docker.io/library/x:1", True),
        (f"x:1@{SHA}", f"x@{SHA}", True),
        (f"x@{SHA}", f"x@{SHA}", True),
        (f"x:1@{SHA}", "x:1", True),
        ("x", "x", True),
        ("x:1", "x:2", False),
        (f"x:1@{SHA}", f"x:1@{OTHER}", False),
        (f"x:1@{SHA}", f"x:2@{SHA}", False),
        (f"x@{SHA}", f"x@{OTHER}", False),
        (f"x@{SHA}", "x:1", False),
        (f"x@{SHA}", "x", False),
        ("x:1", "x", False),
        (f"x@{SHA}", f"y@{SHA}", False),
    ],
)
def test_sameness(first: str, second: str, same: bool) -> None:
    a, b = parse_reference(first), parse_reference(second)
    assert isinstance(a, ImageReference)
    assert isinstance(b, ImageReference)
    assert same_image(a, b) is same
    assert same_image(b, a) is same
