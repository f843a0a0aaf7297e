"""What a server has seen: read back line by line, and a key that had expired when the server first saw the tag."""

import json
import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ptguard.receipts import LOG, seen
from tests.e2e.team import Team, refusals
from tests.support import run

OID = "a" * 40
AT = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def line(**changes: object) -> bytes:
    said: dict[str, object] = {
        "schema": "ptguard.receipt/1", "ref": "refs/tags/v1", "object": OID, "decision": "accept",
        "at": "2026-03-01T12:00:00Z",
    } | changes  # fmt: skip
    return json.dumps(said, separators=(",", ":")).encode() + b"\n"


def test_the_first_acceptance_counts(tmp_path: Path) -> None:
    assert seen(tmp_path) == {}
    later = line(at="2026-04-01T00:00:00Z")
    (tmp_path / LOG).write_bytes(later + line() + later + line(ref="refs/tags/v2"))
    assert seen(tmp_path) == {("refs/tags/v1", OID): AT, ("refs/tags/v2", OID): AT}


@pytest.mark.parametrize(
    "bad",
    [
        b"", b"\n", b"rubbish \"accept\"\n", line(decision="refuse"), line(schema="ptguard.receipt/2"),
        line(at="today"),
        line(at=5), line(ref=None), line(object=None), line()[:-1], b'["accept"]\n', b'"accept"\n', b"\xff" + line(),
        b'{"a":"accept","x":' + b"[" * 60_000 + b"\n", line(extra="x" * 70_000),
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_read_counts_for_nothing(tmp_path: Path, bad: bytes) -> None:
    (tmp_path / LOG).write_bytes(bad)
    assert seen(tmp_path) == {}
    (tmp_path / LOG).write_bytes(
        line(ref="refs/tags/v0") + bad + (b"" if bad.endswith(b"\n") else b"\n") + line(ref="refs/tags/v2")
    )
    assert {ref for ref, _ in seen(tmp_path)} >= {"refs/tags/v0"}


def test_a_log_that_is_none(tmp_path: Path) -> None:
    (tmp_path / LOG).mkdir()
    assert seen(tmp_path) == {}


@pytest.mark.e2e
def test_a_key_must_have_been_good_when_the_server_saw_the_tag(
    template: Team, tmp_path: Path, env: dict[str, str]
) -> None:
    """The signer's clock says when the window was open; the server saw the tag when it was shut."""
    team = template.copy_to(tmp_path / "team", env)
    team.serve()
    now = datetime.now(UTC)
    team.env["GIT_COMMITTER_DATE"] = (now - timedelta(days=2)).isoformat()
    team.tag_ssh("nightly-1")
    team.guard("nightly-1").accepted("nightly-1")
    (receipt,) = team.receipts()
    shut = (now - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    key = f'public-key = "{team.keys.ssh("bot").public} bot@ci"'
    team.change_policy(key, f"{key}\nvalid-until = {shut}")
    log = team.remote / "ptguard" / LOG

    def audit() -> tuple[list[str], str]:
        argv = ("-m", "ptguard", "audit", "--format", "json", "--policy-ref", "main")
        document = json.loads(run(sys.executable, *argv, cwd=team.remote, env=env).stdout)
        signature = next(f for f in document["tags"][0]["findings"] if f["check"] == "signature")
        return [f["reason"] for f in refusals(document, "signature")], signature["message"]

    assert audit()[0] == ["outside-window"]
    shutil.move(log, log.with_suffix(".away"))
    reasons, message = audit()
    assert reasons == [] and message.endswith("valid by the tagger's own clock")
    shutil.move(log.with_suffix(".away"), log)
    assert audit()[0] == ["outside-window"]
    later = (now + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    team.change_policy(f"valid-until = {shut}", f"valid-until = {later}")
    reasons, message = audit()
    assert reasons == [] and f"a server has seen it since {receipt['at'][:10]}" in message
