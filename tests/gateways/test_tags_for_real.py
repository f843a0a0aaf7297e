"""Tag objects made with git and by hand, through the parser and the verifier: what git calls good is not enough."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ptguard.gateways import ssh
from ptguard.gateways.openpgp import OpenPgp
from ptguard.model import OpenPgpKey, Problem, SignatureBlock, SignatureFacts, SshKey, TagObject
from ptguard.parse.ssh import parse_public_key
from ptguard.parse.tag import parse_tag
from tests.support import KeyChain, OpenPgpIdentity, Repo, SshIdentity, run

FORMS = ["sha1", "sha256"]
KINDS = ["openpgp", "ssh"]


@dataclass
class Bench:
    """A repository, a signer, and everything that it takes to judge what the repository holds."""

    repo: Repo
    signer: OpenPgpIdentity | SshIdentity
    other: OpenPgpIdentity | SshIdentity
    work: Path

    def sign(self, payload: bytes, signer: OpenPgpIdentity | SshIdentity | None = None) -> bytes:
        who = signer or self.signer
        return who.sign(payload) if isinstance(who, OpenPgpIdentity) else who.sign(payload, "git")

    def payload(self, message: bytes = b"Release\n", name: bytes = b"v1") -> bytes:
        head = self.repo.git("rev-parse", "HEAD").encode()
        return b"object %s\ntype commit\ntag %s\ntagger A <a@b> 1760000000 +0000\n\n%s" % (head, name, message)

    def store(self, raw: bytes) -> str:
        """Write a tag object with these very bytes, whatever git thinks of them."""
        return self.repo.git("hash-object", "-t", "tag", "-w", "--stdin", "--literally", stdin=raw)

    def read(self, oid: str) -> bytes:
        argv = ["git", "-C", str(self.repo.path), "cat-file", "tag", oid]
        return subprocess.run(argv, capture_output=True, check=True, env=self.repo.env).stdout

    def judge(self, oid: str, only: OpenPgpIdentity | SshIdentity | None = None) -> SignatureFacts | Problem | None:
        """Parse and verify; the policy knows the signer (or ``only``)."""
        tag = parse_tag(oid, self.read(oid))
        if isinstance(tag, Problem):
            return tag
        if not isinstance(tag.signature, SignatureBlock):
            return tag.signature
        who = only or self.signer
        if isinstance(who, OpenPgpIdentity):
            keys = [OpenPgpKey(who.fingerprint, "keys/a.asc", who.public)]
            return OpenPgp(self.work, keys).verify(tag.payload, tag.signature.armored)
        parsed = parse_public_key(who.public)
        assert isinstance(parsed, tuple)
        return ssh.verify(self.work, [SshKey(parsed[1], parsed[0])], tag.payload, tag.signature.armored, "git")

    def reason(self, raw: bytes) -> str:
        found = self.judge(self.store(raw))
        if found is None:
            return "unsigned"
        return found.reason if isinstance(found, Problem) else "ok"


@pytest.fixture(params=[(form, kind) for form in FORMS for kind in KINDS], ids="-".join)
def bench(request: pytest.FixtureRequest, keychain: KeyChain, env: dict[str, str], tmp_path: Path) -> Bench:
    form, kind = request.param
    run("git", "init", "-q", f"--object-format={form}", tmp_path / "repo", env=env)
    repo = Repo(tmp_path / "repo", dict(env))
    repo.commit("first")
    (tmp_path / "work").mkdir(mode=0o700)
    make: Callable[[str], OpenPgpIdentity | SshIdentity] = keychain.openpgp if kind == "openpgp" else keychain.ssh
    return Bench(repo, make("li-wei"), make("stranger"), tmp_path / "work")


def test_what_git_signs_is_good(bench: Bench) -> None:
    who = bench.signer
    if isinstance(who, OpenPgpIdentity):
        bench.repo.env["GNUPGHOME"] = str(who.home)
        options = ["-c", f"user.signingKey={who.fingerprint}"]
    else:
        options = ["-c", "gpg.format=ssh", "-c", f"user.signingKey={who.private}"]
    bench.repo.git(*options, "tag", "-s", "-m", "Release\n\n-----BEGIN PGP MESSAGE-----\nquoted", "v1")
    oid = bench.repo.git("rev-parse", "refs/tags/v1")
    assert isinstance(bench.judge(oid), SignatureFacts)
    unknown = bench.judge(oid, only=bench.other)
    assert isinstance(unknown, Problem)
    assert unknown.reason == "unknown-signer"


def test_what_was_made_by_hand_like_git_s_is_good(bench: Bench) -> None:
    for message in (b"", b"Release\n", b"\xff\xfe\n", b"-----BEGIN PGP MESSAGE-----\n", b"\x1b[31m\n"):
        payload = bench.payload(message)
        assert bench.reason(payload + bench.sign(payload)) == "ok"


def test_a_changed_byte(bench: Bench) -> None:
    payload = bench.payload()
    signature = bench.sign(payload)
    second = bench.repo.commit("second").encode()
    first = bench.repo.git("rev-parse", "HEAD^").encode()
    for changed in (
        payload.replace(b"Release", b"release"),
        payload.replace(first, second),
        payload.replace(b"tag v1", b"tag v2"),
        payload.replace(b"1760000000", b"1760000001"),
        payload + b"\n",
    ):
        assert changed != payload
        assert bench.reason(changed + signature) == "bad-signature"


def test_text_around_the_signature(bench: Bench) -> None:
    payload = bench.payload()
    signature = bench.sign(payload)
    assert bench.reason(payload + signature + b"and v2 too\n") == "trailing-data"
    assert bench.reason(payload + signature + b"-----BEGIN OPENTIMESTAMPS GIT TIMESTAMP-----\n") == "trailing-data"
    assert bench.reason(payload + signature + b"\n") == "trailing-data"
    assert bench.reason(payload + b"before\n" + signature) == "bad-signature"


def test_signed_again_by_another(bench: Bench) -> None:
    once = bench.payload()
    once += bench.sign(once)
    assert bench.reason(once + bench.sign(once, bench.other)) == "several-signatures"
    assert bench.reason(once + bench.sign(once)) == "several-signatures"


def test_signed_in_spite_of_a_hostile_header(bench: Bench) -> None:
    for line in (b"gpgsig x\n", b"gpgsig-sha256 -----BEGIN PGP SIGNATURE-----\n x\n", b"encoding utf-8\n"):
        payload = bench.payload().replace(b"\n\n", b"\n" + line + b"\n", 1)
        assert bench.reason(payload + bench.sign(payload)) == "injected-header"
    for old, new in (
        (b"tag v1\n", b"tag v1\ntag v2\n"),
        (b"tagger A <a@b> 1760000000 +0000\n", b""),
        (b"tagger A <a@b>", b"tagger A"),
    ):
        payload = bench.payload().replace(old, new, 1)
        assert bench.reason(payload + bench.sign(payload)) == "malformed"
    payload = bench.payload(b"Release\0hidden\n")
    assert bench.reason(payload + bench.sign(payload)) == "nul-byte"


def test_a_signature_moved_to_another_tag(bench: Bench) -> None:
    signature = bench.sign(bench.payload())
    assert bench.reason(bench.payload(name=b"v2") + signature) == "bad-signature"
    nested = bench.store(bench.payload() + signature).encode()
    outer = bench.payload().replace(bench.repo.git("rev-parse", "HEAD").encode(), nested).replace(b"commit", b"tag", 1)
    assert bench.reason(outer) == "unsigned"
    tag = parse_tag("0" * len(nested), outer)
    assert isinstance(tag, TagObject)
    assert tag.target_type == "tag"


def test_a_replaced_object_stays_what_it_is(bench: Bench) -> None:
    """refs/replace puts a signed object over an unsigned one: read by id with replace refs off, it is unsigned."""
    payload = bench.payload()
    signed, unsigned = bench.store(payload + bench.sign(payload)), bench.store(payload)
    bench.repo.git("update-ref", f"refs/replace/{unsigned}", signed)
    assert b"BEGIN" in bench.read(unsigned)
    bench.repo.env["GIT_NO_REPLACE_OBJECTS"] = "1"
    assert bench.judge(unsigned) is None
