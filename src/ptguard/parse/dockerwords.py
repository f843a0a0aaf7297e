"""Expansion of a word of a Dockerfile: quotes, escapes and ``$X``, ``${X}``, ``${X:-d}`` and their kin.

After BuildKit's frontend/dockerfile/shell/lex.go; what depends on more than the file (a variable without a value,
a pattern substitution that versions of BuildKit read differently) is an :class:`UnresolvedError`, never a guess.
"""

from collections.abc import Mapping

from ptguard.value import value

MAX_EXPANDED = 4096
"""Characters that a word may grow to: far beyond any image reference, far below what doubling ARGs could make."""

_MAX_NESTED = 16


class UnresolvedError(Exception):
    """The word has no value that the file alone decides; the message says why."""


@value
class Missing:
    """A variable that has no value from the file: ``bare`` when it is declared without a default."""

    why: str
    bare: bool


Variables = Mapping[str, "str | Missing"]


def expand(word: str, variables: Variables, escape: str) -> str:
    r"""Give ``word`` with quotes removed and variables filled in; ``escape`` is ``\`` or the file's own choice.

    Raises:
        UnresolvedError: a variable has no value, or the syntax is one that cannot be decided.
    """
    reader = _Reader(word, variables, escape)
    text = reader.read(None, 0)
    if reader.unresolved:
        raise UnresolvedError(reader.unresolved[0])
    return text


class _Reader:
    """Reads one word from left to right; ``unresolved`` holds why, for each variable that was taken without a value."""

    def __init__(self, word: str, variables: Variables, escape: str) -> None:
        self.word = word
        self.variables = variables
        self.escape = escape
        self.at = 0
        self.unresolved: list[str] = []

    def peek(self) -> str:
        """Give the next character, empty at the end."""
        return self.word[self.at : self.at + 1]

    def next(self) -> str:
        """Give the next character and go behind it."""
        char = self.peek()
        self.at += 1
        return char

    def read(self, stop: str | None, depth: int) -> str:
        """Read up to ``stop`` (consumed) or, with None, to the end."""
        if depth > _MAX_NESTED:
            raise UnresolvedError("substitutions are nested too deeply")
        out: list[str] = []
        size = 0
        while (char := self.next()) and char != stop:
            piece = self.piece(char, depth)
            size += len(piece)
            if size > MAX_EXPANDED:
                raise UnresolvedError(f"the value is longer than {MAX_EXPANDED} characters")
            out.append(piece)
        if stop and not char:
            raise UnresolvedError(f"a substitution lacks its closing {stop}")
        return "".join(out)

    def piece(self, char: str, depth: int) -> str:
        """Give what ``char``, just read, and what belongs to it stand for."""
        if char == "'":
            return self.single_quoted()
        if char == '"':
            return self.double_quoted(depth)
        if char == "$":
            return self.dollar(depth)
        return self.next() if char == self.escape else char

    def single_quoted(self) -> str:
        """Give the text up to the closing quote as it stands."""
        end = self.word.find("'", self.at)
        if end < 0:
            raise UnresolvedError("a single quote is not closed")
        text, self.at = self.word[self.at : end], end + 1
        return text

    def double_quoted(self, depth: int) -> str:
        """Give the text up to the closing quote, expanded; the escape serves three characters only."""
        out: list[str] = []
        size = 0
        while (char := self.next()) != '"':
            if not char:
                raise UnresolvedError("a double quote is not closed")
            if char == "$":
                char = self.dollar(depth)
            elif char == self.escape and self.peek() in ('"', "$", self.escape):
                char = self.next()
            size += len(char)
            if size > MAX_EXPANDED:
                raise UnresolvedError(f"the value is longer than {MAX_EXPANDED} characters")
            out.append(char)
        return "".join(out)

    def name(self) -> str:
        """Read a variable's name; positional and special parameters have no meaning in a Dockerfile."""
        start = self.at
        while (char := self.peek()) and (char == "_" or char.isalnum()):
            self.at += 1
        name = self.word[start : self.at]
        if not name or name[0].isdigit():
            raise UnresolvedError("a $ stands before what is no name")
        return name

    def dollar(self, depth: int) -> str:
        """Give the value of the variable or substitution whose ``$`` was just read."""
        if self.peek() != "{":
            return self.value(self.name())
        self.next()
        name = self.name()
        operator = self.next()
        if operator == "}":
            return self.value(name)
        colon = operator == ":"
        if colon:
            operator = self.next()
        if operator not in ("-", "+", "?"):
            raise UnresolvedError(f"the substitution of {name} is of a kind that cannot be decided here")
        return self.choose(name, operator, depth, colon=colon)

    def choose(self, name: str, operator: str, depth: int, *, colon: bool) -> str:
        """Give what ``${name:-word}`` stands for; that ``word`` has no value matters only where it is taken."""
        before = len(self.unresolved)
        word = self.read("}", depth + 1)
        held = self.variables.get(name)
        if isinstance(held, Missing) and not (held.bare and colon):
            return self.lacks(held.why)
        is_set = isinstance(held, str) and not (colon and not held)
        takes_word = operator != "?" and (operator == "+") is is_set
        if takes_word:
            return word
        del self.unresolved[before:]
        if operator == "?" and not is_set:
            return self.lacks(f"{name} has no value, and the file demands one")
        return held if operator != "+" and isinstance(held, str) else ""

    def value(self, name: str) -> str:
        """Give the value of ``$name``."""
        held = self.variables.get(name)
        if isinstance(held, str):
            return held
        return self.lacks(held.why if held else f"no ARG before the first FROM declares {name}")

    def lacks(self, why: str) -> str:
        """Note that a value is missing, and go on: a branch that is not taken may hold it."""
        self.unresolved.append(why)
        return ""
