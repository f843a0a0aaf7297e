"""A pusher who speaks git's protocol himself, and so says what no git would say (gitprotocol-pack(5), Pushing Data)."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.support import Repo

ZERO = "0" * 40


def raw_push(repo: Repo, remote: Path, lines: Sequence[tuple[str, str, str]], *options: str, git: str = "git") -> str:
    """Send ``lines`` (old id, new id, ref) to ``remote`` in this order, whatever stands there.

    ``options`` are capabilities beside report-status, ``git`` the server's. What the server answered comes back, its
    standard error behind it.
    """
    words = " ".join(("report-status", *options))
    said = [f"{old} {new} {ref}" for old, new, ref in lines]
    asked = [f"{said[0]}\0{words}", *said[1:]]
    new = "".join(f"{new}\n" for _, new, _ in lines if new != ZERO)
    pack = subprocess.run(
        ["git", "-C", repo.path, "pack-objects", "--stdout", "--revs", "-q"],
        input=new.encode(), env=repo.env, capture_output=True, check=True,
    ).stdout  # fmt: skip
    data = b"".join(_pkt(line.encode()) for line in asked) + b"0000" + (pack if new else b"")
    done = subprocess.run(
        [git, "receive-pack", remote], input=data, env=repo.env, capture_output=True, check=False, timeout=120
    )
    return (done.stdout + b"\n" + done.stderr).decode("utf-8", "backslashreplace").split("0000", 1)[-1]


def _pkt(line: bytes) -> bytes:
    return b"%04x%s" % (len(line) + 4, line)
