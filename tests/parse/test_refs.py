"""The lines of a push: what is read, what refuses the whole push."""

import pytest

from ptguard.errors import ExitCode, UsageError
from ptguard.parse.refs import parse_pre_push

A, B, ZERO = "a" * 40, "b" * 64, "0" * 40


def line(local: str = "refs/tags/v1", oid: str = A, remote: str = "refs/tags/v1", old: str = ZERO) -> bytes:
    return f"{local} {oid} {remote} {old}\n".encode("utf-8", "surrogateescape")


def test_reads_every_kind_of_line_in_order() -> None:
    data = b"".join(
        [
            line(),
            line("HEAD", A, "refs/tags/v66"),
            line(A, A, "refs/tags/x", ZERO),
            line("(delete)", ZERO, "refs/tags/gone", A),
            line("refs/heads/main", B, "refs/heads/main", "0" * 64),
            line("HEAD@{1 day ago}", A, "refs/tags/spaced"),
        ]
    )
    found = parse_pre_push(data)
    assert [u.remote_ref for u in found] == [
        "refs/tags/v1", "refs/tags/v66", "refs/tags/x", "refs/tags/gone", "refs/heads/main", "refs/tags/spaced",
    ]  # fmt: skip
    assert [u.is_tag for u in found] == [True, True, True, True, False, True]
    assert found[3].deletion and found[3].remote_oid == A
    assert found[4].remote_oid is None and found[4].local_oid == B
    assert found[5].local_ref == "HEAD@{1 day ago}"


def test_no_lines_are_no_updates() -> None:
    assert parse_pre_push(b"") == ()
    assert parse_pre_push(b"\n") == ()


def test_a_misspelled_tag_ref_is_still_a_tag() -> None:
    (update,) = parse_pre_push(line(remote="refs/Tags/v1"))
    assert update.is_tag and update.tag == "v1"


def test_bytes_that_are_no_utf8_survive() -> None:
    (update,) = parse_pre_push(b"refs/tags/\xff %s refs/tags/\xff %s\n" % (A.encode(), ZERO.encode()))
    assert update.tag.encode("utf-8", "surrogateescape") == b"\xff"


@pytest.mark.parametrize(
    "bad",
    [
        b"refs/tags/v1\n",
        b"refs/tags/v1 " + A.encode() + b" refs/tags/v1\n",
        line(oid="g" * 40),
        line(oid="a" * 39),
        line(oid=A.upper()),
        line(old="0" * 41),
        line(remote="v1"),
        line(remote="refs/tags/a\tb"),
        line(remote="refs/tags/a^b"),
        line(remote="refs/tags/\x1b[31m"),
        b" " + line(local=""),
        line(local="x" * 9000),
        line() + b"rubbish\n",
    ],
)
def test_one_malformed_line_refuses_the_whole_push(bad: bytes) -> None:
    with pytest.raises(UsageError) as caught:
        parse_pre_push(bad)
    assert caught.value.exit_code is ExitCode.USAGE
    assert "\x1b" not in caught.value.message
