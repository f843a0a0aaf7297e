"""Smoke records: their one canonical form in bytes, what is signed of them, and reading them strictly.

A record is an in-toto Statement v1 with the predicate test-result v0.1 (https://in-toto.io/Statement/v1,
https://in-toto.io/attestation/test-result/v0.1); what is ours lives in ``configuration[0].annotations``.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from ptguard.model import ImageReference, Location, Problem, SmokeCheck, SmokeRecord
from ptguard.parse import shape
from ptguard.parse.image import parse_reference
from ptguard.parse.shape import Bad
from ptguard.text import sh, shown
from ptguard.value import replace

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "https://in-toto.io/attestation/test-result/v0.1"
PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
SCHEMA: Final = "ptguard.smoke/1"
PROBE_NAME: Final = "ptguard-probe"
TREE_SUBJECT: Final = "git-tree"
IMAGE_SUBJECT: Final = "image"

MAX_RECORD_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 16

RESULTS: Final = ("PASSED", "WARNED", "FAILED")
MODES: Final = ("facts", "quick", "full")
DEVICE_KINDS: Final = ("cuda", "rocm", "cpu")
DIGEST_SOURCES: Final = ("launcher", "registry", "operator")
FRAMEWORKS: Final = ("torch", "jax", "tensorflow")

_CHECK_ID = re.compile(r"[a-z0-9_]+([.-][a-z0-9_]+)*")
_SLUG_LENGTH = 120


# --------------------------------------------------------------------------------------------- bytes


def canonical(value: object) -> bytes:
    """Give the one form in bytes of a JSON value: ASCII, keys sorted, indented by one, a line break at the end.

    Raises:
        ValueError: a number is not finite, or the value cannot be JSON.
    """
    return (json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n").encode("ascii")


def pae(payload: bytes) -> bytes:
    """Give what is signed of a record: the DSSE pre-authentication encoding of its bytes.

    See https://github.com/secure-systems-lab/dsse/blob/master/protocol.md; the prefix keeps the signature of a record
    apart from the signature of anything else that the same key signs.
    """
    kind = PAYLOAD_TYPE.encode("ascii")
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def slug(image: ImageReference | None) -> str:
    """Give the name of the file (without ``.json``) that the record of ``image`` is kept in."""
    if image is None:
        return "no-image"
    name = image.repository.removeprefix("docker.io/").removeprefix("library/")
    last = image.tag or (image.digest or "").removeprefix("sha256:")[:12]
    text = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{name}-{last}".strip("-"))
    if len(text) <= _SLUG_LENGTH:
        return text
    return f"{text[: _SLUG_LENGTH - 13]}-{hashlib.sha256(str(image).encode()).hexdigest()[:12]}"


# --------------------------------------------------------------------------------------------- reading


def parse_record(path: str, data: bytes) -> SmokeRecord | Problem:
    """Give the record that the file ``path`` holds, or a Problem ``malformed`` that says what is wrong with it.

    Strict: every key, type and range is as ptguard writes it, and the bytes are the canonical ones; a record that
    two parsers could read in two ways is no evidence.
    """
    try:
        return _record(path, data, _load(data))
    except Bad as bad:
        return Problem(
            "malformed",
            f"the smoke record {shown(path, 200)} is malformed: {bad}",
            got=bad.got,
            expected=bad.expected or "a record just as ptguard smoke wrote it",
            fix=f"{sh('git', 'log', '--', path)}   # restore the bytes that were signed, or run ptguard smoke again",
            location=Location(path),
        )


def _load(data: bytes) -> object:
    """Give the JSON value of ``data``, which must be in its canonical form."""
    if len(data) > MAX_RECORD_BYTES:
        raise Bad("it is too large", f"{len(data)} bytes", f"at most {MAX_RECORD_BYTES} bytes")
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_no_duplicates)
        again = canonical(value) if shape.depth(value) <= MAX_DEPTH else b""
    except Bad:
        raise
    except (ValueError, RecursionError):  # not UTF-8, not JSON, NaN, an integer of 5,000 digits, 10,000 brackets
        raise Bad(f"it is no JSON that can be trusted{_hint(data)}") from None
    if not again:
        raise Bad("it is nested too deep", expected=f"at most {MAX_DEPTH} levels")
    if again != data:
        raise Bad(f"its bytes are not those that ptguard wrote{_cause(data, again)}")
    return value


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Bad("a key stands there twice")
    return found


def _hint(data: bytes) -> str:
    if data.startswith(b"version https://git-lfs"):
        return " (Git LFS put a pointer in its place: take .ptguard out of LFS)"
    if data.startswith(b"\xef\xbb\xbf"):
        return " (an editor put a byte order mark before it)"
    if b"<<<<<<<" in data or b">>>>>>>" in data:
        return " (conflict markers of a merge are in it)"
    return " (the file is empty)" if not data.strip() else ""


def _cause(data: bytes, again: bytes) -> str:
    """Name the usual culprit behind a record that was changed after it was signed."""
    if b"\r" in data:
        return " (line endings were converted: autocrlf, or a text attribute)"
    if data.rstrip() == again.rstrip():
        return " (white space at the end: an end-of-file fixer?)"
    if [x.rstrip() for x in data.splitlines()] == again.splitlines():
        return " (white space at line ends: a trailing-whitespace fixer or an editor?)"
    return " (a JSON formatter or an editor wrote it anew?)"


_Subjects = tuple[tuple[str, str, tuple[str, ...]], ImageReference | None]
"""The tree subject (object id, object format, excluded paths), and the image if one is named."""

_KEYS: Final = (
    "schema", "startedOn", "finishedOn", "mode", "framework", "deviceKind", "source", "launcher", "command",
    "environment", "devices", "checks",
)  # fmt: skip


def _record(path: str, data: bytes, value: object) -> SmokeRecord:
    top = shape.record(value, "", ("_type", "predicateType", "subject", "predicate"))
    shape.one_of(top["_type"], "_type", (STATEMENT_TYPE,))
    shape.one_of(top["predicateType"], "predicateType", (PREDICATE_TYPE,))
    keys = ("result", "passedTests", "warnedTests", "failedTests", "configuration")
    predicate = shape.record(top["predicate"], "predicate", keys)
    for key in ("passedTests", "failedTests"):
        shape.texts(predicate[key], key)
    shape.items(predicate["warnedTests"], "warnedTests", 0, 0)  # ptguard knows no test that passed only by half
    probe = shape.record(
        shape.items(predicate["configuration"], "configuration", 1, 1)[0],
        "configuration[0]",
        ("name", "digest", "annotations"),
    )
    shape.one_of(probe["name"], "configuration[0].name", (PROBE_NAME,))
    _digest(probe["digest"], "configuration[0].digest")
    ours = shape.record(probe["annotations"], "annotations", _KEYS)
    return _assembled(path, data, _subjects(top["subject"]), predicate, ours)


def _assembled(
    path: str, data: bytes, subjects: _Subjects, predicate: Mapping[str, Any], ours: Mapping[str, Any]
) -> SmokeRecord:
    (tree, object_format, excluded), image = subjects
    shape.one_of(ours["schema"], "schema", (SCHEMA,))
    started, finished = (_time(ours[key], key) for key in ("startedOn", "finishedOn"))
    if finished < started:
        raise Bad("it finished before it started", str(ours["finishedOn"]), f"not before {ours['startedOn']}")
    source = shape.record(ours["source"], "source", ("commit", "dirty"))
    keys = ("runner", "digestSource", "platform", "network")
    launcher = shape.record(ours["launcher"], "launcher", keys)
    for key in ("platform", "network"):
        shape.text(launcher[key], f"launcher.{key}")
    framework = ours["framework"]
    digest_source = launcher["digestSource"]
    if (digest_source is None) != (image is None):
        raise Bad("an image and the source of its digest come together or not at all")
    return SmokeRecord(
        path=path,
        tree=tree,
        excluded=excluded,
        image=image,
        digest_source=None if image is None else shape.one_of(digest_source, "digestSource", DIGEST_SOURCES),
        result=shape.one_of(predicate["result"], "result", RESULTS),
        mode=shape.one_of(ours["mode"], "mode", MODES),
        device=shape.one_of(ours["deviceKind"], "deviceKind", DEVICE_KINDS),
        devices=devices_of(ours["devices"]),
        framework=None if framework is None else shape.one_of(framework, "framework", FRAMEWORKS),
        environment=environment_of(ours["environment"]),
        commit=shape.oid(source["commit"], "source.commit"),
        dirty=shape.boolean(source["dirty"], "source.dirty"),
        started=started,
        finished=finished,
        command=_command(ours["command"]),
        checks=checks_of(ours["checks"]),
        payload=data,
        object_format=object_format,
        runner=shape.text(launcher["runner"], "launcher.runner"),
        failed=shape.texts(predicate["failedTests"], "failedTests"),
    )


def _subjects(value: object) -> _Subjects:
    found = shape.items(value, "subject", 1, 2)
    tree = shape.record(found[0], "subject[0]", ("name", "digest", "annotations"))
    shape.one_of(tree["name"], "subject[0].name", (TREE_SUBJECT,))
    digest = shape.record(tree["digest"], "subject[0].digest", ("gitTree",))
    notes = shape.record(tree["annotations"], "subject[0].annotations", ("objectFormat", "excluded"))
    object_format = shape.one_of(notes["objectFormat"], "objectFormat", ("sha1", "sha256"))
    oid = shape.oid(digest["gitTree"], "gitTree", 40 if object_format == "sha1" else 64)
    excluded = shape.texts(notes["excluded"], "excluded")
    if any(set(p.split("/")) & {"", ".", ".."} for p in excluded) or len(set(excluded)) != len(excluded):
        raise Bad("excluded holds a path twice or not in its plain form")
    image = _image(found[1]) if len(found) > 1 else None
    return (oid, object_format, excluded), image


def _image(value: object) -> ImageReference:
    subject = shape.record(value, "subject[1]", ("name", "uri", "digest"))
    shape.one_of(subject["name"], "subject[1].name", (IMAGE_SUBJECT,))
    uri = shape.text(subject["uri"], "subject[1].uri")
    named = parse_reference(uri)
    if isinstance(named, Problem) or named.digest is not None or str(named) != uri:
        raise Bad("subject[1].uri is no normalised image reference", shown(uri, 120), "registry/path:tag")
    return replace(named, digest="sha256:" + _digest(subject["digest"], "subject[1].digest"))


def _digest(value: object, name: str) -> str:
    return shape.oid(shape.record(value, name, ("sha256",))["sha256"], name, 64)


def _time(value: object, name: str) -> datetime:
    text = shape.text(value, name)
    try:
        found = datetime.fromisoformat(text).astimezone(UTC)  # strptime takes 5 ms the first time
    except (ValueError, OverflowError):
        found = None
    if found is None or found.isoformat().replace("+00:00", "Z") != text:  # fromisoformat takes other forms, too
        raise Bad(f"{name} is no time in UTC", shown(text, 60), "YYYY-MM-DDThh:mm:ssZ")
    return found


def environment_of(value: object) -> dict[str, str | int | None]:
    """Give what a run saw, each a text, an integer or null; raises :class:`Bad`, as do the next two."""
    found: dict[str, str | int | None] = {}
    for key, item in shape.mapping(value, "environment").items():
        if isinstance(item, bool) or not isinstance(item, str | int | None):
            raise Bad(f"environment.{shown(key, 60)} is neither text, an integer nor null")
        found[key] = item
    return found


def devices_of(value: object) -> int:
    """Give how many devices a run lists, each in its form."""
    found = shape.items(value, "devices", 0, 1024)
    for number, item in enumerate(found):
        name = f"devices[{number}]"
        device = shape.record(item, name, ("index", "name", "uuid", "capability", "memoryBytes"))
        shape.integer(device["index"], f"{name}.index")
        shape.text(device["name"], f"{name}.name")
        for key in ("uuid", "capability"):
            shape.optional(shape.text, device[key], f"{name}.{key}")
        shape.optional(shape.integer, device["memoryBytes"], f"{name}.memoryBytes")
    return len(found)


def _command(value: object) -> tuple[tuple[str, ...], int] | None:
    if value is None:
        return None
    command = shape.record(value, "command", ("argv", "exit", "seconds"))
    shape.number(command["seconds"], "command.seconds")
    argv = shape.texts(command["argv"], "command.argv")
    if not argv:
        raise Bad("command.argv is empty")
    return argv, shape.integer(command["exit"], "command.exit", 0, 255)


def checks_of(value: object) -> tuple[SmokeCheck, ...]:
    """Give the checks of a run, each id once."""
    found = tuple(_check(item, f"checks[{i}]") for i, item in enumerate(shape.items(value, "checks", 0, 1000)))
    if len({check.id for check in found}) != len(found):
        raise Bad("checks holds an id twice")
    return found


def _check(value: object, name: str) -> SmokeCheck:
    check = shape.record(value, name, ("id", "status", "value", "limit", "unit", "seconds", "reason"))
    for key in ("value", "limit", "seconds"):
        shape.optional(shape.number, check[key], f"{name}.{key}")
    shape.optional(shape.text, check["unit"], f"{name}.unit")
    identifier = shape.text(check["id"], f"{name}.id")
    if not _CHECK_ID.fullmatch(identifier):
        raise Bad(f"{name}.id is no id of a check", shown(identifier, 60))
    status = shape.one_of(check["status"], f"{name}.status", ("passed", "failed", "skipped"))
    reason = shape.optional(shape.text, check["reason"], f"{name}.reason")
    if status == "skipped" and reason is None:
        raise Bad(f"{name} is skipped without a reason")
    return SmokeCheck(identifier, status, reason)
