"""A commit object and the signature in its header, read from raw bytes.

What a signature of a commit covers is the object without the header that holds it (git's commit.c,
``parse_signed_commit``); the header's further lines begin with a space.
"""

from ptguard.model import Oid, Problem, SignatureBlock, TagObject
from ptguard.parse.tag import blocks, person, signature_block
from ptguard.text import shown

_SIGNATURES = (b"gpgsig", b"gpgsig-sha256")
MAX_COMMIT_BYTES = 1 << 20


def parse_commit(oid: Oid, raw: bytes) -> TagObject | Problem:
    """Give the commit ``oid``, whose content (without git's object header) is ``raw``, as a signed object.

    As a tag of itself: ``tagger`` is its committer, ``name`` its own id, ``payload`` what its signature covers. The
    reasons of a Problem are those of the check ``annotated``.
    """
    if b"\0" in raw:
        return Problem("nul-byte", f"the commit {oid} holds a NUL byte, which hides what follows it")
    head, blank, message = raw.partition(b"\n\n")
    headers = _headers(head)
    committers = [value for key, value in headers if key == b"committer"]
    if not blank or len(committers) != 1:
        return Problem("malformed", f"the commit {oid} is not well formed", shown(head, 120), "one committer header")
    committer = person(committers[0])
    if isinstance(committer, Problem):
        return Problem("malformed", f"the committer of {oid} is not well formed", committer.got, committer.expected)
    signed = [(key, value) for key, value in headers if key in _SIGNATURES]
    kept = b"\n".join(key + b" " + value.replace(b"\n", b"\n ") for key, value in headers if key not in _SIGNATURES)
    return TagObject(
        oid=oid,
        target=oid,
        target_type="commit",
        name=oid,
        tagger=committer,
        message=message.decode("utf-8", "backslashreplace"),
        payload=kept + b"\n\n" + message,
        signature=_signature(oid, signed),
    )


def _headers(head: bytes) -> list[tuple[bytes, bytes]]:
    """Give the headers in their order, each with its further lines joined by line breaks."""
    found: list[tuple[bytes, bytes]] = []
    for line in head.split(b"\n"):
        if line.startswith(b" ") and found:
            found[-1] = (found[-1][0], found[-1][1] + b"\n" + line[1:])
        else:
            key, _, value = line.partition(b" ")
            found.append((key, value))
    return found


def _signature(oid: Oid, signed: list[tuple[bytes, bytes]]) -> SignatureBlock | Problem | None:
    if not signed:
        return None
    key = _SIGNATURES[0] if len(oid) == 40 else _SIGNATURES[1]
    if len(signed) > 1 or signed[0][0] != key:
        return Problem("several-signatures", f"the commit {oid} has other signature headers than one {key.decode()}")
    armored = signed[0][1]
    begins = blocks(armored)
    if not begins or begins[0] != 0:
        return Problem("malformed", f"the signature header of {oid} holds no armored block")
    return signature_block(armored, begins)
