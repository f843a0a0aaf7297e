"""What the sources of the policy declare in one commit's tree, each with its facts or what is wrong with it."""

from collections.abc import Sequence
from typing import Final

from ptguard.model import DeclaredImage, ImageFacts, Problem
from ptguard.parse.declared import declared_image, expected_facts, missing_source, split_source
from ptguard.parse.overrides import mend, overridden, override_sources
from ptguard.snapshot import Snapshot
from ptguard.value import replace

MAX_SOURCE_BYTES: Final = 1 << 20


def declared_images(snapshot: Snapshot, sources: Sequence[str]) -> tuple[DeclaredImage | Problem, ...]:
    """Give what each of ``sources`` declares; a single Problem where the expectations cannot be read.

    Reasons: ``unresolvable``, ``missing``, ``invalid-reference``, ``conflict``, ``could-not-decide``.

    Raises:
        GitError: a tree or file of the commit is not here.
    """
    pyproject = snapshot.file("pyproject.toml", MAX_SOURCE_BYTES)
    if isinstance(pyproject, Problem) and pyproject.reason != "missing-file":
        return (replace(pyproject, reason="unresolvable"),)  # it may hold expectations that nobody could read
    expect = None if isinstance(pyproject, Problem) else expected_facts(pyproject.data)
    if isinstance(expect, Problem):
        return (expect,)
    return tuple(_declared(snapshot, source, expect) for source in sources)


def _declared(snapshot: Snapshot, source: str, expect: ImageFacts | None) -> DeclaredImage | Problem:
    commit = snapshot.commit
    file = snapshot.file(split_source(source)[0], MAX_SOURCE_BYTES)
    if isinstance(file, Problem):
        missing = file.reason == "missing-file"
        return missing_source(source, commit) if missing else replace(file, reason="missing")
    found = declared_image(source, file.data, commit, expect)
    for override in override_sources(source):
        if isinstance(found, Problem):
            break
        laid = snapshot.file(split_source(override)[0], MAX_SOURCE_BYTES)
        if not isinstance(laid, Problem):
            found = overridden(found, override, laid.data)
        elif laid.reason != "missing-file":
            found = replace(laid, reason="unresolvable", fix=mend(split_source(override)[0]))
    return found
