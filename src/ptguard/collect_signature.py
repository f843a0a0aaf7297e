"""Signatures of tags and records, verified against the keys of the policy: each object once, many in one go."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Final, TypeVar

from ptguard.errors import PtguardError
from ptguard.gateways import ssh
from ptguard.gateways.openpgp import OpenPgp, Signed
from ptguard.later import Later
from ptguard.model import (
    FORGEABLE,
    Oid,
    OpenPgpKey,
    Policy,
    Problem,
    SignatureBlock,
    SignatureFacts,
    SshKey,
    Status,
    TagObject,
)

MAX_REMEMBERED: Final = 1024
MAX_AHEAD: Final = MAX_REMEMBERED // 4
"""How many tags are looked at ahead in one go; while they are judged, the next ones may be under way."""
TAG_NAMESPACE: Final = "git"

Found = SignatureFacts | Problem | None
T = TypeVar("T")


class Signatures:
    """Verifies for one call; a verifier starts at the first signature of its kind, not before."""

    def __init__(self, policy: Policy, home: Path) -> None:
        """Take the policy whose keys may be known and ``home``, a private folder that the caller removes."""
        self._policy, self._home = policy, home
        self._found: dict[Oid, Found] = {}
        self._ahead: list[tuple[tuple[Oid, ...], Later[list[SignatureFacts | Problem]]]] = []
        # A tag's signature is verified in a thread of its own, while a record's may be here: one of a kind at a time,
        # for both go through files of the same names.
        self._ssh_free, self._gpg_free = threading.Lock(), threading.Lock()

    def soon(self, tag: TagObject | Problem | None) -> Callable[[], Found]:
        """Begin to find out what the signature of ``tag`` proves; the caller goes on and asks what is given for it.

        An object is verified once: the same one may be pushed under many names. None comes out where there is no tag
        object, or none with a signature of a kind that is verified; a PtguardError where the verifier is missing or
        failed.
        """
        if not isinstance(tag, TagObject) or not isinstance(tag.signature, SignatureBlock):
            return lambda: None
        self._settle(tag.oid)
        if tag.oid in self._found:
            found = self._found[tag.oid]
            return lambda: found
        later = Later(lambda: self._verified(tag))

        def wait() -> Found:
            found = later.result()
            self._remember({tag.oid: found})
            return found

        return wait

    def look_ahead(self, tags: Iterable[TagObject]) -> None:
        """Begin to verify the OpenPGP signatures of ``tags`` in one go, for when they are asked for.

        At most MAX_AHEAD in one go. Where it fails, each is verified when it is asked for, and says what is wrong.
        """
        blocks = {
            tag.oid: (tag.payload, tag.signature.armored)
            for tag in tags
            if tag.oid not in self._found
            and isinstance(tag.signature, SignatureBlock)
            and tag.signature.kind == "openpgp"
        }
        if len(blocks) > 1:
            self._ahead.append((tuple(blocks), Later(lambda: self._verified_all(tuple(blocks.values())))))

    def _verified_all(self, signed: Sequence[Signed]) -> list[SignatureFacts | Problem]:
        with self._gpg_free:
            return self._openpgp.verify_all(signed)

    def _settle(self, oid: Oid) -> None:
        """Wait for what was begun ahead with the object ``oid`` in it."""
        for begun in [begun for begun in self._ahead if oid in begun[0]]:
            self._ahead.remove(begun)
            with suppress(PtguardError):
                self._remember(dict(zip(begun[0], begun[1].result(), strict=True)))

    def ssh(self, payload: bytes, armored: bytes, namespace: str) -> SignatureFacts | Problem:
        """Verify an SSH signature against all SSH keys of the policy."""
        work = self._home / "ssh"
        work.mkdir(mode=0o700, exist_ok=True)
        with self._ssh_free:
            return ssh.verify(work, self._keys(SshKey), payload, armored, namespace)

    def openpgp(self, payload: bytes, armored: bytes) -> SignatureFacts | Problem:
        """Verify an OpenPGP signature against all OpenPGP keys of the policy."""
        with self._gpg_free:
            return self._openpgp.verify(payload, armored)

    def _verified(self, tag: TagObject) -> Found:
        block = tag.signature
        if not isinstance(block, SignatureBlock):
            return None
        if block.kind == "openpgp":
            return self.openpgp(tag.payload, block.armored)
        return self.ssh(tag.payload, block.armored, TAG_NAMESPACE) if block.kind == "ssh" else None

    def _remember(self, found: Mapping[Oid, Found]) -> None:
        """Keep what was found, unless it is an error, which may be another the next time; memory stays flat."""
        kept = {oid: one for oid, one in found.items() if not (isinstance(one, Problem) and one.status is Status.ERROR)}
        if len(self._found) + len(kept) > MAX_REMEMBERED:
            self._found.clear()
        self._found |= kept

    @cached_property
    def _openpgp(self) -> OpenPgp:
        home = self._home / "gnupg"
        home.mkdir(mode=0o700, exist_ok=True)
        weak = tuple(digest for digest in FORGEABLE if digest not in self._policy.limits.digests)
        return OpenPgp(home, self._keys(OpenPgpKey), weak_digests=weak)

    def _keys(self, kind: type[T]) -> tuple[T, ...]:
        return tuple(k for s in self._policy.signers.values() for k in s.keys if isinstance(k, kind))
