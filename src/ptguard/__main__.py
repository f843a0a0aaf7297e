"""The console script: runs a command and chooses the exit code, in this one place."""

import signal
import sys
from types import FrameType
from typing import NoReturn

from ptguard.errors import ExitCode, PtguardError


def main() -> NoReturn:
    """Run the command line of this process and leave with its exit code."""
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
    import click

    from ptguard.cli import cli

    try:
        outcome = cli.main(args, prog_name="ptguard", standalone_mode=False)
        return int(outcome or ExitCode.ACCEPTED)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        error.show()
        return ExitCode.USAGE
    except (KeyboardInterrupt, click.exceptions.Abort):
        sys.stderr.write("ptguard: interrupted: refused, nothing was pushed by it\n")
        return ExitCode.INTERRUPTED
    except PtguardError as error:
        return _complain(error)
    except Exception as error:  # whatever breaks must refuse, with words and a code of its own
        return _complain(PtguardError(f"ptguard itself failed: {type(error).__name__}: {error}", fix="report it, please"))


def _complain(error: PtguardError) -> ExitCode:
    """Say on standard error what stopped the judging and give its exit code."""
    from ptguard.cli.terminal import wants_color
    from ptguard.report import load

    sys.stderr.write(load("text").error(error, color=wants_color(sys.stderr)))
    return error.exit_code


if __name__ == "__main__":
    main()
