"""What the user's own key signed, ssh-keygen and gpg verify; record and signature are there together or not at all."""

import subprocess
from pathlib import Path

import pytest

from ptguard.errors import ToolFailedError, UsageError
from ptguard.parse.smoke import pae
from ptguard.smoke.sign import SigningKey, choose, publish, sign
from tests.smoke.records import record_bytes
from tests.support import KeyChain, run

PAYLOAD = record_bytes()


def ssh_verifies(folder: Path, public: str, signature: Path, message: bytes, namespace: str = "ptguard-smoke") -> bool:
    allowed = folder / "allowed"
    allowed.write_text(f"runner {public}\n")
    argv = ["ssh-keygen", "-Y", "verify", "-f", str(allowed), "-I", "runner", "-n", namespace, "-s", str(signature)]
    return run(*argv, stdin=message, check=False).returncode == 0


def gpg_verifies(home: Path, signature: Path, message: bytes) -> bool:
    argv = ["gpg", "--homedir", str(home), "--batch", "--verify", str(signature), "-"]
    return subprocess.run(argv, input=message, capture_output=True, check=False).returncode == 0


def unset(_: str) -> str | None:
    return None


def test_ssh_signs_the_record_in_its_own_namespace(tmp_path: Path, keychain: KeyChain) -> None:
    identity = keychain.ssh("gpu")
    for name in (identity.private, identity.private.with_suffix(".pub")):
        key = choose(str(name), unset)
        assert (key.kind, key.suffix) == ("ssh", ".sig")
        assert key.fingerprint == run("ssh-keygen", "-lf", identity.private).stdout.split()[1]
        signature = publish(tmp_path / "x.json", PAYLOAD, key, sign(key, PAYLOAD))
        assert signature == tmp_path / "x.json.sig"
        record = (tmp_path / "x.json").read_bytes()
        assert ssh_verifies(tmp_path, identity.public, signature, pae(record))
        assert not ssh_verifies(tmp_path, identity.public, signature, record)
        assert not ssh_verifies(tmp_path, identity.public, signature, pae(record), "git")
        assert not ssh_verifies(tmp_path, identity.public, signature, pae(record + b" "))
        assert not ssh_verifies(tmp_path, keychain.ssh("other").public, signature, pae(record))


def test_openpgp_signs_with_sha512(tmp_path: Path, keychain: KeyChain, monkeypatch: pytest.MonkeyPatch) -> None:
    identity = keychain.openpgp("gpu")
    monkeypatch.setenv("GNUPGHOME", str(identity.home))
    for name in (identity.fingerprint, identity.fingerprint.lower(), f"0x{identity.fingerprint}"):
        key = choose(name, unset)
        assert (key.kind, key.suffix, key.fingerprint) == ("openpgp", ".asc", identity.fingerprint)
    signature = publish(tmp_path / "x.json", PAYLOAD, key, sign(key, PAYLOAD))
    assert signature == tmp_path / "x.json.asc"
    record = (tmp_path / "x.json").read_bytes()
    assert gpg_verifies(identity.home, signature, pae(record))
    assert not gpg_verifies(identity.home, signature, record)
    assert not gpg_verifies(identity.home, signature, pae(record + b" "))
    packets = run("gpg", "--list-packets", signature).stdout
    assert "digest algo 10" in packets


def test_git_s_own_key_is_the_default(keychain: KeyChain, monkeypatch: pytest.MonkeyPatch) -> None:
    ssh, pgp = keychain.ssh("gpu"), keychain.openpgp("gpu")
    monkeypatch.setenv("GNUPGHOME", str(pgp.home))
    as_file = {"gpg.format": "ssh", "user.signingkey": str(ssh.private)}
    assert choose(None, as_file.get).kind == "ssh"
    for literal in (ssh.public, f"key::{ssh.public}"):
        key = choose(None, {**as_file, "user.signingkey": literal}.get)
        assert key.public == ssh.public
        assert key.fingerprint == choose(None, as_file.get).fingerprint
    for name in (pgp.fingerprint, pgp.fingerprint[-16:], "gpu@example.com"):
        assert choose(None, {"user.signingkey": name}.get).fingerprint == pgp.fingerprint
    assert choose(str(ssh.private), {"user.signingkey": pgp.fingerprint}.get).kind == "ssh"


def test_a_key_that_only_an_agent_has(keychain: KeyChain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ssh = keychain.ssh("gpu")
    socket = keychain.root / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.PIPE) as agent:
        try:
            assert agent.stdout is not None
            agent.stdout.readline()
            monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
            run("ssh-add", "-q", ssh.private, env={"SSH_AUTH_SOCK": str(socket), "PATH": "/usr/bin:/bin"})
            key = choose(None, {"gpg.format": "ssh", "user.signingkey": f"key::{ssh.public}"}.get)
            signature = publish(tmp_path / "x.json", PAYLOAD, key, sign(key, PAYLOAD))
        finally:
            agent.terminate()
    assert ssh_verifies(tmp_path, ssh.public, signature, pae(PAYLOAD))


@pytest.mark.parametrize(
    ("named", "config", "words"),
    [
        (None, {}, "no key to sign the record with"),
        (None, {"user.signingkey": ""}, "no key to sign the record with"),
        (None, {"user.signingkey": "x", "gpg.format": "x509"}, "git signs with x509"),
        (None, {"user.signingkey": "nobody@example.com"}, "gpg has no secret key"),
        ("A" * 40, {}, "gpg has no secret key"),
        ("ABCD1234ABCD1234", {}, "neither the file"),
        ("nobody@example.com", {}, "neither the file"),
        ("/etc/hostname", {}, "is no SSH key"),
        ("/no/such/file", {}, "neither the file"),
        (None, {"user.signingkey": "key::nonsense", "gpg.format": "ssh"}, "is no SSH key"),
    ],
)
def test_no_key_is_refused_in_clear_words(named: str | None, config: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        choose(named, config.get)
    assert words in caught.value.message
    assert caught.value.fix


def test_two_keys_of_one_name_are_not_clear(keychain: KeyChain, monkeypatch: pytest.MonkeyPatch) -> None:
    identity = keychain.openpgp("twin")
    monkeypatch.setenv("GNUPGHOME", str(identity.home))
    words = ["gpg", "--batch", "--passphrase", "", "--quick-generate-key", "twin two <twin@example.com>", "ed25519"]
    run(*words, "sign", "0")
    with pytest.raises(UsageError, match="names 2 keys"):
        choose(None, {"user.signingkey": "twin@example.com"}.get)


# --------------------------------------------------------------------------------------------- failing


def test_a_key_that_cannot_sign_leaves_nothing(tmp_path: Path, keychain: KeyChain) -> None:
    public = tmp_path / "only.pub"
    public.write_text(keychain.ssh("lone").public + "\n")
    keychain.ssh("lone")
    key = choose(str(public), unset)
    with pytest.raises(ToolFailedError, match="did not sign"):
        sign(key, PAYLOAD)


def test_a_program_that_signs_with_another_key_is_found_out(tmp_path: Path, keychain: KeyChain) -> None:
    other = choose(str(keychain.ssh("other").private), unset)
    lying = SigningKey("ssh", str(keychain.ssh("gpu").private), other.fingerprint)
    with pytest.raises(ToolFailedError, match="with another key"):
        sign(lying, PAYLOAD)


def test_gpg_that_says_nothing_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for script in ("cat > /dev/null; echo '-----BEGIN PGP SIGNATURE-----'", "exit 2"):
        (tmp_path / "gpg").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "gpg").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        with pytest.raises(ToolFailedError, match="gpg did not sign"):
            sign(SigningKey("openpgp", "A" * 40, "A" * 40), PAYLOAD)


KEY = SigningKey("ssh", "k", "SHA256:k")


def test_record_and_signature_come_together(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "x.json"
    old = path.with_name("x.json.asc")
    publish(path, b"old", SigningKey("openpgp", "k", "k"), b"old signature")
    assert old.exists()
    publish(path, b"{}\n", KEY, b"signature")
    assert sorted(p.name for p in path.parent.iterdir()) == ["x.json", "x.json.sig"]
    assert (path.read_bytes(), path.with_name("x.json.sig").read_bytes()) == (b"{}\n", b"signature")
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("blocked", ["x.json", "x.json.sig", "x.json.asc"])
def test_or_not_at_all(tmp_path: Path, blocked: str) -> None:
    (tmp_path / blocked / "full").mkdir(parents=True)
    with pytest.raises(ToolFailedError, match="cannot be written"):
        publish(tmp_path / "x.json", b"{}\n", KEY, b"signature")
    assert [p.name for p in tmp_path.iterdir()] == [blocked]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ToolFailedError, match="cannot be written"):
        publish(tmp_path / "file" / "x.json", b"{}\n", KEY, b"signature")
