"""OpenPGP armor and packets made by hand, for blocks that gpg would not write."""

import base64


def crc24(data: bytes) -> bytes:
    """The checksum as RFC 4880 writes it down, bit by bit."""
    crc = 0xB704CE
    for byte in data:
        crc ^= byte << 16
        for _ in range(8):
            crc <<= 1
            if crc & 0x1000000:
                crc ^= 0x1864CFB
    return (crc & 0xFFFFFF).to_bytes(3, "big")


def armor(data: bytes, label: str = "PGP SIGNATURE", headers: str = "", crc: bytes | None = None) -> bytes:
    """Armor ``data``; ``crc`` takes the place of its checksum."""
    body = base64.encodebytes(data).decode()
    check = base64.b64encode(crc24(data) if crc is None else crc).decode()
    return f"-----BEGIN {label}-----\n{headers}\n{body}={check}\n-----END {label}-----\n".encode()


def packet(tag: int, body: bytes) -> bytes:
    """Give one packet with a header of the new format."""
    return bytes([0xC0 | tag, 255]) + len(body).to_bytes(4, "big") + body
