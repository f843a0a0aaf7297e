"""docker and podman as they are called: what is asked of each, and what their answers mean."""

import re
from pathlib import Path

import pytest

from ptguard.errors import ToolFailedError, UsageError
from ptguard.gateways import container
from ptguard.gateways.container import ENGINES, SOURCE, Container, Engine, EngineName
from ptguard.model import ImageReference
from ptguard.smoke.contained import ContainerRunner
from ptguard.smoke.launch import Asked
from ptguard.value import replace
from tests.containers import PYTHON_IMAGE, Podman
from tests.registry import registry
from tests.runs import reference

DIGEST = "sha256:" + "1" * 64
IMAGE = ImageReference("docker.io/pytorch/pytorch", "2.9.0", DIGEST)
BOX = Container(IMAGE, "ptguard-x", "python", ("-", "nonce"), "cuda", 12.5)
SAFE = ["--cap-drop", "all", "--security-opt", "no-new-privileges"]


def after(argv: list[str], word: str) -> list[str]:
    """Give every value that follows ``word``."""
    return [argv[at + 1] for at, each in enumerate(argv) if each == word]


@pytest.mark.parametrize("name", ["docker", "podman"])
def test_an_image_is_run_by_digest_without_network_mount_or_privileges(name: EngineName) -> None:
    argv = Engine(name).argv(BOX)
    assert argv[:4] == [name, "run", "--rm", "--interactive"]
    assert argv[-4:] == ["python", f"docker.io/pytorch/pytorch@{DIGEST}", "-", "nonce"]
    assert argv[-5] == "--entrypoint"
    assert after(argv, "--network") == ["none"] and after(argv, "--pull") == ["never"]
    assert "".join(SAFE) in "".join(argv)
    assert not {"--volume", "--mount", "--env", "--privileged", "--workdir"} & set(argv)


def test_the_source_is_the_only_mount_and_is_read_only() -> None:
    for name in ENGINES:
        argv = Engine(name).argv(replace(BOX, source=Path("/tmp/x/source")))
        assert after(argv, "--volume") == [f"/tmp/x/source:{SOURCE}:ro,Z"]
        assert after(argv, "--workdir") == [SOURCE]
        assert after(argv, "--env") == ["PYTHONDONTWRITEBYTECODE=1"]
        seen = ["type=bind,source=/tmp/x/source,target=/ptguard/seen,readonly"]
        assert after(argv, "--mount") == (seen if name == "docker" else [])


@pytest.mark.parametrize(
    ("name", "device", "flags"),
    [
        ("docker", "cuda", ["--gpus", "all"]),
        ("podman", "cuda", ["--device", "nvidia.com/gpu=all"]),
        ("docker", "rocm", ["--device", "/dev/kfd", "--device", "/dev/dri"]),
        ("podman", "rocm", ["--device", "/dev/kfd", "--device", "/dev/dri"]),
        ("docker", "cpu", []),
        ("podman", "cpu", []),
    ],
)
def test_gpus_are_handed_in_as_the_policy_asks(name: EngineName, device: str, flags: list[str]) -> None:
    argv = Engine(name).argv(replace(BOX, device=device))
    assert [word for flag in ("--gpus", "--device") for value in after(argv, flag) for word in (flag, value)] == flags


def test_only_podman_is_told_a_time_and_to_keep_proxies_out() -> None:
    assert after(Engine("podman").argv(BOX), "--timeout") == ["42"]
    assert "--http-proxy=false" in Engine("podman").argv(BOX)
    assert "--timeout" not in Engine("docker").argv(BOX)


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


LISTED = '[{"RepoDigests": ["pytorch/pytorch@DIGEST", "other/x@sha256:%s"], "Os": "linux", "Architecture": "arm64"}]'
LISTED = (LISTED % ("2" * 64)).replace("DIGEST", DIGEST)


def test_docker_names_its_hub_s_images_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, "docker", f"echo '{LISTED}'")
    engine = Engine("docker")
    assert engine.resolve(replace(IMAGE, digest=None)) == IMAGE
    assert engine.resolve(IMAGE) == IMAGE
    assert engine.platform(IMAGE) == "linux/arm64"
    with pytest.raises(UsageError, match=f"knows .* by {DIGEST} only"):
        engine.resolve(replace(IMAGE, digest="sha256:" + "3" * 64))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ('[{"RepoDigests": []}]', "has no digest of a registry"),
        ('[{"RepoDigests": null}]', "has no digest of a registry"),
        (f'[{{"RepoDigests": ["pytorch/pytorch@{DIGEST}", "pytorch/pytorch@sha256:{"4" * 64}"]}}]', "several digests"),
        ('[{"RepoDigests": ["pytorch/pytorch@sha256:12", 7, "x"]}]', "has no digest of a registry"),
    ],
)
def test_an_image_without_one_digest_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, words: str
) -> None:
    stand_in(tmp_path, monkeypatch, "docker", f"echo '{answer}'")
    with pytest.raises(UsageError, match=words) as caught:
        Engine("docker").resolve(replace(IMAGE, digest=None))
    assert caught.value.fix


@pytest.mark.parametrize("answer", ["", "[]", "null", "[1]", "[{}, {}]", "{", "[" * 10_000])
def test_an_engine_that_answers_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    stand_in(tmp_path, monkeypatch, "docker", f"echo '{answer}'")
    with pytest.raises(ToolFailedError, match="gave no image"):
        Engine("docker").resolve(IMAGE)


def test_what_the_engine_says_is_shown_harmless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, "docker", "printf 'No such image\\n\\033[31mdenied\\n' >&2; exit 1")
    with pytest.raises(UsageError) as caught:
        Engine("docker").resolve(IMAGE)
    assert "\\x1b[31mdenied" in caught.value.message
    assert "docker login" in str(caught.value.fix)
    stand_in(tmp_path, monkeypatch, "docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    with pytest.raises(ToolFailedError, match="cannot say what"):
        Engine("docker").resolve(IMAGE)


GONE = 'case "$1" in run) exit 0 ;; *) echo "Cannot connect to the Docker daemon" >&2; exit 1 ;; esac'
STUCK = 'case "$1" in ps) echo 1234 ;; run) exit 0 ;; *) echo "Error response from daemon: busy" >&2; exit 1 ;; esac'


@pytest.mark.parametrize("script", [GONE, STUCK])
@pytest.mark.parametrize("name", ENGINES)
def test_a_container_that_cannot_be_done_away_with_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: EngineName, script: str
) -> None:
    """Also where the engine says nothing of it any more: that is not known to be gone."""
    stand_in(tmp_path, monkeypatch, name, script)
    monkeypatch.setattr(container, "_REMOVE", 0.5)
    assert not Engine(name).remove(BOX, cut_off=False)
    runner, said = ContainerRunner(Engine(name), tmp_path, None, "cpu"), list[str]()
    monkeypatch.setattr(runner, "_image", IMAGE)
    with pytest.raises(ToolFailedError, match="without an answer"):
        runner.probe(Asked("none", "full", 60), said.append)
    (line,) = said
    assert re.fullmatch(rf"the container (ptguard-\w+) is still there: {name} rm --force \1", line)


@pytest.mark.parametrize("name", ENGINES)
def test_a_container_that_is_gone_is_not_looked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: EngineName
) -> None:
    """Only where docker was cut off is it asked for the name, to see whether it is still at it."""
    stand_in(tmp_path, monkeypatch, name, f'echo "$1" >>{tmp_path}/asked')
    assert Engine(name).remove(BOX, cut_off=False)
    assert Engine(name).remove(BOX, cut_off=True)
    asked = (tmp_path / "asked").read_text().split()
    assert asked == ["rm", "ps", "rm", "ps", *(["create", "rm"] if name == "docker" else [])]


def test_docker_s_words_run_a_container_where_podman_takes_them(
    podman: Podman, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A docker that hands on to podman: every word that docker is given is one that podman knows, too."""
    script = 'case "$1" in --version) echo Docker ;; version) echo 28.0.0 ;;'
    script += ' image) exec podman image inspect "$4" ;; *) exec podman "$@" ;; esac'
    monkeypatch.setenv("PATH", f"{podman.folder / 'bin'}:/usr/bin:/bin")
    (tmp_path / "docker").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{podman.folder / 'bin'}:/usr/bin:/bin")
    engine = Engine("docker")
    assert engine.check() == "28.0.0"
    runner = ContainerRunner(engine, tmp_path, None, "cpu")
    runner.resolve(reference(podman.pinned(PYTHON_IMAGE)))
    report = runner.probe(Asked("none", "full", 60), lambda _: None)
    assert (runner.name, report.facts["os"]) == ("docker", "debian 12")


def test_podman_under_the_name_of_docker_is_driven_as_podman(
    podman: Podman, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Fedora's podman-docker has it: it takes docker's --gpus and does nothing of it."""
    stand_in(tmp_path, monkeypatch, "docker", 'echo "Emulate Docker CLI using podman." >&2; exec podman "$@"')
    monkeypatch.setenv("PATH", f"{tmp_path}:{podman.folder / 'bin'}:/usr/bin:/bin")
    with pytest.raises(UsageError, match="docker is podman here") as caught:
        Engine("docker").check()
    assert caught.value.fix == "ptguard smoke --runner podman"
    found = container.find()
    assert found is not None and found.name == "podman"


def test_an_image_that_is_not_here_is_pulled_by_its_digest(podman: Podman, tmp_path: Path) -> None:
    folder = tmp_path / "image"
    folder.mkdir()
    (folder / "x").write_text("an image of this test alone")
    podman.build(own := "localhost/ptguard/pulled:1", folder, f"FROM {PYTHON_IMAGE}\nCOPY x /x\n")
    with registry(tmp_path / "registry") as found:
        podman.trust(found.host)
        name = f"{found.host}/team/python:3.11"
        podman("push", "--quiet", "--digestfile", tmp_path / "digest", own, name)
        podman("rmi", "--force", own)
        wanted = reference(f"{name}@{(tmp_path / 'digest').read_text().strip()}")
        runner = ContainerRunner(Engine("podman"), tmp_path, None, "cpu")
        assert runner.resolve(wanted) == wanted
        assert runner.probe(Asked("none", "full", 60), lambda _: None).facts["os"] == "debian 12"
        podman("rmi", "--force", f"{wanted.repository}@{wanted.digest}")
        with pytest.raises(UsageError, match="could not be pulled"):
            Engine("podman").resolve(replace(wanted, digest=DIGEST))
    podman.trust("127.0.0.1:1")
