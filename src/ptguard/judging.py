"""Judging a push or some tags of a clone from end to end: the one way that every command goes."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ptguard.collect import Collector, Scene
from ptguard.collect_signature import MAX_AHEAD
from ptguard.errors import PolicyError, PtguardError, ToolFailedError, UsageError
from ptguard.gateways.git import Git, Refs
from ptguard.later import apart, finish
from ptguard.model import BRANCH_PREFIX, TAG_PREFIX, Mode, Oid, Policy, RefUpdate, RemoteState, TagVerdict, Verdict
from ptguard.parse.refs import parse_pre_push
from ptguard.remotes import Clone, Remote, chosen, configured, of_push, state_by_asking, state_from_push
from ptguard.text import sh, shown
from ptguard.trust import Choice, client_policy
from ptguard.value import replace, value
from ptguard.verdict import judge

TEMP_PREFIX: Final = "ptguard-"
_WORTH_IT: Final = 4
"""Below that many tags, gpg's wait for one is better spent on reading the tree of another."""


@value
class Request:
    """What to judge from where: the folder of the clone, the policy by name (if any), the clock's one reading."""

    start: Path
    choice: Choice
    now: datetime


def request_now(start: Path, choice: Choice | None = None) -> Request:
    """Give the request of a command that starts now."""
    return Request(start, choice or Choice(), datetime.now(UTC))


@value
class Unjudged:
    """A push that is let through unseen; ``note`` says why where the reader might wonder."""

    note: str | None


@apart
def judge_push(
    request: Request, remote_name: str, url: str, lines: bytes, opened: Callable[[], Git] | None = None
) -> Verdict | Unjudged:
    """Judge the tags of a push from the lines of git's pre-push hook; unjudged where no tag is pushed.

    A remote with local config ``remote.<name>.ptguard = false`` is let through with a note. ``opened`` gives the
    repository of ``request`` where somebody has begun to open it already.

    Raises:
        PtguardError: nothing could be judged; the push must be refused.
    """
    updates = parse_pre_push(lines)
    tags = tuple(update for update in updates if update.is_tag)
    if not tags:
        return Unjudged(None)
    with opened() if opened else Git.open(request.start) as git:
        config = git.local_config()
        remote = of_push(git, config, remote_name, url)
        if remote is not None and remote.exempt:
            return Unjudged(
                f"tags for {shown(remote.name)} are not judged: git config remote.{shown(remote.name)}.ptguard"
            )
        refs = _refs(git, remote)
        state = state_from_push(remote, remote_name, refs, updates)
        clone = Clone(git, config, refs, remote, state, updates)
        try:
            policy = client_policy(clone, request.choice)
        except PolicyError as error:
            raise _first_push(error, updates, tags, remote_name) from error
        return judge_updates(request, clone, policy, tags, Mode.PUSH, published=_on_canonical(clone))


@apart
def judge_tags(
    request: Request, tags: Sequence[str], wanted_remote: str | None = None, *, published: bool = False
) -> Verdict:
    """Judge tags that stand in the clone, as if they were pushed now; no ``tags``: all that name HEAD's commit.

    ``published`` judges as history: the key must have been good when it signed.

    Raises:
        PtguardError: nothing could be judged: an unknown tag, no policy, not a repository.
    """
    with Git.open(request.start) as git:
        clone = asked_clone(git, wanted_remote)
        refs = clone.refs
        names = [_tag_ref(refs, name) for name in tags] if tags else _at_head(git, refs)
        policy = client_policy(clone, request.choice)
        updates = tuple(RefUpdate(ref, refs[ref], ref, clone.state.tags.get(ref)) for ref in dict.fromkeys(names))
        return judge_updates(request, clone, policy, updates, Mode.PUBLISHED if published else Mode.VERIFY)


@apart
def judge_planned(
    request: Request, name: str, commit: Oid, wanted_remote: str | None = None, *, offline: bool = False
) -> Verdict:
    """Judge all of a tag called ``name`` on ``commit`` that can be judged before it exists.

    ``offline``: the remote is not asked, so that what is said of it is what was last fetched.

    Raises:
        PtguardError: nothing could be judged.
    """
    ref = TAG_PREFIX + name
    with Git.open(request.start) as git:
        clone = (known_clone if offline else asked_clone)(git, wanted_remote)
        policy = client_policy(clone, request.choice)
        update = RefUpdate(ref, commit, ref, clone.state.tags.get(ref))
        with temporary_home() as home:
            scene = Scene(replace(clone, updates=(update,)), policy, Mode.VERIFY, request.now, home)
            found = judge(Collector(scene).planned(update), policy)
    return Verdict(Mode.VERIFY, request.now, policy.source, (found,), tuple(notes(policy, clone.state)))


def trusted_policy(request: Request, wanted_remote: str | None = None) -> Policy:
    """Give the policy that would decide on a push now, from what is known here: the network is not asked.

    Raises:
        PtguardError: there is none to be trusted, or it has mistakes.
    """
    with Git.open(request.start) as git:
        return client_policy(known_clone(git, wanted_remote), request.choice)


def known_clone(git: Git, wanted_remote: str | None) -> Clone:
    """Give the clone with what is known of its remote here: the network is not asked."""
    config = git.local_config()
    remote = chosen(config, wanted_remote)
    refs = _refs(git, remote)
    state = state_from_push(remote, remote.name, refs, ()) if remote else state_by_asking(git, None, refs)
    return Clone(git, config, refs, remote, state)


def asked_clone(git: Git, wanted_remote: str | None) -> Clone:
    """Give the clone with what its remote says when asked now."""
    config = git.local_config()
    remote = chosen(config, wanted_remote)
    refs = _refs(git, remote)
    return Clone(git, config, refs, remote, state_by_asking(git, remote, refs))


def judge_updates(
    request: Request,
    clone: Clone,
    policy: Policy,
    tags: Sequence[RefUpdate],
    mode: Mode,
    *,
    published: frozenset[Oid] | None = None,
) -> Verdict:
    """Judge ``tags`` of a clone by ``policy``, in their order.

    ``published``: the tag objects that are history already, where there is a canonical remote that has some; else None.

    Raises:
        PtguardError: nothing could be judged.
    """
    with temporary_home() as home:
        collector = Collector(Scene(clone, policy, mode, request.now, home, published), tags)
        judged = dict(_each(collector, policy, tags))
    verdicts = tuple(judged[at] for at in range(len(tags)))
    return Verdict(mode, request.now, policy.source, verdicts, tuple(notes(policy, clone.state)))


def _each(collector: Collector, policy: Policy, tags: Sequence[RefUpdate]) -> Iterator[tuple[int, TagVerdict]]:
    """Give the verdict on each of ``tags`` with its place, in an order in which little is done twice."""
    order = collector.in_order(tags)
    for group in in_groups(order, lambda places: collector.look_ahead([tags[at] for at in places])):
        yield from ((at, judge(collector.evidence(tags[at]), policy)) for at in group)


def in_groups(order: Sequence[int], look_ahead: Callable[[Sequence[int]], None]) -> Iterator[Sequence[int]]:
    """Give ``order`` in groups, each looked at ahead while the one before it is judged; few are no group."""
    groups = [order[start : start + MAX_AHEAD] for start in range(0, len(order), MAX_AHEAD)]
    for number, group in enumerate(groups):
        ahead = groups[number : number + 2] if number == 0 else groups[number + 1 : number + 2]
        for next_one in ahead:
            if len(next_one) >= _WORTH_IT:
                look_ahead(next_one)
        yield group


@contextmanager
def temporary_home() -> Iterator[Path]:
    """Give a private folder for keys and signatures that is gone afterwards, whatever happens.

    Raises:
        ToolFailedError: none can be made.
    """
    try:
        folder = tempfile.TemporaryDirectory(prefix=TEMP_PREFIX, ignore_cleanup_errors=True)
    except OSError as error:
        why = shown(error.strerror or str(error))
        raise ToolFailedError(f"no temporary folder can be made: {why}", fix="df /tmp; ls -ld /tmp") from error
    with folder as name:
        try:
            yield Path(name)
        finally:
            finish()  # nothing may write there any more


def _refs(git: Git, remote: Remote | None) -> Refs:
    """Read every ref that may matter once: tags, local branches, and what follows the remote's branches."""
    tracking = remote.tracking(f"{BRANCH_PREFIX}*") if remote else None
    return git.refs(TAG_PREFIX, BRANCH_PREFIX, (tracking or "refs/remotes/").split("*", 1)[0])


def _on_canonical(clone: Clone) -> frozenset[Oid] | None:
    """Give the tag objects that the canonical remote has, where the push goes to another one, else None.

    Such tags are history: they get its rules of time. Where the canonical remote cannot be asked, none is.
    """
    home = configured(clone.config, clone.config.get("ptguard.remote", ("origin",))[-1])
    if home is None or clone.remote is None or clone.remote.name == home.name:
        return None
    try:
        return frozenset(oid for ref, oid in clone.git.ls_remote(home.name).items() if ref.startswith(TAG_PREFIX))
    except PtguardError:
        return frozenset()


def _first_push(
    error: PolicyError, updates: Sequence[RefUpdate], tags: Sequence[RefUpdate], remote: str
) -> PolicyError:
    """Say the way of a first release, where the push brings the branch and the tag at once."""
    branch = next((u for u in updates if u.remote_ref.startswith(BRANCH_PREFIX) and u.remote_oid is None), None)
    if branch is None or error.problems:
        return error
    first = sh("git", "push", "-u", remote, branch.remote_ref.removeprefix(BRANCH_PREFIX))
    return PolicyError(error.message, fix=f"{first}, then {sh('git', 'push', remote, tags[0].tag)}")


def _tag_ref(refs: Refs, name: str) -> str:
    for ref in (TAG_PREFIX + name, name):
        if ref.startswith(TAG_PREFIX) and ref in refs:
            return ref
    raise UsageError(f"there is no tag {shown(name)} here", fix="git fetch --tags   # or: git tag --list")


def _at_head(git: Git, refs: Refs) -> list[str]:
    head = git.resolve("HEAD^{commit}")
    at = git.tags_at(head) if head else ()
    found = [TAG_PREFIX + name for name in at if TAG_PREFIX + name in refs]
    if not found:
        raise UsageError("no tag names HEAD's commit", fix="ptguard verify TAG   # git tag --list shows them")
    return found


def notes(policy: Policy, state: RemoteState) -> list[str]:
    """Give what the reader should know of the policy and the remote beside the findings."""
    notes = []
    if state.none:
        notes.append(f"no remote is configured: the policy is that of {policy.source.source}")
    if policy.source.stale:
        fetch = sh("git", "fetch", state.name)
        notes.append(f"{policy.source.source} is not where {state.name} has it now: {fetch}; the policy may differ")
    return notes
