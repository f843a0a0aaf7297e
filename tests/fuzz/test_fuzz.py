"""A short run of every target, the same each time; ``python -m tests.fuzz`` goes on for as long as one likes."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from ptguard.gateways import ssh
from ptguard.model import Changelog, DeclaredImage, Problem, SignatureBlock, SignatureFacts, SmokeRecord, TagObject
from ptguard.parse import openpgp
from ptguard.parse.changelog import parse_changelog
from ptguard.parse.declared import declared_image
from ptguard.parse.gpgstatus import judge_status, status_lines
from ptguard.parse.smoke import parse_record
from ptguard.parse.ssh import SshSignature, parse_public_key, parse_signature
from ptguard.parse.tag import parse_tag
from tests.fuzz import others, targets
from tests.fuzz.__main__ import main
from tests.fuzz.mutate import seed
from tests.fuzz.samples import DATA, IMAGES, KEYS_PUB, MARKDOWN, POLICY, RST, TAGS
from tests.fuzz.targets import QUICK, SLOW, TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_no_crash_and_no_acceptance_that_a_slower_way_refuses(name: str) -> None:
    target = TARGETS[name]

    @settings(
        max_examples=60 if name in QUICK else 20,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(target.examples)
    def hold(data: bytes) -> None:
        target.check(data)

    hold()


# --------------------------------------------------------------------------------------------- can they fail at all


def test_what_the_mutants_are_made_of_is_accepted() -> None:
    """Else nothing near it would be, and no target would hold anything."""
    for raw in TAGS[:3]:
        tag = parse_tag("0" * 40, raw)
        assert isinstance(tag, TagObject) and isinstance(tag.signature, SignatureBlock)
    for name in ("signature-openpgp.asc", "signature-rsa.asc"):
        assert isinstance(openpgp.signature_packet(seed(name)), bytes)
    assert isinstance(judge_status(status_lines(seed("gpg-status"))), SignatureFacts)
    assert isinstance(parse_signature(seed("signature.sshsig")), SshSignature)
    assert all(isinstance(parse_public_key(line.decode()), tuple) for line in KEYS_PUB)
    assert isinstance(parse_record("a.json", (DATA / "record-cpu.json").read_bytes()), SmokeRecord)
    for path, text in (("C.md", MARKDOWN), ("C.rst", RST)):
        found = parse_changelog(path, text)
        assert isinstance(found, Changelog) and len(found.sections) == 2
    sources = ["Dockerfile", "Dockerfile", "pyproject.toml", ".github/workflows/a.yml", ".gitlab-ci.yml"]
    sources += ["compose.yml:trainer", "devcontainer.json", "k8s/a.yaml", "task.yaml"]
    images = [declared_image(source, data, None, None) for source, data in zip(sources, IMAGES, strict=True)]
    assert [isinstance(image, DeclaredImage) for image in images] == [True] * len(images), images
    targets.policy(POLICY)
    with pytest.raises(AssertionError):  # a policy that is read has rules
        _swapped(targets, "parse_policy", lambda *_, **__: _Nothing, lambda: targets.policy(POLICY))


class _Nothing:
    rules = ()


def _swapped(module: Any, name: str, stand_in: object, call: Callable[[], None]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, name, stand_in)
        call()


@pytest.mark.parametrize("kind", ["openpgp", "rsa", "ssh"])
def test_a_verifier_that_takes_anything_is_found_out(kind: str) -> None:
    raw = seed(f"tag-{kind}")
    others.verified(raw)
    facts = SignatureFacts("ssh", "SHA256:x", "SHA512", None)

    class Believes:
        def verify(self, *_: object) -> SignatureFacts:
            return facts

        def verify_all(self, signed: list[object]) -> list[SignatureFacts | Problem]:
            return [facts for _ in signed]

    changed = raw.replace(b"the first", b"the worst")
    for module, name, stand_in in (
        (others, "verifier", Believes),
        (ssh, "verify", lambda *_, **__: facts),
    ):
        others.verified(changed)
        if (kind == "ssh") == (name == "verify"):
            with pytest.raises(AssertionError):
                _swapped(module, name, stand_in, lambda: others.verified(changed))


@pytest.mark.parametrize(
    ("name", "module", "function", "data", "stand_in"),
    [
        ("tag-by-git", others, "parse_tag", TAGS[3].replace(b"tagger ", b"x y\ntagger "), parse_tag("0" * 40, TAGS[3])),
        ("armor-by-gpg", openpgp, "signature_packet", seed("key.asc"), b"\x88\0"),
        ("keys-by-gpg", openpgp, "primary_fingerprints", seed("key.asc"), frozenset({"A" * 40})),
        ("ssh-key-by-keygen", others, "parse_public_key", KEYS_PUB[0], ("ssh-ed25519 AAAA", "SHA256:x")),
        ("armor", openpgp, "signature_packet", seed("key.asc"), b"\x98\x01\0"),
        ("tree", targets, "entries", b"rubbish", ()),
        ("text", targets, "shown", b"x", "\x1b"),
        ("ssh-key", targets, "parse_public_key", b"x", ("* ssh-ed25519 AAAA", "SHA256:x")),
    ],
)
def test_a_reader_that_takes_too_much_is_found_out(
    name: str, module: Any, function: str, data: bytes, stand_in: object
) -> None:
    assert name in {**QUICK, **SLOW}
    TARGETS[name].check(data)
    with pytest.raises(AssertionError):
        _swapped(module, function, lambda *_: stand_in, lambda: TARGETS[name].check(data))


def test_the_longer_run_tells_what_it_tried_and_what_failed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nothing"], 1) == 2
    assert main(["pattern", "tree"], 0.3) == 0
    assert "in 0 s" in capsys.readouterr().out
    _swapped(targets, "entries", lambda *_: (), lambda: _fails(main(["tree"], 60)))
    said = capsys.readouterr().out
    assert "tree (seed " in said and "   FAILED" in said and "hold(" in said


def _fails(code: int) -> None:
    assert code == 1
