"""The policy: what is read from it, what is a mistake in it, and what it says of a tag."""

import hashlib
import re
import time
import tomllib
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptguard.errors import ExitCode, PolicyError
from ptguard.model import (
    ImagePolicy,
    KeyStatus,
    Limits,
    OpenPgpKey,
    Policy,
    PolicySource,
    Problem,
    Signer,
    SmokePolicy,
    SshKey,
    TagRule,
    Waiver,
)
from ptguard.policy import changelog_paths, expired_waivers, match_rule, parse_policy, version_sources, waiver_for
from ptguard.policy.lines import KeyPath, key_lines
from ptguard.policy.read import MAX_MISTAKES, MAX_POLICY
from ptguard.policy.signers import MAX_KEY_FILE
from ptguard.value import fields

CHECKS = ("annotated", "signature", "immutable", "branch", "version", "changelog", "image", "smoke")
DOCS = Path(__file__).parents[1] / "docs" / "policy.md"
LI_WEI = "7130AA83EDD53C2D4CABB108FBC07CF70E2F4CC6"
ANA = "BD419A6513C5CDCA8203CA352749D9033DB7D96D"
LI_WEI_ASC = b"""\
-----BEGIN PGP PUBLIC KEY BLOCK-----

mDMEawNMYBYJKwYBBAHaRw8BAQdAq6iLQv++YrLTaqX3oVKx7Dd9TV2OxH9c1HWJ
LDfVljS0G0xpIFdlaSA8bGkud2VpQGV4YW1wbGUuY29tPoiQBBMWCAA4FiEEcTCq
g+3VPC1Mq7EI+8B89w4vTMYFAmsDTGACGwMFCwkIBwIGFQoJCAsCBBYCAwECHgEC
F4AACgkQ+8B89w4vTMbgHwEAzR8T9ObJYwlsjVho3sNG0bcO11q/jzLa1k6AxgVi
TCkBAM9V9I6oBBrvEmV4pGJEeAOWf+EpFrVDy6pq2FwDImEK
=XXfH
-----END PGP PUBLIC KEY BLOCK-----
"""
BOT = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIM5lhXqs98ZyrHUbuLKc1Yoy/LNCvBbbJ5Kude/ohUcT"
GPU = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIClkUAoUFtm5FMfvT7EO2cdLTW0GDYdA7dfchf8zFY95"
BOT_FINGERPRINT = "SHA256:RyEnmaKQtc3vfYWI7QKGnbsHCMR30HDpOVTNvAlKfME"  # as ssh-keygen -l says
GPU_FINGERPRINT = "SHA256:z92r+rhMlSCepwNSFTqM0hHVdxYaEjDTjIm9SYiXvUA"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)

SMALL = f"""\
schema = 1
[[tags]]
pattern = "v*"
checks = ["annotated", "signature"]
signers = ["bot"]
[[signers.bot.keys]]
kind = "ssh"
public-key = "{BOT} bot@ci"
"""
FULL_CHECKS = SMALL.replace('checks = ["annotated", "signature"]\n', "")


def read_key(path: str) -> bytes | Problem:
    if path == "keys/li-wei.asc":
        return LI_WEI_ASC
    return Problem("missing-file", f"{path} is not there")


def parse(
    text: str | bytes,
    *,
    read: Callable[[str], bytes | Problem] = read_key,
    trust_branch: str | None = "main",
    checks: tuple[str, ...] = CHECKS,
) -> Policy:
    return parse_policy(
        text.encode() if isinstance(text, str) else text,
        source="policy.toml",
        commit=None,
        read=read,
        checks=checks,
        trust_branch=trust_branch,
    )


def mistakes(text: str | bytes, **given: object) -> list[str]:
    """Give the lines of a policy that must be wrong, without the source in front."""
    with pytest.raises(PolicyError) as caught:
        parse(text, **given)  # type: ignore[arg-type]
    assert caught.value.exit_code is ExitCode.USAGE
    assert caught.value.problems
    assert all(p.startswith("policy.toml: ") and p.isprintable() for p in caught.value.problems)
    assert caught.value.fix is not None
    return [p.removeprefix("policy.toml: ") for p in caught.value.problems]


def examples() -> list[str]:
    return re.findall(r"```toml\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)


# --------------------------------------------------------------------------------------------- what is read


def test_the_example_of_the_page_is_read_as_written() -> None:
    text = examples()[0]
    policy = parse_policy(
        text.encode(),
        source="refs/remotes/origin/main",
        commit="1" * 40,
        read=read_key,
        checks=CHECKS,
        trust_branch="main",
        stale=True,
    )
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    li_wei = OpenPgpKey(
        LI_WEI,
        "keys/li-wei.asc",
        LI_WEI_ASC,
        KeyStatus.ACTIVE,
        datetime(2025, 1, 1, tzinfo=UTC),
        datetime(2027, 1, 1, tzinfo=UTC),
    )
    assert policy == Policy(
        source=PolicySource("refs/remotes/origin/main", "1" * 40, sha256, stale=True),
        trust_branch="main",
        rules=(
            TagRule("v*", CHECKS, ("li-wei", "release-bot"), ("main", "release/*")),
            TagRule("nightly-*", ("annotated", "signature"), ("release-bot",), ("main", "release/*")),
        ),
        unmatched="refuse",
        signers={
            "li-wei": Signer("li-wei", "Li Wei", (li_wei,)),
            "release-bot": Signer("release-bot", "release-bot", (SshKey(BOT_FINGERPRINT, BOT),)),
            "gpu-runner": Signer("gpu-runner", "gpu-runner", (SshKey(GPU_FINGERPRINT, GPU),)),
        },
        changelog_paths=("CHANGELOG.md",),
        version_sources=("pyproject.toml",),
        candidates="exact",
        image=ImagePolicy(("Dockerfile", ".github/workflows/release.yml"), require_digest=True),
        smoke=SmokePolicy(
            ".ptguard/smoke",
            "cuda",
            ("python", "-m", "pytest", "-q", "tests/smoke"),
            timedelta(days=30),
            ("gpu-runner",),
            "registry",
            (),
        ),
        limits=Limits(("SHA256", "SHA384", "SHA512"), timedelta(minutes=10), timedelta(days=7), 65536),
        audit_since="v2.0.0",
        waivers=(
            Waiver("v2.8.1", "smoke", "H100 pool down, hotfix reviewed in #512", "li-wei", date(2026, 12, 1)),
        ),
        root=("li-wei",),
    )  # fmt: skip


def test_the_smallest_of_the_page_has_the_defaults() -> None:
    policy = parse(examples()[1], trust_branch=None)
    assert policy.rules == (TagRule("v*", CHECKS[:6], ("release-bot",), ("main", "release/*")),)
    assert policy.trust_branch is None
    assert policy.unmatched == "refuse"
    assert policy.changelog_paths == ("CHANGELOG.md",)
    assert (policy.version_sources, policy.candidates) == (("pyproject.toml",), "exact")
    assert (policy.image, policy.smoke, policy.audit_since, policy.waivers, policy.root) == (None, None, None, (), ())
    assert policy.limits == Limits()
    assert policy.source.stale is False


def test_every_default_of_image_and_smoke() -> None:
    runner = f'[[signers.gpu-runner.keys]]\nkind = "ssh"\npublic-key = "{GPU}"\n'
    policy = parse(f"{FULL_CHECKS}{runner}[image]\n[smoke]\n[trust]\n[limits]\n[audit]\n[version]\n[changelog]\n")
    assert policy.rules[0].checks == CHECKS
    assert policy.image == ImagePolicy(("Dockerfile", ".github/workflows/release.yml"), require_digest=True)
    assert policy.smoke == SmokePolicy(
        ".ptguard/smoke", "cuda", None, timedelta(days=30), ("gpu-runner",), "registry", ()
    )
    assert policy.limits == Limits()


def test_every_other_default_of_a_section_that_says_nothing() -> None:
    """A default that is lost is one that lets something through: None is not "refuse"."""
    policy = parse(f"{SMALL}[unmatched]\n[version]\n[changelog]\n")
    assert policy.unmatched == "refuse"
    assert policy.candidates == "exact"
    assert policy.changelog_paths == ("CHANGELOG.md",)


@pytest.mark.parametrize("source", ["launcher", "registry", "operator"])
def test_every_source_of_a_digest_may_be_asked_for(source: str) -> None:
    runner = f'[[signers.gpu-runner.keys]]\nkind = "ssh"\npublic-key = "{GPU}"\n'
    smoke = parse(f'{SMALL}{runner}[smoke]\nimage-from = "{source}"\n').smoke
    assert smoke is not None and smoke.image_from == source


def test_an_empty_list_of_image_sources_is_read_and_refuses_every_tag() -> None:
    image = parse(f"{SMALL}[image]\nsources = []\n").image
    assert image is not None and image.sources == ()


def test_the_window_of_an_ssh_key_is_read() -> None:
    window = 'valid-from = 2026-01-01T00:00:00Z\nvalid-until = 2027-01-01T00:00:00Z\nstatus = "retired"\n'
    (key,) = parse(f"{SMALL}{window}").signers["bot"].keys
    assert key.status is KeyStatus.RETIRED
    assert (key.valid_from, key.valid_until) == (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))


def test_all_key_files_together_are_bounded() -> None:
    """Each is small enough, and counted together with the others."""
    count = 16 * 1024 * 1024 // MAX_KEY_FILE + 2
    keys = "".join(
        f'[[signers.s{n // 40}.keys]]\nkind = "openpgp"\nfingerprint = "{n:040X}"\nfile = "keys/{n}.asc"\n'
        for n in range(count)
    )
    found = mistakes(f"{SMALL}{keys}", read=lambda _: b"x" * MAX_KEY_FILE)
    assert any("more bytes of keys than can be" in line for line in found)
    assert not any("more bytes of keys" in line for line in mistakes(f"{SMALL}{keys}", read=lambda _: b"x" * 100))


def test_annotated_is_always_on() -> None:
    assert parse(SMALL.replace('"annotated", ', "")).rules[0].checks == ("annotated", "signature")


def test_without_the_signature_no_signer_is_needed() -> None:
    text = 'schema = 1\n[[tags]]\npattern = "*"\nchecks = ["immutable"]\n'
    assert parse(text).rules[0] == TagRule("*", ("annotated", "immutable"), (), ("main", "release/*"))


def test_an_empty_list_of_signers_is_read_when_it_is_written() -> None:
    assert parse(SMALL.replace('["bot"]', "[]")).rules[0].signers == ()
    assert mistakes(SMALL.replace('signers = ["bot"]\n', "")) == [
        "tags[0].signers (line 2): missing; the ids of those who may sign (an empty list only to refuse every tag)"
    ]


def test_crlf_and_a_lower_case_fingerprint_are_the_same_policy() -> None:
    text = examples()[0].replace(LI_WEI, LI_WEI.lower()).replace("\n", "\r\n")
    key = parse(text).signers["li-wei"].keys[0]
    assert key.fingerprint == LI_WEI


def test_every_other_choice_can_be_made() -> None:
    text = SMALL + """\
status = "compromised"
[[signers.bot.keys]]
kind = "openpgp"
fingerprint = "7130AA83EDD53C2D4CABB108FBC07CF70E2F4CC6"
file = "keys/li-wei.asc"
status = "retired"
[unmatched]
action = "warn"
[changelog]
path = ["CHANGELOG.md", "{package}/CHANGELOG.md"]
[version]
sources = ["pkg/__init__.py:__version__", "VERSION", "libs/{package}/setup.cfg"]
candidates = "base"
[image]
sources = ["docker/Dockerfile.gpu"]
require-digest = false
[smoke]
directory = ".ptguard/runs"
device = "rocm"
command = ["make", "-j", "-j"]
max-age = "2w"
signers = ["bot"]
image-from = "operator"
ignore = ["CHANGELOG.md"]
[limits]
digests = ["SHA512"]
max-clock-skew = "0s"
max-tag-age = "12h"
max-tag-bytes = 1024
"""  # fmt: skip
    policy = parse(text)
    assert [k.status for k in policy.signers["bot"].keys] == [KeyStatus.COMPROMISED, KeyStatus.RETIRED]
    assert policy.unmatched == "warn"
    assert policy.changelog_paths == ("CHANGELOG.md", "{package}/CHANGELOG.md")
    assert policy.version_sources == ("pkg/__init__.py:__version__", "VERSION", "libs/{package}/setup.cfg")
    assert policy.candidates == "base"
    assert policy.image == ImagePolicy(("docker/Dockerfile.gpu",), require_digest=False)
    assert policy.smoke == SmokePolicy(
        ".ptguard/runs", "rocm", ("make", "-j", "-j"), timedelta(weeks=2), ("bot",), "operator", ("CHANGELOG.md",)
    )
    assert policy.limits == Limits(("SHA512",), timedelta(0), timedelta(hours=12), 1024)


@pytest.mark.parametrize(
    ("more", "good"),
    [
        ('[version]\nsources = ["none"]', True),
        ('[limits]\ndigests = ["SHA512", "SHA1"]', True),
        ("[limits]\nmax-tag-bytes = 1", True),
        ("[limits]\nmax-tag-bytes = 16777216", True),
        ("[limits]\nmax-tag-bytes = 16777217", False),
        ('[limits]\nmax-tag-age = "36525d"', True),
        ('[limits]\nmax-tag-age = "36526d"', False),
        ('[limits]\nmax-tag-age = "-1d"', False),
        ('[limits]\nmax-tag-age = "1D"', False),
        ('[limits]\nmax-tag-age = "\u0661d"', False),
        ("valid-from = 1970-01-01T00:00:00Z\nvalid-until = 9000-12-31T00:00:00Z", True),
        ("valid-until = 9001-01-01T00:00:00Z", False),
        ("valid-from = 1969-12-31T23:59:59Z", False),
        (f'name = "{"x" * 64}"', False),
        (f'[[signers.{"x" * 64}.keys]]\nkind = "ssh"\npublic-key = "{GPU}"', True),
        (f'[[signers.{"x" * 65}.keys]]\nkind = "ssh"\npublic-key = "{GPU}"', False),
        ('[signers.ana]\nname = "a\\tb"', False),
    ],
)
def test_the_edges_of_what_may_stand(more: str, good: bool) -> None:
    text = f"{SMALL}{more}\n"
    if good:
        assert parse(text).rules
    else:
        assert mistakes(text)


def test_the_runner_may_be_the_only_signer() -> None:
    policy = parse(SMALL.replace("signers.bot", "signers.gpu-runner").replace('"bot"', '"gpu-runner"') + "[smoke]\n")
    assert policy.smoke is not None
    assert policy.smoke.signers == ("gpu-runner",)


def test_each_key_file_is_read_once() -> None:
    asked: list[str] = []

    def read(path: str) -> bytes | Problem:
        asked.append(path)
        return read_key(path)

    parse(examples()[0], read=read)
    assert asked == ["keys/li-wei.asc"]


# --------------------------------------------------------------------------------------------- what is a mistake


def edited(old: str, new: str, text: str = SMALL) -> str:
    assert old in text
    return text.replace(old, new)


def added(more: str) -> str:
    return SMALL + more


def openpgp(**keys: str) -> str:
    """Give the small policy with an OpenPGP key of another signer, keys replaced."""
    entry = {"kind": '"openpgp"', "fingerprint": f'"{LI_WEI}"', "file": '"keys/li-wei.asc"'} | keys
    body = "".join(f"{key.replace('_', '-')} = {value}\n" for key, value in entry.items() if value)
    return f"{SMALL}[[signers.li-wei.keys]]\n{body}"


def waiver(**keys: str) -> str:
    entry = {"tag": '"v1"', "check": '"branch"', "reason": '"why"', "by": '"bot"', "expires": "2026-12-01"} | keys
    return f"{SMALL}[[waivers]]\n" + "".join(f"{key} = {value}\n" for key, value in entry.items() if value)


BROKEN = {
    # the whole
    "schema missing": (edited("schema = 1\n", ""), "schema: missing; schema = 1"),
    "schema 2": (edited("schema = 1", "schema = 2"), "schema (line 1): the number 2; 1, the only schema there is"),
    "schema true": (edited("schema = 1", "schema = true"), "schema (line 1): true (a boolean); 1"),
    "schema float": (edited("schema = 1", "schema = 1.0"), "schema (line 1): the number 1.0; 1"),
    "schema text": (edited("schema = 1", 'schema = "1"'), 'schema (line 1): "1"; 1'),
    "unknown section": (added("[smokes]\n"), "smokes (line 9): an unknown key; did you mean smoke?"),
    "section of a wrong type": (
        edited("schema = 1", "schema = 1\nlimits = 3"),
        "limits (line 2): the number 3; a table",
    ),
    # tags
    "no tags": ("schema = 1\n", "tags: missing; at least one [[tags]]"),
    "tags empty": ("schema = 1\ntags = []\n", "tags (line 2): no rule; at least one [[tags]]"),
    "tags a table": (edited("[[tags]]", "[tags]"), "tags (line 2): a table; an array of tables: [[tags]]"),
    "tags of numbers": ("schema = 1\ntags = [1]\n", "tags[0] (line 2): the number 1; a table: [[tags]]"),
    "pattern missing": (edited('pattern = "v*"\n', ""), "tags[0].pattern (line 2): missing; the tags that"),
    "pattern wrong": (edited('"v*"', '"v***"'), 'tags[0].pattern (line 3): "v***"; a glob: more than two stars'),
    "pattern with foreign braces": (edited('"v*"', '"v{x}"'), 'tags[0].pattern (line 3): "v{x}"; a glob: only'),
    "pattern full": (
        edited('"v*"', '"refs/tags/v*"'),
        'tags[0].pattern (line 3): "refs/tags/v*"; a glob: a pattern is',
    ),
    "pattern twice": (
        added('[[tags]]\npattern = "v*"\nchecks = ["annotated"]\n'),
        'tags[1].pattern (line 10): "v*" for the second time; each pattern once',
    ),
    "unknown rule key ++": (
        edited("checks =", "cheks ="),
        "tags[0].cheks (line 4): an unknown key; did you mean checks?",
    ),
    "unknown check": (
        edited('"signature"]', '"signatur"]'),
        'tags[0].checks[1] (line 4): "signatur"; did you mean sig',
    ),
    "check twice": (
        edited('"signature"]', '"annotated"]'),
        'tags[0].checks[1] (line 4): "annotated" for the second time; each entry once',
    ),
    "no checks": (edited('["annotated", "signature"]', "[]"), "tags[0].checks (line 4): an empty list; at least one"),
    "checks a text": (edited('["annotated", "signature"]', '"all"'), 'tags[0].checks (line 4): "all"; a list'),
    "check a number": (edited('["annotated", "signature"]', "[1]"), "tags[0].checks[0] (line 4): the number 1; one of"),
    "unknown signer": (
        edited('["bot"]', '["bto"]'),
        'tags[0].signers[0] (line 5): "bto", no signer of this policy; did',
    ),
    "everybody": (edited('["bot"]', '["*"]'), 'tags[0].signers[0] (line 5): "*", a wildcard; the ids of signers'),
    "branch pattern": (edited('["bot"]', '["bot"]\nbranches = ["{package}"]'), "tags[0].branches[0] (line 6): "),
    "no branches": (edited('["bot"]', '["bot"]\nbranches = []'), "tags[0].branches (line 6): an empty list; at least"),
    "action": (added('[unmatched]\naction = "ignore"\n'), 'unmatched.action (line 10): "ignore"; one of refuse, warn'),
    "trust branch": (added('[trust]\nbranch = "dev"\n'), 'trust.branch (line 10): "dev"; "main", the branch that'),
    # signers
    "no signers +": (SMALL[: SMALL.index("[[signers")], 'tags[0].signers[0] (line 5): "bot", no signer of this policy'),
    "signers a list +": (edited("[[signers.bot.keys]]", "[[signers]]"), "signers (line 6): a list; a table for each"),
    "signer without a key": (
        added("[signers.ana]\n"),
        "signers.ana.keys (line 9): missing; at least one [[signers.ana",
    ),
    "signer with keys = []": (added("[signers.ana]\nkeys = []\n"), "signers.ana.keys (line 10): no key; at least one"),
    "signer a text": (added('[signers]\nana = "key"\n'), 'signers.ana (line 10): "key"; a table: [signers.ana]'),
    "wildcard signer +": (added('[signers."*"]\nkeys = []\n'), 'signers."*" (line 9): the id "*", a wildcard; '),
    "signer id +": (added('[signers."a b"]\nkeys = []\n'), 'signers."a b" (line 9): the id "a b"; an id that begins'),
    "unknown signer key +": (
        added("[signers.ana]\nmail = 1\n"),
        "signers.ana.mail (line 10): an unknown key; one of name",
    ),
    "key kind": (openpgp(kind='"pgp"'), 'signers.li-wei.keys[0].kind (line 10): "pgp"; did you mean openpgp?'),
    "key kind missing": (openpgp(kind=""), "signers.li-wei.keys[0].kind (line 9): missing; openpgp or ssh"),
    "key status": (openpgp(status='"lost"'), 'signers.li-wei.keys[0].status (line 13): "lost"; one of active, retired'),
    "short key id": (
        openpgp(fingerprint='"FBC07CF70E2F4CC6"'),
        'signers.li-wei.keys[0].fingerprint (line 11): "FBC07CF70E2F4CC6", a short key id; the full fingerprint',
    ),
    "short key id, 0x": (openpgp(fingerprint='"0x0E2F4CC6"'), "signers.li-wei.keys[0].fingerprint (line 11): "),
    "39 digits": (openpgp(fingerprint=f'"{LI_WEI[1:]}"'), "signers.li-wei.keys[0].fingerprint (line 11): "),
    "41 digits": (openpgp(fingerprint=f'"{LI_WEI}0"'), "signers.li-wei.keys[0].fingerprint (line 11): "),
    "no hex": (openpgp(fingerprint=f'"{"x" * 40}"'), "signers.li-wei.keys[0].fingerprint (line 11): "),
    "fingerprint missing": (openpgp(fingerprint=""), "signers.li-wei.keys[0].fingerprint (line 9): missing; the full"),
    "another key in the file": (
        openpgp(fingerprint=f'"{ANA}"'),
        f"signers.li-wei.keys[0].file (line 12): keys/li-wei.asc without {ANA}; a primary key: the file holds {LI_WEI}",
    ),
    "file missing": (openpgp(file=""), "signers.li-wei.keys[0].file (line 9): missing; the key file"),
    "file not there": (
        openpgp(file='"keys/x.asc"'),
        "signers.li-wei.keys[0].file (line 12): keys/x.asc is not there; a regular file with an OpenPGP public key",
    ),
    "ssh key in an openpgp one": (
        openpgp(public_key=f'"{GPU}"'),
        "signers.li-wei.keys[0].public-key (line 13): a key of",
    ),
    "window backwards": (
        openpgp(valid_from="2026-01-01T00:00:00Z", valid_until="2026-01-01T01:00:00+01:00"),
        "signers.li-wei.keys[0].valid-until (line 14): the time 2026-01-01T01:00:00+01:00; a time after valid-from",
    ),
    "time without offset": (
        openpgp(valid_from="2026-01-01T00:00:00"),
        "signers.li-wei.keys[0].valid-from (line 13): the time 2026-01-01T00:00:00 without an offset; a date and time",
    ),
    "time a day": (
        openpgp(valid_from="2026-01-01"),
        "signers.li-wei.keys[0].valid-from (line 13): the day 2026-01-01; ",
    ),
    "time a text": (openpgp(valid_from='"2026"'), 'signers.li-wei.keys[0].valid-from (line 13): "2026"; a date and'),
    "time at the end of days": (openpgp(valid_from="9999-12-31T23:59:59-12:00"), "signers.li-wei.keys[0].valid-from "),
    "ssh key malformed": (edited(BOT, "ssh-ed25519 AAAA"), "signers.bot.keys[0].public-key (line 8): "),
    "ssh key missing": (
        edited(f'public-key = "{BOT} bot@ci"\n', ""),
        "signers.bot.keys[0].public-key (line 6): missing",
    ),
    "ssh key of two signers": (
        added(f'[[signers.ana.keys]]\nkind = "ssh"\npublic-key = "{BOT} ana"\n'),
        "signers.ana.keys[0].public-key (line 11): a key that bot has already; a key that only one signer has",
    ),
    "ssh key twice": (
        added(f'[[signers.bot.keys]]\nkind = "ssh"\npublic-key = "{BOT}"\n'),
        "signers.bot.keys[1].public-key (line 11): a key that this signer has already; each key once",
    ),
    # sections
    "image needed": (edited('"signature"]', '"signature", "image"]'), "image: missing; [image], since the check image"),
    "smoke needed": (edited('"signature"]', '"signature", "smoke"]'), "smoke: missing; [smoke], since the check smoke"),
    "changelog path": (added("[changelog]\npath = 1\n"), "changelog.path (line 10): the number 1; a text"),
    "changelog outside": (added('[changelog]\npath = "../C.md"\n'), 'changelog.path (line 10): "../C.md"; a path from'),
    "changelog absolute": (
        added('[changelog]\npath = ["/C.md"]\n'),
        'changelog.path[0] (line 10): "/C.md"; a path from',
    ),
    "changelog braces": (
        added('[changelog]\npath = "{pkg}/C"\n'),
        'changelog.path (line 10): "{pkg}/C"; a path in which',
    ),
    "changelog git": (added('[changelog]\npath = ".git/C"\n'), 'changelog.path (line 10): ".git/C"; a path from'),
    "version source": (
        added('[version]\nsources = ["setup.py"]\n'),
        'version.sources[0] (line 10): "setup.py"; pyproject',
    ),
    "version none": (added('[version]\nsources = ["none", "VERSION"]\n'), 'version.sources (line 10): "none" beside'),
    "candidates": (added('[version]\ncandidates = "rc"\n'), 'version.candidates (line 10): "rc"; one of exact, base'),
    "image digest": (added('[image]\nrequire-digest = "no"\n'), 'image.require-digest (line 10): "no"; true or false'),
    "version sources": (added("[version]\nsources = []\n"), "version.sources (line 10): an empty list; at least one"),
    "smoke signers missing": (added("[smoke]\n"), "smoke.signers (line 9): missing; the ids of those who may vouch"),
    "smoke signers": (added('[smoke]\nsigners = ["gpu"]\n'), 'smoke.signers[0] (line 10): "gpu", no signer of this'),
    "smoke directory": (
        added('[smoke]\nsigners = ["bot"]\ndirectory = "smoke"\n'),
        'smoke.directory (line 11): "smoke"; a folder under .ptguard/',
    ),
    "smoke directory, stepping out": (
        added('[smoke]\nsigners = ["bot"]\ndirectory = ".ptguard/../smoke"\n'),
        'smoke.directory (line 11): ".ptguard/../smoke"; a path from',
    ),
    "smoke device": (
        added('[smoke]\nsigners = ["bot"]\ndevice = "gpu"\n'),
        'smoke.device (line 11): "gpu"; did you mean ',
    ),
    "smoke command": (
        added('[smoke]\nsigners = ["bot"]\ncommand = "make"\n'),
        'smoke.command (line 11): "make"; a list',
    ),
    "smoke ignore glob": (
        added('[smoke]\nsigners = ["bot"]\nignore = ["a", "docs/*"]\n'),
        'smoke.ignore[1] (line 11): "docs/*", a pattern; the exact path of one file',
    ),
    "max-age": (
        added('[smoke]\nsigners = ["bot"]\nmax-age = "1 month"\n'),
        'smoke.max-age (line 11): "1 month"; a number',
    ),
    "max-age a number": (
        added('[smoke]\nsigners = ["bot"]\nmax-age = 30\n'),
        "smoke.max-age (line 11): the number 30; a",
    ),
    "max-age endless": (added('[limits]\nmax-tag-age = "999999999999w"\n'), "limits.max-tag-age (line 10): "),
    "weak digest": (added('[limits]\ndigests = ["MD5"]\n'), 'limits.digests[0] (line 10): "MD5"; '),
    "SHA1 alone": (added('[limits]\ndigests = ["SHA1"]\n'), "limits.digests (line 10): SHA1 alone, which counts in"),
    "digest lower-case": (added('[limits]\ndigests = ["sha256"]\n'), 'limits.digests[0] (line 10): "sha256"; '),
    "bytes true": (
        added("[limits]\nmax-tag-bytes = true\n"),
        "limits.max-tag-bytes (line 10): true (a boolean); a whole",
    ),
    "bytes 0": (added("[limits]\nmax-tag-bytes = 0\n"), "limits.max-tag-bytes (line 10): the number 0; a whole number"),
    "root nobody": (added("[root]\n"), "root.signers (line 9): missing; the ids of those who may change the policy"),
    "root empty": (added("[root]\nsigners = []\n"), "root.signers (line 10): "),
    "root unknown": (added('[root]\nsigners = ["li-wie"]\n'), 'root.signers[0] (line 10): "li-wie", no signer of this'),
    "since a pattern": (added('[audit]\nsince = "v*"\n'), 'audit.since (line 10): "v*", a pattern; the exact name'),
    # waivers
    "waiver without expiry": (waiver(expires=""), "waivers[0].expires (line 9): missing; the last day"),
    "waiver expiry a time": (
        waiver(expires="2026-12-01T00:00:00Z"),
        "waivers[0].expires (line 14): the time 2026-12-01",
    ),
    "waiver expiry a text": (
        waiver(expires='"2026-12-01"'),
        'waivers[0].expires (line 14): "2026-12-01"; the last day',
    ),
    "waiver of the signature": (waiver(check='"signature"'), 'waivers[0].check (line 11): "signature"; any check but'),
    "waiver of annotated": (waiver(check='"annotated"'), 'waivers[0].check (line 11): "annotated"; any check but'),
    "waiver of immutable": (waiver(check='"immutable"'), 'waivers[0].check (line 11): "immutable"; any check but'),
    "waiver of an unknown check": (
        waiver(check='"smokes"'),
        'waivers[0].check (line 11): "smokes"; did you mean smoke?',
    ),
    "waiver for a pattern": (waiver(tag='"v2.*"'), 'waivers[0].tag (line 10): "v2.*", a pattern; the exact name'),
    "waiver by a stranger": (waiver(by='"ana"'), 'waivers[0].by (line 13): "ana", no signer of this policy'),
    "waiver without a reason": (waiver(reason='""'), "waivers[0].reason (line 12): an empty text; a text on one line"),
    "waiver unknown key": (waiver(until="1"), "waivers[0].until (line 15): an unknown key; one of tag, check"),
    "waiver twice": (
        waiver() + waiver().removeprefix(SMALL),
        "waivers[1].check (line 17): a second waiver of branch for v1; one waiver for each tag and check",
    ),
    "package that no rule captures": (
        edited('"signature"]', '"signature", "changelog"]') + '[changelog]\npath = "{package}/C.md"\n',
        'tags[0].pattern (line 3): "v*", which captures no package; a pattern with {package}, or a path without it in',
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_mistake_is_named_with_its_key_path_and_line(name: str) -> None:
    text, expected = BROKEN[name]
    found = mistakes(text)
    assert [line for line in found if line.startswith(expected)], found
    # each + in the name is a mistake that follows from the first
    assert len(found) == 1 + name.count("+"), found


@pytest.mark.parametrize(
    "path",
    [
        "keys/../x.asc", "../keys/x.asc", "/etc/x.asc", "x.asc", "keys/x.gpg", "keys/a/x.asc", "keys/.asc",
        "keys\\\\x.asc", "", "keys/", "keys/.x.asc",
    ],
)  # fmt: skip
def test_a_key_file_lies_right_under_keys_and_nothing_else_is_asked_for(path: str) -> None:
    asked: list[str] = []

    def read(name: str) -> bytes | Problem:
        asked.append(name)
        return LI_WEI_ASC

    found = mistakes(openpgp(file=f'"{path}"'), read=read)
    assert len(found) == 1
    assert found[0].startswith("signers.li-wei.keys[0].file (line 12): ")
    assert asked == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", ""),
        (b"no key at all", ""),
        (LI_WEI_ASC[:200], ""),
        (b"x" * (MAX_KEY_FILE + 1), f"keys/li-wei.asc has {MAX_KEY_FILE + 1} bytes; at most {MAX_KEY_FILE}"),
        (
            Problem("symlink", "keys/li-wei.asc is a symbolic link", "a link", "a regular file"),
            "is a symbolic link; a reg",
        ),
    ],
)
def test_a_key_file_that_gives_no_key_is_named(data: bytes | Problem, words: str) -> None:
    found = mistakes(openpgp(), read=lambda _: data)
    assert len(found) == 1
    assert found[0].startswith("signers.li-wei.keys[0].file (line 12): keys/li-wei.asc")
    assert words in found[0]


def test_all_mistakes_at_once_in_the_order_of_the_file() -> None:
    text = """\
[trust]
branch = "dev"
[[tags]]
pattern = "v***"
checks = ["anotated"]
signers = ["nobody"]
[[tags]]
[unmatched]
action = 1
[signers.li-wei]
[limits]
digests = ["MD5"]
max-tag-age = "7"
[[waivers]]
"""
    paths = [line.split(":")[0] for line in mistakes(text)]
    assert paths == [
        "schema",
        "image",
        "smoke",
        "trust.branch (line 2)",
        "tags[0].pattern (line 4)",
        "tags[0].checks[0] (line 5)",
        "tags[0].signers[0] (line 6)",
        "tags[1].pattern (line 7)",
        "tags[1].signers (line 7)",
        "unmatched.action (line 9)",
        "signers.li-wei.keys (line 10)",
        "limits.digests[0] (line 12)",
        "limits.max-tag-age (line 13)",
        "waivers[0].tag (line 14)",
        "waivers[0].check (line 14)",
        "waivers[0].reason (line 14)",
        "waivers[0].by (line 14)",
        "waivers[0].expires (line 14)",
    ]


def test_the_mistakes_of_the_page_are_printed_so() -> None:
    text = """\
schema = 1

[[tags]]
pattern = "v*"
cheks = ["annotated", "signature"]
signers = ["li-wie"]
[image]
[signers.li-wei]
[[signers.li-wei.keys]]
kind = "openpgp"
fingerprint = "2F4CC6FBC07CF70E"
file = "keys/li-wei.asc"
[smoke]
signers = ["li-wei"]
"""
    block = re.findall(r"```text\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)[0]
    assert [line.replace("policy.toml", ".ptguard/policy.toml") for line in problems(text)] == block.splitlines()


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(PolicyError) as caught:
        parse(text)
    return caught.value.problems


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "the file is empty"),
        (b" \r\n\t\n", "the file is empty"),
        (b"\xef\xbb\xbfschema = 1\n", "byte order mark"),
        ("schema = 1\n".encode("utf-16"), "UTF-16"),
        (b"schema = 1\nname = '\xff'\n", "the text (line 2): the byte FF is not UTF-8"),
        (b"schema = 1\nschema = 2\n", "not TOML: Cannot overwrite a value (at line 2"),
        (b"schema = 1\n[tags\n", "not TOML: "),
        (b"\x00", "not TOML: "),
        (b"a = " + b"9" * 4090, "schema: missing"),
        (b"a = " + b"[" * 4000, "nested too deeply"),
        (b"a = 1e400", "a (line 1): an unknown key"),
        (b"# " + b"x" * 5000, "the text (line 1): 5002 characters; at most 4096"),
        (b"\n" + b"a." * 101 + b"a = 1", "the text (line 2): 101 dots; at most 100"),
        (b"#" * (MAX_POLICY + 1), f"the file has {MAX_POLICY + 1} bytes; at most {MAX_POLICY}"),
        (b"# nothing here\n", "schema: missing"),
    ],
)
def test_a_text_that_is_no_policy_has_clear_words(text: bytes, words: str) -> None:
    assert any(words in line for line in mistakes(text))


def test_the_largest_that_may_be_is_read() -> None:
    line = "#" * 4095 + "\n"
    assert parse(SMALL + "# " + "." * 100 + "\n" + "#" * 4096 + "\n").rules
    padded = SMALL + line * ((MAX_POLICY - len(SMALL)) // len(line))
    padded += "#" * (MAX_POLICY - len(padded))
    assert parse(padded).rules
    material = LI_WEI_ASC.replace(b"\n\n", b"\nComment: x\n\n", 1)
    assert parse(openpgp(), read=lambda _: material + b"\n" * (MAX_KEY_FILE - len(material))).signers["li-wei"].keys


@pytest.mark.parametrize("text", ["", "# nothing", "schema = 1", "schema = 1\ntags = []", "schema = 1\n[signers]\n"])
def test_an_empty_policy_is_never_given(text: str) -> None:
    assert mistakes(text)


def test_a_foreign_text_is_shown_harmlessly() -> None:
    found = mistakes(added('[unmatched]\naction = "\\u001b[31m\\u202Ex"\n"\\u001b\\n" = 1\n'))
    assert found == [
        'unmatched.action (line 10): "\\x1b[31m\\u202ex"; one of refuse, warn, allow',
        'unmatched."\\x1b\\x0a" (line 11): an unknown key; one of action',
    ]


def test_a_flood_of_mistakes_is_cut_and_counted() -> None:
    found = mistakes("".join(f"k{i} = 1\n" for i in range(500)))
    assert len(found) == MAX_MISTAKES + 1
    assert found[-1] == "and 402 more mistakes"


def test_too_many_of_anything_is_a_mistake() -> None:
    many = "".join(f'[[waivers]]\ntag = "v{i}"\ncheck = "smoke"\nreason = "x"\nby = "bot"\nexpires = 2026-12-01\n'
                   for i in range(1001))  # fmt: skip
    assert mistakes(SMALL + many) == ["waivers (line 9): 1001 entries; at most 1000"]
    keys = '[[signers.ana.keys]]\nkind = "ssh"\n' * 51
    assert mistakes(SMALL + keys) == ["signers.ana.keys (line 9): 51 keys; at most 50 for one signer"]


@pytest.mark.parametrize("trust_branch", ["main", "refs/heads/main", None])
def test_the_trust_branch_is_asserted_only_where_one_is_known(trust_branch: str | None) -> None:
    assert parse(added('[trust]\nbranch = "main"\n'), trust_branch=trust_branch).trust_branch == trust_branch
    assert parse(SMALL, trust_branch="other").trust_branch == "other"


def test_only_the_checks_that_there_are_can_be_asked_for() -> None:
    text = 'schema = 1\n[[tags]]\npattern = "*"\n'
    assert parse(text, checks=("annotated", "branch")).rules[0].checks == ("annotated", "branch")
    assert "tags[0].checks[0] (line 4)" in mistakes(text + 'checks = ["smoke"]', checks=("annotated", "branch"))[0]


def keys_known_in(table: str) -> set[str]:
    """Give the keys that a table may have, as the words about an unknown one list them."""
    lines = [line for line in mistakes(f"{SMALL}{table}\nqqqqqqqq = 1\n") if "qqqqqqqq" in line]
    return set(lines[0].split("; one of ")[1].split(", "))


def keys_on_page(header: str) -> set[str]:
    """Give the keys that the page explains under ``header``."""
    body = DOCS.read_text("utf-8").split(f"### `{header}`\n")[1].split("\n#")[0]
    return set(re.findall(r"^\| `(.*?)` \|", body, re.MULTILINE))


_SECTIONS = [
    "[trust]", "[root]", "[[tags]]", "[unmatched]", "[changelog]", "[version]", "[image]", "[smoke]", "[limits]",
    "[audit]", "[[waivers]]",
]  # fmt: skip


@pytest.mark.parametrize("header", _SECTIONS)
def test_the_page_explains_every_key(header: str) -> None:
    assert keys_on_page(header) == keys_known_in(header)


def test_the_page_explains_every_key_of_a_signer_and_every_section() -> None:
    assert keys_on_page("[signers.<id>]") == keys_known_in("[signers.x]") | keys_known_in("[[signers.x.keys]]")
    assert keys_known_in("[qqqqqqqq]") == {"schema", "signers"} | {header.strip("[]") for header in _SECTIONS}


# --------------------------------------------------------------------------------------------- any bytes


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_give_a_policy_or_a_policy_error(data: bytes) -> None:
    judged(data)


def judged(data: bytes) -> None:
    """Read ``data``: any other exception than PolicyError fails the test that asks."""
    try:
        found: tuple[object, ...] = parse(data).rules
    except PolicyError as error:
        found = error.problems
    assert found


_VALUES = st.sampled_from(
    ["1", "true", "-1", "1e999", "nan", '""', '"*"', '"v*"', "[]", "{}", "[[]]", "[1, 'a', {}]", "{a = 1}", '"""\nx"""',
     "1979-05-27", "1979-05-27T07:32:00Z", "0001-01-01T00:00:00+14:00", "07:32:00", "0xffffffffffffffffffffffff"]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 60), _VALUES, st.data())
def test_any_value_anywhere_gives_a_policy_or_a_policy_error(line: int, value: str, data: st.DataObject) -> None:
    lines = examples()[0].splitlines()
    lines = [x for x in lines if x]
    target = lines[line % len(lines)]
    if "=" in target:
        lines[line % len(lines)] = f"{target.split('=')[0]}= {value}"
    else:
        del lines[line % len(lines)]
    extra = data.draw(st.sampled_from(["", "[signers.x]", "[[tags]]", "[image.x]", "[[signers.x.keys]]", "[[limits]]"]))
    judged("\n".join([*lines, extra]).encode())


# --------------------------------------------------------------------------------------------- lines

ODD = """\
# [a]
"quoted \\u0061" = 1  # x = 2
'literal' = '''
[not.a.table]
key = "inside" '''
a.b . "c" = 'its' # ]
[ t . u ] # comment = "x"
list = [ # one
  1, [2, "]"], # two
  { x = 1, y.z = [ 3 ] },
]
[[t.many]]
k = 1
[t.many.sub]
k = "#"
[[t.many]]
[[t.many.deep]]
x = 1
[[t.many.deep]]
x = 2
"""


def test_lines_are_found_in_odd_toml() -> None:
    lines = key_lines(ODD, tomllib.loads(ODD))
    expected: dict[KeyPath, int] = {
        ("quoted a",): 2,
        ("literal",): 3,
        ("a", "b", "c"): 6,
        ("t",): 7,
        ("t", "u", "list"): 8,
        ("t", "u", "list", 0): 9,
        ("t", "u", "list", 1, 1): 9,
        ("t", "u", "list", 2, "y", "z", 0): 10,
        ("t", "many"): 12,
        ("t", "many", 0, "k"): 13,
        ("t", "many", 0, "sub", "k"): 15,
        ("t", "many", 1): 16,
        ("t", "many", 1, "deep", 0, "x"): 18,
        ("t", "many", 1, "deep", 1, "x"): 20,
    }
    assert {path: lines.get(path) for path in expected} == expected


def test_lines_are_left_out_where_scanner_and_tomllib_do_not_agree() -> None:
    assert key_lines("a = 1\n", {"a": 1}) == {("a",): 1}
    assert key_lines("a = 1\n", {"b": 1}) == {}
    assert key_lines("a = 1\n", {"a": 1, "b": 2}) == {}
    assert key_lines("a = [1\n", {"a": [1]}) == {}
    deep = "a = " + "[" * 20 + "]" * 20
    assert key_lines(deep, tomllib.loads(deep)) == {}


_KEYS = st.sampled_from(["a", "b-1", '"x y"', "'q'", '"\\n"', "3"])
_SCALARS = st.sampled_from(
    ["1", '"#"', "'a]'", '"\\"}"', "'''\n]'''", '"""\n\\"""" ""\n"""', "2026-01-01 00:00:00Z", "0x1F"]
)
_TOML_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3).map(lambda x: "[ # c\n" + " ,\n".join(x) + "\n]"),
    max_leaves=5,
)


@settings(deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(_KEYS, _TOML_VALUES).map(lambda kv: f"{kv[0]} = {kv[1]}"),
            st.tuples(_KEYS, _KEYS, _TOML_VALUES).map(lambda kv: f"{kv[0]} . {kv[1]}={kv[2]} # x"),
            st.tuples(_KEYS, _KEYS).map(lambda k: f"[{k[0]}.{k[1]}]"),
            _KEYS.map(lambda k: f"[[ {k} ]] # [x]"),
            st.tuples(_KEYS, _SCALARS).map(lambda kv: f"i{len(kv[0])} = {{ {kv[0]} = 1, z = [2] }}"),
        ),
        max_size=8,
    )
)
def test_whatever_tomllib_reads_has_all_its_lines(statements: list[str]) -> None:
    text = "\n".join(statements)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return  # a key twice: no document, no lines
    lines = key_lines(text, document)
    assert bool(lines) == bool(document)
    starts = {1 + sum(s.count("\n") + 1 for s in statements[:i]) for i in range(len(statements))}
    assert all(lines[key,] in starts for key in document)


# --------------------------------------------------------------------------------------------- what it says of a tag

RULES = f"""\
schema = 1
[[tags]]
pattern = "v2.*"
checks = ["annotated"]
[[tags]]
pattern = "v*"
checks = ["annotated", "signature"]
signers = ["bot"]
[[tags]]
pattern = "{{package}}/v{{version}}"
checks = ["annotated", "changelog", "version"]
[changelog]
path = ["CHANGELOG.md", "{{package}}/CHANGELOG.md"]
[version]
sources = ["{{package}}/pyproject.toml", "{{package}}/VERSION"]
[[signers.bot.keys]]
kind = "ssh"
public-key = "{BOT}"
[[waivers]]
tag = "v2.8.1"
check = "changelog"
reason = "hotfix"
by = "bot"
expires = 2026-11-22
"""


@pytest.mark.parametrize(
    ("tag", "pattern", "version", "package"),
    [
        ("v2.9.0", "v2.*", "9.0", None),
        ("v3.0", "v*", "3.0", None),
        ("core/v1.0", "{package}/v{version}", "1.0", "core"),
    ],
)
def test_the_first_rule_that_fits_decides(tag: str, pattern: str, version: str, package: str | None) -> None:
    match = match_rule(parse(RULES), tag)
    assert match is not None
    assert (match.rule.pattern, match.version, match.package) == (pattern, version, package)


@pytest.mark.parametrize("tag", ["V2.9.0", "nightly-1", "", "a/b/v1", "v2/x", "core/v"])
def test_a_tag_that_no_rule_is_for(tag: str) -> None:
    assert match_rule(parse(RULES), tag) is None


def test_a_pattern_that_parse_policy_never_let_through_raises() -> None:
    policy = parse(SMALL)
    broken = Policy(
        **{name: getattr(policy, name) for name in fields(Policy)} | {"rules": (TagRule("***", (), (), ()),)}
    )
    with pytest.raises(PolicyError, match="cannot be read: more than two stars"):
        match_rule(broken, "v1")


def test_paths_of_a_package() -> None:
    policy = parse(RULES)
    core, plain = match_rule(policy, "core/v1.0"), match_rule(policy, "v3.0")
    assert core is not None
    assert plain is not None
    assert changelog_paths(policy, core) == ("core/CHANGELOG.md",)
    assert changelog_paths(policy, plain) == ("CHANGELOG.md",)
    assert version_sources(policy, core) == ("core/pyproject.toml", "core/VERSION")
    assert version_sources(policy, plain) == ()
    assert changelog_paths(parse(SMALL), core) == ("CHANGELOG.md",)


def test_a_waiver_counts_through_its_last_day_in_utc() -> None:
    policy = parse(RULES)
    last = datetime(2026, 11, 22, 23, 59, 59, tzinfo=UTC)
    found = waiver_for(policy, "v2.8.1", "changelog", last)
    assert found == Waiver("v2.8.1", "changelog", "hotfix", "bot", date(2026, 11, 22))
    assert expired_waivers(policy, "v2.8.1", last) == ()
    over = last + timedelta(seconds=1)
    assert waiver_for(policy, "v2.8.1", "changelog", over) is None
    assert expired_waivers(policy, "v2.8.1", over) == (found,)
    east = datetime(2026, 11, 23, 7, tzinfo=timezone(timedelta(hours=8)))  # still the 22nd in UTC
    assert waiver_for(policy, "v2.8.1", "changelog", east) == found


def test_the_last_day_is_not_that_of_the_clock_s_own_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = parse(RULES)
    for zone in ("Pacific/Kiritimati", "Pacific/Niue"):  # 14 hours ahead, 11 behind
        with monkeypatch.context() as patch:
            patch.setenv("TZ", zone)
            time.tzset()
            try:
                for hour, stands in ((0, True), (23, True), (24, False)):
                    at = datetime(2026, 11, 22, tzinfo=UTC) + timedelta(hours=hour)
                    assert (waiver_for(policy, "v2.8.1", "changelog", at) is not None) == stands
                    assert (expired_waivers(policy, "v2.8.1", at) == ()) == stands
            finally:
                patch.undo()
                time.tzset()


@pytest.mark.parametrize(("tag", "check"), [("v2.8.2", "changelog"), ("v2.8.1", "smoke"), ("V2.8.1", "changelog")])
def test_a_waiver_is_for_one_check_of_one_tag(tag: str, check: str) -> None:
    assert waiver_for(parse(RULES), tag, check, NOON) is None
    assert expired_waivers(parse(RULES), "v2.8.2", NOON + timedelta(days=9)) == ()


@pytest.mark.parametrize("check", ["annotated", "signature", "immutable"])
def test_what_is_never_waived_is_not_waived_by_a_hand_made_policy_either(check: str) -> None:
    policy = parse(SMALL)
    forced = (Waiver("v1", check, "why", "bot", date(2030, 1, 1)),)
    made = Policy(**{name: getattr(policy, name) for name in fields(Policy)} | {"waivers": forced})
    assert waiver_for(made, "v1", check, NOON) is None
