"""The user's own keys and his own ``git tag -s``: his keyring, agent, pinentry and hardware, in his environment.

Nothing here judges. Whether what he signed counts is told afterwards, from the tag object and the policy alone.
"""

import itertools
import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from ptguard.errors import GitError, ToolFailedError
from ptguard.gateways.process import Completed, kill_group, popen, putting_off, run
from ptguard.model import TAG_PREFIX, Oid
from ptguard.text import sh, shown
from ptguard.value import replace, value

SIGNING_TIMEOUT: Final = 600.0
"""Seconds that a person has for his passphrase, PIN or touch."""

_GRACE: Final = 2.0
_NOT_USABLE: Final = frozenset("erid")
"""gpg's validity letters of keys that cannot sign: expired, revoked, invalid, disabled (doc/DETAILS)."""


@value
class SecretKey:
    """A key of the user's keyring, by its full primary fingerprint, upper-case.

    ``signs`` is true where the secret part of a signing key of it is at hand (also on a card) and can be used.
    """

    fingerprint: str
    signs: bool


@value
class TagOrder:
    """A tag to be made: ``key`` is what git takes as ``-u`` (None: as git is configured), ``kind`` its gpg.format.

    ``digest`` is asked for where gpg signs; ``program`` is the user's gpg.
    """

    name: str
    commit: Oid
    messages: tuple[str, ...]
    key: str | None = None
    kind: str | None = None
    digest: str | None = None
    program: str = "gpg"


# --------------------------------------------------------------------------------------------- the keyring


def secret_keys(program: str, name: str) -> tuple[SecretKey, ...]:
    """Give the secret keys that ``name`` (a fingerprint, key id or user id) stands for in the user's keyring.

    Raises:
        ToolMissingError: gpg is not installed.
    """
    if not name:
        return ()
    argv = [program, "--batch", "--with-colons", "--fixed-list-mode", "--list-secret-keys", "--", name]
    done = run(argv, env=dict(os.environ))
    lines = done.stdout.decode("utf-8", "backslashreplace").splitlines() if done.returncode == 0 else []
    rows = [line.split(":") for line in lines if line.startswith(("sec:", "ssb:", "fpr:"))]
    return tuple(_keys([row for row in rows if len(row) >= (10 if row[0] == "fpr" else 15)]))


def _keys(rows: Sequence[Sequence[str]]) -> Iterator[SecretKey]:
    """Read gpg's colon listing (doc/DETAILS): ``sec`` begins a key, its first ``fpr`` is the primary's."""
    starts = [i for i, row in enumerate(rows) if row[0] == "sec"]
    for start, end in itertools.pairwise([*starts, len(rows)]):
        block = rows[start:end]
        fingerprint = next((row[9].upper() for row in block if row[0] == "fpr"), "")
        dead = rows[start][1][:1] in _NOT_USABLE
        if fingerprint:
            yield SecretKey(fingerprint, not dead and any(_signs(row) for row in block if row[0] in ("sec", "ssb")))


def _signs(row: Sequence[str]) -> bool:
    """Tell whether a ``sec`` or ``ssb`` row is of a key that can sign here; ``#`` marks a secret part elsewhere."""
    return "s" in row[11] and row[14] != "#" and row[1][:1] not in _NOT_USABLE


def export_minimal(program: str, fingerprint: str) -> bytes:
    """Give the armored public key with its newest self-signatures only.

    Raises:
        ToolMissingError: gpg is not installed.
        ToolFailedError: the key could not be exported.
    """
    argv = [program, "--batch", "--armor", "--export-options", "export-minimal", "--export", "--", fingerprint]
    done = run(argv, env=dict(os.environ))
    if done.returncode != 0 or not done.stdout:
        why = words(done) if done.returncode else "it has no such key"
        raise ToolFailedError(f"gpg could not export {fingerprint}: {why}", fix=sh("gpg", "--list-keys", fingerprint))
    return done.stdout


def minimal(program: str, key: bytes, fingerprint: str) -> bytes:
    """Give the public ``key``, in binary, as :func:`export_minimal` would, by way of a keyring that is gone afterwards.

    Raises:
        ToolMissingError: gpg is not installed.
        ToolFailedError: gpg would not take it, or not give it out.
    """
    with tempfile.TemporaryDirectory(prefix="ptguard-", ignore_cleanup_errors=True) as home:
        alone = [program, "--batch", "--no-options", "--no-autostart", "--homedir", home]
        done = run([*alone, "--import"], stdin=key)
        if done.returncode != 0:
            raise ToolFailedError(f"gpg would not take the key {fingerprint}: {words(done)}")
        out = run([*alone, "--armor", "--export-options", "export-minimal", "--export", "--", fingerprint])
        if out.returncode != 0 or not out.stdout:
            raise ToolFailedError(f"gpg could not export {fingerprint}: {words(out)}")
        return out.stdout


# --------------------------------------------------------------------------------------------- the tag


def is_name(name: str, prefix: str = TAG_PREFIX) -> bool:
    """Tell whether git takes ``name`` for a tag, or for a branch with the ``prefix`` of those.

    See git-check-ref-format(1); a dash at the start is refused by ``git tag`` and ``git branch`` themselves.
    """
    if not name or name.startswith("-") or name == "HEAD" or "\0" in name:
        return False
    return run(["git", "check-ref-format", prefix + name]).returncode == 0


class NotMadeError(ToolFailedError):
    """Git ran to its end and made no tag: whatever stands under the name is not ours."""


def make_tag(order: TagOrder, start: Path, home: Path) -> str:
    """Run ``git tag -s`` in the folder ``start`` and give what was complained of; ``home`` is a private folder.

    Git that ends well has made a tag, but not always a signed one: git 2.39 goes on without a signature where the
    program that signs for SSH fails.

    Raises:
        NotMadeError: git made no tag, since signing failed or was cancelled; with git's words and gpg's.
        PtguardError: git was stopped; it may have made the tag.
    """
    settings = ["-c", f"gpg.format={order.kind}"] if order.kind else []
    if order.kind == "openpgp" and (program := _wrapped(order, home)):
        settings += ["-c", f"gpg.program={program}", "-c", f"gpg.openpgp.program={program}"]
    key = ["-u", order.key] if order.key else []
    message = [word for text in order.messages for word in ("-m", text)]
    # Not git's own clean-up, which would take away lines that begin with '#': no editor has put them there.
    argv = ["git", *settings, "tag", "-s", *key, "--cleanup=whitespace", *message, "--", order.name, order.commit]
    done = _run_to_end(argv, start)
    if done.returncode < 0:
        raise ToolFailedError(f"git tag was stopped by signal {-done.returncode}")
    said = words(replace(done, stderr=done.stderr + b"\n" + _log(home)))
    if done.returncode > 0:
        raise NotMadeError(f"git tag -s made no tag: {said}", fix="mend what git says, then run ptguard tag again")
    return said


def _wrapped(order: TagOrder, home: Path) -> Path | None:
    """Write a program that is the user's gpg with the digest asked for, since git passes gpg no options.

    It also keeps what gpg complains of, which git 2.39 swallows. None where it is not gpg's own command line,
    or where programs cannot run from temporary folders: then gpg chooses, and the finished tag is judged by that.
    """
    if order.digest is None or not Path(order.program).name.startswith("gpg"):
        return None
    path, gpg = home / "gpg", shlex.quote(order.program)
    log = shlex.quote(str(home / "gpg.log"))
    path.write_text(f'#!/bin/sh\nexec {gpg} --logger-fd 3 --digest-algo {order.digest} "$@" 3>{log}\n')
    path.chmod(0o700)
    return path if os.access(path, os.X_OK) else None


def _log(home: Path) -> bytes:
    try:
        return (home / "gpg.log").read_bytes()[:4096]
    except OSError:
        return b""


def _run_to_end(argv: Sequence[str], start: Path) -> Completed:
    """Run ``argv`` with the user's terminal, if there is one, and leave nothing of it behind."""
    terminal = _has_terminal()
    env = dict(os.environ)
    with suppress(OSError):
        env.setdefault("GPG_TTY", os.ttyname(0))  # gpg itself sees only git's pipes
    process = None
    try:
        with putting_off():
            process = popen(argv, env=env, cwd=start, terminal=terminal)
        out, err = process.communicate(timeout=SIGNING_TIMEOUT)
    except BaseException as error:
        if process is not None:
            _stop(process, terminal=terminal)
        if isinstance(error, subprocess.TimeoutExpired):
            raise ToolFailedError("signing took longer than ten minutes and was stopped") from error
        raise
    return Completed(process.returncode, out, err)


def _stop(process: subprocess.Popen[bytes], *, terminal: bool) -> None:
    """End git gently first, so that it takes its lock files with it."""
    with suppress(ProcessLookupError, PermissionError):
        if terminal:
            process.terminate()
        else:
            os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE)
    kill_group(process, terminal=terminal)
    process.communicate()


def _has_terminal() -> bool:
    """Tell whether this process has a terminal on which a passphrase can be asked for."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def delete_tag(name: str, oid: Oid, start: Path) -> None:
    """Delete the tag ``name`` if it is the object ``oid`` and no other.

    Raises:
        GitError: git would not; with the command that does.
    """
    argv = ["git", "update-ref", "--no-deref", "-d", TAG_PREFIX + name, oid]
    done = run(argv, env=dict(os.environ), cwd=start)
    if done.returncode != 0:
        raise GitError(
            f"the tag {shown(name)} could not be taken back: {words(done)}", fix=sh("git", "tag", "-d", name)
        )


@contextmanager
def undisturbed() -> Iterator[None]:
    """Hold back interrupts while the block runs; they arrive after it."""
    held = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, held)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def words(done: Completed) -> str:
    """Give what a program complained of, on one line."""
    lines = [line.strip() for line in done.stderr.decode("utf-8", "backslashreplace").splitlines()]
    said = [shown(line, 200) for line in lines if line and not line.startswith(("hint:", "[GNUPG:]"))]
    return "; ".join(said[:6]) or f"it exited {done.returncode} and said nothing"
