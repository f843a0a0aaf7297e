"""A policy's text is changed where it was asked, and says nothing else than before."""

import tomllib
from datetime import UTC, datetime

import pytest

from ptguard.keys.edit import key_paths, with_key, with_status
from ptguard.model import Problem
from ptguard.policy.lines import KeyPath

KEY = {"kind": "ssh", "public-key": 'ssh-ed25519 AAAA "x"'}
UNTIL = datetime(2026, 11, 27, 12, tzinfo=UTC)
PLAIN = """\
schema = 1  # first

[signers.bot]
name = "Bot"   # a machine
[[signers.bot.keys]]
kind = "ssh"
public-key = "a"   # one
[[signers.bot.keys]]
kind = "ssh"
public-key = "b"
status = 'active'  # for now

[unmatched]
action = "refuse"
"""


def paths(text: str) -> dict[KeyPath, str]:
    return {path: str(key["public-key"]) for path, key in key_paths(tomllib.loads(text))}


def edited(found: str | Problem) -> str:
    assert isinstance(found, str), found
    return found


@pytest.mark.parametrize("text", [PLAIN, PLAIN.rstrip("\n"), PLAIN.replace("\n", "\r\n"), PLAIN + "# the end"])
def test_a_key_is_appended_and_all_before_it_stays(text: str) -> None:
    for signer, name in (("bot", None), ("li-wei", "Li Wei"), ("li-wei", None)):
        new = edited(with_key(text, signer, KEY, name))
        assert new.startswith(text)
        document = tomllib.loads(new)
        assert document["signers"][signer]["keys"][-1] == KEY
        assert document["signers"]["bot"]["name"] == "Bot"
        assert ("\n" in new.replace("\r\n", "")) is ("\r" not in text)


def test_signers_that_are_written_inline_are_left_to_their_owner() -> None:
    for text in ("signers = { bot = { keys = [] } }\n", '[signers.bot]\nkeys = [{ kind = "ssh" }]\n'):
        found = with_key(text, "bot", KEY)
        assert isinstance(found, Problem)
        assert "by hand" in (found.fix or "")


def test_a_status_is_put_below_the_key_or_changed_where_it_stands() -> None:
    new = edited(with_status(PLAIN, "a", "retired", UNTIL, paths(PLAIN)))
    assert new == PLAIN.replace(
        '"a"   # one\n', '"a"   # one\nstatus = "retired"\nvalid-until = 2026-11-27T12:00:00Z\n'
    )
    assert edited(with_status(PLAIN, "b", "compromised", None, paths(PLAIN))) == PLAIN.replace(
        "'active'", '"compromised"'
    )
    windows = PLAIN.replace("\n", "\r\n")
    assert edited(with_status(windows, "a", "retired", UNTIL, paths(PLAIN))) == new.replace("\n", "\r\n")


def test_an_earlier_end_stays() -> None:
    text = PLAIN.replace('"a"', '"a"\nvalid-until = 2025-01-01T00:00:00Z')
    new = edited(with_status(text, "a", "retired", UNTIL, paths(text)))
    assert "2025-01-01T00:00:00Z" in new
    assert "2026" not in new


@pytest.mark.parametrize("end", ["2027-01-01T00:00:00Z", "2027-01-01 01:00:00.5+01:00", "2026-11-27t12:00:01z"])
def test_a_later_end_is_brought_forward(end: str) -> None:
    """Else what is signed until then counts in history, by a key that signs nothing new."""
    text = PLAIN.replace('"a"', f'"a"\nvalid-until = {end}  # "soon"')
    new = edited(with_status(text, "a", "retired", UNTIL, paths(text)))
    assert new == text.replace(end, "2026-11-27T12:00:00Z").replace(
        '"soon"   # one\n', '"soon"   # one\nstatus = "retired"\n'
    )


def test_a_compromised_key_is_not_made_a_better_one() -> None:
    text = edited(with_status(PLAIN, "a", "compromised", None, paths(PLAIN)))
    found = with_status(text, "a", "retired", UNTIL, paths(text))
    assert isinstance(found, Problem)
    assert "would count again" in found.message


def test_a_key_that_does_not_count_yet_has_nothing_to_keep() -> None:
    text = PLAIN.replace('"a"', '"a"\nvalid-from = 2027-01-01T00:00:00Z')
    found = with_status(text, "a", "retired", UNTIL, paths(text))
    assert isinstance(found, Problem)
    assert "counts only from 2027-01-01" in found.message and "by hand" in (found.fix or "")
    assert 'status = "compromised"' in edited(with_status(text, "a", "compromised", None, paths(text)))


def test_what_is_so_already_changes_nothing() -> None:
    text = edited(with_status(PLAIN, "a", "compromised", None, paths(PLAIN)))
    assert with_status(text, "a", "compromised", None, paths(text)) == text


def test_an_unknown_key_is_named_beside_the_known_ones() -> None:
    found = with_status(PLAIN, "c", "retired", UNTIL, paths(PLAIN))
    assert isinstance(found, Problem)
    assert "no key c; it has a, b" in found.message


@pytest.mark.parametrize(
    "text",
    [
        '[signers.bot]\nkeys = [{ kind = "ssh", public-key = "a" }]\n',
        '[[signers.bot.keys]]\nkind = "ssh"\npublic-key = """\\\na"""\n',  # a value of two lines
        '[[signers.bot.keys]]\nkind = "ssh"\npublic-key = "a"\nstatus = """active"""\n',
    ],
)
def test_an_odd_way_of_writing_is_never_broken(text: str) -> None:
    """Either the text says just what was asked, or it is left alone with words."""
    found = with_status(text, "a", "retired", UNTIL, paths(text))
    if isinstance(found, str):
        key = tomllib.loads(found)["signers"]["bot"]["keys"][0]
        assert key == {"kind": "ssh", "public-key": "a", "status": "retired", "valid-until": UNTIL}
    else:
        assert "by hand" in (found.fix or "")
