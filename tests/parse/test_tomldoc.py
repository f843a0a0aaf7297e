"""TOML of foreign origin: what hurts tomllib is refused before it."""

import time

import pytest

from ptguard.parse.tomldoc import MAX_BYTES, TomlError, load_toml


def test_a_document_is_read() -> None:
    dotted = ".".join("abcdefgh")
    assert load_toml(f'x = "a"\n[{dotted}]\n"q.r".s = 1\n'.encode())["x"] == "a"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"a" + b".a" * 130_000 + b"=1\n", "dotted key"),
        (b'"a"' + b'."a"' * 60_000 + b"=1\n", "dotted key"),
        (b"'a'" + b" . 'a'" * 30_000 + b"=1\n", "dotted key"),
        (b'x=["""\nfoo """,{a' + b".a" * 100_000 + b'=1,b="z"}]\n', "dotted key"),
        (b"[a" + b".a" * 100_000 + b"]\n", "dotted key"),
        (b"a=" + b"[" * 200_000, "nested"),
        (b"a=" + b"{a=" * 60_000, "nested"),
        (b"a=" + b"1" * 200_000, "digits"),
        (b"a=1\na=2\n", "overwrite"),
        (b"a=1\nb=\xff\n", "not UTF-8 (line 2)"),
        (b"\xef\xbb\xbfa=1\n", "Invalid"),
        (b"\0", "Invalid"),
        (b"#" * (MAX_BYTES + 1), "more than"),
        (b"a=1979-13-01", ""),
    ],
)
def test_what_cannot_be_read_is_one_kind_of_error(data: bytes, why: str) -> None:
    with pytest.raises(TomlError) as caught:
        load_toml(data)
    assert why in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "data",
    [
        b'x="' + b'\\"' * 120_000 + b'"\n',
        (b'"' + b"a" * 101 + b'".') * 2400 + b"a=1\n",
        b"".join(b"[a" + b".a" * 29 + b".b%d]\n" % i for i in range(3800)),
        b'"' * 250_000,
        b"a " * 120_000,
    ],
    ids=["escaped quotes", "long quoted parts", "deep tables", "quotes", "words"],
)
def test_hostile_documents_take_bounded_time(data: bytes) -> None:
    began = time.perf_counter()
    try:
        load_toml(data)
    except TomlError as error:
        assert "\n" not in str(error)  # noqa: PT017 - either outcome is right, the time is what counts
    assert time.perf_counter() - began < 10
