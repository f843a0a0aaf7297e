"""How the push that a server's hook was started for came here: told by the processes above this one (proc(5))."""

from contextlib import suppress
from pathlib import Path
from typing import Final

from ptguard.gateways.ancestors import PROC, ancestors

_DEEP: Final = 16
_MAX: Final = 1 << 16


def keeps_talking(pid: int | None = None, proc: Path = PROC) -> bool:
    """Tell whether the pusher hears of it when git ends early, once the hook has accepted the push.

    Over http he has nothing to go by but the answer, and git's client (2.39.5) waits for good for the rest of one that
    ends in between, which is how git ends where a reference-transaction hook says no. So this is true only where a
    process above ``pid`` (default: this one's parent) is receive-pack without ``--stateless-rpc``.
    """
    with suppress(OSError):
        for above, _ in ancestors(_DEEP, pid, proc):
            words = _read(proc / above / "cmdline").split(b"\0")
            # As a program of its own, or as the first word that git is given.
            if any(word.rpartition(b"/")[2] in (b"git-receive-pack", b"receive-pack") for word in words[:2]):
                return b"--stateless-rpc" not in words
    return False


def _read(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(_MAX)
