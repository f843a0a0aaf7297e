"""Whose a repository on a server is: git touches only its owner's, and what root writes there must be his."""

import os
import sys
from pathlib import Path

from ptguard.errors import UsageError
from ptguard.gateways.git import Git
from ptguard.gateways.gitconfig import HELD
from ptguard.text import sh, shown


def folder_of(start: Path, command: str) -> Path:
    """Give the git folder of the repository that ``start`` is; of a linked work tree, the one that it belongs to.

    ``command`` is what is wanted of it (``install`` or ``uninstall``), for the mending words.

    Raises:
        UsageError: it is no repository, or git will not touch it since it is another user's.
    """
    path = f"ptguard {command} --server PATH/TO/repo.git   # the folder that HEAD and objects/ lie in"
    if not start.is_dir():
        raise UsageError(f"there is no folder {shown(os.fspath(start))}", fix=path)
    try:
        with Git.open(start) as git:
            return git.common_dir
    except UsageError as error:
        owner = start.stat().st_uid
        words = ("sudo", "-u", f"#{owner}", sys.executable, "-m", "ptguard", command, "--server", os.fspath(start))
        raise UsageError(error.message, fix=path if owner == os.geteuid() else sh(*words)) from error


def give_back(folder: Path) -> None:
    """Give what root has written in the repository at ``folder`` to its owner, who might not read it otherwise.

    Raises:
        OSError: it cannot be given away.
    """
    if os.geteuid() != 0:
        return
    owner, found = folder.stat(), [folder / "config", folder / HELD]
    for name in ("hooks", "custom_hooks"):
        found += [folder / name, *(folder / name).rglob("*")] if not (folder / name).is_symlink() else []
    for path in found:
        if os.path.lexists(path) and path.lstat().st_uid == 0:
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
