"""Signing a record with the user's own key, and putting record and signature in place together or not at all."""

import os
import re
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

from ptguard.errors import ToolFailedError, UsageError
from ptguard.gateways.files import write_whole
from ptguard.gateways.process import Completed, run
from ptguard.model import Problem
from ptguard.parse.smoke import pae
from ptguard.parse.ssh import parse_signature
from ptguard.text import shown
from ptguard.value import value

NAMESPACE: Final = "ptguard-smoke"
SUFFIXES: Final = {"ssh": ".sig", "openpgp": ".asc"}

# A password may have to be typed, a security key touched.
_PATIENCE: Final = 300.0
_LIMIT: Final = 1 << 20
_HEX: Final = re.compile(r"[0-9A-Fa-f]{40}([0-9A-Fa-f]{24})?")
_HOW: Final = "ptguard smoke --sign KEY   # an SSH key file, or the full fingerprint of an OpenPGP key"


@value
class SigningKey:
    """The key to sign with. ``name``: an SSH key's file, or an OpenPGP primary fingerprint.

    ``fingerprint`` as the policy has it: ``SHA256:…``, or the full one in upper-case hex. ``public`` is an SSH public
    key that stands written out in git's config; an agent then has the private one.
    """

    kind: Literal["ssh", "openpgp"]
    name: str
    fingerprint: str
    public: str | None = None

    @property
    def suffix(self) -> str:
        """What the signature's file is called behind the record's name."""
        return SUFFIXES[self.kind]


def choose(named: str | None, configured: Callable[[str], str | None]) -> SigningKey:
    """Give the key that ``--sign`` names, else the one that git signs with (user.signingkey, gpg.format).

    ``configured`` gives a value of git's configuration or None.

    Raises:
        UsageError: there is none, or it is not clear which.
        ToolMissingError: gpg or ssh-keygen is not installed.
    """
    if named is not None:
        return _openpgp(named) if _HEX.fullmatch(_plain(named)) else _ssh(named)
    key, kind = configured("user.signingkey"), configured("gpg.format") or "openpgp"
    if not key:
        raise UsageError("no key to sign the record with: no --sign, and no user.signingkey in git's config", fix=_HOW)
    if kind == "ssh":
        return _ssh(key)
    if kind != "openpgp":
        raise UsageError(f"git signs with {shown(kind)} here, a record needs an SSH or OpenPGP key", fix=_HOW)
    return _openpgp(key)


def _plain(key: str) -> str:
    return key.replace(" ", "").removeprefix("0x").removesuffix("!")


def _said(done: Completed) -> str:
    lines = [line for line in done.stderr.decode("utf-8", "backslashreplace").splitlines() if line.strip()]
    return shown(lines[-1], 200) if lines else f"it ended with status {done.returncode}"


def _literal(key: str) -> str | None:
    """Give the public key where it is written out in git's config (git-config(1), user.signingKey), or None."""
    text = key.removeprefix("key::")
    return text if text != key or re.match(r"(ssh|ecdsa|sk)-\S+ \S", key) else None


def _ssh(key: str) -> SigningKey:
    public = _literal(key)
    if public is None:
        key = str(Path(key).expanduser())
        if not Path(key).is_file():
            raise UsageError(
                f"{shown(key)} is neither the file of an SSH key nor the full fingerprint of an OpenPGP key", fix=_HOW
            )
        done = run(["ssh-keygen", "-l", "-E", "sha256", "-f", key], env=dict(os.environ))
    else:
        done = run(["ssh-keygen", "-l", "-E", "sha256", "-f", "-"], stdin=public.encode() + b"\n", env=dict(os.environ))
    found = re.search(rb"(?m)^[0-9]+ (SHA256:[A-Za-z0-9+/]{43}) ", done.stdout)
    if done.returncode != 0 or found is None:
        raise UsageError(f"{shown(key, 120)} is no SSH key: {_said(done)}", fix=_HOW)
    return SigningKey("ssh", key, found[1].decode("ascii"), public)


def _openpgp(key: str) -> SigningKey:
    done = run(["gpg", "--batch", "--with-colons", "--list-secret-keys", "--", key], env=dict(os.environ))
    rows = [line.split(":") for line in done.stdout.decode("utf-8", "replace").splitlines()]
    primaries = [rows[i + 1 :] for i, row in enumerate(rows) if row[0] == "sec"]
    if done.returncode != 0 or not primaries:
        raise UsageError(f"gpg has no secret key {shown(key, 120)}: {_said(done)}", fix="gpg --list-secret-keys")
    if len(primaries) > 1:
        raise UsageError(f"{shown(key, 120)} names {len(primaries)} keys", fix=_HOW)
    fingerprint = next((row[9].upper() for row in primaries[0] if row[0] == "fpr" and len(row) > 9), "")
    if not _HEX.fullmatch(fingerprint):
        raise ToolFailedError(f"gpg gives no fingerprint for {shown(key, 120)}")
    return SigningKey("openpgp", fingerprint, fingerprint)


def sign(key: SigningKey, payload: bytes) -> bytes:
    """Give the armored, detached signature of the record ``payload`` (over its pre-authentication encoding).

    An OpenPGP signature knows no namespace: the prefix ``DSSEv1`` alone keeps it apart from that of a tag.

    Raises:
        ToolFailedError: the program did not sign, or not with this key.
        ToolMissingError: it is not installed.
    """
    armored = _with_ssh(key, pae(payload)) if key.kind == "ssh" else _with_gpg(key, pae(payload))
    kind = b"SSH" if key.kind == "ssh" else b"PGP"
    if not armored.startswith(b"-----BEGIN %s SIGNATURE-----" % kind):
        raise ToolFailedError(f"no signature came out, but {shown(armored, 60)!r}")
    return armored


def _with_ssh(key: SigningKey, message: bytes) -> bytes:
    with tempfile.TemporaryDirectory(prefix="ptguard-", ignore_cleanup_errors=True) as folder:
        file = key.name
        if key.public is not None:
            file = str(Path(folder, "key.pub"))
            Path(file).write_text(key.public + "\n", encoding="utf-8")
        argv = ["ssh-keygen", "-Y", "sign", "-q", "-n", NAMESPACE, "-f", file]
        done = run(argv, stdin=message, env=dict(os.environ), timeout=_PATIENCE, limit=_LIMIT, terminal=True)
    if done.returncode != 0:
        raise ToolFailedError(f"ssh-keygen did not sign: {_said(done)}", fix="ssh-add KEY   # and run again")
    said = parse_signature(done.stdout)
    if isinstance(said, Problem) or (said.fingerprint, said.namespace) != (key.fingerprint, NAMESPACE):
        raise ToolFailedError("ssh-keygen signed with another key or for another purpose than asked")
    return done.stdout


def _with_gpg(key: SigningKey, message: bytes) -> bytes:
    argv = ["gpg", "--armor", "--digest-algo", "SHA512", "--status-fd", "2", "--local-user", key.name, "--detach-sign"]
    done = run(argv, stdin=message, env=dict(os.environ), timeout=_PATIENCE, limit=_LIMIT, terminal=True)
    if done.returncode != 0 or b"[GNUPG:] SIG_CREATED D " not in done.stderr:
        said = next((x for x in done.stderr.splitlines() if x.startswith(b"gpg: ")), b"it gave no reason")
        raise ToolFailedError(f"gpg did not sign: {shown(said, 200)}", fix="echo | gpg --clearsign   # and run again")
    return done.stdout


def publish(path: Path, payload: bytes, key: SigningKey, armored: bytes) -> Path:
    """Put the record at ``path`` and its signature beside it, both or none; give the signature's path.

    A signature of the other kind, left from an earlier run, goes: it would be one of other bytes.

    Raises:
        ToolFailedError: the files cannot be written; then neither is there.
    """
    signature = path.with_name(path.name + key.suffix)
    placed: list[Path] = []
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for target, data in ((signature, armored), (path, payload)):
            write_whole(target, data, 0o644)
            placed.append(target)
        for suffix in set(SUFFIXES.values()) - {key.suffix}:
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    except BaseException as error:  # also Ctrl-C: half of it must not stay
        for target in (path, signature) if placed else ():
            with suppress(OSError):
                target.unlink()
        if isinstance(error, OSError):
            raise ToolFailedError(f"the record cannot be written: {shown(str(error))}") from error
        raise
    return signature
