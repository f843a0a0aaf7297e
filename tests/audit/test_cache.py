"""What an audit keeps: nothing that another day would answer otherwise, and nothing is believed of a spoiled file."""

import json
from pathlib import Path

import pytest

from ptguard.audit.cache import Cache, Known, finding_of, policy_digest, row
from ptguard.model import Finding, Location, OpenPgpKey, RefUpdate, Signer, Status
from ptguard.value import replace
from tests.build import COMMIT, TAG, policy

UPDATE = RefUpdate("refs/tags/v1", TAG, "refs/tags/v1", None)
GOOD = Finding("annotated", Status.PASS, "ok", "it is", location=Location("a", 3, COMMIT), signer="x")
BAD = Finding("signature", Status.FAIL, "unsigned", "it is not", "a", "b", "c")


def kept(tmp_path: Path, *findings: Finding, world: str = "w") -> Path:
    file = tmp_path / "ptguard" / "audit" / "x.json"
    cache = Cache(file, world)
    cache.put(UPDATE, Known(COMMIT, {f.check: (f,) for f in findings}), published=False)
    cache.save()
    return file


def test_what_was_kept_is_there_again(tmp_path: Path) -> None:
    file = kept(tmp_path, GOOD, BAD)
    assert Cache(file, "w").get(UPDATE, published=False) == Known(COMMIT, {"annotated": (GOOD,), "signature": (BAD,)})
    assert file.stat().st_mode & 0o077 == 0
    assert [p.name for p in file.parent.iterdir()] == ["x.json"]


@pytest.mark.parametrize(
    "update",
    [
        replace(UPDATE, remote_ref="refs/tags/v2"),
        replace(UPDATE, local_oid=COMMIT),
    ],
)
def test_another_name_or_object_is_not_known(tmp_path: Path, update: RefUpdate) -> None:
    cache = Cache(kept(tmp_path, GOOD), "w")
    assert cache.get(update, published=False).said == {}
    assert cache.get(UPDATE, published=True).said == {}
    assert cache.get(UPDATE, published=False).said != {}


@pytest.mark.parametrize(
    "finding",
    [
        replace(BAD, status=Status.ERROR, reason="could-not-decide"),
        replace(BAD, reason="future"),
        replace(BAD, reason="expired-key"),
        replace(BAD, reason="key-unavailable", status=Status.FAIL),
        replace(BAD, check="changelog", reason="future-date"),
    ],
)
def test_what_the_clock_or_the_machine_decides_is_not_kept(tmp_path: Path, finding: Finding) -> None:
    assert not kept(tmp_path, finding).exists()
    assert kept(tmp_path, BAD).exists()


def test_what_rests_on_other_refs_counts_only_while_these_stand(tmp_path: Path) -> None:
    file = kept(tmp_path, GOOD, replace(GOOD, check="branch"))
    assert sorted(Cache(file, "w").get(UPDATE, published=False).said) == ["annotated", "branch"]
    assert sorted(Cache(file, "another").get(UPDATE, published=False).said) == ["annotated"]


def test_a_changed_key_is_another_policy() -> None:
    key = OpenPgpKey("F" * 40, "keys/a.asc", b"first")
    one, two = (
        replace(policy(), signers={"a": Signer("a", "", (replace(key, material=material),))})
        for material in (b"first", b"second")
    )
    assert one.source == two.source
    assert policy_digest(one) != policy_digest(two)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{", ""),
        ('"form":1', '"form":2'),
        ('"ptguard":"', '"ptguard":"9'),
        ('"pass"', '"fine"'),
        ('"annotated":[', '"signature":['),  # a finding of another check
        ('["annotated"', '["annotated",1'),
        ('"it is"', "7"),
        ('["a",3,', '["a","3",'),
        (f'"{COMMIT}",{{', "[],{"),
        ('[["annotated"', '["annotated"'),
    ],
)
def test_a_spoiled_file_is_no_file(tmp_path: Path, old: str, new: str) -> None:
    file = kept(tmp_path, GOOD)
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    cache = Cache(file, "w")
    assert cache.get(UPDATE, published=False).said == {}
    cache.put(UPDATE, Known(COMMIT, {"annotated": (GOOD,)}), published=False)
    cache.save()
    assert file.read_text() == text


def test_nonsense_deep_nesting_and_a_folder_are_no_file(tmp_path: Path) -> None:
    for number, data in enumerate((b"\xff", b"[" * 100_000, b"null", b"{}", b'{"form":1}')):
        file = tmp_path / str(number)
        file.write_bytes(data)
        assert Cache(file).get(UPDATE, published=False).said == {}
    folder = Cache(tmp_path)
    folder.put(UPDATE, Known(COMMIT, {"annotated": (GOOD,)}), published=False)
    folder.save()
    assert tmp_path.is_dir()


def test_every_field_of_a_finding_survives_as_json() -> None:
    for finding in (GOOD, BAD, replace(GOOD, location=Location("\udc80 x", None, None))):
        assert finding_of(json.loads(json.dumps(row(finding)))) == finding
