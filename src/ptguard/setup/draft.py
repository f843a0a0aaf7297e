"""The draft of a first policy: from what was found to the files, with every decision said in words. Pure."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ptguard.model import DeclaredImage, DeclaredVersion, Problem
from ptguard.policy import parse_policy
from ptguard.tagging.keys import FoundKey
from ptguard.text import shown
from ptguard.value import value

FOLDER: Final = ".ptguard"
POLICY_PATH: Final = f"{FOLDER}/policy.toml"
ATTRIBUTES_PATH: Final = f"{FOLDER}/.gitattributes"
ATTRIBUTES: Final = "smoke/* -text -filter -diff -merge\n"
"""A record is compared byte for byte: git must neither convert it nor merge it (gitattributes(5))."""

PATTERN: Final = "v*"
_HEADER: Final = """\
# Who may release, and what a release must be; written by `ptguard init`, yours to change.
# It counts only as it stands on the branch {branch}{where}.

"""
_MAX_ID: Final = 64


@value
class Found:
    """What the repository and its user have; paths are from the root of the work tree.

    ``versions``, ``images`` and ``changelogs`` hold what was read from each place, in the order of preference;
    ``strange_tags`` are tags that the rule for :data:`PATTERN` would not match.
    """

    user: str | None
    email: str | None
    key: FoundKey
    branch: str
    branch_why: str
    remote: str | None
    versions: tuple[tuple[str, DeclaredVersion | Problem], ...] = ()
    changelogs: tuple[tuple[str, Problem | None], ...] = ()
    images: tuple[tuple[str, DeclaredImage | Problem], ...] = ()
    strange_tags: tuple[str, ...] = ()


@value
class Line:
    """One line of what is said: ``kind`` is ``found``, ``missing`` or ``decided``."""

    kind: str
    text: str


@dataclass(slots=True)
class _Sections:
    """The policy while it is put together: TOML tables in their order, what is said, and the checks that are on."""

    tables: dict[str, object] = field(default_factory=dict)
    said: list[Line] = field(default_factory=list)
    checks: list[str] = field(default_factory=lambda: ["annotated", "signature", "immutable", "branch"])

    def say(self, kind: str, text: str) -> None:
        """Note one line."""
        self.said.append(Line(kind, text))


@value
class Draft:
    """``files``: what is to be written, by path, the policy last; ``sources``: the found files that it names."""

    files: Mapping[str, bytes]
    said: tuple[Line, ...]
    sources: tuple[str, ...]


def draft(found: Found, checks: tuple[str, ...]) -> Draft:
    """Give the first policy for what was ``found``; ``checks`` are the ids that there are.

    Raises:
        PolicyError: the policy would not be read: nothing must be written.
    """
    signer = signer_id(found.user, found.email)
    parts = _Sections()
    files: dict[str, bytes] = {ATTRIBUTES_PATH: ATTRIBUTES.encode()}
    key = _key(found, signer, parts, files)
    parts.say("found", f"trust branch: {shown(found.branch)} ({found.branch_why})")
    version = _version(found, parts)
    changelog = _changelog(found, parts)
    image = _image(found, signer, parts)
    _tags(found, parts)
    rule = {
        "pattern": PATTERN,
        "checks": [check for check in checks if check in parts.checks],
        "signers": [signer],
        "branches": [found.branch, "release/*"],
    }
    user = {"name": found.user} if found.user and found.user.isprintable() and len(found.user) <= 400 else {}
    tables: list[dict[str, object]] = [
        {"schema": 1},
        {"trust": {"branch": found.branch}},
        {"tags": [rule]},
        {"unmatched": {"action": "refuse"}},
        {"signers": {signer: {**user, "keys": [key]}}},
        *({name: table} for name, table in parts.tables.items()),
    ]
    where = f" of {found.remote}" if found.remote else ""
    files[POLICY_PATH] = (_HEADER.format(branch=shown(found.branch), where=shown(where)) + _toml(tables)).encode()
    _must_be_readable(files, found.branch, checks)
    return Draft(files, tuple(parts.said), (*version, *changelog, *image))


def signer_id(user: str | None, email: str | None) -> str:
    """Give an id for the policy from a person's name, or from what stands before the @ of his address."""
    for text in (user, (email or "").partition("@")[0]):
        plain = unicodedata.normalize("NFKD", text or "").encode("ascii", "ignore").decode()
        slug = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:_MAX_ID].rstrip("-")
        if slug:
            return slug
    return "maintainer"


def _key(found: Found, signer: str, parts: _Sections, files: dict[str, bytes]) -> dict[str, str]:
    key = found.key
    parts.say("found", f"signing key: {key.kind} {key.fingerprint} (user.signingkey), for the signer {signer}")
    if key.kind == "ssh":
        return {"kind": "ssh", "public-key": f"{key.public.decode('ascii')} {signer}"}
    path = f"keys/{signer}.asc"
    files[f"{FOLDER}/{path}"] = key.public
    return {"kind": "openpgp", "fingerprint": key.fingerprint, "file": path}


def _version(found: Found, parts: _Sections) -> tuple[str, ...]:
    """Put in the places that declare one version: the first that does, and those that agree with it."""
    read = [(source, v) for source, v in found.versions if isinstance(v, DeclaredVersion)]
    read.sort(key=lambda row: row[1].value is None)  # one that is computed at build time only where there is no other
    for source, problem in found.versions:
        if isinstance(problem, Problem):
            parts.say("missing", f"version: {shown(source)} declares none ({problem.message})")
    if not read:
        parts.say("missing", "version: no file declares one; the check version is left out")
        return ()
    first = read[0][1].value
    sources = [source for source, v in read if v.value == first]
    for source, other in read:
        if other.value != first:
            what = f"declares {shown(other.value)}" if other.value else "computes it at build time"
            parts.say("decided", f"version: {shown(source)} {what}; left out of the sources")
    says = shown(first) if first else "computed at build time, so that the check version can only say so"
    parts.say("found", f"version: {says}, in {', '.join(map(shown, sources))}")
    parts.tables["version"] = {"sources": sources}
    parts.checks.append("version")
    return tuple(source.partition(":")[0] for source in sources)


def _changelog(found: Found, parts: _Sections) -> tuple[str, ...]:
    for path, problem in found.changelogs:
        if problem is None:
            parts.say("found", f"changelog: {shown(path)}")
            parts.tables["changelog"] = {"path": path}
            parts.checks.append("changelog")
            return (path,)
        parts.say("missing", f"changelog: {shown(path)} cannot be read ({problem.message})")
    parts.say("missing", "changelog: none; the check changelog is left out")
    return ()


def _image(found: Found, signer: str, parts: _Sections) -> tuple[str, ...]:
    """Put in the files that declare an image, and with them the smoke record, which is bound to it."""
    images = [(path, image) for path, image in found.images if isinstance(image, DeclaredImage)]
    for path, problem in found.images:
        if isinstance(problem, Problem):
            parts.say("missing", f"image: {shown(path)} declares none that can be told ({problem.message})")
    if not images:
        parts.say("missing", "image: no Dockerfile or [tool.ptguard] image; the checks image and smoke are left out")
        return ()
    for path, image in images:
        parts.say("found", f"image: {shown(str(image.reference))}, in {shown(path)}")
    if len({str(image.reference) for _, image in images}) > 1:
        parts.say("decided", "image: these differ; a tag is refused until they declare the same")
    pinned = all(image.reference.digest for _, image in images)
    if not pinned:
        words = "not pinned by a digest, so require-digest = false; pin it (IMAGE@sha256:…) and set it to true"
        parts.say("decided", f"image: {words}")
    device = "rocm" if images[0][1].facts.rocm else "cuda"
    parts.tables["image"] = {"sources": [path for path, _ in images], "require-digest": pinned}
    parts.tables["smoke"] = {"device": device, "signers": [signer]}
    parts.checks += ["image", "smoke"]
    words = f"a record of a run on {device}, signed by {signer}; better give the GPU machine a key of its own"
    parts.say("decided", f"smoke: {words}")
    return tuple(path for path, _ in images)


def _tags(found: Found, parts: _Sections) -> None:
    parts.say("decided", f"tags: the rule is for {PATTERN}; any other name is refused")
    if found.strange_tags:
        names = ", ".join(shown(name, 40) for name in found.strange_tags[:3])
        parts.say("decided", f"tags: {len(found.strange_tags)} of the tags here have other names ({names}): add a rule")


def _toml(tables: list[dict[str, object]]) -> str:
    import toml

    return "\n".join(toml.dumps(table).strip("\n") + "\n" for table in tables)


def _must_be_readable(files: Mapping[str, bytes], branch: str, checks: tuple[str, ...]) -> None:
    def read(path: str) -> bytes | Problem:
        return files.get(f"{FOLDER}/{path}", Problem("missing-file", f"{path} is not there"))

    parse_policy(files[POLICY_PATH], source=POLICY_PATH, commit=None, read=read, checks=checks, trust_branch=branch)
