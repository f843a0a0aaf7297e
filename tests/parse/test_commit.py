"""Commit objects: what their signature covers, and what is refused before anybody verifies it."""

import pytest

from ptguard.model import Problem, SignatureBlock, TagObject
from ptguard.parse.commit import parse_commit

OID = "a" * 40
HEAD = b"tree " + b"b" * 40 + b"\nauthor A <a@b.c> 1763800000 +0100\ncommitter C <c@d.e> 1763800001 -0200"
ARMOR = b"-----BEGIN PGP SIGNATURE-----\n\niHUEABYKAB0WIQ\n=abcd\n-----END PGP SIGNATURE-----"
SSH = b"-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----"
MESSAGE = b"\n\nA change\n\n-----BEGIN PGP SIGNATURE-----\nin the text\n"


def header(armor: bytes, name: bytes = b"gpgsig") -> bytes:
    return b"\n" + name + b" " + armor.replace(b"\n", b"\n ")


def parsed(raw: bytes, oid: str = OID) -> TagObject:
    found = parse_commit(oid, raw)
    assert isinstance(found, TagObject), found
    return found


@pytest.mark.parametrize(("armor", "kind"), [(ARMOR, "openpgp"), (SSH, "ssh")])
def test_the_payload_is_the_commit_without_its_signature(armor: bytes, kind: str) -> None:
    found = parsed(HEAD + header(armor) + b"\nencoding utf-8" + MESSAGE)
    assert found.signature == SignatureBlock(kind, armor + b"\n")  # type: ignore[arg-type]
    assert found.payload == HEAD + b"\nencoding utf-8" + MESSAGE
    assert (found.tagger.name, found.tagger.email, found.name) == ("C", "c@d.e", OID)
    assert found.tagger.when.isoformat() == "2025-11-22T06:26:41-02:00"


def test_headers_of_several_lines_stay_as_they_are() -> None:
    head = HEAD + b"\nmergetag object x\n type commit\n \n text"
    assert parsed(head + header(ARMOR) + MESSAGE).payload == head + MESSAGE


def test_an_unsigned_commit() -> None:
    found = parsed(HEAD + MESSAGE)
    assert found.signature is None and found.payload == HEAD + MESSAGE


def test_sha256_has_a_header_of_its_own() -> None:
    oid = "a" * 64
    assert isinstance(parsed(HEAD + header(ARMOR, b"gpgsig-sha256") + MESSAGE, oid).signature, SignatureBlock)
    for raw, name in ((HEAD + header(ARMOR), oid), (HEAD + header(ARMOR, b"gpgsig-sha256"), OID)):
        found = parsed(raw + MESSAGE, name).signature
        assert isinstance(found, Problem) and found.reason == "several-signatures"


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        (header(ARMOR) * 2, "several-signatures"),
        (header(ARMOR) + header(ARMOR, b"gpgsig-sha256"), "several-signatures"),
        (header(ARMOR + b"\n" + ARMOR), "several-signatures"),
        (header(b"rubbish"), "malformed"),
        (header(b"x\n" + ARMOR), "malformed"),
        (header(ARMOR + b"\nmore"), "trailing-data"),
        (header(b"-----BEGIN PGP SIGNATURE-----\nx"), "malformed"),
    ],
)
def test_other_signature_headers_are_refused(headers: bytes, reason: str) -> None:
    found = parsed(HEAD + headers + MESSAGE).signature
    assert isinstance(found, Problem) and found.reason == reason


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (HEAD + MESSAGE + b"\0", "nul-byte"),
        (b"", "malformed"),
        (HEAD, "malformed"),
        (HEAD.replace(b"committer", b"comitter") + MESSAGE, "malformed"),
        (HEAD + b"\ncommitter X <x@y> 1 +0000" + MESSAGE, "malformed"),
        (HEAD.replace(b"1763800001", b"soon") + MESSAGE, "malformed"),
    ],
)
def test_what_is_no_commit(raw: bytes, reason: str) -> None:
    found = parse_commit(OID, raw)
    assert isinstance(found, Problem) and found.reason == reason
