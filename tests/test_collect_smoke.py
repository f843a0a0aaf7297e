"""What lies in the tagged tree where the record does not look, and how many records are read."""

from datetime import timedelta

import pytest

from ptguard import collect_smoke
from ptguard.collect_smoke import loose, smoke_evidence
from ptguard.errors import GitError
from ptguard.gateways.git import Git
from ptguard.model import EXECUTABLE, Problem, SignatureFacts, SmokeEvidence, SmokePolicy
from ptguard.parse.smoke import MAX_RECORD_BYTES
from ptguard.snapshot import Snapshot
from tests.smoke.records import record_bytes
from tests.support import Repo

IGNORED = ("CHANGELOG.md", "link", "run.sh", "docs", "docs/NEWS", "no/such/file", "CHANGELOG.md/x", "module")


def smoke_policy(ignore: tuple[str, ...] = ()) -> SmokePolicy:
    return SmokePolicy(".ptguard/smoke", "cuda", None, timedelta(days=30), ("gpu",), "registry", ignore)


def signed(*_: object) -> SignatureFacts:
    return SignatureFacts("ssh", "SHA256:x", "SHA512", None)


def collected(repo: Repo, policy: SmokePolicy | None = None) -> SmokeEvidence:
    with Git.open(repo.path) as git:
        snapshot = Snapshot(git, repo.git("rev-parse", "HEAD"))
        return smoke_evidence(snapshot, policy or smoke_policy(), signed, signed)


def test_ignored_paths_are_plain_files_or_named(repo: Repo) -> None:
    for path in ("CHANGELOG.md", "run.sh", "docs/NEWS", "other"):
        repo.write(path, "x\n")
    (repo.path / "run.sh").chmod(0o755)
    (repo.path / "other").chmod(0o755)
    (repo.path / "link").symlink_to("run.sh")
    inner = Repo(repo.path / "module", repo.env)
    repo.git("init", "-q", inner.path)
    inner.commit("inner")
    repo.git("-c", "advice.addEmbeddedRepo=false", "add", "module")
    commit = repo.commit()
    with Git.open(repo.path) as git:
        assert loose(Snapshot(git, commit), smoke_policy(IGNORED)) == {
            "link": "a symbolic link", "run.sh": EXECUTABLE, "docs": "a folder", "module": "a submodule",
        }  # fmt: skip
        assert loose(Snapshot(git, commit), smoke_policy()) == {}


def test_too_many_records_are_said_and_not_left_unread(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect_smoke, "MAX_RECORDS", 3)
    for number in range(3):
        repo.write(f".ptguard/smoke/{number}.json", record_bytes())
    repo.commit()
    assert len(collected(repo).entries) == 3
    repo.write(".ptguard/smoke/old/3.json", record_bytes())
    repo.commit()
    with pytest.raises(GitError, match="holds 4 records, at most 3 are read") as caught:
        collected(repo)
    assert caught.value.fix


def test_a_file_too_large_for_a_record_is_not_read(repo: Repo) -> None:
    repo.write(".ptguard/smoke/x.json", b" " * (MAX_RECORD_BYTES + 1))
    repo.commit()
    (entry,) = collected(repo).entries
    assert isinstance(entry.record, Problem) and entry.record.reason == "malformed"
    assert "too large" in entry.record.message


@pytest.mark.parametrize(
    ("kind", "reason"), [("none", "unsigned"), ("link", "bad-signature"), ("large", "bad-signature")]
)
def test_a_signature_that_is_no_file_is_a_bad_one(repo: Repo, kind: str, reason: str) -> None:
    repo.commit("the source")
    tree = repo.git("rev-parse", "HEAD^{tree}")
    path = ".ptguard/smoke/x.json"
    repo.write(path, record_bytes(("subject/0/digest/gitTree", tree)))
    if kind == "link":
        (repo.path / f"{path}.sig").symlink_to("x.json")
    elif kind == "large":
        repo.write(f"{path}.sig", b"x" * (collect_smoke.MAX_SIGNATURE_BYTES + 1))
    repo.commit()
    (entry,) = collected(repo).entries
    assert isinstance(entry.signature, Problem)
    assert entry.signature.reason == reason
    repo.write(f"{path}.asc", "a signature")
    repo.commit()
    (entry,) = collected(repo).entries
    assert isinstance(entry.signature, SignatureFacts) is (kind == "none")
