"""Signatures are verified by several hands, and many at once, and none gets into another's way."""

import threading
import time
from pathlib import Path

import pytest

from ptguard.collect_signature import MAX_REMEMBERED, Signatures
from ptguard.errors import ToolFailedError
from ptguard.gateways import ssh
from ptguard.gateways.openpgp import OpenPgp, Signed
from ptguard.model import OpenPgpKey, Problem, SignatureBlock, SignatureFacts, Signer, TagObject
from ptguard.value import replace
from tests.build import policy, tag_object
from tests.support import KeyChain, OpenPgpIdentity


def test_two_signatures_are_never_verified_at_the_same_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running: list[int] = []
    most = []

    def verify(*_: object) -> SignatureFacts:
        running.append(1)
        most.append(len(running))
        time.sleep(0.05)
        running.pop()
        return SignatureFacts("ssh", "SHA256:x", "SHA512", None)

    monkeypatch.setattr(ssh, "verify", verify)
    signatures = Signatures(policy(), tmp_path)
    threads = [threading.Thread(target=signatures.ssh, args=(b"", b"", "git")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1, 1]


@pytest.fixture
def li_wei(keychain: KeyChain) -> OpenPgpIdentity:
    return keychain.openpgp("li-wei")


@pytest.fixture
def signatures(tmp_path: Path, li_wei: OpenPgpIdentity) -> Signatures:
    key = OpenPgpKey(li_wei.fingerprint, "keys/li-wei.asc", li_wei.public)
    return Signatures(replace(policy(), signers={"li-wei": Signer("li-wei", "", (key,))}), tmp_path)


def signed(number: int, payload: bytes, armored: bytes) -> TagObject:
    return replace(tag_object(), oid=f"{number:040x}", payload=payload, signature=SignatureBlock("openpgp", armored))


def test_what_was_looked_at_ahead_is_what_is_found_one_by_one(
    signatures: Signatures, tmp_path: Path, li_wei: OpenPgpIdentity
) -> None:
    armored = li_wei.sign(b"a")
    tags = [signed(n, payload, armored) for n, payload in enumerate((b"a", b"b", b"a"))]
    tags.append(signed(3, b"a", b"no armor"))
    tags.append(replace(tag_object(), oid=f"{4:040x}"))
    signatures.look_ahead(tags)
    assert isinstance(signatures.soon(tags[0])(), SignatureFacts)
    (tmp_path / "gnupg").rename(tmp_path / "gone")  # nothing can be verified from here on
    found = [signatures.soon(tag)() for tag in tags]
    assert [one.reason if isinstance(one, Problem) else one and one.fingerprint for one in found] == [
        li_wei.fingerprint, "bad-signature", li_wei.fingerprint, "malformed", None,
    ]  # fmt: skip
    with pytest.raises(ToolFailedError):
        signatures.soon(signed(5, b"a", armored))()


def test_an_error_while_looking_ahead_is_left_for_each_to_find(
    signatures: Signatures, monkeypatch: pytest.MonkeyPatch, li_wei: OpenPgpIdentity
) -> None:
    def broken(_: OpenPgp, __: object) -> list[SignatureFacts | Problem]:
        raise ToolFailedError("gpg is not itself")

    armored = li_wei.sign(b"a")
    tags = [signed(n, b"a", armored) for n in range(3)]
    monkeypatch.setattr(OpenPgp, "verify_all", broken)
    signatures.look_ahead(tags)
    assert isinstance(signatures.soon(tags[0])(), SignatureFacts)


def test_no_more_is_remembered_than_is_good_for_memory(signatures: Signatures, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def verify_all(_: OpenPgp, blocks: tuple[Signed, ...]) -> list[SignatureFacts | Problem]:
        asked.append(len(blocks))
        return [SignatureFacts("openpgp", "F" * 40, "SHA512", None)] * len(blocks)

    monkeypatch.setattr(OpenPgp, "verify_all", verify_all)
    tags = [signed(n, b"a", b"") for n in range(MAX_REMEMBERED + 10)]
    for _ in range(2):
        signatures.look_ahead(tags[:MAX_REMEMBERED])
        assert isinstance(signatures.soon(tags[0])(), SignatureFacts)
    assert asked == [MAX_REMEMBERED]
    signatures.look_ahead(tags[MAX_REMEMBERED:])
    assert isinstance(signatures.soon(tags[-1])(), SignatureFacts)
    assert asked == [MAX_REMEMBERED, 10]
    assert isinstance(signatures.soon(tags[0])(), Problem)  # forgotten, so verified anew
