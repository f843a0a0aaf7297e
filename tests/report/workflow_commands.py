"""An independent reader of workflow commands, after what actions/runner does with each line of a step's output.

The runner takes a line for a command where it begins (after blanks) with ``::name properties::``, and failing that
where ``##[name properties]`` stands anywhere in it. Properties are parted by commas (semicolons in the old form).
"""

from dataclasses import dataclass

KNOWN = {
    "add-mask", "add-matcher", "add-path", "debug", "echo", "endgroup", "error", "group", "notice", "remove-matcher",
    "save-state", "set-env", "set-output", "stop-commands", "warning",
}  # fmt: skip


@dataclass(frozen=True)
class Command:
    """A command that the runner would obey."""

    name: str
    properties: dict[str, str]
    data: str


def lines(output: str) -> list[str]:
    """Give the lines as .NET reads them: a carriage return ends one as well."""
    split = output.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return split[:-1] if split[-1] == "" else split


def command(line: str) -> Command | None:
    """Give the command that ``line`` is, or None where the runner only prints it."""
    bare = line.lstrip()
    if bare.startswith("::"):
        head, found, data = bare[2:].partition("::")
        name, _, given = head.partition(" ")
        if found and name.lower() in KNOWN:
            return Command(name, _properties(given.strip(), ",", ":,"), _unescaped(data, ""))
    _, found, rest = line.partition("##[")
    head, closed, data = rest.partition("]")
    name, _, given = head.partition(" ")
    if found and closed and name.lower() in KNOWN:
        return Command(name, _properties(given, ";", ";]"), _unescaped(data, ";]"))
    return None


def _properties(given: str, between: str, extra: str) -> dict[str, str]:
    pairs = (part.split("=", 1) for part in given.split(between) if "=" in part)
    return {name: _unescaped(text, extra) for name, text in pairs if name and text}


def _unescaped(text: str, extra: str) -> str:
    for char in ("\r", "\n", *extra, "%"):  # the percent sign last, as the runner has it
        text = text.replace(f"%{ord(char):02X}", char)
    return text
