"""YAML read safely, as a graph of nodes with their lines: nothing is constructed, nothing expanded without bounds.

PyYAML's SafeLoader composes the graph (YAML 1.1); its pure Python reader, so that no C library is met by hostile text.
"""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from ptguard.value import value

if TYPE_CHECKING:
    import yaml

MAX_BYTES: Final = 128 * 1024
"""About two seconds of reading; the largest workflow files known have 60 KB."""

_MAX_NODES: Final = 50_000
_MAX_DEPTH: Final = 60
_MAX_DOCUMENTS: Final = 200
_KNOWN: Final = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ("str", "null", "bool", "int", "float", "timestamp", "value", "seq", "map")
)
"""Tags whose nodes mean what stands there; of any other (``!reset``, ``!!binary``) only its own reader knows what."""

_DISPUTED: Final = re.compile("[\x85\u2028\u2029]")
"""Line breaks in YAML 1.1 and none in 1.2: what follows one in a comment is read by some and not by others."""


class YamlError(Exception):
    """The text cannot be read; the message says why, ``line`` where (from 1), if that is known."""

    def __init__(self, why: str, line: int | None = None) -> None:
        """Keep both."""
        super().__init__(why)
        self.line = line


@value
class Scalar:
    """A plain value: its text as YAML reads it, and its line. ``tagged`` with a tag of its own (``!reference``).

    ``null`` where it says that there is nothing (``null``, ``~``), which a text in quotes does not.
    """

    text: str
    line: int
    tagged: bool = False
    null: bool = False


@value
class Table:
    """A mapping by its scalar keys, in their order."""

    items: Mapping[str, "Node"]
    line: int
    tagged: bool = False

    def get(self, *keys: str) -> "Node | None":
        """Give what stands below ``keys``, one within the other, or None."""
        found: Node | None = self
        for key in keys:
            found = found.items.get(key) if isinstance(found, Table) else None
        return found


@value
class Rows:
    """A sequence."""

    items: tuple["Node", ...]
    line: int
    tagged: bool = False


Node = Scalar | Table | Rows


def documents(data: bytes) -> tuple[Node, ...]:
    """Give the documents of ``data``; one that is empty is left out.

    Raises:
        YamlError: no UTF-8, no YAML, too large, too deep, aliases that grow, a key that stands twice, a merge key.
    """
    import yaml

    if len(data) > MAX_BYTES:
        raise YamlError(f"the file has {len(data)} bytes, more than {MAX_BYTES}")
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise YamlError("the file is not UTF-8", data.count(b"\n", 0, error.start) + 1) from None
    disputed = _DISPUTED.search(text)
    if disputed:
        raise YamlError("a line break that readers of YAML differ in", text.count("\n", 0, disputed.start()) + 1)
    found: list[Node] = []
    reader = _Reader()
    try:
        for root in yaml.compose_all(text, Loader=yaml.SafeLoader):
            if len(found) >= _MAX_DOCUMENTS:
                raise YamlError(f"more than {_MAX_DOCUMENTS} documents")
            if root is not None:
                found.append(reader.node(root, 0))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise YamlError(f"no YAML: {error.problem or 'it cannot be read'}", line) from None
    except (yaml.YAMLError, RecursionError, ValueError, OverflowError) as error:
        raise YamlError("no YAML, or nested too deep" if isinstance(error, RecursionError) else "no YAML") from None
    return tuple(found)


class _Reader:
    """Turns PyYAML's nodes into ours; an alias is walked again wherever it stands, so what is walked is counted."""

    def __init__(self) -> None:
        self.left = _MAX_NODES

    def node(self, found: "yaml.Node", depth: int) -> Node:
        import yaml

        self.left -= 1
        line = found.start_mark.line + 1
        if self.left < 0 or depth > _MAX_DEPTH:
            raise YamlError("nested too deep, or expanded to too much", line)
        tag = str(found.tag)
        tagged = tag not in _KNOWN
        if isinstance(found, yaml.ScalarNode):
            return Scalar(str(found.value), line, tagged, tag.endswith(":null"))
        if isinstance(found, yaml.SequenceNode):
            return Rows(tuple(self.node(item, depth + 1) for item in found.value), line, tagged)
        return Table(dict(self.pairs(found.value, depth)), line, tagged)

    def pairs(self, pairs: "list[tuple[Any, Any]]", depth: int) -> Iterator[tuple[str, Node]]:
        import yaml

        seen: set[str] = set()
        for key, held in pairs:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise YamlError("a key that is no plain text", line)
            name = str(key.value)
            if name in seen:
                raise YamlError(f"the key {name[:60]!r} stands twice", line)
            if str(key.tag).endswith(":merge"):
                raise YamlError("a merge key (<<): what it brings in is not followed", line)
            seen.add(name)
            yield name, self.node(held, depth + 1)
