"""The long-lived ``git cat-file`` processes that objects are asked of (git-cat-file(1))."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO

from ptguard.errors import GitError
from ptguard.gateways.process import go_on, in_its_own_session, kill_group, missing
from ptguard.model import Oid
from ptguard.text import shown

Info = tuple[Oid, str, int]
"""An object's id, type, and size in bytes."""

_INFO = re.compile(rb"([0-9a-f]{40,64}) ([a-z]+) ([0-9]+)\n")


class Batch:
    """One long-lived ``git cat-file`` process (git-cat-file(1), BATCH OUTPUT)."""

    def __init__(self, option: str, env: Mapping[str, str]) -> None:
        """Start it with ``option`` (``--batch`` or ``--batch-check``) in the environment ``env``.

        Raises:
            ToolMissingError: git is not installed.
        """
        # Complaints go nowhere: nobody reads them here, and a full pipe would stop git for good.
        try:
            self._process = subprocess.Popen(
                ["git", "cat-file", option],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=env,
                start_new_session=in_its_own_session(),
            )
        except FileNotFoundError as error:
            raise missing("git") from error

    def header(self, name: str) -> Info | None:
        """Give the header of one object, None where there is none.

        Raises:
            GitError: as :meth:`headers`.
        """
        return self.headers([name])[0]

    def headers(self, names: Sequence[str]) -> list[Info | None]:
        """Give the header of each object; ``names`` are few enough to fit into a pipe at once.

        Raises:
            GitError: git ended, or answered what it never should.
        """
        if any("\n" in name for name in names):
            raise GitError("an object name cannot hold a line break")
        go_on()
        stdin = self._pipes()[0]
        try:
            stdin.write("".join(f"{name}\n" for name in names).encode("utf-8", "surrogateescape"))
            stdin.flush()
        except OSError as error:
            raise GitError("git cat-file ended early") from error
        return [self._header(name) for name in names]

    def _header(self, name: str) -> Info | None:
        line = self._pipes()[1].readline(1 << 16)
        if not line:
            raise GitError(f"git ended over object {shown(name, 80)}: it is damaged or not here", fix="git fsck --full")
        if line.endswith((b" missing\n", b" ambiguous\n")):
            return None
        match = _INFO.fullmatch(line)
        if match is None:
            raise GitError(f"git cat-file answered {shown(line, 120)!r}")
        return match[1].decode(), match[2].decode(), int(match[3])

    def contents(self, oid: Oid) -> bytes:
        """Give the raw bytes of an object; how many there may be is for the caller to ask first.

        Raises:
            GitError: it is not here, or git ended.
        """
        found = self.header(oid)
        if found is None:
            raise GitError(f"object {oid} is not in this repository", fix="git fetch --all --tags")
        data = self._pipes()[1].read(found[2] + 1)
        if len(data) != found[2] + 1:
            raise GitError("git cat-file ended early")
        return data[:-1]

    def close(self) -> None:
        """End the process."""
        kill_group(self._process)
        for pipe in self._pipes():
            with suppress(OSError):  # what is left to flush was for a process that is gone
                pipe.close()
        self._process.wait()

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        if self._process.stdin is None or self._process.stdout is None:
            raise GitError("git cat-file has no pipes")
        return self._process.stdin, self._process.stdout
