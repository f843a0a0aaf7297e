"""From a run to the bytes of its record: what source tree it was made for, and what is said of it."""

import hashlib
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from ptguard.collect_smoke import GUARD_FOLDER
from ptguard.errors import GitError, ToolFailedError, UsageError
from ptguard.gateways.git import Git
from ptguard.gateways.process import run
from ptguard.model import ImageReference, Oid, Problem, SmokeRecord
from ptguard.parse.smoke import (
    IMAGE_SUBJECT,
    PREDICATE_TYPE,
    PROBE_NAME,
    SCHEMA,
    STATEMENT_TYPE,
    TREE_SUBJECT,
    canonical,
    parse_record,
)
from ptguard.parse.tree import prune
from ptguard.smoke.launch import PROBE, Runner
from ptguard.smoke.report import Report
from ptguard.snapshot import Snapshot
from ptguard.text import sh, shown
from ptguard.value import value

_NAMED: Final = 10
# In a sparse checkout this also says to bring all files back.
_SHOW_AGAIN: Final = (
    "git sparse-checkout disable && git ls-files -z"
    " | git update-index -z --no-assume-unchanged --no-skip-worktree --stdin"
)


@value
class Source:
    """What is tried: HEAD's ``commit``, its ``tree`` without ``excluded``; ``dirty`` and ``untracked`` paths.

    ``hidden`` are those of the dirty ones that git was told not to look at, so that nobody knows what they hold.
    """

    commit: Oid
    tree: Oid
    object_format: str
    excluded: tuple[str, ...]
    dirty: tuple[str, ...]
    untracked: tuple[str, ...]
    hidden: tuple[str, ...] = ()


@value
class Tried:
    """The project's own check: ``argv`` as it was called, its ``exit`` status, how many ``seconds`` it took."""

    argv: tuple[str, ...]
    exit: int
    seconds: float


def read_source(root: Path, ignore: Sequence[str] = ()) -> Source:
    """Give what the work tree at ``root`` holds; ``ignore`` are paths that may change after the run.

    What lies under ``.ptguard/`` and what is ignored is no part of the tree and makes nothing dirty.

    Raises:
        UsageError: there is no commit yet, or no repository.
        GitError: git failed.
    """
    excluded = (GUARD_FOLDER, *sorted(set(ignore)))
    with Git.open(root) as git:
        commit = git.resolve("HEAD^{commit}")
        if commit is None:
            raise UsageError("there is no commit yet that could be tried", fix="git commit")
        snapshot = Snapshot(git, commit)
        tree = prune(snapshot.root, excluded, snapshot.raw_tree, git.object_format)
        if isinstance(tree, Problem):
            raise GitError(tree.message, fix=tree.fix)
        object_format = git.object_format
    states = [(code, path) for code, path in _status(root) if not _left_out(path, excluded)]
    hidden = tuple(path for path in _hidden(root) if not _left_out(path, excluded))
    dirty = tuple(dict.fromkeys([*(path for code, path in states if code != "??"), *hidden]))
    untracked = tuple(path for code, path in states if code == "??")
    return Source(commit, tree, object_format, excluded, dirty, untracked, hidden)


def _left_out(path: str, excluded: Sequence[str]) -> bool:
    return any(path == left_out or path.startswith(f"{left_out}/") for left_out in excluded)


def _status(root: Path) -> list[tuple[str, str]]:
    """Give (state, path) of all that differs from HEAD, by the user's own git (git-status(1), porcelain v1)."""
    words = ("--porcelain=v1", "-z", "--untracked-files=all", "--ignore-submodules=none", "--no-renames")
    return [(entry[:2], entry[3:]) for entry in _lines(root, "status", *words)]


def _hidden(root: Path) -> list[str]:
    """Give the paths that are assumed unchanged or left out of the work tree (git-ls-files(1), ``-v``)."""
    tags = ((entry[:1], entry[2:]) for entry in _lines(root, "ls-files", "-v", "-z"))
    return [path for tag, path in tags if tag == "S" or tag.islower()]


def _lines(root: Path, *words: str) -> list[str]:
    env = {**os.environ, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_NO_REPLACE_OBJECTS": "1"}
    done = run(["git", *words], env=env, cwd=root, timeout=120, limit=1 << 26)
    if done.returncode != 0:
        raise GitError(f"git {words[0]} failed: {shown(done.stderr, 200)}")
    return [line for line in done.stdout.decode("utf-8", "surrogateescape").split("\0") if line]


def refuse_dirty(source: Source) -> None:
    """Raise a UsageError that names the files where the work tree holds what is not committed."""
    if source.hidden:
        named = ", ".join(shown(path, 120) for path in source.hidden[:_NAMED])
        raise UsageError(
            f"git is told not to look at {len(source.hidden)} files of the work tree, so nobody knows what is tried:"
            f" {named}",
            fix=_SHOW_AGAIN,
        )
    paths = (*source.dirty, *source.untracked)
    if paths:
        named = ", ".join(shown(path, 120) for path in paths[:_NAMED])
        more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
        raise UsageError(
            f"the work tree holds what is not committed, so the run would not be one of {source.commit}: {named}{more}",
            fix=sh("git", "stash", "--include-untracked") + "   # or commit, or ignore what is no part of the source",
        )


def same_source(before: Source, after: Source) -> None:
    """Raise a ToolFailedError where the source changed during the run; new untracked files are the run's own."""
    if before.commit != after.commit or before.dirty != after.dirty:
        changed = sorted(set(after.dirty) ^ set(before.dirty)) or [f"HEAD is at {after.commit}"]
        words = ", ".join(shown(path, 120) for path in changed[:_NAMED])
        raise ToolFailedError(f"the source changed while it was tried, so no record is written: {words}")


def utc(moment: datetime) -> str:
    """Give ``moment`` as records have it, in whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def build(
    source: Source,
    image: ImageReference | None,
    runner: Runner,
    report: Report,
    tried: Tried | None,
    *,
    started: datetime,
    finished: datetime,
) -> SmokeRecord:
    """Give the record, read back from its own bytes (``payload``).

    Raises:
        ToolFailedError: the probe told something that no record can hold.
    """
    statement = _statement(source, image, report, tried)
    ours = _annotations(source, image, runner, report, tried) | {"startedOn": utc(started), "finishedOn": utc(finished)}
    statement["predicate"]["configuration"][0]["annotations"] = ours
    try:
        data = canonical(statement)
    except (ValueError, TypeError, RecursionError):
        raise ToolFailedError("the probe told something that is no JSON") from None
    read = parse_record("the new record", data)
    if isinstance(read, Problem):
        raise ToolFailedError(f"the probe told something that no record can hold: {read.message}")
    return read


def _statement(source: Source, image: ImageReference | None, report: Report, tried: Tried | None) -> dict[str, Any]:
    """Give the in-toto statement without what is ours: subjects, results, the probe's digest."""
    subject: list[dict[str, Any]] = [
        {
            "name": TREE_SUBJECT,
            "digest": {"gitTree": source.tree},
            "annotations": {"objectFormat": source.object_format, "excluded": list(source.excluded)},
        }
    ]
    if image is not None:
        name = image.repository + (f":{image.tag}" if image.tag else "")
        subject.append(
            {"name": IMAGE_SUBJECT, "uri": name, "digest": {"sha256": (image.digest or "").removeprefix("sha256:")}}
        )
    passed, failed = _outcome(report, tried)
    probe = hashlib.sha256(PROBE.read_bytes()).hexdigest()
    return {
        "_type": STATEMENT_TYPE,
        "predicateType": PREDICATE_TYPE,
        "subject": subject,
        "predicate": {
            "result": "FAILED" if failed else "PASSED",
            "passedTests": passed,
            "warnedTests": [],
            "failedTests": failed,
            "configuration": [{"name": PROBE_NAME, "digest": {"sha256": probe}}],
        },
    }


def _annotations(
    source: Source, image: ImageReference | None, runner: Runner, report: Report, tried: Tried | None
) -> dict[str, Any]:
    """Give what is ours in the record, but for the times."""
    launcher = {
        "runner": runner.name,
        "digestSource": runner.digest_source if image else None,
        "platform": runner.platform,
        "network": runner.network,
    }
    ran = None
    if tried is not None:
        ran = {"argv": list(tried.argv), "exit": tried.exit, "seconds": round(tried.seconds, 3)}
    return {
        "schema": SCHEMA,
        "mode": report.mode,
        "framework": report.framework,
        "deviceKind": report.device,
        "source": {"commit": source.commit, "dirty": bool(source.dirty or source.untracked)},
        "launcher": launcher,
        "command": ran,
        "environment": report.facts,
        "devices": report.devices,
        "checks": report.checks,
    }


def _outcome(report: Report, tried: Tried | None) -> tuple[list[str], list[str]]:
    """Give the ids of what passed and of what failed; the project's own check is called ``command``."""
    passed: list[str] = []
    failed: list[str] = []
    for check in report.checks:
        if isinstance(check, dict) and isinstance(check.get("id"), str) and check.get("status") != "skipped":
            (passed if check.get("status") == "passed" else failed).append(check["id"])
    if tried is not None:
        (passed if tried.exit == 0 else failed).append("command")
    return passed, failed
