"""OpenPGP armor and packet headers (RFC 9580, RFC 4880), as far as they must be known before gpg sees them.

Nothing is verified here. These readers make sure that what gpg is given is one signature or plain public keys and
nothing more, in binary, so that no armor parser but this one decides where a block begins and ends.
"""

import base64
import functools
import hashlib
import re
from collections.abc import Sequence
from typing import Literal

from ptguard.model import Problem
from ptguard.text import shown
from ptguard.value import value

SIGNATURE, SECRET_KEY, PUBLIC_KEY, SECRET_SUBKEY, PUBLIC_SUBKEY = 2, 5, 6, 7, 14
_NAMES = {
    1: "an encrypted session key",
    2: "a signature",
    3: "an encrypted session key",
    4: "a one-pass signature",
    5: "a secret key",
    6: "a public key",
    7: "a secret subkey",
    8: "compressed data",
    9: "encrypted data",
    11: "literal data",
    13: "a user id",
    14: "a public subkey",
    18: "encrypted data",
}
# Beside keys: signatures, user ids, attributes, and what may be ignored (marker, trust, padding).
_IN_KEY_FILES = frozenset({PUBLIC_KEY, PUBLIC_SUBKEY, SIGNATURE, 13, 17, 10, 12, 21})

_ARMOR = re.compile(
    rb"-----BEGIN (?P<label>PGP [A-Z ]{3,40})-----[ \t]*\n"
    rb"(?:[A-Za-z][A-Za-z0-9-]*:[^\n]*\n)*"
    rb"[ \t]*\n"
    rb"(?P<body>(?:[A-Za-z0-9+/]{1,76}={0,2}[ \t]*\n)+)"
    rb"(?:=(?P<crc>[A-Za-z0-9+/]{4})[ \t]*\n)?"
    rb"-----END (?P=label)-----[ \t]*\n?"
)

Label = Literal["PGP SIGNATURE", "PGP PUBLIC KEY BLOCK"]


@value
class Packet:
    """One packet: its type id (RFC 9580, section 5) and its content."""

    tag: int
    body: bytes


def _malformed(message: str, got: str | None = None, expected: str | None = None) -> Problem:
    return Problem("malformed", message, got, expected)


def dearmor(data: bytes, label: Label | None = None) -> bytes | Problem:
    """Give the bytes of the one armored block that ``data`` is, with ``label`` if one is asked for.

    Stricter than RFC 9580, section 6: no text around the block, no blank line in it, and the checksum must be right
    where there is one.
    """
    data = data.replace(b"\r\n", b"\n")
    match = _ARMOR.fullmatch(data.strip(b" \t\n") + b"\n")
    if match is None:
        if data.count(b"-----BEGIN PGP ") > 1:
            return Problem("several-signatures" if label == "PGP SIGNATURE" else "malformed", "several armored blocks")
        return _malformed("no well-formed OpenPGP armor", shown(data, 60), f"one block of {label or 'armor'}")
    found = match["label"].decode()
    if label is not None and found != label:
        return _malformed(f"the armor holds a {found}", found, label)
    try:
        content = base64.b64decode(match["body"].translate(None, b" \t\n"), validate=True)
    except ValueError:
        return _malformed("the armor is no base64")
    if match["crc"] is not None and base64.b64decode(match["crc"]) != _crc24(content).to_bytes(3, "big"):
        return _malformed("the checksum of the armor is wrong: the text was changed or cut")
    return content


@functools.cache
def _crc_table() -> Sequence[int]:
    table = []
    for byte in range(256):
        crc = byte << 16
        for _ in range(8):
            crc = (crc << 1) ^ (0x1864CFB if crc & 0x800000 else 0)
        table.append(crc & 0xFFFFFF)
    return table


def _crc24(data: bytes) -> int:
    """Give the checksum of RFC 9580, section 6.1.1."""
    table, crc = _crc_table(), 0xB704CE
    for byte in data:
        crc = ((crc << 8) & 0xFFFFFF) ^ table[(crc >> 16) ^ byte]
    return crc


def packets(data: bytes, most: int = 10_000) -> tuple[Packet, ...] | Problem:
    """Give the packets of ``data``, at most ``most``; partial and indeterminate lengths are refused (section 4.2)."""
    found: list[Packet] = []
    at = 0
    while at < len(data):
        header = _header(data, at)
        if isinstance(header, Problem):
            return header
        tag, start, length = header
        at = start + length
        if at > len(data):
            return _malformed("an OpenPGP packet is longer than the data that hold it")
        found.append(Packet(tag, data[start:at]))
        if len(found) > most:
            return _malformed(f"more than {most} OpenPGP packets")
    return tuple(found)


def _header(data: bytes, at: int) -> tuple[int, int, int] | Problem:
    """Give the type of the packet at ``at``, where its content starts, and its length."""
    first, size = data[at], 0
    if not first & 0x80:
        return _malformed("no OpenPGP packet where one must begin", f"byte {first:#04x}")
    if not first & 0x40:
        if first & 3 == 3:
            return _malformed("an OpenPGP packet of indeterminate length")
        tag, start, size = (first >> 2) & 15, at + 1, 1 << (first & 3)
    else:
        tag, start = first & 63, at + 2
        octet = data[at + 1] if at + 1 < len(data) else 255
        if octet < 192:
            return tag, start, octet
        if octet < 224:
            second = data[at + 2 : at + 3] or b"\xff"  # past the end: longer than the data, refused there
            return tag, at + 3, ((octet - 192) << 8) + second[0] + 192
        if octet < 255:
            return _malformed("an OpenPGP packet of partial lengths")
        size = 4
    if start + size > len(data):
        return _malformed("an OpenPGP packet is cut off in its header")
    return tag, start + size, int.from_bytes(data[start : start + size], "big")


def signature_packet(armored: bytes) -> bytes | Problem:
    """Give, in binary, the one signature packet that the block ``armored`` holds; anything beside it is refused."""
    data = dearmor(armored)
    if isinstance(data, Problem):
        return data
    found = packets(data, 100)
    if isinstance(found, Problem):
        return found
    tags = [packet.tag for packet in found]
    others = [tag for tag in tags if tag != SIGNATURE]
    if others:
        name = _NAMES.get(others[0], f"a packet of type {others[0]}")
        return _malformed("the signature block holds more than a signature", name, "one detached signature")
    if len(tags) > 1:
        return Problem("several-signatures", "the armor holds several signatures", f"{len(tags)}", "one")
    if not armored.startswith(b"-----BEGIN PGP SIGNATURE-----"):
        return _malformed("the armor is not labelled as a signature", expected="-----BEGIN PGP SIGNATURE-----")
    return _class_problem(found[0].body) or data


def _class_problem(body: bytes) -> Problem | None:
    """Refuse a signature of another type than 0x00, binary document (RFC 9580, sections 5.2.1 to 5.2.3).

    gpg reads a text signature in one way beside a detached payload and in another one before a literal packet.
    """
    at = 2 if body[:1] == b"\x03" else 1
    if body[at : at + 1] in (b"\0", b""):
        return None
    return _malformed(
        "the signature does not cover the exact bytes (was it made with --textmode?)", f"class {body[at]:02x}", "00"
    )


def with_literal(packet: bytes, payload: bytes) -> bytes:
    """Give ``packet``, a detached signature, in front of ``payload`` as one literal packet (RFC 9580, section 5.9).

    That is a signed message of the old form, which says of its payload just what the detached signature says of it.
    """
    body = b"b\0\0\0\0\0" + payload  # binary, no file name, no date
    return packet + b"\xcb\xff" + len(body).to_bytes(4, "big") + body


def only_signatures(armored: bytes) -> Problem | None:
    """Give what is wrong with a block that is to hold one signature packet and nothing else."""
    found = signature_packet(armored)
    return found if isinstance(found, Problem) else None


def public_keys(data: bytes) -> tuple[Packet, ...] | Problem:
    """Give the packets of a key file, armored or binary, that holds public keys only."""
    binary = _key_bytes(data)
    found = binary if isinstance(binary, Problem) else packets(binary)
    if isinstance(found, Problem):
        return found
    tags = [packet.tag for packet in found]
    if SECRET_KEY in tags or SECRET_SUBKEY in tags:
        return _secret()
    strange = [tag for tag in tags if tag not in _IN_KEY_FILES]
    if strange:
        return _malformed("the key file holds more than keys", _NAMES.get(strange[0], f"a packet of type {strange[0]}"))
    if PUBLIC_KEY not in tags:
        return _malformed("the key file holds no public key")
    return found


def public_keys_binary(data: bytes) -> bytes | Problem:
    """Give the content of a key file that holds public keys only, without its armor."""
    found = public_keys(data)
    return found if isinstance(found, Problem) else _key_bytes(data)


def _key_bytes(data: bytes) -> bytes | Problem:
    if not data.strip():
        return _malformed("the key file is empty")
    if b"-----BEGIN PGP PRIVATE KEY" in data:
        return _secret()
    return data if data[0] & 0x80 else dearmor(data, "PGP PUBLIC KEY BLOCK")


def _secret() -> Problem:
    return _malformed(
        "the key file holds a secret key, which must never lie in a repository",
        expected="the output of gpg --armor --export FINGERPRINT",
    )


def primary_fingerprints(data: bytes) -> frozenset[str] | Problem:
    """Give the fingerprint of each primary key in a key file, upper-case hex (RFC 9580, section 5.5.4)."""
    return _fingerprints(data, {PUBLIC_KEY})


def all_fingerprints(data: bytes) -> frozenset[str] | Problem:
    """Give the fingerprints of primary keys and subkeys in a key file, upper-case hex."""
    return _fingerprints(data, {PUBLIC_KEY, PUBLIC_SUBKEY})


def _fingerprints(data: bytes, tags: set[int]) -> frozenset[str] | Problem:
    found = public_keys(data)
    if isinstance(found, Problem):
        return found
    prints = [_fingerprint(packet.body) for packet in found if packet.tag in tags]
    unknown = [value for value in prints if value is None]
    if unknown:
        return _malformed("the key file holds a key of an unknown version", expected="version 4, 5 or 6")
    return frozenset(value for value in prints if value is not None)


def _fingerprint(body: bytes) -> str | None:
    version = body[0] if body else 0
    if version == 4 and len(body) <= 0xFFFF:
        return hashlib.sha1(b"\x99" + len(body).to_bytes(2, "big") + body, usedforsecurity=False).hexdigest().upper()
    if version in (5, 6):
        start = b"\x9a" if version == 5 else b"\x9b"
        return hashlib.sha256(start + len(body).to_bytes(4, "big") + body).hexdigest().upper()
    return None


def key_id(fingerprint: str) -> str:
    """Give the 16-digit key id of a fingerprint: the end of a version 4 one, the start of a newer one."""
    return fingerprint[-16:] if len(fingerprint) == 40 else fingerprint[:16]
