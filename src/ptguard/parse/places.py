"""Where files in YAML declare images: one function a kind, from the documents to their images.

Each gives every image with the name of what it belongs to (a job, a service, a container), so that a source such as
``compose.yml:trainer`` can name the one that is meant. What would come from elsewhere is a :class:`LostError`.
"""

import posixpath
import re
from collections.abc import Callable, Iterator, Sequence

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
    if node is None:
        return None
    if not isinstance(node, Scalar) or node.tagged:
        raise LostError(f"{what} is no plain text", node.line)
    return None if node.null or not node.text else node


def _plain(node: Node, what: str) -> None:
    """Make sure that what stands there is meant as it stands, not as a tag such as ``!reset`` has it."""
    if node.tagged:
        raise LostError(f"{what} has a tag of its own", node.line)


def _tables(node: Node | None) -> Iterator[tuple[str, Table]]:
    """Give the tables below a table, by name."""
    if node is not None:
        _plain(node, "a table")
    if isinstance(node, Table):
        for name, item in node.items.items():
            _plain(item, name)
            if isinstance(item, Table):
                yield name, item


def github(roots: Sequence[Node]) -> Iterator[Image]:
    """Give the container of each job of a GitHub Actions workflow (``jobs.<id>.container``, both forms)."""
    for root in roots:
        for name, job in _tables(root.get("jobs") if isinstance(root, Table) else None):
            held = job.get("container")
            if held is not None:
                _plain(held, f"the container of {name}")
            found = _text(held.get("image") if isinstance(held, Table) else held, f"the container of {name}")
            if found is not None:
                yield Image(name, found.text, found.line)


_NO_JOBS = frozenset({"default", "variables", "stages", "workflow", "include", "image", "spec", "services", "cache"})


def gitlab(roots: Sequence[Node]) -> Iterator[Image]:
    """Give the image of each job of a GitLab pipeline: its own, else the default; ``default`` names that one.

    A job that runs no script of its own (``trigger``) or takes no default image (``inherit``) has none.
    """
    for root in roots:
        if not isinstance(root, Table):
            continue
        if root.get("include") is not None:
            raise LostError("include brings in jobs and defaults from other files", root.items["include"].line)
        default = _default(root)
        if default is not None:
            yield Image("default", default.text, default.line)
        for name, job in _tables(root):
            if name in _NO_JOBS or name.startswith("."):
                continue
            try:
                found = _inherited(root, name, job, _own_image, ())
                own = found if isinstance(found, Scalar) else _left_to(default, root, name, job)
            except LostError as lost:
                yield Image(name, "", lost.line, str(lost))
                continue
            if own is not None:
                yield Image(name, own.text, own.line)


def _own_image(name: str, job: Table) -> Scalar | None:
    return _gitlab(job.get("image"), f"the image of {name}")


def _default(root: Table) -> Scalar | None:
    if root.get("default") is not None:
        _plain(root.items["default"], "default")
    return _gitlab(root.get("default", "image") or root.get("image"), "the default image")


def _inherits(_: str, job: Table) -> Node | None:
    return job.get("inherit", "default")


def _left_to(default: Scalar | None, root: Table, name: str, job: Table) -> Scalar | None:
    """Give the default image unless the job runs elsewhere, or its ``inherit: default`` leaves the image out."""
    if default is None or _inherited(root, name, job, lambda _, table: table.get("trigger"), ()) is not None:
        return None
    held = _inherited(root, name, job, _inherits, ())
    what = f"what {name} inherits"
    if isinstance(held, Rows):
        _plain(held, what)
        words = [_text(item, what) for item in held.items]
        return default if any(word is not None and word.text == "image" for word in words) else None
    found = _text(held, what)
    return None if found is not None and found.text.lower() in ("false", "no", "off") else default


def _inherited(
    root: Table, name: str, job: Table, read: Callable[[str, Table], Node | None], seen: tuple[str, ...]
) -> Node | None:
    """Give what ``read`` finds in a job or template, else in what it extends, the last named first."""
    own = read(name, job)
    above = job.get("extends")
    if own is not None or above is None:
        return own
    for item in reversed(above.items if isinstance(above, Rows) else (above,)):
        template = _text(item, f"what {name} extends")
        found = root.items.get(template.text) if template else None
        if template is None or not isinstance(found, Table) or template.text in (*seen, name):
            raise LostError(f"{name} extends what is not in this file", item.line)
        held = _inherited(root, template.text, found, read, (*seen, name))
        if held is not None:
            return held
    return None


def _gitlab(node: Node | None, what: str) -> Scalar | None:
    return _text(node.get("name") if isinstance(node, Table) and not node.tagged else node, what)


def compose(roots: Sequence[Node]) -> Iterator[Image]:
    """Give the image of each service (compose-spec); a service that is only built names none.

    What ``include`` brings in are services of their own, so they matter only where no service is named.
    """
    for root in roots:
        included = root.get("include") if isinstance(root, Table) else None
        if included is not None:
            yield Image("(include)", "", included.line, "include brings in services of other files: name the one meant")
        for name, service in _tables(root.get("services") if isinstance(root, Table) else None):
            if service.get("extends") is not None:
                yield Image(name, "", service.items["extends"].line, f"the service {name} extends another one")
                continue
            found = _text(service.get("image"), f"the image of {name}")
            if found is not None and service.get("build") is None:
                yield Image(name, found.text, found.line)
            elif service.get("build") is not None:
                file = _built_from(service.items["build"])
                why = f"{name} is built, not pulled: name its Dockerfile{file} as the source"
                yield Image(name, "", service.items["build"].line, why)


def _built_from(build: Node) -> str:
    """Give which Dockerfile a service is built from, with its stage, in brackets; nothing where that is not a path."""
    items = {"context": build} if isinstance(build, Scalar) else build.items if isinstance(build, Table) else {}
    parts = {"context": ".", "dockerfile": "Dockerfile", "target": ""}
    for key in parts:
        held = items.get(key)
        if isinstance(held, Scalar) and not held.tagged and not held.null:
            parts[key] = held.text
        elif held is not None:
            return ""
    path = posixpath.normpath(posixpath.join(parts["context"], parts["dockerfile"]))
    if build.tagged or "dockerfile_inline" in items or re.search(r"^/|\$|://|^git@|^[\w.-]+:", path):
        return ""
    return f" ({path}{':' if parts['target'] else ''}{parts['target']}, seen from this file)"


def kubernetes(roots: Sequence[Node]) -> Iterator[Image]:
    """Give the image of each container and init container, at whatever depth a pod's template stands."""
    for root in roots:
        yield from _containers(root)


def _containers(node: Node) -> Iterator[Image]:
    _plain(node, "a part of the manifest")
    if isinstance(node, Rows):
        for item in node.items:
            yield from _containers(item)
    elif isinstance(node, Table):
        for key, item in node.items.items():
            if key in ("containers", "initContainers") and isinstance(item, Rows):
                _plain(item, key)
                yield from _listed(item)
            else:
                yield from _containers(item)


def _listed(rows: Rows) -> Iterator[Image]:
    for item in rows.items:
        _plain(item, "a container")
        if isinstance(item, Table):
            name, found = _text(item.get("name"), "a container's name"), _text(item.get("image"), "a container's image")
            if found is not None:
                yield Image(name.text if name else "", found.text, found.line)


def skypilot(roots: Sequence[Node]) -> Iterator[Image]:
    """Give ``resources.image_id`` of each task, where it is a container's: what stands behind ``docker:``."""
    for number, root in enumerate(roots):
        if not isinstance(root, Table):
            continue
        name, held = _text(root.get("name"), "the task's name"), root.get("resources", "image_id")
        found = _text(held, "image_id")
        for choice in ("any_of", "ordered"):
            other = next(_choosing(root.get("resources", choice)), None)
            if other is not None:
                raise LostError(f"resources.{choice} chooses among images", other.line)
        if found is not None:
            if not found.text.startswith("docker:"):
                raise LostError("image_id names a machine image, no container's", found.line)
            yield Image(name.text if name else f"task-{number}", found.text.removeprefix("docker:"), found.line)


def _choosing(node: Node | None) -> Iterator[Node]:
    """Give each ``image_id`` among the candidates of a task."""
    for item in node.items if isinstance(node, Rows) else ():
        held = item.get("image_id") if isinstance(item, Table) else None
        if held is not None:
            yield held


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
    for kind, wanted, those in (
        ("a GitHub workflow", ("jobs", "on"), tables[:1]),
        ("a compose file", ("services",), tables[:1]),
        ("a SkyPilot task", ("resources", "run"), tables),  # a pipeline's first document may only name it
        ("a SkyPilot task", ("resources", "setup"), tables),
    ):
        if any(all(key in table.items for key in wanted) for table in those):
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
