"""The policy's text with a key more, or with a key's status changed, and all else byte for byte as it stands. Pure.

No edit is believed: the new text is read again and must say just what the old one said, but for what was asked.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any, Final

from ptguard.model import KeyStatus, Problem
from ptguard.policy.lines import KeyPath, key_lines
from ptguard.text import shown

_VALUE: Final = re.compile(r"(=\s*)(\"[^\"]*\"|'[^']*'|[0-9-]{10}[Tt ][0-9:.]+([Zz]|[+-][0-9:]+))")
"""A string, or a time with its offset (TOML 1.0), behind the sign before it."""
_BY_HAND: Final = "edit .ptguard/policy.toml by hand; docs/policy.md has the form"


def with_key(text: str, signer: str, key: Mapping[str, str], name: str | None = None) -> str | Problem:
    """Give ``text`` with the table ``key`` as one more key of ``signer``, a new one (called ``name``) if need be."""
    document = tomllib.loads(text)
    wanted = deepcopy(document)
    signers = wanted.setdefault("signers", {})
    new = signer not in signers
    entry = signers.setdefault(signer, {"name": name} if name else {})
    entry.setdefault("keys", []).append(dict(key))
    added = "\n" if text.endswith("\n") else "\n\n"
    if new:
        added += f"[signers.{signer}]\n" + (_toml({"name": name}) if name else "")
    added += f"[[signers.{signer}.keys]]\n{_toml(key)}"
    return _checked(text + added.replace("\n", "\r\n" if "\r\n" in text else "\n"), wanted)


def with_status(
    text: str, fingerprint: str, status: str, until: datetime | None, fingerprints: Mapping[KeyPath, str]
) -> str | Problem:
    """Give ``text`` with the key called ``fingerprint`` set to ``status``, and to end at ``until`` if not before.

    ``fingerprints`` says which key stands at which path (``("signers", id, "keys", n)``). Of a key that is compromised
    nothing else is made: what it signed would count again.
    """
    path = next((path for path, known in fingerprints.items() if known == fingerprint), None)
    if path is None:
        known = ", ".join(sorted(fingerprints.values())[:5])
        return Problem("unknown-signer", f"the policy has no key {shown(fingerprint, 120)}; it has {known}")
    document = tomllib.loads(text)
    wanted = deepcopy(document)
    table = _at(wanted, path)
    if table.get("status") == KeyStatus.COMPROMISED.value != status:
        return Problem(
            "malformed", f"the key {shown(fingerprint, 120)} is compromised: it would count again", fix=_BY_HAND
        )
    if until is not None and "valid-from" in table and table["valid-from"] >= until:
        words = f"the key {shown(fingerprint, 120)} counts only from {table['valid-from']}, so there is nothing to keep"
        return Problem("malformed", words, fix="take it out of .ptguard/policy.toml by hand")
    changes: dict[str, str] = {} if table.get("status") == status else {"status": f'"{status}"'}
    table["status"] = status
    if until is not None and ("valid-until" not in table or table["valid-until"] > until):
        table["valid-until"] = until.astimezone(UTC)
        changes["valid-until"] = f"{until.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return _checked(_set(text, path, changes, key_lines(text, document)), wanted) if changes else text


def _at(document: Any, path: KeyPath) -> dict[str, Any]:
    for part in path:
        document = document[part]
    return document  # type: ignore[no-any-return]


def _set(text: str, path: KeyPath, changes: Mapping[str, str], lines: Mapping[KeyPath, int]) -> str:
    """Put each of ``changes`` on the line that has it, or on a new one below the first line of the table's own."""
    rows = text.split("\n")
    ending = "\r" if rows[0].endswith("\r") else ""
    own = sorted(number for key, number in lines.items() if key[: len(path)] == path and len(key) == len(path) + 1)
    added = []
    for key, value in changes.items():
        number = lines.get((*path, key))
        if number is None:
            added.append(f"{key} = {value}{ending}")
        else:
            rows[number - 1] = _VALUE.sub(rf"\g<1>{value}", rows[number - 1], count=1)
    if added and own:
        rows[own[-1] : own[-1]] = added
    return "\n".join(rows)


def _checked(text: str, wanted: Mapping[str, Any]) -> str | Problem:
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return _no_edit(str(error))
    return text if found == wanted else _no_edit("the file is written in a way that is not edited here")


def _no_edit(why: str) -> Problem:
    return Problem("malformed", f"the policy's text cannot be changed safely: {shown(why, 120)}", fix=_BY_HAND)


def _toml(values: Mapping[str, Any]) -> str:
    import toml

    return toml.dumps(dict(values))


def key_paths(document: Mapping[str, Any]) -> Iterator[tuple[KeyPath, Mapping[str, Any]]]:
    """Give every key's table in a policy's document with its path."""
    for signer, entry in document.get("signers", {}).items():
        keys: Sequence[Mapping[str, Any]] = entry.get("keys", ())
        for number, key in enumerate(keys):
            yield ("signers", signer, "keys", number), key
