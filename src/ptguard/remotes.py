"""What the clone knows about the remote of a push, without asking it."""

from collections.abc import Mapping, Sequence

from ptguard.errors import PtguardError, UsageError
from ptguard.gateways.git import Git, Refs
from ptguard.model import BRANCH_PREFIX, TAG_PREFIX, Oid, Problem, RefUpdate, RemoteState, Status
from ptguard.text import shown
from ptguard.value import value

Config = Mapping[str, tuple[str, ...]]
_FALSE = ("false", "no", "off", "0", "")


@value
class Remote:
    """A configured remote: its name and fetch refspecs. ``exempt``: ``remote.<name>.ptguard = false``."""

    name: str
    fetch: tuple[str, ...]
    exempt: bool

    def tracking(self, ref: str) -> str | None:
        """Give the local ref that follows the remote's ``ref``, or None (git-fetch(1), CONFIGURED REMOTE-TRACKING)."""
        for spec in self.fetch:
            source, _, target = spec.removeprefix("+").partition(":")
            if target and (mapped := _map(ref, source, target)) is not None:
                return mapped
        return None

    def tracked(self, refs: Refs) -> Mapping[str, Oid]:
        """Give the remote's branches as they stood at the last fetch: full names on the remote with their ids."""
        found: dict[str, Oid] = {}
        for spec in self.fetch:
            source, _, target = spec.removeprefix("+").partition(":")
            for ref, oid in refs.items():
                name = _map(ref, target, source) if target and ref not in refs.symbolic else None
                if name is not None and name.startswith(BRANCH_PREFIX):
                    found[name] = oid
        return found


@value
class Clone:
    """The repository of one call with all that is known around it, read once.

    ``refs`` are its own, ``state`` what the remote has, ``updates`` all lines of the push (none for ``verify``).
    ``forwards``: a branch counts with the tip that the push itself fast-forwards it to; where git could land a tag
    without that branch it must not. ``receiving``: this is the server's side, and ``refs`` are the remote's own.
    """

    git: Git
    config: Config
    refs: Refs
    remote: Remote | None
    state: RemoteState
    updates: tuple[RefUpdate, ...] = ()
    forwards: bool = True
    receiving: bool = False


def _map(ref: str, source: str, target: str) -> str | None:
    if "*" not in source:
        return target if ref == source else None
    head, _, tail = source.partition("*")
    if not (ref.startswith(head) and ref.endswith(tail) and len(ref) >= len(head) + len(tail)):
        return None
    return target.replace("*", ref[len(head) : len(ref) - len(tail)], 1)


def names(config: Config) -> tuple[str, ...]:
    """Give the names of all configured remotes, in the order of the configuration."""
    keys = (key.removeprefix("remote.").rpartition(".") for key in config if key.startswith("remote."))
    return tuple(dict.fromkeys(name for name, _, _ in keys if name))


def configured(config: Config, name: str) -> Remote | None:
    """Give the remote called ``name``, or None."""
    if name not in names(config):
        return None
    exempt = config.get(f"remote.{name}.ptguard", ("true",))[-1].lower() in _FALSE
    return Remote(name, config.get(f"remote.{name}.fetch", ()), exempt)


def of_push(git: Git, config: Config, name: str, url: str) -> Remote | None:
    """Give the remote that a pre-push hook was called for; a URL is the one remote whose push URL equals it."""
    if (found := configured(config, name)) is not None:
        return found
    same = pushing_to(git, config, url)
    return configured(config, same[0]) if len(same) == 1 else None


def pushing_to(git: Git, config: Config, url: str) -> tuple[str, ...]:
    """Give the names of the configured remotes whose push URL, after insteadOf, is ``url``."""
    return tuple(known for known in names(config) if git.push_url(known) == url)


def chosen(config: Config, wanted: str | None) -> Remote | None:
    """Give the remote to verify against: ``wanted``, else ``ptguard.remote``, else origin, else the only one.

    None where no remote is configured at all.

    Raises:
        UsageError: the wanted one is not configured, or there are several and none is named.
    """
    known = names(config)
    name = wanted or config.get("ptguard.remote", (None,))[-1]
    if name is None:
        if not known:
            return None
        name = "origin" if "origin" in known or len(known) > 1 else known[0]
    found = configured(config, name)
    if found is None:
        stand = ", ".join(shown(n) for n in known) or "none"
        raise UsageError(
            f"no remote called {shown(name)} is configured; there is: {stand}", fix="ptguard verify --remote NAME …"
        )
    return found


def state_from_push(remote: Remote | None, name: str, refs: Refs, updates: Sequence[RefUpdate]) -> RemoteState:
    """Give what is known of the remote at a push: its tracked branches, and for each pushed ref what git was told."""
    branches = dict(remote.tracked(refs)) if remote else {}
    tags: dict[str, Oid] = {}
    for update in updates:
        table = tags if update.remote_ref.startswith(TAG_PREFIX) else branches
        if update.remote_oid is not None:
            table[update.remote_ref] = update.remote_oid
        else:
            table.pop(update.remote_ref, None)
    return RemoteState(name, tags, branches)


def state_by_asking(git: Git, remote: Remote | None, refs: Refs) -> RemoteState:
    """Give what the remote itself says; where it cannot be asked, what was last fetched, with the Problem.

    Where there is no remote at all, the local branches stand for its branches.
    """
    if remote is None:
        return RemoteState("(no remote)", {}, {n: refs[n] for n in refs.under(BRANCH_PREFIX)}, none=True)
    try:
        told = git.ls_remote(remote.name)
    except PtguardError as error:
        problem = Problem("unknown", error.message, fix=error.fix, status=Status.ERROR)
        return RemoteState(remote.name, {}, remote.tracked(refs), problem=problem)
    return RemoteState(
        remote.name,
        {n: oid for n, oid in told.items() if n.startswith(TAG_PREFIX)},
        {n: oid for n, oid in told.items() if n.startswith(BRANCH_PREFIX)},
        asked=True,
    )
