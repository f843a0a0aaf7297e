"""A real registry on this machine: Debian's docker-registry, filled by skopeo with images made by hand."""

import base64
import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.loopback import answers, reserved_port, running
from tests.support import run

PLATFORMS = ("amd64", "arm64")


@dataclass(frozen=True)
class Registry:
    """A running registry: ``host`` with its port, ``login`` if it asks for one, ``authority`` if it speaks TLS."""

    host: str
    folder: Path
    login: tuple[str, str] | None = None
    authority: Path | None = None

    def push(self, name: str, content: str, *, index: bool = False) -> str:
        """Push an image (or an index of two) that holds ``content`` as ``name:tag``, and give its digest."""
        layout = self.folder / f"layout-{abs(hash((name, content, index)))}"
        digest = _layout(layout, content, index=index)
        words = ["--all"] if index else []
        if self.login:
            words += ["--dest-creds", ":".join(self.login)]
        verify = "true" if self.authority else "false"
        env = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder), **self.trusting()}
        run("skopeo", "--insecure-policy", "copy", "--preserve-digests", *words, f"--dest-tls-verify={verify}",
            f"oci:{layout}:x", f"docker://{self.host}/{name}", env=env)  # fmt: skip
        return digest

    def trusting(self) -> dict[str, str]:
        """Give the environment in which the registry's certificate is trusted."""
        return {"SSL_CERT_FILE": str(self.authority)} if self.authority else {}

    def config(self, folder: Path) -> Path:
        """Write a docker config.json with the login into ``folder``."""
        folder.mkdir(exist_ok=True)
        auth = base64.b64encode(":".join(self.login or ("", "")).encode()).decode()
        (folder / "config.json").write_text(json.dumps({"auths": {self.host: {"auth": auth}}}))
        return folder


@contextmanager
def registry(folder: Path, *, login: tuple[str, str] | None = None, tls: bool = False) -> Iterator[Registry]:
    """Run a registry in ``folder``; it ends with the block."""
    for program in ("docker-registry", "skopeo", "htpasswd" if login else "skopeo"):
        if shutil.which(program) is None:
            package = {"htpasswd": "apache2-utils"}.get(program, program)
            raise RuntimeError(f"these tests need {program}: apt-get install {package}")
    folder.mkdir(parents=True, exist_ok=True)
    with reserved_port() as port:
        lines = ["version: 0.1", f"storage: {{filesystem: {{rootdirectory: {folder / 'data'}}}}}", "http:"]
        lines += [f"  addr: 127.0.0.1:{port}", "  secret: tests"]
        authority = _certificate(folder) if tls else None
        if tls:
            lines += [f"  tls: {{certificate: {folder / 'host.pem'}, key: {folder / 'host.key'}}}"]
        if login:
            run("htpasswd", "-Bbc", folder / "htpasswd", *login)
            lines += [f"auth: {{htpasswd: {{realm: tests, path: {folder / 'htpasswd'}}}}}"]
        (folder / "config.yml").write_text("\n".join(lines) + "\n")
        argv = ("docker-registry", "serve", folder / "config.yml")
        with running(*argv, log=folder / "log", ready=lambda: answers(port)):
            yield Registry(f"127.0.0.1:{port}", folder, login, authority)


def _certificate(folder: Path) -> Path:
    """Make an authority and a certificate of 127.0.0.1 signed by it."""
    (folder / "ext").write_text("subjectAltName=IP:127.0.0.1\n")
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "ca.key", "-out",
        folder / "ca.pem", "-days", "2", "-subj", "/CN=tests")  # fmt: skip
    run("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "host.key", "-out",
        folder / "host.csr", "-subj", "/CN=127.0.0.1")  # fmt: skip
    run("openssl", "x509", "-req", "-in", folder / "host.csr", "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key",
        "-CAcreateserial", "-out", folder / "host.pem", "-days", "2", "-extfile", folder / "ext")  # fmt: skip
    return folder / "ca.pem"


def _layout(folder: Path, content: str, *, index: bool) -> str:
    """Write an OCI image layout with one image, or an index of one for each platform; give the top digest."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')

    def put(data: bytes) -> tuple[str, int]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return f"sha256:{digest}", len(data)

    def described(kind: str, data: bytes) -> dict[str, object]:
        digest, size = put(data)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": digest, "size": size}

    def image(platform: str) -> dict[str, object]:
        layer = described("layer.v1.tar", f"{content} for {platform}".encode())
        config = {"os": "linux", "architecture": platform, "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}}
        manifest = {
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": described("config.v1+json", json.dumps(config).encode()), "layers": [layer],
        }  # fmt: skip
        return described("manifest.v1+json", json.dumps(manifest).encode())

    if index:
        images = [{**image(p), "platform": {"os": "linux", "architecture": p}} for p in PLATFORMS]
        whole = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": images}
        top = described("index.v1+json", json.dumps(whole).encode())
    else:
        top = image(PLATFORMS[0])
    named = {**top, "annotations": {"org.opencontainers.image.ref.name": "x"}}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [named]}))
    return str(top["digest"])
