"""OpenPGP keys and signatures as gpg would not make them: Ed25519 (RFC 8032) in numbers, packets by hand (RFC 4880).

Slow, and not for secrets. EdDSA keys are those of draft-ietf-openpgp-rfc4880bis, algorithm 22, as gpg has them.
"""

import hashlib
import struct

from tests.armor import packet

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
Point = tuple[int, int, int, int]
BASE_Y = 4 * pow(5, P - 2, P) % P
BASE_X = 15112221349535400772501151409588531511454012693041857206046113283949847762202
BASE: Point = (BASE_X, BASE_Y, 1, BASE_X * BASE_Y % P)
OID = bytes.fromhex("092b06010401da470f01")
DIGESTS = {2: "sha1", 8: "sha256", 10: "sha512"}


def _add(one: Point, two: Point) -> Point:
    a, b = (one[1] - one[0]) * (two[1] - two[0]) % P, (one[1] + one[0]) * (two[1] + two[0]) % P
    c, d = 2 * one[3] * two[3] * D % P, 2 * one[2] * two[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(number: int, point: Point) -> bytes:
    found: Point = (0, 1, 1, 0)
    while number:
        if number & 1:
            found = _add(found, point)
        point, number = _add(point, point), number >> 1
    inverse = pow(found[2], P - 2, P)
    x, y = found[0] * inverse % P, found[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _mpi(data: bytes) -> bytes:
    number = int.from_bytes(data, "big")
    return struct.pack(">H", number.bit_length()) + number.to_bytes((number.bit_length() + 7) // 8, "big")


def subpacket(kind: int, data: bytes, *, critical: bool = False) -> bytes:
    """Give one signature subpacket (RFC 4880, section 5.2.3.1)."""
    size = len(data) + 1
    length = bytes([size]) if size < 192 else b"\xff" + struct.pack(">I", size)
    return length + bytes([kind | critical << 7]) + data


def moment(when: int) -> bytes:
    """Give a time, or a number of seconds, in four octets."""
    return struct.pack(">I", when)


def flags(number: int) -> bytes:
    """Give what a key may be used for: 1 certify, 2 sign, 12 encrypt, 32 authenticate."""
    return subpacket(27, bytes([number]))


class Ed25519:
    """A key pair worked out from ``seed``; ``public`` is its point."""

    def __init__(self, seed: bytes) -> None:
        """Work it out (RFC 8032, section 5.1.5)."""
        digest = hashlib.sha512(seed).digest()
        self._secret = int.from_bytes(digest[:32], "little") & ((1 << 254) - 8) | 1 << 254
        self._prefix = digest[32:]
        self.public = _times(self._secret, BASE)

    def sign(self, data: bytes) -> bytes:
        """Give the signature of ``data``, 64 bytes."""
        nonce = int.from_bytes(hashlib.sha512(self._prefix + data).digest(), "little") % ORDER
        point = _times(nonce, BASE)
        challenge = int.from_bytes(hashlib.sha512(point + self.public + data).digest(), "little")
        return point + ((nonce + challenge * self._secret) % ORDER).to_bytes(32, "little")


class Key:
    """A version 4 key made from ``seed``, which began at ``created`` (seconds since 1970)."""

    def __init__(self, seed: bytes, created: int) -> None:
        """Work the key out."""
        self._pair = Ed25519(seed)
        self.created = created
        self.body = b"\x04" + moment(created) + b"\x16" + OID + _mpi(b"\x40" + self._pair.public)
        self.hashed = b"\x99" + struct.pack(">H", len(self.body)) + self.body
        self.fingerprint = hashlib.sha1(self.hashed).digest()
        self.id = self.fingerprint[-8:]

    def _sign(self, digest: bytes) -> bytes:
        made = self._pair.sign(digest)
        return digest[:2] + _mpi(made[:32]) + _mpi(made[32:])

    def signature(self, kind: int, data: bytes, *hashed: bytes, beside: bytes | None = None, digest: int = 8) -> bytes:
        """Give the body of a version 4 signature of type ``kind`` over ``data``; ``beside``: what is not hashed."""
        inner = b"".join(hashed)
        head = b"\x04" + bytes([kind, 22, digest]) + struct.pack(">H", len(inner)) + inner
        made = hashlib.new(DIGESTS[digest], data + head + b"\x04\xff" + moment(len(head)))
        outer = subpacket(16, self.id) if beside is None else beside
        return head + struct.pack(">H", len(outer)) + outer + self._sign(made.digest())

    def old_signature(self, kind: int, data: bytes, when: int) -> bytes:
        """Give the body of a version 3 signature (RFC 4880, section 5.2.2)."""
        trailer = bytes([kind]) + moment(when)
        digest = hashlib.sha256(data + trailer).digest()
        return b"\x03\x05" + trailer + self.id + bytes([22, 8]) + self._sign(digest)

    def named(self, name: bytes, *hashed: bytes) -> bytes:
        """Give a user id with its self-signature."""
        data = self.hashed + b"\xb4" + moment(len(name)) + name
        made = self.signature(0x13, data, subpacket(2, moment(self.created)), *hashed)
        return packet(13, name) + packet(2, made)

    def bound(self, sub: "Key", *hashed: bytes, crossed: bool = True) -> bytes:
        """Give the subkey ``sub`` with the signature that binds it; ``crossed``: it says so too (section 0x19)."""
        data, when = self.hashed + sub.hashed, subpacket(2, moment(sub.created))
        back = (subpacket(32, sub.signature(0x19, data, when)),) if crossed else ()
        return packet(14, sub.body) + packet(2, self.signature(0x18, data, when, *hashed, *back))

    def revoked(self, sub: "Key | None" = None) -> bytes:
        """Give the revocation of this key, or of its subkey ``sub``, as compromised."""
        kind, data = (0x20, self.hashed) if sub is None else (0x28, self.hashed + sub.hashed)
        return packet(2, self.signature(kind, data, subpacket(2, moment(self.created + 9)), subpacket(29, b"\x02x")))

    def public(self, *rest: bytes) -> bytes:
        """Give a key file."""
        return packet(6, self.body) + b"".join(rest)
