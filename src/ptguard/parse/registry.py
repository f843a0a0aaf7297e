"""What registries answer: challenges, tokens and manifests (OCI distribution and image specs), read without IO."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from ptguard.model import Problem
from ptguard.text import shown
from ptguard.value import value

INDEXES: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS: Final = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
ACCEPT: Final = ", ".join((*INDEXES, *MANIFESTS))
_MAX_PLATFORMS: Final = 64
_MAX_TOKEN: Final = 1 << 15
_CHALLENGE: Final = re.compile(r"\s*(Bearer|Basic)\b\s*(.*)", re.IGNORECASE | re.DOTALL)
_PARAMETER: Final = re.compile(r'\s*([A-Za-z_]{1,40})=(?:"((?:[^"\\]|\\.){0,4000})"|([^",\s]{0,4000}))\s*(?:,|$)')


@value
class Challenge:
    """What a registry asks for (RFC 9110, section 11.6.1): ``bearer`` or ``basic``, with its parameters."""

    kind: str
    parameters: Mapping[str, str]


@value
class Manifest:
    """What a manifest is: its media type, and for an index the platforms in it (``linux/amd64``)."""

    media_type: str
    platforms: tuple[str, ...]


def parse_challenge(header: str) -> Challenge | None:
    """Give the challenge of a WWW-Authenticate header, or None where it is none that is known."""
    match = _CHALLENGE.fullmatch(header[:8192])
    if match is None:
        return None
    found: dict[str, str] = {}
    at, rest = 0, match[2]
    while part := _PARAMETER.match(rest, at):
        quoted = part[2]
        found.setdefault(part[1].lower(), re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else part[3])
        at = part.end()
    return Challenge(match[1].lower(), found)


def parse_token(body: bytes) -> str | None:
    """Give the token of a token server's answer, or None where it is none that could stand in a header."""
    found = _object(body)
    token = found and (found.get("token") or found.get("access_token"))
    fits = isinstance(token, str) and re.fullmatch(r"[\x21-\x7e]+", token) and len(token) <= _MAX_TOKEN
    return token if fits and isinstance(token, str) else None


def parse_manifest(body: bytes, content_type: str) -> Manifest | Problem:
    """Give what the manifest ``body`` is; the type in it must be the one that it was sent with.

    Two types for the same bytes are how one digest is passed off as two images (CVE-2021-41190).
    """
    sent = content_type.partition(";")[0].strip().lower()
    found = _object(body)
    if found is None or found.get("schemaVersion") != 2:
        return Problem("malformed", "the registry gave something else than a manifest", shown(body, 60))
    said = found.get("mediaType", sent)
    if said != sent or sent not in (*INDEXES, *MANIFESTS):
        return Problem(
            "malformed",
            "the manifest is of an unknown or of two types",
            f"{shown(str(said), 80)}, sent as {shown(sent, 80)}",
        )
    listed, layers = found.get("manifests"), found.get("layers")
    if (listed is not None) is not (sent in INDEXES) or (layers is not None) is (sent in INDEXES):
        return Problem("malformed", "the manifest is an index and an image at once, or neither", shown(sent, 80))
    return Manifest(sent, tuple(_platforms(listed)) if isinstance(listed, list) else ())


def _platforms(listed: list[Any]) -> list[str]:
    found = []
    for entry in listed[:_MAX_PLATFORMS]:
        platform = entry.get("platform") if isinstance(entry, dict) else None
        if isinstance(platform, dict):
            parts = [platform.get(key) for key in ("os", "architecture", "variant")]
            words = [part for part in parts if isinstance(part, str) and re.fullmatch(r"[a-z0-9._-]{1,40}", part)]
            if len(words) >= 2 and words[0] != "unknown":
                found.append("/".join(words))
    return sorted(set(found))


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
