"""Shares of an audit in processes of their own: what each is told, and what it answers, as JSON on its pipes.

A worker reads the policy itself, from the object or file that decided, and must find the same text there. It is one
of our own programs, yet what it says is read as strictly as anybody's.
"""

import json
import os
import queue
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from ptguard.audit.cache import Cache, Known, finding_of, row, rows_of, said_of
from ptguard.audit.share import Judged, Share, judge_share
from ptguard.errors import PtguardError, ToolFailedError
from ptguard.gateways.git import Git
from ptguard.gateways.process import started, stay_together
from ptguard.later import Later
from ptguard.model import Problem, RefUpdate, RemoteState, Status, TagVerdict
from ptguard.remotes import Clone, configured
from ptguard.trust import Choice, client_policy
from ptguard.value import fields, replace

_MODULE: Final = "ptguard.audit.worker"
_LIMIT: Final = 1 << 24
_Answer = Judged | Exception | None


def judged_apart(share: Share, cache: Cache, jobs: int) -> Iterator[Judged]:
    """Judge ``share`` in ``jobs`` processes; what they find comes as they find it.

    Raises:
        ToolFailedError: a worker ended before its share did.
    """
    answers: queue.SimpleQueue[_Answer] = queue.SimpleQueue()  # without bounds: who is called off must not wait here
    parts = [range(len(share.tags) * n // jobs, len(share.tags) * (n + 1) // jobs) for n in range(jobs)]
    for number, part in enumerate(parts):
        # Where the audit is called off, `finish` ends what they started and waits until none of them can start more.
        Later(lambda part=part, number=number: _tend(share, cache, part, number, answers))  # type: ignore[misc]
    left = len(parts)
    while left:
        answer = answers.get()
        if answer is None:
            left -= 1
        elif isinstance(answer, Exception):
            raise answer
        else:
            yield answer


def _tend(share: Share, cache: Cache, part: range, number: int, answers: "queue.SimpleQueue[_Answer]") -> None:
    """Start a worker for ``part`` of the tags and pass on what it answers; None when it has ended well."""
    try:
        home = share.home / f"share-{number}"
        home.mkdir(mode=0o700)
        told = json.dumps(_told(share, cache, part, home)).encode("ascii")
        with started([sys.executable, "-I", "-X", "utf8", "-m", _MODULE], env=dict(os.environ)) as process:
            assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018
            left = memoryview(told)
            while left:  # a signal may cut a write to a pipe short
                left = left[process.stdin.write(left) :]
            process.stdin.close()
            seen = 0
            for line in iter(lambda: process.stdout.readline(_LIMIT), b""):  # type: ignore[union-attr]
                answers.put(_read(line, part))
                seen += 1
            if process.wait() != 0 or seen != len(part):
                raise ToolFailedError(f"a worker of the audit ended after {seen} of {len(part)} tags")
        answers.put(None)
    except BaseException as error:  # it belongs to whoever waits for the answers
        answers.put(error if isinstance(error, Exception) else ToolFailedError("the audit was called off"))


def _told(share: Share, cache: Cache, part: range, home: Path) -> dict[str, Any]:
    """Give all that a worker needs to know."""
    clone, source = share.clone, share.policy.source
    state = clone.state
    tags = [share.tags[at] for at in part]
    return {
        "start": str(clone.git.start.absolute()),
        "home": str(home),
        "now": share.now.isoformat(),
        "remote": clone.remote.name if clone.remote else None,
        "policy": {"commit": source.commit, "file": None if source.commit else source.source, "sha256": source.sha256},
        "rules": [list(rule.checks) for rule in share.policy.rules],
        "state": {
            "name": state.name,
            "tags": dict(state.tags),
            "branches": dict(state.branches),
            "asked": state.asked,
            "none": state.none,
            "problem": None if state.problem is None else _problem(state.problem),
        },
        "updates": [[u.local_ref, u.local_oid, u.remote_ref, u.remote_oid] for u in tags],
        "known": [rows_of(cache.get(u, published=share.is_published(u)).said) for u in tags],
    }


def _problem(problem: Problem) -> dict[str, Any]:
    given = {name: getattr(problem, name) for name in fields(Problem)}
    return {**given, "location": None}  # no place in the tree keeps a remote from answering


def _read(line: bytes, part: range) -> Judged:
    """Give one line of a worker's answer."""
    try:
        answer = json.loads(line)
        if "error" in answer:
            raise ToolFailedError(str(answer["error"]), fix=answer["fix"])
        ref, tag, oid, commit, findings = answer["verdict"]
        verdict = TagVerdict(ref, tag, oid, commit, tuple(map(finding_of, findings)))
        return Judged(part[answer["place"]], verdict, Known(commit, said_of(answer["said"])))
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise ToolFailedError("a worker of the audit answered something else than a verdict") from error


# --------------------------------------------------------------------------------------------- in the worker


def main() -> None:
    """Judge the share that standard input tells of; one line of JSON for each tag."""
    stay_together()  # an audit that is called off ends us, and all that works for us must end with us
    try:
        told = json.loads(sys.stdin.buffer.read())
        for judged in _work(told):
            verdict = judged.verdict
            head = [verdict.ref, verdict.tag, verdict.object, verdict.commit]
            findings = [row(finding) for finding in verdict.findings]
            _say({"place": judged.place, "verdict": [*head, findings], "said": rows_of(judged.news.said)})
    except PtguardError as error:
        _say({"error": error.message, "fix": error.fix})
    sys.stdout.flush()


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer, separators=(",", ":")) + "\n")


def _work(told: dict[str, Any]) -> Iterator[Judged]:
    with Git.open(Path(told["start"])) as git:
        config = git.local_config()
        remote = configured(config, told["remote"]) if told["remote"] else None
        state = told["state"]
        known = RemoteState(**{**state, "problem": _problem_of(state["problem"])})
        updates = tuple(RefUpdate(*update) for update in told["updates"])
        clone = Clone(git, config, git.refs("refs/"), remote, known)
        named = told["policy"]
        policy = client_policy(clone, Choice(Path(named["file"]) if named["file"] else None, named["commit"]))
        if policy.source.sha256 != named["sha256"]:
            raise ToolFailedError("the policy changed while the audit was under way", fix="run it again")
        rules = zip(policy.rules, told["rules"], strict=True)
        policy = replace(policy, rules=tuple(replace(rule, checks=tuple(checks)) for rule, checks in rules))
        share = Share(clone, policy, updates, datetime.fromisoformat(told["now"]), Path(told["home"]))
        yield from judge_share(share, _given(share, told["known"]))


def _problem_of(told: dict[str, Any] | None) -> Problem | None:
    return None if told is None else Problem(**{**told, "status": Status(told["status"])})


def _given(share: Share, known: Sequence[dict[str, Any]]) -> Cache:
    cache = Cache(None)
    for update, said in zip(share.tags, known, strict=True):
        cache.put(update, Known(None, said_of(said)), published=share.is_published(update))
    return cache


if __name__ == "__main__":
    main()
