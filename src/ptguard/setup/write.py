"""Writing new files into a work tree: each whole or not at all, none over another, all or none."""

import os
import stat
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from ptguard.errors import PtguardError, UsageError
from ptguard.text import sh, shown

FAILED: Final = "the policy could not be written, and nothing of it stays"


def check_place(top: Path, paths: Iterable[str]) -> None:
    """Make sure that ``paths`` can be new files below ``top``.

    Raises:
        UsageError: one of them is there, or a folder on the way is a symbolic link or no folder.
    """
    for path in paths:
        place = top / path
        for folder in reversed(place.relative_to(top).parents[:-1]):
            mode = _mode(top / folder)
            if mode is not None and not stat.S_ISDIR(mode):
                what = "a symbolic link" if stat.S_ISLNK(mode) else "no folder"
                fix = f"{sh('ls', '-l', str(folder))}   # move it out of the way, then run ptguard init again"
                raise UsageError(f"{shown(str(folder))} is {what}; nothing was written", fix=fix)
        if _mode(place) is not None:
            look = "ptguard policy-check" if path.endswith("/policy.toml") else sh("ls", "-l", path)
            fix = f"{look}   # ptguard init makes only a first policy and overwrites nothing"
            raise UsageError(f"{shown(path)} is there already; nothing was written", fix=fix)


def _mode(path: Path) -> int | None:
    try:
        return path.lstat().st_mode
    except FileNotFoundError:
        return None


def beside(top: Path, files: Mapping[str, bytes], shared: str) -> tuple[Mapping[str, bytes], tuple[str, ...]]:
    """Give those of ``files`` that must be written, and what is to be said of those that are there already.

    A file that stands with the very bytes is left alone; so is ``shared``, which its owner may have for more.
    """
    wanted, said = dict(files), []
    for path, data in files.items():
        standing = _regular(top / path)
        if standing is None or (standing != data and path != shared):
            continue
        del wanted[path]
        missing = [line for line in data.splitlines() if line not in standing.splitlines()]
        add = f"; add to it: {missing[0].decode()}" if missing else ""
        said.append(f"{path}, which was there already{add}")
    return wanted, tuple(said)


def _regular(path: Path) -> bytes | None:
    if path.is_symlink() or not path.is_file():
        return None
    with path.open("rb") as file:
        return file.read(1 << 20)


def write_new(top: Path, files: Mapping[str, bytes]) -> None:
    """Write ``files`` (by path from ``top``) in their order; when one cannot be written, none stays.

    Raises:
        UsageError: one is there already.
        PtguardError: the file system refuses.
    """
    check_place(top, files)
    made: list[Path] = []
    try:
        for path, data in files.items():
            _folders(top, Path(path).parent, made)
            _write(top / path, data, made)
    except BaseException as error:
        _undo(made)
        if isinstance(error, OSError):
            raise PtguardError(
                f"{FAILED}: {shown(error.strerror or str(error))} ({shown(str(error.filename or top))})",
                fix=sh("ls", "-ld", str(top)) + "   # it must be yours to write",
            ) from error
        raise


def _folders(top: Path, folder: Path, made: list[Path]) -> None:
    for part in reversed([folder, *folder.parents][:-1]):
        with suppress(FileExistsError):
            (top / part).mkdir()
            made.append(top / part)


def _write(path: Path, data: bytes, made: list[Path]) -> None:
    """Write the file beside its place and link it in: unlike a rename, a link never takes the place of another."""
    descriptor, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        Path(name).chmod(0o644)
        try:
            path.hardlink_to(name)
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links
            with path.open("xb") as plain:
                made.append(path)
                plain.write(data)
        else:
            made.append(path)
    finally:
        with suppress(OSError):
            Path(name).unlink()


def _undo(made: list[Path]) -> None:
    for path in reversed(made):
        with suppress(OSError):
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
