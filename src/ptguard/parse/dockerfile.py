"""The image that a Dockerfile's build is based on, told from the file alone.

Lines are read by the ``dockerfile`` package, which is BuildKit's own parser (Go, no network). It is guarded first:
it stops at a NUL byte as if the file ended there, a lone surrogate crashes the process, and its time grows with the
square of continuation lines. Stages and ARGs follow BuildKit's frontend/dockerfile/dockerfile2llb/convert.go.
"""

import re
from collections.abc import Mapping, Sequence

from ptguard.model import Location, Problem, Status
from ptguard.parse.dockerwords import Missing, UnresolvedError, expand
from ptguard.text import shown
from ptguard.value import value

MAX_BYTES = 128 * 1024
"""A Dockerfile of this size in continuation lines takes about a second to read; the largest known ones have 40 KB."""

_PLATFORM_ARGS = ("PLATFORM", "OS", "OSVERSION", "ARCH", "VARIANT")
_BUILDER_ARGS = frozenset(f"{side}{what}" for side in ("BUILD", "TARGET") for what in _PLATFORM_ARGS) | {"TARGETSTAGE"}
_BLANK = r"[ \t\r\f]*"
_DIRECTIVE = re.compile(rf"{_BLANK}#{_BLANK}([a-zA-Z][a-zA-Z0-9]*){_BLANK}={_BLANK}([^\n]+?){_BLANK}")
_FRONTEND = re.compile(
    r"(?:docker\.io/)?docker/dockerfile(?:-upstream)?(?::(?P<tag>[\w][\w.-]*))?(?:@sha256:[0-9a-f]{64})?", re.ASCII
)
_STAGE_NAME = re.compile(r"[a-z][a-z0-9_.-]*")


@value
class _Instruction:
    """``name`` in lower case, ``words`` as they stand there, ``line`` from 1."""

    name: str
    flags: tuple[str, ...]
    words: tuple[str, ...]
    line: int


@value
class _Stage:
    """``base`` is a reference, or the earlier stage that this one continues, or why neither is known."""

    name: str | None
    base: "str | _Stage | _RefusalError"
    line: int


class _RefusalError(Exception):
    """Why the image cannot be told, and where: never leaves this module."""

    def __init__(self, why: str, line: int | None, fix: str | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.line = line
        self.fix = fix


def declared_reference(path: str, data: bytes, target: str | None = None) -> tuple[str, int] | Problem:
    """Give the image that the final stage (or the stage ``target``) is based on, and the line of its FROM, from 1.

    Stage names are followed to the FROM that names an image, ARGs take their defaults. What the file alone does not
    decide is the problem ``unresolvable`` at its line: an ARG without a default, ``FROM scratch``, a template.
    """
    try:
        text = _checked(data)
        escape = _directives(text)
        stages = _stages(_instructions(_plain_header(text, escape)), escape)
        return _external(_final(stages, target))
    except _RefusalError as refusal:
        return _problem(path, refusal)
    except ImportError:
        return Problem(
            "could-not-decide",
            "the Python package dockerfile is not installed, so no Dockerfile can be read",
            fix="python -m pip install dockerfile",
            location=Location(path),
            status=Status.ERROR,
        )


def _problem(path: str, refusal: _RefusalError) -> Problem:
    place = path if refusal.line is None else f"{path}:{refusal.line}"
    return Problem(
        "unresolvable",
        f"the image of {shown(place, 200)} cannot be told: {refusal.why}",
        got=refusal.why,
        expected="a FROM whose image the file itself decides",
        fix=refusal.fix or f"name the image in full in {shown(place, 200)}, or give its ARG a default",
        location=Location(path, refusal.line),
    )


# ------------------------------------------------------------------------------------------------ text and lines


def _checked(data: bytes) -> str:
    """Give the text of a file that is safe to hand to the parser."""
    if len(data) > MAX_BYTES:
        raise _RefusalError(f"the file has {len(data)} bytes, more than {MAX_BYTES}", None)
    if b"\0" in data:
        raise _RefusalError("the file holds a NUL byte", data.count(b"\n", 0, data.index(b"\0")) + 1)
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise _RefusalError("the file is not UTF-8", data.count(b"\n", 0, error.start) + 1) from None


def _header(text: str) -> dict[str, tuple[str, int]]:
    """Give the parser directives with their values and lines; they end at the first line that is none."""
    found: dict[str, tuple[str, int]] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        match = _DIRECTIVE.fullmatch(line)
        key = match[1].lower() if match else ""
        if match is None or key not in ("syntax", "escape", "check"):
            break
        if key in found:
            raise _RefusalError(f"the directive {key} stands there twice", number)
        found[key] = (match[2], number)
    return found


def _directives(text: str) -> str:
    """Give the escape character, having made sure that it is Docker's own frontend that reads the file."""
    shebang = text.startswith("#!")
    header = _header(text)
    syntax = (_header(text.partition("\n")[2]) if shebang else header).get("syntax")
    if syntax is not None:
        _check_frontend(text, syntax[0], syntax[1] + shebang)
    escape, line = header.get("escape", ("\\", 0))
    if escape not in ("\\", "`"):
        raise _RefusalError(f"the escape character {shown(escape, 20)} is neither \\ nor `", line)
    return escape


def _check_frontend(text: str, syntax: str, line: int) -> None:
    frontend = _FRONTEND.fullmatch(syntax.split(maxsplit=1)[0])
    if frontend is None:
        fix = f"remove the syntax directive from line {line}, or use docker/dockerfile:1"
        raise _RefusalError(f"it is built by the foreign frontend {shown(syntax, 100)}", line, fix)
    if "<<" in text and re.fullmatch(r"1\.[0-3](\.\d+)?", frontend["tag"] or ""):
        fix = "write # syntax=docker/dockerfile:1"
        raise _RefusalError(f"the frontend {shown(syntax, 100)} knows no heredocs, and the file holds <<", line, fix)


def _plain_header(text: str, escape: str) -> str:
    """Give the text with the escape directive first and the others as comments, line for line.

    The packaged parser is older than the directive ``check`` and would read nothing behind it.
    """
    count = len(_header(text))
    if not count:
        return text
    return "\n".join([f"# escape={escape}", *["#"] * (count - 1), *text.split("\n")[count:]])


def _instructions(text: str) -> Sequence[_Instruction]:
    import dockerfile

    try:
        commands = dockerfile.parse_string(text)
    except (dockerfile.GoParseError, ValueError) as error:
        raise _RefusalError(f"Docker's parser refuses it: {shown(str(error), 200)}", None) from None
    known = frozenset(dockerfile.all_cmds())
    # A lone continuation at the end of the file is an instruction without a name.
    read = [_Instruction((c.cmd or "").lower(), tuple(c.flags), tuple(c.value), c.start_line) for c in commands]
    for item in read:
        if item.name not in known:
            raise _RefusalError(
                f"{shown(item.name, 60) or 'a lone continuation'} is no instruction of a Dockerfile", item.line
            )
    return read


# ------------------------------------------------------------------------------------------------ ARGs and stages


def _stages(instructions: Sequence[_Instruction], escape: str) -> list[_Stage]:
    variables: dict[str, str | Missing] = {
        name: Missing(f"{name} is set by the builder, not by the file", bare=False) for name in _BUILDER_ARGS
    }
    stages: list[_Stage] = []
    named: dict[str, _Stage] = {}
    for item in instructions:
        if item.name == "from":
            stage = _stage(item, named, variables, escape)
            stages.append(stage)
            if stage.name is not None:
                named[stage.name] = stage  # a name that stands twice is the later stage's
        elif not stages and item.name != "arg":
            raise _RefusalError(f"{item.name.upper()} stands before the first FROM", item.line)
        elif not stages:
            for word in item.words:
                _declare(word, item.line, variables, escape)
    if not stages:
        raise _RefusalError("there is no FROM in it", None)
    return stages


def _declare(word: str, line: int, variables: dict[str, str | Missing], escape: str) -> None:
    """Take one ``NAME`` or ``NAME=default`` of an ARG into ``variables``."""
    name, equals, default = word.partition("=")
    if name in _BUILDER_ARGS:
        return
    if not equals:
        # Versions of BuildKit differ in whether a second, bare ARG keeps the first one's default.
        why = f"ARG {shown(name, 60)} at line {line} has no default"
        variables[name] = Missing(why, bare=name not in variables)
        return
    try:
        variables[name] = expand(default, variables, escape)
    except UnresolvedError as error:
        why = str(error)  # the first cause is the one to mend
        told = why if why.startswith("ARG ") else f"ARG {shown(name, 60)} at line {line} has no value: {why}"
        variables[name] = Missing(told, bare=False)


def _stage(
    item: _Instruction, earlier: Mapping[str, _Stage], variables: Mapping[str, str | Missing], escape: str
) -> _Stage:
    """Read one FROM; that its image cannot be told matters only if the final stage is based on it."""
    name = _stage_name(item)
    if any(not flag.startswith("--platform=") for flag in item.flags):
        raise _RefusalError(f"FROM has no flag {shown(item.flags[0], 60)}", item.line)
    try:
        base = expand(item.words[0], variables, escape)
    except UnresolvedError as error:
        return _Stage(name, _RefusalError(shown(str(error), 200), item.line), item.line)
    stage = earlier.get(base.lower())
    if stage is not None and stage.name != "scratch":  # Docker's builders differ in what that name stands for
        return _Stage(name, stage, item.line)
    return _Stage(name, _image(base, item.line), item.line)


def _stage_name(item: _Instruction) -> str | None:
    if len(item.words) == 1:
        return None
    if len(item.words) != 3 or item.words[1].lower() != "as":
        raise _RefusalError("FROM takes an image, or an image AS a name", item.line)
    name = item.words[2].lower()
    if not _STAGE_NAME.fullmatch(name):
        raise _RefusalError(f"{shown(name, 60)} is no name of a stage", item.line)
    return name


def _image(base: str, line: int) -> str | _RefusalError:
    if base == "scratch":
        return _RefusalError("it is built from scratch, which is no image", line)
    if not base:
        return _RefusalError("FROM names nothing once its variables are filled in", line)
    if "$" in base or "{{" in base or "{%" in base:
        return _RefusalError(f"{shown(base, 100)} is a template", line)
    return base


def _final(stages: Sequence[_Stage], target: str | None) -> _Stage:
    if target is None:
        return stages[-1]
    for stage in reversed(stages):
        if stage.name == target.lower():
            return stage
    if target.isascii() and target.isdigit() and len(target) < 6 and int(target) < len(stages):
        return stages[int(target)]
    raise _RefusalError(f"it has no stage {shown(target, 60)}", None)


def _external(stage: _Stage) -> tuple[str, int]:
    """Follow stage names to the FROM that names an image."""
    while isinstance(stage.base, _Stage):
        stage = stage.base
    if isinstance(stage.base, _RefusalError):
        raise stage.base
    return stage.base, stage.line
