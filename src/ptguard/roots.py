"""Who changed the policy: the commits that change what decides, and whose signature stands on each.

What decides is ``policy.toml`` and ``keys/`` of the policy's folder. The records beside them are proofs that are judged
by themselves, and come with every release.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from ptguard.checks import signature
from ptguard.collect_signature import Signatures
from ptguard.errors import PolicyError
from ptguard.gateways.git import Git
from ptguard.model import (
    TAG_PREFIX,
    Evidence,
    Finding,
    Mode,
    Oid,
    Policy,
    PolicyChange,
    Problem,
    RefUpdate,
    RemoteState,
    RuleMatch,
    TagObject,
    TagRule,
)
from ptguard.parse.commit import MAX_COMMIT_BYTES, parse_commit
from ptguard.text import shown
from ptguard.trust import POLICY_FOLDER, Anchor, read_policy
from ptguard.value import replace

WATCHED: Final = ("policy.toml", "keys")
State = tuple[Oid | None, ...]
"""The object ids of what decides, in the order of WATCHED; None where there is no such path."""

History = Sequence[tuple[Oid, tuple[Oid, ...]]]
_ANY_AGE: Final = timedelta(days=36525)


def states(git: Git, commits: Sequence[Oid]) -> dict[Oid, State]:
    """Give what decides at each of ``commits``.

    Raises:
        GitError: git could not say.
    """
    names = [f"{commit}:{POLICY_FOLDER}/{path}" for commit in commits for path in WATCHED]
    found = [one[0] if one else None for one in git.info_all(names)]
    width = len(WATCHED)
    return {commit: tuple(found[at * width : (at + 1) * width]) for at, commit in enumerate(commits)}


def unsigned(history: History, old: Oid, at: Mapping[Oid, State], signed: Callable[[Oid], bool]) -> Oid | None:
    """Give the first commit of ``history`` that changes what decides and is not ``signed``; None where there is none.

    ``history`` holds the commits that a push adds to a branch at ``old``, none before its parents. A commit that goes
    on from ``old`` may have what those of its parents have that differ from ``old`` and go on from it too, or what
    ``old`` has where none differs; all else is a change of its own. What stands on other lines counts for nothing until
    such a commit takes it over, so an old state that was once signed cannot be merged back unsigned.
    """
    going_on = {old}
    for commit, parents in history:
        near = [parent for parent in parents if parent in going_on]
        if not near:
            continue
        going_on.add(commit)
        changed = {at[parent] for parent in near} - {at[old]}
        expected = at[old] if not changed else changed.pop() if len(changed) == 1 else None
        if at[commit] != expected and not signed(commit):
            return commit
    return None


class Changes:
    """Judges commits of one repository by the signatures on them; ``home`` is a private folder for keys."""

    def __init__(self, git: Git, now: datetime, home: Path) -> None:
        """Nothing is read yet."""
        self._git, self._now, self._home = git, now, home
        self._signatures: dict[str, Signatures] = {}

    def unsigned(self, old: Oid, new: Oid, policy: Policy) -> tuple[Oid, Finding] | None:
        """Give the first commit between ``old`` and ``new`` that ``[root]`` of ``policy`` does not let be, and why.

        Raises:
            PtguardError: it could not be told.
        """
        history = self._git.history([new], named=False, without=[old])
        why: list[Finding] = []

        def signed(commit: Oid) -> bool:
            finding = self.signer(commit, policy, policy.root, Mode.PUSH)
            why.append(finding)
            return not finding.refuses

        at = states(self._git, [old, *(commit for commit, _ in history)])
        found = unsigned(history, old, at, signed)
        return None if found is None else (found, why[-1])

    def signer(self, commit: Oid, policy: Policy, signers: Sequence[str], mode: Mode) -> Finding:
        """Give what the check ``signature`` says of the signature of ``commit``, were it one of ``signers``'.

        Raises:
            PtguardError: the commit is not here, or a verifier is missing.
        """
        return self._judged(commit, self._read(commit), policy, signers, mode)

    def _read(self, commit: Oid) -> TagObject | Problem:
        return parse_commit(commit, self._git.read(commit, "commit", MAX_COMMIT_BYTES))

    def _judged(
        self, commit: Oid, made: TagObject | Problem, policy: Policy, signers: Sequence[str], mode: Mode
    ) -> Finding:
        # A change may have waited for its review; it cannot be an old one, for it goes on from what stands.
        at_any_age = replace(policy, limits=replace(policy.limits, max_tag_age=_ANY_AGE))
        update = RefUpdate(commit, commit, f"{TAG_PREFIX}{commit}", None)
        evidence = Evidence(
            update,
            mode,
            self._now,
            RuleMatch(TagRule(f"{POLICY_FOLDER}/", (signature.ID,), tuple(signers), ()), "", None),
            RemoteState("", {}, {}),
            object_type="tag",
            tag=made,
            signature=self._of(policy).soon(made)(),
        )
        findings = signature.check(evidence, at_any_age)
        found = next((f for f in findings if f.refuses), findings[0])
        return replace(found, message=_of_a_commit(found), fix=None)

    def _of(self, policy: Policy) -> Signatures:
        """Give the verifier with the keys of ``policy``."""
        name = policy.source.commit or policy.source.sha256
        if name not in self._signatures:
            home = self._home / name
            home.mkdir(mode=0o700)
            self._signatures[name] = Signatures(policy, home)
        return self._signatures[name]

    def history(self, tip: Oid, most: int) -> tuple[PolicyChange, ...]:
        """Give the changes of what decides up to ``tip`` on its first-parent line, newest first, at most ``most``.

        Each is judged by the policy that stood before it, under the rules for history.

        Raises:
            PtguardError: git could not say, or a verifier is missing.
        """
        line = self._git.first_parents(tip, tuple(f"{POLICY_FOLDER}/{path}" for path in WATCHED), most)
        return tuple(self._change(commit) for commit in line)

    def _change(self, commit: Oid) -> PolicyChange:
        made = self._read(commit)
        before = self._git.parents(commit)[:1]
        at = states(self._git, [commit, *before])
        stood = at[before[0]] if before else (None,) * len(WATCHED)
        paths = tuple(path for path, old, new in zip(WATCHED, stood, at[commit], strict=True) if old != new)
        if isinstance(made, Problem):
            return PolicyChange(commit, self._now, "", paths, "malformed", made.message)
        by = f"{made.tagger.name} <{made.tagger.email}>"
        change = PolicyChange(commit, made.tagger.when, by, paths, "first", "no policy stood before it")
        if before and self._git.info(before[0]) is None:
            why = "the commit before it is not here: git fetch --unshallow"
            return replace(change, reason="could-not-decide", message=why)
        if stood[0] is None:
            return change
        policy = self._policy_at(before[0])
        if policy is None:
            return replace(change, reason="could-not-decide", message="the policy before it cannot be read")
        finding = self._judged(commit, made, policy, policy.root or tuple(policy.signers), Mode.AUDIT)
        return replace(
            change,
            reason=finding.reason,
            message=finding.message,
            signer=finding.signer,
            fingerprint=finding.fingerprint,
            allowed=not finding.refuses if policy.root else None,
        )

    def _policy_at(self, commit: Oid) -> Policy | None:
        try:
            return read_policy(self._git, Anchor(commit, commit, None, None), None)
        except PolicyError:
            return None


def _of_a_commit(finding: Finding) -> str:
    """Give the finding's words where the check speaks of tags."""
    match finding.reason:
        case "unsigned":
            return "it has no signature"
        case "signer-not-allowed":
            return f"it is signed by {finding.signer}"
        case "bad-signature":
            return "its signature does not fit it"
        case _:
            return finding.message


def words(found: tuple[Oid, Finding], policy: Policy, branch: str) -> PolicyError:
    """Give why a push to the trust branch is refused, whose commit changes what decides without a root signature."""
    commit, finding = found
    who = " or ".join(policy.root)
    return PolicyError(
        f"commit {commit} changes the release policy on {shown(branch)}, and [root] lets only {who} do that: "
        f"{finding.reason}: {finding.message}",
        fix=f"one of them: git rebase --exec 'git commit --amend --no-edit -S' origin/{shown(branch)}, then push again",
    )
