import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ptguard.model import Problem, SignatureBlock, TagObject
from ptguard.parse.tag import parse_tag, too_large
from tests.support import KeyChain, Repo, run

OID = "a" * 40
TARGET = "b" * 40
TAGGER = "tagger Li Wei <li.wei@example.com> 1760000000 +0800"
HEAD = f"object {TARGET}\ntype commit\ntag v2.9.0\n{TAGGER}\n"
PGP = "-----BEGIN PGP SIGNATURE-----\n\niHUEABYK\n=abcd\n-----END PGP SIGNATURE-----\n"
SSH = "-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n"
X509 = "-----BEGIN SIGNED MESSAGE-----\nAAAA!\n-----END SIGNED MESSAGE-----\n"
OTS = "-----BEGIN OPENTIMESTAMPS GIT TIMESTAMP-----\nAQ==\n-----END OPENTIMESTAMPS GIT TIMESTAMP-----\n"
INLINE = "-----BEGIN PGP MESSAGE-----\n\nowGbwMvM\n-----END PGP MESSAGE-----\n"


def parsed(text: str | bytes) -> TagObject:
    found = parse_tag(OID, text.encode() if isinstance(text, str) else text)
    assert isinstance(found, TagObject), found
    return found


def refused(text: str | bytes) -> Problem:
    found = parse_tag(OID, text.encode() if isinstance(text, str) else text)
    assert isinstance(found, Problem), found
    return found


def signature_problem(text: str) -> Problem:
    found = parsed(text).signature
    assert isinstance(found, Problem), found
    return found


def test_every_part_of_a_signed_tag_is_given() -> None:
    tag = parsed(f"{HEAD}\nRelease 2.9.0\n\nMore.\n{PGP}")
    assert (tag.oid, tag.target, tag.target_type, tag.name) == (OID, TARGET, "commit", "v2.9.0")
    assert (tag.tagger.name, tag.tagger.email) == ("Li Wei", "li.wei@example.com")
    assert tag.tagger.when == datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC)
    assert tag.tagger.when.utcoffset() == timedelta(hours=8)
    assert tag.message == "Release 2.9.0\n\nMore.\n"
    assert tag.payload == f"{HEAD}\nRelease 2.9.0\n\nMore.\n".encode()
    assert tag.signature == SignatureBlock("openpgp", PGP.encode())


@pytest.mark.parametrize("message", ["", "x", "x\n", "-----BEGIN PGP\n", " -----BEGIN PGP SIGNATURE-----\n"])
def test_an_unsigned_tag_has_no_signature(message: str) -> None:
    tag = parsed(f"{HEAD}\n{message}")
    assert (tag.signature, tag.message, tag.payload) == (None, message, f"{HEAD}\n{message}".encode())


def test_a_tag_of_a_sha256_repository() -> None:
    found = parse_tag("c" * 64, HEAD.replace(TARGET, "d" * 64).encode() + b"\nx\n")
    assert isinstance(found, TagObject)
    assert found.target == "d" * 64


@pytest.mark.parametrize("name", [b"v1-\xff\xfe", "版本/v1".encode(), b"-x", b"v" * 200, b"v\xc2\xa01"])
def test_any_name_round_trips(name: bytes) -> None:
    tag = parsed(HEAD.encode().replace(b"v2.9.0", name) + b"\nx\n")
    assert tag.name.encode("utf-8", "surrogateescape") == name


def test_bytes_that_are_no_text_stay_visible() -> None:
    tag = parsed(HEAD.encode().replace(b"Li Wei", b"Li \xff\x1b[31m") + b"\nx\xfe\n")
    assert (tag.tagger.name, tag.message) == ("Li \\xff\x1b[31m", "x\\xfe\n")


@pytest.mark.parametrize("kind", ["tag", "tree", "blob"])
def test_tags_of_other_objects_are_read_too(kind: str) -> None:
    assert parsed(HEAD.replace("commit", kind) + "\nx\n").target_type == kind


@pytest.mark.parametrize("zone", ["+0000", "-0000", "-0930", "+1400", "+2359"])
def test_zones(zone: str) -> None:
    assert parsed(HEAD.replace("+0800", zone) + "\nx").tagger.when == datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (TARGET, TARGET[:-1]),
        (TARGET, TARGET + "b"),
        (TARGET, "b" * 64),
        (TARGET, TARGET.upper()),
        (TARGET, "refs/heads/main".ljust(40, "x")),
        (f"object {TARGET}\n", ""),
        ("type commit", "type banana"),
        ("type commit\n", ""),
        ("tag v2.9.0\n", ""),
        ("tag v2.9.0", "tag "),
        ("tag v2.9.0", "tag"),
        (TAGGER + "\n", ""),
        ("tag v2.9.0\n", "tag v2.9.0\ntag v3.0.0\n"),
        (TAGGER + "\n", f"{TAGGER}\n{TAGGER}\n"),
        ("type commit\ntag v2.9.0\n", "tag v2.9.0\ntype commit\n"),
        (" <li.wei", "<li.wei"),
        ("<li.wei@example.com>", "li.wei@example.com"),
        ("<li.wei@example.com>", "<a> <b>"),
        ("1760000000", "01760000000"),
        ("1760000000", "-1"),
        ("1760000000", "253402300800"),
        ("1760000000", "9" * 13),
        ("1760000000 ", ""),
        ("+0800", "0800"),
        ("+0800", "+08:00"),
        ("+0800", "+2400"),
        ("+0800", "+0800 "),
    ],
)
def test_a_tag_that_is_not_well_formed_is_refused(old: str, new: str) -> None:
    assert old in HEAD
    assert refused(HEAD.replace(old, new, 1) + "\nx\n").reason == "malformed"


@pytest.mark.parametrize("raw", ["", "\n", "\n\n", HEAD, HEAD[:-1], HEAD.replace("\n", "\r\n") + "\r\nx\r\n", "x" * 99])
def test_a_tag_without_the_blank_line_or_the_headers_is_refused(raw: str) -> None:
    assert refused(raw).reason in ("malformed", "injected-header")


@pytest.mark.parametrize(
    "line",
    ["gpgsig -----BEGIN PGP SIGNATURE-----\n \n =abcd", "gpgsig-sha256 x", "encoding latin-1", "Tag v3", " more", "x"],
)
@pytest.mark.parametrize("after", ["object", "tagger"])
def test_any_other_header_is_refused(line: str, after: str) -> None:
    at = HEAD.index("\n", HEAD.index(after)) + 1
    problem = refused(f"{HEAD[:at]}{line}\n{HEAD[at:]}\nx\n{PGP}")
    assert problem.reason == "injected-header"
    assert problem.got == line.partition("\n")[0]


@pytest.mark.parametrize("at", [3, 60, len(HEAD) + 2, len(HEAD) + 40])
def test_a_nul_byte_anywhere_is_refused(at: int) -> None:
    raw = f"{HEAD}\nx\n{PGP}"
    problem = refused(raw[:at] + "\0" + raw[at:])
    assert (problem.reason, problem.got) == ("nul-byte", f"byte {at}")


@pytest.mark.parametrize(
    ("block", "kind"),
    [
        (PGP, "openpgp"),
        (SSH, "ssh"),
        (INLINE, "openpgp"),
        (PGP[:-1], "openpgp"),
        (PGP.replace("PGP SIGNATURE", "SIGNED MESSAGE"), "x509"),
        (X509, "x509"),
        # base64 of "issued by sigstore.dev, really", broken over two lines
        (
            X509.replace("AAAA!", "aXNzdWVkIGJ5IHNp\nZ3N0b3JlLmRldiwgcmVhbGx5"),
            "sigstore",
        ),
    ],
)
def test_the_kinds_of_signature_are_told_apart(block: str, kind: str) -> None:
    found = parsed(f"{HEAD}\nx\n{block}").signature
    assert isinstance(found, SignatureBlock)
    assert (found.kind, found.armored.decode()) == (kind, block.rstrip("\n") + "\n")


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN PGP MESSAGE-----\n",
        "See -----BEGIN PGP SIGNATURE----- and\n-----BEGIN PGP SIGNATURE-----\nabove.\n",
        "-----END PGP SIGNATURE-----\n",
        "-----BEGIN PGP MESSAGE-----\n-----END PGP SIGNATURE-----\n",
        "-----BEGIN OPENTIMESTAMPS-----\n",
    ],
)
def test_a_line_of_armor_quoted_in_the_message_is_text(text: str) -> None:
    tag = parsed(f"{HEAD}\n{text}{SSH}")
    assert tag.signature == SignatureBlock("ssh", SSH.encode())
    assert tag.message == text


@pytest.mark.parametrize("first", [PGP, SSH, INLINE, PGP + "text between\n"])
@pytest.mark.parametrize("second", [PGP, SSH])
def test_a_block_above_the_block_is_refused(first: str, second: str) -> None:
    assert signature_problem(f"{HEAD}\nx\n{first}{second}").reason == "several-signatures"


def test_a_flood_of_quoted_lines_is_refused() -> None:
    flood = "-----BEGIN PGP MESSAGE-----\n" * 2000
    assert signature_problem(f"{HEAD}\n{flood}{PGP}").reason == "several-signatures"


@pytest.mark.parametrize(
    ("rest", "words"),
    [
        ("P.S. and v3.0.0 too\n", "text"),
        ("x", "text"),
        ("\n", "blank lines"),
        (
            "-----BEGIN OPENTIMESTAMPS GIT TIMESTAMP-----\nAQ==\n-----END OPENTIMESTAMPS GIT TIMESTAMP-----\n",
            "OpenTime",
        ),
    ],
)
@pytest.mark.parametrize("block", [PGP, SSH])
def test_whatever_stands_behind_the_block_is_refused(block: str, rest: str, words: str) -> None:
    problem = signature_problem(f"{HEAD}\nx\n{block}{rest}")
    assert problem.reason == "trailing-data"
    assert words in problem.message


def test_text_on_the_line_that_ends_the_block_is_refused() -> None:
    assert signature_problem(f"{HEAD}\nx\n{PGP[:-1]} and more\n").reason == "trailing-data"


@pytest.mark.parametrize(
    "block",
    [
        "-----BEGIN PGP SIGNATURE----- x\n\n=abcd\n-----END PGP SIGNATURE-----\n",
        "-----BEGIN PGP SIGNATURE-----\r\n\r\n-----END PGP SIGNATURE-----\r\n",
        "-----BEGIN PGP SIGNATURE-----\n\niHUE\n",
        "-----BEGIN PGP SIGNATURE-----\n\niHUE\n-----END SSH SIGNATURE-----\n",
        "-----BEGIN PGP SIGNATURE-----",
    ],
)
def test_a_block_that_is_not_well_formed_is_refused(block: str) -> None:
    assert signature_problem(f"{HEAD}\nx\n{block}").reason == "malformed"


def test_the_size_is_named_with_its_limit() -> None:
    problem = too_large(70000, 65536)
    assert (problem.reason, problem.got) == ("too-large", "70000 bytes")
    assert "65536" in (problem.expected or "")


@pytest.mark.parametrize("name", ["openpgp", "ssh"])
@pytest.mark.parametrize("form", ["sha1", "sha256"])
def test_what_git_itself_signs_is_read(
    name: str, form: str, keychain: KeyChain, env: Mapping[str, str], tmp_path: Path
) -> None:
    here = Repo(tmp_path / form, dict(env))
    run("git", "init", "-q", f"--object-format={form}", here.path, env=env)
    here.commit("first")
    if name == "openpgp":
        identity = keychain.openpgp("li-wei")
        here.env["GNUPGHOME"] = str(identity.home)
        options = ["-c", f"user.signingKey={identity.fingerprint}"]
    else:
        options = ["-c", "gpg.format=ssh", "-c", f"user.signingKey={keychain.ssh('li-wei').private}"]
    here.git(*options, "tag", "-s", "-m", "Release\n\n-----BEGIN PGP MESSAGE-----\nquoted", "v1")
    oid = here.git("rev-parse", "refs/tags/v1")
    raw = subprocess.run(
        ["git", "-C", str(here.path), "cat-file", "tag", oid], capture_output=True, check=True, env=here.env
    ).stdout
    tag = parse_tag(oid, raw)
    assert isinstance(tag, TagObject)
    assert tag.target == here.git("rev-parse", "HEAD")
    assert isinstance(tag.signature, SignatureBlock)
    assert tag.signature.kind == name
    assert tag.payload + tag.signature.armored == raw


ON_A_LINE = "Name <email> seconds-since-1970 +hhmm"


@pytest.mark.parametrize(
    ("raw", "message", "got", "expected"),
    [
        (HEAD.replace(TARGET, "x" * 40), "the object header is no object id", "x" * 40, "40 lower-case hex digits"),
        (HEAD.replace("type commit", "type comet"), "the type header is no type of object", "comet", "commit"),
        (HEAD.replace("tag v2.9.0", "tag "), "the tag header is empty", None, None),
        (HEAD[:-1], "no blank line ends the headers of the tag object", None, None),
        (
            f"{HEAD}x y\n",
            "the tag object has a header that no tag has: x",
            "x y",
            "object, type, tag and tagger, once each",
        ),
        (f"{HEAD} y\n", "the tag object has a header that no tag has: a continued line", " y", None),
        (f"{HEAD}tag v3\n", "the tag object has two tag headers", "tag v3", "one"),
        (HEAD.replace("tag v2.9.0\n", ""), "the tag object has no tag header", None, None),
        (
            HEAD.replace("tag v2.9.0\n", "").replace("type commit", "tag a\ntype commit"),
            "the headers stand in a wrong order",
            "object, tag, type, tagger",
            "object, type, tag, tagger",
        ),
        (
            HEAD.replace("+0800", "+08"),
            "the tagger header is not well formed",
            "Li Wei <li.wei@example.com> 1760000000 +08",
            ON_A_LINE,
        ),
        (
            HEAD.replace("1760000000", "999999999999"),
            "the tagger's time is out of range",
            "Li Wei <li.wei@example.com> 999999999999 +0800",
            ON_A_LINE,
        ),
        (f"{HEAD}\n\0y\0", "the tag object holds a NUL byte, which hides what follows it", "byte 124", None),
    ],
)
def test_a_refusal_says_what_was_seen(raw: str, message: str, got: str | None, expected: str | None) -> None:
    problem = refused(raw if "\0" in raw or raw == HEAD[:-1] else f"{raw}\nx\n")
    assert (problem.message, problem.got) == (message, got)
    assert expected is None or problem.expected == expected


@pytest.mark.parametrize(
    ("behind", "message", "got", "expected"),
    [
        (
            f"{PGP}{SSH}",
            "the tag object holds more than one signature block",
            "2 lines that begin a block",
            "one block at the end",
        ),
        (
            f"{PGP}and more\n",
            "text after the end of the signature, which the signature does not cover",
            "and more",
            "nothing after the line that ends the block",
        ),
        (
            f"{PGP}\n",
            "blank lines after the end of the signature, which the signature does not cover",
            "\\x0a\\x0a",
            "nothing after the line that ends the block",
        ),
        (
            PGP.replace("-----\n", "----- x\n", 1),
            "the line that begins the signature block has more on it",
            "-----BEGIN PGP SIGNATURE----- x",
            None,
        ),
        (PGP[:50], "the signature block has no line -----END PGP SIGNATURE-----", None, None),
    ],
)
def test_what_is_wrong_with_a_block_is_said(behind: str, message: str, got: str | None, expected: str | None) -> None:
    problem = signature_problem(f"{HEAD}\nx\n{behind}")
    assert (problem.message, problem.got, problem.expected) == (message, got, expected)


def test_long_and_hidden_words_are_cut_and_shown() -> None:
    for text in (f"{HEAD}x{'y' * 500}\n\nz", HEAD.replace("+0800", "\x1b" + "x" * 500) + "\nz"):
        got = refused(text).got or ""
        assert len(got) < 130 and "\x1b" not in got
    got = signature_problem(f"{HEAD}\nx\n{PGP}{'z' * 500}").got or ""
    assert len(got) < 130


@pytest.mark.parametrize(
    ("zone", "offset"),
    [("+0800", 480), ("-0800", -480), ("+0545", 345), ("-0330", -210), ("+0000", 0), ("-0001", -1)],
)
def test_the_zone_is_kept_with_its_sign_and_minutes(zone: str, offset: int) -> None:
    when = parsed(HEAD.replace("+0800", zone) + "\nx\n").tagger.when
    assert when.utcoffset() == timedelta(minutes=offset)
    assert when == datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC)


def test_every_line_that_begins_a_block_is_looked_at() -> None:
    """A quoted line that is not closed hides no block that stands between it and the last one."""
    quoted = "-----BEGIN PGP MESSAGE-----\n"
    for between in (SSH, X509):
        assert signature_problem(f"{HEAD}\n{quoted}{between}{PGP}").reason == "several-signatures"
        assert signature_problem(f"{HEAD}\n{quoted}{quoted}{between}{quoted}{PGP}").reason == "several-signatures"


@pytest.mark.parametrize("text", ["-----BEGIN PGP SIGNATURE-----\n", "-----END PGP SIGNATURE-----\n"])
def test_a_quoted_line_of_the_same_kind_of_armor_is_text_where_it_closes_nothing(text: str) -> None:
    for message in (text, f"x\n{text}y\n"):
        tag = parsed(f"{HEAD}\n{message}{PGP}")
        assert (tag.message, tag.signature) == (message, SignatureBlock("openpgp", PGP.encode()))


def test_a_block_ends_at_the_first_line_that_ends_it() -> None:
    end = "-----END PGP SIGNATURE-----\n"
    assert signature_problem(f"{HEAD}\nx\n{PGP}{end}").reason == "trailing-data"
    assert signature_problem(f"{HEAD}\nx\n{PGP}more\n{end}").got == f"more\\x0a{end[:-1]}"


def test_no_more_quoted_lines_are_read_than_is_good() -> None:
    quoted = "-----BEGIN PGP MESSAGE-----\n"
    assert isinstance(parsed(f"{HEAD}\n{quoted * 999}{PGP}").signature, SignatureBlock)
    assert signature_problem(f"{HEAD}\n{quoted * 1000}{PGP}").reason == "several-signatures"


def test_a_block_of_a_label_alone_is_not_one() -> None:
    assert signature_problem(f"{HEAD}\n-----BEGIN PGP SIGNATURE-----").message.startswith("the signature block has no")
