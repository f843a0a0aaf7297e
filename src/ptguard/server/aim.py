"""Which ref each line of a push would change: symbolic refs followed, and other spellings where the disk knows none."""

from collections.abc import Sequence
from typing import Final

from ptguard.gateways.git import Git, Refs
from ptguard.model import BRANCH_PREFIX, TAG_PREFIX, RefUpdate
from ptguard.remotes import Config

_CHAIN: Final = 5
"""git follows no more (refs.c, SYMREF_MAXDEPTH)."""

_ASKED_BY_NAME: Final = 1000


def read_refs(git: Git, lines: Sequence[RefUpdate]) -> Refs:
    """Read all branches and tags, and what else the push names: any ref may be a symbolic one that leads to a tag."""
    others = {u.remote_ref for u in lines if not u.remote_ref.startswith((TAG_PREFIX, BRANCH_PREFIX))}
    return git.refs(*((TAG_PREFIX, BRANCH_PREFIX, *others) if len(others) <= _ASKED_BY_NAME else ("refs/",)))


class Targets:
    """Tells which ref a push changes; ``blind``: the disk does not mind the case of a ref's name."""

    def __init__(self, git: Git, refs: Refs, *, blind: bool) -> None:
        """Take the refs that stand there."""
        self._git, self._refs = git, refs
        self._spelled = {name.casefold(): name for name in refs if not name.startswith(TAG_PREFIX)} if blind else {}

    def __call__(self, ref: str) -> str:
        """Give the ref that a push to ``ref`` changes, which need not exist."""
        for _ in range(_CHAIN):
            ref = self._spelled.get(ref.casefold(), ref)
            leads = self._refs.symbolic.get(ref) or (None if ref in self._refs else self._git.leads_to(ref))
            if leads is None:
                break
            ref = leads
        return ref

    def aimed(self, line: RefUpdate) -> RefUpdate:
        """Give the line as an update of the ref that it would change, from what stands there, whatever it claims."""
        ref = self(line.remote_ref)
        return RefUpdate(line.local_ref, line.local_oid, ref, self._refs.get(ref))


def minds_no_case(config: Config) -> bool:
    """Tell whether git found, when it made the repository, that its disk does not mind case (git-config(1))."""
    return config.get("core.ignorecase", ("false",))[-1].lower() not in ("false", "no", "off", "0", "")
