"""What a record says of the source tree is what git says of it, and what a probe told is read before it is believed."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ptguard.errors import ToolFailedError, UsageError
from ptguard.model import ImageReference
from ptguard.smoke.launch import LocalRunner, Report
from ptguard.smoke.record import Source, Tried, build, read_source, refuse_dirty, same_source, utc
from ptguard.value import replace
from tests.smoke.records import ENVIRONMENT, check_entry
from tests.support import Repo, run

IMAGE = ImageReference("docker.io/x/y", "1", "sha256:" + "3" * 64)
DEVICE = {"index": 0, "name": "EPYC", "uuid": None, "capability": None, "memoryBytes": None}
REPORT = Report("torch", "cpu", [DEVICE], dict(ENVIRONMENT), [check_entry("torch.import")])
SOURCE = Source("2" * 40, "1" * 40, "sha1", (".ptguard",), (), ())
BEGUN = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
ENDED = datetime(2026, 11, 20, 10, 5, 59, 999_999, tzinfo=UTC)


# --------------------------------------------------------------------------------------------- the source


def by_git(repo: Repo, drop: Sequence[str], index: Path) -> str:
    env = {**repo.env, "GIT_INDEX_FILE": str(index)}
    run("git", "-C", repo.path, "read-tree", "HEAD", env=env)
    run("git", "-C", repo.path, "rm", "-r", "-q", "--cached", "--ignore-unmatch", "--", *drop, env=env)
    return run("git", "-C", repo.path, "write-tree", env=env).stdout.strip()


@pytest.fixture
def source_repo(repo: Repo) -> Repo:
    for path in (".ptguard/policy.toml", "CHANGELOG.md", "src/model.py", "docs/ü.md"):
        repo.write(path, path)
    repo.commit()
    return repo


@pytest.mark.parametrize("ignore", [(), ("CHANGELOG.md",), ("docs/ü.md", "CHANGELOG.md"), ("not-there",)])
def test_the_tree_is_that_of_git_without_some_paths(source_repo: Repo, tmp_path: Path, ignore: tuple[str, ...]) -> None:
    source = read_source(source_repo.path, ignore)
    assert source.commit == source_repo.git("rev-parse", "HEAD")
    assert source.excluded == (".ptguard", *sorted(ignore))
    assert source.tree == by_git(source_repo, source.excluded, tmp_path / "index")
    assert (source.dirty, source.untracked, source.object_format) == ((), (), "sha1")
    refuse_dirty(source)


def test_a_sha256_repository(tmp_path: Path, env: dict[str, str]) -> None:
    run("git", "init", "-q", "--object-format=sha256", tmp_path / "r", env=env)
    made = Repo(tmp_path / "r", env)
    made.write("a", "a")
    made.write(".ptguard/policy.toml", "")
    made.commit()
    source = read_source(made.path)
    assert source.object_format == "sha256"
    assert source.tree == by_git(made, [".ptguard"], tmp_path / "index")


def test_what_lies_under_ptguard_or_is_ignored_makes_nothing_dirty(source_repo: Repo) -> None:
    source_repo.write(".ptguard/policy.toml", "changed")
    source_repo.write(".ptguard/smoke/x.json", "new")
    source_repo.write("CHANGELOG.md", "changed")
    source_repo.write(".gitignore", "*.pyc\n")
    source_repo.git("add", ".gitignore")
    source_repo.git("commit", "-q", "-m", "ignore", ".gitignore")
    source_repo.write("src/x.pyc", "ignored by git")
    refuse_dirty(read_source(source_repo.path, ("CHANGELOG.md",)))
    with pytest.raises(UsageError, match=r"CHANGELOG\.md"):
        refuse_dirty(read_source(source_repo.path))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda r: r.write("src/model.py", "x"), "src/model.py"),
        (lambda r: r.write("new file", "x"), "new file"),
        (lambda r: r.write("src/deep/new.py", "x"), "src/deep/new.py"),
        (lambda r: r.git("rm", "-q", "CHANGELOG.md"), "CHANGELOG.md"),
        (lambda r: (r.path / "src/model.py").chmod(0o755), "src/model.py"),
        (lambda r: r.write("docs/ü.md", "x"), "docs/ü.md"),
        (lambda r: r.write("a\x1b[31m", "x"), "a\\x1b[31m"),
        (lambda r: r.write(".ptguard-not", "x"), ".ptguard-not"),
        (lambda r: r.git("mv", "src/model.py", ".ptguard/model.py"), "src/model.py"),
    ],
)
def test_a_dirty_work_tree_is_refused_by_name(source_repo: Repo, change: Any, named: str) -> None:
    change(source_repo)
    with pytest.raises(UsageError) as caught:
        refuse_dirty(read_source(source_repo.path))
    assert named in caught.value.message
    assert caught.value.fix


@pytest.mark.parametrize("flag", ["assume-unchanged", "skip-worktree"])
def test_a_change_that_git_is_told_not_to_see_is_refused_and_made_visible_again(source_repo: Repo, flag: str) -> None:
    source_repo.git("update-index", f"--{flag}", "src/model.py", "CHANGELOG.md", ".ptguard/policy.toml")
    source_repo.write("src/model.py", "another model\n")
    source = read_source(source_repo.path, ("CHANGELOG.md",))
    assert (source.dirty, source.hidden) == (("src/model.py",), ("src/model.py",))
    with pytest.raises(UsageError) as caught:
        refuse_dirty(source)
    assert "src/model.py" in caught.value.message
    assert caught.value.fix
    run("sh", "-c", caught.value.fix, cwd=source_repo.path, env=source_repo.env)
    seen = read_source(source_repo.path)
    assert (seen.dirty, seen.hidden) == (("src/model.py",), ())


def test_a_replaced_tree_is_not_what_the_record_names(source_repo: Repo) -> None:
    real = source_repo.git("rev-parse", "HEAD")
    source_repo.write("src/model.py", "another model\n")
    other = source_repo.commit()
    source_repo.git("reset", "-q", "--hard", real)
    source_repo.git("replace", real, other)
    source_repo.git("reset", "-q", "--hard")
    assert (source_repo.path / "src/model.py").read_text() == "another model\n"
    assert read_source(source_repo.path).dirty == ("src/model.py",)


def test_many_dirty_files_are_named_in_part() -> None:
    with pytest.raises(UsageError, match="and 40 more"):
        refuse_dirty(replace(SOURCE, untracked=tuple(f"f{i}" for i in range(50))))


def test_no_commit_and_no_repository(repo: Repo, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no commit yet"):
        read_source(repo.path)
    with pytest.raises(UsageError, match="not a git repository"):
        read_source(tmp_path)


def test_a_source_that_changed_meanwhile_is_no_source() -> None:
    same_source(SOURCE, SOURCE)
    same_source(SOURCE, replace(SOURCE, untracked=("report.xml",)))
    dirty = replace(SOURCE, dirty=("src/model.py",))
    with pytest.raises(ToolFailedError, match=r"changed while it was tried.*src/model\.py"):
        same_source(SOURCE, dirty)
    same_source(dirty, dirty)
    with pytest.raises(ToolFailedError, match="HEAD is at 999"):
        same_source(SOURCE, replace(SOURCE, commit="9" * 40))


# --------------------------------------------------------------------------------------------- the record


def built(report: Report = REPORT, tried: Tried | None = None, source: Source = SOURCE, **more: Any) -> Any:
    runner = LocalRunner(Path(), "python")
    image = more.pop("image", IMAGE)
    return build(source, image, runner, report, tried, started=BEGUN, finished=ENDED)


def test_a_record_is_read_back_from_its_own_bytes() -> None:
    record = built(tried=Tried(("true",), 0, 0.12345))
    assert (record.tree, record.image, record.digest_source) == ("1" * 40, IMAGE, "operator")
    assert (record.result, record.mode, record.failed) == ("PASSED", "full", ())
    assert (record.started, record.finished) == (BEGUN, ENDED.replace(microsecond=0))
    assert record.command == (("true",), 0)
    assert b'"passedTests": [\n   "torch.import",\n   "command"\n  ]' in record.payload
    assert not record.dirty


@pytest.mark.parametrize(
    ("report", "tried", "failed"),
    [
        (REPORT, None, ()),
        (REPORT, Tried(("false",), 1, 0.1), ("command",)),
        (replace(REPORT, checks=[check_entry("torch.import", "failed", "OSError")]), None, ("torch.import",)),
        (replace(REPORT, checks=[check_entry("a", "skipped", "needs-two-gpus")]), None, ()),
    ],
)
def test_whatever_failed_fails_the_record(report: Report, tried: Tried | None, failed: tuple[str, ...]) -> None:
    record = built(report, tried)
    assert record.failed == failed
    assert record.result == ("FAILED" if failed else "PASSED")


def test_dirty_and_bare_runs_say_so() -> None:
    assert built(source=replace(SOURCE, dirty=("a",))).dirty
    assert built(source=replace(SOURCE, untracked=("a",))).dirty
    record = built(image=None)
    assert (record.image, record.digest_source) == (None, None)
    assert built(image=replace(IMAGE, tag=None)).image == replace(IMAGE, tag=None)


@pytest.mark.parametrize(
    "report",
    [
        replace(REPORT, facts={"torch": float("nan")}),
        replace(REPORT, facts={"torch": True}),
        replace(REPORT, facts={"torch": {"version": "2.9.0"}}),
        replace(REPORT, facts={"torch": b"2.9.0"}),
        replace(REPORT, facts={"": "y"}),
        replace(REPORT, devices=[{}]),
        replace(REPORT, devices=[{**DEVICE, "memoryBytes": -1}]),
        replace(REPORT, devices=[None]),
        replace(REPORT, checks=[{}]),
        replace(REPORT, checks=[7]),
        replace(REPORT, checks=[check_entry("a"), check_entry("a")]),
        replace(REPORT, checks=[check_entry("a", "great")]),
        replace(REPORT, checks=[check_entry("a", "skipped")]),
    ],
)
def test_a_probe_that_tells_odd_things_makes_no_record(report: Report) -> None:
    with pytest.raises(ToolFailedError, match="the probe told something"):
        built(report)


def test_times_are_in_utc_and_whole_seconds() -> None:
    assert utc(datetime.fromisoformat("2026-11-20T11:00:00.9+01:00")) == "2026-11-20T10:00:00Z"
