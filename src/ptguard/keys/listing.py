"""Who may release what, with which key, and until when: a policy and its keys' own expiry as rows. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from ptguard.model import KeyStatus, OpenPgpKey, Policy, SshKey
from ptguard.parse.gpgstatus import Life
from ptguard.text import shown
from ptguard.value import value

SOON: Final = timedelta(days=30)
Lives = Mapping[str, Life]
"""The end of each OpenPGP key by its own word, by fingerprint; absent: gpg could not tell."""


@value
class Row:
    """One key: its signer, what he may sign (patterns of rules, ``smoke``), when it ends, and what to note of it."""

    signer: str
    name: str | None
    kind: str
    fingerprint: str
    status: str
    may: tuple[str, ...]
    until: datetime | None
    note: str | None


def rows(policy: Policy, lives: Lives, now: datetime) -> tuple[Row, ...]:
    """Give a row for every key of the policy, in its order."""
    found = []
    for signer in policy.signers.values():
        may = tuple(rule.pattern for rule in policy.rules if signer.id in rule.signers)
        if policy.smoke is not None and signer.id in policy.smoke.signers:
            may = (*may, "smoke")
        for key in signer.keys:
            kind = "openpgp" if isinstance(key, OpenPgpKey) else "ssh"
            until = _until(key, lives)
            note = _note(key, until, lives, now)
            found.append(Row(signer.id, signer.name, kind, key.fingerprint, key.status.value, may, until, note))
    return tuple(found)


def _until(key: OpenPgpKey | SshKey, lives: Lives) -> datetime | None:
    ends = [key.valid_until]
    if isinstance(key, OpenPgpKey) and key.fingerprint in lives:
        ends.append(lives[key.fingerprint].expires)
        able = [life.expires for life in _signing(key, lives)]
        ends.append(None if None in able else max((end for end in able if end is not None), default=None))
    return min((end for end in ends if end is not None), default=None)


def _signing(key: OpenPgpKey, lives: Lives) -> list[Life]:
    """Give the ends of those that sign for ``key``: itself or subkeys, of which the last to end counts."""
    own = (life for life in lives.values() if life.primary == key.fingerprint)
    return [life for life in own if life.signs and not life.revoked]


def _note(key: OpenPgpKey | SshKey, until: datetime | None, lives: Lives, now: datetime) -> str | None:
    if key.status is not KeyStatus.ACTIVE:
        return None
    if isinstance(key, OpenPgpKey) and key.fingerprint not in lives:
        return "gpg cannot tell when it expires"
    if isinstance(key, OpenPgpKey) and lives[key.fingerprint].revoked:
        return "revoked"
    if isinstance(key, OpenPgpKey) and not _signing(key, lives):
        return "it has no key that may sign"
    if until is not None and until <= now:
        return "expired"
    if key.valid_from is not None and key.valid_from > now:
        return f"counts from {key.valid_from:%Y-%m-%d}"
    if until is not None and until - now <= SOON:
        days = (until - now).days
        return f"expires within {days + 1} day{'s' if days else ''}"
    return None


def as_text(found: tuple[Row, ...]) -> str:
    """Give the rows as lines: a signer with what he may, below it his keys."""
    lines, before = [], ""
    for row in found:
        if row.signer != before:
            before = row.signer
            name = f" ({shown(row.name, 80)})" if row.name and row.name != row.signer else ""
            lines.append(f"{shown(row.signer)}{name}: {', '.join(map(shown, row.may)) or 'may sign nothing'}")
        until = f"until {row.until:%Y-%m-%d}" if row.until else "no end"
        mark = f"   ! {row.note}" if row.note else ""
        lines.append(f"  {row.kind:<8} {row.fingerprint}  {row.status}, {until}{mark}")
    return "".join(f"{line}\n" for line in lines)


def as_json(found: tuple[Row, ...]) -> list[dict[str, Any]]:
    """Give the rows as JSON values."""
    return [
        {
            "signer": row.signer,
            "name": row.name,
            "kind": row.kind,
            "fingerprint": row.fingerprint,
            "status": row.status,
            "may": list(row.may),
            "until": row.until.isoformat() if row.until else None,
            "note": row.note,
        }
        for row in found
    ]
