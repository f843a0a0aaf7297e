from datetime import UTC, datetime, timedelta

import pytest

from ptguard.keys.listing import as_json, as_text, rows
from ptguard.model import KeyStatus, OpenPgpKey, Policy, Signer, SshKey
from ptguard.parse.gpgstatus import Life
from ptguard.value import replace
from tests.build import NOW, policy

PGP = OpenPgpKey("F" * 40, "keys/a.asc", b"")
SSH = SshKey("SHA256:x", "ssh-ed25519 AAAA")


def alive(expires: datetime | None) -> Life:
    return Life(expires, primary=PGP.fingerprint)


def with_keys(*keys: OpenPgpKey | SshKey) -> Policy:
    return replace(policy(), signers={"li-wei": Signer("li-wei", "Li Wei", keys)})


@pytest.mark.parametrize(
    ("expires", "note"),
    [
        (None, None),
        (NOW + timedelta(days=31), None),
        (NOW + timedelta(days=30), "expires within 31 days"),
        (NOW + timedelta(days=2, hours=1), "expires within 3 days"),
        (NOW + timedelta(hours=3), "expires within 1 day"),
        (NOW, "expired"),
        (NOW - timedelta(days=1), "expired"),
    ],
)
def test_an_end_that_is_near_is_marked(expires: datetime | None, note: str | None) -> None:
    (row,) = rows(with_keys(PGP), {PGP.fingerprint: alive(expires)}, NOW)
    assert (row.until, row.note) == (expires, note)
    (row,) = rows(with_keys(replace(SSH, valid_until=expires)), {}, NOW)
    assert (row.until, row.note) == (expires, note)


def test_the_earlier_end_counts() -> None:
    key = replace(PGP, valid_until=NOW + timedelta(days=5))
    (row,) = rows(with_keys(key), {PGP.fingerprint: alive(NOW + timedelta(days=400))}, NOW)
    assert row.until == NOW + timedelta(days=5)


@pytest.mark.parametrize(
    ("primary", "subkeys", "until", "note"),
    [
        # an offline primary key that certifies, and signing subkeys: the last one counts
        (Life(None, signs=False), [Life(NOW + timedelta(days=9))], NOW + timedelta(days=9), "expires within 10 days"),
        (Life(None, signs=False), [Life(NOW), Life(NOW + timedelta(days=99))], NOW + timedelta(days=99), None),
        (Life(None, signs=False), [Life(NOW - timedelta(days=9)), Life(NOW)], NOW, "expired"),
        (Life(None, signs=False), [Life(NOW), Life(None)], None, None),
        (Life(None, signs=False), [Life(NOW), Life(None, revoked=True)], NOW, "expired"),
        (Life(None, signs=False), [Life(NOW), Life(None, signs=False)], NOW, "expired"),
        (Life(NOW, signs=False), [Life(None)], NOW, "expired"),  # none outlives its primary
        (Life(None), [Life(NOW)], None, None),  # the primary signs too
        (Life(None, signs=False), [], None, "it has no key that may sign"),
        (Life(None, signs=False), [Life(None, revoked=True)], None, "it has no key that may sign"),
    ],
)
def test_a_key_ends_with_the_last_of_it_that_signs(
    primary: Life, subkeys: list[Life], until: datetime | None, note: str | None
) -> None:
    lives = {str(at): life._replace(primary=PGP.fingerprint) for at, life in enumerate(subkeys)}
    lives |= {PGP.fingerprint: primary._replace(primary=PGP.fingerprint), "another": Life(None, primary="another")}
    (row,) = rows(with_keys(PGP), lives, NOW)
    assert (row.until, row.note) == (until, note)


@pytest.mark.parametrize("expires", [None, NOW - timedelta(days=1), NOW + timedelta(days=1)])
def test_a_revoked_key_is_called_so_whenever_it_ends(expires: datetime | None) -> None:
    (row,) = rows(with_keys(PGP), {PGP.fingerprint: alive(expires)._replace(revoked=True)}, NOW)
    assert (row.until, row.note) == (expires, "revoked")


def test_what_is_not_known_or_not_in_use_is_said() -> None:
    later = replace(SSH, valid_from=NOW + timedelta(days=1))
    retired = replace(SSH, fingerprint="SHA256:y", status=KeyStatus.RETIRED, valid_until=NOW)
    found = rows(with_keys(PGP, later, retired), {}, NOW)
    assert [row.note for row in found] == ["gpg cannot tell when it expires", "counts from 2026-11-23", None]


def test_who_may_what() -> None:
    text = as_text(rows(with_keys(PGP, SSH), {PGP.fingerprint: alive(datetime(2026, 12, 1, tzinfo=UTC))}, NOW))
    assert text.splitlines() == [
        "li-wei (Li Wei): v*",
        f"  openpgp  {'F' * 40}  active, until 2026-12-01   ! expires within 9 days",
        "  ssh      SHA256:x  active, no end",
    ]
    nobody = replace(with_keys(SSH), rules=())
    assert as_text(rows(nobody, {}, NOW)).startswith("li-wei (Li Wei): may sign nothing\n")
    (one,) = as_json(rows(nobody, {}, NOW))
    assert one["may"] == [] and one["until"] is None and one["signer"] == "li-wei"
