"""Files of the working tree or of an administrator, read without following links and never without bounds.

And the reports that were asked for beside standard output, written.
"""

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from ptguard.model import Location, Problem


def read_regular(folder: Path, name: str, limit: int) -> bytes | Problem:
    """Give the bytes of the regular file ``name`` below ``folder``, one more than ``limit`` at the most.

    No part of ``name`` may be a symbolic link; ``folder`` is the caller's word. The reasons of a Problem are
    ``missing-file``, ``symlink`` and ``not-a-file``.
    """
    path = folder / name
    where = Location(str(path))
    for part in (path, *(folder / parent for parent in Path(name).parents if parent.name)):
        if part.is_symlink():
            return Problem("symlink", f"{part} is a symbolic link", "a link", "the file itself", location=where)
    try:
        # Not waiting for a pipe's other end, and once more no link: it may have come since the look above.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return Problem("missing-file", f"{name}: {error.strerror}", location=where)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return Problem("not-a-file", f"{name} is no regular file", location=where)
        return _all(descriptor, limit + 1)
    finally:
        os.close(descriptor)


def _all(descriptor: int, size: int) -> bytes:
    chunks, left = [], size
    while left and (chunk := os.read(descriptor, left)):
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)


def append_text(path: Path, text: str, limit: int, note: str) -> None:
    """Append ``text`` to the file ``path`` so that it holds ``limit`` bytes at the most, cut at the end of a line.

    Where something is left out, ``note`` stands in its place. A file that holds too much already is left alone.

    Raises:
        OSError: it cannot be written.
    """
    with path.open("ab") as file:
        data = text.encode("utf-8", "backslashreplace")
        room = limit - file.tell()
        if len(data) > room:
            ending = note.encode()
            kept = data[: max(room - len(ending), 0)].rpartition(b"\n")
            data = kept[0] + kept[1] + ending if len(ending) <= room else b""
        file.write(data)


def write_whole(target: Path, data: bytes | Iterable[bytes], mode: int | None = None) -> None:
    """Put ``data`` (or its parts) into the file ``target`` and onto the disk: readers see the old file or the new one.

    ``mode`` None keeps the mode that it has, 0644 for a new one.

    Raises:
        OSError: the file system refuses; then the old file stands.
    """
    import tempfile

    if mode is None:
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o644
    descriptor, name = tempfile.mkstemp(prefix=".ptguard-", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines([data] if isinstance(data, bytes) else data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
