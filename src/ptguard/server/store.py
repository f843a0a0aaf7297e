"""The few files that the guard keeps in a server's repository, shared as the repository itself is shared."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ptguard.errors import PtguardError
from ptguard.gateways.files import write_whole
from ptguard.text import sh, shown
from ptguard.value import value


@value
class Store:
    """The folder ``root``; ``sharing``: mode bits beside the owner's for its files."""

    root: Path
    sharing: int = 0

    def write(self, name: str, data: bytes) -> None:
        """Put the file ``name`` there, whole.

        Raises:
            PtguardError: it cannot be written.
        """
        path = self.root / name
        with self._said(path):
            self._folder(path.parent)
            write_whole(path, data, 0o600 | self.sharing)

    def append(self, name: str, lines: bytes) -> None:
        """Append whole ``lines`` to the file ``name`` and have them on the disk; of several writers each waits.

        Half a line, which a writer left that was killed in the middle, is taken away first.

        Raises:
            PtguardError: it cannot be written; then nothing was.
        """
        path = self.root / name
        with self._said(path):
            self._folder(path.parent)
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(path, flags, 0o600 | self.sharing)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                with suppress(PermissionError):  # another pusher's file, that is shared already
                    os.fchmod(descriptor, 0o600 | self.sharing)
                _append(descriptor, lines)
            finally:
                os.close(descriptor)

    def _folder(self, folder: Path) -> None:
        wanted = 0o700 | self.sharing | (self.sharing & 0o044) >> 2
        for part in (self.root, folder):
            if not part.is_dir():
                part.mkdir(exist_ok=True)
                part.chmod(wanted | (0o2000 if self.sharing else 0))

    @contextmanager
    def _said(self, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise PtguardError(
                f"{shown(os.fspath(path))} cannot be written: {shown(error.strerror or str(error))}",
                fix=f"{self._mended(error)}   # an administrator, on the server",
            ) from error

    def _mended(self, error: OSError) -> str:
        root = os.fspath(self.root)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return sh("df", root)
        if error.errno in (errno.EACCES, errno.EPERM):
            return f"git config core.sharedRepository group && {sh('chmod', '-R', 'g+rwX', root)}"
        return sh("ls", "-la", root)


def _append(descriptor: int, lines: bytes) -> None:
    end = _whole(descriptor)
    os.lseek(descriptor, end, os.SEEK_SET)
    left = memoryview(lines)
    try:
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    except OSError:
        with suppress(OSError):
            os.ftruncate(descriptor, end)
        raise


def _whole(descriptor: int) -> int:
    """Give where the last whole line ends, after taking away what stands behind it."""
    size = end = os.fstat(descriptor).st_size
    while end:
        start = max(0, end - 4096)
        at = os.pread(descriptor, end - start, start).rfind(b"\n")
        if at >= 0:
            end = start + at + 1
            break
        end = start
    if end < size:
        os.ftruncate(descriptor, end)
    return end
