"""Records are read in one way or not at all."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict, Parse, ParseDict  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st
from in_toto_attestation.predicates.test_result.v0 import test_result_pb2
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1.statement_pb2 import Statement as StatementMessage

from ptguard.model import ImageReference, Problem, SmokeCheck, SmokeRecord
from ptguard.parse.smoke import MAX_RECORD_BYTES, canonical, pae, parse_record, slug
from tests.smoke.records import COMMAND, COMMIT, GONE, IMAGE_HEX, TREE, record_bytes, spoilt, statement

PATH = ".ptguard/smoke/x.json"


def parsed(*changes: tuple[str, object]) -> SmokeRecord:
    found = parse_record(PATH, record_bytes(*changes))
    assert isinstance(found, SmokeRecord), found
    return found


def problem(data: bytes) -> Problem:
    found = parse_record(PATH, data)
    assert isinstance(found, Problem), found
    assert found.reason == "malformed"
    assert found.fix
    assert found.location
    assert found.location.path == PATH
    return found


def test_a_good_record_is_read_whole() -> None:
    record = parsed()
    assert record.path == PATH
    assert (record.tree, record.object_format, record.excluded) == (TREE, "sha1", (".ptguard",))
    assert record.image == ImageReference(
        "docker.io/pytorch/pytorch", "2.9.0-cuda12.8-cudnn9-devel", f"sha256:{IMAGE_HEX}"
    )
    assert (record.digest_source, record.runner) == ("launcher", "docker")
    assert (record.result, record.mode, record.device, record.devices) == ("PASSED", "full", "cuda", 1)
    assert (record.framework, record.commit, record.dirty) == ("torch", COMMIT, False)
    assert record.environment["cudnn"] == 91002
    assert record.started == datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
    assert record.finished == datetime(2026, 11, 20, 10, 5, tzinfo=UTC)
    assert record.command == (COMMAND, 0)
    assert record.checks == (
        SmokeCheck("torch.import", "passed", None),
        SmokeCheck("torch.matmul.fp32", "passed", None),
    )
    assert record.payload == record_bytes()
    assert record.failed == ()


def test_the_record_is_a_valid_in_toto_statement() -> None:
    message = Parse(record_bytes(), StatementMessage())
    Statement.copy_from_pb(message).validate()
    result = ParseDict(MessageToDict(message.predicate), test_result_pb2.TestResult())
    assert list(result.passed_tests) == ["torch.import", "torch.matmul.fp32", "command"]
    assert result.configuration[0].annotations["schema"] == "ptguard.smoke/1"
    assert result.configuration[0].name == "ptguard-probe"


@pytest.mark.parametrize(
    ("changes", "attribute", "value"),
    [
        ([("subject/1/uri", "docker.io/library/python")], "image",
         ImageReference("docker.io/library/python", None, f"sha256:{IMAGE_HEX}")),
        ([("subject/1/uri", "localhost:5000/team/img:1")], "image",
         ImageReference("localhost:5000/team/img", "1", f"sha256:{IMAGE_HEX}")),
        ([("subject/1/uri", "localhost:5000/team/img")], "image",
         ImageReference("localhost:5000/team/img", None, f"sha256:{IMAGE_HEX}")),
        ([("command", None)], "command", None),
        ([("command/exit", 255)], "command", (COMMAND, 255)),
        ([("devices", [])], "devices", 0),
        ([("framework", None)], "framework", None),
        ([("mode", "quick")], "mode", "quick"),
        ([("mode", "facts")], "mode", "facts"),
        ([("predicate/result", "FAILED"), ("predicate/failedTests", ["a"])], "failed", ("a",)),
        ([("source/dirty", True)], "dirty", True),
        ([("subject/0/digest/gitTree", "a" * 64), ("subject/0/annotations/objectFormat", "sha256")], "tree", "a" * 64),
        ([("subject/0/annotations/excluded", [".ptguard", "docs/ü.md"])], "excluded", (".ptguard", "docs/ü.md")),
        ([("environment/new-fact", None)], "dirty", False),
        ([("checks", [])], "checks", ()),
    ],
)  # fmt: skip
def test_also_accepted(changes: list[tuple[str, object]], attribute: str, value: object) -> None:
    assert getattr(parsed(*changes), attribute) == value


def test_a_run_on_the_bare_machine_has_no_image() -> None:
    value = spoilt(("launcher/digestSource", None), ("launcher/runner", "local"))
    del value["subject"][1]
    found = parse_record(PATH, canonical(value))
    assert isinstance(found, SmokeRecord)
    assert found.image is None
    assert found.digest_source is None


@pytest.mark.parametrize(
    "change",
    [
        ("_type", "https://in-toto.io/Statement/v0.1"),
        ("predicateType", "https://slsa.dev/provenance/v1"),
        ("predicateType", GONE),
        ("subject", []),
        ("subject", {}),
        ("subject/0/name", "tree"),
        ("subject/0/digest/gitTree", "1" * 39),
        ("subject/0/digest/gitTree", "A" * 40),
        ("subject/0/digest/gitTree", "1" * 64),
        ("subject/0/digest/sha1", "1" * 40),
        ("subject/0/annotations/objectFormat", "md5"),
        ("subject/0/annotations/excluded", ".ptguard"),
        ("subject/0/annotations/excluded", [".ptguard", ".ptguard"]),
        ("subject/0/annotations/excluded", ["../x"]),
        ("subject/0/annotations/excluded", ["/x"]),
        ("subject/1/name", "other"),
        ("subject/1/uri", "pytorch/pytorch:bad tag"),
        ("subject/1/uri", "docker.io/X/y:1"),
        ("subject/1/uri", "pytorch"),
        ("subject/1/uri", "docker.io/x/y:1@sha256:" + "3" * 64),
        ("subject/1/digest/sha256", "3" * 63),
        ("subject/1/digest/sha256", GONE),
        ("predicate/result", "passed"),
        ("predicate/result", None),
        ("predicate/extra", 1),
        ("predicate/passedTests", "x"),
        ("predicate/failedTests", [1]),
        ("predicate/configuration", []),
        ("predicate/configuration/0/name", "other-probe"),
        ("predicate/configuration/0/digest/sha256", "4" * 63),
        ("predicate/configuration/0/digest", {}),
        ("schema", "ptguard.smoke/2"),
        ("startedOn", "2026-11-20T11:00:00Z"),
        ("finishedOn", "2026-11-20T10:05:00+00:00"),
        ("finishedOn", "2026-11-20 10:05:00Z"),
        ("finishedOn", "2026-11-31T10:05:00Z"),
        ("finishedOn", "2026-12-1T10:05:00Z"),
        ("finishedOn", "\uff12\uff10\uff12\uff16-11-20T10:05:00Z"),
        ("finishedOn", 1),
        ("finishedOn", GONE),
        ("mode", "half"),
        ("predicate/warnedTests", ["torch.import"]),
        ("framework", "none"),
        ("deviceKind", "CUDA"),
        ("deviceKind", "gpu"),
        ("source/commit", "HEAD"),
        ("source/dirty", 0),
        ("source/dirty", "false"),
        ("launcher/digestSource", "guess"),
        ("launcher/digestSource", None),
        ("launcher/network", ""),
        ("launcher/platform", "x" * 5000),
        ("command/argv", []),
        ("command/argv", "python -m pytest"),
        ("command/argv", ["a\0b"]),
        ("command/exit", -9),
        ("command/exit", False),
        ("command/exit", 0.0),
        ("command/seconds", True),
        ("environment/torch", True),
        ("environment/torch", ["2.9.0"]),
        ("environment/torch", "\ud800"),
        ("environment/torch", ""),
        ("environment/cudnn", 2**63),
        ("environment/cudnn", 9.1),
        ("devices", None),
        ("devices/0/index", -1),
        ("devices/0/name", None),
        ("devices/0/memoryBytes", 2**60),
        ("devices/0/rows", 1),
        ("checks/0/id", "no id"),
        ("checks/0/id", "torch.matmul.fp32"),
        ("checks/0/status", "ok"),
        ("checks/0/status", "skipped"),
        ("checks/0/value", "1"),
        ("checks/0/seconds", 1e300),
        ("checks/0/reason", 1),
        ("unknown", 1),
    ],
)  # fmt: skip
def test_refused(change: tuple[str, object]) -> None:
    problem(record_bytes(change))


@pytest.mark.parametrize("value", [None, True, 0, 1.5, "x", [], {}, [{}], {"_type": {}}])
def test_another_document_is_refused(value: object) -> None:
    problem(canonical(value))


GOOD = record_bytes()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (GOOD + b"\n", "end-of-file fixer"),
        (GOOD[:-1], "end-of-file fixer"),
        (GOOD.replace(b"\n", b"\r\n"), "line endings"),
        (GOOD.replace(b",\n", b", \n"), "trailing-whitespace"),
        (json.dumps(statement(), indent=2, sort_keys=True).encode() + b"\n", "JSON formatter"),
        (json.dumps(statement()).encode(), "JSON formatter"),
        (json.dumps(statement(), indent=1).encode() + b"\n", "JSON formatter"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "Git LFS"),
        (b"\xef\xbb\xbf" + GOOD, "byte order mark"),
        (b"<<<<<<< HEAD\n" + GOOD, "conflict markers"),
        (b"", "empty"),
        (b" \n", "empty"),
        (GOOD.replace(b'"deviceKind": "cuda",', b'"deviceKind": "cpu", "deviceKind": "cuda",'), "twice"),
        (GOOD.replace(b"H100", "Ä100".encode()), "not those"),
        (GOOD.replace(b"H100", b"\xff"), "no JSON"),
        (GOOD.replace(b"91002", b"NaN"), "no JSON"),
        (GOOD.replace(b"91002", b"1e999"), "no JSON"),
        (GOOD.replace(b"91002", b"9" * 5000), "no JSON"),
        (GOOD.replace(b"91002", b"091002"), "no JSON"),
        (GOOD.replace(b"12.1\n", b"12.10\n"), "formatter"),
        (b"[" * 100_000, "no JSON"),
        (b"[" * 50_000 + b"]" * 50_000, "no JSON"),
        (canonical([[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]), "nested too deep"),
        (b" " * (MAX_RECORD_BYTES + 1), "too large"),
        (GOOD + GOOD, "no JSON"),
    ],
)  # fmt: skip
def test_bytes_that_are_not_canonical_are_refused_with_the_usual_cause(data: bytes, words: str) -> None:
    assert words in problem(data).message


@given(st.binary(max_size=200))
def test_any_bytes_give_an_answer(data: bytes) -> None:
    problem(data)


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_one_changed_byte_never_escapes(at: int, change: int) -> None:
    data = GOOD[:at] + bytes([GOOD[at] ^ change]) + GOOD[at + 1 :]
    found = parse_record(PATH, data)
    assert isinstance(found, Problem) or (found.payload == data and found != parsed())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(json_values)
def test_canonical_is_stable(value: Any) -> None:
    data = canonical(value)
    assert canonical(json.loads(data)) == data
    assert data.isascii()
    assert data.endswith(b"\n")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("-inf")]])
def test_canonical_refuses_what_is_no_json(value: object) -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical(value)


def test_pae_is_that_of_dsse() -> None:
    assert pae(b"{}") == b"DSSEv1 28 application/vnd.in-toto+json 2 {}"
    assert pae("ü".encode()) == b"DSSEv1 28 application/vnd.in-toto+json 2 \xc3\xbc"


@pytest.mark.parametrize(
    ("image", "name"),
    [
        (None, "no-image"),
        (ImageReference("docker.io/pytorch/pytorch", "2.9.0-cuda12.8-cudnn9-devel", None),
         "pytorch-pytorch-2.9.0-cuda12.8-cudnn9-devel"),
        (ImageReference("docker.io/library/python", "3.11", "sha256:" + "a" * 64), "python-3.11"),
        (ImageReference("nvcr.io/nvidia/pytorch", "25.09-py3", None), "nvcr.io-nvidia-pytorch-25.09-py3"),
        (ImageReference("localhost:5000/x", None, "sha256:" + "a" * 64), "localhost-5000-x-aaaaaaaaaaaa"),
        (ImageReference("docker.io/x/y", None, None), "x-y"),
    ],
)  # fmt: skip
def test_slug(image: ImageReference | None, name: str) -> None:
    assert slug(image) == name


def test_a_long_slug_is_cut_and_stays_its_own() -> None:
    names = {slug(ImageReference("docker.io/" + "x" * 200, f"t{i}", None)) for i in range(10)}
    assert len(names) == 10
    assert max(map(len, names)) <= 120
