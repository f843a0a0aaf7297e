"""Making a tag that will stand: judged before it exists, signed by the user's own git, judged again, never pushed."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from ptguard.errors import GitError, ToolFailedError, UsageError
from ptguard.gateways import signing
from ptguard.gateways.git import Git
from ptguard.gateways.repo import Repository, layout
from ptguard.judging import Request, judge_planned, judge_tags, request_now, temporary_home, trusted_policy
from ptguard.model import BRANCH_PREFIX, TAG_PREFIX, Finding, Oid, Policy, Problem, TagVerdict, Verdict
from ptguard.policy import match_rule
from ptguard.remotes import chosen as chosen_remote
from ptguard.tagging.keys import Chosen, Hand, choose
from ptguard.text import sh, shown
from ptguard.trust import Choice, trust_branch
from ptguard.value import replace, value

SIGNATURE = "signature"
_DIGESTS = ("SHA512", "SHA384", "SHA256")


@value
class Wish:
    """The tag that is wanted: its ``name``, the revision it is to name, the paragraphs of its message.

    Without ``messages`` the message is the name. ``remote`` is the remote to judge it for (None: the usual one).
    """

    name: str
    revision: str = "HEAD"
    messages: tuple[str, ...] = ()
    remote: str | None = None


@value
class Plan:
    """What is known before the tag exists. ``chosen`` is None where the rule asks for no signature.

    ``push`` is the line that would publish the tag.
    """

    wish: Wish
    start: Path
    choice: Choice
    commit: Oid
    verdict: Verdict
    chosen: Chosen | None
    digest: str
    push: str

    @property
    def stands(self) -> bool:
        """Whether nothing that was judged stands against the tag; a rule may ask only what a tag object can show."""
        found = self.verdict.tags[0].findings
        return bool(found) and not any(finding.refuses for finding in found)


@value
class Made:
    """What came of it: the verdict on the finished tag; ``oid`` is None where it was refused and taken back."""

    verdict: Verdict
    oid: Oid | None


def plan(start: Path, choice: Choice, wish: Wish) -> Plan:
    """Judge all of the tag that can be judged before it exists, and find the key that is to sign it.

    Raises:
        UsageError: the name is no tag name or taken, the revision is no commit, the message is empty.
        PtguardError: nothing could be judged.
    """
    commit, push = _checked(start, wish)
    request = request_now(start, choice)
    verdict = judge_planned(request, wish.name, commit, wish.remote)
    policy = trusted_policy(request, wish.remote)
    found = _key(policy, wish.name, request.now, start)
    if isinstance(found, Problem):
        verdict = replace(verdict, tags=(_with_finding(verdict.tags[0], found),))
    chosen = None if isinstance(found, Problem) else found
    return Plan(wish, start, choice, commit, verdict, chosen, _digest(policy.limits.digests), push)


def _checked(start: Path, wish: Wish) -> tuple[Oid, str]:
    """Give the commit that is to be tagged, and the line that will publish the tag."""
    name = wish.name
    if not signing.is_name(name):
        what = shown(name) or "an empty text"
        raise UsageError(f"{what} is no name for a tag", fix="man git-check-ref-format   # tells what is")
    if any(not text.strip() for text in wish.messages):
        raise UsageError("the message is empty", fix="ptguard tag NAME -m 'What is in it'   # or leave -m out")
    with Git.open(start) as git:
        if TAG_PREFIX + name in git.refs(TAG_PREFIX):
            raise UsageError(
                f"there is a tag {shown(name)} already; it was not touched",
                fix=f"{sh('ptguard', 'verify', name)}   # judges it; a new release gets a new name",
            )
        commit = git.resolve(f"{wish.revision}^{{commit}}")
        if commit is None:
            raise UsageError(f"{shown(wish.revision)} names no commit here", fix="git log --oneline   # shows some")
        return commit, _push_line(git, wish)


def _push_line(git: Git, wish: Wish) -> str:
    config = git.local_config()
    remote = chosen_remote(config, wish.remote)
    # Beside a branch of that name git would not know which of the two is meant.
    twin = BRANCH_PREFIX + wish.name in git.refs(BRANCH_PREFIX)
    push = sh("git", "push", remote.name if remote else "origin", TAG_PREFIX + wish.name if twin else wish.name)
    if remote is not None:
        return push
    # The guard judges the push by the policy that the new remote has, so the branch that holds it goes first.
    branch = trust_branch(config, git.refs("refs/remotes/"), None)
    return f"git remote add origin URL && {sh('git', 'push', '-u', 'origin', branch)} && {push}"


def _key(policy: Policy, name: str, now: datetime, start: Path) -> Chosen | Problem | None:
    match = match_rule(policy, name)
    if match is None or SIGNATURE not in match.rule.checks:
        return None
    place = layout(start)
    hand = Hand(Repository(start), place.top or place.git_dir)
    return choose(policy, match, name, now, hand)


def _with_finding(tag: TagVerdict, problem: Problem) -> TagVerdict:
    """Put what is wrong with the key where the check of the signature, which cannot run yet, has its place."""
    refusal = Finding.of(SIGNATURE, problem)
    return replace(tag, findings=tuple(refusal if f.check == SIGNATURE else f for f in tag.findings))


def _digest(permitted: Sequence[str]) -> str:
    return next(digest for digest in _DIGESTS if digest in permitted)


def carry_out(plan: Plan) -> Made:
    """Make the tag of an accepted ``plan``, and judge it; whatever keeps it from being accepted takes it back.

    Raises:
        ToolFailedError: signing failed or was cancelled; there is no tag.
        PtguardError: the finished tag could not be judged; it was taken back.
    """
    oid: Oid | None = None
    try:
        said = _sign(plan)
        oid, signed = _standing(plan)
        if not signed:
            raise ToolFailedError(f"git tag -s signed nothing: {said}", fix="mend what it says, then try again")
        verdict = judge_tags(_request(plan), [plan.wish.name], plan.wish.remote)
        judged = verdict.tags[0]
        if (judged.object, judged.commit) != (oid, plan.commit):
            raise GitError(f"the tag {shown(plan.wish.name)} was changed by another program while it was made")
    except signing.NotMadeError:
        raise
    except BaseException:  # also KeyboardInterrupt: a tag that was not accepted must not stay
        _take_back(plan, oid)
        raise
    if verdict.accepted:
        return Made(verdict, oid)
    _take_back(plan, oid)
    return Made(verdict, None)


def _request(plan: Plan) -> Request:
    return request_now(plan.start, plan.choice)  # signing may have taken minutes


def _sign(plan: Plan) -> str:
    key = plan.chosen.key if plan.chosen else None
    order = signing.TagOrder(
        plan.wish.name,
        plan.commit,
        plan.wish.messages or (plan.wish.name,),
        key.use if key else None,
        key.kind if key else None,
        plan.digest if key else None,
        Hand(Repository(plan.start), plan.start).gpg,
    )
    with temporary_home() as home:
        return signing.make_tag(order, plan.start, home)


def _standing(plan: Plan) -> tuple[Oid | None, bool]:
    """Give the tag object under the wanted name, if it is one of the wanted commit, and whether it is signed."""
    name = plan.wish.name
    with Git.open(plan.start) as git:
        oid = git.resolve(TAG_PREFIX + name)
        found = git.info(oid) if oid else None
        if oid is None or found is None or found[1] != "tag":
            return None, False
        text = git.read(oid, "tag", found[2])
        head = f"object {plan.commit}\ntype commit\ntag {name}\n".encode("utf-8", "surrogateescape")
        return (oid, b"\n-----BEGIN " in text) if text.startswith(head) else (None, False)


def _take_back(plan: Plan, oid: Oid | None) -> None:
    """Delete the tag that this call made, by its very id; another one under the name stays."""
    with signing.undisturbed():
        standing, _ = _standing(plan)
        if standing is not None and oid in (None, standing):
            signing.delete_tag(plan.wish.name, standing, plan.start)
