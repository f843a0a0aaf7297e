"""The raw bytes of a tag object, read by a grammar that is stricter than git's own.

Git takes the last line that begins a signature block for the start of the signature and lets anything stand
behind it, between the headers and above it (gpg-interface.c, ``parse_signed_buffer``; tag.c). What a person is
shown and what was signed could then differ, so here a tag is ``object``, ``type``, ``tag`` and ``tagger`` once
each, a blank line, the message, at most one block, and nothing else.
"""

import base64
import binascii
import re
from datetime import datetime, timedelta, timezone

from ptguard.model import Oid, Problem, SignatureBlock, SignatureKind, Tagger, TagObject
from ptguard.text import shown

_HEADERS = (b"object", b"type", b"tag", b"tagger")
_TYPES = (b"commit", b"tree", b"blob", b"tag")
_IDENT = re.compile(
    rb"(?P<name>[^<>\n]*) <(?P<email>[^<>\n]*)> (?P<seconds>0|[1-9][0-9]{0,11}) (?P<sign>[+-])(?P<zone>[0-9]{4})"
)
_OID = re.compile(rb"[0-9a-f]+")

_LABELS: dict[bytes, SignatureKind] = {
    b"PGP SIGNATURE": "openpgp",
    b"PGP MESSAGE": "openpgp",
    b"SSH SIGNATURE": "ssh",
    b"SIGNED MESSAGE": "x509",
}
# The start of a line is enough, as it is for git: whatever git may take for a signature must be seen here too.
_BEGIN = re.compile(rb"^-----BEGIN (%s)-----" % b"|".join(_LABELS), re.MULTILINE)
_MAX_BLOCKS = 1000


def too_large(size: int, limit: int) -> Problem:
    """Give the problem of a tag object of ``size`` bytes, over ``limit``, which is not even read."""
    return Problem(
        "too-large",
        "the tag object is too large to be judged",
        got=f"{size} bytes",
        expected=f"at most {limit} bytes (max-tag-bytes of the policy)",
    )


def parse_tag(oid: Oid, raw: bytes) -> TagObject | Problem:
    """Give the tag object whose content (without git's object header) is ``raw``.

    A problem has one of the reasons of the check ``annotated``; what is wrong with the signature block alone
    stands in the tag's ``signature``. The size of ``raw`` is the caller's to bound.
    """
    at = raw.find(b"\0")
    if at >= 0:
        return Problem("nul-byte", "the tag object holds a NUL byte, which hides what follows it", f"byte {at}")
    head, blank, message = raw.partition(b"\n\n")
    if not blank:
        return _malformed("no blank line ends the headers of the tag object")
    headers = _headers(head)
    if isinstance(headers, Problem):
        return headers
    target, target_type, name, ident = headers
    if len(target) != len(oid) or not _OID.fullmatch(target):
        return _malformed("the object header is no object id", target, f"{len(oid)} lower-case hex digits")
    if target_type not in _TYPES:
        return _malformed("the type header is no type of object", target_type, "commit")
    if not name:
        return _malformed("the tag header is empty")
    tagger = person(ident)
    if isinstance(tagger, Problem):
        return tagger
    start = len(raw) - len(message)
    begins = blocks(raw, start)
    end = begins[-1] if begins else len(raw)
    return TagObject(
        oid=oid,
        target=target.decode("ascii"),
        target_type=target_type.decode("ascii"),
        name=name.decode("utf-8", "surrogateescape"),
        tagger=tagger,
        message=raw[start:end].decode("utf-8", "backslashreplace"),
        payload=raw[:end],
        signature=signature_block(raw, begins) if begins else None,
    )


def _malformed(message: str, got: bytes | None = None, expected: str | None = None) -> Problem:
    return Problem("malformed", message, None if got is None else shown(got, 120), expected)


def _headers(head: bytes) -> tuple[bytes, ...] | Problem:
    """Give the values of the four headers; their order is git's (mktag(1))."""
    values: dict[bytes, bytes] = {}
    for line in head.split(b"\n"):
        key, _, value = line.partition(b" ")
        if key not in _HEADERS:
            return Problem(
                "injected-header",
                f"the tag object has a header that no tag has: {shown(key, 40) or 'a continued line'}",
                got=shown(line, 120),
                expected="object, type, tag and tagger, once each",
            )
        if key in values:
            return _malformed(f"the tag object has two {key.decode()} headers", line, "one")
        values[key] = value
    for key in _HEADERS:
        if key not in values:
            return _malformed(f"the tag object has no {key.decode()} header")
    if tuple(values) != _HEADERS:
        return _malformed("the headers stand in a wrong order", b", ".join(values), "object, type, tag, tagger")
    return tuple(values[key] for key in _HEADERS)


def person(ident: bytes) -> Tagger | Problem:
    """Read ``Name <email> seconds ±hhmm``, as fsck.c's fsck_ident wants it, or a ``malformed`` Problem."""
    match = _IDENT.fullmatch(ident)
    expected = "Name <email> seconds-since-1970 +hhmm"
    if match is None:
        return _malformed("the tagger header is not well formed", ident, expected)
    hours, minutes = divmod(int(match["zone"]), 100)
    offset = timedelta(hours=hours, minutes=minutes) * (-1 if match["sign"] == b"-" else 1)
    try:
        when = datetime.fromtimestamp(int(match["seconds"]), timezone(offset))
    except (ValueError, OverflowError, OSError):
        return _malformed("the tagger's time is out of range", ident, expected)
    name, email = (match[part].decode("utf-8", "backslashreplace") for part in ("name", "email"))
    return Tagger(name, email, when)


def blocks(raw: bytes, start: int = 0) -> list[int]:
    """Give where lines begin that git may take for the start of a signature, from ``start`` on."""
    return [match.start() for match in _BEGIN.finditer(raw, start)]


def signature_block(raw: bytes, begins: list[int]) -> SignatureBlock | Problem:
    """Judge the form of the block that starts at the last of ``begins``; a quoted BEGIN line above it is text.

    The reasons of a Problem are those of the check ``signature``.
    """
    start = begins[-1]
    if len(begins) > _MAX_BLOCKS or any(_closed(raw, at, start) for at in begins[:-1]):
        return Problem(
            "several-signatures",
            "the tag object holds more than one signature block",
            got=f"{len(begins)} lines that begin a block",
            expected="one block at the end",
        )
    label = _label(raw, start)
    first, _, _ = raw[start:].partition(b"\n")
    if first != b"-----BEGIN %s-----" % label:
        return _malformed("the line that begins the signature block has more on it", first)
    closing = b"\n-----END %s-----" % label
    end = raw.find(closing, start)
    if end < 0:
        return _malformed(f"the signature block has no line -----END {label.decode()}-----")
    end += len(closing)
    rest = raw[end:]
    if rest not in (b"", b"\n"):
        return _trailing(rest)
    armored = raw[start:end] + b"\n"
    return SignatureBlock(_kind(label, armored), armored)


def _label(raw: bytes, at: int) -> bytes:
    match = _BEGIN.match(raw, at)
    return match[1] if match else b""


def _closed(raw: bytes, start: int, limit: int) -> bool:
    """Whether a block that begins at ``start`` has its END line before ``limit``."""
    return raw.find(b"\n-----END %s-----" % _label(raw, start), start, limit) >= 0


def _trailing(rest: bytes) -> Problem:
    what = "an OpenTimestamps block" if b"OPENTIMESTAMPS" in rest.upper() else "text"
    if not rest.strip():
        what = "blank lines"
    return Problem(
        "trailing-data",
        f"{what} after the end of the signature, which the signature does not cover",
        got=shown(rest.strip() or rest, 120),
        expected="nothing after the line that ends the block",
    )


def _kind(label: bytes, armored: bytes) -> SignatureKind:
    """Tell gitsign's blocks from other x509 ones: their certificates name Sigstore (Fulcio)."""
    kind = _LABELS[label]
    if kind != "x509":
        return kind
    try:
        der = base64.b64decode(b"".join(armored.split(b"\n")[1:-2]))
    except binascii.Error:
        return kind
    return "sigstore" if b"sigstore" in der.lower() else kind
