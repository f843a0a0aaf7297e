"""``[signers]``: people and machines with their keys, each key file read and held against its fingerprint."""

from collections.abc import Callable, Mapping
from datetime import datetime

from ptguard.model import KeyStatus, OpenPgpKey, Problem, Signer, SshKey
from ptguard.parse.openpgp import all_fingerprints, primary_fingerprints
from ptguard.parse.ssh import parse_public_key
from ptguard.policy import values
from ptguard.policy.table import MAX_ENTRIES, Table, WrongError, described, dotted
from ptguard.text import shown
from ptguard.value import value

MAX_KEY_FILE = 1 << 18
MAX_KEY_FILES = 1 << 24
MAX_KEYS = 50
_KEYS = ("kind", "status", "valid-from", "valid-until")
_OPENPGP = ("fingerprint", "file")
_SSH = ("public-key",)

Read = Callable[[str], bytes | Problem]


@value
class _KeyFile:
    """A key file with the primary fingerprints in it, upper-case."""

    data: bytes
    fingerprints: frozenset[str]


class _Ring:
    """What has been read so far: key files, and who has which key."""

    __slots__ = ("files", "owners", "read", "size")

    def __init__(self, read: Read) -> None:
        self.read = read
        self.files: dict[str, _KeyFile | Problem] = {}
        self.owners: dict[str, str] = {}
        self.size = 0

    def file(self, path: str) -> _KeyFile | Problem:
        """Give the key file ``path``, read once."""
        if path not in self.files:
            self.files[path] = self._opened(path)
        return self.files[path]

    def _opened(self, path: str) -> _KeyFile | Problem:
        data = self.read(path)
        if not isinstance(data, bytes):
            return data
        self.size += len(data)
        if len(data) > MAX_KEY_FILE:
            return Problem("too-large", f"{path} has {len(data)} bytes", expected=f"at most {MAX_KEY_FILE}")
        if self.size > MAX_KEY_FILES:
            return Problem(
                "too-large", "more bytes of keys than can be", expected=f"at most {MAX_KEY_FILES} altogether"
            )
        held = primary_fingerprints(data)
        return held if isinstance(held, Problem) else _KeyFile(data, frozenset(f.upper() for f in held))


def read_signers(top: Table, read: Read) -> Mapping[str, Signer]:
    """Give every signer by id; also those with mistakes, so that a name is not called unknown because of them."""
    found: dict[str, Signer] = {}
    entries = top.data.get("signers", {})
    if not isinstance(entries, dict):
        top.wrong("signers", described(entries), "a table for each signer: [signers.li-wei]")
        return found
    if len(entries) > MAX_ENTRIES:
        top.wrong("signers", f"{len(entries)} signers", f"at most {MAX_ENTRIES}")
    ring = _Ring(read)
    holder = Table(entries, (*top.path, "signers"), top.mistakes, entries)
    for name in list(entries)[:MAX_ENTRIES]:
        if top.mistakes.enough:
            break
        _check_id(name, holder)
        table = holder.table(name, ("name", "keys"))
        if table is not None:
            found[name] = Signer(name, table.take("name", values.text, name), _keys(table, name, ring))
    return found


def _check_id(name: str, holder: Table) -> None:
    try:
        values.signer_id(name)
    except WrongError as wrong:
        holder.wrong(name, f"the id {wrong.stands}", wrong.may)


def _keys(table: Table, signer: str, ring: _Ring) -> tuple[OpenPgpKey | SshKey, ...]:
    written = table.data.get("keys")
    if written is None or written == []:
        header = dotted((*table.path, "keys"))
        table.wrong("keys", "missing" if written is None else "no key", f"at least one [[{header}]]")
        return ()
    if isinstance(written, list) and len(written) > MAX_KEYS:
        table.wrong("keys", f"{len(written)} keys", f"at most {MAX_KEYS} for one signer")
        return ()
    keys = []
    for entry in table.tables("keys", (*_KEYS, *_OPENPGP, *_SSH)):
        key = _key(entry, ring)
        if key is not None:
            _own(entry, key, signer, ring)
            keys.append(key)
    return tuple(keys)


def _own(entry: Table, key: OpenPgpKey | SshKey, signer: str, ring: _Ring) -> None:
    """Note who has ``key``; a key that two have would tell nothing of who signed."""
    where = "fingerprint" if isinstance(key, OpenPgpKey) else "public-key"
    owner = ring.owners.get(key.fingerprint)
    if owner == signer:
        entry.wrong(where, "a key that this signer has already", "each key once")
    elif owner is not None:
        entry.wrong(where, f"a key that {shown(owner)} has already", "a key that only one signer has")
    ring.owners[key.fingerprint] = signer


def _key(entry: Table, ring: _Ring) -> OpenPgpKey | SshKey | None:
    kind = entry.need("kind", values.choice("openpgp", "ssh"), None, "openpgp or ssh")
    status = KeyStatus(entry.take("status", values.choice(*(s.value for s in KeyStatus)), "active"))
    window = _window(entry)
    for other in {"openpgp": _SSH, "ssh": _OPENPGP}.get(kind or "", ()):
        if entry.has(other):
            entry.wrong(other, f"a key of another kind than {kind}", "only what belongs to the kind: leave it out")
    if kind == "openpgp":
        return _openpgp(entry, ring, status, window)
    return _ssh(entry, status, window) if kind == "ssh" else None


def _window(entry: Table) -> tuple[datetime | None, datetime | None]:
    start = entry.take("valid-from", values.moment, None)
    end = entry.take("valid-until", values.moment, None)
    if start is not None and end is not None and end <= start:
        entry.wrong("valid-until", described(end), f"a time after valid-from ({start.isoformat()})")
    return start, end


def _openpgp(
    entry: Table, ring: _Ring, status: KeyStatus, window: tuple[datetime | None, datetime | None]
) -> OpenPgpKey | None:
    fingerprint = entry.need("fingerprint", values.fingerprint, None, "the full fingerprint of the primary key")
    path = entry.need("file", values.key_file, None, "the key file, such as keys/li-wei.asc")
    if path is None:
        return None
    file = ring.file(path)
    if isinstance(file, Problem):
        about = file.message if path in file.message else f"{path}: {file.message}"
        entry.wrong("file", shown(about), shown(file.expected or "a regular file with an OpenPGP public key"))
        return None
    if fingerprint is not None and fingerprint not in file.fingerprints:
        entry.wrong("file", _without(path, fingerprint, file), f"a primary key: the file holds {_held(file)}")
    return None if fingerprint is None else OpenPgpKey(fingerprint, path, file.data, status, *window)


def _without(path: str, fingerprint: str, file: _KeyFile) -> str:
    everything = all_fingerprints(file.data)
    subkey = not isinstance(everything, Problem) and fingerprint in everything
    return f"{shown(path)} with {fingerprint} as a subkey only" if subkey else f"{shown(path)} without {fingerprint}"


def _held(file: _KeyFile) -> str:
    return ", ".join(sorted(file.fingerprints)[:5]) or "no key"


def _ssh(entry: Table, status: KeyStatus, window: tuple[datetime | None, datetime | None]) -> SshKey | None:
    may = "the line of a .pub file, such as ssh-ed25519 AAAA… name"
    line = entry.need("public-key", _one_line, None, may)
    parsed = None if line is None else parse_public_key(line)
    if isinstance(parsed, Problem):
        entry.wrong("public-key", shown(parsed.message), shown(parsed.expected or may))
    if parsed is None or isinstance(parsed, Problem):
        return None
    public_key, fingerprint = parsed
    return SshKey(fingerprint, public_key, status, *window)


def _one_line(value: object) -> str:
    return values.text(value).strip()
