"""From the lines of a server's pre-receive hook to the verdict on the push, with its receipts."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

from ptguard import roots
from ptguard.errors import PolicyError, PtguardError, UsageError
from ptguard.gateways.git import Git
from ptguard.gateways.process import go_on
from ptguard.gateways.serving import keeps_talking
from ptguard.judging import Request, Unjudged, judge_updates, temporary_home
from ptguard.later import apart
from ptguard.model import (
    BRANCH_PREFIX,
    TAG_PREFIX,
    Finding,
    Mode,
    Oid,
    Policy,
    RefUpdate,
    RemoteState,
    Status,
    TagVerdict,
    Verdict,
)
from ptguard.parse.refs import parse_pre_receive
from ptguard.policy import match_rule
from ptguard.remotes import Clone, Config, Remote
from ptguard.server import leaning, settings, trunk
from ptguard.server.aim import Targets, minds_no_case, read_refs
from ptguard.server.receipts import Receipts
from ptguard.server.settings import Settings
from ptguard.server.store import Store
from ptguard.server.trunk import Trunk
from ptguard.text import sh, shown
from ptguard.trust import Anchor, Choice, named_trust_branch, read_policy, server_anchor
from ptguard.value import replace, value

PUSHED_TO: Final = "origin"
"""What the pusher most likely calls this repository; only words of the mending rest on it."""


@value
class Push:
    """What a push would do. ``updates``: every line, aimed at the ref that it would change; ``claimed``: its old id."""

    clone: Clone
    settings: Settings
    store: Store
    trunk: Trunk
    now: datetime
    updates: tuple[RefUpdate, ...]
    claimed: tuple[Oid | None, ...]

    @property
    def pairs(self) -> Iterator[tuple[RefUpdate, Oid | None]]:
        """The updates with what each claims to have seen as the old id."""
        return zip(self.updates, self.claimed, strict=True)

    @property
    def tags(self) -> tuple[RefUpdate, ...]:
        """The lines that are about tags."""
        return tuple(update for update in self.updates if update.is_tag)

    @property
    def outside(self) -> bool:
        """Whether the policy is a file of the administrator, and the trust branch's decides nothing."""
        return "ptguard.policyfile" in self.clone.config


@apart
def judge_received(lines: bytes, receipts: Receipts, bound: Callable[[float], None]) -> Verdict | Unjudged:
    """Judge a push from the lines of git's pre-receive hook, and keep a receipt for each of its tags that is judged.

    ``receipts`` is told of the push as soon as may be, so that the caller can keep one where this ends otherwise.
    ``bound`` is told how many seconds the administrator allows, and calls this off when they are over.

    Raises:
        PtguardError: nothing could be judged, or the push would take the policy away; it must be refused.
    """
    lines_of = parse_pre_receive(lines)
    if not lines_of:
        return Unjudged(None)
    with Git.receiving() as git:
        push = _push(git, lines_of, receipts)
        bound(push.settings.timeout)
        verdict = _judged(push)
        if verdict is None:
            return Unjudged(None)
        go_on()  # what was called off has findings of programs that were ended
        receipts.judged(verdict)
        return verdict


def _push(git: Git, lines: Sequence[RefUpdate], receipts: Receipts) -> Push:
    config = git.local_config()
    store = Store(git.guard_dir, settings.sharing(config))
    receipts.begin(store, lines)
    refs = read_refs(git, lines)
    target = Targets(git, refs, blind=minds_no_case(config))
    updates = tuple(target.aimed(line) for line in lines)
    receipts.begin(store, updates)
    found = settings.read(git, config if any(u.is_tag for u in updates) else settings.without_limits(config))
    receipts.at_most(found.max_tags)
    branch = _trust_branch(git, config)
    state = RemoteState(
        PUSHED_TO,
        {name: refs[name] for name in refs.under(TAG_PREFIX)},
        {name: refs[name] for name in refs.under(BRANCH_PREFIX)},
        asked=True,
    )
    clone = Clone(
        git, config, refs, Remote(PUSHED_TO, (), exempt=False), state, updates,
        forwards=found.transaction and keeps_talking(), receiving=True,
    )  # fmt: skip
    full = BRANCH_PREFIX + branch
    place = trunk.look(git, store, branch, target(full), refs.get(full))
    return Push(clone, found, store, place, receipts.now, updates, tuple(line.remote_oid for line in lines))


def _trust_branch(git: Git, config: Config) -> str:
    """Give the short name of the trust branch: ``ptguard.trustBranch`` of the repository itself, else HEAD's branch."""
    if (named := named_trust_branch(config)) is not None:
        return named
    head = git.head_branch()
    return head.removeprefix(BRANCH_PREFIX) if head and head.startswith(BRANCH_PREFIX) else "main"


def _judged(push: Push) -> Verdict | None:
    """Give the verdict, or None where nothing in the push is to be judged."""
    if os.environ.get("GIT_NAMESPACE", "").strip("/"):
        _of_a_namespace(push)
        return None
    tags = push.tags
    _each_once(push)
    line, claimed = next((p for p in push.pairs if p[0].remote_ref == push.trunk.ref), (None, None))
    if line is not None and not push.outside:
        trunk.protect(push.clone.git, push.trunk, line, claimed)
        _root(push, line)
    if not tags:
        if line is not None:
            with suppress(PtguardError):  # branches are not to be disturbed; no tag lands where nothing can be written
                trunk.remember(push.store, push.trunk, push.now)
        return _shadows(push)
    trunk.remember(push.store, push.trunk, push.now)
    _bounded(push)
    policy = _policy(push)
    request = Request(push.clone.git.git_dir, Choice(), push.now)
    judged = judge_updates(request, push.clone, policy, tags, Mode.PUSH)
    verdict = replace(judged, tags=(*judged.tags, *_shadowing(push, policy)))
    if verdict.accepted:  # a push that is refused must not free the tags of another one
        _still_there(push)
        leaning.note(push.store, tags, leaning.of(push.clone, policy, verdict))
    return verdict


def _of_a_namespace(push: Push) -> None:
    """Refuse tags of a namespace (gitnamespaces(7)); its branches are none of this repository's own."""
    if any(replace(update, remote_ref=update.local_ref).is_tag for update in push.updates):
        raise UsageError(
            "the push goes to a namespace of the repository, whose tags are not known to the guard",
            fix="push to the repository itself; see gitnamespaces(7)",
        )


def _each_once(push: Push) -> None:
    """Refuse two different lines for one ref: git takes one after the other, and only the first starts from here.

    No git makes such lines.
    """
    lines: dict[str, tuple[Oid | None, Oid | None]] = {}
    for update, claimed in push.pairs:
        asked = (claimed, update.local_oid)
        if lines.setdefault(update.remote_ref, asked) != asked:
            ref = shown(update.remote_ref)
            raise UsageError(f"the push has several lines for {ref}", fix="let git make the push: git push")


def _still_there(push: Push) -> None:
    """Refuse a tag that the push wants to take from what does not stand there (yet): git would do it once it does.

    A deletion of nothing is done by git whatever has come to stand there meanwhile (builtin/receive-pack.c, update).
    """
    for update, claimed in push.pairs:
        if update.is_tag and update.deletion and claimed is None:
            raise UsageError(
                f"the push deletes the tag {shown(update.tag)} from where none is",
                fix="let git make the push: git push",
            )
        if update.is_tag and claimed != update.remote_oid:
            raise UsageError(
                f"the tag {shown(update.tag)} has changed on the server since this push was made",
                fix=sh("git", "ls-remote", PUSHED_TO, update.remote_ref) + "   # what stands there now",
            )


def _root(push: Push, line: RefUpdate) -> None:
    """Hold a push to the trust branch against ``[root]`` of the policy that stands there, or that has stood."""
    git, branch, old, new = push.clone.git, push.trunk.branch, push.trunk.last, line.local_oid
    if old is None or new is None or old == new:
        return
    gone, at = push.trunk.tip is not None and not push.trunk.policy, roots.states(git, [old, new])
    if gone and at[new][0] is None:
        return  # nothing was there, nothing comes
    try:
        policy = read_policy(git, Anchor(f"{BRANCH_PREFIX}{branch} before this push", old, None, branch), None)
    except PolicyError as error:
        if at[old] != at[new] and trunk.asks_for_root(git, old):
            fix = "an administrator mends it on the server: git update-ref"
            raise PolicyError(f"{error.message}, and its [root] can let nobody change it", fix=fix) from error
        return
    if not policy.root:
        return
    if not (gone and at[old] == at[new]):  # what stood may come back as it was, though its going was signed by nobody
        with temporary_home() as home:
            found = roots.Changes(git, push.now, home).unsigned(push.trunk.tip or old, new, policy)
        if found is not None:
            raise roots.words(found, policy, branch)
    # A policy that nobody can read could not be mended: who may is not known then.
    read_policy(git, Anchor(f"{line.remote_ref} after this push", new, None, branch), push.clone.remote)


def _bounded(push: Push) -> None:
    if len(push.tags) > push.settings.max_tags:
        raise UsageError(
            f"the push has {len(push.tags)} tags, more than the {push.settings.max_tags} that are judged here at once",
            fix="push fewer tags at once   # or the administrator: git config --local ptguard.maxTags N",
        )


def _policy(push: Push) -> Policy:
    clone, place = push.clone, push.trunk
    gone = None if push.outside else trunk.missing(place)
    if gone is not None:
        raise gone
    try:
        anchor = server_anchor(clone.config, clone.refs, place.branch)
        return read_policy(clone.git, anchor, clone.remote)
    except PolicyError as error:
        brings = any(u.remote_ref == place.ref and not u.deletion for u in push.updates)
        if error.problems or push.outside or not brings:
            raise
        first = sh("git", "push", "-u", PUSHED_TO, place.branch)
        fix = f"{first}, then {sh('git', 'push', PUSHED_TO, push.tags[0].tag)}"
        raise PolicyError(error.message, fix=fix) from error


def _shadows(push: Push) -> Verdict | None:
    """Judge a push without tags: only a new branch that has the name of a tag can do harm."""
    if not _new_twins(push):
        return None
    try:
        policy = _policy(push)
    except PolicyError:
        return None  # no tag is guarded, and a push without tags is not to be disturbed
    found = _shadowing(push, policy)
    return Verdict(Mode.PUSH, push.now, policy.source, found) if found else None


def _new_twins(push: Push) -> list[RefUpdate]:
    """Give the lines that create a branch with the name of a tag that stands here."""
    tags = push.clone.state.tags
    return [
        line
        for line in push.updates
        if line.remote_ref.startswith(BRANCH_PREFIX)
        and line.remote_oid is None
        and not line.deletion
        and TAG_PREFIX + line.remote_ref.removeprefix(BRANCH_PREFIX) in tags
    ]


def _shadowing(push: Push, policy: Policy) -> tuple[TagVerdict, ...]:
    """Refuse the new branches that have the name of a tag which the policy guards."""
    judged = {update.remote_ref for update in push.tags}
    found = []
    for line in _new_twins(push):
        name = line.remote_ref.removeprefix(BRANCH_PREFIX)
        ref = TAG_PREFIX + name
        if ref not in judged and (match_rule(policy, name) is not None or policy.unmatched == "refuse"):
            found.append(TagVerdict(ref, name, push.clone.state.tags[ref], None, (_shadowed(line.remote_ref, name),)))
    return tuple(found)


def _shadowed(branch: str, name: str) -> Finding:
    return Finding(
        "immutable",
        Status.FAIL,
        "shadowed",
        f"a branch would get the name of the tag {shown(name)}",
        f"{shown(branch)} in this push",
        "no branch of that name: `git clone -b` would take the branch",
        sh("git", "push", PUSHED_TO, f"{branch}:{branch}-branch") + "   # another name",
    )
