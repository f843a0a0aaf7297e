"""What is fuzzed: each target takes any bytes; a crash is an error, and so is an acceptance that a slower way refuses.

The quick ones are held against what they gave back themselves; those in ``SLOW`` against git, gpg and ssh-keygen, which
are started for each acceptance.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import strategies as st

from ptguard.checks import discover
from ptguard.errors import PolicyError, UsageError
from ptguard.glob import compile_pattern
from ptguard.model import (
    Changelog,
    DeclaredImage,
    DeclaredVersion,
    ImageReference,
    Problem,
    SignatureBlock,
    SignatureFacts,
)
from ptguard.parse import openpgp
from ptguard.parse.changelog import parse_changelog
from ptguard.parse.declared import declared_image, expected_facts
from ptguard.parse.gpgstatus import file_sections, judge_status, lives, status_lines, values
from ptguard.parse.image import parse_reference
from ptguard.parse.image.families import facts_of
from ptguard.parse.pinning import pinned
from ptguard.parse.refs import parse_pre_push
from ptguard.parse.registry import parse_challenge, parse_manifest, parse_token
from ptguard.parse.smoke import canonical, parse_record
from ptguard.parse.ssh import parse_public_key, parse_signature
from ptguard.parse.tag import parse_tag
from ptguard.parse.tree import entries, write
from ptguard.parse.version import declared_version
from ptguard.policy import parse_policy
from ptguard.text import shown
from tests.fuzz import others
from tests.fuzz.mutate import almost, seed
from tests.fuzz.samples import (
    ALMOST_ARMOR,
    ALMOST_TAG,
    BINARY,
    DATA,
    IMAGES,
    LINE,
    MANIFEST,
    MARKDOWN,
    POLICY,
    PUBLIC,
    REFERENCES,
    RST,
    STATUS,
    TREE,
    VERSIONS,
)


@dataclass(frozen=True)
class Target:
    """A function of any bytes that raises where something is wrong, and bytes that are worth trying."""

    check: Callable[[bytes], None]
    examples: st.SearchStrategy[bytes]


def tag(data: bytes) -> None:
    """Nothing of the object may be lost or read in two ways: what was read, written again, is what was given."""
    found = parse_tag("0" * 40, data)
    if isinstance(found, Problem):
        return
    head = b"object %s\ntype %s\ntag %s\ntagger " % (
        found.target.encode(), found.target_type.encode(), found.name.encode("utf-8", "surrogateescape"),
    )  # fmt: skip
    assert data.startswith(head) and b"\0" not in data
    assert data.startswith(found.payload)
    rest = data[len(found.payload) :]
    if isinstance(found.signature, SignatureBlock):
        assert rest in (found.signature.armored, found.signature.armored[:-1])
        label = rest.split(b"-----", 2)[1].removeprefix(b"BEGIN ")
        assert rest.count(b"\n-----END %s-----" % label) == 1
    elif found.signature is None:
        assert rest == b"" and not re.search(rb"^-----BEGIN (PGP|SSH) SIGNATURE-----", data, re.MULTILINE)


def armor(data: bytes) -> None:
    """A block that is taken for one signature holds one packet of that kind from its first to its last byte."""
    found = openpgp.signature_packet(data)
    if isinstance(found, Problem):
        return
    held = openpgp.packets(found)
    assert isinstance(held, tuple) and [packet.tag for packet in held] == [openpgp.SIGNATURE]
    assert held[0].body and found.endswith(held[0].body) and len(found) - len(held[0].body) <= 6
    assert data.count(b"-----BEGIN ") == data.count(b"-----END ") == 1


def keys(data: bytes) -> None:
    """A file that is taken for public keys holds no secret, and each primary key among all its keys."""
    found = openpgp.public_keys(data)
    primary, every = openpgp.primary_fingerprints(data), openpgp.all_fingerprints(data)
    if isinstance(found, Problem):
        assert isinstance(primary, Problem) and isinstance(every, Problem)
        return
    assert not {packet.tag for packet in found} & {openpgp.SECRET_KEY, openpgp.SECRET_SUBKEY}
    if isinstance(primary, frozenset) and isinstance(every, frozenset):
        assert primary <= every and primary
        assert all(re.fullmatch("[0-9A-F]{40}|[0-9A-F]{64}", print_) for print_ in every)


def packets(data: bytes) -> None:
    """Whatever is split into packets is covered by them: never more content than there are bytes."""
    found = openpgp.packets(data)
    if isinstance(found, tuple):
        assert sum(len(packet.body) + 2 for packet in found) <= len(data) + sum(not p.body for p in found) * 2
        assert (not found) == (not data)


def status(data: bytes) -> None:
    """Accepted only where gpg said so in one whole answer: counted here by hand."""
    lines = status_lines(data)
    for one in (lines, *file_sections(lines).values()):
        found = judge_status(one)
        if isinstance(found, SignatureFacts):
            words = [keyword for keyword, _ in one]
            assert words.count("NEWSIG") == words.count("VALIDSIG") == 1
            assert words.count("GOODSIG") + words.count("EXPKEYSIG") == 1
            assert not set(words) & {"BADSIG", "ERRSIG", "EXPSIG", "REVKEYSIG", "FAILURE", "NODATA", "PLAINTEXT"}
            assert values(one, "VALIDSIG")[0].endswith(found.fingerprint)
            assert (found.expired_at is None) == ("GOODSIG" in words)
            assert data.count(b"[GNUPG:] VALIDSIG ") >= 1


def colons(data: bytes) -> None:
    """Every key that is listed has a whole fingerprint's line."""
    for print_ in lives(data):
        assert b"fpr" in data and (print_.encode("ascii", "replace") in data or "?" in print_ or not print_.isascii())


def ssh_key(data: bytes) -> None:
    """What goes into the file of allowed signers is a kind and its base64 on one line, nothing that means more."""
    found = parse_public_key(data.decode("utf-8", "surrogateescape"))
    if isinstance(found, tuple):
        assert re.fullmatch(r"[a-z0-9@.-]+ [A-Za-z0-9+/]+={0,2}", found[0]), found
        assert re.fullmatch(r"SHA256:[A-Za-z0-9+/]{43}", found[1])


def ssh_signature(data: bytes) -> None:
    """A block that is read names a key, a namespace and one of two hashes."""
    found = parse_signature(data)
    if not isinstance(found, Problem):
        assert found.fingerprint.startswith("SHA256:") and found.digest in ("SHA256", "SHA512")


def refs(data: bytes) -> None:
    """Lines that are read are the lines that were given."""
    try:
        found = parse_pre_push(data)
    except UsageError:
        return
    again = "".join(
        f"{u.local_ref} {u.local_oid} {u.remote_ref} {u.remote_oid}\n".replace(" None", " 0") for u in found
    ).encode("utf-8", "surrogateescape")
    zeros = re.compile(rb" 0+(?= |\n|$)")
    lines = b"".join(line + b"\n" for line in data.split(b"\n") if line)
    assert zeros.sub(b" 0", again) == zeros.sub(b" 0", lines)


def changelog(data: bytes) -> None:
    """A section stands on a line that there is, in both languages."""
    for path in ("CHANGELOG.md", "CHANGELOG.rst"):
        found = parse_changelog(path, data)
        if isinstance(found, Changelog):
            lines = len(re.split(rb"\r\n|\r|\n", data))
            assert all(1 <= section.line <= lines and section.body >= 0 for section in found.sections)


def record(data: bytes) -> None:
    """A record that is read is canonical: there is no second spelling of it."""
    found = parse_record(".ptguard/smoke/a.json", data)
    if not isinstance(found, Problem):
        assert canonical(json.loads(data)) == data == found.payload


def _key_file(path: str) -> bytes:
    del path
    return seed("key.asc")


def policy(data: bytes) -> None:
    """A policy is read whole, or every mistake is told; nothing else is raised."""
    try:
        found = parse_policy(
            data, source="p", commit=None, read=_key_file, checks=tuple(discover()),
            trust_branch="refs/heads/main",
        )  # fmt: skip
    except PolicyError:
        return
    assert found.rules and all(set(rule.signers) <= found.signers.keys() for rule in found.rules)
    assert all(signer.keys for signer in found.signers.values())


DECLARING = (
    "Dockerfile", "docker/Dockerfile.gpu:train", "pyproject.toml", ".github/workflows/ci.yml", ".gitlab-ci.yml",
    "compose.yml", "compose.yml:trainer", ".devcontainer/devcontainer.json", "k8s/train.yaml", "task.yaml",
)  # fmt: skip
PIN = ImageReference("docker.io/pytorch/pytorch", "2.9.0-cuda12.8-cudnn9-devel", "sha256:" + "a" * 64)


def image(data: bytes) -> None:
    """What declares an image declares one that is a reference; pinned, it declares the pinned one, and only that."""
    for source in DECLARING:
        found = declared_image(source, data, None, None)
        if isinstance(found, DeclaredImage):
            assert parse_reference(str(found.reference)) == found.reference
        after = pinned(source, data, PIN)
        if isinstance(after, bytes):
            again = declared_image(source, after, None, None)
            assert isinstance(again, Problem) or again.reference == PIN, (source, again)
    assert expected_facts(data) is not None


def reference(data: bytes) -> None:
    """A reference that is read is the same when it is written and read again."""
    found = parse_reference(data.decode("utf-8", "replace"))
    if isinstance(found, ImageReference):
        assert parse_reference(str(found)) == found
        facts_of(found)


def version(data: bytes) -> None:
    """A version that is found stands in the file."""
    for source in ("pyproject.toml", "setup.cfg", "pkg/__init__.py:__version__", "VERSION"):
        found = declared_version(source, data)
        if isinstance(found, DeclaredVersion) and found.value and source == "VERSION":
            assert found.value.encode() in data


def tree(data: bytes) -> None:
    """A tree that is read is written as it was."""
    for width in (20, 32):
        found = entries(data, width)
        if isinstance(found, tuple):
            assert write(found) == data


def pattern(data: bytes) -> None:
    """A pattern is one, or is told to be none; to match with it ends."""
    first, _, name = data.decode("utf-8", "replace").partition("\n")
    found = compile_pattern(first)
    if not isinstance(found, str) and (match := found.match(name)):
        assert match.version in name and (match.package is None or match.package in name)


def registry(data: bytes) -> None:
    """What a registry answers is data."""
    parse_challenge(data.decode("latin-1"))
    parse_token(data)
    parse_manifest(data, "application/vnd.oci.image.index.v1+json")


def text(data: bytes) -> None:
    """Nothing that a terminal obeys gets out, and no line breaks."""
    for given in (data, data.decode("utf-8", "replace"), data.decode("latin-1")):
        assert not re.search("[\0-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]", shown(given))


POLICY_WORDS = (b"[[tags]]\n", b"[signers.x]\n", b'"*"', b"'''", b"= {", b"1979-05-27")
IMAGE_WORDS = (b"FROM ", b"ARG ", b"image: ", b"<<EOF\n", b"- ", b"&a ", b"*a", b"<<: ", b"!!x ")
PATTERNS = (b"{package}/v{version}\na/v1", b"v*\nv1", b"[a-z]**?\nab/c")

QUICK: dict[str, Target] = {
    "tag": Target(tag, ALMOST_TAG),
    "armor": Target(armor, ALMOST_ARMOR),
    "packets": Target(packets, BINARY),
    "keys": Target(keys, ALMOST_ARMOR | BINARY),
    "status": Target(status, STATUS),
    "colons": Target(colons, almost((seed("gpg-colons"),), (b"\nfpr:", b"\npub:", b":::"))),
    "ssh-key": Target(ssh_key, PUBLIC),
    "ssh-signature": Target(ssh_signature, almost((seed("signature.sshsig"),), (b"SSHSIG", b"U1NIU0lH"))),
    "refs": Target(refs, almost((LINE, LINE * 2), (b"refs/heads/x", b"HEAD", b"0" * 40))),
    "changelog": Target(changelog, almost((MARKDOWN, RST), (b"## ", b"```\n", b"<!--", b"-->", b"===\n", b".. "))),
    "record": Target(record, almost(((DATA / "record-cpu.json").read_bytes(),), (b"1e999", b"{}", b"\\ud800"))),
    "policy": Target(policy, almost((POLICY,), POLICY_WORDS)),
    "image": Target(image, almost(IMAGES, IMAGE_WORDS)),
    "reference": Target(reference, almost(REFERENCES, (b"@sha256:", b":latest", b"docker.io/", b"library/"))),
    "version": Target(version, almost(VERSIONS, (b"version", b"[project]\n", b"__version__", b"\n  "))),
    "tree": Target(tree, almost((TREE,), (b"100755 ", b"40000 ", b"160000 "))),
    "pattern": Target(pattern, almost(PATTERNS, (b"**", b"[!", b"]"))),
    "registry": Target(registry, almost((MANIFEST, b'Bearer realm="https://a/b",service="x"', b'{"token":"a"}'))),
    "text": Target(text, almost(("Li Wei\u202e \u200b\ufeff\u2028\x85 \U000e0041 \u00ad".encode(),))),
}  # fmt: skip
SLOW: dict[str, Target] = {
    "tag-by-git": Target(others.tag_by_git, ALMOST_TAG),
    "armor-by-gpg": Target(others.armor_by_gpg, ALMOST_ARMOR),
    "keys-by-gpg": Target(others.keys_by_gpg, ALMOST_ARMOR | BINARY),
    "ssh-key-by-keygen": Target(others.ssh_key_by_keygen, PUBLIC),
    "verified": Target(others.verified, ALMOST_TAG),
}
TARGETS = {**QUICK, **SLOW}
