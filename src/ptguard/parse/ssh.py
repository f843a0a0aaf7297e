"""SSH public keys and signatures: the wire forms of RFC 4253 and OpenSSH's PROTOCOL.sshsig.

Nothing is verified here; but what a signature says of itself (its key, namespace and hash) is read first, so that
a foreign key, a wrong namespace and a certificate each get their own reason and ssh-keygen only the last word.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ptguard.model import Problem
from ptguard.text import shown

_CERTIFICATE = "-cert-v01@openssh.com"
_MAX_BLOB = 1 << 16

# Kind of key -> curve name where the blob has one, and the lengths of the fields behind it (None: free, see below).
_CURVES: Mapping[str, tuple[bytes, int]] = {
    "ecdsa-sha2-nistp256": (b"nistp256", 65),
    "ecdsa-sha2-nistp384": (b"nistp384", 97),
    "ecdsa-sha2-nistp521": (b"nistp521", 133),
    "sk-ecdsa-sha2-nistp256@openssh.com": (b"nistp256", 65),
}
# y² = x³ - 3x + b modulo p (NIST SP 800-186, section 3.2.1): p and b of each curve.
_EQUATIONS: Mapping[bytes, tuple[int, int]] = {
    b"nistp256": (
        2**256 - 2**224 + 2**192 + 2**96 - 1,
        0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    ),
    b"nistp384": (
        2**384 - 2**128 - 2**96 + 2**32 - 1,
        int("b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef", 16),
    ),
    b"nistp521": (
        2**521 - 1,
        int(
            "51953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df"
            "883d2c34f1ef451fd46b503f00",
            16,
        ),
    ),
}
_ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
"""The y of a point of edwards25519 that gives nothing when it is added up eight times; p less it is another's."""
_EDWARDS = ("ssh-ed25519", "sk-ssh-ed25519@openssh.com")
KINDS = ("ssh-rsa", *_EDWARDS, *_CURVES)
_RSA_BITS = 2048

_ARMOR = re.compile(
    rb"-----BEGIN SSH SIGNATURE-----\n(?P<body>(?:[A-Za-z0-9+/]{1,76}={0,2}\n)+)-----END SSH SIGNATURE-----\n?"
)
_HASHES = ("sha256", "sha512")


class SshSignature(NamedTuple):
    """What a signature says of itself: its key (``SHA256:…``), its namespace, and its hash in upper case."""

    fingerprint: str
    namespace: str
    digest: str


def _malformed(message: str, got: str | None = None, expected: str | None = None) -> Problem:
    return Problem("malformed", message, got, expected)


def fingerprint_of(blob: bytes) -> str:
    """Give the fingerprint of a public key's wire form as ``ssh-keygen -l`` shows it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def parse_public_key(text: str) -> tuple[str, str] | Problem:
    """Give ``<type> <base64>`` without the comment, and the fingerprint, of one line of an OpenSSH public key file.

    Refused are options, certificates, several lines, weak kinds (DSA, RSA under 2048 bits), and a line whose
    base64 is another kind of key than its first word says.
    """
    line = text.strip()
    if any(ord(char) < 32 or ord(char) == 127 for char in line):
        return _malformed("an SSH public key is one line without control characters", shown(text, 60))
    kind, _, rest = line.partition(" ")
    encoded, _, _ = rest.lstrip(" ").partition(" ")
    problem = _kind_problem(kind)
    if problem is not None:
        return problem
    try:
        blob = base64.b64decode(encoded.encode("ascii", "replace"), validate=True)
    except binascii.Error:
        blob = b""
    if not blob or len(blob) > _MAX_BLOB or base64.b64encode(blob).decode() != encoded:
        return _malformed("the second word of an SSH public key is its base64", shown(encoded, 60))
    problem = _blob_problem(blob, kind)
    return problem if problem is not None else (f"{kind} {encoded}", fingerprint_of(blob))


def _kind_problem(kind: str) -> Problem | None:
    if kind.endswith(_CERTIFICATE):
        return Problem("certificate", "an SSH certificate is not a key", shown(kind, 60), "the plain public key")
    if kind == "ssh-dss":
        return _malformed("a DSA key is too weak", kind, "ssh-ed25519")
    if kind not in KINDS:
        return _malformed("no SSH public key (options are not allowed)", shown(kind, 60), f"one of {', '.join(KINDS)}")
    return None


def _strings(data: bytes, most: int = 8) -> Sequence[bytes] | None:
    """Give the length-prefixed strings that ``data`` is made of (RFC 4251, section 5), or None if it is not."""
    found: list[bytes] = []
    at = 0
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "big")
        if end > len(data) or at + 4 > len(data) or len(found) == most:
            return None
        found.append(data[at + 4 : end])
        at = end
    return found


def _blob_problem(blob: bytes, kind: str) -> Problem | None:
    """Judge the wire form of a public key against the kind that it is said to be."""
    fields = _strings(blob)
    if not fields or fields[0] != kind.encode():
        return _malformed("the SSH key is not of the kind that it names", shown((fields or [blob])[0], 60), kind)
    rest = list(fields[1:])
    if kind.startswith("sk-") and not (rest and rest.pop()):  # the application, "ssh:" as a rule
        return _malformed("the SSH security key names no application")
    if kind == "ssh-rsa":
        if len(rest) != 2:
            return _malformed("the SSH key is cut or has more in it than a key")
        bits = int.from_bytes(rest[1], "big").bit_length()
        return (
            _malformed("the RSA key is too weak", f"{bits} bits", f"at least {_RSA_BITS}") if bits < _RSA_BITS else None
        )
    if kind in _EDWARDS:
        fits = [len(field) for field in rest] == [32]
        if fits and _anybody_s(rest[0]):
            return _malformed("the Ed25519 key is no key: anybody can sign for it", shown(rest[0].hex()), "ssh-ed25519")
    else:
        curve, length = _CURVES[kind]
        fits = len(rest) == 2 and rest[0] == curve and len(rest[1]) == length and _on_curve(rest[1], curve)
    return None if fits else _malformed("the SSH key is cut or has more in it than a key")


def _anybody_s(point: bytes) -> bool:
    """Tell whether ``point`` has no order to speak of (RFC 7748, section 7); ssh-keygen takes it for a key.

    Whatever was signed, and by nobody, a signature can be made up for it that verifies.
    """
    p = 2**255 - 19
    y = (int.from_bytes(point, "little") & (2**255 - 1)) % p
    return y in (0, 1, p - 1, _ORDER_8, p - _ORDER_8)


def _on_curve(point: bytes, curve: bytes) -> bool:
    """Tell whether ``point``, uncompressed (SEC 1, section 2.3.3), is one of ``curve``; ssh-keygen takes no other."""
    p, b = _EQUATIONS[curve]
    half = len(point) // 2
    x, y = (int.from_bytes(part, "big") for part in (point[1 : half + 1], point[half + 1 :]))
    return point[0] == 4 and x < p and y < p and (y * y - x**3 + 3 * x - b) % p == 0


def parse_signature(armored: bytes) -> SshSignature | Problem:
    """Give what the armored signature says of itself (PROTOCOL.sshsig); whether that is true, ssh-keygen tells."""
    match = _ARMOR.fullmatch(armored)
    if match is None:
        return _malformed("no well-formed SSH signature block", shown(armored, 60))
    try:
        blob = base64.b64decode(match["body"].translate(None, b"\n"), validate=True)
    except binascii.Error:
        return _malformed("the SSH signature is no base64")
    fields = _strings(blob[10:]) if blob[:10] == b"SSHSIG\x00\x00\x00\x01" else None
    if fields is None or len(fields) != 5:
        return _malformed("the block holds no SSH signature of version 1")
    key, namespace, _, digest, signature = fields
    # A certificate has numbers among its strings: only its first one can be read in the same way.
    kind = key[4 : 4 + int.from_bytes(key[:4], "big")].decode("utf-8", "backslashreplace")
    problem = _kind_problem(kind) or _blob_problem(key, kind) or _made_with_problem(digest, signature)
    if problem is not None:
        return problem
    shown_namespace = namespace.decode("utf-8", "backslashreplace")
    return SshSignature(fingerprint_of(key), shown_namespace, digest.decode().upper())


def _made_with_problem(digest: bytes, signature: bytes) -> Problem | None:
    """Refuse a hash that is not in PROTOCOL.sshsig, and RSA's old signatures, which are over SHA-1."""
    if digest.decode("utf-8", "backslashreplace") not in _HASHES:
        return Problem("weak-digest", "the SSH signature is made over an unknown hash", shown(digest, 40), "SHA512")
    length = int.from_bytes(signature[:4], "big")
    made_with = signature[4 : 4 + length]
    if made_with in (b"ssh-rsa", b"ssh-dss"):
        return Problem("weak-digest", "the SSH signature is made with SHA-1", shown(made_with), "rsa-sha2-512")
    return None
