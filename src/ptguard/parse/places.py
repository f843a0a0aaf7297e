"""Where files in YAML and JSON with comments declare images: one function a kind, from the document to its images.

Each gives every image with the name of what it belongs to (a job, a service, a container), so that a source such as
``compose.yml:trainer`` can name the one that is meant. What would come from elsewhere is a :class:`LostError`.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from ptguard.parse.yamldoc import Node, Rows, Scalar, Table, YamlError, documents
from ptguard.value import value


@value
class Image:
    """An image as it stands there: ``part`` names what it belongs to, ``line`` is from 1.

    ``lost`` says why it cannot be told; it then has no text.
    """

    part: str
    text: str
    line: int | None
    lost: str | None = None


class LostError(Exception):
    """The file alone does not say which image it is."""

    def __init__(self, why: str, line: int | None = None) -> None:
        """Keep why, and where."""
        super().__init__(why)
        self.line = line


def _text(node: Node | None, what: str) -> Scalar | None:
    """Give a plain text, None where there is nothing."""
    if node is None or (isinstance(node, Scalar) and node.text in ("", "~", "null")):
        return None
    if not isinstance(node, Scalar) or node.tagged:
        raise LostError(f"{what} is no plain text", node.line)
    return node


def _tables(node: Node | None) -> Iterator[tuple[str, Table]]:
    """Give the tables below a table, by name."""
    if isinstance(node, Table):
        yield from ((name, item) for name, item in node.items.items() if isinstance(item, Table))


def github(roots: Sequence[Node]) -> Iterator[Image]:
    """Give the container of each job of a GitHub Actions workflow (``jobs.<id>.container``, both forms)."""
    for root in roots:
        for name, job in _tables(root.get("jobs") if isinstance(root, Table) else None):
            held = job.get("container")
            found = _text(held.get("image") if isinstance(held, Table) else held, f"the container of {name}")
            if found is not None:
                yield Image(name, found.text, found.line)


_NO_JOBS = frozenset({"default", "variables", "stages", "workflow", "include", "image", "spec", "services", "cache"})


def gitlab(roots: Sequence[Node]) -> Iterator[Image]:
    """Give the image of each job of a GitLab pipeline: its own, else the default; ``default`` names that one."""
    for root in roots:
        if not isinstance(root, Table):
            continue
        if root.get("include") is not None:
            raise LostError("include brings in jobs and defaults from other files", root.items["include"].line)
        default = _gitlab(root.get("default", "image") or root.get("image"), "the default image")
        if default is not None:
            yield Image("default", default.text, default.line)
        for name, job in _tables(root):
            if name in _NO_JOBS or name.startswith("."):
                continue
            try:
                own = _inherited(root, name, job, ())
            except LostError as lost:
                yield Image(name, "", lost.line, str(lost))
                continue
            if own is not None:
                yield Image(name, own.text, own.line)


def _inherited(root: Table, name: str, job: Table, seen: tuple[str, ...]) -> Scalar | None:
    """Give the image of a job or template: its own, else that of what it extends, the last named first."""
    own = _gitlab(job.get("image"), f"the image of {name}")
    above = job.get("extends")
    if own is not None or above is None:
        return own
    for item in reversed(above.items if isinstance(above, Rows) else (above,)):
        template = _text(item, f"what {name} extends")
        found = root.items.get(template.text) if template else None
        if template is None or not isinstance(found, Table) or template.text in (*seen, name):
            raise LostError(f"{name} extends what is not in this file", item.line)
        image = _inherited(root, template.text, found, (*seen, name))
        if image is not None:
            return image
    return None


def _gitlab(node: Node | None, what: str) -> Scalar | None:
    return _text(node.get("name") if isinstance(node, Table) and not node.tagged else node, what)


def compose(roots: Sequence[Node]) -> Iterator[Image]:
    """Give the image of each service (compose-spec); a service that is only built names none."""
    for root in roots:
        for name, service in _tables(root.get("services") if isinstance(root, Table) else None):
            if service.get("extends") is not None:
                yield Image(name, "", service.items["extends"].line, f"the service {name} extends another one")
                continue
            found = _text(service.get("image"), f"the image of {name}")
            if found is not None and service.get("build") is None:
                yield Image(name, found.text, found.line)
            elif service.get("build") is not None:
                why = f"{name} is built, not pulled: name its Dockerfile as the source"
                yield Image(name, "", service.items["build"].line, why)


def kubernetes(roots: Sequence[Node]) -> Iterator[Image]:
    """Give the image of each container and init container, at whatever depth a pod's template stands."""
    for root in roots:
        yield from _containers(root)


def _containers(node: Node) -> Iterator[Image]:
    if isinstance(node, Rows):
        for item in node.items:
            yield from _containers(item)
    elif isinstance(node, Table):
        for key, item in node.items.items():
            if key in ("containers", "initContainers") and isinstance(item, Rows):
                yield from _listed(item)
            else:
                yield from _containers(item)


def _listed(rows: Rows) -> Iterator[Image]:
    for item in rows.items:
        if isinstance(item, Table):
            name, found = _text(item.get("name"), "a container's name"), _text(item.get("image"), "a container's image")
            if found is not None:
                yield Image(name.text if name else "", found.text, found.line)


def skypilot(roots: Sequence[Node]) -> Iterator[Image]:
    """Give ``resources.image_id`` of each task, where it is a container's (``docker:…``)."""
    for number, root in enumerate(roots):
        if not isinstance(root, Table):
            continue
        name, held = _text(root.get("name"), "the task's name"), root.get("resources", "image_id")
        found = _text(held, "image_id")
        if found is not None:
            if not found.text.startswith("docker:"):
                raise LostError("image_id names a machine image, no container's", found.line)
            yield Image(name.text if name else f"task-{number}", found.text, found.line)


def devcontainer(data: bytes) -> Iterator[Image]:
    """Give ``image`` of a devcontainer.json (JSON with comments and trailing commas)."""
    try:
        text = _plain_json(data.decode("utf-8").removeprefix("\ufeff"))
        found = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise LostError(
            f"no JSON with comments: {error}" if not isinstance(error, RecursionError) else "too deep"
        ) from None
    if not isinstance(found, Mapping):
        raise LostError("it holds no object")
    image = found.get("image")
    if image is None:
        return
    if not isinstance(image, str):
        raise LostError("image is no text")
    key = re.compile(r'"image"\s*:\s*' + re.escape(json.dumps(image, ensure_ascii=False)))
    places = list(key.finditer(text))
    yield Image("", image, text.count("\n", 0, places[0].start()) + 1 if len(places) == 1 else None)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


_JSONC = re.compile(r'"(?:[^"\\\n]|\\.)*+"|//[^\n]*|/\*.*?\*/|,(?=\s*[\]}])', re.DOTALL)


def _plain_json(text: str) -> str:
    """Give the text with comments, then trailing commas, as blanks; every line and place stays where it is."""

    def blank(match: re.Match[str]) -> str:
        return match[0] if match[0][0] == '"' else re.sub(r"[^\n]", " ", match[0])

    return _JSONC.sub(blank, _JSONC.sub(lambda m: m[0] if m[0] == "," else blank(m), text))


READERS = {
    "a GitHub workflow": github,
    "a GitLab pipeline": gitlab,
    "a compose file": compose,
    "a Kubernetes manifest": kubernetes,
    "a SkyPilot task": skypilot,
}


def told_apart(roots: Sequence[Node]) -> str | None:
    """Give the kind of a YAML file by what is in it, where its name does not say it; None where nothing fits."""
    tables = [root for root in roots if isinstance(root, Table)]
    if tables and all("apiVersion" in t.items and "kind" in t.items for t in tables):
        return "a Kubernetes manifest"
    for kind, wanted in (
        ("a GitHub workflow", ("jobs", "on")),
        ("a compose file", ("services",)),
        ("a SkyPilot task", ("resources", "run")),
    ):
        if tables and all(key in tables[0].items for key in wanted):
            return kind
    return None


def read_yaml(data: bytes, kind: str | None) -> tuple[Image, ...] | None:
    """Give the images of a YAML file of ``kind`` (None: told by its content); None where its kind is not known.

    Raises:
        LostError: it cannot be read, or the file alone does not decide.
    """
    try:
        roots = documents(data)
        kind = kind or told_apart(roots)
        return None if kind is None else tuple(READERS[kind](roots))
    except YamlError as error:
        raise LostError(str(error), error.line) from None
