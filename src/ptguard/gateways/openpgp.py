"""OpenPGP signatures, verified by gpg in a home of its own that holds the policy's keys and nothing else.

The only importer of python-gnupg, which knows how gpg is called and what its answers look like. What it leaves open
is closed here: its processes have no time limit, its line reader breaks lines at bytes that may stand in a user id
(0x85 is half an ``Å`` in UTF-8), and its ``Verify`` keeps the last of several signatures. So every answer is
collected whole and judged by :func:`~ptguard.parse.gpgstatus.judge_status`.
"""

import functools
import io
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ptguard.errors import ToolFailedError
from ptguard.gateways.process import clean_env, run
from ptguard.model import OpenPgpKey, Problem, SignatureFacts, Status
from ptguard.parse.gpgstatus import StatusLine, expiries, judge_status, status_lines, values
from ptguard.parse.openpgp import all_fingerprints, key_id, public_keys_binary, signature_packet
from ptguard.value import replace

_LIMIT = 1 << 22


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

        ``weak_digests`` are refused by gpg itself beside the MD5 that it always refuses; ``timeout`` is in seconds
        and for each run of gpg.
        """
        self._home = home
        self._keys = tuple(keys)
        self._weak = tuple(word for name in weak_digests for word in ("--weak-digest", name))
        self._timeout = timeout

    def verify(self, payload: bytes, armored: bytes) -> SignatureFacts | Problem:
        """Give what the detached signature ``armored`` over ``payload`` proves, or why it proves nothing.

        Raises:
            ToolMissingError: gpg is not installed.
            ToolFailedError: gpg did not answer in time or in a form that can be trusted.
        """
        packet = signature_packet(armored)
        if isinstance(packet, Problem):
            return packet
        missing = self._imported
        file = self._own / "signature"
        try:
            file.write_bytes(packet)  # in binary: no other parser of armor than ours has a say
        except OSError as error:
            raise ToolFailedError(f"the signature cannot be written for gpg: {error.strerror}") from error
        lines = self._gpg.verify_data(str(file), payload, extra_args=list(self._weak)).lines
        found = judge_status(lines)
        if isinstance(found, Problem):
            return _unavailable(found, lines, missing)
        if found.expired_at is not None:
            return self._with_expiry(found, values(lines, "VALIDSIG")[0])
        return found

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

    @functools.cached_property
    def _imported(self) -> Mapping[str, str]:
        """Import the keys once; give, by key id, the fingerprint of each key that gpg would not take."""
        found = [public_keys_binary(material) for material in {key.material for key in self._keys}]
        usable = {data for data in found if isinstance(data, bytes)}
        lines = self._gpg.import_keys(b"".join(sorted(usable))).lines if usable else []
        taken = {value.rpartition(" ")[2] for value in values(lines, "IMPORT_OK")}
        missing: dict[str, str] = {}
        for key in self._keys:
            if key.fingerprint.upper() not in taken:
                others = all_fingerprints(key.material)
                prints = others if isinstance(others, frozenset) else frozenset()
                missing |= {key_id(each): key.fingerprint for each in {key.fingerprint.upper(), *prints}}
        return missing

    def _with_expiry(self, facts: SignatureFacts, validsig: str) -> SignatureFacts | Problem:
        """Put in when the key that signed, or its primary, expired: what comes first."""
        listed = expiries(self._gpg.list_colons(facts.fingerprint))
        keys = {validsig.partition(" ")[0], facts.fingerprint}
        times = [when for key in keys if (when := listed.get(key)) is not None]
        if not times or not keys <= listed.keys():
            return Problem("expired-key", "the key has expired, and gpg does not say when", facts.fingerprint)
        return replace(facts, expired_at=min(times))


@functools.cache
def _driver() -> Any:
    """Give python-gnupg's GPG with our process in it; the import takes 30 ms, so it waits until a signature is seen."""
    import gnupg

    class Driver(gnupg.GPG):  # type: ignore[misc]
        """gpg by python-gnupg's arguments, run bounded, every status line kept."""

        result_map = dict.fromkeys(gnupg.GPG.result_map, Statuses)

        def __init__(self, home: Path, timeout: float) -> None:
            self.timeout = timeout
            options = ["--no-options", "--no-autostart", "--no-auto-key-retrieve", "--trust-model", "always"]
            options += ["--no-random-seed-file", "--logger-file", str(home / "log")]
            super().__init__(gnupghome=str(home), options=options, env=clean_env())

        def _handle_io(self, args: Any, source: Any, result: "Statuses", *_: Any, **__: Any) -> "Statuses":
            """Run gpg on what ``source`` holds; in the place of threads without a time limit."""
            argv = self.make_args(args, False)
            done = run(argv, stdin=source.read(), env=self.env, timeout=self.timeout, limit=_LIMIT)
            if done.returncode < 0:
                raise ToolFailedError(f"gpg was ended by signal {-done.returncode}")
            result.data = done.stdout
            result.lines = status_lines(done.stderr)
            return result

        def _open_subprocess(self, *_: Any) -> "_NoProcess":
            """Called by GPG.__init__ only, to ask for gpg's version: nothing here depends on it, so no gpg runs."""
            return _NoProcess()

        def _collect_output(self, _process: "_NoProcess", result: "Statuses", **__: Any) -> None:
            result.data = b"cfg:version:2.2"

        def list_colons(self, fingerprint: str) -> bytes:
            """Give gpg's listing of a key (doc/DETAILS, "Format of the colon listings")."""
            result = Statuses(self)
            self._handle_io(["--list-keys", "--with-subkey-fingerprint", fingerprint], io.BytesIO(), result)
            return result.data

    return Driver


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


def _unavailable(problem: Problem, lines: Sequence[StatusLine], missing: Mapping[str, str]) -> Problem:
    """Say so where the signer is unknown to gpg only because it would not take the policy's key."""
    key = missing.get(values(lines, "ERRSIG")[0][:16]) if problem.reason == "unknown-signer" else None
    if key is None:
        return problem
    return Problem(
        "key-unavailable",
        "gpg here cannot use the policy's key that signed, so nothing can be said of the signature",
        got=f"gpg did not import {key}",
        expected="a gpg that knows this kind of key, and a key file with a user id and its self-signature",
        status=Status.ERROR,
    )
