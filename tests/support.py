"""Real repositories, remotes and keys for the tests, made fresh; the developer's own are never touched."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import jsonschema
from click.testing import CliRunner

from ptguard.cli import cli
from ptguard.resources import resource

CLEAN = ("GIT_", "GNUPGHOME", "GPG_", "SSH_", "PRE_COMMIT", "PTGUARD_", "XDG_")


def clean_environment(home: Path) -> dict[str, str]:
    """Give an environment in which only what the tests make is found: own HOME, no system configuration."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(CLEAN)}
    env |= {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C.UTF-8",
        "NO_COLOR": "1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    return env


GITCONFIG = """\
[user]
\tname = Li Wei
\temail = li.wei@example.com
[init]
\tdefaultBranch = main
[advice]
\tdetachedHead = false
[protocol "file"]
\tallow = always
[gc]
\tauto = 0
[maintenance]
\tauto = false
"""


class RunError(AssertionError):
    """A command of the test's own set-up failed; shows all that it said."""


def run(
    *argv: str | Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    check: bool = True,
    timeout: float = 600,
) -> subprocess.CompletedProcess[str]:
    """Run ``argv`` with the environment of the test; text out, a failure shows both streams."""
    done = subprocess.run(
        [str(a) for a in argv],
        cwd=cwd,
        env=None if env is None else dict(env),
        input=stdin if stdin is not None else b"",
        capture_output=True,
        timeout=timeout,
        check=False,
    )
    out, err = (b.decode("utf-8", "backslashreplace") for b in (done.stdout, done.stderr))
    if check and done.returncode != 0:
        raise RunError(f"{argv} exited {done.returncode}\n--- stdout\n{out}\n--- stderr\n{err}")
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


@dataclass(frozen=True)
class OpenPgpIdentity:
    """A key pair in a throwaway GNUPGHOME."""

    name: str
    fingerprint: str
    home: Path
    public: bytes = field(repr=False)

    def sign(self, payload: bytes, *options: str) -> bytes:
        """Give the armored detached signature of ``payload``."""
        return gpg(self.home, *options, "--armor", "--detach-sign", "-u", f"{self.fingerprint}!", stdin=payload)


@dataclass(frozen=True)
class SshIdentity:
    """An SSH key pair as files; ``public`` is ``<type> <base64>`` without the comment."""

    name: str
    private: Path
    public: str

    def sign(self, payload: bytes, namespace: str) -> bytes:
        """Give the armored signature of ``payload`` in ``namespace``."""
        return subprocess.run(
            ["ssh-keygen", "-Y", "sign", "-q", "-n", namespace, "-f", str(self.private)],
            input=payload,
            capture_output=True,
            check=True,
        ).stdout


def gpg(home: Path, *args: str, stdin: bytes = b"") -> bytes:
    """Run gpg in ``home`` and give its standard output."""
    done = subprocess.run(
        ["gpg", "--homedir", str(home), "--batch", "--no-tty", "--pinentry-mode", "loopback",
         "--passphrase", "", *args],
        input=stdin,
        capture_output=True,
        check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise RunError(f"gpg {args}: {done.stderr.decode(errors='replace')}")
    return done.stdout


def gone(pid: int) -> bool:
    """Tell whether a process has ended, or does within half a minute; a zombie has, it only waits for its parent."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)
    return False


def frozen(when: datetime | int | str) -> tuple[str, str]:
    """Give the options that make gpg take ``when`` for the present for as long as it runs.

    Without the ``!`` gpg's clock goes on from ``when``, and what it makes on a busy machine is dated a second later.
    """
    clock = when.strftime("%Y%m%dT%H%M%S") if isinstance(when, datetime) else when
    return "--faked-system-time", f"{clock}!"


@dataclass
class KeyChain:
    """One throwaway GNUPGHOME (short path: sockets have a limit) and a folder of SSH keys for a whole test run."""

    root: Path
    _openpgp: dict[str, OpenPgpIdentity] = field(default_factory=dict)
    _ssh: dict[str, SshIdentity] = field(default_factory=dict)

    @classmethod
    def make(cls) -> "KeyChain":
        """Make an empty key chain under the system's temporary folder."""
        return cls(Path(tempfile.mkdtemp(prefix="ptg-", dir="/tmp")))

    def openpgp(self, name: str, algo: str = "ed25519", expire: str = "0", *options: str) -> OpenPgpIdentity:
        """Give the OpenPGP identity ``name``, made on first use (each in a home of its own)."""
        if name not in self._openpgp:
            home = self.root / f"g{len(self._openpgp)}"
            home.mkdir(mode=0o700)
            uid = f"{name} <{name}@example.com>"
            gpg(home, *options, "--quick-generate-key", uid, algo, "sign", expire)
            listing = gpg(home, "--with-colons", "--list-keys").decode()
            fingerprint = next(x.split(":")[9] for x in listing.splitlines() if x.startswith("fpr"))
            public = gpg(home, "--armor", "--export", fingerprint)
            self._openpgp[name] = OpenPgpIdentity(name, fingerprint, home, public)
        return self._openpgp[name]

    def ssh(self, name: str, *options: str) -> SshIdentity:
        """Give the SSH identity ``name``, made on first use (ed25519 unless ``options`` say otherwise)."""
        if name not in self._ssh:
            private = self.root / f"ssh-{name}"
            options = options or ("-t", "ed25519")
            run("ssh-keygen", "-q", *options, "-N", "", "-C", f"{name}@example.com", "-f", private)
            public = " ".join(private.with_suffix(".pub").read_text().split()[:2])
            self._ssh[name] = SshIdentity(name, private, public)
        return self._ssh[name]

    def close(self) -> None:
        """End the agents of all homes and remove every file."""
        for identity in self._openpgp.values():
            subprocess.run(["gpgconf", "--homedir", str(identity.home), "--kill", "all"], check=False)
        shutil.rmtree(self.root, ignore_errors=True)


@dataclass
class Repo:
    """A work tree that is driven with real git."""

    path: Path
    env: dict[str, str]

    def git(self, *args: str | Path, check: bool = True, stdin: bytes | None = None) -> str:
        """Run git here and give its standard output, stripped."""
        return run("git", "-C", self.path, *args, env=self.env, check=check, stdin=stdin).stdout.strip()

    def try_git(self, *args: str | Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run git here and give the whole outcome, also of a failure."""
        return run("git", "-C", self.path, *args, env={**self.env, **(env or {})}, check=False)

    def write(self, path: str, content: str | bytes) -> Path:
        """Write a file of the work tree, with its folders."""
        target = self.path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        return target

    def commit(self, message: str = "change", *paths: str) -> str:
        """Commit everything (or ``paths``) and give the new commit's id."""
        self.git("add", "-A", *(paths or (".",)))
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def ptguard(
        self, *args: str, env: Mapping[str, str] | None = None, stdin: bytes | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run ptguard here as a process of its own and give the whole outcome."""
        return run(
            sys.executable, "-I", "-m", "ptguard", *args,
            cwd=self.path, env={**self.env, **(env or {})}, check=False, stdin=stdin,
        )  # fmt: skip


def held_against(schema: str, document: dict[str, Any]) -> dict[str, Any]:
    """Give ``document`` back, which is as the JSON Schema of the file ``schema`` has it that ships with ptguard."""
    jsonschema.Draft202012Validator(json.loads(resource(f"schema/{schema}").read_text("utf-8"))).validate(document)
    return document


def refs(repository: Path, env: Mapping[str, str]) -> dict[str, str]:
    """Give every ref of a repository with its object id, to compare a remote before and after a push."""
    out = run("git", "-C", repository, "for-each-ref", "--format=%(refname) %(objectname)", env=env).stdout
    return dict(line.split(" ", 1) for line in out.splitlines())


def toml_list(items: Sequence[str]) -> str:
    """Give strings as a TOML array (JSON strings are valid TOML basic strings)."""
    return json.dumps(list(items))


@dataclass(frozen=True)
class Invoked:
    """What came of a command that was called inside this process."""

    exit_code: int
    stdout: str
    stderr: str
    output: str


def invoke(command: click.Command, *args: str) -> Invoked:
    """Call ``command`` inside this process; the exit code is what it returns, as ptguard.__main__ takes it."""
    done = CliRunner().invoke(cli, [str(command.name), *args], standalone_mode=False)
    code = int(done.return_value or 0) if done.exception is None else 2
    if done.exception is not None and not isinstance(done.exception, click.ClickException):
        raise done.exception
    return Invoked(code, done.stdout, done.stderr, done.output)


def with_remote(repo: Repo, remote: Path) -> Repo:
    """Give ``repo`` with a first commit on main that its new bare ``remote`` has too."""
    run("git", "init", "-q", "--bare", remote, env=repo.env)
    repo.commit("first")
    repo.git("remote", "add", "origin", remote)
    repo.git("push", "-q", "-u", "origin", "main")
    return repo
