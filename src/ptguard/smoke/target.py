"""What a run is for: the trusted policy of the clone, without asking the remote, and the image that HEAD declares."""

from pathlib import Path

from ptguard.collect_image import declared_images
from ptguard.errors import UsageError
from ptguard.gateways.git import Git
from ptguard.model import BRANCH_PREFIX, DeclaredImage, ImageReference, Policy, Problem, RemoteState
from ptguard.parse.image import parse_reference
from ptguard.remotes import Clone, chosen
from ptguard.snapshot import Snapshot
from ptguard.trust import Choice, client_policy
from ptguard.value import value


@value
class Target:
    """The ``policy`` that will judge the record; ``declared`` is None where it names no image."""

    policy: Policy
    declared: DeclaredImage | Problem | None


def find_target(root: Path, choice: Choice) -> Target:
    """Give what the run at ``root`` is for.

    The remote is not asked: a GPU machine may have no network. What counts is the policy as it was last fetched.

    Raises:
        PolicyError: there is no trusted policy, or it has mistakes.
        UsageError: no repository, no commit, or the call names a policy that does not exist.
    """
    with Git.open(root) as git:
        config = git.local_config()
        remote = chosen(config, None)
        tracking = remote.tracking(f"{BRANCH_PREFIX}*") if remote else None
        refs = git.refs(BRANCH_PREFIX, (tracking or "refs/remotes/").split("*", 1)[0])
        state = RemoteState(remote.name, {}, remote.tracked(refs)) if remote else RemoteState("", {}, {}, none=True)
        policy = client_policy(Clone(git, config, refs, remote, state), choice)
        return Target(policy, _declared(git, policy))


def _declared(git: Git, policy: Policy) -> DeclaredImage | Problem | None:
    """Give what the authoritative source of HEAD declares; the push judges the others."""
    if policy.image is None:
        return None
    commit = git.resolve("HEAD^{commit}")
    if commit is None:
        raise UsageError("there is no commit yet that could be tried", fix="git commit")
    if not policy.image.sources:
        return Problem("no-source", "[image] sources is empty", fix='sources = ["Dockerfile"] under [image]')
    return declared_images(Snapshot(git, commit), policy.image.sources[:1])[0]


def reference(text: str | None) -> ImageReference | None:
    """Give the image that ``--image`` names.

    Raises:
        UsageError: it is no image reference.
    """
    if text is None:
        return None
    found = parse_reference(text)
    if isinstance(found, Problem):
        raise UsageError(f"--image: {found.message}", fix="ptguard smoke --image REPOSITORY:TAG@sha256:…")
    return found
