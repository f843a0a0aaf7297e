"""The record for this tree and image must stand in every respect; each row spoils a good one in one."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest

from ptguard.checks.smoke import ORDER, REASONS, check
from ptguard.model import (
    EXECUTABLE,
    DeclaredImage,
    Evidence,
    Finding,
    ImageFacts,
    ImagePolicy,
    ImageReference,
    KeyStatus,
    Limits,
    Location,
    Mode,
    OpenPgpKey,
    Policy,
    PolicySource,
    Problem,
    RefUpdate,
    RemoteState,
    RuleMatch,
    SignatureFacts,
    Signer,
    SmokeEntry,
    SmokeEvidence,
    SmokePolicy,
    SmokeRecord,
    SshKey,
    Status,
    Tagger,
    TagObject,
    TagRule,
)
from ptguard.parse.smoke import parse_record
from ptguard.value import replace
from tests.smoke.records import COMMAND, GONE, IMAGE_HEX, TREE, check_entry, record_bytes

PATH = ".ptguard/smoke/pytorch-pytorch-2.9.0-cuda12.8-cudnn9-devel.json"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TAGGED = datetime(2026, 11, 22, 11, 0, tzinfo=UTC)
FINISHED = datetime(2026, 11, 20, 10, 5, tzinfo=UTC)
DIGEST = "sha256:" + IMAGE_HEX
REPOSITORY, TAG = "docker.io/pytorch/pytorch", "2.9.0-cuda12.8-cudnn9-devel"
FACTS = ImageFacts(torch="2.9.0", cuda="12.8", cudnn="9", flavour="devel")
WHERE = Location("Dockerfile", 3)

GPU_KEY = SshKey("SHA256:gpu", "ssh-ed25519 AAAAgpu")
PGP_KEY = OpenPgpKey("A" * 40, "keys/gpu.asc", b"")
OTHER_KEY = SshKey("SHA256:li-wei", "ssh-ed25519 AAAAli")
SIGNED = SignatureFacts("ssh", "SHA256:gpu", "SHA512", None)

Changes = Sequence[tuple[str, object]]


def image(tag: str | None = TAG, digest: str | None = DIGEST, facts: ImageFacts = FACTS) -> DeclaredImage:
    return DeclaredImage(ImageReference(REPOSITORY, tag, digest), facts, WHERE)


def smoke_policy(**changes: Any) -> SmokePolicy:
    plain = SmokePolicy(".ptguard/smoke", "cuda", COMMAND, timedelta(days=30), ("gpu-runner",), "registry", ())
    return replace(plain, **changes)


def a_policy(smoke: SmokePolicy | None = None, *keys: SshKey | OpenPgpKey, **changes: Any) -> Policy:
    signers = {
        "gpu-runner": Signer("gpu-runner", "GPU", keys or (GPU_KEY, PGP_KEY)),
        "li-wei": Signer("li-wei", "Li Wei", (OTHER_KEY,)),
    }
    plain = Policy(
        source=PolicySource("test", None, "0" * 64),
        trust_branch=None,
        rules=(RULE,),
        unmatched="refuse",
        signers=signers,
        changelog_paths=("CHANGELOG.md",),
        version_sources=("pyproject.toml",),
        candidates="exact",
        image=ImagePolicy(("Dockerfile",), require_digest=True),
        smoke=smoke or smoke_policy(),
        limits=Limits(),
        audit_since=None,
        waivers=(),
    )
    return replace(plain, **changes)


RULE = TagRule("v*", ("annotated", "image", "smoke"), ("li-wei",), ("main",))


def record(*changes: tuple[str, object], path: str = PATH) -> SmokeRecord:
    found = parse_record(path, record_bytes(*changes))
    assert isinstance(found, SmokeRecord), found
    return found


def entry(*changes: tuple[str, object], signature: SignatureFacts | Problem = SIGNED, path: str = PATH) -> SmokeEntry:
    return SmokeEntry(path, record(*changes, path=path), signature)


def evidence(*entries: SmokeEntry, **changes: Any) -> Evidence:
    oid, commit = "d" * 40, "c" * 40
    tag = TagObject(oid, commit, "commit", "v2.9.0", Tagger("Li Wei", "li@example.com", TAGGED), "v2.9.0", b"", None)
    plain = Evidence(
        update=RefUpdate("refs/tags/v2.9.0", oid, "refs/tags/v2.9.0", None),
        mode=Mode.PUSH,
        now=NOW,
        match=RuleMatch(RULE, "2.9.0", None),
        remote=RemoteState("origin", {}, {}),
        tag=tag,
        commit=commit,
        images=(image(),),
        smoke=SmokeEvidence({(".ptguard",): TREE}, entries),
    )
    return replace(plain, **changes)


def reasons(findings: Sequence[Finding]) -> list[str]:
    assert findings
    for finding in findings:
        assert finding.check == "smoke"
        assert finding.reason in REASONS
        if finding.refuses:
            assert finding.fix, finding
            assert "\n" not in finding.message + (finding.got or "") + (finding.expected or "") + finding.fix
    return [f.reason for f in findings if f.status is not Status.WARN]


def judged(*changes: tuple[str, object], policy: Policy | None = None, **more: Any) -> list[str]:
    return reasons(check(evidence(entry(*changes), **more), policy or a_policy()))


# --------------------------------------------------------------------------------------------- the good one


def test_a_good_record_passes_and_names_who_vouches() -> None:
    (finding,) = check(evidence(entry()), a_policy())
    assert (finding.status, finding.reason) == (Status.PASS, "ok")
    assert (finding.signer, finding.fingerprint) == ("gpu-runner", "SHA256:gpu")
    assert finding.location == Location(PATH, None, "c" * 40)
    assert "on 1 cuda device, 2026-11-20 10:05 UTC, signed by gpu-runner; digest by launcher" in finding.message
    two = [{"index": n, "name": "H100", "uuid": None, "capability": None, "memoryBytes": None} for n in range(2)]
    (finding,) = check(evidence(entry(("devices", two))), a_policy())
    assert "on 2 cuda devices, " in finding.message
    assert "signed by gpu-runner" in finding.message


ENV = "environment/"
NO_TAG_URI: tuple[str, object] = ("subject/1/uri", REPOSITORY)
SKIPPED = check_entry("torch.nccl", "skipped", "needs-two-gpus")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ([("subject/0/digest/gitTree", "9" * 40)], "wrong-tree"),
        ([("subject/0/annotations/excluded", [".ptguard", "src"])], "wrong-tree"),
        ([("subject/0/annotations/excluded", [])], "wrong-tree"),
        ([("source/dirty", True)], "dirty"),
        ([("subject/1/uri", f"docker.io/evil/pytorch:{TAG}")], "wrong-image"),
        ([("subject/1/uri", f"{REPOSITORY}:2.9.0-cuda12.8-cudnn9-runtime")], "wrong-image"),
        ([NO_TAG_URI], "ok"),
        ([NO_TAG_URI, ("subject/1/digest/sha256", "7" * 64)], "wrong-image"),
        ([("subject/1/digest/sha256", "7" * 64)], "wrong-digest"),
        ([("launcher/digestSource", "registry")], "ok"),
        ([("launcher/digestSource", "operator")], "weak-digest-source"),
        ([(ENV + "torch", "2.8.0+cu128")], "version-mismatch"),
        ([(ENV + "torch", "2.9.0")], "ok"),
        ([(ENV + "torch", "2.9.0+cpu")], "ok"),
        ([(ENV + "torch", "2.9.0.post1")], "version-mismatch"),
        ([(ENV + "torch", "2.9.0rc1")], "version-mismatch"),
        ([(ENV + "torch", "nonsense")], "version-mismatch"),
        ([(ENV + "torch", None)], "version-mismatch"),
        ([(ENV + "torch", GONE)], "version-mismatch"),
        ([(ENV + "torch", 290)], "version-mismatch"),
        ([(ENV + "cuda", "12.8.1")], "ok"),
        ([(ENV + "cuda", "12.9")], "version-mismatch"),
        ([(ENV + "cuda", "12")], "version-mismatch"),
        ([(ENV + "cuda", "12.80")], "version-mismatch"),
        ([(ENV + "cuda", None)], "version-mismatch"),
        ([(ENV + "cudnn", 90000)], "ok"),
        ([(ENV + "cudnn", 8902)], "version-mismatch"),
        ([(ENV + "cudnn", 100100)], "version-mismatch"),
        ([(ENV + "cudnn", None)], "version-mismatch"),
        ([(ENV + "nvcc", None)], "version-mismatch"),
        ([("deviceKind", "rocm")], "wrong-device"),
        ([("devices", [])], "no-gpu"),
        ([("predicate/result", "FAILED")], "failed"),
        ([("predicate/result", "WARNED")], "failed"),
        ([("predicate/failedTests", ["torch.x"])], "failed"),
        ([("checks/1/status", "failed")], "failed"),
        ([("command/exit", 1)], "failed"),
        ([("checks/0", SKIPPED)], "ok"),
        ([("checks/0", check_entry("torch.nccl", "skipped", "no time"))], "skipped-check"),
        ([("checks/0", check_entry("torch.x", "skipped", "no-framework"))], "skipped-check"),
        ([("checks/0", check_entry("torch.x", "skipped", "not-on-cpu"))], "skipped-check"),
        ([("command", None)], "command-missing"),
        ([("command/argv", ["true"])], "command-missing"),
        ([("command/argv", [*COMMAND, "-x"])], "command-missing"),
    ],
)  # fmt: skip
def test_each_spoilt_record_beside_its_good_neighbour(changes: Changes, reason: str) -> None:
    assert judged(*changes) == [reason]


def test_no_second_gpu_is_no_excuse_where_there_are_two() -> None:
    two = record().devices * [{"index": 0, "name": "H100", "uuid": None, "capability": None, "memoryBytes": None}] * 2
    assert judged(("checks/0", SKIPPED), ("devices", two)) == ["skipped-check"]


def test_a_cpu_run_never_passes_for_a_gpu_run() -> None:
    """Version fields prove nothing: without a GPU torch reports CUDA 12.8 and cuDNN 91002 all the same."""
    assert judged(("deviceKind", "cpu")) == ["wrong-device", "no-gpu"]
    cpu = a_policy(smoke_policy(device="cpu"))
    assert judged(("deviceKind", "cpu"), policy=cpu) == ["ok"]
    assert judged(policy=cpu) == ["wrong-device"]
    assert judged(("deviceKind", "cpu"), ("devices", []), policy=cpu) == ["wrong-device"]
    skip = ("checks/0", check_entry("torch.amp", "skipped", "not-on-cpu"))
    assert judged(("deviceKind", "cpu"), skip, policy=cpu) == ["ok"]


def test_a_compiler_that_is_missing_excuses_what_needs_one_and_nothing_else() -> None:
    skip: tuple[str, object] = ("checks/0", check_entry("torch.compile.inductor", "skipped", "no-compiler"))
    none: tuple[str, object] = (ENV + "compiler", None)
    assert judged(skip, none) == ["ok"]
    assert judged(skip) == ["skipped-check"]
    assert judged(skip, (ENV + "compiler", GONE)) == ["skipped-check"]
    assert judged(("checks/0", check_entry("torch.compile.aot_eager", "skipped", "no-compiler")), none) == [
        "skipped-check"
    ]


def test_a_run_that_tried_nothing_is_refused() -> None:
    bare = a_policy(smoke_policy(command=None))
    assert judged(("command", None), ("checks", []), policy=bare) == ["skipped-check"]
    assert judged(("checks", []), policy=bare) == ["ok"]
    assert judged(("command", None), policy=bare) == ["ok"]
    only = [check_entry("torch.x", "skipped", "no-framework")]
    facts = image(facts=ImageFacts())
    changes: Changes = [("framework", None), ("checks", only)]
    assert judged(*changes, policy=bare, images=(facts,)) == ["ok"]
    assert judged(*changes, ("command", None), policy=bare, images=(facts,)) == ["skipped-check"]


@pytest.mark.parametrize(
    ("mode", "command", "reason"),
    [("full", None, "ok"), ("quick", None, "ok"), ("facts", None, "skipped-check"), ("facts", "true", "ok")],
)
def test_a_run_that_took_down_facts_only_proves_nothing_of_a_framework(
    mode: str, command: str | None, reason: str
) -> None:
    """Whatever checks it lists: in the mode `facts` the probe tries none."""
    ran = None if command is None else {"argv": [command], "exit": 0, "seconds": 1.0}
    changes: Changes = [("mode", mode), ("command", ran)]
    assert judged(*changes, policy=a_policy(smoke_policy(command=None))) == [reason]


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("full", "passed in docker.io/"),
        ("quick", "passed the quick checks in docker.io/"),
        ("facts", "passed its command, with no framework tried, in docker.io/"),
    ],
)
def test_a_pass_says_how_much_was_tried(mode: str, words: str) -> None:
    (found,) = check(evidence(entry(("mode", mode))), a_policy())
    assert (found.reason, found.message.startswith(words)) == ("ok", True), found.message


def test_a_failing_command_refuses_also_where_the_policy_asks_for_none() -> None:
    assert judged(("command/exit", 2), policy=a_policy(smoke_policy(command=None))) == ["failed"]


# --------------------------------------------------------------------------------------------- words


def test_each_failure_names_both_sides() -> None:
    (found,) = check(evidence(entry((ENV + "torch", "2.8.0+cu128"))), a_policy())
    assert found.message == "torch 2.8.0 at run time, 2.9.0 declared by Dockerfile:3"
    (found,) = check(evidence(entry((ENV + "cudnn", 8902))), a_policy())
    assert found.message == "cuDNN 8.9.2 at run time, 9 declared by Dockerfile:3"
    (found,) = check(evidence(entry((ENV + "cuda", None))), a_policy())
    assert found.message == "no CUDA at run time, 12.8 declared by Dockerfile:3"
    (found,) = check(evidence(entry(("subject/1/digest/sha256", "7" * 64))), a_policy())
    assert found.message == f"image digest sha256:{'7' * 64} at run time, {DIGEST} declared by Dockerfile:3"
    (found,) = check(evidence(entry(("subject/1/uri", "docker.io/x/y:1"))), a_policy())
    assert found.message.startswith(f"docker.io/x/y:1@{DIGEST} at run time, {REPOSITORY}:{TAG}@")
    (found,) = check(evidence(entry(("predicate/failedTests", ["torch.x"]))), a_policy())
    assert found.message == "the run failed: torch.x"
    twice = ("predicate/failedTests", ["torch.matmul.fp32", "command", "torch.y"])
    (found,) = check(evidence(entry(("checks/1/status", "failed"), twice, ("command/exit", 3))), a_policy())
    words = "torch.matmul.fp32, torch.y, python -m pytest -q tests/smoke (exit status 3)"
    assert found.message == f"the run failed: {words}"
    (found,) = check(evidence(entry(("predicate/result", "FAILED"))), a_policy())
    assert found.message == "the run failed: its result is FAILED"


@pytest.mark.parametrize("reason", ["unsigned", "bad-signature", "unknown-signer"])
def test_a_signature_s_failure_names_both_sides_too(reason: str) -> None:
    (found,) = check(evidence(entry(signature=Problem(reason, "words"))), a_policy())
    assert found.reason == reason and found.got and found.expected


def test_all_that_is_wrong_is_said_at_once() -> None:
    changes: Changes = [
        ("source/dirty", True),
        ("subject/1/digest/sha256", "7" * 64),
        ("launcher/digestSource", "operator"),
        (ENV + "torch", "2.8.0"),
        (ENV + "cuda", "11.8"),
        ("deviceKind", "cpu"),
        ("command/exit", 1),
    ]
    unsigned = Problem("unsigned", "the record has no signature", fix="x")
    old = evidence(entry(*changes, signature=unsigned), now=NOW + timedelta(days=90))
    tag = old.tag
    assert isinstance(tag, TagObject)
    old = replace(old, tag=replace(tag, tagger=replace(tag.tagger, when=NOW + timedelta(days=90))))
    assert reasons(check(old, a_policy())) == [
        "dirty", "wrong-digest", "weak-digest-source", "version-mismatch", "version-mismatch", "wrong-device",
        "no-gpu", "failed", "stale", "unsigned",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "words"), [("operator", "smoke --runner local --image "), ("registry", "smoke --image ")]
)
def test_the_mending_words_name_the_runner_that_counts(source: Literal["operator", "registry"], words: str) -> None:
    lax = a_policy()
    assert lax.smoke is not None
    (found,) = check(evidence(), replace(lax, smoke=replace(lax.smoke, image_from=source)))
    assert found.reason == "missing" and found.fix and words in found.fix


def test_the_mending_words_are_quoted() -> None:
    tag = "v1 $(rm -rf ~)"
    update = RefUpdate(f"refs/tags/{tag}", "d" * 40, f"refs/tags/{tag}", None)
    (found,) = check(evidence(update=update), a_policy())
    assert found.reason == "missing"
    assert found.fix
    assert f"ptguard smoke --image {REPOSITORY}:{TAG}@{DIGEST}" in found.fix
    assert found.fix.endswith(f"&& git push && git tag -s '{tag}' -m '{tag}'")
    (found,) = check(evidence(update=update, object_type="tag"), a_policy())
    assert found.fix
    assert found.fix.endswith(f"&& git push && git tag -d '{tag}' && git tag -s '{tag}' -m '{tag}'")


@pytest.mark.parametrize("mode", [Mode.PUBLISHED, Mode.AUDIT])
def test_no_mending_words_move_a_published_tag(mode: Mode) -> None:
    published = evidence(mode=mode, object_type="tag")
    (found,) = check(published, a_policy())
    assert found.fix == "release it as the next version: a published tag stays as it is"
    smoke = SmokeEvidence({}, (), ((".ptguard/x.py", "a file"),))
    assert "git tag" not in str(check(replace(published, smoke=smoke), a_policy())[0].fix)


def test_a_foreign_file_is_mended_by_the_words_alone() -> None:
    foreign = ((PATH, EXECUTABLE), (".ptguard/a b.py", "no record"))
    smoke = SmokeEvidence({(".ptguard",): TREE}, (entry(),), foreign)
    executable, other, _ = check(evidence(smoke=smoke, object_type="tag"), a_policy())
    anew = "git commit -m 'Clean up' && git push && git tag -d v2.9.0 && git tag -s v2.9.0 -m v2.9.0"
    assert executable.fix == f"chmod a-x {PATH} && git add --chmod=-x -- {PATH} && {anew}"
    assert other.fix == f"git rm -r --cached -- '.ptguard/a b.py' && {anew}"


# --------------------------------------------------------------------------------------------- facts by name


@pytest.mark.parametrize(
    ("facts", "seen", "good"),
    [
        (ImageFacts(release="25.09"), {"ngcRelease": "25.09"}, True),
        (ImageFacts(release="25.09"), {"ngcRelease": "25.10"}, False),
        (ImageFacts(release="25.09"), {"ngcRelease": None}, False),
        (ImageFacts(rocm="7.2"), {"rocm": "7.2.0-43", "hip": "7.1.1"}, True),
        (ImageFacts(rocm="7.2"), {"rocm": None, "hip": "7.2.53211"}, True),
        (ImageFacts(rocm="7.2"), {"hip": "7.1.53211"}, False),
        (ImageFacts(rocm="7.2"), {"hip": None}, False),
        (ImageFacts(python="3.10"), {"python": "3.10.12"}, True),
        (ImageFacts(python="3.10"), {"python": "3.11.1"}, False),
        (ImageFacts(python="3.1"), {"python": "3.10.12"}, False),
        (ImageFacts(tensorflow="2.17.0"), {"tensorflow": "2.17.0"}, True),
        (ImageFacts(tensorflow="2.17.0"), {"tensorflow": "2.17.1"}, False),
        (ImageFacts(jax="0.5.0"), {"jax": "0.5.0"}, True),
        (ImageFacts(jax="0.5.0"), {"jax": None}, False),
        (ImageFacts(os="ubuntu 22.04"), {"os": "ubuntu 22.04"}, True),
        (ImageFacts(os="ubuntu 22.04"), {"os": "ubuntu 24.04"}, False),
        (ImageFacts(commit="0fabc3b"), {}, True),
        (ImageFacts(commit="0fabc3c"), {}, False),
        (ImageFacts(commit="0"), {}, False),
        (ImageFacts(torch="2.10.0a0"), {"torch": "2.10.0a0+b4e4ee81d3"}, True),
        (ImageFacts(torch="2.9.0.dev20250720"), {"torch": "2.9.0.dev20250720+cu126"}, True),
        (ImageFacts(torch="2.9.0.dev20250720"), {"torch": "2.9.0.dev20250721+cu126"}, False),
        (ImageFacts(torch="2.9.0-rc1"), {"torch": "2.9.0rc1"}, True),
        (ImageFacts(cuda="11.8.0"), {"cuda": "11.8"}, True),
        (ImageFacts(cuda="12"), {"cuda": "12.8"}, True),
        (ImageFacts(cudnn="7"), {"cudnn": 7605}, True),
        (ImageFacts(cudnn="8"), {"cudnn": 8902}, True),
        (ImageFacts(cudnn="9.10"), {"cudnn": 91002}, True),
        (ImageFacts(cudnn="9.10"), {"cudnn": 91100}, True),
        (ImageFacts(flavour="runtime"), {"nvcc": None}, True),
        (ImageFacts(), {"torch": None, "cuda": None, "cudnn": None, "nvcc": None}, True),
    ],
)  # fmt: skip
def test_what_the_name_declares_is_what_the_run_saw(facts: ImageFacts, seen: Mapping[str, object], good: bool) -> None:
    changes = [(ENV + key, value) for key, value in seen.items()]
    assert judged(*changes, images=(image(facts=facts),)) == ["ok" if good else "version-mismatch"]


# --------------------------------------------------------------------------------------------- the image


@pytest.mark.parametrize(
    ("declared", "changes", "reason"),
    [
        (image(digest=None), [], "ok"),
        (image(digest=None), [("subject/1/digest/sha256", "7" * 64)], "ok"),
        (image(digest=None), [NO_TAG_URI], "wrong-image"),
        (image(tag=None), [], "ok"),
        (image(tag=None), [NO_TAG_URI], "ok"),
        (image(tag=None), [("subject/1/digest/sha256", "7" * 64)], "wrong-image"),
        (image(tag=None), [NO_TAG_URI, ("subject/1/digest/sha256", "7" * 64)], "wrong-digest"),
    ],
)  # fmt: skip
def test_image_with_and_without_tag_and_digest(declared: DeclaredImage, changes: Changes, reason: str) -> None:
    assert judged(*changes, images=(declared,)) == [reason]


def bare() -> SmokeEntry:
    good = record(("launcher/runner", "local"))
    return SmokeEntry(PATH, replace(good, image=None, digest_source=None), SIGNED)


def test_a_run_in_no_image_counts_only_where_the_policy_names_none() -> None:
    assert reasons(check(evidence(bare()), a_policy())) == ["wrong-image"]
    rule = replace(RULE, checks=("annotated", "smoke"))
    without = evidence(bare(), images=None, match=RuleMatch(rule, "2.9.0", None))
    findings = check(without, a_policy(image=None))
    assert reasons(findings) == ["ok"]
    assert "none was compared" in findings[0].message
    assert "bare machine" in findings[0].message


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"images": None}, Status.ERROR),
        ({"images": ()}, Status.FAIL),
        ({"images": (Problem("missing", "Dockerfile is not there", fix="x"),)}, Status.FAIL),
        ({"images": Problem("no-source", "x", fix="x", status=Status.ERROR)}, Status.ERROR),
        ({"images": Problem("no-source", "x", fix="x", status=Status.SKIP)}, Status.FAIL),
        ({"smoke": None}, Status.ERROR),
        ({"smoke": Problem("could-not-decide", "git is gone", fix="x", status=Status.ERROR)}, Status.ERROR),
        ({"smoke": Problem("odd", "a stranger's reason", fix="x")}, Status.FAIL),
        ({"smoke": Problem("ok", "a skip", fix="x", status=Status.SKIP)}, Status.ERROR),
    ],
)
def test_what_was_not_collected_is_never_a_pass(changes: dict[str, Any], status: Status) -> None:
    findings = check(evidence(entry(), **changes), a_policy())
    assert reasons(findings) == ["could-not-decide"]
    assert findings[0].status is status


def test_no_smoke_section_is_never_a_pass() -> None:
    assert reasons(check(evidence(entry()), replace(a_policy(), smoke=None))) == ["could-not-decide"]


def test_only_the_first_image_counts() -> None:
    second = Problem("missing", "another file is not there")
    assert judged(images=(image(), second)) == ["ok"]


def test_a_deletion_is_not_judged() -> None:
    gone = RefUpdate("(delete)", None, "refs/tags/v2.9.0", "d" * 40)
    (found,) = check(evidence(update=gone, smoke=None), a_policy())
    assert (found.status, found.reason) == (Status.SKIP, "not-applicable")


def test_a_tag_of_a_tree_or_a_blob_is_annotated_s_to_refuse() -> None:
    (found,) = check(evidence(commit=None, smoke=None), a_policy())
    assert (found.status, found.reason) == (Status.SKIP, "not-applicable")


# --------------------------------------------------------------------------------------------- several records


OTHER = ("subject/1/uri", "docker.io/pytorch/pytorch:2.9.0-cuda12.6-cudnn9-devel")
OLD_TREE = ("subject/0/digest/gitTree", "8" * 40)
BROKEN = SmokeEntry(
    ".ptguard/smoke/b.json", Problem("malformed", "it is broken", fix="x"), Problem("malformed", "not looked at")
)


def test_the_record_for_this_image_and_tree_is_picked() -> None:
    others = [entry(OTHER, path="a.json"), entry(OLD_TREE, path="b.json"), entry(OTHER, OLD_TREE, path="c.json")]
    (found,) = check(evidence(*others, entry()), a_policy())
    assert found.reason == "ok"
    assert found.location
    assert found.location.path == PATH
    (found,) = check(evidence(*others), a_policy())
    assert found.reason == "wrong-image"
    assert found.location
    assert found.location.path == "a.json"
    (found,) = check(evidence(*others[1:]), a_policy())
    assert (found.reason, found.location and found.location.path) == ("wrong-tree", "b.json")
    assert "git diff --stat " + "2" * 40 + " " + "c" * 40 in str(found.fix)


def test_no_two_records_make_one_good_one() -> None:
    failed = entry(("predicate/result", "FAILED"), path="a.json")
    unsigned = entry(signature=Problem("unsigned", "x", fix="x"), path="b.json")
    assert reasons(check(evidence(failed, unsigned), a_policy())) in (["failed"], ["unsigned"])


LATER: tuple[str, object] = ("finishedOn", "2026-11-20T11:00:00Z")
EARLIER: Changes = [("startedOn", "2026-11-20T09:00:00Z"), ("finishedOn", "2026-11-20T09:05:00Z")]
FAILED: tuple[str, object] = ("checks/1/status", "failed")


@pytest.mark.parametrize(
    ("changes", "signature", "expected"),
    [
        ([FAILED, LATER], SIGNED, ["failed"]),
        ([("command/exit", 1), LATER], SIGNED, ["failed"]),
        ([FAILED], SIGNED, ["failed"]),
        ([FAILED, LATER, ("command", None)], SIGNED, ["failed"]),
        ([FAILED, LATER], Problem("could-not-decide", "no gpg", status=Status.ERROR), ["failed", "could-not-decide"]),
        (
            [FAILED, LATER, ("command", None), ("checks/0", check_entry("x", "skipped", "no time"))],
            Problem("could-not-decide", "no gpg", status=Status.ERROR),
            ["failed", "could-not-decide"],
        ),
        ([FAILED, *EARLIER], SIGNED, ["ok"]),
        ([FAILED, LATER], Problem("unsigned", "x"), ["ok"]),
        ([FAILED, LATER], Problem("bad-signature", "x"), ["ok"]),
        ([FAILED, LATER], replace(SIGNED, fingerprint="SHA256:li-wei"), ["ok"]),
        ([FAILED, LATER, ("deviceKind", "rocm")], SIGNED, ["ok"]),
        ([FAILED, LATER, ("source/dirty", True)], SIGNED, ["ok"]),
        ([FAILED, LATER, ("launcher/digestSource", "operator")], SIGNED, ["ok"]),
        ([FAILED, LATER, ("subject/1/digest/sha256", "7" * 64)], SIGNED, ["ok"]),
        ([FAILED, LATER, OTHER], SIGNED, ["ok"]),
        ([FAILED, LATER, OLD_TREE], SIGNED, ["ok"]),
        ([LATER, ("command", None)], SIGNED, ["ok"]),
    ],
)
def test_a_run_that_failed_after_one_had_passed(
    changes: Changes, signature: SignatureFacts | Problem, expected: list[str]
) -> None:
    """The last word of the runner counts; whoever may not vouch, or tried something else, has no say."""
    other = entry(*changes, signature=signature, path="z.json")
    findings = check(evidence(entry(), other), a_policy())
    assert reasons(findings) == expected
    if expected[0] == "failed":
        assert findings[0].location == Location("z.json", None, "c" * 40)
        assert f"after the one that passed, {PATH}" in findings[0].message
        again = entry(("finishedOn", "2026-11-20T12:00:00Z"))
        assert reasons(check(evidence(again, other), a_policy())) == ["ok"]


def test_no_record_at_all_is_missing_and_a_broken_one_is_malformed() -> None:
    assert reasons(check(evidence(), a_policy())) == ["missing"]
    assert reasons(check(evidence(BROKEN), a_policy())) == ["malformed"]
    findings = check(evidence(BROKEN, entry()), a_policy())
    assert reasons(findings) == ["ok"]
    assert [f.reason for f in findings if f.status is Status.WARN] == ["malformed"]
    assert reasons(check(evidence(BROKEN, entry(OLD_TREE)), a_policy())) == ["wrong-tree", "malformed"]


def test_foreign_files_refuse_whatever_the_record_says() -> None:
    smoke = SmokeEvidence({(".ptguard",): TREE}, (entry(),), ((".ptguard/conftest.py", "a Python file"),))
    findings = check(evidence(smoke=smoke), a_policy())
    assert reasons(findings) == ["foreign-file", "ok"]
    assert ".ptguard/conftest.py" in findings[0].message
    many = SmokeEvidence({}, (), tuple((f".ptguard/{i}.py", "x") for i in range(5000)))
    assert reasons(check(evidence(smoke=many), a_policy())) == ["foreign-file"] * 21 + ["missing"]
    twenty = SmokeEvidence({}, (), many.foreign[:20])
    assert reasons(check(evidence(smoke=twenty), a_policy())) == ["foreign-file"] * 20 + ["missing"]


def test_paths_that_the_policy_ignores_may_be_left_out() -> None:
    left_out = [".ptguard", "CHANGELOG.md"]
    changed = entry(("subject/0/annotations/excluded", left_out), ("subject/0/digest/gitTree", "5" * 40))
    smoke = SmokeEvidence({(".ptguard",): TREE, tuple(left_out): "5" * 40}, (changed,))
    allowed = a_policy(smoke_policy(ignore=("CHANGELOG.md", "NEWS")))
    assert reasons(check(evidence(smoke=smoke), allowed)) == ["ok"]
    assert reasons(check(evidence(smoke=smoke), a_policy())) == ["wrong-tree"]
    assert judged(policy=allowed) == ["ok"]


@pytest.mark.parametrize("words", ["a symbolic link", "a folder", EXECUTABLE])
def test_a_path_that_the_record_leaves_out_must_be_a_plain_file(words: str) -> None:
    left_out = [".ptguard", "CHANGELOG.md"]
    changed = entry(("subject/0/annotations/excluded", left_out), ("subject/0/digest/gitTree", "5" * 40))
    trees = {(".ptguard",): TREE, tuple(left_out): "5" * 40}
    allowed = a_policy(smoke_policy(ignore=("CHANGELOG.md",)))
    loose = {"CHANGELOG.md": words}
    (found,) = check(evidence(smoke=SmokeEvidence(trees, (changed,), (), loose)), allowed)
    assert (found.reason, found.got) == ("foreign-file", words)
    assert "left out of the record by [smoke] ignore" in found.message
    chmod = "chmod a-x CHANGELOG.md && git add --chmod=-x -- CHANGELOG.md"
    assert found.fix and (chmod in found.fix if words == EXECUTABLE else "take CHANGELOG.md off" in found.fix)
    assert reasons(check(evidence(smoke=SmokeEvidence(trees, (entry(),), (), loose)), allowed)) == ["ok"]


# --------------------------------------------------------------------------------------------- time


def aged(tagged: datetime, now: datetime, mode: Mode = Mode.PUSH) -> list[str]:
    plain = evidence(entry(), now=now, mode=mode)
    assert isinstance(plain.tag, TagObject)
    tag = replace(plain.tag, tagger=replace(plain.tag.tagger, when=tagged))
    return reasons(check(replace(plain, tag=tag), a_policy()))


def test_the_run_is_held_against_the_time_of_the_tag() -> None:
    limit = FINISHED + timedelta(days=30)
    assert aged(limit, limit) == ["ok"]
    assert aged(limit + timedelta(seconds=1), limit + timedelta(seconds=1)) == ["stale"]
    assert aged(limit, limit + timedelta(days=400), Mode.AUDIT) == ["ok"]
    assert aged(FINISHED - timedelta(minutes=10), NOW) == ["ok"]
    assert aged(FINISHED - timedelta(minutes=11), NOW) == ["future"]
    assert aged(NOW, FINISHED - timedelta(minutes=10)) == ["ok"]
    assert aged(NOW, FINISHED - timedelta(minutes=11)) == ["future"]


def test_without_a_tagger_the_clock_counts() -> None:
    assert judged(tag=None) == ["ok"]
    assert judged(tag=None, now=FINISHED + timedelta(days=31)) == ["stale"]


def test_every_later_failure_is_seen_whatever_stands_before_it() -> None:
    """An earlier or unsigned failure among the records hides no later one, in whichever order they are ranked."""
    harmless = entry(FAILED, LATER, signature=Problem("unsigned", "x"), path="a.json")
    earlier = entry(FAILED, *EARLIER, path="b.json")
    later = entry(FAILED, LATER, path="y.json")
    passed = entry(path="c.json")
    for others in ((harmless, earlier, passed, later), (later, passed, earlier, harmless), (passed, later)):
        findings = check(evidence(entry(), *others), a_policy())
        assert [f.location and f.location.path for f in findings if f.reason == "failed"] == ["y.json"]


# --------------------------------------------------------------------------------------------- who vouches


def signed(facts: SignatureFacts | Problem, *keys: SshKey | OpenPgpKey, mode: Mode = Mode.PUSH) -> list[str]:
    return reasons(check(evidence(entry(signature=facts), mode=mode), a_policy(None, *keys)))


def test_the_key_must_be_one_that_may_vouch() -> None:
    assert signed(SIGNED) == ["ok"]
    assert signed(replace(SIGNED, fingerprint="SHA256:stranger")) == ["unknown-signer"]
    assert signed(replace(SIGNED, fingerprint="SHA256:li-wei")) == ["unknown-signer"]
    assert signed(replace(SIGNED, kind="openpgp")) == ["unknown-signer"]
    known = check(evidence(entry(signature=replace(SIGNED, fingerprint="SHA256:li-wei"))), a_policy())
    assert "signed by li-wei, who may not vouch" in known[0].message
    made = FINISHED + timedelta(minutes=1)
    assert signed(SignatureFacts("openpgp", "A" * 40, "SHA512", made)) == ["ok"]
    assert signed(SignatureFacts("openpgp", "B" * 40, "SHA512", made)) == ["unknown-signer"]
    both = a_policy(smoke_policy(signers=("gpu-runner", "li-wei")))
    shared = replace(SIGNED, fingerprint="SHA256:li-wei")
    assert reasons(check(evidence(entry(signature=shared)), both)) == ["ok"]
    nobody = a_policy(smoke_policy(signers=()))
    assert reasons(check(evidence(entry()), nobody)) == ["unknown-signer"]
    gone = a_policy(smoke_policy(signers=("nobody",)))
    assert reasons(check(evidence(entry()), gone)) == ["unknown-signer"]


def test_weak_and_future_signatures() -> None:
    made = FINISHED + timedelta(minutes=1)
    for digest in ("SHA1", "MD5", "", "sha512"):
        assert signed(SignatureFacts("openpgp", "A" * 40, digest, made)) == ["bad-signature"]
    # SHA1 counts for tags in history only, and for no record ever.
    sha1 = a_policy(limits=Limits(digests=("SHA1", "SHA256", "SHA512")))
    weak = entry(signature=SignatureFacts("openpgp", "A" * 40, "SHA1", made))
    for mode in Mode:
        assert reasons(check(evidence(weak, mode=mode), sha1)) == ["bad-signature"]
    assert signed(SignatureFacts("openpgp", "A" * 40, "SHA512", NOW + timedelta(minutes=10))) == ["ok"]
    assert signed(SignatureFacts("openpgp", "A" * 40, "SHA512", NOW + timedelta(minutes=11))) == ["future"]


@pytest.mark.parametrize("mode", list(Mode))
def test_a_compromised_key_loses_everything(mode: Mode) -> None:
    assert signed(SIGNED, replace(GPU_KEY, status=KeyStatus.COMPROMISED), mode=mode) == ["unknown-signer"]


DAY = timedelta(days=1)


@pytest.mark.parametrize("status", [KeyStatus.ACTIVE, KeyStatus.RETIRED])
@pytest.mark.parametrize(
    ("valid_from", "valid_until", "good"),
    [
        (FINISHED - DAY, FINISHED + DAY, True),
        (FINISHED, FINISHED + timedelta(seconds=1), True),
        (None, FINISHED + DAY, True),
        (None, FINISHED, False),
        (FINISHED + timedelta(seconds=1), FINISHED + DAY, False),
        (FINISHED - 2 * DAY, FINISHED - DAY, False),
    ],
)
def test_a_key_counts_inside_its_window(
    status: KeyStatus, valid_from: datetime | None, valid_until: datetime | None, good: bool
) -> None:
    key = replace(GPU_KEY, status=status, valid_from=valid_from, valid_until=valid_until)
    assert signed(SIGNED, key) == ["ok" if good else "unknown-signer"]


def test_a_retired_key_without_an_end_counts_in_history_only() -> None:
    retired = replace(GPU_KEY, status=KeyStatus.RETIRED)
    assert signed(SIGNED, retired) == ["unknown-signer"]
    assert signed(SIGNED, retired, mode=Mode.VERIFY) == ["unknown-signer"]
    assert signed(SIGNED, retired, mode=Mode.PUBLISHED) == ["ok"]
    assert signed(SIGNED, retired, mode=Mode.AUDIT) == ["ok"]


def test_the_signature_s_own_time_counts_too() -> None:
    """A run dated inside the window, signed after it: the OpenPGP time tells."""
    key = replace(PGP_KEY, valid_until=FINISHED + DAY)
    facts = SignatureFacts("openpgp", "A" * 40, "SHA512", FINISHED + timedelta(hours=1))
    assert signed(facts, key) == ["ok"]
    assert signed(replace(facts, made_at=FINISHED + DAY), key) == ["unknown-signer"]
    assert signed(replace(facts, expired_at=FINISHED + DAY), PGP_KEY) == ["ok"]
    assert signed(replace(facts, expired_at=FINISHED + timedelta(hours=1)), PGP_KEY) == ["unknown-signer"]


@pytest.mark.parametrize(
    ("reason", "status", "shown"),
    [
        ("unsigned", Status.FAIL, "unsigned"),
        ("bad-signature", Status.FAIL, "bad-signature"),
        ("unknown-signer", Status.FAIL, "unknown-signer"),
        ("wrong-namespace", Status.FAIL, "bad-signature"),
        ("malformed", Status.FAIL, "bad-signature"),
        ("several-signatures", Status.WARN, "bad-signature"),
        ("ok", Status.SKIP, "bad-signature"),
        ("could-not-decide", Status.ERROR, "could-not-decide"),
        ("key-unavailable", Status.ERROR, "could-not-decide"),
        ("wrong-tree", Status.FAIL, "could-not-decide"),
    ],
)
def test_what_the_verifier_found_is_said_in_the_words_of_this_check(reason: str, status: Status, shown: str) -> None:
    assert signed(Problem(reason, "words", fix="x", status=status)) == [shown]


@pytest.mark.parametrize("reason", ["unsigned", "bad-signature"])
def test_a_record_whose_signature_is_missing_or_bad_is_mended_by_a_new_run(reason: str) -> None:
    (found,) = check(evidence(entry(signature=Problem(reason, "x"))), a_policy())
    assert (found.reason, found.expected) == (reason, "a signature of these very bytes by a key of [smoke] signers")
    assert str(found.fix).startswith("ptguard smoke --image ")


def test_a_signature_that_was_not_looked_at_is_no_second_finding() -> None:
    not_looked_at = Problem("wrong-tree", "not looked at", fix="x")
    assert reasons(check(evidence(entry(OLD_TREE, signature=not_looked_at)), a_policy())) == ["wrong-tree"]


# --------------------------------------------------------------------------------------------- the page


def test_the_page_lists_every_reason_and_a_real_refusal() -> None:
    page = (Path(__file__).parents[2] / "docs/checks/smoke.md").read_text()
    assert re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE) == list(REASONS)
    (found,) = check(evidence(entry((ENV + "torch", "2.8.0+cu128"))), a_policy())
    assert f"✗ smoke      {found.reason}: {found.message}" in page
    assert ORDER == 80
