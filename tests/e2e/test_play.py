"""The play: honest and hostile pushes in random order at a guarded remote, each held against what is known of it.

Hypothesis chooses (and makes a failure short); real git pushes; the model in playground.py says what must come of it.
CI plays the same game every time. For another one, for as long as you like:
``PTGUARD_PLAY_SECONDS=600 .venv/bin/python -m pytest -s tests/e2e/test_play.py``.
"""

import itertools
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.e2e.playground import KINDS, MAIN, SIGNERS, Commit, Playground, Policy, Tag, landed
from tests.support import KeyChain

pytestmark = pytest.mark.e2e

# As it was when pytest started: the fixture `env` takes away what a test must not see.
SECONDS = float(os.environ.get("PTGUARD_PLAY_SECONDS", "0"))
EXAMPLES, STEPS, AT_MOST = 14, 24, 240.0

number = st.integers(0, 63)  # of a commit, tag or ref, counted from the newest; taken modulo how many there are
policies = st.one_of(
    st.none(),
    st.none(),
    st.sets(st.sampled_from(SIGNERS), min_size=1).map(frozenset),
    st.sampled_from(["broken", "empty", "gone"]),
)
BRANCHES = ("main", "release/1", "release/2", "work", "feature/x", "v3.0")
HOW = ("branch", "branch", "branch", "no branch", "tag", "tag", "tag", "tag elsewhere", "no tag", "commit", "odd")
wish = st.tuples(st.sampled_from(HOW), number, number)


class Play(RuleBasedStateMachine):
    """One game: a workshop in which things are made, a remote to which they are pushed."""

    template: ClassVar[Playground]
    stop: ClassVar[float]
    seen: ClassVar[Counter[str]]

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="play-", dir=self.template.root.parent))
        self.ground = self.template.copy_to(self.folder / "game")
        self.expected = self.ground.refs()
        self.tags: dict[str, str] = {}
        self.attempts = 0

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder, ignore_errors=True)

    def _commit(self, at: int) -> Commit:
        return self.ground.commits[-1 - at % len(self.ground.commits)]

    def _tag(self, at: int) -> Tag | None:
        return self.ground.tags[-1 - at % len(self.ground.tags)] if self.ground.tags else None

    # --------------------------------------------------------------------------------- making things

    @rule(at=number, more=st.integers(0, 2), policy=policies, listed=st.integers(0, 9), date=st.integers(-9, 9))
    def somebody_commits(self, at: int, more: int, policy: Policy | None, listed: int, date: int) -> None:
        parent = self._commit(at)
        self.ground.commit(
            parent, version=parent.version + more, policy=parent.policy if policy is None else policy,
            listed=listed > 0, date=100_000 * date,
        )  # fmt: skip

    @rule(at=number, name=st.integers(0, 5), signer=st.sampled_from(SIGNERS), kind=st.sampled_from(KINDS))
    def somebody_tags(self, at: int, name: int, signer: str, kind: str) -> None:
        commit = self._commit(at)
        version = {4: commit.version + 1, 5: None}.get(name, commit.version)
        self.ground.tag(commit, version, signer, kind)

    # --------------------------------------------------------------------------------- pushing

    @rule(
        at=st.sampled_from([0, 0, 0, 1, 2, 5]), more=st.sampled_from([1, 0, 2, -1]), policy=policies,
        listed=st.integers(0, 5),
        name=st.integers(0, 9), signer=st.sampled_from(SIGNERS), kind=st.sampled_from(KINDS),
        to=st.sampled_from(["main", "main", "release/1", "work", ""]), wishes=st.lists(wish, max_size=2),
        atomic=st.booleans(), hostile=st.booleans(),
    )  # fmt: skip
    def somebody_tries(
        self, at: int, more: int, policy: Policy | None, listed: int, name: int, signer: str, kind: str, to: str,
        wishes: list[tuple[str, int, int]], *, atomic: bool, hostile: bool,
    ) -> None:  # fmt: skip
        """Commit on what main is or was, tag that, and push both, or only the tag, with whatever else."""
        parent = self.ground.by_oid(self.expected[MAIN]) if at == 0 else self._commit(at)
        commit = self.ground.commit(
            parent, version=max(parent.version + more, 0), listed=listed > 0,
            policy=parent.policy if policy is None else policy,
        )  # fmt: skip
        version = {8: commit.version + 1, 9: None}.get(name, commit.version)
        tag = self.ground.tag(commit, version, signer, kind)
        updates: dict[str, str | None] = {f"refs/heads/{to}": commit.oid} if to else {}
        for how, first, second in wishes:
            updates |= self._update(how, first, second)
        self._push({**updates, f"refs/tags/{tag.name}": tag.oid}, atomic=atomic, hostile=hostile)

    @rule(wishes=st.lists(wish, min_size=1, max_size=4), atomic=st.booleans(), hostile=st.booleans())
    def somebody_pushes(self, wishes: list[tuple[str, int, int]], *, atomic: bool, hostile: bool) -> None:
        updates: dict[str, str | None] = {}
        for how, first, second in wishes:
            updates |= self._update(how, first, second)
        self._push(updates, atomic=atomic, hostile=hostile)

    @rule(at=number, together=st.booleans(), atomic=st.booleans(), back=st.sampled_from([False, False, False, True]))
    def somebody_releases(self, at: int, *, together: bool, atomic: bool, back: bool) -> None:
        """Release as it should be done: the next version but one on main, signed by somebody who may, if anybody may.

        ``back``: the one before main's, which nobody has released, so that it is all good but not newer.
        """
        parent = self.ground.by_oid(self.expected[MAIN])
        may = parent.policy if isinstance(parent.policy, frozenset) else frozenset({"li-wei"})
        version = parent.version - 1 if back and parent.version else 2 + max(c.version for c in self.ground.commits)
        commit = self.ground.commit(parent, version=version, policy=may)
        tag = self.ground.tag(commit, version, sorted(may)[at % len(may)], "good")
        updates: dict[str, str | None] = {MAIN: commit.oid}
        if not together:
            self._push(updates, atomic=atomic, hostile=False)
            updates = {}
        self._push({**updates, f"refs/tags/{tag.name}": tag.oid}, atomic=atomic, hostile=False)

    def _update(self, how: str, first: int, second: int) -> dict[str, str | None]:
        """Give what a wish comes to: a ref, and what it shall be; nothing where there is nothing to do it with."""
        there = sorted(self.expected)
        branches = [ref for ref in there if ref.startswith("refs/heads/")]
        tags = [ref for ref in there if ref.startswith("refs/tags/")]
        tag, other = self._tag(first), self._tag(second)
        match how:
            case "branch":
                return {f"refs/heads/{BRANCHES[second % len(BRANCHES)]}": self._commit(first).oid}
            case "no branch":
                return {branches[first % len(branches)]: None}
            case "tag" if tag:
                return {f"refs/tags/{tag.name}": tag.oid}
            case "tag elsewhere" if tag and other:
                return {f"refs/tags/{other.name}": tag.oid}
            case "no tag" if tags:
                return {tags[first % len(tags)]: None}
            case "commit" if tag:
                return {f"refs/tags/{tag.name}": self._commit(second).oid}
            case "odd" if tag:
                return {f"refs/Tags/{tag.name}": tag.oid}
        return {}

    def _push(self, wanted: dict[str, str | None], *, atomic: bool, hostile: bool) -> None:
        # What stands already as it shall be is not sent by git.
        before = self.expected
        updates = {ref: oid for ref, oid in wanted.items() if before.get(ref) != oid}
        if not updates or time.monotonic() > self.stop:
            return
        why = self.ground.refused(updates, before)
        code, screen = self.ground.push(updates, atomic=atomic, hostile=hostile)
        self.seen.update({word.partition(": ")[2] for word in why} or self._landed(updates))
        told = f"\n{updates}\nfrom {before}\nmust be refused: {why or 'no'}\n{screen}"
        self.expected = before if why else landed(before, updates)
        after = self.ground.refs()
        assert after == self.expected, f"{sorted(set(after.items()) ^ set(self.expected.items()))}{told}"
        assert (code != 0) is bool(why), told
        assert not why or "remote: ptguard: refused" in screen, told
        assert "Traceback" not in screen, told
        touched = {ref for ref in updates if ref.lower().startswith("refs/tags/")}
        self.attempts += len(touched)
        if not why:
            self.tags |= {ref: oid for ref in touched if (oid := updates[ref])}

    def _landed(self, updates: dict[str, str | None]) -> set[str]:
        """Name what is about to land, so that a play in which nothing of it ever does is found out."""
        tags = any(ref.startswith("refs/tags/") for ref in updates)
        branches = any(ref.startswith("refs/heads/") and ref != MAIN for ref in updates)
        words = {"tag": tags, "branch": branches, "main": MAIN in updates, "tag with main": tags and MAIN in updates}
        return {f"landed {word}" for word, it_is in words.items() if it_is}

    # --------------------------------------------------------------------------------- held at every step

    @invariant()
    def no_tag_has_moved_or_gone_and_each_was_accepted(self) -> None:
        if not hasattr(self, "ground"):
            return
        now = {ref: oid for ref, oid in self.ground.refs().items() if not ref.startswith("refs/heads/")}
        assert now == self.tags

    @invariant()
    def every_attempt_has_its_receipt_and_every_tag_one_of_acceptance(self) -> None:
        log = self.ground.remote / "ptguard" / "receipts.jsonl" if hasattr(self, "ground") else Path("/nowhere")
        rows = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        if hasattr(self, "ground"):
            assert len(rows) == self.attempts
            accepted = {(row["ref"], row["object"]) for row in rows if row["decision"] == "accept"}
            assert set(self.tags.items()) <= accepted


def play(examples: int, *, derandomize: bool) -> None:
    """Play ``examples`` games."""
    run_state_machine_as_test(
        Play,
        settings=settings(
            max_examples=examples, stateful_step_count=STEPS, derandomize=derandomize, deadline=None, database=None,
            suppress_health_check=list(HealthCheck), print_blob=True,
        ),
    )  # fmt: skip


def test_the_play(keychain: KeyChain, tmp_path: Path) -> None:
    Play.template = Playground.build(tmp_path / "template", keychain)
    Play.seen = Counter()
    begun = time.monotonic()
    Play.stop = begun + (SECONDS or AT_MOST)
    if not SECONDS:
        play(EXAMPLES, derandomize=True)
        assert {"landed tag", "landed branch", "landed main"} <= set(Play.seen), Play.seen
        assert len(Play.seen) >= 8 or time.monotonic() > Play.stop, Play.seen
        return
    for chosen in itertools.count(int(time.time())):
        if time.monotonic() > Play.stop:
            break
        tell(f"seed {chosen} after {time.monotonic() - begun:.0f} s: {dict(Play.seen)}")
        seed(chosen)(Play)
        play(EXAMPLES, derandomize=False)


def tell(words: str) -> None:
    """Say how far a long play is, where ``-s`` lets it be seen."""
    sys.stderr.write(f"the play: {words}\n")


def test_model_and_guard_agree_on_each_kind(keychain: KeyChain, tmp_path: Path) -> None:
    """Each thing that the model knows, met once in a real push; the play meets them as chance has it."""
    Play.template, Play.seen = Playground.build(tmp_path / "template", keychain), Counter()
    Play.stop = time.monotonic() + AT_MOST
    game = Play()
    game.begin()
    try:
        for word, updates in _script(game.ground):
            Play.seen.clear()
            game._push(updates, atomic=False, hostile=True)
            assert word in Play.seen, (word, updates, Play.seen)
            game.no_tag_has_moved_or_gone_and_each_was_accepted()
            game.every_attempt_has_its_receipt_and_every_tag_one_of_acceptance()
    finally:
        game.teardown()


def _script(ground: Playground) -> Iterator[tuple[str, dict[str, str | None]]]:
    """Give pushes, each with the word that the model must have for it."""
    first = ground.commits[0]
    may = frozenset({"li-wei", "bot"})

    def tag(commit: Commit, signer: str = "bot", kind: str = "good", version: int | None = 0) -> dict[str, str | None]:
        made = ground.tag(commit, commit.version if version == 0 else version, signer, kind)
        return {f"refs/tags/{made.name}": made.oid}

    for kind in sorted(set(KINDS) - {"good"}):
        yield "not a good tag under this name", tag(first, kind=kind)
    yield "not a good tag under this name", tag(first, version=None)
    yield "signed by somebody who may not", tag(first, "mallory")
    yield "signed by somebody who may not", tag(first, "eve")
    yield "not what the code and the changelog say", tag(first, version=2)
    good = tag(first, "li-wei")
    (name,) = good
    yield "no such namespace", {name.replace("tags", "Tags"): good[name]}
    yield "landed tag", good
    yield "moved or deleted", tag(first)
    yield "moved or deleted", {name: None}
    yield "would shadow a tag", {name.replace("tags", "heads"): first.oid}
    unlisted = ground.commit(first, version=2, policy=may, listed=False)
    yield "not what the code and the changelog say", {MAIN: unlisted.oid, **tag(unlisted)}
    same = ground.commit(first, version=1, policy=may)
    yield "landed main", {MAIN: same.oid}
    lower = ground.commit(same, version=0, policy=may)
    yield "not newer", {MAIN: lower.oid, **tag(lower)}
    second = ground.commit(same, version=2, policy=may)
    yield "on no release branch", tag(second)
    yield "on no release branch", {"refs/heads/release/1": second.oid, **tag(second)}
    yield "landed tag with main", {MAIN: second.oid, **tag(second)}
    yield "landed branch", {"refs/heads/v3.0": second.oid}
    third = ground.commit(second, version=3, policy=may)
    yield "shadowed", {MAIN: third.oid, **tag(third)}
    yield "landed tag with main", {"refs/heads/v3.0": None, MAIN: third.oid, **tag(third)}
    yield "would be gone", {MAIN: None}
    yield "would be rewound", {MAIN: second.oid}
    for policy in ("gone", "empty"):
        yield "its policy would be gone", {MAIN: ground.commit(third, version=3, policy=policy).oid}
    usurped = ground.commit(third, version=4, policy=frozenset({"mallory"}))
    yield "signed by somebody who may not", {MAIN: usurped.oid, **tag(usurped, "mallory")}
    broken = ground.commit(third, version=4, policy="broken")
    yield "landed main", {MAIN: broken.oid}
    yield "it is broken", tag(broken)
    mended = ground.commit(broken, version=4, policy=may)
    yield "landed main", {MAIN: mended.oid}
    yield "landed tag", tag(mended)
