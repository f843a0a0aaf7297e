"""Documents that are right, and what to put into them: what the targets are tried with."""

from pathlib import Path

from ptguard.parse import openpgp
from tests.fuzz.mutate import almost, seed

DATA = Path(__file__).parents[1] / "data"
COMMIT = "a4eaecde87ce7afd1a4de0ae17075257ae88d97b"
"""The commit that the tags of the corpus name; :func:`~tests.fuzz.others.bench` makes it."""
IDENT = b"Li Wei <li.wei@example.com> 1767600000 +0800"
TAGS = tuple(seed(f"tag-{kind}") for kind in ("openpgp", "rsa", "ssh", "unsigned"))
ARMOR = (seed("signature-openpgp.asc"), seed("signature-rsa.asc"), seed("key.asc"), seed("key-rsa.asc"))
KEYS_PUB = tuple(seed("keys.pub").splitlines())

MARKDOWN = (
    b"# Changelog\n\n## [Unreleased]\n\n## [2.9.0] - 2026-01-05\n\n### Added\n- x\n\n"
    b"## 2.8.0 (2025-12-01) [YANKED]\n\n- y\n\n[2.9.0]: https://x\n"
)
RST = b"Changelog\n=========\n\n2.9.0 (2026-01-05)\n------------------\n\n* x\n\n.. note:: y\n\n2.8.0\n-----\n- z\n"
POLICY = b"""schema = 1
[trust]
branch = "main"
[[tags]]
pattern = "{package}/v{version}"
checks = ["annotated", "signature", "changelog"]
signers = ["bot"]
branches = ["main", "release/*"]
[unmatched]
action = "warn"
[signers.bot]
name = "Bot"
[[signers.bot.keys]]
kind = "ssh"
public-key = "%s"
status = "retired"
valid-until = 2027-01-01T00:00:00Z
[[signers.bot.keys]]
kind = "openpgp"
fingerprint = "CB667F8FF008851AF82B8EBAD635FDFF6C07E8E3"
file = "keys/bot.asc"
[changelog]
path = ["{package}/CHANGELOG.md", "CHANGELOG.md"]
[version]
sources = ["pyproject.toml"]
[limits]
digests = ["SHA512"]
max-tag-age = "7d"
[[waivers]]
tag = "a/v1"
check = "changelog"
reason = "x"
by = "bot"
expires = 2026-12-01
""" % KEYS_PUB[0]
IMAGES = (
    b"# syntax=docker/dockerfile:1\nARG T=2.9.0-cuda12.8-cudnn9-devel\nFROM pytorch/pytorch:${T} AS train\nRUN x\n",
    b"FROM pytorch/pytorch:2.9.0-cuda12.8-cudnn9-devel AS build\nFROM build\n",
    b'[tool.ptguard]\nimage = "pytorch/pytorch:2.9.0-cuda12.8-cudnn9-devel"\n[tool.ptguard.expect]\ncuda = "12.8"\n',
    b"jobs:\n  a:\n    container:\n      image: pytorch/pytorch:2.9.0-cuda12.8-cudnn9-devel\n",
    b"image: pytorch/pytorch:2.9.0-cuda12.8-cudnn9-devel\na:\n  script: [x]\n  extends: .b\n.b:\n  tags: [gpu]\n",
    b"services:\n  trainer:\n    image: &i pytorch/pytorch:2.9.0-cuda12.8-cudnn9-devel\n  two: {image: *i}\n",
    b'{"image": "pytorch/pytorch:2.9.0-cuda12.8-cudnn9-devel", // x\n}\n',
    b"kind: Pod\napiVersion: v1\nspec:\n  containers:\n  - image: pytorch/pytorch:2.9.0-cuda12.8-cudnn9-devel\n",
    b"resources:\n  image_id: docker:pytorch/pytorch:2.9.0-cuda12.8-cudnn9-devel\nrun: x\n",
)
REFERENCES = (
    b"pytorch/pytorch:2.9.0-cuda12.8-cudnn9-devel", b"nvcr.io/nvidia/pytorch:25.09-py3",
    b"localhost:5000/a/b@sha256:" + b"a" * 64,
    b"docker://x/y:1@sha256:" + b"0" * 64, b"rocm/pytorch:rocm6.4_ubuntu22.04_py3.10_pytorch_release_2.6.0",
)  # fmt: skip
VERSIONS = (
    b'[project]\nname = "n"\nversion = "2.9.0"\ndynamic = ["x"]\n', b"[metadata]\nname = n\nversion = 2.9.0\n",
    b'"""Doc."""\n__version__ = "2.9.0"\n', b"2.9.0\n",
)  # fmt: skip
LINE = b"refs/tags/v2.9.0 %s refs/tags/v2.9.0 %s\n" % (COMMIT.encode(), b"0" * 40)
MANIFEST = (
    b'{"schemaVersion":2,"manifests":[{"digest":"sha256:%s","platform":{"architecture":"amd64","os":"linux"}}]}'
    % (b"a" * 64)
)
TREE = b"100644 a.txt\0" + b"\1" * 20 + b"40000 folder\0" + b"\2" * 20 + b"120000 z\0" + b"\3" * 20

ALMOST_TAG = almost(
    TAGS,
    (
        b"-----BEGIN PGP SIGNATURE-----", b"-----END PGP SIGNATURE-----", b"-----BEGIN PGP MESSAGE-----", b"tag v3\n",
        b"-----BEGIN SSH SIGNATURE-----\n", b"\ngpgsig x", b"type tree", b"tagger ", *ARMOR[:2],
    ),
)  # fmt: skip
ALMOST_ARMOR = almost(
    ARMOR, (b"-----BEGIN PGP MESSAGE-----", b"\nVersion: 1\n", b"\n=AAAA\n", b"==", b"-----", b"Hash: SHA1\n")
)
STATUS = almost(
    (seed("gpg-status"), seed("gpg-status-of-files")),
    tuple(b"\n[GNUPG:] %s " % word for word in (
        b"GOODSIG", b"BADSIG", b"EXPKEYSIG", b"NEWSIG", b"VALIDSIG", b"FILE_DONE", b"FILE_START 1 a", b"NODATA 1")),
)  # fmt: skip
BINARY = almost(
    tuple(found for found in map(openpgp.dearmor, ARMOR) if isinstance(found, bytes)), (b"\xc2", b"\x88", b"\xff")
)
PUBLIC = almost(KEYS_PUB, (b"ssh-rsa", b"cert-v01@openssh.com", b"AAAA", b'namespaces="*"', b"\n* "))
