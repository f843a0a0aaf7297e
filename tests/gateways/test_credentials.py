"""Where logins to registries lie: the same places, in the same order, as podman looks in (containers-auth.json(5))."""

import base64
import json
import os
from pathlib import Path

import pytest

from ptguard.gateways import credentials
from ptguard.gateways.credentials import Login, login_for
from tests.support import run

HOST = "registry.example.com"


def keep(path: Path, user: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    auth = base64.b64encode(f"{user}:secret".encode()).decode()
    path.write_text(json.dumps({"auths": {HOST: {"auth": auth}}}))
    return path


def podman_s() -> str:
    """Give the user name that podman itself would send."""
    return run("podman", "login", "--get-login", HOST, env=os.environ, check=False).stdout.strip()


def ours() -> str:
    found = login_for(f"{HOST}/team/train")
    return found.user if found else ""


def test_every_place_is_looked_in_in_podman_s_order(
    tmp_path: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Path(env["HOME"])
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "named.json"))
    places = {
        "named": tmp_path / "named.json",
        "runtime": tmp_path / "run" / "containers" / "auth.json",
        "config": home / ".config" / "containers" / "auth.json",
        "docker": home / ".docker" / "config.json",
    }
    for user, path in places.items():
        keep(path, user)
    for user, path in places.items():
        assert ours() == podman_s() == user
        path.unlink()
        if user == "named":
            monkeypatch.delenv("REGISTRY_AUTH_FILE")
    assert ours() == podman_s() == ""


def test_without_a_runtime_folder_podman_keeps_logins_by_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for root, cron or a service; the folder of the machine itself is not for tests to write."""
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    assert credentials.RUNTIME.format(os.getuid()) == f"/run/containers/{os.getuid()}/auth.json"
    monkeypatch.setattr(credentials, "RUNTIME", str(tmp_path / "{}" / "auth.json"))
    keep(tmp_path / str(os.getuid()) / "auth.json", "by-uid")
    assert ours() == "by-uid"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    assert ours() == ""


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"auths": []}', '{"auths": {"registry.example.com": 1}}', "[" * 10_000,
     '{"auths": {"registry.example.com": {"auth": "no base64"}}}',
     '{"auths": {"registry.example.com": {"auth": "bm8gY29sb24="}}}'],
)  # fmt: skip
def test_a_file_of_another_form_holds_no_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert login_for(f"{HOST}/team/train") is None


def test_the_nearest_entry_counts_and_shows_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def auth(user: str) -> dict[str, str]:
        return {"auth": base64.b64encode(f"{user}:s3cret".encode()).decode()}

    config = {"auths": {HOST: auth("host"), f"{HOST}/team": auth("team"), "https://index.docker.io/v1/": auth("hub")}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    for repository, user in (("team/train", "team"), ("other/x", "host")):
        found = login_for(f"{HOST}/{repository}")
        assert found == Login(user, "s3cret")
        assert "s3cret" not in repr(found)
    hub = login_for("docker.io/pytorch/pytorch")
    assert hub is not None and hub.user == "hub"
    assert login_for("ghcr.io/x/y") is None
