"""A change to who may release: worked out on the policy of the work tree, shown, and written below .ptguard/ only."""

import os
import re
import tomllib
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from ptguard.checks import discover
from ptguard.errors import PolicyError, PtguardError, UsageError
from ptguard.gateways.files import read_regular, write_whole
from ptguard.keys.edit import key_paths, with_key, with_status
from ptguard.keys.listing import Lives, rows
from ptguard.model import KeyStatus, Policy, Problem
from ptguard.parse.ssh import parse_public_key
from ptguard.policy import parse_policy
from ptguard.policy.lines import KeyPath
from ptguard.tagging.keys import FoundKey
from ptguard.text import diff, sh, shown
from ptguard.trust import MAX_POLICY_BYTES, POLICY_FOLDER, POLICY_PATH
from ptguard.value import value


@value
class Change:
    """What is to be written: new bytes by path from the root of the work tree; ``notes`` for who makes the change."""

    files: Mapping[str, bytes]
    before: Mapping[str, bytes]
    notes: tuple[str, ...] = ()

    def diff(self) -> str:
        """Give the change of the policy as a unified diff, control characters escaped; new key files by name."""
        out = []
        for path, data in self.files.items():
            if path != POLICY_PATH:
                out.append(f"new file {shown(path)} ({len(data)} bytes)\n")
                continue
            out.append(diff(path, self.before[path], data))
        return "".join(out)


def add(top: Path, signer: str, key: FoundKey, name: str | None, *, lives: Lives, now: datetime) -> Change:
    """Give the change that gives ``signer`` the ``key``; ``lives`` says when an OpenPGP key ends by its own word.

    Raises:
        UsageError: the policy has it already, or its text cannot be changed safely.
        PolicyError: there is no policy, or the changed one would have mistakes.
    """
    text = _text(top)
    policy = _policy(top, text, {})
    for other in policy.signers.values():
        if any(known.fingerprint == key.fingerprint for known in other.keys):
            raise UsageError(f"{shown(other.id)} has the key {key.fingerprint} already", fix="ptguard keys list")
    if name is not None and signer in policy.signers:
        fix = f"leave out --name, or change name below [signers.{signer}] by hand"
        raise UsageError(f"--name is for a new signer, and the policy has {shown(signer)} already", fix=fix)
    files: dict[str, bytes] = {}
    table: dict[str, str] = {"kind": key.kind}
    if key.kind == "openpgp":
        file = f"keys/{signer}-{key.fingerprint[-16:].lower()}.asc"
        table |= {"fingerprint": key.fingerprint, "file": file}
        files[f"{POLICY_FOLDER}/{file}"] = key.public
        _refuse_to_overwrite(top, f"{POLICY_FOLDER}/{file}")
    else:
        table["public-key"] = f"{key.public.decode('ascii')} {signer}"
    files[POLICY_PATH] = _edited(with_key(text.decode("utf-8"), signer, table, name))
    changed = _policy(top, files[POLICY_PATH], files)
    if not files[POLICY_PATH].startswith(text):
        raise UsageError("the policy's text cannot be added to safely", fix="edit it by hand")
    found = (*_ends(changed, key, lives, now), *_new(policy, signer), *_idle(changed, signer))
    return Change(files, {POLICY_PATH: text}, found)


def _refuse_to_overwrite(top: Path, path: str) -> None:
    if os.path.lexists(top / path):
        fix = f"{sh('mv', path, f'{path}.old')}   # and run again"
        raise UsageError(f"{shown(path)} is there already", fix=fix)


def set_status(top: Path, fingerprint: str, status: KeyStatus, now: datetime) -> Change:
    """Give the change that makes the key ``fingerprint`` retired (from ``now``, unless it ends before) or compromised.

    Raises:
        UsageError: the policy has no such key, it is so already, or its text cannot be changed safely.
        PolicyError: there is no policy, or the changed one would have mistakes.
    """
    text = _text(top)
    wanted = _meant(_policy(top, text, {}), fingerprint, status)
    decoded = text.decode("utf-8")
    # The window's end is no part of it, and signatures are dated in whole seconds: this one still counts.
    until = now.replace(microsecond=0) + timedelta(seconds=1) if status is KeyStatus.RETIRED else None
    changed = _edited(with_status(decoded, wanted, status.value, until, _fingerprints(decoded)))
    if changed == text:
        raise UsageError(f"the key {shown(fingerprint)} is {status.value} already", fix="ptguard keys list")
    return Change({POLICY_PATH: changed}, {POLICY_PATH: text}, tuple(_orphans(_policy(top, changed, {}))))


def _meant(policy: Policy, named: str, status: KeyStatus) -> str:
    """Give the fingerprint that ``named`` is; a key id, or a signer, is only answered with what it may stand for."""
    plain = named.replace(" ", "").removeprefix("0x").upper()
    wanted = plain if re.fullmatch("[0-9A-F]+", plain) else named
    known = [(signer.id, key.fingerprint) for signer in policy.signers.values() for key in signer.keys]
    ends = (wanted,) if len(wanted) >= 8 else ()
    near = [(who, print_) for who, print_ in known if who == named or print_.endswith(ends)]
    if near and wanted not in dict(known).values():
        names = ", ".join(f"{print_} ({shown(who)})" for who, print_ in near[:5])
        verb = "retire" if status is KeyStatus.RETIRED else "compromise"
        fix = " or ".join(sh("ptguard", "keys", verb, print_) for _, print_ in near[:5])
        raise UsageError(f"{shown(named, 80)} is no full fingerprint; it may stand for {names}", fix=fix)
    return wanted


def write(top: Path, change: Change) -> None:
    """Write the files of ``change``, each whole, the policy last.

    Raises:
        PtguardError: the file system refuses, or a key file is there already.
    """
    try:
        for path, data in change.files.items():
            target = top / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if path != POLICY_PATH:
                _refuse_to_overwrite(top, path)  # it may have come since
            write_whole(target, data)
    except OSError as error:
        raise PtguardError(f"the policy cannot be written: {shown(str(error))}") from error


def _text(top: Path) -> bytes:
    for folder in (POLICY_FOLDER, f"{POLICY_FOLDER}/keys"):
        if (top / folder).is_symlink():
            raise PolicyError(f"{folder} is a symbolic link", fix=f"ls -l {folder}")
    text = read_regular(top, POLICY_PATH, MAX_POLICY_BYTES)
    if isinstance(text, Problem):
        raise PolicyError(f"no policy to change: {text.message}", fix="ptguard init")
    return text


def _policy(top: Path, text: bytes, new: Mapping[str, bytes]) -> Policy:
    """Read the policy with the files that the change brings, as it would be read if it were trusted."""

    def read(path: str) -> bytes | Problem:
        found = new.get(f"{POLICY_FOLDER}/{path}")
        return found if found is not None else read_regular(top / POLICY_FOLDER, path, MAX_POLICY_BYTES)

    return parse_policy(text, source=POLICY_PATH, commit=None, read=read, checks=tuple(discover()), trust_branch=None)


def _edited(found: str | Problem) -> bytes:
    if isinstance(found, Problem):
        raise UsageError(found.message, fix=found.fix or "ptguard keys list")
    return found.encode("utf-8")


def _fingerprints(text: str) -> dict[KeyPath, str]:
    found: dict[KeyPath, str] = {}
    for path, key in key_paths(tomllib.loads(text)):
        if key.get("kind") == "ssh":
            parsed = parse_public_key(str(key.get("public-key", "")))
            found[path] = "" if isinstance(parsed, Problem) else parsed[1]
        else:
            found[path] = str(key.get("fingerprint", "")).upper()
    return found


def _ends(policy: Policy, key: FoundKey, lives: Lives, now: datetime) -> list[str]:
    """Say where the new key cannot sign for long, or at all."""
    found = (row.note for row in rows(policy, lives, now) if row.fingerprint == key.fingerprint)
    return [f"of the key {key.fingerprint}: {note}" for note in found if note]


def _new(policy: Policy, signer: str) -> list[str]:
    there = ", ".join(map(shown, policy.signers)) or "none"
    return [] if signer in policy.signers else [f"{signer} is a new signer; there were: {there}"]


def _orphans(policy: Policy) -> list[str]:
    """Say what nobody is left to sign."""
    able = {s.id for s in policy.signers.values() if any(key.status is KeyStatus.ACTIVE for key in s.keys)}
    asked = [(f"tags like {shown(rule.pattern)}", rule.signers) for rule in policy.rules if "signature" in rule.checks]
    asked += [("smoke records", policy.smoke.signers)] if policy.smoke else []
    asked += [("changes of the policy ([root])", policy.root)] if policy.root else []
    return [
        f"nobody has an active key for {what} any more: ptguard keys add SIGNER KEY"
        for what, signers in asked
        if able.isdisjoint(signers)
    ]


def _idle(policy: Policy, signer: str) -> list[str]:
    patterns = [rule.pattern for rule in policy.rules if signer in rule.signers]
    vouches = policy.smoke is not None and signer in policy.smoke.signers
    if patterns or vouches:
        return []
    return [f'{signer} may sign nothing yet: add "{signer}" to signers of a [[tags]] rule, or of [smoke]']
