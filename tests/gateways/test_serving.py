"""How a push came here, by the processes above the hook."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from ptguard.gateways.serving import keeps_talking


def tree(proc: Path, *commands: Sequence[str]) -> Path:
    """Make a /proc in which process 100 has the first command, its parent 101 the second, and so on."""
    for number, words in enumerate(commands, start=100):
        (proc / str(number)).mkdir(parents=True)
        (proc / str(number) / "cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in words))
        (proc / str(number) / "stat").write_text(f"{number} (a (odd) name) S {number + 1}" + " 0" * 48)
    return proc


HOOK = ("/bin/sh", "hooks/pre-receive")


@pytest.mark.parametrize(
    ("receiving", "talks"),
    [
        (("git-receive-pack", "/srv/net.git"), True),
        (("git", "receive-pack", "/srv/net.git"), True),
        (("/usr/lib/git-core/git", "receive-pack", "."), True),
        (("git", "receive-pack", "--stateless-rpc", "."), False),
        (("git-receive-pack", "--stateless-rpc", "."), False),
        (("git", "push", "receive-pack"), False),
        (("git", "update-ref"), False),
    ],
)
def test_receive_pack_is_looked_for(tmp_path: Path, receiving: Sequence[str], talks: bool) -> None:
    proc = tree(tmp_path / "proc", HOOK, ("/bin/bash", "hooks/pre-receive"), receiving, ("sshd",))
    assert keeps_talking(100, proc) is talks


def test_where_nothing_can_be_seen_nothing_is_counted_on(tmp_path: Path) -> None:
    assert not keeps_talking(100, tmp_path)
    proc = tree(tmp_path / "proc", HOOK)
    (proc / "100" / "stat").write_text("rubbish")
    assert not keeps_talking(100, proc)
    assert not keeps_talking(100, tree(tmp_path / "deep", *[HOOK] * 40, ("git-receive-pack", ".")))
