"""What every server of the tests is made of: its value, a repository, a home of its own, sshd.

Strictly on 127.0.0.1, with keys and configuration of their own in the folder that the test gives; nothing of the
system's is changed, but that sshd, as root, wants its empty ``/run/sshd``, which its service would make.
"""

import getpass
import os
import shlex
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.loopback import end_all, listening, reserved_port, running
from tests.support import GITCONFIG, SshIdentity, run

PACKAGES = {"sshd": "openssh-server", "gitolite": "gitolite3", "nginx": "nginx", "fcgiwrap": "fcgiwrap"}
SBIN = "/usr/sbin:/sbin"  # where Debian keeps them; not on every user's PATH


@dataclass(frozen=True)
class Server:
    """A server with one empty repository.

    ``url`` is what a pusher names, ``client`` the environment that he needs, ``repository`` the folder on the server,
    ``hook`` the file that an administrator makes to have a pre-receive hook, ``port`` what is listened on (if any).
    """

    kind: str
    url: str
    repository: Path
    hook: Path
    client: Mapping[str, str] = field(default_factory=dict)
    port: int | None = None

    def put_hook(self, text: str, name: str | None = None) -> None:
        """Make ``text`` the pre-receive hook (where hooks stand beside each other: the one called ``name``)."""
        path = self.hook.with_name(name) if name else self.hook
        script(path, text)


def bare(folder: Path) -> Path:
    """Make an empty bare repository on branch main, and the home of who runs the server."""
    home_of(folder)
    repository = folder / "repositories" / "team.git"
    run("git", "init", "-q", "--bare", "--initial-branch=main", repository, env=environment(folder))
    return repository


def home_of(folder: Path) -> Path:
    """Make the home of who runs the server in ``folder``."""
    home = folder / "home"
    home.mkdir(parents=True)
    (home / ".gitconfig").write_text(GITCONFIG)
    return home


def environment(folder: Path) -> dict[str, str]:
    """Give what a server program has around it: a home of its own, and nothing of the pusher's."""
    return {
        "PATH": f"/usr/bin:/bin:{SBIN}",
        "HOME": str(folder / "home"),
        "LC_ALL": "C.UTF-8",
        "USER": getpass.getuser(),
    }


def program_path(name: str) -> str:
    """Give the full path of a server program.

    Raises:
        RuntimeError: it is not here; the words say what to install.
    """
    found = shutil.which(name, path=f"{os.environ['PATH']}:{SBIN}")
    if found is None:
        raise RuntimeError(f"these tests need {name}: apt-get install {PACKAGES[name]}")
    return found


def script(path: Path, text: str) -> None:
    """Write an executable file, with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@contextmanager
def sshd(folder: Path, keys: Path) -> Iterator[int]:
    """Run sshd with the authorized keys of the file ``keys`` and HOME in ``folder``; give its port."""
    program = program_path("sshd")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with reserved_port() as port:
        host = folder / "host-key"
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", host)
        kind, material, *_ = host.with_suffix(".pub").read_text().split()
        (folder / "known-hosts").write_text(f"[127.0.0.1]:{port} {kind} {material}\n")
        config = folder / "sshd-config"
        config.write_text(
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {_quoted(host)}\nPidFile none\n"
            f"AuthorizedKeysFile {_quoted(keys)}\nAuthenticationMethods publickey\nPermitRootLogin prohibit-password\n"
            # No session files, no ~/.ssh of whoever runs the tests, no mode checks: temporary folders are his alone.
            "UsePAM no\nStrictModes no\nPermitUserRC no\nPermitUserEnvironment no\nPrintLastLog no\nPrintMotd no\n"
            f"AllowTcpForwarding no\nAllowAgentForwarding no\nX11Forwarding no\n"
            f'SetEnv "HOME={folder / "home"}"\n'
        )
        try:
            argv = (program, "-D", "-e", "-f", config)
            with running(*argv, log=folder / "sshd.log", ready=lambda: port in listening()):
                yield port
        finally:
            end_all(folder)  # every connection is a session of its own


def _quoted(path: Path) -> str:
    return f'"{path}"'


def ssh_client(folder: Path, port: int, key: SshIdentity) -> dict[str, str]:
    """Give the environment of a pusher who uses ``key``, knows the server, and has no other key or configuration."""
    words = ["ssh", "-F", "none", "-p", str(port), "-i", str(key.private)]
    for option in ("BatchMode=yes", "IdentitiesOnly=yes", "IdentityAgent=none", "StrictHostKeyChecking=yes",
                   f'UserKnownHostsFile="{folder / "known-hosts"}"', "GlobalKnownHostsFile=none"):  # fmt: skip
        words += ["-o", option]
    return {"GIT_SSH_COMMAND": shlex.join(words)}
