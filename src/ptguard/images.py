"""The declared images of a commit, and the change that pins them in a work tree."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ptguard.collect import Collector, Scene
from ptguard.collect_image import MAX_SOURCE_BYTES
from ptguard.errors import ToolFailedError, UsageError
from ptguard.gateways.files import read_regular, write_whole
from ptguard.gateways.git import Git
from ptguard.judging import Request, known_clone, temporary_home, trusted_policy
from ptguard.model import TAG_PREFIX, DeclaredImage, ImageFacts, ImageReference, Location, Mode, Problem
from ptguard.parse.declared import declared_image, images_in, split_source
from ptguard.parse.image import facts_of, parse_reference
from ptguard.parse.overrides import override_sources
from ptguard.parse.pinning import pinned
from ptguard.text import diff, sh, shown
from ptguard.trust import client_policy
from ptguard.value import replace, value

Row = tuple[str, DeclaredImage | Problem]


def of_reference(reference: ImageReference) -> list[Row]:
    """Give what the name of ``reference`` declares, as a row of its own."""
    facts = facts_of(reference)
    found = facts if isinstance(facts, Problem) else DeclaredImage(reference, facts or ImageFacts(), Location(""))
    return [(str(reference), found)]


def at_commit(request: Request, tag: str | None) -> list[Row]:
    """Give what each image source of the trusted policy declares at HEAD, or at the git tag called ``tag``.

    Raises:
        UsageError: there is no such tag, or the policy names no source.
        PtguardError: there is no policy, or it has mistakes.
    """
    with Git.open(request.start) as git:
        clone = known_clone(git, None)
        policy = client_policy(clone, request.choice)
        commit = git.resolve(f"{TAG_PREFIX + tag if tag else 'HEAD'}^{{commit}}")
        if commit is None:
            raise UsageError(
                f"there is no tag {shown(tag)} here" if tag else "there is no commit yet",
                fix="git tag --list   # an image is told by its : or @: ptguard image show REPOSITORY:TAG",
            )
        if policy.image is None or not policy.image.sources:
            raise UsageError("the policy names no image source", fix="add [image] with sources to the policy")
        with temporary_home() as home:
            found = Collector(Scene(clone, policy, Mode.VERIFY, request.now, home)).images(commit)
    if isinstance(found, Problem):
        raise UsageError(found.message, fix=found.fix)
    return list(zip(policy.image.sources, found, strict=False))


@value
class Pinning:
    """The change: new bytes by path, as a ``diff``; ``moved`` says that a digest stands there that is not the tag's."""

    image: ImageReference
    files: Mapping[str, bytes]
    diff: str
    moved: str | None = None


def pins(request: Request, top: Path, sources: Sequence[str], digest: str | None, *, update: bool) -> Pinning:
    """Give the change that pins ``sources`` (none: the policy's) to the digest that the registry has, or ``digest``.

    Raises:
        UsageError: a source declares no image, another one than the first, or cannot be edited.
        PtguardError: the registry did not tell, or there is no policy.
    """
    if not sources:
        policy = trusted_policy(request)
        sources = policy.image.sources if policy.image else ()
    if not sources:
        raise UsageError("the policy names no image source", fix="ptguard image pin --source Dockerfile")
    sources = (*sources, *_overrides(top, sources))
    texts = {path: _read(top, path) for path in dict.fromkeys(split_source(source)[0] for source in sources)}
    first = declared_image(sources[0], texts[split_source(sources[0])[0]], None, None)
    if isinstance(first, Problem):
        raise UsageError(first.message, fix=first.fix)
    image = replace(first.reference, digest=_digest(first.reference, digest))
    held = first.reference.digest
    if held not in (None, image.digest) and not update:
        name, now = replace(first.reference, digest=None), "asked for" if digest else "what its tag has now"
        return Pinning(image, {}, "", f"{name} is pinned to {held} already, and {image.digest} is {now}")
    files = dict(texts)
    for source in sources:
        path = split_source(source)[0]
        new = pinned(source, files[path], image)
        if isinstance(new, Problem):
            raise UsageError(new.message, fix=new.fix)
        files[path] = new
    changed = {path: data for path, data in files.items() if data != texts[path]}
    return Pinning(image, changed, "".join(diff(path, texts[path], data) for path, data in changed.items()))


def _overrides(top: Path, sources: Sequence[str]) -> Sequence[str]:
    """Give what compose lays over ``sources``, as sources of their own, where that declares an image as well."""
    found = []
    for override in dict.fromkeys(each for source in sources for each in override_sources(source)):
        data = read_regular(top, split_source(override)[0], MAX_SOURCE_BYTES)
        said = data if isinstance(data, Problem) else images_in(override, data)
        if not (isinstance(said, Problem) and said.reason in ("missing", "missing-file")):
            found.append(override)
    return found


def _digest(image: ImageReference, digest: str | None) -> str:
    if digest is None:
        from ptguard.gateways.registry import resolve

        asked = replace(image, digest=None)
        try:
            return resolve(asked).digest
        except ToolFailedError as error:
            fix = "ptguard image pin --digest sha256:…   # as a machine that reaches the registry is told: "
            raise ToolFailedError(error.message, fix=fix + sh("ptguard", "image", "resolve", str(asked))) from error
    found = parse_reference(f"{image.repository}@{digest}")
    if isinstance(found, Problem) or found.digest is None:
        raise UsageError(f"{shown(digest, 100)} is no digest", fix="ptguard image pin --digest sha256:…")
    return found.digest


def _read(top: Path, path: str) -> bytes:
    data = read_regular(top, path, MAX_SOURCE_BYTES)
    if isinstance(data, Problem) or len(data) > MAX_SOURCE_BYTES:
        why = data.message if isinstance(data, Problem) else f"{path} is too large"
        raise UsageError(shown(why, 200), fix="ptguard image pin --source PATH")
    return data


def written(top: Path, change: Pinning) -> None:
    """Write the files of ``change``, each whole and with the mode that it has."""
    for path, data in change.files.items():
        write_whole(top / path, data)
