"""Digests asked of real registries, and of servers that do what a registry never should."""

import base64
import hashlib
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from ptguard.errors import PtguardError, ToolFailedError, UsageError
from ptguard.gateways import registry as gateway
from ptguard.gateways.registry import Resolved, resolve
from ptguard.model import ImageReference
from ptguard.value import replace
from tests.registry import Registry, registry

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
SECRET = "tr0ub4dor"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registry(tmp_path_factory.mktemp("registry")) as found:
        yield found


def image(host: str, tag: str | None = "1", path: str = "team/train") -> ImageReference:
    return ImageReference(f"{host}/{path}", tag, None)


# --------------------------------------------------------------------------------------------- real ones


def test_the_digest_of_an_image_and_of_an_index(plain: Registry) -> None:
    single, index = plain.push("team/train:1", "one"), plain.push("team/train:all", "all", index=True)
    assert resolve(image(plain.host)) == Resolved(single, MANIFEST, ())
    assert resolve(image(plain.host, "all")) == Resolved(index, INDEX, ("linux/amd64", "linux/arm64"))
    by_digest = replace(image(plain.host, "all"), digest=single)
    assert resolve(by_digest).digest == single


def test_a_moved_tag_has_another_digest(plain: Registry) -> None:
    before = plain.push("team/train:moving", "before")
    assert resolve(image(plain.host, "moving")).digest == before
    after = plain.push("team/train:moving", "after")
    assert resolve(image(plain.host, "moving")).digest == after != before


def test_what_is_not_there(plain: Registry) -> None:
    for wanted in (
        image(plain.host, "none"),
        image(plain.host, path="no/such"),
        replace(image(plain.host), digest="sha256:" + "0" * 64),
    ):
        with pytest.raises(UsageError, match=r"127\.0\.0\.1:\d+ has no 127") as caught:
            resolve(wanted)
        assert str(caught.value.fix).startswith(f"skopeo list-tags docker://{wanted.repository}   #")


def test_a_registry_that_asks_for_a_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with registry(tmp_path / "registry", login=("li", SECRET)) as found:
        digest = found.push("team/train:1", "one")
        with pytest.raises(
            UsageError, match=r"may not be read, or there is no such repository: .* answers 401"
        ) as caught:
            resolve(image(found.host))
        assert caught.value.fix == f"docker login {found.host}   # if the name is right"
        monkeypatch.setenv("DOCKER_CONFIG", str(found.config(tmp_path / "docker")))
        assert resolve(image(found.host)).digest == digest
        wrong = replace_login(tmp_path / "docker", found.host, "li", "wrong")
        monkeypatch.setenv("DOCKER_CONFIG", str(wrong))
        with pytest.raises(UsageError) as caught:
            resolve(image(found.host))
        assert "wrong" not in f"{caught.value.message} {caught.value.fix}"
        helper(tmp_path / "bin", monkeypatch, found.host)
        assert resolve(image(found.host)).digest == digest


def replace_login(folder: Path, host: str, user: str, password: str) -> Path:
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))
    return folder


def helper(folder: Path, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """Keep the login in a credential helper, which must be asked on standard input for this very host."""
    folder.mkdir()
    answer = json.dumps({"ServerURL": host, "Username": "li", "Secret": SECRET})
    script = f'#!/bin/sh\n[ "$1" = get ] && [ "$(cat)" = {host} ] && echo \'{answer}\'\n'
    (folder / "docker-credential-tests").write_text(script)
    (folder / "docker-credential-tests").chmod(0o755)
    (folder / "config.json").write_text(json.dumps({"credHelpers": {host: "tests"}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_a_certificate_counts_only_where_its_authority_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with registry(tmp_path / "registry", tls=True) as found:
        digest = found.push("team/train:1", "one")
        with pytest.raises(ToolFailedError, match="is not trusted here") as caught:
            resolve(image(found.host))
        assert "SSL_CERT_FILE" in str(caught.value.fix)
        monkeypatch.setenv("SSL_CERT_FILE", str(found.authority))
        assert resolve(image(found.host)).digest == digest


# --------------------------------------------------------------------------------------------- odd ones


BODY = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": {}, "layers": []}).encode()
DIGEST = "sha256:" + hashlib.sha256(BODY).hexdigest()
WRONG, BOTH = "sha256:" + "0" * 64, b'{"schemaVersion": 2, "manifests": [], "layers": []}'
Reply = tuple[int, dict[str, str], bytes]


@contextmanager
def server(reply: Callable[[str, dict[str, str]], Reply]) -> Iterator[str]:
    """Run a server whose answers ``reply`` makes from the path and the headers of a request."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = reply(self.path, {name.lower(): given for name, given in self.headers.items()})
            self.send_response(status)
            for name, given in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, given)
            self.end_headers()
            with suppress(OSError):  # who asked may have gone
                self.wfile.write(body)

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            self.path += "?" + self.rfile.read(length).decode()
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    found = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.daemon_threads = True
    thread = threading.Thread(target=found.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{found.server_address[1]}"
    finally:
        found.shutdown()
        found.server_close()


GOOD: Reply = (200, {"Content-Type": MANIFEST}, BODY)


def answered(reply: Reply) -> Resolved:
    with server(lambda path, _: reply if "/manifests/" in path else (200, {}, b"{}")) as host:
        return resolve(image(host))


def test_the_stand_in_is_one() -> None:
    assert answered(GOOD).digest == DIGEST
    assert answered((200, {"Content-Type": MANIFEST, "Docker-Content-Digest": DIGEST}, BODY)).digest == DIGEST


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ((200, {"Content-Type": MANIFEST, "Docker-Content-Digest": WRONG}, BODY), "sent other bytes than"),
        ((200, {"Content-Type": "text/html"}, b"<html>"), "something else than a manifest"),
        ((200, {"Content-Type": INDEX}, BODY), "of an unknown or of two types"),
        ((200, {"Content-Type": MANIFEST}, BODY[:-1]), "something else than a manifest"),
        ((200, {"Content-Type": MANIFEST}, b"[" * 100_000), "something else than a manifest"),
        ((200, {"Content-Type": MANIFEST}, BOTH), "at once, or neither"),
        ((200, {"Content-Type": MANIFEST}, b" " * (gateway.MAX_MANIFEST + 1)), "more than"),
        ((418, {}, b""), "answers 418"),
        ((302, {"Location": "http://example.com/x"}, b""), "leads to where it must not: http://example.com/x"),
        ((302, {"Location": "file:///etc/passwd"}, b""), "leads to where it must not"),
        ((302, {"Location": "/v2/team/train/manifests/1"}, b""), "leads on and on"),
        ((401, {"WWW-Authenticate": 'Bearer realm="http://example.com/t"'}, b""), "not reached by https"),
        ((429, {"Retry-After": "3600"}, b""), "asks to wait 3600 s"),
        ((429, {"Retry-After": "\x7f"}, b""), "too many requests"),
        ((200, {"Content-Type": MANIFEST, "Content-Length": "99999"}, BODY), "cannot be reached"),
    ],
)  # fmt: skip
def test_a_registry_that_does_not_answer_as_one(reply: Reply, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    if "Content-Length" in reply[1]:  # more than will ever come
        monkeypatch.setattr(gateway, "_READ", 1.0)
    with pytest.raises(PtguardError) as caught:
        answered(reply)
    assert words in caught.value.message
    assert caught.value.fix


def test_a_fault_that_passes_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    left = [(503, {}, b""), (429, {"Retry-After": "1"}, b""), (502, {}, b"")]
    with server(lambda path, _: left.pop() if left and "/manifests/" in path else GOOD) as host:
        assert resolve(image(host)).digest == DIGEST
    assert not left


def test_a_registry_that_hangs_or_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "_WHOLE", 1.0)
    hold = threading.Event()
    with server(lambda path, _: (hold.wait(60), GOOD)[1] if "/manifests/" in path else GOOD) as host:
        begun = time.monotonic()
        with pytest.raises(ToolFailedError, match=r"cannot be reached|did not answer within|asks to wait"):
            resolve(image(host))
        assert time.monotonic() - begun < 25
        hold.set()
    with pytest.raises(ToolFailedError) as caught:
        resolve(image(host))
    assert caught.value.fix


@pytest.mark.parametrize("identity", [False, True])
def test_the_token_handshake_and_who_is_told_the_login(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, identity: bool
) -> None:
    """The token server of the registry gets the login, the registry the token, another host nothing of either."""
    told: dict[str, list[str]] = {"registry": [], "elsewhere": [], "token": []}

    def elsewhere(path: str, headers: dict[str, str]) -> Reply:
        del path
        told["elsewhere"].append(str(headers))
        return GOOD

    with server(elsewhere) as other:

        def reply(path: str, headers: dict[str, str]) -> Reply:
            if path.startswith("/token"):
                told["token"].append(f"{path} {headers.get('authorization')}")
                return 200, {}, b'{"token": "t-o-k-e-n"}'
            told["registry"].append(headers.get("authorization", ""))
            if headers.get("authorization") == "Bearer t-o-k-e-n":
                return 307, {"Location": f"http://{other}/blob"}, b""
            ask = f'Bearer realm="http://{headers["host"]}/token",service="s",scope="ignored"'
            return 401, {"WWW-Authenticate": ask}, b""

        with server(reply) as host:
            entry = (
                {"identitytoken": SECRET} if identity else {"auth": base64.b64encode(f"li:{SECRET}".encode()).decode()}
            )
            (tmp_path / "config.json").write_text(json.dumps({"auths": {host: entry}}))
            monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
            assert resolve(image(host)).digest == DIGEST
    (asked,) = told["token"]
    assert "repository%3Ateam%2Ftrain%3Apull" in asked
    secret = SECRET if identity else base64.b64encode(f"li:{SECRET}".encode()).decode()
    assert secret in asked
    assert not any(secret in said for said in told["registry"])
    assert told["elsewhere"] and not any("authorization" in said for said in told["elsewhere"])


def test_what_is_this_machine() -> None:
    for host in ("localhost", "127.0.0.1", "127.9.9.9", "[::1]", "::1"):
        assert gateway.is_loopback(host)
    for host in ("example.com", "10.0.0.1", "127.0.0.1.example.com", "localhost.example.com", ""):
        assert not gateway.is_loopback(host)
