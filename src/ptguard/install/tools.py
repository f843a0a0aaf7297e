"""The programs that the judging needs: whether they are here, new enough, and mended."""

import gzip
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from ptguard.errors import PtguardError
from ptguard.gateways.process import run
from ptguard.gateways.repo import MIN_GIT
from ptguard.install.trouble import Trouble
from ptguard.text import sh

MIN_GPG = (2, 2)
MIN_OPENSSH = (8, 2)
"""What git-config(1) asks for under ``gpg.ssh.program``: the first with all of ``ssh-keygen -Y``."""

_ARMOR_BUGS = "CVE-2025-68973"
_ARMOR_MENDED: Mapping[tuple[int, ...], tuple[int, ...]] = {(2, 2): (2, 2, 51), (2, 4): (2, 4, 9), (2, 5): (2, 5, 16)}
DEBIAN_CHANGES = Path("/usr/share/doc/gpg/changelog.Debian.gz")


def examine_tools(changelog: Path) -> Iterator[Trouble]:
    """Give what is wrong with git, gpg and OpenSSH, which are asked for their versions.

    ``changelog`` is where Debian says which bugs its gpg has mended.
    """
    yield from _git()
    yield from _gpg(changelog)
    yield from _ssh()


def _version(program: str, option: str) -> tuple[tuple[int, ...], str] | Trouble:
    """Give a program's version as numbers and as it says it, or the trouble with it."""
    try:
        done = run([program, option])
    except PtguardError as error:
        return Trouble(error.message, error.fix or sh(program, option))
    lines = (done.stdout or done.stderr).decode("utf-8", "replace").splitlines()
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", lines[0] if lines else "")
    if match is None:
        return Trouble(f"{program} does not say which version it is", sh(program, option))
    return tuple(int(n) for n in match.groups() if n is not None), match[0]


def _needed(program: str, option: str, least: tuple[int, ...], package: str) -> Iterator[Trouble]:
    found = _version(program, option)
    if isinstance(found, Trouble):
        yield found
    elif found[0] < least:
        wanted = ".".join(str(n) for n in least)
        yield Trouble(f"{program} is {found[1]}; {wanted} or later is needed", f"apt-get install --upgrade {package}")


def _git() -> Iterator[Trouble]:
    return _needed("git", "--version", MIN_GIT, "git")


def _ssh() -> Iterator[Trouble]:
    keygen = _present("ssh-keygen")
    if keygen is not None:
        yield keygen
    else:
        yield from _needed("ssh", "-V", MIN_OPENSSH, "openssh-client")  # ssh-keygen itself tells no version


def _present(program: str) -> Trouble | None:
    try:
        run([program, "-?"])
    except PtguardError as error:
        return Trouble(error.message, error.fix or f"install {program}")
    return None


def _gpg(changelog: Path) -> Iterator[Trouble]:
    yield from _needed("gpg", "--version", MIN_GPG, "gnupg")
    found = _version("gpg", "--version")
    if isinstance(found, Trouble) or found[0] >= (2, 6) or found[0] >= _ARMOR_MENDED.get(found[0][:2], (2, 6)):
        return
    if not _distribution_mended(changelog):
        yield Trouble(
            f"gpg {found[1]} may have the armor bugs CVE-2025-68972 and {_ARMOR_BUGS}, unless they were mended there",
            "apt-get install --only-upgrade gpg   # upstream: 2.2.51, 2.4.9, 2.5.16 or later",
            grave=False,
        )


def _distribution_mended(changelog: Path) -> bool:
    """Whether Debian's (or Ubuntu's) list of changes to the installed gpg names the bug; read up to 4 MB."""
    try:
        with gzip.open(changelog) as file:
            return _ARMOR_BUGS.encode() in file.read(1 << 22)
    except (OSError, EOFError):
        return False
