"""The console script: runs a command and chooses the exit code, in this one place."""

import gc
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from ptguard.errors import ExitCode, PtguardError, unexpected

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_CLEARING_UP: Final = 1.0
_caught: list[float] = []


def main() -> NoReturn:
    """Run the command line of this process and leave with its exit code."""
    if sys.getfilesystemencoding() != "utf-8":
        _begin_again()
    gc.set_threshold(100_000)  # a short life makes little garbage; looking for it at every import costs 10 ms
    args = sys.argv[1:]
    sys.unraisablehook = _dropped
    try:
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, or a shell's background
                signal.signal(number, _interrupt)
        _open_streams()
        code = _told(run(args))
    except KeyboardInterrupt:  # before there was anything to call off, or after all was said
        code = _interrupted()
    # All is said and cleared up. Taking the interpreter down in good order costs 15 ms, and where an interrupt came in
    # the middle of an eval(), as in the import of a named tuple, it ends by SIGINT instead of with our code.
    if _is_hook(args) or _caught:
        os._exit(code)
    sys.exit(code)


def _begin_again() -> None:
    """Begin anew in UTF-8 mode: in this one names would not come back as they were read."""
    from ptguard import utf8

    try:
        utf8.begin_again()
    except OSError as error:
        sys.exit(_complain(unexpected(error)))


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Interrupt, but not again while we clear up: that would leave files and programs behind."""
    del number, frame
    now = time.monotonic()
    if not _caught or now - _caught[-1] > _CLEARING_UP:
        _caught.append(now)
        raise KeyboardInterrupt


def _dropped(what: "sys.UnraisableHookArgs") -> None:
    """Say nothing of an interrupt that Python drops, as in a callback of a weak reference: it is said at the end."""
    if not (_caught and what.exc_type is KeyboardInterrupt):
        sys.__unraisablehook__(what)


def _open_streams() -> None:
    """Make standard output and error fit to be written to, whatever we were started with."""
    low = os.open(os.devnull, os.O_RDWR)
    while low <= 2:  # was closed: no file or pipe of ours may get a number that programs take for a stream
        low = os.open(os.devnull, os.O_RDWR)
    os.close(low)
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8")  # noqa: SIM115 - as long as the process
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8")  # noqa: SIM115
    encoding = None
    if "utf8" in sys._xoptions:  # begun anew
        from ptguard import utf8

        encoding = utf8.spoken()
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character must not turn a refusal into a traceback.
        stream.reconfigure(encoding=encoding, errors="backslashreplace")  # type: ignore[union-attr]


def _told(code: int) -> int:
    """Give ``code``, but never that of acceptance where the words did not get out (a full disk, a broken pipe)."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # or Python's own last flush exits with 120
            code = code or ExitCode.UNDECIDED
    return code


def run(args: list[str]) -> int:
    """Run the command that ``args`` name and give the exit code; nothing that goes wrong leaves a traceback."""
    try:
        code = _hook(*args[1:]) if _is_hook(args) else _command(args)
        return _interrupted() if _caught else code  # Python drops what is raised in a callback of its own
    except KeyboardInterrupt:
        return _interrupted()
    except PtguardError as error:
        return _interrupted() if _caught else _complain(error)
    except Exception as error:  # whatever breaks must refuse, with words and a code of its own
        if _caught:  # a library in C may make a SystemError of it: "returned a result with an exception set"
            return _interrupted()
        return _complain(unexpected(error))


def _interrupted() -> ExitCode:
    with suppress(OSError):
        sys.stderr.write("ptguard: interrupted: refused, nothing was pushed by it\n")
    return ExitCode.INTERRUPTED


def _is_hook(args: list[str]) -> bool:
    """Tell whether this is the call of the installed hook: people wait for it, so it goes past the option parser."""
    return args == ["pre-receive"] or (
        len(args) == 3 and args[0] == "pre-push" and not any(arg.startswith("-") for arg in args)
    )


def _hook(*args: str) -> int:
    if not args:
        from ptguard.prereceive import receive

        return receive()
    remote, url = args
    from ptguard.prepush import judge_stdin

    return judge_stdin(Path(), remote, url)


def _command(args: list[str]) -> int:
    import click

    from ptguard.cli import cli

    try:
        outcome = cli.main(args, prog_name="ptguard", standalone_mode=False)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.exceptions.Abort:
        raise KeyboardInterrupt from None
    except click.ClickException as error:
        error.show()
        return ExitCode.USAGE
    except SystemExit:  # click's word for a broken pipe: nobody read the words, which 1 would call a refusal
        return ExitCode.UNDECIDED
    return int(outcome or ExitCode.ACCEPTED)


def _complain(error: PtguardError) -> ExitCode:
    """Say on standard error what stopped the judging and give its exit code."""
    from ptguard.report import load
    from ptguard.terminal import wants_color

    with suppress(OSError):  # the code says it too
        sys.stderr.write(load("text").error(error, color=wants_color(sys.stderr)))
    return error.exit_code


if __name__ == "__main__":
    main()
