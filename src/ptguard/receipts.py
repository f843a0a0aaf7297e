"""What a server has seen: its log of receipts, read back for the judging of history.

A line that cannot be read counts for nothing; the log only ever narrows a verdict, for it adds a time at which a key
must have been good. Written by :mod:`ptguard.server.receipts`.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ptguard.model import Oid

LOG: Final = "receipts.jsonl"
SCHEMA: Final = "ptguard.receipt/1"
TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
MAX_LINE: Final = 1 << 16
MAX_LOG: Final = 1 << 30

Seen = dict[tuple[str, Oid], datetime]
"""When a tag object was first accepted under a ref, by the server's clock."""


def seen(folder: Path) -> Seen:
    """Give what the log in ``folder``, the guard's in the git folder, says was accepted; nothing without one."""
    found: Seen = {}
    for line in _lines(folder / LOG):
        receipt = _receipt(line)
        if receipt is not None:
            key, at = receipt
            found[key] = min(at, found.get(key, at))
    return found


def _lines(log: Path) -> Iterator[bytes]:
    with suppress(OSError), log.open("rb") as file:
        read = 0
        while read < MAX_LOG and (line := file.readline(MAX_LINE)):
            read += len(line)
            if line.endswith(b"\n"):
                yield line


def _receipt(line: bytes) -> tuple[tuple[str, Oid], datetime] | None:
    if b'"accept"' not in line:
        return None
    try:
        said = json.loads(line)
        if said["schema"] != SCHEMA or said["decision"] != "accept":
            return None
        ref, oid, at = said["ref"], said["object"], said["at"]
        if not (isinstance(ref, str) and isinstance(oid, str)):
            return None
        return (ref, oid), datetime.strptime(at, TIME).replace(tzinfo=UTC)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
