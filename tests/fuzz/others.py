"""What we accept, held against git, gpg and ssh-keygen, which are started for each acceptance."""

import functools
import itertools
import os
import re
import subprocess
import tempfile
from pathlib import Path

from ptguard.gateways import ssh
from ptguard.gateways.openpgp import OpenPgp
from ptguard.gateways.signing import is_name
from ptguard.model import OpenPgpKey, Problem, SignatureBlock, SshKey, TagObject
from ptguard.parse import openpgp
from ptguard.parse.ssh import parse_public_key
from ptguard.parse.tag import parse_tag
from tests.fuzz.mutate import seed
from tests.fuzz.samples import COMMIT, IDENT, KEYS_PUB, TAGS


@functools.cache
def bench() -> Path:
    """Give a folder with a repository that has the corpus's commit, and a keyring with the corpus's keys.

    No agent is started. It stays until the process ends.
    """
    folder = tempfile.TemporaryDirectory(prefix="ptg-fuzz-")
    root = Path(folder.name)
    _KEPT.append(folder)
    git("init", "-q", "--bare", str(root / "repo"), repo=None)
    empty = git("hash-object", "-t", "tree", "-w", "/dev/null")[1].strip().decode()
    commit = b"tree %s\nauthor %s\ncommitter %s\n\nA commit\n" % (empty.encode(), IDENT, IDENT)
    assert git("hash-object", "-t", "commit", "-w", "--stdin", stdin=commit)[1].strip().decode() == COMMIT
    for name in ("keyring", "gnupg", "ssh"):
        (root / name).mkdir(mode=0o700)
    for key in (seed("key.asc"), seed("key-rsa.asc")):
        gpg("--import", stdin=key)
    (root / "allowed").write_bytes(b"".join(b'a namespaces="git" %s\n' % key for key in KEYS_PUB))
    return root


_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def call(*argv: str, stdin: bytes = b"", env: dict[str, str] | None = None) -> tuple[int, bytes, bytes]:
    """Run a program; give how it ended and what it said."""
    done = subprocess.run(argv, input=stdin, capture_output=True, check=False, env=env, timeout=60)
    return done.returncode, done.stdout, done.stderr


def git(*args: str, stdin: bytes = b"", repo: str | None = "repo") -> tuple[int, bytes, bytes]:
    """Run git in the bench's repository, with the keyring of the corpus."""
    root = Path(_KEPT[-1].name)
    env = {
        "PATH": os.environ["PATH"], "HOME": str(root), "GNUPGHOME": str(root / "keyring"),
        "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C",
    }  # fmt: skip
    where = ("--git-dir", str(root / repo)) if repo else ()
    config = ("-c", f"gpg.ssh.allowedSignersFile={root / 'allowed'}")
    return call("git", *where, *config, *args, stdin=stdin, env=env)


def gpg(*args: str, stdin: bytes = b"") -> tuple[int, bytes, bytes]:
    """Run gpg in the bench's keyring."""
    home = str(Path(_KEPT[-1].name) / "keyring")
    return call("gpg", "--homedir", home, "--batch", "--no-autostart", "--no-tty", *args, stdin=stdin)


def tag_by_git(data: bytes) -> None:
    """A tag that our grammar takes is one that ``git mktag --strict`` takes (it looks for the commit, too)."""
    found = parse_tag("0" * 40, data)
    if not isinstance(found, TagObject) or isinstance(found.signature, Problem):
        return
    bench()
    if (found.target, found.target_type) == (COMMIT, "commit") and is_name(found.name):
        code, _, said = git("mktag", "--strict", stdin=data)
        assert code == 0, said


def armor_by_gpg(data: bytes) -> None:
    """A block that is taken for one signature is for gpg the same bytes, and no packet beside that one."""
    found = openpgp.signature_packet(data)
    if isinstance(found, Problem):
        return
    bench()
    code, given, _ = gpg("--dearmor", stdin=data)
    assert code != 0 or given == found
    _, listed, _ = gpg("--list-packets", stdin=data)
    kinds = re.findall(rb"^:([a-z -]+?) packet", listed, re.MULTILINE)
    assert set(kinds) <= {b"signature"} and len(kinds) <= 1, listed


def keys_by_gpg(data: bytes) -> None:
    """The primary keys that gpg would take from a key file are among those that are read in it.

    gpg takes a number that is written with leading zero bits for the same number, and the fingerprint of the key as if
    it had been written without: such a file it calls a file of another key than we do, which then counts for nobody.
    """
    primary, held = openpgp.primary_fingerprints(data), openpgp.public_keys(data)
    if isinstance(primary, Problem) or isinstance(held, Problem):
        return
    if not all(_plain_numbers(packet.body) for packet in held if packet.tag == openpgp.PUBLIC_KEY):
        return
    bench()
    _, listed, _ = gpg("--with-colons", "--show-keys", stdin=data)
    lines = [line.split(b":") for line in listed.splitlines()]
    shown_ = {after[9].decode() for line, after in itertools.pairwise(lines) if line[0] == b"pub"}
    assert shown_ <= primary, (shown_, primary)


def _plain_numbers(body: bytes) -> bool:
    """Whether the first numbers of an RSA or an elliptic key are written as RFC 9580, section 3.2, says."""
    algorithm = body[5] if len(body) > 5 else 0
    at, count = (6, 2) if algorithm == 1 else (7 + body[6] if len(body) > 6 else 7, 1)
    for _ in range(count):
        bits = int.from_bytes(body[at : at + 2], "big")
        number = body[at + 2 : at + 2 + (bits + 7) // 8]
        if int.from_bytes(number, "big").bit_length() != bits:
            return False
        at += 2 + len(number)
    return at == len(body)


def ssh_key_by_keygen(data: bytes) -> None:
    """A key that is taken has for ssh-keygen the same fingerprint, and as an allowed signer no other's rights."""
    found = parse_public_key(data.decode("utf-8", "surrogateescape"))
    if isinstance(found, Problem):
        return
    root = bench()
    (root / "key.pub").write_text(found[0] + "\n", encoding="ascii")
    code, listed, said = call("ssh-keygen", "-l", "-f", str(root / "key.pub"))
    assert code == 0 and listed.split(b" ")[1].decode() == found[1], (listed, said)
    original = [line.split(b" ")[1] for line in KEYS_PUB]
    if found[0].split(" ")[1].encode() not in original:
        payload, signature = _of_tag("ssh")
        verdict = ssh.verify(
            root / "ssh", [SshKey(fingerprint_of_line(KEYS_PUB[0]), found[0])], payload, signature, "git"
        )
        assert isinstance(verdict, Problem), verdict


def fingerprint_of_line(line: bytes) -> str:
    """Give the fingerprint of a line of a public key file."""
    found = parse_public_key(line.decode())
    assert isinstance(found, tuple)
    return found[1]


def _of_tag(kind: str) -> tuple[bytes, bytes]:
    found = parse_tag(COMMIT, seed(f"tag-{kind}"))
    assert isinstance(found, TagObject) and isinstance(found.signature, SignatureBlock)
    return found.payload, found.signature.armored


@functools.cache
def verifier() -> OpenPgp:
    """Give a verifier that knows the corpus's OpenPGP keys."""
    known = []
    for name in ("key.asc", "key-rsa.asc"):
        prints = openpgp.primary_fingerprints(seed(name))
        assert isinstance(prints, frozenset)
        known += [OpenPgpKey(print_, name, seed(name)) for print_ in prints]
    return OpenPgp(bench() / "gnupg", known)


def verified(data: bytes) -> None:
    """Whatever was done to a signed tag: it is accepted only where git accepts it, and where not a byte of it differs.

    The armor may be spelled in another way; what was signed may not.
    """
    found = parse_tag("0" * 40, data)
    if not isinstance(found, TagObject) or not isinstance(found.signature, SignatureBlock):
        return
    if found.signature.kind == "openpgp":
        verdict = verifier().verify(found.payload, found.signature.armored)
        many = [(found.payload, found.signature.armored), (b"other", found.signature.armored)]
        assert verifier().verify_all(many)[0] == verdict
    elif found.signature.kind == "ssh":
        known = [SshKey(fingerprint_of_line(line), b" ".join(line.split(b" ")[:2]).decode()) for line in KEYS_PUB]
        verdict = ssh.verify(bench() / "ssh", known, found.payload, found.signature.armored, "git")
    else:
        return
    if isinstance(verdict, Problem):
        return
    assert found.payload in {parse_payload(tag_) for tag_ in TAGS}, data
    oid = git("hash-object", "-t", "tag", "-w", "--stdin", "--literally", stdin=data)[1].strip().decode()
    code, _, said = git("verify-tag", oid)
    assert code == 0, said


def parse_payload(data: bytes) -> bytes:
    """Give what is signed of a tag of the corpus."""
    found = parse_tag("0" * 40, data)
    assert isinstance(found, TagObject)
    return found.payload
