"""The lines that a hook manager needs, as commands for a shell that put them where they work.

What ``ptguard install`` shows is for reading; what ``ptguard doctor`` advises can be run as it stands. Nothing is run
here, and nothing is overwritten by what is advised: lines are added.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from ptguard.install.managers import Manager, load
from ptguard.text import sh

_SHELL = re.compile(rb"#![^\n]*\b(?:sh|bash|dash|ksh|zsh|ash)\b")
_CHAIN = (
    "#!/bin/sh",
    "lines=$(cat)",
    'printf \'%s\\n\' "$lines" | ptguard pre-push "$@" || exit $?',
    'printf \'%s\\n\' "$lines" | "${0%/*}/pre-push.own" "$@"',
)
"""A hook that keeps the one standard input for two readers."""


def command(manager: Manager) -> str | None:
    """Give the command that adds the manager's lines; None where only a person can (a configuration to be merged)."""
    if manager.name == "lefthook":
        return _lefthook(manager)
    file, lines = manager.stanzas[0]
    return _script(file, lines.splitlines(), always_sh=manager.name == "husky")


def _script(file: Path, lines: list[str], *, always_sh: bool) -> str:
    """Give the command that adds ``lines`` to a hook, before anything that reads standard input."""
    name = sh(os.fspath(file))
    try:
        data = file.read_bytes()
    except OSError:
        makes = f"{sh('mkdir', '-p', os.fspath(file.parent))} && {_print(lines)} > {name}"
        return f"{makes} && chmod +x {name}" if lines[0].startswith("#!") else makes
    first, broken, _ = data.partition(b"\n")
    if not (always_sh or _SHELL.match(first) or not first.startswith(b"#!")):
        own = sh(os.fspath(file.with_name("pre-push.own")))
        return f"mv {sh(os.fspath(file))} {own} && {_print([*_CHAIN])} > {name} && chmod +x {name}"
    if not first or (first.startswith(b"#!") and not broken):  # nothing, or a first line that does not end
        return f"{_print(['', *lines] if first else lines)} >> {name}"
    # Through a second file and back, so that mode and links stay as they are.
    new = sh(os.fspath(file) + ".new")
    top, rest = (f"head -n 1 {name}; ", f"tail -n +2 {name}") if first.startswith(b"#!") else ("", f"cat {name}")
    return f"{{ {top}{_print(lines)}; {rest}; }} > {new} && cat {new} > {name} && rm {new}"


def _lefthook(manager: Manager) -> str | None:
    (config, lines), (script, call) = manager.stanzas
    file = _lefthook_file(config)
    if file is None:
        return None
    makes = (
        f"{sh('mkdir', '-p', os.fspath(script.parent))} && {_print(call.splitlines())} > {sh(os.fspath(script))} && "
    )
    return f"{'' if script.exists() else makes}{_print(lines.splitlines())} >> {sh(os.fspath(file))}"


def _lefthook_file(config: Path) -> Path | None:
    """Give the file to which the stanza can be added at its end: without a section for pre-push, and YAML."""
    local = config.with_name("lefthook-local.yml")
    for file in (config, local):
        if file.suffix in (".yml", ".yaml") and (not file.exists() or _has_room(file)):
            return file
    return None


def _has_room(file: Path) -> bool:
    said = load(file)
    ends = file.read_bytes()[-1:] in (b"\n", b"")
    bare = said is None and not file.read_bytes().strip()
    return ends and (bare or (isinstance(said, Mapping) and "pre-push" not in said))


def _print(lines: list[str]) -> str:
    return sh("printf", r"%s\n", *lines)


def on_path(program: Path) -> str | None:
    """Give the command that lets ``program`` be found by its name; None where PATH has no usual folder to write to."""
    folders = [Path.home() / ".local/bin", Path.home() / "bin", Path("/usr/local/bin")]
    there = os.environ.get("PATH", "").split(os.pathsep)
    for folder in folders:
        if os.fspath(folder) in there and (not folder.exists() or os.access(folder, os.W_OK)):
            makes = "" if folder.is_dir() else sh("mkdir", "-p", os.fspath(folder)) + " && "
            return makes + sh("ln", "-sf", os.fspath(program), os.fspath(folder / program.name))
    return None
