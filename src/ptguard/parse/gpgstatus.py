"""What gpg says on its status descriptor, and its colon listings (GnuPG's doc/DETAILS): read and judged, no IO.

Exit statuses and prose play no part: gpg exits 0 for expired and revoked keys.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from ptguard.model import OpenPgpKey, Problem, SignatureFacts, Status
from ptguard.parse.openpgp import key_id
from ptguard.text import sh, shown

StatusLine = tuple[str, str]

_STATUS = b"[GNUPG:] "
# gpg's numbers of hash algorithms (RFC 9580, section 9.5), by the names that it and the policy use.
_DIGESTS = {
    "1": "MD5",
    "2": "SHA1",
    "3": "RIPEMD160",
    "8": "SHA256",
    "9": "SHA384",
    "10": "SHA512",
    "11": "SHA224",
    "12": "SHA3-256",
    "14": "SHA3-512",
}
_BROKEN = ("MD5", "SHA1", "RIPEMD160")
_VERDICTS = ("GOODSIG", "EXPKEYSIG", "EXPSIG", "REVKEYSIG", "BADSIG", "ERRSIG")
# Never beside a good detached signature: gpg gave up, or there was a message inside the block.
_UNFIT = ("FAILURE", "ERROR", "NODATA", "UNEXPECTED", "BADARMOR", "PLAINTEXT", "DECRYPTION_INFO", "BEGIN_DECRYPTION")
_FINGERPRINT = re.compile(r"[0-9A-F]{40}|[0-9A-F]{64}")
_NO_PUBKEY, _DIGEST_ALGO = "9", "5"


def status_lines(stderr: bytes) -> list[StatusLine]:
    """Give the status lines of ``stderr``; a line ends at a line feed and nowhere else."""
    found = []
    for line in stderr.split(b"\n"):
        if line.startswith(_STATUS):
            keyword, _, value = line[len(_STATUS) :].decode("utf-8", "backslashreplace").partition(" ")
            found.append((keyword, value))
    return found


def file_sections(lines: Sequence[StatusLine]) -> Mapping[str, Sequence[StatusLine]]:
    """Give, by file name, what ``gpg --verify-files`` said of each file (FILE_START to FILE_DONE in doc/DETAILS).

    A file that was not read to its end, or is named twice, has none. Where anything but the closing FAILURE stands
    outside the sections nothing is believed, and there are none at all.
    """
    found: dict[str, list[StatusLine]] = {}
    spoiled: set[str] = set()
    name: str | None = None
    for keyword, value in lines:
        if keyword == "FILE_START":
            if name is not None:
                spoiled.add(name)
            name = value.partition(" ")[2]
            if name in found:
                spoiled.add(name)
            found[name] = []
        elif keyword == "FILE_DONE" and name is not None:
            name = None
        elif name is not None:
            found[name].append((keyword, value))
        elif keyword != "FAILURE":
            return {}
    if name is not None:
        spoiled.add(name)
    return {file: section for file, section in found.items() if file not in spoiled}


def judge_status(lines: Sequence[StatusLine]) -> SignatureFacts | Problem:
    """Judge what gpg said of one detached signature: one signature, one verdict on it, and that a good one.

    The facts of an expired key (EXPKEYSIG) have ``expired_at`` set to when the signature was made, which accepts
    nothing; the true time has to be asked of gpg in a second step.
    """
    counted = {keyword: len(values(lines, keyword)) for keyword in ("NEWSIG", "VALIDSIG", *_VERDICTS, *_UNFIT)}
    verdicts = [keyword for keyword in _VERDICTS for _ in range(counted[keyword])]
    if counted["NEWSIG"] > 1 or counted["VALIDSIG"] > 1 or len(verdicts) > 1:
        return Problem("several-signatures", "gpg found more than one signature", ", ".join(verdicts), "one")
    if not verdicts:
        return _no_verdict(counted)
    refusal = _refusal(verdicts[0], values(lines, verdicts[0])[0])
    if refusal is not None:
        return refusal
    unfit = [keyword for keyword in _UNFIT if counted[keyword]]
    if unfit or counted["NEWSIG"] != 1 or counted["VALIDSIG"] != 1:
        return _undecided("gpg calls the signature good but says more, or less, than of a good one", ", ".join(unfit))
    return _facts(values(lines, "VALIDSIG")[0], values(lines, verdicts[0])[0], expired=verdicts[0] == "EXPKEYSIG")


def values(lines: Sequence[StatusLine], keyword: str) -> list[str]:
    """Give what follows ``keyword``, once for each of its lines."""
    return [value for key, value in lines if key == keyword]


def _undecided(message: str, got: str | None = None) -> Problem:
    return Problem("could-not-decide", message, got or None, "one verdict on one signature", status=Status.ERROR)


def _no_verdict(counted: Mapping[str, int]) -> Problem:
    said = [keyword for keyword, count in counted.items() if count]
    if counted["NODATA"] or counted["BADARMOR"]:
        return Problem("malformed", "gpg finds no OpenPGP signature in the block", ", ".join(said))
    return _undecided("gpg gave no verdict on the signature", ", ".join(said))


def _refusal(verdict: str, value: str) -> Problem | None:
    """Give the problem that every verdict but GOODSIG and EXPKEYSIG is; ``value`` is what followed it."""
    key = value.partition(" ")[0]
    match verdict:
        case "GOODSIG" | "EXPKEYSIG":
            return None
        case "BADSIG":
            return Problem(
                "bad-signature",
                "the signature does not fit: something was changed after it was made",
                got=f"a bad signature by key {shown(key, 64)}",
            )
        case "EXPSIG":
            return Problem("outside-window", "the signature itself has expired", f"made by key {shown(key, 64)}")
        case "REVKEYSIG":
            return revoked_key(key)
        case _:
            return _unchecked(value)


def revoked_key(key: str) -> Problem:
    """Give the problem of a signature by ``key``, an id or a fingerprint, which its owner has revoked."""
    return Problem("revoked-key", "the key that signed has been revoked", f"key {shown(key, 64)}")


def weak_digest(digest: str) -> Problem:
    """Give the problem of a signature over ``digest``, whether gpg checked it or not."""
    return Problem("weak-digest", f"the signature is made over {digest}, which can be forged", digest)


def _unchecked(value: str) -> Problem:
    """Judge ``ERRSIG <keyid> <pkalgo> <hashalgo> <sigclass> <time> <rc> <fpr>``: gpg could not check it."""
    words = [*value.split(" "), "", "", "", "", "", "", ""]
    key = shown(words[6] if _FINGERPRINT.fullmatch(words[6]) else words[0], 64)
    digest = _DIGESTS.get(words[2], f"hash {shown(words[2], 8)}")
    if words[5] == _NO_PUBKEY:
        return Problem("unknown-signer", "the policy has no such key", f"a signature by OpenPGP key {key}")
    if words[5] == _DIGEST_ALGO and digest in _BROKEN:
        return weak_digest(digest)
    return Problem("bad-signature", "gpg cannot check the signature", f"key {key}, code {shown(words[5], 8) or 'none'}")


def unavailable(problem: Problem, lines: Sequence[StatusLine], missing: Mapping[str, OpenPgpKey]) -> Problem:
    """Say so where the signer is unknown to gpg only because it would not take the policy's key."""
    key = missing.get(values(lines, "ERRSIG")[0][:16]) if problem.reason == "unknown-signer" else None
    if key is None:
        return problem
    return Problem(
        "key-unavailable",
        "gpg here cannot use the policy's key that signed, so nothing can be said of the signature",
        got=f"gpg did not import {key.fingerprint}",
        expected="a gpg that knows this kind of key, and a key file with a user id and its self-signature",
        fix=f"gpg --version; {sh('gpg', '--show-keys', f'.ptguard/{key.file}')}   # a newer gpg, or a new export",
        status=Status.ERROR,
    )


def _facts(validsig: str, verdict: str, *, expired: bool) -> SignatureFacts | Problem:
    """Read ``VALIDSIG`` (doc/DETAILS): the tenth word is the primary key's fingerprint, whole."""
    words = validsig.split(" ")
    if len(words) != 10 or not all(_FINGERPRINT.fullmatch(words[at]) for at in (0, 9)) or not words[2].isdecimal():
        return _undecided("gpg names no key and time for the good signature", shown(validsig, 200))
    if verdict.partition(" ")[0] not in (key_id(words[0]), words[0]):
        return _undecided("gpg calls good a signature by another key than it checked", shown(verdict, 200))
    if words[8] != "00":
        return Problem(
            "malformed",
            "the signature does not cover the exact bytes (was it made with --textmode?)",
            f"class {words[8]}",
            "00",
        )
    made = datetime.fromtimestamp(int(words[2][:12]), UTC)
    digest = _DIGESTS.get(words[7], f"hash {words[7]}")
    return SignatureFacts("openpgp", words[9], digest, made, made if expired else None)


class Life(NamedTuple):
    """What a key says of its own end: when it ``expires`` (None: never), and whether it is ``revoked``.

    ``signs`` is whether it may sign, ``primary`` the primary key that it belongs to, or is.
    """

    expires: datetime | None
    revoked: bool = False
    signs: bool = True
    primary: str = ""


def lives(listing: bytes) -> Mapping[str, Life]:
    """Give, from a colon listing, the end of each key and subkey by its fingerprint."""
    found: dict[str, Life] = {}
    key, primary = [b"pub"] + [b""] * 11, ""
    for line in listing.split(b"\n"):
        fields = line.split(b":")
        if fields[0] in (b"pub", b"sub") and len(fields) > 6:
            key = [*fields, *[b""] * 12]
        elif fields[0] == b"fpr" and len(fields) > 9:
            name = fields[9].decode("ascii", "replace")
            primary = name if key[0] == b"pub" else primary
            if not key[6] or re.fullmatch(rb"[0-9]{1,11}", key[6]):
                end = datetime.fromtimestamp(int(key[6]), UTC) if key[6] else None
                found[name] = Life(end, key[1][:1] == b"r", b"s" in key[11], primary)
    return found
