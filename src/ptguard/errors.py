"""What stops ptguard from judging, as opposed to what it finds: every error carries its exit code.

A *finding* is a value and refuses a tag; an *error* means that nothing could be judged, and refuses too.
The exit codes are listed once, in :class:`ExitCode`, and chosen from there only.
"""

import errno
from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """The process exit codes that programs may rely on."""

    ACCEPTED = 0
    REFUSED = 1
    USAGE = 2
    UNDECIDED = 3
    INTERRUPTED = 130


class PtguardError(Exception):
    """Base of all errors of ptguard: could not decide.

    ``message`` says what happened, ``fix`` the exact command or edit that mends it (or None).
    """

    kind: ClassVar[str] = "error"
    exit_code: ClassVar[ExitCode] = ExitCode.UNDECIDED

    def __init__(self, message: str, *, fix: str | None = None) -> None:
        """Keep the two sentences apart, so that reports can lay them out."""
        super().__init__(message)
        self.message = message
        self.fix = fix


class UsageError(PtguardError):
    """The call is wrong: an unknown tag, not a repository, a malformed ref line."""

    kind = "usage"
    exit_code = ExitCode.USAGE


class PolicyError(PtguardError):
    """No policy could be found or read; ``problems`` has one line for every mistake in it."""

    kind = "policy"
    exit_code = ExitCode.USAGE

    def __init__(self, message: str, *, fix: str | None = None, problems: tuple[str, ...] = ()) -> None:
        """Keep each mistake as a line of its own."""
        super().__init__(message, fix=fix)
        self.problems = problems


class GitError(PtguardError):
    """Git failed, answered what it never should, or an object is not here."""

    kind = "git"


class ToolMissingError(PtguardError):
    """A program that the judging needs (git, gpg, ssh-keygen) is not installed."""

    kind = "tool-missing"


class ToolFailedError(PtguardError):
    """A program was there but did not answer in time or in a form that can be trusted."""

    kind = "tool-failed"


class TooSlowError(ToolFailedError):
    """The judging of a push took longer than the administrator of a server allows."""

    kind = "timeout"


def unexpected(error: Exception) -> PtguardError:
    """Give what is said of an exception that nobody expected: a mistake of ours, which refuses too."""
    words = f"ptguard itself failed: {type(error).__name__}: {error}"
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    return PtguardError(words, fix="df -h   # and make room" if full else "report it, please")
