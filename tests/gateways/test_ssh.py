import base64
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ptguard.errors import ToolFailedError, ToolMissingError
from ptguard.gateways.ssh import verify
from ptguard.model import Problem, SignatureFacts, SshKey, Status
from ptguard.parse.ssh import parse_public_key
from tests.handmade import Ed25519
from tests.support import KeyChain, SshIdentity, run

TAG = b"object %s\ntype commit\ntag v1\ntagger A <a@b> 1700000000 +0000\n\nRelease\n" % (b"a" * 40)
PAYLOAD = b"object 0000\ntype commit\n\nRelease \xff\r\n"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    path = tmp_path / "ssh"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def bot(keychain: KeyChain) -> SshIdentity:
    return keychain.ssh("release-bot")


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Put an ssh-keygen on PATH that is a shell script; in it, "$real" is the real one."""

    def put(script: str) -> None:
        bin_ = tmp_path / "bin"
        bin_.mkdir()
        (bin_ / "ssh-keygen").write_text(f"#!/bin/sh\nreal={shutil.which('ssh-keygen')}\n{script}\n")
        (bin_ / "ssh-keygen").chmod(0o755)
        monkeypatch.setenv("PATH", f"{bin_}{os.pathsep}{os.environ['PATH']}")

    return put


def key(identity: SshIdentity) -> SshKey:
    parsed = parse_public_key(identity.public)
    assert isinstance(parsed, tuple)
    return SshKey(parsed[1], parsed[0])


def refused(found: SignatureFacts | Problem) -> str:
    assert isinstance(found, Problem), found
    return found.reason


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("release-bot", ()),
        ("rsa", ("-t", "rsa", "-b", "2048")),
        ("p256", ("-t", "ecdsa", "-b", "256")),
        ("p521", ("-t", "ecdsa", "-b", "521")),
    ],
)
@pytest.mark.parametrize("namespace", ["git", "ptguard-smoke"])
def test_a_good_signature(work: Path, keychain: KeyChain, name: str, options: tuple[str, ...], namespace: str) -> None:
    identity = keychain.ssh(name, *options)
    keys = [key(keychain.ssh("li-wei")), key(identity)]
    found = verify(work, keys, PAYLOAD, identity.sign(PAYLOAD, namespace), namespace)
    assert found == SignatureFacts("ssh", key(identity).fingerprint, "SHA512", None)


def of_a_security_key(app: bytes, touched: int, *more: bytes) -> tuple[SshKey, bytes]:
    """Give a security key (PROTOCOL.u2f) made for ``ssh:``, and its signature for ``app``, with the flag of a touch."""
    pair, kind = Ed25519(b"security key"), b"sk-ssh-ed25519@openssh.com"

    def strings(*parts: bytes) -> bytes:
        return b"".join(len(part).to_bytes(4, "big") + part for part in parts)

    blob = strings(kind, pair.public, b"ssh:")
    parsed = parse_public_key(f"{kind.decode()} {base64.b64encode(blob).decode()}")
    assert isinstance(parsed, tuple)
    covered = b"SSHSIG" + strings(b"git", b"", b"sha512", hashlib.sha512(TAG).digest())
    said = bytes([touched]) + (7).to_bytes(4, "big")
    made = pair.sign(hashlib.sha256(app).digest() + said + hashlib.sha256(covered).digest())
    signature = strings(kind, made) + said + b"".join(more)
    data = b"SSHSIG\0\0\0\1" + strings(blob, b"git", b"", b"sha512", signature)
    armored = b"-----BEGIN SSH SIGNATURE-----\n" + base64.encodebytes(data) + b"-----END SSH SIGNATURE-----\n"
    return SshKey(parsed[1], parsed[0]), armored


@pytest.mark.parametrize("touched", [0, 1, 5])
def test_a_security_key_signs_touched_or_not(work: Path, touched: int, env: dict[str, str]) -> None:
    """As git has it: the flag is covered by the signature, and ssh-keygen -Y verify does not ask for it."""
    key, armored = of_a_security_key(b"ssh:", touched)
    found = verify(work, [key], TAG, armored, "git")
    assert isinstance(found, SignatureFacts) and found.fingerprint == key.fingerprint
    run("git", "init", "-q", "--bare", work / "repo", env=env)
    tag = ("hash-object", "-t", "tag", "-w", "--stdin", "--literally")
    oid = run("git", "-C", work / "repo", *tag, env=env, stdin=TAG + armored).stdout.strip()
    (work / "signers").write_text(f'x namespaces="git" {key.public_key}\n')
    signers = f"gpg.ssh.allowedSignersFile={work / 'signers'}"
    run("git", "-C", work / "repo", "-c", signers, "verify-tag", oid, env=env)


def test_a_security_key_signs_for_its_own_application_and_nothing_more(work: Path) -> None:
    for app, more in ((b"ssh:other", ()), (b"ssh:", (b"x",))):
        key, armored = of_a_security_key(app, 1, *more)
        assert refused(verify(work, [key], TAG, armored, "git")) == "bad-signature"


@pytest.mark.parametrize("payload", [PAYLOAD + b"\n", PAYLOAD[:-1], PAYLOAD.replace(b"R", b"r"), b""])
def test_a_changed_byte_is_found(work: Path, bot: SshIdentity, payload: bytes) -> None:
    assert refused(verify(work, [key(bot)], payload, bot.sign(PAYLOAD, "git"), "git")) == "bad-signature"


def test_a_key_that_is_not_in_the_policy(work: Path, keychain: KeyChain, bot: SshIdentity) -> None:
    armored = bot.sign(PAYLOAD, "git")
    for keys in ([], [key(keychain.ssh("li-wei"))]):
        found = verify(work, keys, PAYLOAD, armored, "git")
        assert refused(found) == "unknown-signer"
        assert key(bot).fingerprint in str(found)


def test_allowed_signers_of_the_user_or_the_repository_play_no_part(
    work: Path, keychain: KeyChain, bot: SshIdentity, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / "allowed_signers", tmp_path / ".git-allowed", work / "allowed"):
        path.write_text(f'* namespaces="git" {bot.public}\n')
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "gpg.ssh.allowedSignersFile")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(tmp_path / "allowed_signers"))
    found = verify(work, [key(keychain.ssh("li-wei"))], PAYLOAD, bot.sign(PAYLOAD, "git"), "git")
    assert refused(found) == "unknown-signer"


@pytest.mark.parametrize(("made", "asked"), [("file", "git"), ("ptguard-smoke", "git"), ("git", "ptguard-smoke")])
def test_a_signature_for_another_purpose(work: Path, bot: SshIdentity, made: str, asked: str) -> None:
    assert refused(verify(work, [key(bot)], PAYLOAD, bot.sign(PAYLOAD, made), asked)) == "wrong-namespace"


def test_ssh_keygen_too_holds_to_the_namespace(work: Path, bot: SshIdentity) -> None:
    """The namespace in the block is covered by the signature: changing it there changes nothing for the better."""
    armored = bot.sign(PAYLOAD, "tig")
    swapped = _respelled(armored, b"\0\0\0\3tig", b"\0\0\0\3git")
    assert refused(verify(work, [key(bot)], PAYLOAD, swapped, "git")) == "bad-signature"


def test_a_signature_with_another_s_key_in_it(work: Path, keychain: KeyChain, bot: SshIdentity) -> None:
    """Whoever puts the policy's key into his own signature has still not signed with it."""
    stranger = keychain.ssh("stranger")
    blobs = [base64.b64decode(i.public.split()[1]) for i in (stranger, bot)]
    swapped = _respelled(stranger.sign(PAYLOAD, "git"), *blobs)
    assert refused(verify(work, [key(bot)], PAYLOAD, swapped, "git")) == "bad-signature"


def _respelled(armored: bytes, old: bytes, new: bytes) -> bytes:
    blob = base64.b64decode(b"".join(armored.splitlines()[1:-1]))
    assert old in blob
    body = base64.encodebytes(blob.replace(old, new))
    return b"-----BEGIN SSH SIGNATURE-----\n" + body + b"-----END SSH SIGNATURE-----\n"


@pytest.mark.parametrize("armored", [b"", b"-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n"])
def test_what_is_no_signature(work: Path, bot: SshIdentity, armored: bytes) -> None:
    assert refused(verify(work, [key(bot)], PAYLOAD, armored, "git")) == "malformed"


def test_ssh_keygen_not_installed(
    work: Path, bot: SshIdentity, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    armored = bot.sign(PAYLOAD, "git")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissingError) as caught:
        verify(work, [key(bot)], PAYLOAD, armored, "git")
    assert caught.value.fix == "apt-get install openssh-client"


@pytest.mark.parametrize(
    "script",
    [
        "exit 0 # did not name the key",
        "cat >/dev/null; echo 'Good \"git\" signature for li-wei with ED25519 key SHA256:x' # did not name the key",
        '"$real" "$@"; echo more # did not name the key',
        "echo 'unknown option -- Y' >&2; exit 1 # older than OpenSSH 8.0",
        "sleep 600 # in time",
        "yes # more than",
        "kill -9 $$ # signal 9",
    ],
)
def test_an_ssh_keygen_that_cannot_be_trusted(
    work: Path, bot: SshIdentity, stand_in: Callable[[str], None], script: str
) -> None:
    armored = bot.sign(PAYLOAD, "git")
    act, _, words = script.partition(" # ")
    stand_in(act)
    with pytest.raises(ToolFailedError, match=words):
        verify(work, [key(bot)], PAYLOAD, armored, "git", timeout=0.5 if words == "in time" else 120)


def test_an_ssh_keygen_that_fails_refuses(work: Path, bot: SshIdentity, stand_in: Callable[[str], None]) -> None:
    armored = bot.sign(PAYLOAD, "git")
    stand_in('"$real" "$@"; exit 255')
    assert refused(verify(work, [key(bot)], PAYLOAD, armored, "git")) == "bad-signature"


def test_a_kind_of_key_that_ssh_keygen_does_not_know(
    work: Path, bot: SshIdentity, stand_in: Callable[[str], None]
) -> None:
    armored = bot.sign(PAYLOAD, "git")
    stand_in("echo 'unknown or unsupported key type' >&2; exit 255")
    found = verify(work, [key(bot)], PAYLOAD, armored, "git")
    assert isinstance(found, Problem)
    assert (found.reason, found.status) == ("key-unavailable", Status.ERROR)
    assert "apt-get install openssh-client" in (found.fix or "")


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path, bot: SshIdentity) -> None:
    with pytest.raises(ToolFailedError, match="cannot be written"):
        verify(tmp_path / "absent", [key(bot)], PAYLOAD, bot.sign(PAYLOAD, "git"), "git")


def test_a_user_without_a_name_is_not_a_bad_signature(
    work: Path, bot: SshIdentity, stand_in: Callable[[str], None]
) -> None:
    """As ssh-keygen says it in a container that runs under any number."""
    signed = bot.sign(PAYLOAD, "git")
    stand_in("echo 'No user exists for uid 4242' >&2; exit 255")
    with pytest.raises(ToolFailedError, match="does not work here: No user exists for uid 4242") as error:
        verify(work, [key(bot)], PAYLOAD, signed, "git")
    assert f"git:x:{os.getuid()}:" in (error.value.fix or "")
