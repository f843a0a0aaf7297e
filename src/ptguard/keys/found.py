"""The key that is meant: a fingerprint of the user's keyring, a file, a line, or what git signs with."""

import codecs
import os
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
from ptguard.text import sh, shown

_HEX: Final = re.compile(r"[0-9A-F]{40}([0-9A-F]{24})?")
_SHORT: Final = re.compile(r"[0-9A-F]{8,}!?|[^@\s]+@[^@\s]+")
"""A key id or a user id: gpg knows keys by these, but others can have keys with the same ones."""
_PATH: Final = re.compile(r"[^\s]*(/[^\s]*|\.(pub|asc|gpg|pgp|key|pem))")
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
    path = os.path.expanduser(named)  # noqa: PTH111 - where there is no such user or home, pathlib raises
    if os.path.isfile(path):  # noqa: PTH113 - a line of a key is too long for a path, at which pathlib raises
        return _file(hand.gpg, Path(path))
    parsed = parse_public_key(named.removeprefix("key::"))
    if isinstance(parsed, Problem):
        raise _no_key(named, path, plain, parsed)
    return FoundKey("ssh", parsed[1], parsed[0].encode("ascii"))


def _no_key(named: str, path: str, plain: str, problem: Problem) -> UsageError:
    """Give what is wrong with a word that names no key: the likeliest of what was meant."""
    if os.path.isdir(path):  # noqa: PTH112 - as above
        return UsageError(f"{shown(named, 200)} is a folder", fix=f"name {_WHAT}")
    if _SHORT.fullmatch(plain):
        words = f"{shown(named, 80)} is no full fingerprint; other keys can have the same key id or user id"
        return UsageError(
            words, fix=f"{sh('gpg', '--list-keys', '--fingerprint', named)}   # and name that fingerprint"
        )
    if _PATH.fullmatch(named):
        return UsageError(f"there is no file {shown(named, 200)}", fix=f"name {_WHAT}")
    why = f": {_said(problem)}" if " " in named else ""
    return UsageError(f"{shown(named, 80)} is no key{why}", fix=f"name {_WHAT}")


def _said(problem: Problem) -> str:
    return f"{problem.message} ({problem.got})" if problem.got else problem.message


def _configured(hand: Hand) -> FoundKey:
    key = hand.configured()
    if key is None or isinstance(key, Problem):
        why = "git has no user.signingkey" if key is None else _said(key)
        raise UsageError(f"no key is named, and {why}", fix=(key.fix if key else None) or f"name {_WHAT}")
    if key.kind == "ssh":
        return FoundKey("ssh", key.fingerprint, (key.public or "").encode("ascii"))
    return _exported(hand.gpg, key.fingerprint)


def _exported(gpg: str, fingerprint: str) -> FoundKey:
    data = signing.export_minimal(gpg, fingerprint)
    held = primary_fingerprints(data)
    if isinstance(held, Problem) or held != {fingerprint}:
        why = held.message if isinstance(held, Problem) else f"it is no primary key, or gpg gave {len(held)} keys"
        raise UsageError(
            f"the OpenPGP key {fingerprint} cannot be taken: {why}", fix=sh("gpg", "--list-keys", fingerprint)
        )
    return FoundKey("openpgp", fingerprint, data)


def _file(gpg: str, path: Path) -> FoundKey:
    """Read a key file; an OpenPGP one is reduced to what verifying needs, in a keyring of its own."""
    name = shown(str(path), 200)
    try:
        data = path.read_bytes() if path.stat().st_size <= _MAX_FILE else b""
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}", fix=sh("ls", "-l", str(path))) from error
    if not data:
        raise UsageError(f"{name} is empty, or larger than a key", fix=f"name {_WHAT}")
    data = data.removeprefix(codecs.BOM_UTF8)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        new = sh(f"{path}.ascii")
        fix = f"{sh('iconv', '-f', 'UTF-16', '-t', 'ASCII', str(path))} >{new}   # and name {new}"
        raise UsageError(f"{name} is UTF-16, as PowerShell writes it, and a key is ASCII", fix=fix)
    if b"PRIVATE KEY" in data:
        raise UsageError(f"{name} is a private key, which never belongs here", fix=_public_half(path, data))
    if b"-----BEGIN PGP" not in data and not data[0] & 0x80:
        return _ssh_file(name, data)
    binary = public_keys_binary(data)
    held = binary if isinstance(binary, Problem) else primary_fingerprints(data)
    if isinstance(binary, Problem) or isinstance(held, Problem) or len(held) != 1:
        why = _said(held) if isinstance(held, Problem) else f"it holds the keys {', '.join(sorted(held)[:5])}"
        raise UsageError(f"{name} cannot be taken: {why}", fix=f"name {_WHAT}, with one key")
    (fingerprint,) = held
    return FoundKey("openpgp", fingerprint, signing.minimal(gpg, binary, fingerprint))


def _ssh_file(name: str, data: bytes) -> FoundKey:
    text = data.decode("utf-8", "replace").strip()
    lines = len(text.splitlines())
    if lines > 1:
        fix = f"name {_WHAT}, with one key"
        raise UsageError(f"{name} has {lines} lines, and an SSH public key is one", fix=fix)
    parsed = parse_public_key(text)
    if isinstance(parsed, Problem):
        raise UsageError(f"{name} is no key: {_said(parsed)}", fix=f"name {_WHAT}")
    return FoundKey("ssh", parsed[1], parsed[0].encode("ascii"))


def _public_half(path: Path, data: bytes) -> str:
    """Give how the public half of a private key file is come by."""
    if b"BEGIN PGP" in data:
        return "gpg --armor --export FINGERPRINT >key.asc   # and name key.asc"
    public = f"{path}.pub"
    make = "" if os.path.isfile(public) else f"{sh('ssh-keygen', '-y', '-f', str(path))} >{sh(public)}   # and "  # noqa: PTH113
    return f"{make}name {sh(public)}"
