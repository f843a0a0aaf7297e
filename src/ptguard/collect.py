"""From a ref line to evidence: joins the gateways and the parsers, decides nothing.

Only what the tag's rule asks for is collected. A part that cannot be had becomes a Problem with status ERROR, so
that the other checks still speak.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Final, TypeVar

from ptguard.collect_branch import branch_lines, carried
from ptguard.collect_signature import Signatures
from ptguard.errors import PtguardError
from ptguard.later import Later
from ptguard.model import (
    BRANCH_PREFIX,
    TAG_PREFIX,
    Changelog,
    DeclaredImage,
    DeclaredVersion,
    Evidence,
    Mode,
    Oid,
    Policy,
    Problem,
    RefUpdate,
    RuleMatch,
    SmokeEvidence,
    Status,
    TagObject,
    VersionEvidence,
)
from ptguard.newer import Newer
from ptguard.parse.changelog import MAX_CHANGELOG_BYTES, parse_changelog
from ptguard.parse.declared import declared_image, expected_facts, missing_source
from ptguard.parse.tag import parse_tag, too_large
from ptguard.parse.version import declared_version, source_path
from ptguard.policy import changelog_paths, match_rule, version_sources
from ptguard.remotes import Clone
from ptguard.snapshot import Snapshot
from ptguard.value import replace, value

T = TypeVar("T")
MAX_SOURCE_BYTES: Final = 1 << 20


@value
class Scene:
    """What all tags of one call share.

    ``published``: the tag objects that the canonical remote has, where the push goes to another one; else None.
    """

    clone: Clone
    policy: Policy
    mode: Mode
    now: datetime
    home: Path
    published: frozenset[Oid] | None = None


class Collector:
    """Gives the evidence of each tag of one call."""

    def __init__(self, scene: Scene, asked: Sequence[RefUpdate] = ()) -> None:
        """Take the scene and the updates that will be asked about; nothing is read yet."""
        self.scene = scene
        self._newer = Newer(scene.clone.git, scene.policy, scene.clone.refs, asked)
        self._snapshots: dict[Oid, Snapshot] = {}
        self._same: dict[object, object] = {}
        self.signatures = Signatures(scene.policy, scene.home)

    def evidence(self, update: RefUpdate) -> Evidence:
        """Give all that the tag's rule asks to know about ``update``."""
        scene = self.scene
        match = match_rule(scene.policy, update.tag)
        base = Evidence(
            update,
            scene.mode,
            scene.now,
            match,
            scene.clone.state,
            collisions=self._collisions(update),
            shadowed_by=self._shadow(update),
        )
        if update.local_oid is None or match is None:
            return base
        base = self._object(base, update.local_oid)
        if self._is_history(base):
            base = replace(base, mode=Mode.PUBLISHED)
        return self._details(base, match)

    def in_order(self, updates: Sequence[RefUpdate]) -> list[int]:
        """Give the places of ``updates`` in the order to ask in: those that name one commit one after the other."""
        if len(updates) < 3:
            return list(range(len(updates)))
        info = self.scene.clone.git.info
        commits = [info(f"{u.local_oid}^{{commit}}") if u.local_oid else None for u in updates]
        first: dict[object, int] = {}
        return sorted(range(len(updates)), key=lambda at: (first.setdefault(commits[at], at), at))

    def look_ahead(self, updates: Sequence[RefUpdate]) -> None:
        """Verify the signatures of ``updates`` (at most MAX_REMEMBERED) in one go, before they are asked for.

        What cannot be had here is left to be found, and named, by :meth:`evidence`.
        """
        wanted = (u for u in updates if (match := match_rule(self.scene.policy, u.tag)) and _signed(match))
        found = (_part(lambda oid=update.local_oid: self._tag_at(oid)) for update in wanted)  # type: ignore[misc]
        self.signatures.look_ahead(tag for tag in found if isinstance(tag, TagObject))

    def _tag_at(self, oid: Oid | None) -> TagObject | Problem | None:
        found = self.scene.clone.git.info(oid) if oid else None
        return self._tag(found[0], found[2]) if found and found[1] == "tag" else None

    def planned(self, update: RefUpdate) -> Evidence:
        """Give the evidence of a tag that does not exist yet; ``update`` carries the commit that it is to name."""
        match = match_rule(self.scene.policy, update.tag)
        base = Evidence(update, self.scene.mode, self.scene.now, match, self.scene.clone.state, planned=True)
        base = replace(base, collisions=self._collisions(update), shadowed_by=self._shadow(update))
        return self._details(replace(base, commit=update.local_oid), match) if match else base

    def _is_history(self, base: Evidence) -> bool:
        """Tell whether a pushed tag is released already: on the canonical remote, or from before `[audit] since`."""
        published, made, adopted = self.scene.published, base.tagged_at, self._adopted
        if base.mode is not Mode.PUSH or published is None:
            return False
        return base.update.local_oid in published or (made is not None and adopted is not None and made < adopted)

    @cached_property
    def _adopted(self) -> datetime | None:
        """Give when the tag of `[audit] since` was made, if it is here."""
        tag = self._tag_at(self.scene.clone.refs.get(f"{TAG_PREFIX}{self.scene.policy.audit_since}"))
        return tag.tagger.when if isinstance(tag, TagObject) else None

    # ------------------------------------------------------------------------------------- the tag object

    def _object(self, base: Evidence, oid: Oid) -> Evidence:
        """Add the object itself: what it is, its grammar, the commit that it names."""
        git = self.scene.clone.git
        found = git.info(oid)
        if found is None:
            gone = f"object {oid} is not in this repository"
            return replace(base, tag=Problem("could-not-decide", gone, fix="git fsck --full", status=Status.ERROR))
        kind = found[1]
        if kind != "tag":
            return replace(base, object_type=kind, commit=oid if kind == "commit" else None)
        tag = self._tag(oid, found[2])
        peeled = git.info(f"{oid}^{{commit}}")
        return replace(base, object_type=kind, tag=tag, commit=peeled[0] if peeled else None)

    def _tag(self, oid: Oid, size: int) -> TagObject | Problem:
        limit = self.scene.policy.limits.max_tag_bytes
        if size > limit:
            return too_large(size, limit)
        return _part(lambda: parse_tag(oid, self.scene.clone.git.read(oid, "tag", limit)))

    def _details(self, base: Evidence, match: RuleMatch) -> Evidence:
        """Add the parts that the checks of the rule ask for."""
        signature = Later(lambda: self.signatures.of(base.tag)) if _signed(match) else None
        rest = self._of_commit(base, match, base.commit) if base.commit else base
        return replace(rest, signature=_part(signature.result)) if signature else rest

    def _of_commit(self, base: Evidence, match: RuleMatch, commit: Oid) -> Evidence:
        wanted, branches = match.rule.checks, match.rule.branches
        parts: dict[str, Callable[[], object]] = {
            "branch": lambda: self._once(commit, branches, lambda: carried(self.scene.clone, branches, commit)),
            "version": lambda: self._version(match, commit, base.name),
            "changelog": lambda: self._changelog(match, commit),
            "image": lambda: self._once(commit, "image", lambda: self._images(commit)),
            "smoke": lambda: self._once(commit, "smoke", lambda: self._smoke(commit)),
        }
        names = {"image": "images"}
        found = {names.get(check, check): _part(parts[check]) for check in wanted if check in parts}
        if "smoke" in wanted and "images" not in found:
            # The record is held against the declared image also where the image itself is not judged.
            found["images"] = _part(parts["image"]) if self.scene.policy.image else None
        return replace(base, **found)

    def _once(self, commit: Oid, what: object, collect: Callable[[], T]) -> T:
        """Give what ``collect`` gives, done once for tags in a row that name the same commit; memory stays flat."""
        self.snapshot(commit)  # forgets what was known of the commit before
        if what not in self._same:
            self._same[what] = _part(collect)
        return self._same[what]  # type: ignore[return-value]

    # ------------------------------------------------------------------------------------- the refs

    @cached_property
    def _spellings(self) -> dict[str, tuple[str, ...]]:
        """Every tag name that is known of, by its spelling without case: on the remote, here, and in this push."""
        found: dict[str, set[str]] = {}
        pushed = (u.remote_ref for u in self.scene.clone.updates if u.is_tag and not u.deletion)
        deleted = {u.remote_ref for u in self.scene.clone.updates if u.deletion}
        for ref in (*self.scene.clone.state.tags, *self.scene.clone.refs.under(TAG_PREFIX), *pushed):
            if ref not in deleted:
                found.setdefault(ref.casefold(), set()).add(ref)
        return {folded: tuple(sorted(refs)) for folded, refs in found.items() if len(refs) > 1}

    def _collisions(self, update: RefUpdate) -> tuple[str, ...]:
        return tuple(r for r in self._spellings.get(update.remote_ref.casefold(), ()) if r != update.remote_ref)

    def _shadow(self, update: RefUpdate) -> str | None:
        """Give the branch of the remote, standing or in this push, that has the tag's name."""
        name = BRANCH_PREFIX + update.tag
        line = branch_lines(self.scene.clone).get(name)
        if line is not None:
            return None if line.deletion else f"{name} in this push"
        return f"{name} on {self.scene.clone.state.name}" if name in self.scene.clone.state.branches else None

    # ------------------------------------------------------------------------------------- the tagged tree

    def snapshot(self, commit: Oid) -> Snapshot:
        """Give the opened tree of ``commit``, shared by all tags that name it."""
        if commit not in self._snapshots:
            self._same.clear()
            self._snapshots.clear()  # tags of a push mostly share commits in a row; memory stays flat
            self._snapshots[commit] = Snapshot(self.scene.clone.git, commit)
        return self._snapshots[commit]

    def _version(self, match: RuleMatch, commit: Oid, name: str) -> VersionEvidence:
        sources = [s for s in version_sources(self.scene.policy, match) if s != "none"]
        declared = tuple(self._declared_version(s, commit) for s in sources)
        return VersionEvidence(declared, self._newer.higher(match, commit, name))

    def _declared_version(self, source: str, commit: Oid) -> DeclaredVersion | Problem:
        found = self.snapshot(commit).file(source_path(source), MAX_SOURCE_BYTES)
        if isinstance(found, Problem):
            return replace(found, reason="no-source")
        return declared_version(source, found.data, commit)

    def _changelog(self, match: RuleMatch, commit: Oid) -> Changelog | Problem:
        paths = changelog_paths(self.scene.policy, match)
        return self._once(commit, ("changelog", *paths), lambda: self._changelog_at(paths, commit))

    def _changelog_at(self, paths: Sequence[str], commit: Oid) -> Changelog | Problem:
        snapshot = self.snapshot(commit)
        path = next((p for p in paths if snapshot.entry(p) is not None), paths[0] if paths else "")
        if not path:
            return Problem("missing-file", "the policy names no changelog for this tag")
        found = snapshot.file(path, MAX_CHANGELOG_BYTES)
        if isinstance(found, Problem):
            return replace(found, reason="missing-file") if found.reason == "not-a-file" else found
        return parse_changelog(found.path, found.data)

    def _images(self, commit: Oid) -> tuple[DeclaredImage | Problem, ...] | Problem:
        policy = self.scene.policy.image
        if policy is None:
            return Problem("no-source", "the policy has no [image] section", status=Status.ERROR)
        snapshot = self.snapshot(commit)
        pyproject = snapshot.file("pyproject.toml", MAX_SOURCE_BYTES)
        if isinstance(pyproject, Problem) and pyproject.reason != "missing-file":
            return (replace(pyproject, reason="unresolvable"),)  # it may hold expectations that nobody could read
        expect = None if isinstance(pyproject, Problem) else expected_facts(pyproject.data)
        if isinstance(expect, Problem):
            return (expect,)
        found: list[DeclaredImage | Problem] = []
        for path in policy.sources:
            file = snapshot.file(path, MAX_SOURCE_BYTES)
            if isinstance(file, Problem):
                found.append(
                    missing_source(path, commit) if file.reason == "missing-file" else replace(file, reason="missing")
                )
            else:
                found.append(declared_image(path, file.data, commit, expect))
        return tuple(found)

    def _smoke(self, commit: Oid) -> SmokeEvidence | Problem:
        from ptguard.collect_smoke import smoke_evidence

        policy = self.scene.policy.smoke
        if policy is None:
            return Problem("could-not-decide", "the policy has no [smoke] section", status=Status.ERROR)
        return smoke_evidence(self.snapshot(commit), policy, self.signatures.ssh, self.signatures.openpgp)


def _signed(match: RuleMatch) -> bool:
    return "signature" in match.rule.checks


def _part(collect: Callable[[], T]) -> T | Problem:
    """Give what ``collect`` gives, or that it could not be decided: one part that fails must not hide the others."""
    try:
        return collect()
    except PtguardError as error:
        return Problem("could-not-decide", error.message, fix=error.fix, status=Status.ERROR)
