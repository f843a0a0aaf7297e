"""Hostile records: whatever the bytes are, the answer is a record that is written in this one way, or `malformed`."""

import copy
import json
import sys
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict, Parse, ParseDict  # type: ignore[import-untyped]
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from in_toto_attestation.predicates.test_result.v0 import test_result_pb2
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1.statement_pb2 import Statement as StatementMessage

from ptguard.model import Problem, SmokeRecord
from ptguard.parse.smoke import MAX_RECORD_BYTES, canonical, parse_record
from tests.smoke.records import check_entry, record_bytes, spoilt, statement

PATH = ".ptguard/smoke/x.json"
GOOD = record_bytes()
MANY = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def answer(data: bytes) -> SmokeRecord | Problem:
    """Give what the parser says, having held it against what must be true of any answer."""
    found = parse_record(PATH, data)
    if isinstance(found, Problem):
        assert found.reason == "malformed"
        assert found.fix and found.location and found.location.path == PATH
        words = " ".join(filter(None, (found.message, found.got, found.expected)))
        assert not any(unicodedata.category(c)[0] == "C" for c in words) and len(words) < 2000
        return found
    assert found.payload == data
    assert len(data) <= MAX_RECORD_BYTES
    assert canonical(json.loads(data)) == data
    message = Parse(data, StatementMessage())  # and so another reader takes it, too
    Statement.copy_from_pb(message).validate()
    ParseDict(MessageToDict(message.predicate), test_result_pb2.TestResult())
    return found


# --------------------------------------------------------------------------------------------- the values

HARD_TEXT = st.sampled_from(
    ["", "\0", "\ud800", "\udfff\ud800", "\x1b[2J", "\u202e", "x" * 5000, "1", "null", "docker.io/x/y:1",
     "2026-11-20T10:00:00Z"]
)  # fmt: skip
HARD_NUMBER = st.sampled_from([-1, 2**53, 2**53 + 1, 2**63, 10**400, -0.0, 1e308, 5e-324, True])
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | HARD_NUMBER | st.text(max_size=20) | HARD_TEXT
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | HARD_TEXT, inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Give the way to every value inside ``value``."""
    pairs: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield (*path, key)
        yield from places(inner, (*path, key))


PLACES = tuple(places(statement()))


def parent(made: Any, way: tuple[str | int, ...]) -> Any:
    for key in way[:-1]:
        made = made[key]
    return made


@MANY
@given(st.sampled_from(PLACES), VALUE)
def test_any_value_in_any_place(way: tuple[str | int, ...], value: Any) -> None:
    made = statement()
    parent(made, way)[way[-1]] = value
    try:
        data = canonical(made)
    except (ValueError, UnicodeEncodeError):
        return
    answer(data)


@MANY
@given(st.sampled_from(PLACES), st.sampled_from(["drop", "twice", "beside"]), st.text(min_size=1, max_size=8), VALUE)
def test_anything_left_out_or_put_beside(way: tuple[str | int, ...], what: str, key: str, value: Any) -> None:
    made = statement()
    place, last = parent(made, way), way[-1]
    if what == "drop":
        del place[last]
    elif isinstance(place, list):
        place.append(copy.deepcopy(place[0]) if what == "twice" else value)
    else:
        place.setdefault(key, value)
    found = answer(canonical(made))
    if isinstance(place, dict) and what == "beside" and key not in dict(parent(statement(), way)):
        # Only what a run saw is open to new facts; everywhere else an unknown key is refused.
        assert isinstance(found, Problem) or "environment" in way


# --------------------------------------------------------------------------------------------- the bytes


@MANY
@given(st.integers(0, len(GOOD)), st.integers(0, 40), st.binary(max_size=40))
def test_any_bytes_in_place_of_others(at: int, count: int, put: bytes) -> None:
    data = GOOD[:at] + put + GOOD[at + count :]
    found = answer(data)
    assert isinstance(found, Problem) or found.payload == data


@MANY
@given(st.integers(0, len(GOOD)), st.sampled_from([b" ", b"\n", b"\t", b"\r", b"\xc2\xa0", b"\xef\xbb\xbf", b"\0"]))
def test_white_space_that_json_would_forgive(at: int, put: bytes) -> None:
    found = answer(GOOD[:at] + put + GOOD[at:])
    assert isinstance(found, Problem) or put == b" "  # inside a text it is another text


FORMS: dict[str, Callable[[Any], str]] = {
    "compact": lambda v: json.dumps(v, separators=(",", ":"), sort_keys=True),
    "indent 2": lambda v: json.dumps(v, indent=2, sort_keys=True) + "\n",
    "tabs": lambda v: json.dumps(v, indent="\t", sort_keys=True) + "\n",
    "unsorted": lambda v: json.dumps(dict(reversed(v.items())), indent=1) + "\n",
    "no line break": lambda v: json.dumps(v, indent=1, sort_keys=True),
    "not ASCII": lambda v: json.dumps(v, indent=1, sort_keys=True, ensure_ascii=False).replace("H100", "Hü") + "\n",
    "escaped": lambda v: (json.dumps(v, indent=1, sort_keys=True) + "\n").replace("H100", "\\u0048100"),
    "solidus": lambda v: (json.dumps(v, indent=1, sort_keys=True) + "\n").replace("/", "\\/"),
    "capitals": lambda v: (json.dumps(v, indent=1, sort_keys=True) + "\n").replace("H100", "\\u00FC"),
    "exponent": lambda v: (json.dumps(v, indent=1, sort_keys=True) + "\n").replace("0.41", "4.1e-1"),
    "zeros": lambda v: (json.dumps(v, indent=1, sort_keys=True) + "\n").replace("0.41", "0.410"),
    "minus nothing": lambda v: (json.dumps(v, indent=1, sort_keys=True) + "\n").replace('"index": 0', '"index": -0'),
    "a comma more": lambda v: (json.dumps(v, indent=1, sort_keys=True) + "\n").replace("\n}\n", ",\n}\n"),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_record_in_another_form(form: str) -> None:
    text = FORMS[form](statement())
    assert text.encode() != GOOD
    assert isinstance(answer(text.encode()), Problem)
    assert isinstance(answer(GOOD), SmokeRecord)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-8-sig", "cp037"])
def test_another_encoding(encoding: str) -> None:
    assert isinstance(answer(GOOD.decode().encode(encoding)), Problem)


@pytest.mark.parametrize("key", [b'"schema"', b'"result"', b'"gitTree"', b'"sha256"', b'"_type"', b'"exit"'])
def test_no_key_stands_twice(key: bytes) -> None:
    at = GOOD.index(key)
    line = GOOD[at : GOOD.index(b"\n", at)]
    again = line if line.endswith(b",") else line + b","
    for data in (GOOD[:at] + again + b"\n" + GOOD[at:], GOOD[:at] + again + b" " + GOOD[at:]):
        found = answer(data)
        assert isinstance(found, Problem) and "twice" in found.message


@pytest.mark.parametrize(
    "number",
    ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 4300, "9" * 100_000, "1e308", "0x10", "1_0", "+1", ".5",
     "1.", "01", "--1", "1e", "10" + "0" * 200],
)  # fmt: skip
def test_numbers_that_readers_quarrel_over(number: str) -> None:
    for old in (b"91002", b"12.1", b"85029158912", b"3.1e-07"):
        assert isinstance(answer(GOOD.replace(old, number.encode())), Problem)


@pytest.mark.parametrize("text", ["\\ud800", "\\udc00\\ud800", "\\ud83d", "\\u0000"])
def test_texts_that_cannot_be_written(text: str) -> None:
    """A whole pair is a character; half of one is none, in a value as in a key."""
    for old in (b"H100", b"torchCommit", b"torch.import"):
        assert isinstance(answer(GOOD.replace(old, text.encode())), Problem)
    assert isinstance(answer(GOOD.replace(b"H100", b"\\ud83d\\ude00")), SmokeRecord)


@pytest.mark.parametrize("deep", [13, 17, 100, 900, 5_000, 500_000])
def test_no_depth_breaks_it(deep: int) -> None:
    nested = b"[" * deep + b"]" * deep
    for data in (nested, GOOD.replace(b"91002", nested), GOOD.replace(b"91002", b"[" * deep), b'{"a":' * deep):
        assert isinstance(answer(data), Problem)


# --------------------------------------------------------------------------------------------- the bounds


def padded(size: int) -> bytes:
    """Give a record of ``size`` bytes that is right in every way, filled up with facts that nobody knows."""
    made = statement()
    facts = made["predicate"]["configuration"][0]["annotations"]["environment"]
    number = 0
    while (left := size - len(canonical(made))) > 0:
        name = f"z{number:06}"
        facts[name] = ""
        short = size - len(canonical(made))
        if short < 1:  # what is left is less than an entry needs: the one before takes it up
            del facts[name]
            facts[f"z{number - 1:06}"] += "x" * left
        else:
            facts[name] = "x" * min(short, 4000)
        number += 1
    return canonical(made)


def test_a_record_may_be_a_mebibyte_and_no_more() -> None:
    full = padded(MAX_RECORD_BYTES)
    assert len(full) == MAX_RECORD_BYTES
    assert isinstance(answer(full), SmokeRecord)
    over = answer(padded(MAX_RECORD_BYTES + 1))
    assert isinstance(over, Problem) and "too large" in over.message
    assert isinstance(answer(b" " * (MAX_RECORD_BYTES + 1)), Problem)


def steps(data: bytes) -> int:
    """Count the calls that reading ``data`` takes; no clock, so no load of the machine, has a say."""
    count = 0

    def note(*_: object) -> None:
        nonlocal count
        count += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        parse_record(PATH, data)
    finally:
        sys.setprofile(before)
    return count


GROWING: dict[str, Callable[[int], bytes]] = {
    "checks": lambda n: record_bytes(("checks", [check_entry(f"torch.x{i}") for i in range(n)])),
    "facts": lambda n: record_bytes(("environment", {f"fact{i}": "x" * 50 for i in range(n)})),
    "excluded": lambda n: record_bytes(("subject/0/annotations/excluded", [f"a/b/c{i}" for i in range(n)])),
    "names": lambda n: record_bytes(("predicate/passedTests", [f"torch.x{i}" for i in range(n)])),
    "words": lambda n: record_bytes(("command/argv", ["x" * 10] * n)),
    "junk": lambda n: b'{"a":[' * n,
    "braces": lambda n: b"[" * n + b"]" * n,
    "keys": lambda n: canonical({str(i): i for i in range(n)}),
}


@pytest.mark.parametrize("kind", GROWING)
def test_ten_times_the_record_is_at_most_eleven_times_the_work(kind: str) -> None:
    little, much = (steps(GROWING[kind](n)) for n in (90, 900))
    assert much <= 11 * little


def test_a_spoilt_record_is_the_only_thing_that_was_changed() -> None:
    """The mutations above start from a record that is read."""
    assert isinstance(answer(canonical(spoilt())), SmokeRecord)
    assert len(PLACES) > 60
