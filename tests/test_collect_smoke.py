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


ALLOWED = (
    "policy.toml", "keys/li-wei.asc", "smoke/x.json", "smoke/x.json.sig", "smoke/x.json.asc", "smoke/2.9/y.json",
    ".gitattributes", "smoke/.gitattributes", "README", "README.md", "README.zh-CN.md", "keys/README.txt",
)  # fmt: skip
FOREIGN = (
    "conftest.py", "policy.toml.bak", "sub/policy.toml", "keys/li-wei.key", "keys/sub/x.asc", "smoke/x.sig",
    "smoke/x.json.gpg", "x.json", "keys/x.json.sig", "README.py", "README.md.sh", "readme.md", ".gitignore",
    "smoke/run.sh", "smoke/x.json/y",
)  # fmt: skip


def test_what_may_lie_under_the_guard_folder_and_what_may_not(repo: Repo) -> None:
    for name in ALLOWED:
        repo.write(f".ptguard/{name}", "x\n")
    repo.commit()
    assert collected(repo).foreign == ()
    (repo.path / ".ptguard/smoke/x.json").unlink()
    for name in FOREIGN:
        repo.write(f".ptguard/{name}", "x\n")
    repo.write(".ptguard/README.rst", "x\n").chmod(0o755)
    (repo.path / ".ptguard/README.adoc").symlink_to("README.md")
    repo.write(".ptguard-not/conftest.py", "x\n")
    repo.commit()
    found = dict(collected(repo).foreign)
    wanted = {f".ptguard/{name}" for name in (*FOREIGN, "README.rst", "README.adoc")}
    assert set(found) == wanted
    assert found[".ptguard/README.rst"] == EXECUTABLE
    assert found[".ptguard/README.adoc"] == "a symbolic link"
    assert found[".ptguard/x.json"] == "a record outside .ptguard/smoke/"
    assert list(found) == sorted(found)


@pytest.mark.parametrize("kind", ["link", "file", "none", "empty"])
def test_a_guard_folder_that_is_none(repo: Repo, kind: str) -> None:
    repo.write("elsewhere/policy.toml", "x\n")
    if kind == "link":
        (repo.path / ".ptguard").symlink_to("elsewhere")
    elif kind == "file":
        repo.write(".ptguard", "x\n")
    repo.commit()
    assert collected(repo).foreign == (((".ptguard", "not a folder"),) if kind in ("link", "file") else ())


def test_only_records_of_this_very_tree_have_their_signature_looked_at(repo: Repo) -> None:
    repo.write("CHANGELOG.md", "x\n")
    repo.write("net.py", "x\n")
    repo.commit("the source")
    whole = repo.git("rev-parse", "HEAD^{tree}")
    repo.git("rm", "-q", "--cached", "CHANGELOG.md")
    without = repo.git("write-tree")
    repo.git("add", "CHANGELOG.md")
    left_out = (".ptguard", "CHANGELOG.md")
    claims = {"a": (whole, [".ptguard"]), "b": (without, [*left_out]), "c": (whole, [*left_out]), "d": (without, [])}
    for name, (tree, excluded) in claims.items():
        changes = (("subject/0/digest/gitTree", tree), ("subject/0/annotations/excluded", excluded))
        repo.write(f".ptguard/smoke/{name}.json", record_bytes(*changes))
        repo.write(f".ptguard/smoke/{name}.json.sig", "a signature")
    repo.commit()
    found = collected(repo, smoke_policy(("CHANGELOG.md",)))
    assert dict(found.trees) == {(".ptguard",): whole, left_out: without}
    looked_at = [isinstance(entry.signature, SignatureFacts) for entry in found.entries]
    assert looked_at == [True, True, False, False]
    found = collected(repo)  # nothing may be left out: the second claims too much
    assert dict(found.trees) == {(".ptguard",): whole}
    assert [isinstance(entry.signature, SignatureFacts) for entry in found.entries] == [True, False, False, False]
