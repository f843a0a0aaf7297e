"""The console script: runs a command and chooses the exit code, in this one place."""

import gc
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

from ptguard.errors import ExitCode, PtguardError


def main() -> NoReturn:
    """Run the command line of this process and leave with its exit code."""
    gc.set_threshold(100_000)  # a short life makes little garbage; looking for it at every import costs 10 ms
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character must not turn a refusal into a traceback.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    sys.exit(run(sys.argv[1:]))


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


def run(args: list[str]) -> int:
    """Run the command that ``args`` name and give the exit code; nothing that goes wrong leaves a traceback."""
    try:
        return _hook(*args[1:]) if _is_hook(args) else _command(args)
    except KeyboardInterrupt:
        sys.stderr.write("ptguard: interrupted: refused, nothing was pushed by it\n")
        return ExitCode.INTERRUPTED
    except PtguardError as error:
        return _complain(error)
    except Exception as error:  # whatever breaks must refuse, with words and a code of its own
        words = f"ptguard itself failed: {type(error).__name__}: {error}"
        return _complain(PtguardError(words, fix="report it, please"))


def _is_hook(args: list[str]) -> bool:
    """Tell whether this is the call of the installed hook: people wait for it, so it goes past the option parser."""
    return len(args) == 3 and args[0] == "pre-push" and not any(arg.startswith("-") for arg in args)


def _hook(remote: str, url: str) -> int:
    from ptguard.judging import request_now
    from ptguard.prepush import judge_stdin

    return judge_stdin(request_now(Path()), remote, url)


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
    return int(outcome or ExitCode.ACCEPTED)


def _complain(error: PtguardError) -> ExitCode:
    """Say on standard error what stopped the judging and give its exit code."""
    from ptguard.report import load
    from ptguard.terminal import wants_color

    sys.stderr.write(load("text").error(error, color=wants_color(sys.stderr)))
    return error.exit_code


if __name__ == "__main__":
    main()
