"""From a ref line to evidence: joins the gateways and the parsers, decides nothing.

Only what the tag's rule asks for is collected. A part that cannot be had becomes a Problem with status ERROR, so
that the other checks still speak.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Final, TypeVar

from ptguard.collect_branch import Branches, branch_lines
from ptguard.collect_image import MAX_SOURCE_BYTES, declared_images
from ptguard.collect_signature import MAX_AHEAD, Signatures
from ptguard.errors import GitError, PtguardError
from ptguard.gateways.catfile import Info
from ptguard.model import (
    BRANCH_PREFIX,
    IN_PUSH,
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
from ptguard.newer import MANY, Newer
from ptguard.parse.changelog import MAX_CHANGELOG_BYTES, parse_changelog
from ptguard.parse.tag import parse_tag, too_large
from ptguard.parse.version import declared_version, source_path
from ptguard.policy import changelog_paths, match_rule, version_sources
from ptguard.receipts import Seen, seen
from ptguard.remotes import Clone
from ptguard.snapshot import Snapshot
from ptguard.value import replace, value

T = TypeVar("T")
MAX_PEELED: Final = 1 << 16
MAX_PEELED_BYTES: Final = 1 << 24


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


@value
class _Seen:
    """What an object is: its type, its size in bytes, and the tag where it is one."""

    kind: str
    size: int
    tag: TagObject | Problem | None


class Collector:
    """Gives the evidence of each tag of one call."""

    def __init__(self, scene: Scene, asked: Sequence[RefUpdate] = ()) -> None:
        """Take the scene and the updates that will be asked about; nothing is read yet."""
        self.scene = scene
        self._newer = Newer(scene.clone.git, scene.policy, scene.clone.refs, asked)
        self._snapshots: dict[Oid, Snapshot] = {}
        self._same: dict[object, object] = {}
        self._seen: dict[Oid, _Seen] = {}
        self._commits: dict[Oid, Oid | None] = {}
        self._branches = Branches(scene.clone, many=len(asked) > MANY)
        self.signatures = Signatures(scene.policy, scene.home)

    def evidence(self, update: RefUpdate, known: Collection[str] = ()) -> Evidence:
        """Give all that the tag's rule asks to know about ``update``; what the checks ``known`` ask for is left out."""
        base = self.outside(update)
        match = base.match
        if update.local_oid is None or match is None:
            return base
        base = self._object(base, update.local_oid)
        if self._is_history(base):
            base = replace(base, mode=Mode.PUBLISHED)
        if base.mode.history:
            base = replace(base, seen=self._seen_by_a_server.get((update.remote_ref, update.local_oid)))
        return self._details(base, match, known)

    def outside(self, update: RefUpdate) -> Evidence:
        """Give what is to be known of ``update`` without looking at its object."""
        scene = self.scene
        return Evidence(
            update,
            scene.mode,
            scene.now,
            match_rule(scene.policy, update.tag),
            scene.clone.state,
            collisions=self._collisions(update),
            shadowed_by=self._shadow(update),
        )

    def in_order(self, updates: Sequence[RefUpdate]) -> list[int]:
        """Give the places of ``updates`` in the order to ask in: those that name one commit one after the other."""
        if len(updates) < 3:
            return list(range(len(updates)))
        oids = [u.local_oid for u in updates[:MAX_PEELED] if u.local_oid]
        with suppress(GitError):  # then each is asked for by itself, and says so
            found = self.scene.clone.git.info_all([f"{oid}^{{commit}}" for oid in oids])
            self._commits = {oid: one[0] if one else None for oid, one in zip(oids, found, strict=True)}
        commits = [self._commit(u.local_oid) if u.local_oid else None for u in updates]
        first: dict[object, int] = {}
        return sorted(range(len(updates)), key=lambda at: (first.setdefault(commits[at], at), at))

    def look_ahead(self, updates: Sequence[RefUpdate]) -> None:
        """Begin with the signatures of ``updates`` (at most MAX_AHEAD) in one go, before they are asked for.

        What cannot be had here is left to be found, and named, by :meth:`evidence`.
        """
        if len(self._seen) > 2 * MAX_AHEAD:
            self._seen.clear()
        oids = list(dict.fromkeys(u.local_oid for u in updates if u.local_oid and self._wants_signature(u)))
        with suppress(GitError):
            found = self.scene.clone.git.info_all(oids)
            self._seen |= {one[0]: self._look(one) for one in found if one}
        seen = (self._seen.get(oid) for oid in oids)
        self.signatures.look_ahead(one.tag for one in seen if one and isinstance(one.tag, TagObject))

    def _wants_signature(self, update: RefUpdate) -> bool:
        match = match_rule(self.scene.policy, update.tag)
        return match is not None and "signature" in match.rule.checks

    def _look(self, found: Info) -> "_Seen":
        return _Seen(found[1], found[2], self._tag(found) if found[1] == "tag" else None)

    def planned(self, update: RefUpdate) -> Evidence:
        """Give the evidence of a tag that does not exist yet; ``update`` carries the commit that it is to name."""
        base = replace(self.outside(update), planned=True)
        return self._details(replace(base, commit=update.local_oid), base.match) if base.match else base

    def _is_history(self, base: Evidence) -> bool:
        """Tell whether a pushed tag is released already: on the canonical remote, or from before `[audit] since`."""
        published, made, adopted = self.scene.published, base.tagged_at, self._adopted
        if base.mode is not Mode.PUSH or published is None:
            return False
        return base.update.local_oid in published or (made is not None and adopted is not None and made < adopted)

    @cached_property
    def _seen_by_a_server(self) -> Seen:
        return seen(self.scene.clone.git.guard_dir)

    @cached_property
    def _adopted(self) -> datetime | None:
        """Give when the tag of `[audit] since` was made, if it is here."""
        oid = self.scene.clone.refs.get(f"{TAG_PREFIX}{self.scene.policy.audit_since}")
        found = self.scene.clone.git.info(oid) if oid else None
        tag = self._look(found).tag if found else None
        return tag.tagger.when if isinstance(tag, TagObject) else None

    # ------------------------------------------------------------------------------------- the tag object

    def _object(self, base: Evidence, oid: Oid) -> Evidence:
        """Add the object itself: what it is, its grammar, the commit that it names."""
        seen = self._seen.get(oid)
        if seen is None and (found := self.scene.clone.git.info(oid)):
            seen = self._look(found)
        if seen is None:
            gone = f"object {oid} is not in this repository"
            return replace(base, tag=Problem("could-not-decide", gone, fix="git fsck --full", status=Status.ERROR))
        if seen.kind != "tag":
            return replace(base, object_type=seen.kind, commit=oid if seen.kind == "commit" else None)
        # git would read all of a tag to say what it names: of one that is far too large only that is said.
        commit = None if seen.size > MAX_PEELED_BYTES else self._commit(oid)
        return replace(base, object_type=seen.kind, tag=seen.tag, commit=commit)

    def _commit(self, oid: Oid) -> Oid | None:
        """Give the commit that the object ``oid`` names, directly or through tag objects."""
        if oid not in self._commits:
            found = self.scene.clone.git.info(f"{oid}^{{commit}}")
            if len(self._commits) >= MAX_PEELED:
                self._commits.clear()
            self._commits[oid] = found[0] if found else None
        return self._commits[oid]

    def _tag(self, found: Info) -> TagObject | Problem:
        (oid, kind, size), limit = found, self.scene.policy.limits.max_tag_bytes
        if size > limit:
            return too_large(size, limit)
        return _part(lambda: parse_tag(oid, self.scene.clone.git.read(oid, kind, limit, found)))

    def _details(self, base: Evidence, match: RuleMatch, known: Collection[str] = ()) -> Evidence:
        """Add the parts that the checks of the rule ask for."""
        wanted = [check for check in match.rule.checks if check not in known]
        signature = self.signatures.soon(base.tag) if "signature" in wanted else None
        rest = self._of_commit(base, match, base.commit, wanted) if base.commit else base
        return replace(rest, signature=_part(signature)) if signature else rest

    def _of_commit(self, base: Evidence, match: RuleMatch, commit: Oid, wanted: Sequence[str]) -> Evidence:
        branches = match.rule.branches
        parts: dict[str, Callable[[], object]] = {
            "branch": lambda: self._once(commit, branches, lambda: self._branches.carrying(branches, commit)),
            "version": lambda: self._version(match, commit, base.name),
            "changelog": lambda: self._changelog(match, commit),
            "image": lambda: self._once(commit, "image", lambda: self.images(commit)),
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

    @cached_property
    def _branch_lines(self) -> Mapping[str, RefUpdate]:
        return branch_lines(self.scene.clone)

    def _collisions(self, update: RefUpdate) -> tuple[str, ...]:
        return tuple(r for r in self._spellings.get(update.remote_ref.casefold(), ()) if r != update.remote_ref)

    def _shadow(self, update: RefUpdate) -> str | None:
        """Give the branch of the remote, standing or in this push, that has the tag's name."""
        name = BRANCH_PREFIX + update.tag
        line = self._branch_lines.get(name)
        if line is not None:
            return None if line.deletion else f"{name}{IN_PUSH}"
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

    def images(self, commit: Oid) -> tuple[DeclaredImage | Problem, ...] | Problem:
        """Give what each image source of the policy declares at ``commit``."""
        policy = self.scene.policy.image
        if policy is None:
            return Problem("no-source", "the policy has no [image] section", status=Status.ERROR)
        return declared_images(self.snapshot(commit), policy.sources)

    def _smoke(self, commit: Oid) -> SmokeEvidence | Problem:
        from ptguard.collect_smoke import smoke_evidence

        policy = self.scene.policy.smoke
        if policy is None:
            return Problem("could-not-decide", "the policy has no [smoke] section", status=Status.ERROR)
        return smoke_evidence(self.snapshot(commit), policy, self.signatures.ssh, self.signatures.openpgp)


def _part(collect: Callable[[], T]) -> T | Problem:
    """Give what ``collect`` gives, or that it could not be decided: one part that fails must not hide the others."""
    try:
        return collect()
    except PtguardError as error:
        return Problem("could-not-decide", error.message, fix=error.fix, status=Status.ERROR)
