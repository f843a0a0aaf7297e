"""OpenPGP signatures, verified by gpg in a home of its own that holds the policy's keys and nothing else.

The only importer of python-gnupg, which knows how gpg is called and what its answers look like; where a push waits
for one signature, the same words are put together here, for its import takes longer than gpg. What it leaves open is
closed here: its processes have no time limit, its line reader breaks lines at bytes that may stand in a user id
(0x85 is half an ``Å`` in UTF-8), and its ``Verify`` keeps the last of several signatures. So every answer is
collected whole and judged by :func:`~ptguard.parse.gpgstatus.judge_status`.
"""

import functools
import io
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ptguard.errors import ToolFailedError
from ptguard.gateways.process import Completed, clean_env, run
from ptguard.model import OpenPgpKey, Problem, SignatureFacts, Status
from ptguard.parse.gpgstatus import (
    Life,
    StatusLine,
    file_sections,
    judge_status,
    lives,
    revoked_key,
    status_lines,
    unavailable,
    values,
    weak_digest,
)
from ptguard.parse.openpgp import all_fingerprints, key_id, public_keys_binary, signature_packet, with_literal
from ptguard.value import replace

_LIMIT = 1 << 22
_FILES = 256
_FILES_BYTES = 1 << 24

Signed = tuple[bytes, bytes]
"""A payload, and the armored signature over it."""


class OpenPgp:
    """Verifies with the keys of a policy; gpg starts at the first signature, not before."""

    def __init__(
        self,
        home: Path,
        keys: Sequence[OpenPgpKey],
        *,
        weak_digests: Sequence[str] = ("SHA1",),
        timeout: float = 15.0,
    ) -> None:
        """Take ``home``, a private folder that the caller removes, and the keys that may be known.

        Each instance has a GNUPGHOME of its own in it, so that no key of another one is ever there.

        A signature over one of ``weak_digests`` is refused, by what gpg says of it: told to refuse them itself
        (``--weak-digest``) gpg would refuse every signature of a subkey that was bound by one, as those of many keys
        in use were. MD5 it refuses always. ``timeout`` is in seconds and for each run of gpg.
        """
        self._home = home
        self._keys = tuple(keys)
        self._weak = frozenset(weak_digests)
        self._timeout = timeout
        self._lives: dict[str, Mapping[str, Life]] = {}

    def verify(self, payload: bytes, armored: bytes) -> SignatureFacts | Problem:
        """Give what the detached signature ``armored`` over ``payload`` proves, or why it proves nothing.

        Raises:
            ToolMissingError: gpg is not installed.
            ToolFailedError: gpg did not answer in time or in a form that can be trusted.
        """
        packet = signature_packet(armored)
        if isinstance(packet, Problem):
            return packet
        self._imported  # noqa: B018 - before the file, for it is gpg's first run
        file = self._written("signature", packet)  # in binary: no other parser of armor than ours has a say
        return self._judged(self._status("--verify", str(file), "-", stdin=payload))

    def verify_all(self, signed: Sequence[Signed]) -> list[SignatureFacts | Problem]:
        """Give what :meth:`verify` gives for each of ``signed``, by few runs of gpg for many of them.

        gpg is handed each signature with its payload as one file (:func:`~ptguard.parse.openpgp.with_literal`), and
        of each file it must say by itself all that it says of a detached signature; where it does not, that
        signature is verified by itself.

        Raises:
            ToolMissingError: gpg is not installed.
            ToolFailedError: gpg did not answer in time or in a form that can be trusted.
        """
        packets = [signature_packet(armored) for _, armored in signed]
        found: dict[int, SignatureFacts | Problem] = {}
        whole: list[tuple[int, bytes]] = []
        for at, packet in enumerate(packets):
            if isinstance(packet, Problem):
                found[at] = packet
            else:
                whole.append((at, with_literal(packet, signed[at][0])))
        for group in _groups(whole):
            found |= self._verified(group)
        for at, (payload, armored) in enumerate(signed):
            if at not in found:
                found[at] = self.verify(payload, armored)
        return [found[at] for at in range(len(signed))]

    def lives(self) -> Mapping[str, Life]:
        """Give the end of each key and subkey that gpg would take, by its fingerprint.

        Raises:
            ToolMissingError: gpg is not installed.
            ToolFailedError: gpg did not answer in time.
        """
        self._imported  # noqa: B018 - as above
        return lives(self._gpg.list_colons())

    def _verified(self, group: Sequence[tuple[int, bytes]]) -> dict[int, SignatureFacts | Problem]:
        """Give, by number, what one run of gpg says of the files that ``group`` holds; the undecided are left out."""
        self._imported  # noqa: B018 - as above
        files = [str(self._written(f"signed-{at}", data)) for at, data in group]
        try:
            sections = file_sections(self._gpg.verify_files(files))
        finally:
            for file in files:
                Path(file).unlink(missing_ok=True)
        judged = {
            at: self._judged(sections[file]) for (at, _), file in zip(group, files, strict=True) if file in sections
        }
        return {at: one for at, one in judged.items() if isinstance(one, SignatureFacts) or one.status is Status.FAIL}

    def _judged(self, lines: Sequence[StatusLine]) -> SignatureFacts | Problem:
        found = judge_status(lines)
        if isinstance(found, Problem):
            return unavailable(found, lines, self._imported)
        if found.digest in self._weak:
            return weak_digest(found.digest)
        if found.expired_at is not None:
            return self._expired(found, values(lines, "VALIDSIG")[0])
        return found

    def _written(self, name: str, data: bytes) -> Path:
        file = self._own / name
        try:
            file.write_bytes(data)
        except OSError as error:
            raise ToolFailedError(f"the signature cannot be written for gpg: {error.strerror}") from error
        return file

    @functools.cached_property
    def _own(self) -> Path:
        numbers = (self._home / f"gpg-{number}" for number in itertools.count())
        folder = next(path for path in numbers if not path.exists())
        try:
            folder.mkdir(mode=0o700)
        except OSError as error:
            raise ToolFailedError(f"no folder can be made for gpg: {error.strerror}") from error
        return folder

    @functools.cached_property
    def _gpg(self) -> Any:
        return _driver()(self._own, self._timeout)

    def _status(self, *words: str, stdin: bytes) -> list[StatusLine]:
        """Give the status lines of one run of gpg: what every push waits for, so without importing python-gnupg."""
        return status_lines(_answer([*gpg_words(self._own), *words], stdin, clean_env(), self._timeout).stderr)

    @functools.cached_property
    def _imported(self) -> Mapping[str, OpenPgpKey]:
        """Import the keys once; give, by key id, each key that gpg would not take."""
        found = [public_keys_binary(material) for material in {key.material for key in self._keys}]
        usable = {data for data in found if isinstance(data, bytes)}
        lines = self._status("--import", stdin=b"".join(sorted(usable))) if usable else []
        taken = {value.rpartition(" ")[2] for value in values(lines, "IMPORT_OK")}
        missing: dict[str, OpenPgpKey] = {}
        for key in self._keys:
            if key.fingerprint.upper() not in taken:
                others = all_fingerprints(key.material)
                prints = others if isinstance(others, frozenset) else frozenset()
                missing |= {key_id(each): key for each in {key.fingerprint.upper(), *prints}}
        return missing

    def _expired(self, facts: SignatureFacts, validsig: str) -> SignatureFacts | Problem:
        """Put in when the key that signed, or its primary, expired: what comes first.

        Of a key that has expired and was revoked, gpg says only that it has expired.
        """
        if facts.fingerprint not in self._lives:
            self._lives[facts.fingerprint] = lives(self._gpg.list_colons(facts.fingerprint))
        listed = self._lives[facts.fingerprint]
        keys = {validsig.partition(" ")[0], facts.fingerprint}
        ends = [listed[key] for key in sorted(keys & listed.keys())]
        if any(end.revoked for end in ends):
            return revoked_key(facts.fingerprint)
        times = [end.expires for end in ends if end.expires is not None]
        if not times or not keys <= listed.keys():
            return Problem("expired-key", "the key has expired, and gpg does not say when", facts.fingerprint)
        ending = tuple(sorted(key for key in keys if listed[key].expires is not None))
        return replace(facts, expired_at=min(times), ending=ending)


def gpg_words(home: Path) -> list[str]:
    """Give what every call of gpg begins with, in the home ``home``: what python-gnupg makes of the same options."""
    words = ["gpg", "--status-fd", "2", "--no-tty", "--no-verbose", "--fixed-list-mode", "--batch", "--with-colons"]
    return [*words, "--homedir", str(home), *_options(home)]


def _options(home: Path) -> list[str]:
    options = ["--no-options", "--no-autostart", "--no-auto-key-retrieve", "--trust-model", "always"]
    return [*options, "--no-random-seed-file", "--logger-file", str(home / "log")]


def _answer(argv: Sequence[str], stdin: bytes, env: Mapping[str, str], timeout: float) -> Completed:
    done = run(argv, stdin=stdin, env=env, timeout=timeout, limit=_LIMIT)
    if done.returncode < 0:
        raise ToolFailedError(f"gpg was ended by signal {-done.returncode}")
    return done


@functools.cache
def _driver() -> Any:
    """Give python-gnupg's GPG with our process in it; its import takes 11 ms, so one good signature does without."""
    import gnupg

    class Driver(gnupg.GPG):  # type: ignore[misc]
        """gpg by python-gnupg's arguments, run bounded, every status line kept."""

        result_map = dict.fromkeys(gnupg.GPG.result_map, Statuses)

        def __init__(self, home: Path, timeout: float) -> None:
            self.timeout = timeout
            super().__init__(gnupghome=str(home), options=_options(home), env=clean_env())

        def _handle_io(self, args: Any, source: Any, result: "Statuses", *_: Any, **__: Any) -> "Statuses":
            """Run gpg on what ``source`` holds; in the place of threads without a time limit."""
            done = _answer(self.make_args(args, False), source.read(), self.env, self.timeout)
            result.data = done.stdout
            result.lines = status_lines(done.stderr)
            return result

        def _open_subprocess(self, *_: Any) -> "_NoProcess":
            """Called by GPG.__init__ only, to ask for gpg's version: nothing here depends on it, so no gpg runs."""
            return _NoProcess()

        def _collect_output(self, _process: "_NoProcess", result: "Statuses", **__: Any) -> None:
            result.data = b"cfg:version:2.2"

        def verify_files(self, files: Sequence[str]) -> list[StatusLine]:
            """Have gpg verify ``files`` one after the other; in batch mode it would end at the first bad signature."""
            result = Statuses(self)
            self._handle_io(["--no-batch", "--verify-files", "--", *files], io.BytesIO(), result)
            return result.lines

        def list_colons(self, *fingerprints: str) -> bytes:
            """Give gpg's listing of keys, by default all (doc/DETAILS, "Format of the colon listings")."""
            result = Statuses(self)
            self._handle_io(["--list-keys", "--with-subkey-fingerprint", *fingerprints], io.BytesIO(), result)
            return result.data

    return Driver


def _groups(files: Sequence[tuple[int, bytes]]) -> Iterator[list[tuple[int, bytes]]]:
    """Give ``files`` in groups that one run of gpg takes, bounded in number and in bytes."""
    group: list[tuple[int, bytes]] = []
    size = 0
    for at, data in files:
        if group and (len(group) == _FILES or size + len(data) > _FILES_BYTES):
            yield group
            group, size = [], 0
        group.append((at, data))
        size += len(data)
    if group:
        yield group


class Statuses:
    """Takes the place of python-gnupg's result classes: all status lines, none of them interpreted."""

    def __init__(self, _gpg: object) -> None:
        """Begin empty."""
        self.lines: list[StatusLine] = []
        self.data = b""
        self.stderr = ""


class _NoProcess:
    stdin = None
    returncode = 0
