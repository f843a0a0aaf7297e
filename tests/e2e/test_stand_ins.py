"""Pushes past a gpg or an ssh-keygen that is not what it should be: no verdict rests on an exit status or on prose."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.team import Team, finding

pytestmark = pytest.mark.e2e
GOOD_PROSE = 'gpg: Good signature from \\"Li Wei\\" [ultimate]'


@pytest.fixture
def swapped(armed: Team, tmp_path: Path) -> Callable[[str, str], Team]:
    """Give the armed team with a program on PATH swapped for a script; in it, "$real" is the real one."""

    def swap(program: str, script: str) -> Team:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        (folder / program).write_text(f"#!/bin/sh\nreal={shutil.which(program)}\n{script}\n")
        (folder / program).chmod(0o755)
        armed.env["PATH"] = f"{folder}{os.pathsep}{armed.env['PATH']}"
        return armed

    return swap


def verifying(act: str) -> str:
    """Give a script that does ``act`` where gpg is to verify, and is gpg itself otherwise."""
    return f'case " $* " in *" --verify "*|*" --verify-files "*) {act};; esac; exec "$real" "$@"'


@pytest.mark.parametrize(
    ("act", "reason", "code"),
    [
        ("exit 0", "could-not-decide", 3),
        (f'cat >/dev/null; echo "{GOOD_PROSE}" >&2; echo "{GOOD_PROSE}"; exit 0', "could-not-decide", 3),
        ('cat >/dev/null; echo "[GNUPG:] GOODSIG 0 Li Wei" >&2; exit 0', "could-not-decide", 3),
        ('"$real" "$@" 2>&1 >/dev/null | sed "/ GOODSIG /p" >&2; exit 0', "several-signatures", 1),
        ('"$real" "$@" 2>&1 >/dev/null | sed "/ VALIDSIG /p" >&2; exit 0', "several-signatures", 1),
        ('"$real" "$@" 2>&1 >/dev/null | sed "/ VALIDSIG /d" >&2; exit 0', "could-not-decide", 3),
        ('"$real" "$@" 2>&1 >/dev/null | sed "s/ GOODSIG / REVKEYSIG /" >&2; exit 0', "revoked-key", 1),
        ("yes '[GNUPG:] PROGRESS x' >&2", "could-not-decide", 3),
        ("yes", "could-not-decide", 3),
        ("kill -9 $$", "could-not-decide", 3),
    ],
)
def test_a_gpg_that_is_silent_doubles_floods_or_dies(
    swapped: Callable[[str, str], Team], act: str, reason: str, code: int
) -> None:
    """The tag is a good one, and the exit status 0 as a rule: only a whole answer by status lines would count."""
    team = swapped("gpg", verifying(act))
    team.tag()
    team.guard("v2.9.0").refused(reason)
    done, document = team.verify("v2.9.0")
    assert (done, finding(document, "signature")["reason"]) == (code, reason)
    (team.root.parent / "bin" / "gpg").unlink()
    team.guard("v2.9.0").accepted("v2.9.0")


@pytest.mark.parametrize("status", ["0", "1", "2", "77"])
def test_the_exit_status_of_gpg_means_nothing(swapped: Callable[[str, str], Team], status: str) -> None:
    team = swapped("gpg", verifying(f'"$real" "$@"; exit {status}'))
    team.tag(signer="stranger")
    team.guard("v2.9.0").refused("unknown-signer")
    team.tag()
    team.guard("v2.9.0").accepted("v2.9.0")


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        ("exit 0", "could-not-decide"),
        ('cat >/dev/null; echo "Good \\"git\\" signature for somebody with ED25519 key SHA256:x"', "could-not-decide"),
        ("cat >/dev/null; exit 255", "bad-signature"),
        ("yes", "could-not-decide"),
        ("kill -9 $$", "could-not-decide"),
    ],
)
def test_an_ssh_keygen_that_does_not_name_the_key(swapped: Callable[[str, str], Team], act: str, reason: str) -> None:
    script = f'case " $* " in *" -n git "*) case "$*" in *verify*) {act}; exit;; esac;; esac; exec "$real" "$@"'
    team = swapped("ssh-keygen", script)
    team.tag_ssh()
    team.guard("v2.9.0").refused(reason)
    (team.root.parent / "bin" / "ssh-keygen").unlink()
    team.guard("v2.9.0").accepted("v2.9.0")
