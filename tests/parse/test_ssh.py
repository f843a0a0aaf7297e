import base64
import struct
from pathlib import Path

import pytest

from ptguard.model import Problem
from ptguard.parse.ssh import parse_public_key, parse_signature
from tests.support import KeyChain, run


def string(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


def line(kind: str, *fields: bytes) -> str:
    return f"{kind} {base64.b64encode(b''.join(string(f) for f in (kind.encode(), *fields))).decode()}"


def armored(blob: bytes) -> bytes:
    return b"-----BEGIN SSH SIGNATURE-----\n" + base64.encodebytes(blob) + b"-----END SSH SIGNATURE-----\n"


def problem(found: object) -> Problem:
    assert isinstance(found, Problem), found
    return found


ED25519 = line("ssh-ed25519", b"k" * 32)
KEY = base64.b64decode(ED25519.split()[1])
POINT = bytes.fromhex(  # the base point of P-256
    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)


def sshsig(
    key: bytes = KEY, namespace: bytes = b"git", digest: bytes = b"sha512", made: bytes = b"ssh-ed25519"
) -> bytes:
    signature = string(made) + string(b"s" * 64)
    return b"SSHSIG\0\0\0\1" + b"".join(string(f) for f in (key, namespace, b"", digest, signature))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("li-wei", ()),
        ("rsa", ("-t", "rsa", "-b", "2048")),
        ("p256", ("-t", "ecdsa", "-b", "256")),
        ("p384", ("-t", "ecdsa", "-b", "384")),
        ("p521", ("-t", "ecdsa", "-b", "521")),
    ],
)
def test_keys_and_fingerprints_are_ssh_keygen_s(keychain: KeyChain, name: str, options: tuple[str, ...]) -> None:
    identity = keychain.ssh(name, *options)
    shown = run("ssh-keygen", "-l", "-f", identity.private).stdout.split()[1]
    text = identity.private.with_suffix(".pub").read_text()
    assert len(text.split()) == 3
    assert parse_public_key(text) == (identity.public, shown)
    found = parse_signature(identity.sign(b"payload", "git"))
    assert found == (shown, "git", "SHA512")


@pytest.mark.parametrize(
    "text",
    [
        ED25519,
        f"  {ED25519}  a comment with words \n",
        line("sk-ssh-ed25519@openssh.com", b"k" * 32, b"ssh:"),
        line("sk-ecdsa-sha2-nistp256@openssh.com", b"nistp256", POINT, b"ssh:"),
        line("ssh-rsa", b"\1\0\1", b"\x80" + b"\0" * 255),
    ],
)
def test_other_lines_of_keys_are_read(text: str) -> None:
    found = parse_public_key(text)
    assert isinstance(found, tuple)
    assert found[0] == " ".join(text.split()[:2])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ssh-ed25519",
        "ssh-ed25519 ",
        "ssh-ed25519 !!!!",
        "ssh-ed25519 ключ",
        f"{ED25519[:-4]}",
        f"{ED25519}\n{ED25519}",
        f"{ED25519}\r{ED25519}",
        f"{ED25519} a\0b",
        f"cert-authority {ED25519}",
        f'namespaces="git" {ED25519}',
        f"* {ED25519}",
        f"# {ED25519}",
        ED25519.replace("ssh-ed25519", "ssh-rsa", 1),
        ED25519.split()[1],
        line("ssh-ed25519", b"k" * 31),
        line("ssh-ed25519", b"k" * 32, b"more"),
        line("ssh-ed25519"),
        line("ssh-dss", b"p", b"q", b"g", b"y"),
        line("ssh-rsa", b"\1\0\1", b"\x7f" + b"\0" * 255),
        line("ssh-rsa", b"\1\0\1"),
        line("ecdsa-sha2-nistp256", b"nistp384", b"\4" * 65),
        line("ecdsa-sha2-nistp256", b"nistp256", b"\4" * 64),
        line("sk-ssh-ed25519@openssh.com", b"k" * 32),
        line("sk-ssh-ed25519@openssh.com", b"k" * 32, b""),
        line("ssh-xmss@openssh.com", b"k" * 32),
        "ssh-ed25519 " + base64.b64encode(b"\xff\xff\xff\xff" + b"k" * 40).decode(),
    ],
)
def test_what_is_no_single_strong_key_is_refused(text: str) -> None:
    assert problem(parse_public_key(text)).reason == "malformed"


ORDER_8 = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
P = 2**255 - 19


@pytest.mark.parametrize(
    "y", [0, 1, P - 1, P, P + 1, int.from_bytes(ORDER_8, "little"), P - int.from_bytes(ORDER_8, "little")]
)
@pytest.mark.parametrize("sign", [0, 1 << 255])
def test_a_point_for_which_anybody_can_sign_is_no_key(y: int, sign: int) -> None:
    """ssh-keygen takes 1 and 32 zero bytes for a signature of whatever there is, by the key whose y is 1."""
    point = (y | sign).to_bytes(32, "little")
    assert "anybody can sign" in problem(parse_public_key(line("ssh-ed25519", point))).message
    assert "anybody" in problem(parse_public_key(line("sk-ssh-ed25519@openssh.com", point, b"ssh:"))).message
    fields = (
        string(b"ssh-ed25519") + string(point),
        b"git",
        b"",
        b"sha512",
        string(b"ssh-ed25519") + string(bytes(64)),
    )
    block = armored(b"SSHSIG\0\0\0\1" + b"".join(map(string, fields)))
    assert "anybody" in problem(parse_signature(block)).message
    near = ((y + 7) % 2**255 | sign).to_bytes(32, "little")
    assert isinstance(parse_public_key(line("ssh-ed25519", near)), tuple)


@pytest.mark.parametrize("bits", ["256", "384", "521"])
def test_a_point_that_is_not_on_its_curve_is_no_key(keychain: KeyChain, bits: str) -> None:
    """ssh-keygen takes no such key either, as a fuzzer found."""
    public = keychain.ssh(f"p{bits}", "-t", "ecdsa", "-b", bits).public
    assert isinstance(parse_public_key(public), tuple)
    kind, encoded = public.split()
    blob = base64.b64decode(encoded)
    for at in (-1, -len(blob) // 4, -int(bits) // 8 - 1):
        flipped = bytearray(blob)
        flipped[at] ^= 1
        found = problem(parse_public_key(f"{kind} {base64.b64encode(flipped).decode()}"))
        assert found.message == "the SSH key is cut or has more in it than a key"


def test_weak_kinds_are_named(keychain: KeyChain) -> None:
    weak = keychain.ssh("weak-rsa", "-t", "rsa", "-b", "1024")
    found = problem(parse_public_key(weak.public))
    assert (found.got, found.expected) == ("1024 bits", "at least 2048")


def test_a_certificate_has_its_own_reason(keychain: KeyChain, tmp_path: Path) -> None:
    authority, subject = keychain.ssh("authority"), keychain.ssh("certified")
    public = tmp_path / "id.pub"
    public.write_text(subject.public)
    run("ssh-keygen", "-q", "-s", authority.private, "-I", "li-wei", "-n", "li-wei", public)
    text = (tmp_path / "id-cert.pub").read_text()
    assert problem(parse_public_key(text)).reason == "certificate"
    blob = base64.b64decode(text.split()[1])
    assert problem(parse_signature(armored(sshsig(key=blob)))).reason == "certificate"


@pytest.mark.parametrize(
    ("namespace", "digest", "expected"),
    [
        (b"git", b"sha512", ("git", "SHA512")),
        (b"ptguard-smoke", b"sha256", ("ptguard-smoke", "SHA256")),
        (b"\xffx", b"sha512", ("\\xffx", "SHA512")),
    ],
)
def test_namespace_and_hash_are_read(namespace: bytes, digest: bytes, expected: tuple[str, str]) -> None:
    found = parse_signature(armored(sshsig(namespace=namespace, digest=digest)))
    assert isinstance(found, tuple)
    assert found[1:] == expected


@pytest.mark.parametrize(
    "block",
    [
        sshsig(digest=b"sha1"),
        sshsig(digest=b""),
        sshsig(digest=b"SHA512"),
        sshsig(key=base64.b64decode(line("ssh-rsa", b"\1\0\1", b"\x80" + b"\0" * 255).split()[1]), made=b"ssh-rsa"),
    ],
)
def test_weak_digests_are_refused(block: bytes) -> None:
    assert problem(parse_signature(armored(block))).reason == "weak-digest"


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n",
        b"text\n" + armored(sshsig()),
        armored(sshsig()) + b"text",
        armored(sshsig()) * 2,
        armored(sshsig()).replace(b"\n", b"\r\n"),
        armored(sshsig()).replace(b"U1NI", b"U1N?"),
        armored(sshsig()).replace(b"U1NI", b"U1N="),
        armored(b"SSHSIG\0\0\0\2" + sshsig()[10:]),
        armored(sshsig() + b"\0"),
        armored(sshsig() + string(b"more")),
        armored(sshsig()[:-1]),
        armored(sshsig(key=b"")),
        armored(sshsig(key=b"\xff")),
        armored(sshsig(key=KEY + b"\0")),
        armored(sshsig(key=string(b"ssh-dss") + string(b"p"))),
    ],
)
def test_a_block_that_is_not_well_formed_is_refused(block: bytes) -> None:
    assert problem(parse_signature(block)).reason == "malformed"
