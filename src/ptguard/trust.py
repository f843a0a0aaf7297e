"""Whose policy decides: where the trusted policy is found, and reading it from there.

Never the commit that is being judged, and never what the push itself brings; see docs/policy.md, "Whose policy
decides", and docs/adr/0003-whose-policy-decides.md.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from ptguard.checks import discover
from ptguard.errors import PolicyError, UsageError
from ptguard.gateways.files import read_regular
from ptguard.gateways.git import Git, Refs
from ptguard.model import BRANCH_PREFIX, Oid, Policy, Problem, RefUpdate
from ptguard.policy import parse_policy
from ptguard.remotes import Clone, Config, Remote, pushing_to
from ptguard.snapshot import Snapshot
from ptguard.text import sh, shown
from ptguard.value import replace, value

POLICY_FOLDER: Final = ".ptguard"
POLICY_PATH: Final = f"{POLICY_FOLDER}/policy.toml"
MAX_POLICY_BYTES: Final = 1 << 20
MAX_KEY_BYTES: Final = 1 << 18


@value
class Choice:
    """What the caller asked for by name: ``--policy-file`` or ``--policy-ref``."""

    file: Path | None = None
    ref: str | None = None


@value
class Anchor:
    """Where the policy lies: a ``commit`` or a ``file``; ``source`` names it, ``branch`` is the trust branch if any."""

    source: str
    commit: Oid | None
    file: Path | None
    branch: str | None
    stale: bool = False


def client_policy(clone: Clone, choice: Choice) -> Policy:
    """Give the policy that decides on the client, found in the order of docs/policy.md.

    Raises:
        PolicyError: there is none to be trusted, or it has mistakes.
        UsageError: the call names a policy that does not exist.
    """
    anchor = _named(clone.git, clone.config, choice) or _anchor(clone)
    return read_policy(clone.git, anchor, clone.remote)


def _named(git: Git, config: Config, choice: Choice) -> Anchor | None:
    """Give the anchor that the call or the repository's own configuration names, or None."""
    if choice.file and choice.ref:
        raise UsageError("--policy-file and --policy-ref exclude each other", fix="give one of them")
    if choice.file:
        return Anchor(str(choice.file), None, git.start / choice.file, None)
    if choice.ref:
        return _at_ref(git, choice.ref)
    if file := config.get("ptguard.policyfile"):
        return _at_file(file[-1])
    if ref := config.get("ptguard.policyref"):
        return _at_ref(git, ref[-1])
    return None


def _at_file(name: str) -> Anchor:
    if not Path(name).is_absolute():
        raise PolicyError(
            f"git config ptguard.policyFile is {shown(name)!r}, not an absolute path",
            fix=sh("git", "config", "ptguard.policyFile", f"/absolute/path/{Path(name).name}"),
        )
    return Anchor(name, None, Path(name), None)


def _at_ref(git: Git, ref: str) -> Anchor:
    oid = git.resolve(f"{ref}^{{commit}}")
    if oid is None:
        raise UsageError(
            f"the policy ref {shown(ref)} names no commit here", fix="git fetch --all, or name another ref"
        )
    return Anchor(ref, oid, None, None)


def trust_branch(config: Config, refs: Refs, remote: Remote | None) -> str:
    """Give the short name of the trust branch: local ``ptguard.trustBranch``, else the remote's HEAD, else main.

    Raises:
        PolicyError: the configuration names the empty one.
    """
    if (named := named_trust_branch(config)) is not None:
        return named
    if remote is not None:
        prefix = f"refs/remotes/{remote.name}/"
        head = refs.symbolic.get(f"{prefix}HEAD", "")
        if head.startswith(prefix):
            return head.removeprefix(prefix)
    return "main"


def named_trust_branch(config: Config) -> str | None:
    """Give the short name of the trust branch that the repository's own configuration names, or None.

    Raises:
        PolicyError: it names the empty one.
    """
    named = config.get("ptguard.trustbranch")
    if named is not None and not named[-1].strip():
        raise PolicyError("git config ptguard.trustBranch is empty", fix="git config ptguard.trustBranch main")
    return named[-1].removeprefix(BRANCH_PREFIX) if named else None


def server_anchor(config: Config, refs: Refs, branch: str) -> Anchor:
    """Give where a server's policy lies: the administrator's file, else the tip of the trust branch before the push.

    Raises:
        PolicyError: the file's path is not absolute, or the trust branch has no commit yet.
    """
    if file := config.get("ptguard.policyfile"):
        return _at_file(file[-1])
    ref = BRANCH_PREFIX + branch
    if ref not in refs:
        raise PolicyError(
            f"the trust branch {shown(branch)} has no commit here yet, so there is no policy that could judge a tag",
            fix=sh("git", "push", "-u", "origin", branch) + "   # first; then push the tag by itself",
        )
    return Anchor(f"{ref} before this push", refs[ref], None, branch)


def _anchor(clone: Clone) -> Anchor:
    refs, remote, state = clone.refs, clone.remote, clone.state
    branch = trust_branch(clone.config, refs, remote)
    full = BRANCH_PREFIX + branch
    line = next((u for u in clone.updates if u.remote_ref == full), None)
    if line is not None:
        return _before_push(clone.git, line, state.name, branch)
    if state.none:
        return _local(refs, branch)
    if remote is None:
        raise _no_remote(clone)
    tracking = remote.tracking(full)
    commit = _tracked(clone, tracking) if tracking else None
    if tracking is None or commit is None:
        raise _not_fetched(remote, branch, tracking)
    told = state.branches.get(full)
    return Anchor(tracking, commit, None, branch, stale=state.asked and told != commit)


def _tracked(clone: Clone, tracking: str) -> Oid | None:
    """Give the commit that ``tracking`` was fetched at; a symbolic ref, or one to no commit here, follows no branch."""
    oid = None if tracking in clone.refs.symbolic else clone.refs.get(tracking)
    found = clone.git.info(oid) if oid else None
    return found[0] if found and found[1] == "commit" else None


def _no_remote(clone: Clone) -> PolicyError:
    url = clone.state.name
    several = pushing_to(clone.git, clone.config, url)
    if several:
        stand = ", ".join(shown(name) for name in several)
        return PolicyError(
            f"several remotes push to {shown(url)} ({stand}), so it is not known whose policy is to be trusted",
            fix=sh("git", "push", several[0]) + " …   # by the remote's name instead of its URL",
        )
    return PolicyError(
        f"no configured remote pushes to {shown(url)}, so no trusted policy is known for it",
        fix=sh("git", "remote", "add", "NAME", url) + " && git fetch NAME",
    )


def _before_push(git: Git, line: RefUpdate, remote: str, branch: str) -> Anchor:
    """Give the trust branch as the remote has it, when the push itself moves it: never its new tip."""
    if line.remote_oid is None:
        raise PolicyError(
            f"this push would create the trust branch {shown(branch)} on {shown(remote)}, "
            "so there is no policy yet that could judge its tags",
            fix=sh("git", "push", "-u", remote, branch) + "   # first; then push the tag by itself",
        )
    if git.info(line.remote_oid) is None:
        raise PolicyError(
            f"{shown(remote)}'s {shown(branch)} is at {line.remote_oid}, which is not in this clone",
            fix=sh("git", "fetch", remote, branch),
        )
    return Anchor(f"{line.remote_ref} of {remote} before this push", line.remote_oid, None, branch)


def _local(refs: Refs, branch: str) -> Anchor:
    commit = refs.get(BRANCH_PREFIX + branch)
    if commit is None:
        raise PolicyError(
            f"no remote is configured, and there is no local branch {shown(branch)} to take the policy from",
            fix="git config ptguard.trustBranch NAME   # the branch that holds .ptguard/policy.toml",
        )
    return Anchor(f"{BRANCH_PREFIX}{branch} (local: no remote is configured)", commit, None, branch)


def _not_fetched(remote: Remote, branch: str, tracking: str | None) -> PolicyError:
    spec = f"+{BRANCH_PREFIX}{branch}:{tracking or f'refs/remotes/{remote.name}/{branch}'}"
    fetch, push = sh("git", "fetch", remote.name, spec), sh("git", "push", "-u", remote.name, branch)
    return PolicyError(
        f"the trust branch {shown(branch)} of {shown(remote.name)} is not known in this clone",
        fix=f"{fetch}   # if the remote has none yet: {push}",
    )


def read_policy(git: Git, anchor: Anchor, remote: Remote | None) -> Policy:
    """Read the policy at ``anchor``, with its key files beside it.

    Raises:
        PolicyError: it is not there or has mistakes, all of them named.
    """
    read = _file_reader(anchor.file.parent) if anchor.file else _commit_reader(git, anchor)
    text = read(anchor.file.name if anchor.file else "policy.toml", MAX_POLICY_BYTES)
    if isinstance(text, Problem):
        raise _no_policy(anchor, text, remote)
    policy = parse_policy(
        text,
        source=anchor.source if anchor.file else f"{anchor.source}:{POLICY_PATH}",
        commit=anchor.commit,
        read=lambda path: read(path, MAX_KEY_BYTES),
        checks=tuple(discover()),
        trust_branch=anchor.branch,
        stale=anchor.stale,
    )
    # Mistakes name the file; the verdict names the ref.
    return replace(policy, source=replace(policy.source, source=anchor.source))


def _no_policy(anchor: Anchor, problem: Problem, remote: Remote | None) -> PolicyError:
    if anchor.file:
        return PolicyError(f"the policy file {shown(str(anchor.file))} cannot be read: {problem.message}")
    push = sh("git", "push", "-u", remote.name, anchor.branch or "main") if remote else None
    message = f"no policy to judge by at {shown(anchor.source)} ({anchor.commit}): {problem.message}"
    if problem.reason != "missing-file":
        way = f"make {POLICY_PATH} a regular file of at most {MAX_POLICY_BYTES} bytes, commit it"
        return PolicyError(message, fix=f"{way}, then {push}" if push else way)
    made = f"ptguard init && git add {POLICY_FOLDER} && git commit -m 'Add the release policy'"
    return PolicyError(message, fix=f"{made} && {push}" if push else f"{made}   # on {shown(anchor.branch or 'main')}")


Reader = Callable[[str, int], bytes | Problem]


def _commit_reader(git: Git, anchor: Anchor) -> Reader:
    if anchor.commit is None:
        raise PolicyError(f"{shown(anchor.source)} names no commit")
    snapshot = Snapshot(git, anchor.commit)

    def read(path: str, limit: int) -> bytes | Problem:
        found = snapshot.file(f"{POLICY_FOLDER}/{path}", limit)
        return found if isinstance(found, Problem) else found.data

    return read


def _file_reader(folder: Path) -> Reader:
    def read(path: str, limit: int) -> bytes | Problem:
        data = read_regular(folder, path, limit)
        if isinstance(data, Problem) or len(data) <= limit:
            return data
        return Problem("too-large", f"{path} is larger than {limit} bytes")

    return read
