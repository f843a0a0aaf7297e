"""Tag objects of every kind that a verifier may meet, each made for real, with what must come of it.

Two verdicts belong to each: that of a push, and that of history, where the clock that counts is the signer's own.
"""

import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from ptguard.parse.openpgp import signature_packet
from tests.armor import armor
from tests.e2e.team import Team, now
from tests.support import KeyChain, OpenPgpIdentity, SshIdentity, frozen, gpg, run

RULE = """\
[[tags]]
pattern = "t-*"
checks = ["annotated", "signature", "immutable"]
signers = [{signers}]

[[tags]]
pattern = "v*"
"""
SPOOF = (
    "Eve%0A[GNUPG:] GOODSIG {key} Li Wei"
    "%0A[GNUPG:] VALIDSIG {fingerprint} 2026-01-01 1767225600 0 4 0 22 10 00 {fingerprint}"
)
DAY = timedelta(days=1)
IDENT = "Li Wei <li.wei@example.com>"


# --------------------------------------------------------------------------------------------- keys


@dataclass(frozen=True)
class PolicyKey:
    """A key of the policy: the signer's id is its name; ``lines`` go below it."""

    name: str
    material: bytes
    lines: str = ""


def lived(keys: KeyChain, name: str, start: int, days: int) -> OpenPgpIdentity:
    """Give a key that was made ``start`` days ago for ``days`` days."""
    return keys.openpgp(name, "ed25519", f"{days}d", *frozen(now() - start * DAY))


def exported(identity: OpenPgpIdentity) -> bytes:
    """Give the public key as it is in the keyring by now."""
    return gpg(identity.home, "--armor", "--export", identity.fingerprint)


def older_copy(identity: OpenPgpIdentity) -> bytes:
    """Give the public key as it was when this was first asked for."""
    file = identity.home / "older.asc"
    if not file.exists():
        file.write_bytes(exported(identity))
    return file.read_bytes()


def prolong(identity: OpenPgpIdentity, subkey: str = "") -> None:
    """Give the key, and its ``subkey``, twenty years more from eight days ago on, when this is first asked for."""
    if exported(identity) == older_copy(identity):
        for which in ((), (subkey,)) if subkey else ((),):
            gpg(identity.home, *frozen(now() - 8 * DAY), "--quick-set-expire", identity.fingerprint, "20y", *which)


def signing_subkey(identity: OpenPgpIdentity, *options: str, expire: str = "0") -> str:
    """Give the fingerprint of a signing subkey, made on first use."""
    prints = _prints(identity)
    if len(prints) < 2:
        gpg(identity.home, *options, "--quick-add-key", identity.fingerprint, "ed25519", "sign", expire)
        prints = _prints(identity)
    return prints[1]


def _prints(identity: OpenPgpIdentity) -> list[str]:
    listing = gpg(identity.home, "--with-colons", "--list-keys").decode().splitlines()
    return [line.split(":")[9] for line in listing if line.startswith("fpr")]


def revoked(identity: OpenPgpIdentity) -> bytes:
    """Give the public key with the revocation certificate that gpg made along with it."""
    certificate = (identity.home / "openpgp-revocs.d" / f"{identity.fingerprint}.rev").read_bytes()
    home = identity.home / "with-revocation"
    home.mkdir(mode=0o700, exist_ok=True)
    merged = certificate.replace(b":-----BEGIN", b"-----BEGIN")
    gpg(home, "--no-autostart", "--import", stdin=identity.public)
    gpg(home, "--no-autostart", "--import", stdin=merged)
    return gpg(home, "--no-autostart", "--armor", "--export", identity.fingerprint)


def with_subkey_revoked(identity: OpenPgpIdentity) -> bytes:
    """Give the public key with its signing subkey revoked; the keyring itself goes on signing with it."""
    home = identity.home / "subkey-revoked"
    if not home.exists():
        home.mkdir(mode=0o700)
        gpg(home, "--import", stdin=gpg(identity.home, "--export-secret-keys", identity.fingerprint))
        argv = ["gpg", "--homedir", str(home), "--no-tty", "--pinentry-mode", "loopback", "--passphrase", ""]
        argv += ["--command-fd", "0", "--edit-key", identity.fingerprint]
        subprocess.run(argv, input=b"key 1\nrevkey\ny\n1\n\ny\nsave\n", capture_output=True, check=True)
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True)
    return gpg(home, "--no-autostart", "--armor", "--export", identity.fingerprint)


def policy_keys(keys: KeyChain) -> Sequence[PolicyKey]:
    """Give the OpenPGP keys that the table needs beside the team's own."""
    date = "%Y-%m-%dT%H:%M:%SZ"
    yesterday, tomorrow = ((now() + way * DAY).strftime(date) for way in (-1, 1))
    two_days_ago = (now() - 2 * DAY).strftime(date)
    subkeyed = keys.openpgp("subkeyed")
    signing_subkey(subkeyed)
    lived(keys, "subkey-short", 10, 3650)
    signing_subkey(keys.openpgp("subkey-short"), *frozen(now() - 9 * DAY), expire="8d")
    prolonged = lived(keys, "prolonged-later", 10, 9)
    prolong(prolonged)
    for name, start, days in (("outlived", 10, 9), ("subkey-prolonged", 10, 3650)):
        identity = lived(keys, name, start, days)
        subkey = signing_subkey(identity, *frozen(now() - 9 * DAY), expire="0" if name == "outlived" else "8d")
        prolong(identity, subkey)
    subkey_gone = keys.openpgp("subkey-gone")
    signing_subkey(subkey_gone)
    gone_too = lived(keys, "subkey-lapsed-and-gone", 10, 3650)
    signing_subkey(gone_too, *frozen(now() - 9 * DAY), expire="8d")
    return (
        PolicyKey("old-rsa", keys.openpgp("old-rsa", "rsa2048").public),
        PolicyKey("subkeyed", exported(subkeyed)),
        PolicyKey("newer-subkey", keys.openpgp("newer-subkey").public),  # the copy from before the subkey was made
        PolicyKey("subkey-short", exported(keys.openpgp("subkey-short"))),
        PolicyKey("lapsed", lived(keys, "lapsed", 10, 9).public),
        PolicyKey("prolonged-later", prolonged.public),  # the copy from before it was prolonged
        PolicyKey("outlived", older_copy(keys.openpgp("outlived"))),  # before it was prolonged; its subkey had no end
        PolicyKey("subkey-prolonged", older_copy(keys.openpgp("subkey-prolonged"))),  # and this one's subkey had
        PolicyKey("subkey-gone", with_subkey_revoked(subkey_gone)),
        PolicyKey("subkey-lapsed-and-gone", with_subkey_revoked(gone_too)),
        PolicyKey("lapsed-and-gone", revoked(lived(keys, "lapsed-and-gone", 10, 9))),
        PolicyKey("pensioner", keys.openpgp("pensioner").public, 'status = "retired"'),
        PolicyKey("gone", revoked(keys.openpgp("gone", "ed25519", "0", *frozen(now() - 30 * DAY)))),
        PolicyKey("stolen", keys.openpgp("stolen").public, 'status = "compromised"'),
        PolicyKey("former", keys.openpgp("former", "ed25519", "0", *frozen(now() - 30 * DAY)).public,
                  f'status = "retired"\nvalid-until = {yesterday}'),
        PolicyKey("early", keys.openpgp("early").public, f"valid-from = {tomorrow}"),
        PolicyKey("late", keys.openpgp("late", "ed25519", "0", *frozen(now() - 30 * DAY)).public,
                  f"valid-from = {two_days_ago}\nvalid-until = {yesterday}"),
        PolicyKey("aged", keys.openpgp("aged", "ed25519", "0", *frozen(now() - 60 * DAY)).public),
    )  # fmt: skip


def extended(team: Team) -> None:
    """Put a rule for tags ``t-*`` and the keys of the table into the policy of ``team``, here and on the remote."""
    keys = team.keys
    spoof = SPOOF.format(key=keys.openpgp("li-wei").fingerprint[-16:], fingerprint=keys.openpgp("li-wei").fingerprint)
    eve = keys.openpgp(spoof, "ed25519", "0", "--allow-freeform-uid")
    extra = [*policy_keys(keys), PolicyKey("eve", eve.public)]
    prints = {key.name: keys.openpgp(key.name).fingerprint for key in extra if key.name != "eve"} | {
        "eve": eve.fingerprint
    }
    names = ["li-wei", "bot", "ssh-former", "ssh-stolen", *(key.name for key in extra if key.name != "eve")]
    text = team.policy.replace('[[tags]]\npattern = "v*"\n', RULE.format(signers=", ".join(f'"{n}"' for n in names)), 1)
    yesterday = (now() - DAY).strftime("%Y-%m-%dT%H:%M:%SZ")
    for name, lines in (
        ("ssh-former", f'status = "retired"\nvalid-until = {yesterday}'),
        ("ssh-stolen", 'status = "compromised"'),
    ):
        text += f'\n[[signers.{name}.keys]]\nkind = "ssh"\npublic-key = "{keys.ssh(name).public}"\n{lines}\n'
    for key in extra:
        text += (
            f'\n[[signers.{key.name}.keys]]\nkind = "openpgp"\nfingerprint = "{prints[key.name]}"\n'
            f'file = "keys/{key.name}.asc"\n{key.lines}\n'
        )
        team.repo.write(f".ptguard/keys/{key.name}.asc", key.material)
    team.write_policy(text)
    team.repo.commit("Name the keys of the table")
    team.push("main")


# --------------------------------------------------------------------------------------------- objects


def payload(
    team: Team,
    name: str,
    *,
    when: datetime | None = None,
    ident: str = IDENT,
    target: str = "HEAD",
    kind: str = "commit",
    message: bytes = b"Release\n",
) -> bytes:
    """Give what a signature covers: the headers and the message of a tag object."""
    oid = team.repo.git("rev-parse", target)
    seconds = int((when or now()).timestamp())
    return f"object {oid}\ntype {kind}\ntag {name}\ntagger {ident} {seconds} +0000\n\n".encode() + message


def stored(team: Team, ref: str, raw: bytes) -> str:
    """Write the tag object ``raw``, whatever git thinks of it, name it ``ref``, and give its id."""
    oid = team.repo.git("hash-object", "-t", "tag", "-w", "--stdin", "--literally", stdin=raw)
    team.repo.git("update-ref", f"refs/tags/{ref}", oid)
    return oid


def by_gpg(team: Team, body: bytes, signer: str = "li-wei", *options: str) -> bytes:
    """Give ``body`` signed by the OpenPGP key ``signer``."""
    return body + team.keys.openpgp(signer).sign(body, *options)


def by_subkey(team: Team, body: bytes, signer: str, *options: str) -> bytes:
    """Give ``body`` signed by the signing subkey of ``signer``."""
    identity = team.keys.openpgp(signer)
    subkey = signing_subkey(identity)
    return body + gpg(identity.home, *options, "--armor", "--detach-sign", "-u", f"{subkey}!", stdin=body)


def by_ssh(team: Team, body: bytes, signer: str = "bot", namespace: str = "git") -> bytes:
    """Give ``body`` signed by the SSH key ``signer``."""
    return body + team.keys.ssh(signer).sign(body, namespace)


def by_certificate(team: Team, body: bytes) -> bytes:
    """Give ``body`` signed with a certificate that an authority gave to bot, valid by its own dates."""
    bot, folder = team.keys.ssh("bot"), team.root / "certified"
    folder.mkdir(exist_ok=True)
    subject = SshIdentity("bot", folder / "id", bot.public)
    subject.private.write_bytes(bot.private.read_bytes())
    subject.private.chmod(0o600)
    (folder / "id.pub").write_text(bot.public)
    authority = team.keys.ssh("authority").private
    run("ssh-keygen", "-q", "-s", authority, "-I", "bot", "-n", "bot", "-V", "-1h:+1d", folder / "id.pub")
    (folder / "id.pub").unlink()  # so that the certificate is what ssh-keygen finds beside the key
    (folder / "id-cert.pub").rename(folder / "id.pub")
    return body + subject.sign(body, "git")


def by_cms(team: Team, body: bytes) -> bytes:
    """Give ``body`` signed as gpgsm does: a detached CMS signature by a certificate of one's own."""
    key, cert = team.root / "x509.key", team.root / "x509.pem"
    if not cert.exists():
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=Li Wei", "-days", "1",
            "-keyout", key, "-out", cert)  # fmt: skip
    done = subprocess.run(
        ["openssl", "cms", "-sign", "-binary", "-signer", str(cert), "-inkey", str(key), "-outform", "PEM"],
        input=body, capture_output=True, check=True,
    )  # fmt: skip
    return body + done.stdout.replace(b"CMS-----", b"SIGNED MESSAGE-----").replace(b"PKCS7", b"SIGNED MESSAGE")


def two_in_one(team: Team, body: bytes) -> bytes:
    """Give ``body`` with two signature packets in one armor, by two keys of the policy."""
    parts = [signature_packet(team.keys.openpgp(name).sign(body)) for name in ("li-wei", "old-rsa")]
    return body + armor(b"".join(part for part in parts if isinstance(part, bytes)))


def inline(team: Team, body: bytes, *options: str) -> bytes:
    """Give ``body`` with a whole signed message in the place of the signature."""
    key = team.keys.openpgp("li-wei")
    return body + gpg(key.home, "--armor", *options, "--sign", "-u", key.fingerprint, stdin=body)


def respelled(raw: bytes, old: bytes, new: bytes) -> bytes:
    """Give ``raw`` with ``old``, which must be there, changed once."""
    assert old in raw
    return raw.replace(old, new, 1)


# --------------------------------------------------------------------------------------------- the table


@dataclass(frozen=True)
class Kind:
    """One kind of tag: how it is made, and the reasons why a push and an audit refuse it (none: accepted)."""

    id: str
    raw: Callable[[Team, str], bytes]
    push: tuple[str, ...] = ()
    history: tuple[str, ...] | None = None
    """None: as at a push."""
    name: str | None = None
    """What the object calls itself, where that is not the name of the ref."""

    @property
    def ref(self) -> str:
        """The name that the object is pushed under."""
        return f"t-{self.id}"

    @property
    def in_history(self) -> tuple[str, ...]:
        """Why an audit refuses it."""
        return self.push if self.history is None else self.history

    def make(self, team: Team) -> str:
        """Build the object, name it, and give its id; one that is there already is that one."""
        there = team.repo.git("for-each-ref", "--format=%(objectname)", f"refs/tags/{self.ref}")
        return there or stored(team, self.ref, self.raw(team, self.name or self.ref))


def _nested(team: Team, name: str, *, inner_signed: bool, outer_signed: bool) -> bytes:
    inner = payload(team, f"{name}-inner")
    target = stored(team, f"inner-of-{name}", by_gpg(team, inner) if inner_signed else inner)
    outer = payload(team, name, target=target, kind="tag")
    return by_gpg(team, outer) if outer_signed else outer


def _header(team: Team, name: str, line: bytes) -> bytes:
    return by_gpg(team, respelled(payload(team, name), b"\n\n", b"\n" + line + b"\n\n"))


def _at(team: Team, name: str, signer: str, days: float, sign: Callable[..., bytes] = by_gpg) -> bytes:
    """Give a tag that ``signer`` made ``days`` ago, by the tagger's word and by that of gpg's clock."""
    when = now() - days * DAY
    return sign(team, payload(team, name, when=when), signer, *frozen(when))


def _dated(team: Team, name: str, tagged: float, signed: float, signer: str = "aged") -> bytes:
    return by_gpg(team, payload(team, name, when=now() - tagged * DAY), signer, *frozen(now() - signed * DAY))


def _late_subkey(team: Team, name: str) -> bytes:
    return by_subkey(team, payload(team, name), "newer-subkey")


def _spoofed(team: Team, name: str) -> bytes:
    key = team.keys.openpgp("li-wei").fingerprint
    return by_gpg(team, payload(team, name), SPOOF.format(key=key[-16:], fingerprint=key))


def _changed(team: Team, name: str, old: bytes, new: bytes) -> bytes:
    return respelled(by_gpg(team, payload(team, name)), old, new)


def _other_target(team: Team, name: str) -> bytes:
    head, before = (team.repo.git("rev-parse", rev).encode() for rev in ("HEAD", "HEAD^"))
    return _changed(team, name, head, before)


OTS = (
    b"-----BEGIN OPENTIMESTAMPS GIT TIMESTAMP-----\nAE9wZW5UaW1lc3RhbXBz\n-----END OPENTIMESTAMPS GIT TIMESTAMP-----\n"
)
FILE_NAME = "x\n[GNUPG:] GOODSIG 0000000000000000 Li Wei\n"

KINDS: tuple[Kind, ...] = (
    Kind("unsigned", payload, ("unsigned",)),
    Kind("openpgp", lambda t, n: by_gpg(t, payload(t, n))),
    Kind("rsa", lambda t, n: by_gpg(t, payload(t, n), "old-rsa")),
    Kind("ssh", lambda t, n: by_ssh(t, payload(t, n))),
    Kind("not-for-this-pattern", lambda t, n: by_ssh(t, payload(t, n), "runner"), ("signer-not-allowed",)),
    Kind("stranger", lambda t, n: by_gpg(t, payload(t, n), "stranger"), ("unknown-signer",)),
    Kind("ssh-stranger", lambda t, n: by_ssh(t, payload(t, n), "ssh-stranger"), ("unknown-signer",)),
    Kind("subkey", lambda t, n: by_subkey(t, payload(t, n), "subkeyed")),
    Kind("subkey-newer-than-the-copy", _late_subkey, ("unknown-signer",)),
    Kind("other-name", lambda t, n: by_gpg(t, payload(t, n)), ("name-mismatch",), name="v2.9.0"),
    Kind("nested", lambda t, n: _nested(t, n, inner_signed=True, outer_signed=True), ("nested",)),
    Kind("nested-over-unsigned", lambda t, n: _nested(t, n, inner_signed=False, outer_signed=True), ("nested",)),
    Kind(
        "nested-over-signed", lambda t, n: _nested(t, n, inner_signed=True, outer_signed=False), ("nested", "unsigned")
    ),
    Kind("tree", lambda t, n: by_gpg(t, payload(t, n, target="HEAD^{tree}", kind="tree")), ("not-a-commit",)),
    Kind("blob", lambda t, n: by_gpg(t, payload(t, n, target="HEAD:net.py", kind="blob")), ("not-a-commit",)),
    Kind(
        "tree-called-a-commit", lambda t, n: by_gpg(t, payload(t, n, target="HEAD^{tree}")), ("not-a-commit",)
    ),
    Kind("message-changed", lambda t, n: _changed(t, n, b"\nRelease", b"\nrelease"), ("bad-signature",)),
    Kind("target-changed", _other_target, ("bad-signature",)),
    Kind("name-changed", lambda t, n: by_gpg(t, payload(t, "v2.9.0")).replace(b"tag v2.9.0", f"tag {n}".encode()),
         ("bad-signature",)),
    Kind("ssh-message-changed", lambda t, n: respelled(by_ssh(t, payload(t, n)), b"\nRelease", b"\nrelease"),
         ("bad-signature",)),
    Kind("expired-since", lambda t, n: _at(t, n, "lapsed", 3), ("expired-key",), ()),
    Kind("signed-after-expiry", lambda t, n: _at(t, n, "prolonged-later", 0.5), ("expired-key",)),
    Kind("subkey-expired-since", lambda t, n: _at(t, n, "subkey-short", 5, by_subkey), ("expired-key",), ()),
    Kind("outlived-by-its-subkey", lambda t, n: _at(t, n, "outlived", 3, by_subkey), ("expired-key",), ()),
    Kind("signed-by-a-subkey-after-the-key-s-expiry", lambda t, n: _at(t, n, "outlived", 0.5, by_subkey),
         ("expired-key",)),
    Kind("signed-after-the-subkey-s-expiry", lambda t, n: _at(t, n, "subkey-prolonged", 0.5, by_subkey),
         ("expired-key",)),
    Kind("signed-before-the-subkey-s-expiry", lambda t, n: _at(t, n, "subkey-prolonged", 3, by_subkey),
         ("expired-key",), ()),
    Kind("subkey-revoked", lambda t, n: by_subkey(t, payload(t, n), "subkey-gone"), ("revoked-key",)),
    Kind("primary-beside-a-revoked-subkey", lambda t, n: by_gpg(t, payload(t, n), "subkey-gone")),
    Kind("revoked-and-expired-since", lambda t, n: _at(t, n, "lapsed-and-gone", 3), ("revoked-key",)),
    Kind("subkey-revoked-and-expired-since", lambda t, n: _at(t, n, "subkey-lapsed-and-gone", 5, by_subkey),
         ("revoked-key",)),
    Kind("signed-long-before-the-revocation", lambda t, n: _at(t, n, "gone", 3), ("revoked-key",)),
    Kind("signed-before-the-key-was-made", lambda t, n: _at(
        t, n, "newer-subkey", 2, lambda *args: by_gpg(*args, "--ignore-time-conflict")), ("bad-signature",)),
    Kind("signature-that-has-expired", lambda t, n: _at(
        t, n, "aged", 3, lambda *args: by_gpg(*args, "--default-sig-expire", "1d")), ("outside-window",)),
    Kind("signature-that-will-expire", lambda t, n: by_gpg(t, payload(t, n), "li-wei", "--default-sig-expire", "9d")),
    Kind("retired-without-a-date", lambda t, n: by_gpg(t, payload(t, n), "pensioner"), ("outside-window",), ()),
    Kind("revoked", lambda t, n: by_gpg(t, payload(t, n), "gone"), ("revoked-key",)),
    Kind("compromised", lambda t, n: by_gpg(t, payload(t, n), "stolen"), ("compromised-key",)),
    Kind("ssh-compromised", lambda t, n: by_ssh(t, payload(t, n), "ssh-stolen"), ("compromised-key",)),
    Kind("retired-in-its-window", lambda t, n: _at(t, n, "former", 3), ("outside-window",), ()),
    Kind("retired-after-its-window", lambda t, n: _at(t, n, "former", 0.5), ("outside-window",)),
    Kind("ssh-retired-in-its-window", lambda t, n: by_ssh(t, payload(t, n, when=now() - 3 * DAY), "ssh-former"),
         ("outside-window",), ()),
    Kind("ssh-retired-after-its-window", lambda t, n: by_ssh(t, payload(t, n), "ssh-former"), ("outside-window",)),
    Kind("before-its-window", lambda t, n: by_gpg(t, payload(t, n), "early"), ("outside-window",)),
    Kind("in-a-window-that-is-over", lambda t, n: _at(t, n, "late", 1.5), ("outside-window",), ()),
    Kind("only-the-tagger-in-the-window", lambda t, n: _dated(t, n, 1.5, 0.5, "late"), ("outside-window",)),
    Kind("only-the-signature-in-the-window", lambda t, n: _dated(t, n, 0.5, 1.5, "late"), ("outside-window",)),
    Kind("signed-in-the-future", lambda t, n: _dated(t, n, 0, -1), ("future",)),
    Kind("tagged-in-the-future", lambda t, n: _dated(t, n, -1, 0), ("future",)),
    Kind("ssh-tagged-in-the-future", lambda t, n: by_ssh(t, payload(t, n, when=now() + DAY)), ("future",)),
    Kind("signed-long-ago", lambda t, n: _dated(t, n, 0, 8), ("too-old",), ()),
    Kind("tagged-long-ago", lambda t, n: _dated(t, n, 8, 0), ("too-old",), ()),
    Kind("ssh-tagged-long-ago", lambda t, n: by_ssh(t, payload(t, n, when=now() - 8 * DAY)), ("too-old",), ()),
    Kind("within-the-skew", lambda t, n: _dated(t, n, -1 / 288, -1 / 288)),
    Kind("sha1", lambda t, n: by_gpg(t, payload(t, n), "old-rsa", "--digest-algo", "SHA1"), ("weak-digest",)),
    Kind("md5", lambda t, n: by_gpg(
        t, payload(t, n), "old-rsa", "--digest-algo", "MD5", "--allow-weak-digest-algos"), ("weak-digest",)),
    Kind("sha224", lambda t, n: by_gpg(t, payload(t, n), "old-rsa", "--digest-algo", "SHA224"), ("weak-digest",)),
    Kind("two-in-one-armor", lambda t, n: two_in_one(t, payload(t, n)), ("several-signatures",)),
    Kind("signed-again", lambda t, n: by_gpg(t, by_gpg(t, payload(t, n)), "old-rsa"), ("several-signatures",)),
    Kind("signed-again-by-ssh", lambda t, n: by_ssh(t, by_gpg(t, payload(t, n))), ("several-signatures",)),
    Kind("text-behind", lambda t, n: by_gpg(t, payload(t, n)) + b"and more\n", ("trailing-data",)),
    Kind("timestamp-behind", lambda t, n: by_gpg(t, payload(t, n)) + OTS, ("trailing-data",)),
    Kind("blank-line-behind", lambda t, n: by_gpg(t, payload(t, n)) + b"\n", ("trailing-data",)),
    Kind("armor-in-the-message", lambda t, n: by_gpg(
        t, payload(t, n, message=b"How to:\n\n-----BEGIN PGP MESSAGE-----\nquoted\n"))),
    Kind("inline-message", lambda t, n: inline(t, payload(t, n)), ("malformed",)),
    Kind("inline-message-labelled-signature", lambda t, n: inline(t, payload(t, n)).replace(
        b"PGP MESSAGE", b"PGP SIGNATURE"), ("malformed",)),
    Kind("status-in-a-file-name", lambda t, n: inline(t, payload(t, n), "--set-filename", FILE_NAME), ("malformed",)),
    Kind("status-in-a-user-id", _spoofed, ("signer-not-allowed",)),
    Kind("textmode", lambda t, n: by_gpg(t, payload(t, n), "li-wei", "--textmode"), ("malformed",)),
    Kind("gpgsig", lambda t, n: _header(t, n, b"gpgsig -----BEGIN PGP SIGNATURE-----\n x"),
         ("injected-header", "malformed")),
    Kind("gpgsig-sha256", lambda t, n: _header(t, n, b"gpgsig-sha256 x"), ("injected-header", "malformed")),
    Kind("second-tag-header", lambda t, n: _header(t, n, b"tag v9.9.9"), ("malformed",)),
    Kind("no-tagger", lambda t, n: by_gpg(t, b"".join(
        line for line in payload(t, n).splitlines(keepends=True) if not line.startswith(b"tagger"))), ("malformed",)),
    Kind("nul", lambda t, n: by_gpg(t, payload(t, n, message=b"Release\0hidden\n")), ("nul-byte", "malformed")),
    Kind("ssh-wrong-namespace", lambda t, n: by_ssh(t, payload(t, n), "bot", "file"), ("wrong-namespace",)),
    Kind("ssh-smoke-namespace", lambda t, n: by_ssh(t, payload(t, n), "bot", "ptguard-smoke"), ("wrong-namespace",)),
    Kind("ssh-certificate", lambda t, n: by_certificate(t, payload(t, n)), ("certificate",)),
    Kind("x509", lambda t, n: by_cms(t, payload(t, n)), ("unsupported-kind",)),
    Kind("escapes", lambda t, n: by_gpg(
        t, payload(t, n, ident="\x1b[31mRed\x07 <r@x>", message=b"\x1b]0;title\x07\x9b2J\n"))),
)  # fmt: skip
BY_ID = {kind.id: kind for kind in KINDS}


def log_calls(folder: Path, programs: Sequence[str], env: dict[str, str]) -> Path:
    """Put stand-ins for ``programs`` on the PATH of ``env`` that write down each call; give the file."""
    log, bin_ = folder / "calls", folder / "bin"
    bin_.mkdir()
    log.touch()
    for program in programs:
        real = run("sh", "-c", f"command -v {program}", env=env).stdout.strip()
        (bin_ / program).write_text(f'#!/bin/sh\necho "{program} $*" >> "{log}"\nexec {real} "$@"\n')
        (bin_ / program).chmod(0o755)
    env["PATH"] = f"{bin_}{os.pathsep}{env['PATH']}"
    return log
