from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from ptguard.model import Problem, SignatureFacts, Status
from ptguard.parse.gpgstatus import Life, file_sections, judge_status, lives, status_lines

KEY = "51164DA7AB83D887C08B657700C947533082E96F"
SUB = "88E1150C9537B15E3D2B5A42E877F8696C64A506"
MADE = datetime(2024, 1, 10, tzinfo=UTC)
VALIDSIG = f"VALIDSIG {KEY} 2024-01-10 1704844800 0 4 0 22 8 00 {KEY}"
GOODSIG = f"GOODSIG {KEY[-16:]} Li Wei <li.wei@example.com>"
GOOD = ("NEWSIG", f"KEY_CONSIDERED {KEY} 0", "SIG_ID abc 2024-01-10 1704844800", GOODSIG, VALIDSIG, "TRUST_FULLY 0")


def judged(*lines: str) -> SignatureFacts | Problem:
    return judge_status(status_lines(b"".join(b"[GNUPG:] " + line.encode() + b"\n" for line in lines)))


def refused(*lines: str) -> Problem:
    found = judged(*lines)
    assert isinstance(found, Problem), found
    return found


def changed(old: str, new: str, lines: Sequence[str] = GOOD) -> list[str]:
    assert any(old in line for line in lines)
    return [line.replace(old, new) for line in lines]


def test_one_good_signature() -> None:
    assert judged(*GOOD) == SignatureFacts("openpgp", KEY, "SHA256", MADE)


def test_the_signer_is_the_primary_key() -> None:
    lines = changed(f"GOODSIG {KEY[-16:]}", f"GOODSIG {SUB[-16:]}", changed(f"VALIDSIG {KEY}", f"VALIDSIG {SUB}"))
    assert judged(*lines) == SignatureFacts("openpgp", KEY, "SHA256", MADE)


def test_an_expired_key_proves_nothing_yet() -> None:
    found = judged(*changed("GOODSIG", "EXPKEYSIG"), "KEYEXPIRED 1706659200")
    assert found == SignatureFacts("openpgp", KEY, "SHA256", MADE, expired_at=MADE)


@pytest.mark.parametrize(
    ("number", "name"),
    [("1", "MD5"), ("2", "SHA1"), ("9", "SHA384"), ("10", "SHA512"), ("11", "SHA224"), ("99", "hash 99")],
)
def test_digests_have_their_names(number: str, name: str) -> None:
    found = judged(*changed(" 22 8 00 ", f" 22 {number} 00 "))
    assert isinstance(found, SignatureFacts)
    assert found.digest == name


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["NEWSIG", f"BADSIG {KEY[-16:]} Li Wei"], "bad-signature"),
        (["NEWSIG", f"BADSIG {KEY[-16:]} Li Wei", VALIDSIG], "bad-signature"),
        (["NEWSIG", f"ERRSIG {KEY[-16:]} 22 8 00 1704844800 9 {KEY}", f"NO_PUBKEY {KEY[-16:]}"], "unknown-signer"),
        (["NEWSIG", f"ERRSIG {KEY[-16:]} 22 8 00 1704844800 9 -"], "unknown-signer"),
        (["NEWSIG", f"ERRSIG {KEY[-16:]} 1 2 00 1704844800 5 {KEY}"], "weak-digest"),
        (["NEWSIG", f"ERRSIG {KEY[-16:]} 1 1 00 1704844800 5 {KEY}"], "weak-digest"),
        (["NEWSIG", f"ERRSIG {KEY[-16:]} 1 77 00 1704844800 5 {KEY}"], "bad-signature"),
        (["NEWSIG", f"ERRSIG {KEY[-16:]} 99 8 00 1704844800 4 {KEY}"], "bad-signature"),
        (["NEWSIG", "ERRSIG"], "bad-signature"),
        (changed("GOODSIG", "REVKEYSIG"), "revoked-key"),
        (changed("GOODSIG", "EXPSIG"), "outside-window"),
        ([*GOOD, *GOOD], "several-signatures"),
        ([*GOOD, "NEWSIG", f"ERRSIG {KEY[-16:]} 22 8 00 1704844800 9 {SUB}"], "several-signatures"),
        ([*GOOD, "NEWSIG"], "several-signatures"),
        ([*GOOD, VALIDSIG], "several-signatures"),
        ([*GOOD, f"BADSIG {KEY[-16:]} Li Wei"], "several-signatures"),
        ([*GOOD, f"EXPKEYSIG {KEY[-16:]} Li Wei"], "several-signatures"),
        (["NODATA 4"], "malformed"),
        (["NODATA 3", "FAILURE gpg-exit 33554433"], "malformed"),
        (changed(" 22 8 00 ", " 22 8 01 "), "malformed"),
        (changed(" 22 8 00 ", " 22 8 1F "), "malformed"),
    ],
)
def test_every_other_verdict_is_refused(lines: list[str], reason: str) -> None:
    problem = refused(*lines)
    assert (problem.reason, problem.status) == (reason, Status.FAIL)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["FAILURE gpg-exit 33554433"],
        ["NEWSIG"],
        GOOD[1:],
        [line for line in GOOD if not line.startswith("VALIDSIG")],
        [line for line in GOOD if not line.startswith("GOODSIG")],
        [GOODSIG],
        [*GOOD, "FAILURE verify 33587281"],
        [*GOOD, "PLAINTEXT 62 1704844800 "],
        [*GOOD, "NODATA 2"],
        changed(f"GOODSIG {KEY[-16:]}", f"GOODSIG {SUB[-16:]}"),
        changed(VALIDSIG, VALIDSIG.lower().replace("validsig", "VALIDSIG")),
        changed(f" {KEY}", f" {KEY[-16:]}"),
        changed(VALIDSIG, f"{VALIDSIG} more"),
        changed(VALIDSIG, VALIDSIG.removesuffix(f" {KEY}")),
        changed(VALIDSIG, "VALIDSIG"),
        changed("1704844800 0 4", "20240110T000000 0 4"),
    ],
)
def test_whatever_is_no_whole_answer_is_not_decided(lines: Sequence[str]) -> None:
    problem = refused(*lines)
    assert (problem.reason, problem.status) == ("could-not-decide", Status.ERROR)


def test_only_status_lines_are_read_and_only_line_feeds_end_them() -> None:
    spoofed = f"GOODSIG x Å\x85[GNUPG:] {VALIDSIG}\v[GNUPG:] NEWSIG\r[GNUPG:] NEWSIG\u2028[GNUPG:] NEWSIG"
    assert [k for k, _ in status_lines(f"[GNUPG:] {spoofed}\n".encode())] == ["GOODSIG"]
    assert [k for k, _ in status_lines(b"[GNUPG:] BADSIG \xc3\x85[GNUPG:] GOODSIG x\n")] == ["BADSIG"]
    prose = b"gpg: Good signature\n [GNUPG:] NEWSIG\n[gnupg:] NEWSIG\n[GNUPG:]NEWSIG\n"
    assert status_lines(prose) == []
    assert refused("NEWSIG x\u2028", f"BADSIG {KEY[-16:]} {GOOD}").reason == "bad-signature"


def test_the_ends_of_keys_and_subkeys() -> None:
    listing = (
        "tru::1:0:0:3:1:5\n"
        f"pub:e:255:22:X:1704067200:1706659200::u:::scSC:::::ed25519:::0:\nfpr:::::::::{KEY}:\ngrp:::::::::AB:\n"
        "uid:e::::1704067200::HASH::pub\\x3ae\\x3a \x85:::::::::0:\n"
        f"sub:e:255:22:Y:1704067200:::::::e:::::ed25519::\nfpr:::::::::{SUB}:\n"
        "sub:e:255:22:Z:1704067200:20240101T000000::::::s:::::ed25519::\nfpr:::::::::ABCD:\n"
    )
    assert lives(listing.encode()) == {
        KEY: Life(datetime(2024, 1, 31, tzinfo=UTC), revoked=False, signs=True, primary=KEY),
        SUB: Life(None, revoked=False, signs=False, primary=KEY),
    }


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("S:a x D S:b y D", {"a": ["x"], "b": ["y"]}),
        ("S:a D S:b y D F", {"a": [], "b": ["y"]}),
        ("S:a x S:b y D", {"b": ["y"]}),  # a was not read to its end
        ("S:a x D S:b y", {"a": ["x"]}),
        ("S:a x D S:a y D", {}),  # whose is it?
        ("S:a x D z S:b y D", {}),  # words that belong to no file
        ("D x", {}),
        ("", {}),
    ],
)
def test_what_gpg_says_of_several_files(said: str, found: dict[str, list[str]]) -> None:
    short = {"S": "FILE_START", "D": "FILE_DONE", "F": "FAILURE"}
    lines = [(short.get(word[0], word), f"1 {word[2:]}" if word[0] == "S" else "") for word in said.split()]
    assert {name: [key for key, _ in section] for name, section in file_sections(lines).items()} == found


UNDECIDED = "one verdict on one signature"


@pytest.mark.parametrize(
    ("lines", "message", "got", "expected"),
    [
        (
            ["NEWSIG", f"BADSIG {KEY[-16:]} Li Wei"],
            "the signature does not fit: something was changed after it was made",
            f"a bad signature by key {KEY[-16:]}",
            None,
        ),
        (changed("GOODSIG", "REVKEYSIG"), "the key that signed has been revoked", f"key {KEY[-16:]}", None),
        (changed("GOODSIG", "EXPSIG"), "the signature itself has expired", f"made by key {KEY[-16:]}", None),
        (
            ["NEWSIG", f"ERRSIG {KEY[-16:]} 22 8 00 1704844800 9 {KEY}"],
            "the policy has no such key",
            f"a signature by OpenPGP key {KEY}",
            None,
        ),
        (
            ["NEWSIG", f"ERRSIG {KEY[-16:]} 22 8 00 1704844800 9 -"],
            "the policy has no such key",
            f"a signature by OpenPGP key {KEY[-16:]}",
            None,
        ),
        (
            ["NEWSIG", f"ERRSIG {KEY[-16:]} 1 2 00 1704844800 5 {KEY}"],
            "the signature is made over SHA1, which can be forged",
            "SHA1",
            None,
        ),
        (
            ["NEWSIG", f"ERRSIG {KEY[-16:]} 99 8 00 1704844800 4 {KEY}"],
            "gpg cannot check the signature",
            f"key {KEY}, code 4",
            None,
        ),
        (
            [*GOOD, "NEWSIG", f"BADSIG {KEY[-16:]} x"],
            "gpg found more than one signature",
            "GOODSIG, BADSIG",
            "one",
        ),
        (["NODATA 4"], "gpg finds no OpenPGP signature in the block", "NODATA", None),
        (["NEWSIG"], "gpg gave no verdict on the signature", "NEWSIG", UNDECIDED),
        ([], "gpg gave no verdict on the signature", None, UNDECIDED),
        (
            changed(" 22 8 00 ", " 22 8 01 "),
            "the signature does not cover the exact bytes (was it made with --textmode?)",
            "class 01",
            "00",
        ),
        (
            [*GOOD, "NODATA 2"],
            "gpg calls the signature good but says more, or less, than of a good one",
            "NODATA",
            UNDECIDED,
        ),
        (changed(VALIDSIG, "VALIDSIG x"), "gpg names no key and time for the good signature", "x", UNDECIDED),
        (
            changed(GOODSIG, f"GOODSIG {SUB[-16:]} Li Wei"),
            "gpg calls good a signature by another key than it checked",
            f"{SUB[-16:]} Li Wei",
            UNDECIDED,
        ),
    ],
)
def test_a_refusal_says_what_was_seen(
    lines: Sequence[str], message: str, got: str | None, expected: str | None
) -> None:
    problem = refused(*lines)
    assert (problem.message, problem.got, problem.expected) == (message, got, expected)


def test_bytes_that_are_no_text_end_nothing() -> None:
    (line,) = status_lines(b"[GNUPG:] GOODSIG 0 \xff\xfe\n")
    assert line == ("GOODSIG", "0 \\xff\\xfe")
    assert status_lines(b"[GNUPG:] NEWSIG") == [("NEWSIG", "")]


def ends(listing: bytes) -> dict[str, datetime | None]:
    return {name: life.expires for name, life in lives(listing).items()}


def test_lines_of_a_listing_that_are_cut_are_left_out() -> None:
    whole = b"pub:-:255:22:A:1:1706659200:\nfpr:::::::::%s:\n" % KEY.encode()
    assert ends(whole) == {KEY: datetime(2024, 1, 31, tzinfo=UTC)}
    assert ends(b"fpr:::::::::%s\n" % KEY.encode()) == {KEY: None}
    assert ends(b"pub:-:255:22:A:1:1706659200\nfpr:::::::::%s\n" % KEY.encode()) == ends(whole)
    assert ends(b"pub:-:255:22:A:1\nfpr::::::::%s\nsub\nfpr\n" % KEY.encode()) == {}
    rvk = whole.replace(b"fpr", b"rvk:::19::::::%s:80:\nfpr" % SUB.encode())
    assert ends(rvk) == ends(whole)  # a designated revoker stands between a key and its fingerprint
    assert ends(whole.replace(b"1706659200", b"20240131T000000")) == {}
    assert ends(b"fpr:::::::::\xff:\n") == {"\ufffd": None}


def test_a_revoked_key_is_told_from_an_expired_one_and_from_its_subkeys() -> None:
    listing = (
        f"pub:r:255:22:X:1704067200:1706659200:\nfpr:::::::::{KEY}:\nuid:e:\n"
        f"sub:e:255:22:Y:1704067200::\nfpr:::::::::{SUB}:\n"
    )
    found = lives(listing.encode())
    assert [(name, life.revoked, life.primary) for name, life in found.items()] == [(KEY, True, KEY), (SUB, False, KEY)]


def test_the_key_that_gpg_calls_good_may_be_named_whole_and_no_other_word_counts() -> None:
    assert judged(*changed(f"GOODSIG {KEY[-16:]}", f"GOODSIG {KEY}")) == judged(*GOOD)
    assert refused(*changed(f"GOODSIG {KEY[-16:]}", "GOODSIG 2024-01-10")).reason == "could-not-decide"


def test_the_name_of_a_file_may_hold_spaces() -> None:
    lines = status_lines(b"[GNUPG:] FILE_START 1 /tmp/a b\n[GNUPG:] NEWSIG\n[GNUPG:] FILE_DONE\n")
    assert file_sections(lines) == {"/tmp/a b": [("NEWSIG", "")]}
    assert file_sections(status_lines(b"[GNUPG:] FILE_DONE\n")) == {}
