"""Every place in YAML and JSON that declares an image: what stands there, on which line, and what is never guessed."""

import re
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptguard.model import DeclaredImage, Problem
from ptguard.parse.declared import declared_image, images_in, split_source
from ptguard.parse.image import parse_reference
from ptguard.parse.pinning import pinned
from ptguard.parse.yamldoc import MAX_BYTES, YamlError, documents
from ptguard.value import replace

REF = "pytorch/pytorch:2.9.0-cuda12.8-cudnn9-devel"
WHOLE = f"docker.io/{REF}"
DIGEST = "sha256:" + "a" * 64
OTHER = "nvcr.io/nvidia/pytorch:25.09-py3"
WORKFLOW = ".github/workflows/release.yml"

# source, text with {} for the image, the line
DECLARING = [
    (WORKFLOW, "on: push\njobs:\n  build:\n    container: {}\n", 4),
    (WORKFLOW, "on: push\njobs:\n  build:\n    container:\n      image: '{}'\n      options: --gpus all\n", 5),
    (WORKFLOW, 'jobs:\n  a: {{container: "{}", steps: []}}\n  b: {{runs-on: x}}\n', 2),
    (f"{WORKFLOW}:build", "jobs:\n  build:\n    container: {}\n  docs:\n    container: python:3.11\n", 3),
    (WORKFLOW, "jobs:\n  a:\n    container: {}\n    services:\n      db:\n        image: postgres:16\n", 3),
    (".gitlab-ci.yml", "image: {}\ntest:\n  script: [x]\n", 1),
    (".gitlab-ci.yml", "default:\n  image:\n    name: {}\n    entrypoint: ['']\n", 3),
    (".gitlab-ci.yml:test", "image: python:3.11\ntest:\n  image: {}\n", 3),
    (".gitlab-ci.yml", ".base:\n  image: other:1\ntest:\n  image: {}\n  extends: .base\n", 4),
    (".gitlab-ci.yml:t", ".a: {{image: other:1}}\n.b:\n  image: {}\nt: {{extends: [.a, .b]}}\nu: {{extends: x}}\n", 3),
    (".gitlab-ci.yml:t", "image: {}\nt: {{script: x}}\n", 1),
    (".gitlab-ci.yml:t", "image: {}\nt: {{script: x, inherit: {{default: [image, tags]}}}}\n", 1),
    (".gitlab-ci.yml:train:gpu", "train:gpu:\n  image: {}\ntest:\n  image: python:3.11\n", 2),
    (".gitlab-ci.yml:train/gpu", "train/gpu:\n  image: {}\ntest:\n  image: python:3.11\n", 2),
    (".gitlab-ci.yml", "image: {}\nt:\n  script: !reference [.x, script]\n", 1),
    ("compose.yaml", "services:\n  trainer:\n    image: {}\n", 3),
    ("compose.yml:t", "include: [infra.yml]\nservices:\n  t:\n    image: {}\n", 4),
    ("docker-compose.gpu.yml:trainer", "services:\n  trainer:\n    image: {}\n  db:\n    image: postgres:16\n", 3),
    ("deploy/train.yaml", "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: t\n    image: {}\n", 6),
    (
        "k.yml:t",
        (
            "apiVersion: batch/v1\nkind: CronJob\nspec:\n  jobTemplate: {{spec: {{template: {{spec: {{\n"
            '    initContainers: [{{name: i, image: busybox:1}}],\n    containers: [{{name: t, image: "{}"}}]}}}}}}}}\n'
        ),
        6,
    ),
    (
        "k.yml",
        "---\napiVersion: v1\nkind: Service\n---\napiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: {}\n",
        9,
    ),
    ("task.yaml", "name: train\nresources:\n  image_id: docker:{}\nrun: python train.py\n", 3),
    ("task.yaml", "name: pipeline\n---\nresources: {{any_of: [{{cloud: aws}}], image_id: 'docker:{}'}}\nrun: x\n", 3),
    ("task.yaml", "resources:\n  image_id: docker:{}\nsetup: pip install .\n", 2),
    (
        ".devcontainer/devcontainer.json",
        '// c\n{{\n  /* "image": "no" */\n  "name": "a // b",\n  "image": "{}",\n}}\n',
        5,
    ),
    (".devcontainer.json", '{{"image": "{}"}}', 1),
    ("compose.yml", "\ufeffservices:\r\n  t:\r\n    image: {} # why\r\n", 3),
    ("compose.yml", "x: &i {}\nservices:\n  t:\n    image: *i\n", 1),
    ("compose.yml", "services:\n  a:\n    image: {}\n  b:\n    image: {}\n", 3),
    ("Dockerfile:train", "FROM {} AS train\nFROM python:3.11\n", 1),
    ("pyproject.toml", '[tool.ptguard]\nimage = "{}"\n', 2),
]


def read(source: str, text: str) -> DeclaredImage | Problem:
    return declared_image(source, text.encode(), None, None)


@pytest.mark.parametrize(("source", "text", "line"), DECLARING)
def test_a_declared_image_with_its_line(source: str, text: str, line: int) -> None:
    found = read(source, text.format(REF, REF) if text.count("{}") > 1 else text.format(REF))
    assert isinstance(found, DeclaredImage), found
    assert (str(found.reference), found.location.line) == (WHOLE, line)
    assert found.location.path == split_source(source)[0]
    assert found.facts.torch == "2.9.0"


@pytest.mark.parametrize(("source", "text", "line"), DECLARING)
@pytest.mark.parametrize("held", ["", "@sha256:" + "0" * 64])
def test_it_is_pinned_and_all_else_stays_byte_for_byte(source: str, text: str, line: int, held: str) -> None:
    del line
    reference = parse_reference(f"{REF}@{DIGEST}")
    assert not isinstance(reference, Problem)
    before, after = (text.format(*[REF + end] * 2).encode() for end in (held, f"@{DIGEST}"))
    assert pinned(source, before, reference) == after
    assert pinned(source, after, reference) == after


# source, text, reason, words
REFUSED = [
    (WORKFLOW, "jobs: {a: {container: '${{ matrix.image }}'}}", "unresolvable", "filled in from outside"),
    (WORKFLOW, "jobs: {a: {runs-on: x}}", "missing", "declares no image"),
    (f"{WORKFLOW}:b", "jobs: {a: {container: python}}", "missing", "b of"),
    (WORKFLOW, f"jobs:\n  a:\n    container: {REF}\n  b:\n    container: {OTHER}\n", "conflict", "yml:5 and"),
    (WORKFLOW, "jobs: {a: {container: [x]}}", "unresolvable", "no plain text"),
    (".gitlab-ci.yml", f"include: x.yml\nimage: {REF}", "unresolvable", "include brings in"),
    (".gitlab-ci.yml", "image: $CI_REGISTRY_IMAGE:1", "unresolvable", "filled in from outside"),
    (".gitlab-ci.yml", "test: {extends: .base, script: x}", "unresolvable", "extends what is not in this file"),
    (".gitlab-ci.yml", f"image: {REF}\ntest: {{extends: [.base]}}", "unresolvable", "extends what is not in this file"),
    (".gitlab-ci.yml", ".a: {extends: .b}\n.b: {extends: .a}\ntest: {extends: .a}", "unresolvable", "extends what"),
    (".gitlab-ci.yml", f"image: {REF}\n.b: {{image: {OTHER}}}\nt: {{extends: .b}}\n", "conflict", "yml:2 and"),
    (".gitlab-ci.yml", "test: {image: !reference [.x, image]}", "unresolvable", "no plain text"),
    (".gitlab-ci.yml", f"default: !reference [.x]\nimage: {REF}\n", "unresolvable", "a tag of its own"),
    (".gitlab-ci.yml:t", f"image: {REF}\nt: !reference [.x]\n", "unresolvable", "a tag of its own"),
    (".gitlab-ci.yml:t", f"image: {REF}\nt: {{inherit: {{default: false}}}}\n", "missing", "t of"),
    (".gitlab-ci.yml:t", f"image: {REF}\nt: {{inherit: {{default: [tags]}}}}\n", "missing", "t of"),
    (".gitlab-ci.yml:t", f"image: {REF}\n.b: {{inherit: {{default: no}}}}\nt: {{extends: .b}}\n", "missing", "t of"),
    (".gitlab-ci.yml:t", f"image: {REF}\nt: {{trigger: other/project}}\n", "missing", "t of"),
    (
        "compose.yml",
        f"services: {{t: !reset {{image: {REF}}}, u: {{image: {REF}}}}}",
        "unresolvable",
        "a tag of its own",
    ),
    ("compose.yml", f"services: {{t: {{image: !reset null}}, u: {{image: {REF}}}}}", "unresolvable", "no plain text"),
    ("compose.yml", "services: {t: {image: !!binary cgyy}}", "unresolvable", "no plain text"),
    ("compose.yml", f"services: {{t: {{image: 'null'}}, u: {{image: {REF}}}}}", "conflict", "different images"),
    ("compose.yml", 'services: {t: {image: "\\UFFFFFFFF"}}', "unresolvable", "no YAML"),
    ("compose.yml", f"a: b # c\u2028services: {{t: {{image: {REF}}}}}", "unresolvable", "a line break"),
    ("compose.yml", f"a: b # c\u0085services: {{t: {{image: {REF}}}}}", "unresolvable", "a line break"),
    ("k.yml", f"apiVersion: v1\nkind: Pod\nspec: {{containers: !x [{{image: {REF}}}]}}", "unresolvable", "of its own"),
    ("compose.yml", "services: {t: {build: .}}", "unresolvable", "its Dockerfile (Dockerfile, seen from this file)"),
    ("compose.yml", "services: {t: {build: ./docker/}}", "unresolvable", "its Dockerfile (docker/Dockerfile, seen"),
    (
        "compose.yml",
        "services: {t: {build: {context: docker, dockerfile: ../gpu.Dockerfile, target: train}}}",
        "unresolvable",
        "its Dockerfile (gpu.Dockerfile:train, seen",
    ),
    ("compose.yml", "services: {t: {build: 'https://x.example/y.git'}}", "unresolvable", "its Dockerfile as the"),
    ("compose.yml", "services: {t: {build: {dockerfile: /D}}}", "unresolvable", "its Dockerfile as the"),
    ("compose.yml", "services: {t: {build: 'git@x.example:y.git'}}", "unresolvable", "its Dockerfile as the"),
    ("compose.yml", "services: {t: {build: {context: $WHERE}}}", "unresolvable", "its Dockerfile as the"),
    ("compose.yml", "services: {t: {build: {dockerfile_inline: FROM a}}}", "unresolvable", "its Dockerfile as the"),
    ("compose.yml", "services: {t: {build: {context: [x]}}}", "unresolvable", "its Dockerfile as the"),
    ("compose.yml", "services: {t: {build: !reset .}}", "unresolvable", "its Dockerfile as the"),
    ("task.yaml", "resources: {cpus: 4}\nsetup: x", "missing", "declares no image"),
    ("task.yaml", f"resources: {{image_id: 'docker:{REF}'}}\n", "unresolvable", "cannot be read for an image yet"),
    ("compose.yml", f"services: {{t: {{build: ., image: {REF}}}}}", "unresolvable", "built, not pulled"),
    ("compose.yml", f"include: [i.yml]\nservices: {{t: {{image: {REF}}}}}", "unresolvable", "name the one meant"),
    ("compose.yml:u", f"include: [i.yml]\nservices: {{t: {{image: {REF}}}}}", "missing", "(there: (include), t)"),
    ("compose.yml", "services: {t: {image: '${IMAGE:-x}'}}", "unresolvable", "filled in from outside"),
    ("compose.yml", f"services: {{t: {{image: {REF}, extends: {{service: b}}}}}}", "unresolvable", "extends"),
    ("compose.yml", f"x: &x {{image: {REF}}}\nservices:\n  t:\n    <<: *x\n", "unresolvable", "merge key"),
    ("compose.yml", f"services: {{t: {{image: a, image: {REF}}}}}", "unresolvable", "stands twice"),
    (
        "k.yml",
        "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: '{{ .Values.image }}'}]}",
        "unresolvable",
        "filled",
    ),
    ("task.yaml", "resources: {image_id: ami-123}\nrun: x", "unresolvable", "no container's"),
    (
        "task.yaml",
        f"resources: {{image_id: 'docker:{REF}', any_of: [{{image_id: 'docker:{OTHER}'}}]}}\nrun: x",
        "unresolvable",
        "any_of",
    ),
    ("other.yml", "a: 1", "unresolvable", "cannot be read for an image yet"),
    ("other.yml", "", "unresolvable", "cannot be read for an image yet"),
    ("compose.yml", "a: [", "unresolvable", "no YAML"),
    ("compose.yml", "\t- x", "unresolvable", "no YAML"),
    ("compose.yml", "[" * 500, "unresolvable", "no YAML"),
    ("compose.yml", "!!python/object/apply:os.system ['x']", "missing", "declares no image"),
    ("compose.yml", "a: \x00", "unresolvable", "no YAML"),
    (".devcontainer.json", '{"image": "a", "image": "b"}', "unresolvable", "stands twice"),
    (".devcontainer.json", "{image: x}", "unresolvable", "no JSON"),
    (".devcontainer.json", "{}", "missing", "declares no image"),
    (".devcontainer.json", '{"build": {"dockerfile": "D"}}', "unresolvable", "name its Dockerfile"),
    (".devcontainer.json", f'{{"image": "{REF}", "build": {{"dockerfile": "D"}}}}', "unresolvable", "it has build"),
    (".devcontainer.json", f'{{"image": "{REF}", "dockerFile": "D"}}', "unresolvable", "it has dockerFile"),
    (".devcontainer.json", f'{{"image": "{REF}", "dockerComposeFile": "c.yml"}}', "unresolvable", "dockerComposeFile"),
    (".devcontainer.json", f'{{"image": "{REF}"}} /* never closed', "unresolvable", "no JSON"),
    (".devcontainer.json", f'{{"image": "{REF}"}} /*/', "unresolvable", "no JSON"),
    (".devcontainer.json", "/* " * 40_000, "unresolvable", "no JSON"),
    (".devcontainer.json", '"\\' * 60_000, "unresolvable", "no JSON"),
    (".devcontainer.json", " " * (MAX_BYTES + 1), "unresolvable", "more than 131072"),
    (".devcontainer.json", "[" * 100_000, "unresolvable", "too deep"),
]


@pytest.mark.parametrize(("source", "text", "reason", "words"), REFUSED)
def test_what_the_file_does_not_decide_is_said(source: str, text: str, reason: str, words: str) -> None:
    found = read(source, text)
    assert isinstance(found, Problem), found
    assert (found.reason, words in found.message) == (reason, True), found.message
    assert found.fix
    reference = parse_reference(f"{REF}@{DIGEST}")
    assert not isinstance(reference, Problem)
    unpinned = pinned(source, text.encode(), reference)
    assert isinstance(unpinned, Problem)
    assert unpinned.reason == found.reason


def test_a_text_that_grows_without_bounds_is_refused() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{name}: &{name} [{','.join(f'*{before}' for _ in range(9))}]\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    with pytest.raises(YamlError, match="expanded to too much"):
        documents(bomb.encode())
    with pytest.raises(YamlError, match="more than 131072"):
        documents(b"#" * (MAX_BYTES + 1))
    with pytest.raises(YamlError, match=r"expanded to too much|no YAML"):
        documents(b"a: &a [*a]")
    with pytest.raises(YamlError, match="not UTF-8") as caught:
        documents(b"a: 1\nb: \xff")
    assert caught.value.line == 2
    with pytest.raises(YamlError, match="more than 200 documents"):
        documents(b"--- 1\n" * 201)


def test_one_without_a_digest_speaks_for_those_that_have_one() -> None:
    found = read("compose.yml", f"services:\n  a:\n    image: {REF}@{DIGEST}\n  b:\n    image: {REF}\n")
    assert isinstance(found, DeclaredImage)
    assert (found.reference.digest, found.location.line) == (None, 5)


def test_one_without_a_digest_does_not_reconcile_two_that_differ() -> None:
    digests = ["", f"@{DIGEST}", "@sha256:" + "b" * 64]
    for ends in permutations(digests):
        found = read("compose.yml", "services:\n" + "".join(f"  s{end[8:9]}: {{image: {REF}{end}}}\n" for end in ends))
        assert isinstance(found, Problem) and found.reason == "conflict"
    reference = parse_reference(f"{REF}@{DIGEST}")
    assert not isinstance(reference, Problem)
    text = "services: {{a: {{image: {0}}}, b: {{image: {0}{1}}}}}"
    whole = pinned("compose.yml", text.format(REF, digests[2]).encode(), reference)
    assert whole == text.format(f"{REF}@{DIGEST}", "").encode()


DOCKERFILES = [
    ("FROM {}\n", "FROM {}@{}\n"),
    ("ARG I={}\nFROM $I\n", "ARG I={}\nFROM $I@{}\n"),
    ("ARG T=2.9.0-cuda12.8-cudnn9-devel\nFROM --platform=linux/amd64 pytorch/pytorch:${{T}} AS x\nFROM x\n",
     "ARG T=2.9.0-cuda12.8-cudnn9-devel\nFROM --platform=linux/amd64 pytorch/pytorch:${{T}}@{1} AS x\nFROM x\n"),
    ("# FROM {}\nfrom {}\r\nCOPY . .", "# FROM {0}\nfrom {0}@{1}\r\nCOPY . ."),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after"), DOCKERFILES)
def test_a_dockerfile_is_pinned_also_where_arguments_make_the_name(before: str, after: str) -> None:
    reference = parse_reference(f"{REF}@{DIGEST}")
    assert not isinstance(reference, Problem)
    wanted = after.format(REF, DIGEST).encode()
    assert pinned("Dockerfile", before.format(REF, REF).encode(), reference) == wanted
    moved = replace(reference, digest="sha256:" + "b" * 64)
    assert pinned("Dockerfile", wanted, moved) == wanted.replace(b"a" * 64, b"b" * 64)


def test_a_file_that_declares_another_image_is_not_pinned() -> None:
    reference = parse_reference(f"{OTHER}@{DIGEST}")
    assert not isinstance(reference, Problem)
    found = pinned("Dockerfile", f"FROM {REF}\n".encode(), reference)
    assert isinstance(found, Problem) and found.reason == "conflict"
    odd = pinned(".devcontainer.json", b'{"im\\u0061ge": "' + OTHER.encode() + b'"}', reference)
    assert isinstance(odd, bytes) or odd.reason == "unresolvable"


def test_a_task_names_its_image_behind_the_word_docker() -> None:
    found = read("task.yaml", "resources: {image_id: 'docker:ubuntu'}\nrun: x\n")
    assert isinstance(found, DeclaredImage) and str(found.reference) == "docker.io/library/ubuntu"
    found = read("task.yaml", "resources: {image_id: 'docker:docker:24'}\nrun: x\n")
    assert isinstance(found, DeclaredImage) and str(found.reference) == "docker.io/library/docker:24"


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("a/Dockerfile", ("a/Dockerfile", None)),
        ("a:b/Dockerfile:x", ("a:b/Dockerfile", "x")),
        ("a:b/c", ("a:b/c", None)),
        ("compose.yml:", ("compose.yml:", None)),
        (".gitlab-ci.yml:a:b/c:d", (".gitlab-ci.yml", "a:b/c:d")),
        ("notes.txt:x", ("notes.txt", "x")),
        (":x", (":x", None)),
    ],
)
def test_a_source_is_a_path_and_perhaps_a_part(source: str, parts: tuple[str, str | None]) -> None:
    assert split_source(source) == parts


# source, text with {} for what the digest stands in, before and after: "" or "@" and the digest
UNUSUAL = [
    ("Dockerfile", f"FROM --platform=linux/amd64 \\\n    {REF}{{}} \\\n    AS x\n"),
    ("Dockerfile", f"FROM \\\n# {REF}\n  {REF}{{}}\n"),
    ("Dockerfile", f"\ufeff# escape=`\r\nFROM `\r\n {REF}{{}}\r\n"),
    ("compose.yml", f"services:\n  t:\n    image: >-\n      {REF}{{}}\n"),
    (".devcontainer.json", f'{{{{"image":\n\n "{REF}{{}}"}}}}'),
    ("k.yml", "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n" + f"  - image: {REF}{{0}}\n" * 300),
    (
        f"{WORKFLOW}:z",
        "jobs:\n"
        + "".join(f"  x{n}:\n    container: {OTHER}@sha256:{'b' * 64}\n" for n in range(200))
        + f"  z:\n    container: {REF}{{}}\n",
    ),
    ("compose.yml", f"services:\n  a: {{{{labels: [{REF}], image: {REF}{{0}}}}}}\n  b: {{{{image: {REF}{{0}}}}}}\n"),
    ("compose.yml", f"services:\n  a:\n    image: >- # {REF}\n      {REF}{{0}}\n  b: {{{{image: {REF}{{0}}}}}}\n"),
    ("compose.yml:u", f"services: {{{{t: {{{{image: {REF}}}}}, u: {{{{image: {REF}{{}}}}}}}}}}\n"),
    ("compose.yml", f"services: {{{{t: {{{{image: {REF}{{0}}}}}}, u: {{{{image: {REF}{{0}}}}}}}}}}\n"),
]


@pytest.mark.parametrize("held", ["", "@sha256:" + "0" * 64])
@pytest.mark.parametrize(("source", "text"), UNUSUAL)
def test_what_is_written_in_an_unusual_way_is_pinned_too(source: str, text: str, held: str) -> None:
    reference = parse_reference(f"{REF}@{DIGEST}")
    assert not isinstance(reference, Problem)
    assert pinned(source, text.format(held).encode(), reference) == text.format(f"@{DIGEST}").encode()


def test_a_digest_in_an_argument_of_its_own_is_replaced_there() -> None:
    reference = parse_reference(f"{REF}@{DIGEST}")
    assert not isinstance(reference, Problem)
    before = f"ARG D=sha256:{'b' * 64}\nFROM {REF}@$D\n".encode()
    assert pinned("Dockerfile", before, reference) == before.replace(b"b" * 64, b"a" * 64)


@given(st.text(alphabet="ab:-[]{}*&!'\"\n #,|>%@?", max_size=80), st.sampled_from([s for s, _, _ in DECLARING]))
def test_no_text_breaks_a_reader(text: str, source: str) -> None:
    assert images_in(source, text.encode()) is not None


@given(st.data())
def test_a_changed_file_is_read_or_refused_and_what_is_pinned_reads_as_that(data: st.DataObject) -> None:
    source, text, _ = data.draw(st.sampled_from(DECLARING))
    whole = text.format(REF, REF)
    at = data.draw(st.integers(0, len(whole)))
    changed = (whole[:at] + data.draw(st.text(max_size=3)) + whole[at + data.draw(st.integers(0, 3)) :]).encode(
        "utf-8", "surrogatepass"
    )
    reference = parse_reference(f"{REF}@{DIGEST}")
    assert not isinstance(reference, Problem)
    found = pinned(source, changed, reference)
    if isinstance(found, bytes):
        bare = [re.sub(rb"@?sha256:[0-9a-f]{64}", b"", whole) for whole in (changed, found)]
        assert bare[0] == bare[1]
        again = declared_image(source, found, None, None)
        assert isinstance(again, DeclaredImage) and again.reference == reference
