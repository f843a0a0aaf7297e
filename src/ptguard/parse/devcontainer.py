"""The image of a devcontainer.json, which is JSON with comments and trailing commas (https://containers.dev)."""

import json
import re
from collections.abc import Iterator, Mapping

from ptguard.parse.places import Image, LostError
from ptguard.parse.yamldoc import MAX_BYTES


def devcontainer(data: bytes) -> Iterator[Image]:
    """Give ``image`` of a devcontainer.json (JSON with comments and trailing commas).

    Where it is built or taken from a compose file, that counts for the tools and ``image`` does not.
    """
    if len(data) > MAX_BYTES:
        raise LostError(f"the file has {len(data)} bytes, more than {MAX_BYTES}")
    try:
        text = _plain_json(data.decode("utf-8").removeprefix("\ufeff"))
        found = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise LostError(
            f"no JSON with comments: {error}" if not isinstance(error, RecursionError) else "too deep"
        ) from None
    if not isinstance(found, Mapping):
        raise LostError("it holds no object")
    for key, what in (("build", "Dockerfile"), ("dockerFile", "Dockerfile"), ("dockerComposeFile", "compose file")):
        if key in found:
            raise LostError(f"it has {key}: name its {what} as the source", _line_of(key, text))
    image = found.get("image")
    if image is None:
        return
    if not isinstance(image, str):
        raise LostError("image is no text")
    yield Image("", image, _line_of("image", text, re.escape(json.dumps(image, ensure_ascii=False))))


def _line_of(key: str, text: str, behind: str = "") -> int | None:
    """Give the line of a key in JSON, from 1, where it stands there once with the pattern ``behind`` it."""
    places = list(re.finditer(rf'"{key}"\s*:\s*{behind}', text))
    return text.count("\n", 0, places[0].start()) + 1 if len(places) == 1 else None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


# What is not closed is taken whole, too: looking for its end again from every place would take quadratic time.
_JSONC = re.compile(r'"(?:[^"\\\n]|\\.)*+"?|//[^\n]*|/\*(?:.*?\*/|.*)|,(?=\s*[\]}])', re.DOTALL)


def _plain_json(text: str) -> str:
    """Give the text with comments, then trailing commas, as blanks; every line and place stays where it is."""

    def blank(match: re.Match[str]) -> str:
        if match[0].startswith("/*") and not match[0].endswith("*/", 2):
            raise ValueError("a comment is not closed")
        return match[0] if match[0][0] == '"' else re.sub(r"[^\n]", " ", match[0])

    return _JSONC.sub(blank, _JSONC.sub(lambda m: m[0] if m[0] == "," else blank(m), text))
