"""The key that is meant: a fingerprint of the user's keyring, a file, a line, or what git signs with."""

import re
from pathlib import Path
from typing import Final

from ptguard.errors import UsageError
from ptguard.gateways import signing
from ptguard.gateways.repo import Repository
from ptguard.model import Problem
from ptguard.parse.openpgp import primary_fingerprints, public_keys_binary
from ptguard.parse.ssh import parse_public_key
from ptguard.tagging.keys import FoundKey, Hand
from ptguard.text import shown

_HEX: Final = re.compile(r"[0-9A-F]{40}([0-9A-F]{24})?")
_MAX_FILE: Final = 1 << 18
_WHAT: Final = "a full OpenPGP fingerprint, an armored key file, an SSH .pub file or its line"


def find(named: str | None, top: Path) -> FoundKey:
    """Give the key that ``named`` means, None: that of git's user.signingkey.

    Raises:
        UsageError: it means none, or several.
        PtguardError: gpg failed.
    """
    hand = Hand(Repository(top), top)
    if named is None:
        return _configured(hand)
    plain = named.replace(" ", "").removeprefix("0x").upper()
    if _HEX.fullmatch(plain):
        return _exported(hand.gpg, plain)
    path = Path(named).expanduser()
    if path.is_file():
        return _file(hand.gpg, path)
    parsed = parse_public_key(named)
    if isinstance(parsed, Problem):
        raise UsageError(f"{shown(named, 80)} is no key: {parsed.message}", fix=f"name {_WHAT}")
    return FoundKey("ssh", parsed[1], parsed[0].encode("ascii"))


def _configured(hand: Hand) -> FoundKey:
    key = hand.configured()
    if key is None or isinstance(key, Problem):
        why = "git has no user.signingkey" if key is None else key.message
        raise UsageError(f"no key is named, and {why}", fix=f"name {_WHAT}")
    if key.kind == "ssh":
        return FoundKey("ssh", key.fingerprint, (key.public or "").encode("ascii"))
    return _exported(hand.gpg, key.fingerprint)


def _exported(gpg: str, fingerprint: str) -> FoundKey:
    data = signing.export_minimal(gpg, fingerprint)
    held = primary_fingerprints(data)
    if isinstance(held, Problem) or held != {fingerprint}:
        why = held.message if isinstance(held, Problem) else f"it is no primary key, or gpg gave {len(held)} keys"
        raise UsageError(f"the OpenPGP key {fingerprint} cannot be taken: {why}", fix="gpg --list-keys")
    return FoundKey("openpgp", fingerprint, data)


def _file(gpg: str, path: Path) -> FoundKey:
    """Read a key file; an OpenPGP one is reduced to what verifying needs, in a keyring of its own."""
    data = path.read_bytes() if path.stat().st_size <= _MAX_FILE else b""
    if not data:
        raise UsageError(f"{shown(str(path))} is empty, or larger than a key", fix=f"name {_WHAT}")
    if b"PRIVATE KEY" in data:
        raise UsageError(f"{shown(str(path))} is a private key, which never belongs here", fix=f"name {_WHAT}")
    if b"-----BEGIN PGP" not in data and not data[0] & 0x80:
        parsed = parse_public_key(data.decode("utf-8", "replace"))
        if isinstance(parsed, Problem):
            raise UsageError(f"{shown(str(path))} is no key: {parsed.message}", fix=f"name {_WHAT}")
        return FoundKey("ssh", parsed[1], parsed[0].encode("ascii"))
    binary = public_keys_binary(data)
    held = binary if isinstance(binary, Problem) else primary_fingerprints(data)
    if isinstance(binary, Problem) or isinstance(held, Problem) or len(held) != 1:
        why = held.message if isinstance(held, Problem) else "it holds several keys"
        raise UsageError(f"{shown(str(path))} cannot be taken: {why}", fix=f"name {_WHAT}, with one key")
    (fingerprint,) = held
    return FoundKey("openpgp", fingerprint, signing.minimal(gpg, binary, fingerprint))
