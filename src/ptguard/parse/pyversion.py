"""The version that a Python file binds to a name, read from its syntax tree; nothing is run."""

import ast
import codecs
import re
import warnings
from collections.abc import Iterator
from typing import Final

from ptguard.value import value

# PEP 263 takes any codec by name; these two read their text in quadratic time, and no source is written in them.
_SLOW_CODECS: Final = ("punycode", "idna")
_COOKIE: Final = rb"\A(?:[^\n]*\n)?[^\n]*coding[:=][ \t]*([-\w.]+)"


@value
class Binding:
    """What a module binds to a name: ``value`` None where it is computed; ``line`` is the last binding's."""

    value: str | None
    line: int


def binding(data: bytes, name: str) -> Binding | str | None:
    """Give what ``name`` is bound to when the module ``data`` has been run from top to bottom, None for nothing.

    Bound in a branch, by an import, or to anything but a text literal: computed. Several literals: the last one.
    A text instead says why the source cannot be read.
    """
    try:
        if _codec(data) in _SLOW_CODECS:
            return "an encoding that no source is written in"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(data)
    except SyntaxError as error:
        return f"line {error.lineno or 1}: {error.msg}"
    except (ValueError, RecursionError, MemoryError, LookupError) as error:
        return type(error).__name__
    value: str | None = None
    line: int | None = None
    computed = False
    for statement, top in _statements(tree):
        if name in _bound(statement):
            literal = _literal(statement, name) if top else None
            computed = computed or literal is None
            value, line = literal, statement.lineno
    return None if line is None else Binding(None if computed else value, line)


def _codec(data: bytes) -> str:
    """Give the name of the codec that one of the first two lines declares, in the one form that Python keeps of it."""
    found = re.search(_COOKIE, data.replace(b"\r", b"\n"))
    return codecs.lookup(found[1].decode("ascii")).name if found else ""


def _statements(tree: ast.Module) -> Iterator[tuple[ast.stmt, bool]]:
    """Give the statements that run when the module is imported, in order, and whether each surely runs."""
    waiting: list[tuple[ast.AST, bool]] = [(node, True) for node in reversed(tree.body)]
    while waiting:
        node, top = waiting.pop()
        if isinstance(node, ast.stmt):
            yield node, top
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.expr):
            inner = [n for n in ast.iter_child_nodes(node) if not isinstance(n, ast.expr)]
            waiting.extend((n, False) for n in reversed(inner))


def _bound(statement: ast.stmt) -> set[str]:
    """Give the names that a statement binds at the level that it stands on."""
    match statement:
        case ast.Assign(targets=targets):
            return {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}
        case ast.AnnAssign(target=ast.Name(id=name), value=value) if value is not None:
            return {name}
        case ast.AugAssign(target=ast.Name(id=name)) | ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return {(n.asname or n.name).split(".")[0] for n in names}
        case ast.For(target=target) | ast.AsyncFor(target=target):
            return {n.id for n in ast.walk(target) if isinstance(n, ast.Name)}
        case ast.Delete(targets=targets):
            return {n.id for n in targets if isinstance(n, ast.Name)}
    return set()


def _literal(statement: ast.stmt, name: str) -> str | None:
    """Give the text literal that ``statement`` binds to ``name``, or None where it binds something else."""
    match statement:
        case ast.Assign(targets=targets, value=ast.Constant(value=str(text))):
            return text if any(isinstance(t, ast.Name) and t.id == name for t in targets) else None
        case ast.AnnAssign(value=ast.Constant(value=str(text))):
            return text
    return None
