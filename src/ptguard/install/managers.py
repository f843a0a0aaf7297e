"""Hook managers that own the place of the guard: which one it is, what to write into its file, whether that is there.

Tried with lefthook 2.2 and husky 9.1: they never run, or rename, what others put into the hooks folder, so nothing is
written there; the user adds a few lines to the manager's own files.
"""

import json
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from ptguard.gateways.repo import Layout
from ptguard.install.hookfile import HookFile, Kind, read
from ptguard.text import sh
from ptguard.value import value

_LEFTHOOK_FILES = tuple(
    f"{dot}lefthook{local}.{end}"
    for local in ("", "-local")
    for dot in ("", ".")
    for end in ("yml", "yaml", "toml", "json")
)
_CALL = re.compile(
    r"""^[ \t]*
    (?P<fed>(?:printf|echo)\b[^#|\n]*\|[ \t]*)?              # from a variable that holds the lines
    (?P<last>exec[ \t]+)?
    (?P<by>(?:uv|poetry|pdm|hatch|pipenv)[ \t]+run[ \t]+|[^\s#;&|<>()'"`]*python[0-9.]*[ \t]+(?:-I[ \t]+)?-m[ \t]+)?
    (?P<program>"(?:[^"\n]*/)?ptguard"|'(?:[^'\n]*/)?ptguard'|(?:[^\s#;&|<>()'"`]*/)?ptguard)
    [ \t]+(?:-C[ \t]+\S+[ \t]+)?pre-push[ \t]+"\$@"[ \t]*
    (?P<heeded>\|\|[ \t]*exit(?:[ \t]+(?:"\$\?"|\$\?|[1-9][0-9]*))?[ \t]*;?[ \t]*)?
    (?:\#.*)?$""",
    re.MULTILINE | re.VERBOSE,
)
"""A line that hands the guard the arguments; what is only printed, or whose answer is dropped, is none."""

_IN_THE_WAY = re.compile(
    r"^(?:exit|exec)\b|^[^#\n]*\b(?:git[ -]lfs[ \t]+pre-push|cat(?![ \t]*<)|xargs|tee|while[ \t]+read|read[ \t]+-?\w)",
    re.MULTILINE,
)
"""What ends a hook before the guard is called, or eats the one standard input that the guard is to read."""
SCRIPT = 'ptguard pre-push "$@" || exit $?'
KEEPING = """\
lines=$(cat)
printf '%s\\n' "$lines" | ptguard pre-push "$@" || exit $?
[ -z "$lines" ] || exec <<END
$lines
END"""
"""The same where something else may follow that reads: a hook has one standard input, so it is put back."""
_LEFTHOOK = """\
pre-push:
  scripts:
    ptguard:
      runner: sh
      use_stdin: true
"""


@value
class Call:
    """A line that calls the guard; ``program`` by its own name or path, None: by way of something else."""

    program: str | None


@value
class Manager:
    """Who owns the pre-push hook. ``stanzas`` are the lines that belong into each file; ``present``: they are there.

    There is no stanza where no lines would help: ``remedy`` is then the command that does. ``program`` is what the
    lines that are there call by its own name or path (None: by way of something else, such as ``uv run``).
    """

    name: str
    present: bool
    stanzas: tuple[tuple[Path, str], ...] = ()
    remedy: str | None = None
    program: str | None = None


def find(layout: Layout, pre_push: HookFile) -> Manager | None:
    """Give the manager that owns the hook of this clone, or None where the hooks folder is ours to write."""
    if pre_push.kind is Kind.LEFTHOOK:
        return _lefthook(layout, pre_push)
    if not layout.hooks_elsewhere:
        return None
    if not layout.hooks.is_dir() and layout.hooks.exists():
        return Manager("core.hooksPath", present=False, remedy="git config --unset core.hooksPath")
    if layout.hooks.name == "_" and layout.hooks.parent.name == ".husky":
        script = layout.hooks.parent / "pre-push"  # husky runs it with sh -e: it need not be executable
        again = "npx husky   # writes .husky/_ anew, which runs the hooks"
        hook = read(script)
        return _manager("husky", _call(hook, stops=True), pre_push, ((script, _lines(hook)),), again)
    name = "husky" if layout.hooks.name == ".husky" else "core.hooksPath"
    if pre_push.kind is Kind.ABSENT:
        return Manager(name, present=False, stanzas=((pre_push.path, f"#!/bin/sh\n{SCRIPT}"),))
    again = sh("chmod", "+x", os.fspath(pre_push.path))
    return _manager(name, _call(pre_push), pre_push, ((pre_push.path, _lines(pre_push)),), again)


def _lines(hook: HookFile) -> str:
    """Give the lines that belong at the beginning of a hook, by whether anything follows there."""
    text = hook.data.decode("utf-8", "replace").splitlines()
    return KEEPING if any(line.strip() and not line.lstrip().startswith("#") for line in text) else SCRIPT


def _manager(
    name: str, call: Call | None, runs: HookFile, stanzas: tuple[tuple[Path, str], ...], again: str
) -> Manager:
    """Give the manager whose hook holds ``call``; ``again`` is the command that lets git reach it through ``runs``."""
    if call is None:
        return Manager(name, present=False, stanzas=stanzas)
    if not runs.executable:
        return Manager(name, present=False, remedy=again)
    return Manager(name, present=True, stanzas=stanzas, program=call.program)


def _call(hook: HookFile, *, stops: bool = False) -> Call | None:
    """Give how the hook hands the ref lines to the guard and heeds its answer; ``stops``: it runs under ``sh -e``."""
    if hook.kind is Kind.GUARD:
        return Call(None)
    text = hook.data.decode("utf-8", "replace")
    counting = (call for call in _CALL.finditer(text) if _counts(text, call, stops))
    return next((Call(None if c["by"] else c["program"].strip("'\"")) for c in counting), None)


def _counts(text: str, call: re.Match[str], stops: bool) -> bool:  # noqa: FBT001 - only called above
    before, after = text[: call.start()], text[call.end() :]
    ends = not any(line.strip() and not line.strip().startswith("#") for line in after.splitlines())
    stops = stops or re.search(r"^set -\w*e", before, re.MULTILINE) is not None
    heeded = call["heeded"] or call["last"] or ends or stops
    return bool(heeded) and (bool(call["fed"]) or _IN_THE_WAY.search(before) is None)


def _lefthook(layout: Layout, pre_push: HookFile) -> Manager:
    """Find the guard among lefthook's scripts; its commands are skipped where a push brings no changed files.

    That is the usual push of a tag (tried with 2.2.2), also with ``files:`` given; scripts always run.
    """
    root = layout.top or layout.common_dir
    there = [root / name for name in _LEFTHOOK_FILES if (root / name).is_file()]
    call = next((call for file in there if (call := _guarded(load(file), root)) is not None), None)
    stanzas = (
        (there[0] if there else root / "lefthook.yml", _LEFTHOOK),
        (root / ".lefthook/pre-push/ptguard", f"{SCRIPT}\n"),
    )
    return _manager("lefthook", call, pre_push, stanzas, sh("chmod", "+x", os.fspath(pre_push.path)))


def load(file: Path) -> object:
    """Give what a YAML, TOML or JSON file says, by the end of its name; None where it cannot be read."""
    import yaml

    try:
        text = file.read_text("utf-8")
        match file.suffix:
            case ".toml":
                return tomllib.loads(text)
            case ".json":
                return json.loads(text)
            case _:
                return yaml.safe_load(text)
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return None


def _guarded(config: object, root: Path) -> Call | None:
    """Give how a lefthook configuration always runs a script at pre-push that hands the ref lines to the guard."""
    hook = config.get("pre-push") if isinstance(config, Mapping) else None
    if not isinstance(config, Mapping) or not isinstance(hook, Mapping) or _conditional(hook):
        return None
    folder = root / str(config.get("source_dir", ".lefthook")) / "pre-push"
    reading = (name for name, job in _scripts(hook) if job.get("use_stdin") is True and not _conditional(job))
    return next((call for name in reading if (call := _call(read(folder / name))) is not None), None)


def _conditional(part: Mapping[object, object]) -> bool:
    return any(key in part for key in ("skip", "only", "exclude_tags"))


def _scripts(hook: Mapping[object, object]) -> Iterable[tuple[str, Mapping[object, object]]]:
    scripts, jobs = hook.get("scripts"), hook.get("jobs")
    named = list(scripts.items()) if isinstance(scripts, Mapping) else []
    named += [(job.get("script"), job) for job in jobs if isinstance(job, Mapping)] if isinstance(jobs, list) else []
    return [(name, job) for name, job in named if isinstance(name, str) and isinstance(job, Mapping)]


def precommit_types(layout: Layout) -> tuple[str, ...]:
    """Give the hook types that the clone's pre-commit configuration wants installed; none where there is no file.

    ``default_install_hook_types``, else only ``pre-commit``, as pre-commit itself reads it.
    """
    config = layout.top / ".pre-commit-config.yaml" if layout.top else None
    if config is None or not config.is_file():
        return ()
    found = load(config)
    types = found.get("default_install_hook_types") if isinstance(found, Mapping) else None
    if isinstance(types, list) and types and all(isinstance(t, str) and os.path.basename(t) == t for t in types):  # noqa: PTH119
        return tuple(types)
    return ("pre-commit",)


def precommit_missing(layout: Layout) -> tuple[str, ...]:
    """Give the hook types that pre-commit should have put in here and has not."""
    return tuple(t for t in precommit_types(layout) if read(layout.default_hooks / t).kind is not Kind.PRE_COMMIT)
