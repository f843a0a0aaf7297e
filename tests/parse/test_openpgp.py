import itertools
from collections.abc import Callable

import pytest

from ptguard.model import Problem
from ptguard.parse.openpgp import (
    Packet,
    all_fingerprints,
    dearmor,
    key_id,
    only_signatures,
    packets,
    primary_fingerprints,
    signature_packet,
    with_literal,
)
from tests.armor import armor, packet
from tests.support import KeyChain, gpg


def problem(found: object) -> Problem:
    assert isinstance(found, Problem), found
    return found


SIG = packet(2, b"\x04\x00signature")


@pytest.mark.parametrize("size", [1, 2, 3, 47, 48, 49, 1000, 70_000])
def test_armor_gives_back_what_it_holds(size: int) -> None:
    data = bytes(itertools.islice(itertools.cycle(range(256)), size))
    assert dearmor(armor(data)) == data
    assert dearmor(armor(data, headers="Version: GnuPG v2\nComment:\n")) == data
    assert dearmor(armor(data).replace(b"\n", b"\r\n")) == data
    assert dearmor(b"\n" + armor(data) + b"\n\n") == data


def test_armor_without_a_checksum_is_read() -> None:
    assert dearmor(b"-----BEGIN PGP SIGNATURE-----\n\nAAEC\n-----END PGP SIGNATURE-----\n") == b"\0\1\2"


def test_gpg_s_own_armor_is_read(keychain: KeyChain) -> None:
    identity = keychain.openpgp("li-wei")
    assert dearmor(identity.public, "PGP PUBLIC KEY BLOCK") == gpg(identity.home, "--export", identity.fingerprint)


@pytest.mark.parametrize(
    "change",
    [
        lambda a: b"text\n" + a,
        lambda a: a + b"text\n",
        lambda a: a.replace(b"\n\n", b"\n", 1),
        lambda a: a.replace(b"\n\n", b"\nno header\n\n", 1),
        lambda a: a.replace(b"\n=", b"\n\n="),
        lambda a: a.replace(b"END PGP SIGNATURE", b"END PGP MESSAGE"),
        lambda a: a.replace(b"-----END PGP SIGNATURE-----", b""),
        lambda a: a.replace(b"c2ln", b"c2l?"),
        lambda a: a.replace(b"c2ln", b"c2l="),
        lambda a: a.replace(b"c2ln", b"c2lnA"),
        lambda a: a.replace(b"c2ln", b"c2lm"),
        lambda a: a.replace(b"c2ln", b"c2\0n"),
        lambda a: a[:0],
        lambda a: a.translate(bytes([255] * 256)),
    ],
)
def test_armor_that_is_not_well_formed_is_refused(change: Callable[[bytes], bytes]) -> None:
    good = armor(b"\x01\x02\x03signature")
    assert b"c2ln" in good
    assert change(good) != good
    assert problem(dearmor(change(good))).reason == "malformed"


def test_a_wrong_checksum_is_refused() -> None:
    assert "checksum" in problem(dearmor(armor(SIG, crc=b"abc"))).message


def test_a_second_block_is_refused() -> None:
    assert problem(dearmor(armor(SIG) * 2, "PGP SIGNATURE")).reason == "several-signatures"
    assert problem(dearmor(armor(SIG) * 2)).reason == "malformed"


def test_another_label_is_refused() -> None:
    assert problem(dearmor(armor(SIG), "PGP PUBLIC KEY BLOCK")).got == "PGP SIGNATURE"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", ()),
        (bytes([0x88, 2]) + b"ab", ((2, b"ab"),)),
        (bytes([0x89, 0, 2]) + b"ab", ((2, b"ab"),)),
        (bytes([0x8A, 0, 0, 0, 2]) + b"ab", ((2, b"ab"),)),
        (bytes([0xC2, 2]) + b"ab" + bytes([0xCD, 1]) + b"x", ((2, b"ab"), (13, b"x"))),
        (bytes([0xC2, 192, 0]) + b"a" * 192, ((2, b"a" * 192),)),
        (bytes([0xC2, 223, 255]) + b"a" * 8383, ((2, b"a" * 8383),)),
        (bytes([0xC2, 255, 0, 0, 0, 2]) + b"ab", ((2, b"ab"),)),
    ],
)
def test_lengths_of_both_forms(data: bytes, expected: tuple[tuple[int, bytes], ...]) -> None:
    assert packets(data) == tuple(Packet(*pair) for pair in expected)


@pytest.mark.parametrize(
    "data",
    [
        b"\x00",
        b"\x7f\x01a",
        b"\x88",
        b"\x88\x03ab",
        b"\x89\x00",
        b"\x8a\xff\xff\xff\xff" + b"a" * 100,
        b"\x8b" + b"a" * 9,
        b"\xc2",
        b"\xc2\x03ab",
        b"\xc2\xc0",
        b"\xc2\xff\x00\x00",
        b"\xc2\xe1ab",
        b"\xc2\xfe" + b"a" * 99,
        b"\xc2\x02abc",
    ],
)
def test_lengths_that_do_not_fit_are_refused(data: bytes) -> None:
    assert problem(packets(data)).reason == "malformed"


def test_the_number_of_packets_is_bounded() -> None:
    assert len(packets(b"\xc2\x00" * 100, 100)) == 100  # type: ignore[arg-type]
    assert problem(packets(b"\xc2\x00" * 101, 100)).reason == "malformed"


def test_one_signature_is_all_that_a_block_may_hold(keychain: KeyChain) -> None:
    identity = keychain.openpgp("li-wei")
    armored = identity.sign(b"payload")
    assert only_signatures(armored) is None
    assert signature_packet(armored) == dearmor(armored)
    assert only_signatures(armor(SIG)) is None


@pytest.mark.parametrize(
    ("armored", "reason"),
    [
        (armor(SIG + SIG), "several-signatures"),
        (armor(SIG + packet(11, b"b\0\0\0\0\0text")), "malformed"),
        (armor(packet(4, b"x") + packet(11, b"b\0\0\0\0\0text") + SIG), "malformed"),
        (armor(packet(8, b"\1xx")), "malformed"),
        (armor(packet(10, b"PGP") + SIG), "malformed"),
        (armor(packet(6, b"\x04key") + SIG), "malformed"),
        (armor(SIG + b"\0"), "malformed"),
        (armor(SIG, "PGP MESSAGE"), "malformed"),
        (armor(b""), "malformed"),
    ],
)
def test_whatever_else_a_block_holds_is_refused(armored: bytes, reason: str) -> None:
    assert problem(only_signatures(armored)).reason == reason


def test_an_inline_signed_message_is_refused(keychain: KeyChain) -> None:
    identity = keychain.openpgp("li-wei")
    assert problem(only_signatures(gpg(identity.home, "--armor", "--sign", stdin=b"payload"))).reason == "malformed"


@pytest.mark.parametrize(("name", "algo"), [("li-wei", "ed25519"), ("old-rsa", "rsa2048")])
def test_fingerprints_are_gpg_s(keychain: KeyChain, name: str, algo: str) -> None:
    identity = keychain.openpgp(name, algo)
    assert primary_fingerprints(identity.public) == frozenset({identity.fingerprint})
    assert primary_fingerprints(gpg(identity.home, "--export", identity.fingerprint)) == frozenset(
        {identity.fingerprint}
    )


def test_subkeys_are_no_primary_keys(keychain: KeyChain) -> None:
    identity = keychain.openpgp("with-subkey")
    gpg(identity.home, "--quick-add-key", identity.fingerprint, "ed25519", "sign", "0")
    public = gpg(identity.home, "--armor", "--export", identity.fingerprint)
    listing = gpg(identity.home, "--with-colons", "--list-keys").decode().splitlines()
    assert primary_fingerprints(public) == frozenset({identity.fingerprint})
    assert all_fingerprints(public) == frozenset(x.split(":")[9] for x in listing if x.startswith("fpr"))


def test_a_file_with_two_keys_gives_both(keychain: KeyChain) -> None:
    first, second = keychain.openpgp("li-wei"), keychain.openpgp("release-bot")
    both = b"".join(dearmored for i in (first, second) if isinstance(dearmored := dearmor(i.public), bytes))
    assert primary_fingerprints(both) == frozenset({first.fingerprint, second.fingerprint})
    assert primary_fingerprints(armor(both, "PGP PUBLIC KEY BLOCK")) == frozenset(
        {first.fingerprint, second.fingerprint}
    )


# RFC 9580, appendix A.3: a version 6 certificate; its fingerprint stands there too.
V6 = """\
-----BEGIN PGP PUBLIC KEY BLOCK-----

xioGY4d/4xsAAAAg+U2nu0jWCmHlZ3BqZYfQMxmZu52JGggkLq2EVD34laPCsQYf
GwoAAABCBYJjh3/jAwsJBwUVCg4IDAIWAAKbAwIeCSIhBssYbE8GCaaX5NUt+mxy
KwwfHifBilZwj2Ul7Ce62azJBScJAgcCAAAAAK0oIBA+LX0ifsDm185Ecds2v8lw
gyU2kCcUmKfvBXbAf6rhRYWzuQOwEn7E/aLwIwRaLsdry0+VcallHhSu4RN6HWaE
QsiPlR4zxP/TP7mhfVEe7XWPxtnMUMtf15OyA51YBM4qBmOHf+MZAAAAIIaTJINn
+eUBXbki+PSAld2nhJh/LVmFsS+60WyvXkQ1wpsGGBsKAAAALAWCY4d/4wKbDCIh
BssYbE8GCaaX5NUt+mxyKwwfHifBilZwj2Ul7Ce62azJAAAAAAQBIKbpGG2dWTX8
j+VjFM21J0hqWlEg+bdiojWnKfA5AQpWUWtnNwDEM0g12vYxoWM8Y81W+bHBw805
I8kWVkXU6vFOi+HWvv/ira7ofJu16NnoUkhclkUrk0mXubZvyl4GBg==
-----END PGP PUBLIC KEY BLOCK-----
"""


def test_a_version_6_key_has_a_fingerprint_of_64_digits() -> None:
    expected = "CB186C4F0609A697E4D52DFA6C722B0C1F1E27C18A56708F6525EC27BAD9ACC9"
    assert primary_fingerprints(V6.encode()) == frozenset({expected})


def test_key_ids_come_from_the_end_that_the_version_says() -> None:
    assert key_id("0" * 24 + "1234567890ABCDEF") == "1234567890ABCDEF"
    assert key_id("1234567890ABCDEF" + "0" * 48) == "1234567890ABCDEF"


def test_secret_keys_are_refused_by_name(keychain: KeyChain) -> None:
    identity = keychain.openpgp("li-wei")
    for options in (["--armor"], []):
        data = gpg(identity.home, *options, "--export-secret-keys", identity.fingerprint)
        assert "secret" in problem(primary_fingerprints(data)).message
    mixed = armor(packet(6, b"\x04key") + packet(7, b"\x04sub"), "PGP PUBLIC KEY BLOCK")
    assert "secret" in problem(primary_fingerprints(mixed)).message


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"  \n",
        b"ssh-ed25519 AAAA",
        armor(SIG),
        armor(SIG, "PGP PUBLIC KEY BLOCK"),
        SIG,
        packet(6, b"\x03old"),
        packet(6, b""),
        packet(6, b"\x04key") + packet(11, b"text"),
        packet(6, b"\x04key") + b"\0",
        b"\xff\xfe\x00B",
    ],
)
def test_what_is_no_file_of_public_keys_is_refused(data: bytes) -> None:
    assert problem(primary_fingerprints(data)).reason == "malformed"


def test_only_a_signature_of_a_binary_document_counts() -> None:
    """Version 4 and 3 packets: the type stands at another place (RFC 9580, sections 5.2.2 and 5.2.3)."""
    for body, good in ((b"\x04\x00", True), (b"\x04\x01", False), (b"\x03\x05\x00", True), (b"\x03\x05\x01", False)):
        found = signature_packet(armor(packet(2, body + b"x" * 20)))
        assert isinstance(found, bytes) is good, body


def test_a_payload_behind_its_signature_is_one_literal_packet() -> None:
    for payload in (b"", b"x\r\n\xff", b"y" * 70_000):
        found = packets(with_literal(packet(2, b"sig"), payload))
        assert found == (Packet(2, b"sig"), Packet(11, b"b\0\0\0\0\0" + payload))
