"""`ptguard image` for real: shown, resolved at a registry, pinned, and a moved tag met by a guarded push."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.team import IMAGE, Team
from tests.loopback import reserved_port
from tests.registry import Registry, registry
from tests.support import held_against


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registry(tmp_path_factory.mktemp("registry")) as found:
        yield found


@pytest.fixture
def team(template: Team, tmp_path: Path, env: dict[str, str]) -> Team:
    return template.copy_to(tmp_path / "team", env)


def shown(team: Team, *args: str) -> dict[str, Any]:
    """Give the document of ``ptguard image show``, as its schema has it."""
    done = team.repo.ptguard("image", "show", *args, "--format", "json")
    return held_against("image-show-1.json", json.loads(done.stdout))


def test_what_is_declared_is_shown_with_its_place(team: Team) -> None:
    done = team.repo.ptguard("image", "show")
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first.startswith(f"Dockerfile:1  docker.io/{IMAGE}@sha256:")
    assert second == "  pinned; its name says torch 2.9.0, cuda 12.8, cudnn 9, flavour devel"
    team.tag()
    team.repo.write("Dockerfile", "FROM python:3.11\n")
    team.repo.commit()
    assert team.repo.ptguard("image", "show", "v2.9.0").stdout == done.stdout
    (row,) = shown(team)["images"]
    assert (row["image"], row["pinned"], row["line"]) == ("docker.io/library/python:3.11", False, 1)
    team.repo.write("Dockerfile", "FROM $X\n")
    team.repo.commit()
    done = team.repo.ptguard("image", "show")
    assert done.returncode == 1 and "unresolvable: " in done.stdout
    (row,) = shown(team)["images"]
    assert (row["source"], row["problem"]["reason"]) == ("Dockerfile", "unresolvable")


def test_what_a_name_says_and_what_is_no_name(team: Team) -> None:
    done = team.repo.ptguard("image", "show", "nvcr.io/nvidia/pytorch:25.09-py3")
    assert "its name says release 25.09" in done.stdout
    done = team.repo.ptguard("image", "show", "pytorch/pytorch:2.9.0-cuda11-8-devel")
    assert done.returncode == 1
    assert "2.9.0-cuda11-8-devel is no release tag of docker.io/pytorch/pytorch" in done.stdout
    done = team.repo.ptguard("image", "show", "python:3.11")
    assert done.stdout == "docker.io/library/python:3.11\n  not pinned; its name says nothing\n"
    for no_tag in ("v9", "pytorch/pytorch"):
        done = team.repo.ptguard("image", "show", no_tag)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"there is no tag {no_tag} here" in done.stderr and "show REPOSITORY:TAG" in done.stderr
        assert shown(team, no_tag)["error"]["message"] == f"there is no tag {no_tag} here"
    assert shown(team, "python:3.11")["images"][0]["pinned"] is False
    assert shown(team, "pytorch/pytorch:2.9.0-cuda11-8-devel")["images"][0]["problem"]["reason"] == "invalid-reference"
    assert team.repo.ptguard("image", "resolve", "NOT:an:image").returncode == 2


def declare(team: Team, text: str) -> None:
    team.repo.write("Dockerfile", text)
    team.settle("Declare another image")


def test_a_tag_is_pinned_and_a_moved_one_is_told(team: Team, hub: Registry) -> None:
    digest = hub.push("team/train:1", "first", index=True)
    name = f"{hub.host}/team/train:1"
    done = team.repo.ptguard("image", "resolve", name)
    assert done.stdout == f"{name}@{digest}\n"
    assert "linux/amd64, linux/arm64" in done.stderr
    assert json.loads(team.repo.ptguard("image", "resolve", name, "--format", "json").stdout)["digest"] == digest
    declare(team, f"# keep\r\nFROM {name} AS x  # why\r\n".replace("  # why", ""))
    (team.repo.path / "Dockerfile").chmod(0o640)
    done = team.repo.ptguard("image", "pin", "--dry-run")
    assert f"+FROM {name}@{digest} AS x" in done.stdout
    assert b"@sha256" not in (team.repo.path / "Dockerfile").read_bytes()
    done = team.repo.ptguard("image", "pin")
    assert done.returncode == 0, done.stderr
    assert (team.repo.path / "Dockerfile").read_bytes() == f"# keep\r\nFROM {name}@{digest} AS x\r\n".encode()
    assert (team.repo.path / "Dockerfile").stat().st_mode & 0o777 == 0o640
    assert "pinned already" in team.repo.ptguard("image", "pin").stdout
    after = hub.push("team/train:1", "second", index=True)
    done = team.repo.ptguard("image", "pin")
    assert done.returncode == 1
    assert f"{name} is pinned to {digest} already, and {after} is what its tag has now" in done.stderr
    assert "  mend      ptguard image pin --update   #" in done.stderr
    done = team.repo.ptguard("image", "pin", "--digest", after)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"and {after} is asked for\n  mend      ptguard image pin --update --digest {after}   #" in done.stderr
    assert team.repo.ptguard("image", "pin", "--update").returncode == 0
    assert after.encode() in (team.repo.path / "Dockerfile").read_bytes()


def test_a_record_of_the_old_digest_does_not_prove_the_new_one(team: Team, hub: Registry) -> None:
    """The tag moved and the pin with it: the push is refused until the run was made in what is declared now."""
    hub.push("team/moved:1", "first")
    declare(team, f"FROM {hub.host}/team/moved:1\n")
    team.repo.ptguard("image", "pin")
    statement = team.record()
    before = team.repo.ptguard("image", "show", "--format", "json")
    team.repo.commit("Pin")
    held = shown(team)["images"][0]["image"]
    assert before.returncode == 0

    def settle_for(image: str) -> None:
        statement = team.record()
        name, _, digest = image.partition("@sha256:")
        statement["subject"][1] |= {"uri": name, "digest": {"sha256": digest}}
        team.write_record(statement)
        team.repo.commit("Record")
        team.push("main")

    assert statement
    settle_for(held)
    team.arm()
    team.tag()
    team.guard("v2.9.0", "--dry-run").accepted()
    hub.push("team/moved:1", "second")
    assert team.repo.ptguard("image", "pin", "--update").returncode == 0
    team.repo.commit("Take the new image")
    settle_for(held)
    team.tag()
    team.guard("v2.9.0").refused("wrong-digest")
    settle_for(shown(team)["images"][0]["image"])
    team.tag()
    team.guard("v2.9.0").accepted("v2.9.0")


def test_without_a_network_it_is_said_how_to_pin_all_the_same(team: Team) -> None:
    with reserved_port() as port:
        declare(team, f"FROM 127.0.0.1:{port}/team/train:1\n")
        done = team.repo.ptguard("image", "pin")
    assert (done.returncode, done.stdout) == (3, "")
    assert "cannot be reached: " in done.stderr
    assert "  mend      ptguard image pin --digest sha256:…   #" in done.stderr
    digest = "sha256:" + "5" * 64
    assert team.repo.ptguard("image", "pin", "--digest", digest).returncode == 0
    assert digest in (team.repo.path / "Dockerfile").read_text()


def test_what_cannot_be_pinned_is_refused_and_nothing_is_written(team: Team, tmp_path: Path) -> None:
    digest = "sha256:" + "5" * 64
    for args, words in (
        (("--source", "nothing"), "nothing: No such file"),
        (("--source", "../x"), "No such file"),
        (("--digest", "sha256:12"), "is no digest"),
        (("--source", "net.py", "--digest", digest), "cannot be read for an image yet"),
    ):
        done = team.repo.ptguard("image", "pin", *args)
        assert done.returncode == 2, done.stdout
        assert words in done.stderr, done.stderr
    (team.repo.path / "Dockerfile").rename(tmp_path / "outside")
    (team.repo.path / "Dockerfile").symlink_to(tmp_path / "outside")
    before = (tmp_path / "outside").read_bytes()
    done = team.repo.ptguard("image", "pin", "--digest", digest, "--update")
    assert done.returncode == 2 and "symbolic link" in done.stderr
    assert (tmp_path / "outside").read_bytes() == before


def test_what_compose_lays_over_its_file_is_shown_and_pinned_too(team: Team, hub: Registry) -> None:
    name = f"{hub.host}/team/laid:1"
    digest = hub.push("team/laid:1", "laid over")
    team.change_policy('sources = ["Dockerfile"]', 'sources = ["deploy/compose.yml:net"]')
    text = f"services:\n  net:\n    image: {name}\n  db:\n    image: postgres:16\n"
    team.repo.write("deploy/compose.yml", text)
    team.repo.write("deploy/docker-compose.override.yaml", text.replace("services", "# local\nservices"))
    team.repo.write("deploy/compose.override.yml", "services:\n  net:\n    environment: {A: b}\n")
    done = team.repo.ptguard("image", "pin")
    assert done.returncode == 0, done.stderr
    for path in ("deploy/compose.yml", "deploy/docker-compose.override.yaml"):
        assert f"    image: {name}@{digest}\n" in (team.repo.path / path).read_text()
        assert f"+++ b/{path}" in done.stdout
    assert "compose.override.yml" not in done.stdout.replace("docker-compose.override", "")
    assert "pinned already" in team.repo.ptguard("image", "pin").stdout
    team.settle("Pin it")
    assert team.repo.ptguard("image", "show").stdout.startswith(f"deploy/compose.yml:net:3  {name}@{digest}")
    team.repo.write("deploy/compose.override.yml", "services:\n  net:\n    image: python:3.11\n")
    done = team.repo.ptguard("image", "pin")
    assert done.returncode == 2
    assert "deploy/compose.override.yml:net declares python:3.11, not " in done.stderr
    team.settle("Another one")
    done = team.repo.ptguard("image", "show")
    assert done.returncode == 1
    assert "conflict: deploy/compose.override.yml:3, which docker compose lays over deploy/compose.yml:3" in done.stdout
