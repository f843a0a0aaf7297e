import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ptguard.errors import ToolFailedError, ToolMissingError
from ptguard.gateways import openpgp
from ptguard.gateways.openpgp import OpenPgp
from ptguard.gateways.process import Completed
from ptguard.model import OpenPgpKey, Problem, SignatureFacts, Status
from ptguard.parse.openpgp import Packet, packets, primary_fingerprints, signature_packet
from tests.armor import armor, packet
from tests.support import KeyChain, OpenPgpIdentity, frozen, gpg

PAYLOAD = b"object 0000\ntype commit\n\nRelease \xff\r\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "gnupg"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def li_wei(keychain: KeyChain) -> OpenPgpIdentity:
    return keychain.openpgp("li-wei")


def key(identity: OpenPgpIdentity, material: bytes | None = None) -> OpenPgpKey:
    return OpenPgpKey(identity.fingerprint, f"keys/{identity.name}.asc", material or identity.public)


def exported(identity: OpenPgpIdentity) -> bytes:
    return gpg(identity.home, "--armor", "--export", identity.fingerprint)


def refused(found: SignatureFacts | Problem) -> str:
    assert isinstance(found, Problem), found
    return found.reason


def good(found: SignatureFacts | Problem) -> SignatureFacts:
    assert isinstance(found, SignatureFacts), found
    return found


class BothWays:
    """Verifies each signature by itself and among others, and takes no answer that is not the same in both ways."""

    def __init__(self, home: Path, keys: Sequence[OpenPgpKey], **limits: Sequence[str]) -> None:
        self._one, self._many = (OpenPgp(home, keys, **limits) for _ in range(2))  # type: ignore[arg-type]

    def verify(self, payload: bytes, armored: bytes) -> SignatureFacts | Problem:
        alone = self._one.verify(payload, armored)
        wrong = (payload + b"another", armored)
        among = self._many.verify_all([wrong, (payload, armored), (b"", b"no armor"), wrong, (payload, armored)])
        assert among[1] == among[4] == alone
        assert among[0] == self._one.verify(*wrong)
        return alone


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Put a gpg on PATH that is a shell script; in it, "$real" is the real one."""

    def put(script: str) -> None:
        bin_ = tmp_path / "bin"
        bin_.mkdir()
        (bin_ / "gpg").write_text(f"#!/bin/sh\nreal={shutil.which('gpg')}\n{script}\n")
        (bin_ / "gpg").chmod(0o755)
        monkeypatch.setenv("PATH", f"{bin_}{os.pathsep}{os.environ['PATH']}")

    return put


# ---------------------------------------------------------------------------------- good signatures


@pytest.mark.parametrize(("name", "algo"), [("li-wei", "ed25519"), ("old-rsa", "rsa2048")])
@pytest.mark.parametrize("digest", ["SHA256", "SHA512"])
def test_a_good_signature(home: Path, keychain: KeyChain, name: str, algo: str, digest: str) -> None:
    identity = keychain.openpgp(name, algo)
    others = [key(keychain.openpgp("release-bot")), key(identity)]
    found = good(BothWays(home, others).verify(PAYLOAD, identity.sign(PAYLOAD, "--digest-algo", digest)))
    assert (found.kind, found.fingerprint, found.digest, found.expired_at) == (
        "openpgp",
        identity.fingerprint,
        digest,
        None,
    )
    assert found.made_at is not None
    assert abs(found.made_at - datetime.now(UTC)) < timedelta(minutes=5)


def test_a_signature_by_a_subkey_is_the_primary_key_s(home: Path, keychain: KeyChain) -> None:
    identity = keychain.openpgp("subkey-signer")
    gpg(identity.home, "--quick-add-key", identity.fingerprint, "ed25519", "sign", "0")
    listing = gpg(identity.home, "--with-colons", "--list-keys").decode().splitlines()
    subkey = [line.split(":")[9] for line in listing if line.startswith("fpr")][1]
    armored = gpg(identity.home, "--armor", "--detach-sign", "-u", f"{subkey}!", stdin=PAYLOAD)
    found = good(BothWays(home, [key(identity, exported(identity))]).verify(PAYLOAD, armored))
    assert found.fingerprint == identity.fingerprint
    older = BothWays(home, [key(identity)])
    assert refused(older.verify(PAYLOAD, armored)) == "unknown-signer"


def test_keys_in_binary_are_taken_too(home: Path, li_wei: OpenPgpIdentity) -> None:
    binary = gpg(li_wei.home, "--export", li_wei.fingerprint)
    assert good(BothWays(home, [key(li_wei, binary)]).verify(PAYLOAD, li_wei.sign(PAYLOAD)))


def test_a_key_with_sha1_self_signatures_still_counts(home: Path, keychain: KeyChain) -> None:
    identity = keychain.openpgp("sha1-self", "rsa2048", "0", "--cert-digest-algo", "SHA1")
    assert good(BothWays(home, [key(identity)]).verify(PAYLOAD, identity.sign(PAYLOAD))).digest != "SHA1"


def test_a_subkey_that_was_bound_over_sha1_still_counts(home: Path, keychain: KeyChain) -> None:
    """As those of old keys in use were: with --weak-digest gpg calls the cross-certification invalid."""
    identity = keychain.openpgp("sha1-bound", "rsa2048")
    weak = ("--cert-digest-algo", "SHA1", "--allow-weak-key-signatures")
    gpg(identity.home, *weak, "--quick-add-key", identity.fingerprint, "rsa2048", "sign", "0")
    listing = gpg(identity.home, "--with-colons", "--list-keys").decode().splitlines()
    subkey = [line.split(":")[9] for line in listing if line.startswith("fpr")][1]
    assert b"digest algo 2," in gpg(identity.home, "--list-packets", stdin=exported(identity))
    by_subkey = ("--armor", "--detach-sign", "-u", f"{subkey}!")
    verifier = BothWays(home, [key(identity, exported(identity))])
    strong = gpg(identity.home, "--digest-algo", "SHA512", *by_subkey, stdin=PAYLOAD)
    assert good(verifier.verify(PAYLOAD, strong)).digest == "SHA512"
    assert refused(
        verifier.verify(PAYLOAD, gpg(identity.home, "--digest-algo", "SHA1", *by_subkey, stdin=PAYLOAD))
    ) == ("weak-digest")


def test_another_key_of_the_same_file_is_named_as_itself(
    home: Path, keychain: KeyChain, li_wei: OpenPgpIdentity
) -> None:
    """The policy names one key of a file that holds two: the other's fingerprint comes out, for the check to refuse."""
    other = keychain.openpgp("release-bot")
    both = b"".join(gpg(i.home, "--export", i.fingerprint) for i in (li_wei, other))
    found = good(BothWays(home, [key(li_wei, both)]).verify(PAYLOAD, other.sign(PAYLOAD)))
    assert found.fingerprint == other.fingerprint


# ---------------------------------------------------------------------------------- bad ones


@pytest.mark.parametrize(
    "payload", [PAYLOAD.replace(b"R", b"r"), PAYLOAD[:-1], PAYLOAD + b"\n", PAYLOAD.replace(b"\r\n", b"\n"), b""]
)
def test_a_changed_byte_is_found(home: Path, li_wei: OpenPgpIdentity, payload: bytes) -> None:
    found = BothWays(home, [key(li_wei)]).verify(payload, li_wei.sign(PAYLOAD))
    assert refused(found) == "bad-signature"


def test_a_signature_as_text_does_not_cover_the_bytes(home: Path, li_wei: OpenPgpIdentity) -> None:
    armored = li_wei.sign(PAYLOAD, "--textmode")
    assert refused(BothWays(home, [key(li_wei)]).verify(PAYLOAD.replace(b"\r\n", b"\n"), armored)) == "malformed"


def test_a_stranger_is_unknown_whatever_the_user_s_own_keyring_says(
    home: Path, keychain: KeyChain, li_wei: OpenPgpIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = keychain.openpgp("stranger")
    own = Path(os.environ["HOME"]) / ".gnupg"
    own.mkdir(mode=0o700)
    gpg(own, "--no-autostart", "--import", stdin=stranger.public)
    gpg(own, "--no-autostart", "--import-ownertrust", stdin=f"{stranger.fingerprint}:6:\n".encode())
    (own / "gpg.conf").write_text("ignore-valid-from\nallow-weak-digest-algos\nno-such-option\n")
    monkeypatch.setenv("GNUPGHOME", str(own))
    armored = stranger.sign(PAYLOAD)
    found = BothWays(home, [key(li_wei)]).verify(PAYLOAD, armored)
    assert refused(found) == "unknown-signer"
    assert isinstance(found, Problem)
    assert stranger.fingerprint in (found.got or "")


def test_without_keys_nobody_is_known(home: Path, li_wei: OpenPgpIdentity) -> None:
    assert refused(BothWays(home, []).verify(PAYLOAD, li_wei.sign(PAYLOAD))) == "unknown-signer"


@pytest.mark.parametrize(
    ("digest", "options"), [("SHA1", ()), ("MD5", ("--allow-weak-digest-algos",)), ("RIPEMD160", ())]
)
def test_weak_digests(home: Path, keychain: KeyChain, digest: str, options: tuple[str, ...]) -> None:
    identity = keychain.openpgp("old-rsa", "rsa2048")
    found = BothWays(home, [key(identity)]).verify(PAYLOAD, identity.sign(PAYLOAD, "--digest-algo", digest, *options))
    if digest == "RIPEMD160":  # gpg takes it: the check holds the digest against the policy's list
        assert good(found).digest == digest
    else:
        assert refused(found) == "weak-digest"


def test_sha1_passes_gpg_only_where_it_is_not_called_weak(home: Path, keychain: KeyChain) -> None:
    identity = keychain.openpgp("old-rsa", "rsa2048")
    found = BothWays(home, [key(identity)], weak_digests=()).verify(
        PAYLOAD, identity.sign(PAYLOAD, "--digest-algo", "SHA1")
    )
    assert good(found).digest == "SHA1"


# ---------------------------------------------------------------------------------- keys and time


@pytest.fixture
def short_lived(keychain: KeyChain) -> OpenPgpIdentity:
    """A key that lived from January 1st to 31st of 2024."""
    return keychain.openpgp("short-lived", "ed25519", "30d", *frozen("20240101T000000"))


def test_a_key_that_has_expired_since_says_when(home: Path, short_lived: OpenPgpIdentity) -> None:
    armored = short_lived.sign(PAYLOAD, *frozen("20240110T000000"))
    found = good(BothWays(home, [key(short_lived)]).verify(PAYLOAD, armored))
    assert found.made_at == datetime(2024, 1, 10, tzinfo=UTC)
    assert found.expired_at == datetime(2024, 1, 31, tzinfo=UTC)
    assert found.ending == (short_lived.fingerprint,)


def test_a_signature_after_the_expiry_in_the_policy_s_copy(home: Path, keychain: KeyChain) -> None:
    identity = keychain.openpgp("prolonged", "ed25519", "30d", *frozen("20240101T000000"))
    gpg(identity.home, *frozen("20240105T000000"), "--quick-set-expire", identity.fingerprint, "20y")
    armored = identity.sign(PAYLOAD, *frozen("20240301T000000"))
    found = good(BothWays(home, [key(identity)]).verify(PAYLOAD, armored))
    assert found.made_at == datetime(2024, 3, 1, tzinfo=UTC)
    assert found.expired_at == datetime(2024, 1, 31, tzinfo=UTC)
    newer = good(BothWays(home, [key(identity, exported(identity))]).verify(PAYLOAD, armored))
    assert newer.expired_at is None


def test_an_expired_subkey_of_a_key_that_has_not_expired(home: Path, keychain: KeyChain) -> None:
    identity = keychain.openpgp("short-subkey", "ed25519", "0", *frozen("20240101T000000"))
    then = frozen("20240102T000000")
    gpg(identity.home, *then, "--quick-add-key", identity.fingerprint, "ed25519", "sign", "10d")
    listing = gpg(identity.home, "--with-colons", "--list-keys").decode().splitlines()
    subkey = [line.split(":")[9] for line in listing if line.startswith("fpr")][1]
    armored = gpg(identity.home, *then, "--armor", "--detach-sign", "-u", f"{subkey}!", stdin=PAYLOAD)
    found = good(BothWays(home, [key(identity, exported(identity))]).verify(PAYLOAD, armored))
    assert found.fingerprint == identity.fingerprint
    assert found.expired_at == datetime(2024, 1, 12, tzinfo=UTC)
    assert found.ending == (subkey,)


def test_a_revoked_key(home: Path, keychain: KeyChain) -> None:
    identity = keychain.openpgp("revoked")
    armored = identity.sign(PAYLOAD)
    certificate = identity.home / "openpgp-revocs.d" / f"{identity.fingerprint}.rev"
    gpg(identity.home, "--import", stdin=certificate.read_bytes().replace(b":-----BEGIN", b"-----BEGIN"))
    found = BothWays(home, [key(identity, exported(identity))]).verify(PAYLOAD, armored)
    assert refused(found) == "revoked-key"


def test_a_revoked_key_is_that_also_where_it_has_expired_since(home: Path, keychain: KeyChain) -> None:
    """gpg says of it only that it has expired (EXPKEYSIG); what was signed before that would count in history."""
    then = frozen("20240101T000000")
    identity = keychain.openpgp("expired-and-revoked", "ed25519", "30d", *then)
    armored = identity.sign(PAYLOAD, *frozen("20240110T000000"))
    assert good(BothWays(home, [key(identity)]).verify(PAYLOAD, armored)).expired_at is not None
    certificate = identity.home / "openpgp-revocs.d" / f"{identity.fingerprint}.rev"
    gpg(identity.home, "--import", stdin=certificate.read_bytes().replace(b":-----BEGIN", b"-----BEGIN"))
    found = BothWays(home, [key(identity, exported(identity))]).verify(PAYLOAD, armored)
    assert refused(found) == "revoked-key"


def test_an_expired_signature(home: Path, keychain: KeyChain) -> None:
    identity = keychain.openpgp("long-lived", "ed25519", "0", *frozen("20240101T000000"))
    armored = identity.sign(PAYLOAD, *frozen("20240110T000000"), "--default-sig-expire", "1d")
    assert refused(BothWays(home, [key(identity)]).verify(PAYLOAD, armored)) == "outside-window"


# ---------------------------------------------------------------------------------- hostile blocks


def test_two_signatures_in_one_armor(home: Path, keychain: KeyChain, li_wei: OpenPgpIdentity) -> None:
    other = keychain.openpgp("release-bot")
    parts = [signature_packet(i.sign(PAYLOAD)) for i in (li_wei, other)]
    armored = armor(b"".join(p for p in parts if isinstance(p, bytes)))
    found = BothWays(home, [key(li_wei), key(other)]).verify(PAYLOAD, armored)
    assert refused(found) == "several-signatures"


@pytest.mark.parametrize("how", ["--sign", "--clearsign"])
def test_a_message_in_the_place_of_a_signature(home: Path, li_wei: OpenPgpIdentity, how: str) -> None:
    armored = gpg(li_wei.home, "--armor", how, "-u", li_wei.fingerprint, stdin=PAYLOAD)
    assert refused(BothWays(home, [key(li_wei)]).verify(PAYLOAD, armored)) == "malformed"


def test_a_signature_with_a_broken_inside(home: Path, li_wei: OpenPgpIdentity) -> None:
    for block in (armor(packet(2, b"\x04\x00")), armor(packet(2, b"\x63" + b"x" * 90)), armor(packet(2, b""))):
        found = BothWays(home, [key(li_wei)]).verify(PAYLOAD, block)
        assert refused(found) in ("malformed", "could-not-decide", "bad-signature")


@pytest.fixture
def named(keychain: KeyChain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], OpenPgpIdentity]]:
    """Give a maker of keys with any user id, each in a home of its own whose agent is ended."""
    homes: list[Path] = []

    def make(name: str) -> OpenPgpIdentity:
        home = keychain.root / f"n{time.monotonic_ns()}"
        home.mkdir(mode=0o700)
        homes.append(home)
        gpg(home, "--allow-freeform-uid", "--quick-generate-key", name, "ed25519", "sign")
        public = gpg(home, "--armor", "--export")
        prints = primary_fingerprints(public)
        assert isinstance(prints, frozenset)
        return OpenPgpIdentity("eve", min(prints), home, public)

    yield make
    for home in homes:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False)


@pytest.mark.parametrize("between", ["\\n", "%0A", "Å", "\u2028", " "])
def test_status_lines_in_a_user_id_are_nobody_s_words(
    home: Path, li_wei: OpenPgpIdentity, named: Callable[[str], OpenPgpIdentity], between: str
) -> None:
    """CVE-2018-12020 and its kind: Eve's key is in the policy, its user id claims a signature of Li Wei's."""
    made = datetime.now(UTC).strftime("%Y-%m-%d %s")
    claim = f"VALIDSIG {li_wei.fingerprint} {made} 0 4 0 22 10 00 {li_wei.fingerprint}"
    eve = named(f"Eve{between}[GNUPG:] GOODSIG {li_wei.fingerprint[-16:]} x{between}[GNUPG:] {claim}{between}")
    verifier = BothWays(home, [key(eve), key(li_wei)])
    armored = eve.sign(PAYLOAD)
    assert good(verifier.verify(PAYLOAD, armored)).fingerprint == eve.fingerprint
    assert refused(verifier.verify(PAYLOAD + b"x", armored)) == "bad-signature"
    assert refused(BothWays(home, [key(li_wei)]).verify(PAYLOAD, armored)) == "unknown-signer"


def _dearmored(public: bytes) -> bytes:
    return subprocess.run(["gpg", "--dearmor"], input=public, capture_output=True, check=True).stdout


def without(public: bytes, unwanted: Callable[[Packet], bool]) -> bytes:
    held = packets(_dearmored(public))
    assert isinstance(held, tuple)
    return b"".join(packet(p.tag, p.body) for p in held if not unwanted(p))


def test_a_key_that_gpg_will_not_take_is_unavailable(home: Path, keychain: KeyChain, li_wei: OpenPgpIdentity) -> None:
    other = keychain.openpgp("release-bot")
    nameless = key(li_wei, without(li_wei.public, lambda p: p.tag in (13, 2)))
    verifier = BothWays(home, [nameless, key(other)])
    found = verifier.verify(PAYLOAD, li_wei.sign(PAYLOAD))
    assert isinstance(found, Problem)
    assert (found.reason, found.status) == ("key-unavailable", Status.ERROR)
    assert li_wei.fingerprint in (found.got or "")
    assert "gpg --show-keys .ptguard/keys/" in (found.fix or "")
    assert good(verifier.verify(PAYLOAD, other.sign(PAYLOAD))).fingerprint == other.fingerprint
    assert refused(verifier.verify(PAYLOAD, keychain.openpgp("stranger").sign(PAYLOAD))) == "unknown-signer"


def test_a_subkey_without_its_binding_does_not_count(home: Path, keychain: KeyChain) -> None:
    identity = keychain.openpgp("subkey-signer")
    listing = gpg(identity.home, "--with-colons", "--list-keys").decode().splitlines()
    if sum(line.startswith("fpr") for line in listing) < 2:
        gpg(identity.home, "--quick-add-key", identity.fingerprint, "ed25519", "sign", "0")
        listing = gpg(identity.home, "--with-colons", "--list-keys").decode().splitlines()
    subkey = [line.split(":")[9] for line in listing if line.startswith("fpr")][1]
    armored = gpg(identity.home, "--armor", "--detach-sign", "-u", f"{subkey}!", stdin=PAYLOAD)
    public = without(exported(identity), lambda p: p.tag == 2 and p.body[1] == 0x18)
    found = BothWays(home, [key(identity, public)]).verify(PAYLOAD, armored)
    assert refused(found) in ("unknown-signer", "bad-signature")


# ---------------------------------------------------------------------------------- gpg itself


def test_gpg_not_installed(
    home: Path, li_wei: OpenPgpIdentity, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    armored = li_wei.sign(PAYLOAD)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissingError) as caught:
        OpenPgp(home, [key(li_wei)]).verify(PAYLOAD, armored)
    assert caught.value.fix == "apt-get install gnupg"


@pytest.mark.parametrize(
    "script",
    [
        "exit 0",
        "cat >/dev/null; echo 'gpg: Good signature from Li Wei' >&2; exit 0",
        "cat >/dev/null; echo '[GNUPG:] GOODSIG 0123456789ABCDEF Li Wei' >&2; exit 0",
        "cat >/dev/null; echo '[GNUPG:] NEWSIG' >&2; exit 0",
        "exit 2",
    ],
)
def test_a_gpg_that_gives_no_verdict(
    home: Path, li_wei: OpenPgpIdentity, stand_in: Callable[[str], None], script: str
) -> None:
    armored = li_wei.sign(PAYLOAD)
    stand_in(script)
    found = OpenPgp(home, [key(li_wei)]).verify(PAYLOAD, armored)
    assert isinstance(found, Problem)
    assert (found.reason, found.status) == ("could-not-decide", Status.ERROR)


@pytest.mark.parametrize("line", ["GOODSIG", "VALIDSIG", "NEWSIG"])
def test_a_gpg_that_says_it_twice_is_not_believed(
    home: Path, li_wei: OpenPgpIdentity, stand_in: Callable[[str], None], line: str
) -> None:
    armored = li_wei.sign(PAYLOAD)
    doubled = f'"$real" "$@" 2>&1 >/dev/null | sed "/ {line}/p" >&2; exit 0'
    stand_in(f'case " $* " in *" --verify"*) {doubled};; esac; exec "$real" "$@"')
    assert refused(BothWays(home, [key(li_wei)]).verify(PAYLOAD, armored)) == "several-signatures"


@pytest.mark.parametrize("when", ["--import", "--verify", "--verify-files"])
@pytest.mark.parametrize(
    "script",
    ["sleep 600 # in time", "yes '[GNUPG:] PROGRESS' >&2 # more than", "yes # more than", "kill -9 $$ # signal 9"],
)
def test_a_gpg_that_hangs_floods_or_dies(
    home: Path, li_wei: OpenPgpIdentity, stand_in: Callable[[str], None], when: str, script: str
) -> None:
    armored = li_wei.sign(PAYLOAD)
    act, _, words = script.partition(" # ")
    stand_in(f'case " $* " in *" {when} "*) {act};; esac; exec "$real" "$@"')
    begun = time.monotonic()
    # Where it answers at last, a busy machine must not be taken for one that hangs.
    verifier = OpenPgp(home, [key(li_wei)], timeout=0.4 if words == "in time" else 120)
    with pytest.raises(ToolFailedError, match=words):
        verifier.verify_all([(PAYLOAD, armored)]) if when == "--verify-files" else verifier.verify(PAYLOAD, armored)
    assert time.monotonic() - begun < 300


def test_gpg_runs_no_more_often_than_needed(
    home: Path, li_wei: OpenPgpIdentity, stand_in: Callable[[str], None], tmp_path: Path
) -> None:
    first, second = li_wei.sign(PAYLOAD), li_wei.sign(b"other")
    calls = tmp_path / "calls"
    calls.touch()
    stand_in(f'echo "$*" >>{calls}; exec "$real" "$@"')
    verifier = OpenPgp(home, [key(li_wei)])
    assert refused(verifier.verify(PAYLOAD, b"no armor")) == "malformed"
    assert len(calls.read_text().splitlines()) == 0
    assert good(verifier.verify(PAYLOAD, first))
    assert len(calls.read_text().splitlines()) == 2
    assert good(verifier.verify(b"other", second))
    assert len(calls.read_text().splitlines()) == 3
    assert all("--no-options" in line and "--no-autostart" in line for line in calls.read_text().splitlines())


def test_many_signatures_take_few_runs_of_gpg(
    home: Path, keychain: KeyChain, li_wei: OpenPgpIdentity, stand_in: Callable[[str], None], tmp_path: Path
) -> None:
    """Good ones, bad ones and strangers' in any order: no kind makes gpg start for each."""
    good_one, stranger = li_wei.sign(PAYLOAD), keychain.openpgp("stranger").sign(PAYLOAD)
    signed = [(PAYLOAD, good_one), (PAYLOAD + b"x", good_one), (PAYLOAD, stranger)] * 100
    calls = tmp_path / "calls"
    stand_in(f'echo x >>{calls}; exec "$real" "$@"')
    found = OpenPgp(home, [key(li_wei)]).verify_all(signed)
    assert good(found[0]).fingerprint == li_wei.fingerprint
    assert [refused(one) for one in found[1:3]] == ["bad-signature", "unknown-signer"]
    assert found == found[:3] * 100
    assert len(calls.read_text().splitlines()) == 3  # the import and two runs for 300 files
    assert not list(home.glob("gpg-*/signed-*"))


@pytest.mark.parametrize(
    "script",
    [
        "exit 0",
        "exit 2",
        # one section for all, or a line between two: nothing of it is believed
        'exec "$real" "$@" 2>&1 >/dev/null | grep -v FILE_DONE >&2',
        'exec "$real" "$@" 2>&1 >/dev/null | sed "s/^.GNUPG:. FILE_DONE/&\\n[GNUPG:] GOODSIG x/" >&2',
        'exec "$real" "$@" 2>&1 >/dev/null | sed "s/FILE_START 1 .*/FILE_START 1 x/" >&2',
    ],
)
def test_a_gpg_that_mixes_files_up_is_asked_about_each(
    home: Path, li_wei: OpenPgpIdentity, stand_in: Callable[[str], None], script: str
) -> None:
    armored = li_wei.sign(PAYLOAD)
    stand_in(f'case " $* " in *" --verify-files "*) {script};; esac; exec "$real" "$@"')
    found = OpenPgp(home, [key(li_wei)]).verify_all([(PAYLOAD, armored), (PAYLOAD + b"x", armored)])
    assert good(found[0])
    assert refused(found[1]) == "bad-signature"


def test_nothing_is_written_outside_the_home_and_no_agent_is_left(
    home: Path, li_wei: OpenPgpIdentity, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    armored = li_wei.sign(PAYLOAD)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    assert good(OpenPgp(home, [key(li_wei)]).verify(PAYLOAD, armored))
    assert list(temporary.iterdir()) == []
    assert not (Path(os.environ["HOME"]) / ".gnupg").exists()
    assert (own := list(home.iterdir()))
    assert all(path.stat().st_mode & 0o777 == 0o700 for path in own)
    assert not list(home.glob("*/S.*"))


def test_a_home_that_cannot_be_written_is_an_error(tmp_path: Path, li_wei: OpenPgpIdentity) -> None:
    armored = li_wei.sign(PAYLOAD)
    with pytest.raises(ToolFailedError, match="no folder can be made"):
        OpenPgp(tmp_path / "absent", [key(li_wei)]).verify(PAYLOAD, armored)


def test_two_verifiers_in_one_home_do_not_see_each_other_s_keys(
    home: Path, keychain: KeyChain, li_wei: OpenPgpIdentity
) -> None:
    other = keychain.openpgp("release-bot")
    armored = li_wei.sign(PAYLOAD)
    assert good(OpenPgp(home, [key(li_wei)]).verify(PAYLOAD, armored))
    assert refused(OpenPgp(home, [key(other)]).verify(PAYLOAD, armored)) == "unknown-signer"


@pytest.mark.parametrize("name", ["plain", "with a blank", "ü", "-"])
def test_the_words_for_gpg_are_those_of_python_gnupg(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One signature is verified without importing python-gnupg: what it would have run is what is run."""
    home = tmp_path / name
    home.mkdir()
    ran: list[tuple[list[str], bytes]] = []

    def noted(argv: Sequence[str], **given: Any) -> Completed:
        ran.append((list(argv), given["stdin"]))
        return Completed(0, b"", b"")

    monkeypatch.setattr(openpgp, "run", noted)
    theirs = openpgp._driver()(home, 1.0)
    theirs.import_keys(b"keys")
    theirs.verify_data(str(home / "signature"), b"payload", extra_args=["--weak-digest", "SHA1"])
    ours = OpenPgp(tmp_path, [])
    monkeypatch.setattr(ours, "_own", home, raising=False)
    ours._status("--import", stdin=b"keys")
    ours._status("--verify", "--weak-digest", "SHA1", str(home / "signature"), "-", stdin=b"payload")
    assert ran[:2] == ran[2:] and len(ran) == 4
