"""A private folder for what gpg and ssh-keygen must be given as files.

As tempfile.TemporaryDirectory makes it; importing that takes 4 ms, and somebody waits at every push.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ptguard.errors import ToolFailedError

_TRIES = 16
_USUAL = ("/tmp", "/var/tmp")  # noqa: S108 - mkdir takes no name that is there


@contextmanager
def private_folder(prefix: str) -> Iterator[Path]:
    """Give a new folder, mode 0700, in $TMPDIR or where the system keeps temporary files; it goes with the block.

    Raises:
        ToolFailedError: none can be made.
    """
    folder = _made(prefix)
    try:
        yield folder
    finally:
        _remove(folder)


def _made(prefix: str) -> Path:
    """Make the folder under a name that nobody can foresee, and under no name that is there already (mkdir(2))."""
    named = (os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    why = ""
    for parent in (*filter(None, named), *_USUAL):
        for _ in range(_TRIES):
            path = Path(parent).absolute() / f"{prefix}{os.urandom(8).hex()}"
            try:
                path.mkdir(mode=0o700)
            except FileExistsError:
                continue
            except OSError as error:
                why = why or f"{parent}: {error.strerror}"
                break
            return path
    raise ToolFailedError(f"no temporary folder can be made ({why})", fix="export TMPDIR=DIR   # one that is writable")


def _remove(folder: Path) -> None:
    """Remove ``folder`` with all in it as far as may be; a link is removed, not followed."""
    with suppress(OSError):
        for entry in os.scandir(folder):
            path = Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                _remove(path)
            else:
                with suppress(OSError):
                    path.unlink()
        folder.rmdir()
