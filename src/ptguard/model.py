"""The values that flow through ptguard, all frozen: ref lines, tag objects, policy, evidence, findings, verdict.

Nothing here does IO and nothing here decides. A parser answers with its value or with a :class:`Problem`; a
check turns evidence into :class:`Finding` values; :mod:`ptguard.verdict` adds them up.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

from ptguard.text import shown
from ptguard.value import replace, value

Oid = str
"""A full git object id, lower-case hex, 40 (SHA-1) or 64 (SHA-256) digits. Never the null id: that is None."""

TAG_PREFIX = "refs/tags/"
IN_PUSH = " in this push"
"""What follows a ref that stands nowhere yet."""
BRANCH_PREFIX = "refs/heads/"


class Status(StrEnum):
    """What a check says; FAIL and ERROR refuse."""

    PASS = "pass"  # noqa: S105 - a status, not a password
    FAIL = "fail"
    WARN = "warn"
    SKIP = "skip"
    WAIVED = "waived"
    ERROR = "error"


class Mode(StrEnum):
    """Under which rules of time a tag is judged."""

    PUSH = "push"
    VERIFY = "verify"
    PUBLISHED = "published"
    AUDIT = "audit"

    @property
    def history(self) -> bool:
        """Whether the key must have been good when it signed (true) or must be good now (false)."""
        return self in (Mode.PUBLISHED, Mode.AUDIT)


# --------------------------------------------------------------------------------------------- findings


@value
class Location:
    """A place in the repository: ``path`` from its root, ``line`` from 1, in ``commit`` (None: not tied to one)."""

    path: str
    line: int | None = None
    commit: Oid | None = None

    @property
    def shown(self) -> str:
        """The place as ``PATH:LINE`` for a sentence: printable, on one line."""
        return shown(self.path if self.line is None else f"{self.path}:{self.line}", 220)


@value
class Problem:
    """Why a piece of evidence could not be had, or what is wrong with it; becomes a finding as it is.

    ``reason`` is one of the slugs of the check that shows it. ``status`` is FAIL unless the evidence is merely
    odd (WARN), out of question (SKIP) or undecidable (ERROR).
    """

    reason: str
    message: str
    got: str | None = None
    expected: str | None = None
    fix: str | None = None
    location: Location | None = None
    status: Status = Status.FAIL


@value
class Finding:
    """One judgement of one check about one tag."""

    check: str
    status: Status
    reason: str
    message: str
    got: str | None = None
    expected: str | None = None
    fix: str | None = None
    location: Location | None = None
    signer: str | None = None
    fingerprint: str | None = None

    @property
    def refuses(self) -> bool:
        """Whether this finding alone keeps the tag from being pushed."""
        return self.status in (Status.FAIL, Status.ERROR)

    @classmethod
    def of(cls, check: str, problem: Problem) -> "Finding":
        """Give ``problem`` as a finding of ``check``."""
        return cls(
            check,
            problem.status,
            problem.reason,
            problem.message,
            problem.got,
            problem.expected,
            problem.fix,
            problem.location,
        )

    @classmethod
    def passed(cls, check: str, message: str, location: Location | None = None) -> "Finding":
        """Give the finding of a check that has nothing to complain of."""
        return cls(check, Status.PASS, "ok", message, location=location)


@value
class PolicySource:
    """Which policy decided: ``source`` (a ref or a file), its ``commit`` (None for a file), the text's ``sha256``.

    ``stale`` is true when the remote's trust branch is known to have moved past ``commit``.
    """

    source: str
    commit: Oid | None
    sha256: str
    stale: bool = False


@value
class TagVerdict:
    """All findings about one tag. No finding at all refuses: nothing was checked."""

    ref: str
    tag: str
    object: Oid | None
    commit: Oid | None
    findings: tuple[Finding, ...]

    @property
    def accepted(self) -> bool:
        """Whether the tag may be pushed: something was checked and stands, and nothing refuses."""
        said = {f.status for f in self.findings}
        return bool(said & {Status.PASS, Status.WARN, Status.WAIVED}) and not said & {Status.FAIL, Status.ERROR}

    @property
    def undecided(self) -> bool:
        """Whether something could not be decided, so that a repeated run may come out otherwise."""
        return any(f.status is Status.ERROR for f in self.findings)


@value
class PolicyChange:
    """A commit of the trust branch that changed what decides: ``paths`` below the policy's folder, ``by`` whom, when.

    ``signer`` and ``fingerprint`` are those of a key of the policy that stood before (None: no such signature counts);
    ``reason`` is ``ok`` or a reason of the check ``signature``, ``first`` where no policy stood before; ``allowed``:
    whether ``[root]`` of the policy before lets it be (None: it has none).
    """

    commit: Oid
    at: datetime
    by: str
    paths: tuple[str, ...]
    reason: str
    message: str
    signer: str | None = None
    fingerprint: str | None = None
    allowed: bool | None = None


@value
class Verdict:
    """The verdict on a whole push or call. ``notes`` are remarks for the reader that decide nothing.

    ``changes``: in an audit, what has become of the policy, newest first.
    """

    mode: Mode
    judged_at: datetime
    policy: PolicySource
    tags: tuple[TagVerdict, ...]
    notes: tuple[str, ...] = ()
    changes: tuple[PolicyChange, ...] = ()

    @property
    def accepted(self) -> bool:
        """Whether every tag is accepted (also when there is none)."""
        return all(t.accepted for t in self.tags)


# --------------------------------------------------------------------------------------------- refs and tags


@value
class RefUpdate:
    """One line of a push: what ``remote_ref`` is to become. An all-zero id is None (githooks(5), pre-push)."""

    local_ref: str
    local_oid: Oid | None
    remote_ref: str
    remote_oid: Oid | None

    @property
    def deletion(self) -> bool:
        """Whether the push removes the ref."""
        return self.local_oid is None

    @property
    def is_tag(self) -> bool:
        """Whether the ref is a tag, or is spelled so that a file system may take it for one."""
        return self.remote_ref[: len(TAG_PREFIX)].lower() == TAG_PREFIX

    @property
    def tag(self) -> str:
        """The name after ``refs/tags/``; only for a ref that :attr:`is_tag`."""
        return self.remote_ref[len(TAG_PREFIX) :]


@value
class Tagger:
    """Who says that he made the tag, and when (aware, in the offset that stands there). The signer's own claim."""

    name: str
    email: str
    when: datetime


SignatureKind = Literal["openpgp", "ssh", "x509", "sigstore"]


@value
class SignatureBlock:
    """The armored block at the end of a tag object, as it stands there."""

    kind: SignatureKind
    armored: bytes


@value
class TagObject:
    """An annotated tag object that obeys the strict grammar.

    ``payload`` is what the signature covers: all bytes before the block. ``signature`` is None when there is no
    block, and a :class:`Problem` (reasons of the check ``signature``) when there is one too many or text behind.
    """

    oid: Oid
    target: Oid
    target_type: str
    name: str
    tagger: Tagger
    message: str
    payload: bytes
    signature: SignatureBlock | Problem | None


# --------------------------------------------------------------------------------------------- policy


class KeyStatus(StrEnum):
    """What the policy says of a key: a retired one keeps what it signed, a compromised one loses everything."""

    ACTIVE = "active"
    RETIRED = "retired"
    COMPROMISED = "compromised"


@value
class OpenPgpKey:
    """``fingerprint``: the full primary one, upper-case hex; ``material``: the bytes of the key file ``file``."""

    fingerprint: str
    file: str
    material: bytes
    status: KeyStatus = KeyStatus.ACTIVE
    valid_from: datetime | None = None
    valid_until: datetime | None = None


@value
class SshKey:
    """``public_key``: ``<type> <base64>`` without the comment; ``fingerprint``: ``SHA256:…`` as ssh-keygen -l."""

    fingerprint: str
    public_key: str
    status: KeyStatus = KeyStatus.ACTIVE
    valid_from: datetime | None = None
    valid_until: datetime | None = None


@value
class Signer:
    """A person or a machine; ``id`` is the name that the policy uses."""

    id: str
    name: str
    keys: tuple[OpenPgpKey | SshKey, ...]


@value
class TagRule:
    """What is asked of tags whose name matches ``pattern``."""

    pattern: str
    checks: tuple[str, ...]
    signers: tuple[str, ...]
    branches: tuple[str, ...]


@value
class SmokePolicy:
    """``[smoke]``: which record counts. ``ignore``: exact paths that may change after the run."""

    directory: str
    device: Literal["cuda", "rocm", "cpu"]
    command: tuple[str, ...] | None
    max_age: timedelta
    signers: tuple[str, ...]
    image_from: Literal["launcher", "registry", "operator"]
    ignore: tuple[str, ...]


@value
class ImagePolicy:
    """``[image]``: the files that declare the image, the first being authoritative."""

    sources: tuple[str, ...]
    require_digest: bool


FORGEABLE = ("SHA1",)
"""Digests whose collisions can be made today: a policy may let them stand in history, nothing new may use them."""


@value
class Limits:
    """``[limits]``: bounds on signatures and objects. ``digests`` are upper-case OpenPGP names, see :meth:`permits`."""

    digests: tuple[str, ...] = ("SHA256", "SHA384", "SHA512")
    max_clock_skew: timedelta = timedelta(minutes=10)
    max_tag_age: timedelta = timedelta(days=7)
    max_tag_bytes: int = 65536

    def permits(self, digest: str, *, history: bool) -> bool:
        """Tell whether a signature over ``digest`` may count; one that can be forged today only in ``history``."""
        return digest in self.digests and (history or digest not in FORGEABLE)


@value
class Waiver:
    """A dated exception for one check of one tag; ``expires`` is the last day it counts, in UTC."""

    tag: str
    check: str
    reason: str
    by: str
    expires: date


@value
class Policy:
    """``.ptguard/policy.toml``, read and found whole."""

    source: PolicySource
    trust_branch: str | None
    rules: tuple[TagRule, ...]
    unmatched: Literal["refuse", "warn", "allow"]
    signers: Mapping[str, Signer]
    changelog_paths: tuple[str, ...]
    version_sources: tuple[str, ...]
    candidates: Literal["exact", "base"]
    image: ImagePolicy | None
    smoke: SmokePolicy | None
    limits: Limits
    audit_since: str | None
    waivers: tuple[Waiver, ...]
    root: tuple[str, ...] = ()


@value
class RuleMatch:
    """The first rule whose pattern matches a tag, and what the pattern captured.

    ``version`` is the text taken for the tag's version, ``package`` the captured package or None.
    """

    rule: TagRule
    version: str
    package: str | None


# --------------------------------------------------------------------------------------------- evidence


@value
class File:
    """A regular file of the tagged tree."""

    path: str
    data: bytes


@value
class SignatureFacts:
    """What the cryptography says of a signature, judged against no policy yet.

    ``fingerprint`` is the primary key's (OpenPGP) or the ``SHA256:…`` of the key (SSH); ``digest`` the upper-case
    name of the hash; ``made_at`` the signature's own time (None: SSH carries none); ``expired_at`` when the key
    or its primary expires, if the verifier says that it has by now; ``ending`` those of the two, by fingerprint, that
    expire at all.
    """

    kind: SignatureKind
    fingerprint: str
    digest: str
    made_at: datetime | None
    expired_at: datetime | None = None
    ending: tuple[str, ...] = ()


@value
class RemoteState:
    """The remote's refs before the push, as far as they are known.

    ``tags`` and ``branches`` map full ref names to object ids. ``asked`` is true when the remote itself answered
    (ls-remote, or a server's own refs): then what is absent is known to be absent. ``none`` is true when no
    remote is configured at all; ``problem`` is set when the remote could not be asked.
    """

    name: str
    tags: Mapping[str, Oid]
    branches: Mapping[str, Oid]
    asked: bool = False
    none: bool = False
    problem: Problem | None = None


@value
class BranchEvidence:
    """``matching``: the refs of the remote that the rule's patterns match; ``carrier``: one that contains the commit.

    ``ineligible``: refs of this push that would match but do not count (created, forced or deleted by it);
    ``local``: short names of local branches that match and contain the commit, for the mending words.
    """

    matching: tuple[str, ...]
    carrier: str | None
    ineligible: tuple[str, ...] = ()
    local: tuple[str, ...] = ()
    shallow: bool = False


@value
class DeclaredVersion:
    """A version that the code declares at ``location``; ``value`` None means that it is computed at build time."""

    value: str | None
    location: Location


@value
class VersionEvidence:
    """What each source of the policy declares, and other tags of the rule that have an equal or higher version.

    ``higher`` holds only tags reachable from the tagged commit's parents.
    """

    declared: tuple[DeclaredVersion | Problem, ...]
    higher: tuple[str, ...] = ()


@value
class ChangelogSection:
    """A heading of the changelog that names a version, with what was written under it.

    ``line`` is the heading's, from 1; ``version`` the PEP 440 text as it stands there; ``date`` None when there is
    none or ``date_text`` is no date; ``body`` the number of non-blank lines of substance below the heading.
    ``name``: what the heading calls the thing released ("" as a rule); ``label``: the link label that the heading
    refers to; ``placeholder``: ``date_text`` holds the place of a date (TBD); ``vague_date``: a date whose day and
    month cannot be told apart; ``level``: the heading's, from 1.
    """

    line: int
    title: str
    version: str
    date_text: str | None
    date: date | None
    yanked: bool
    body: int
    digest: str
    empty_subsections: tuple[str, ...] = ()
    name: str = ""
    label: str | None = None
    placeholder: bool = False
    vague_date: bool = False
    level: int = 2


@value
class Changelog:
    """A parsed changelog: its sections in the order of the file.

    ``decoys``: places that look like a section but are none (``line``, what it is: "a code fence", …);
    ``unreleased``: non-blank lines under an Unreleased heading; ``links``: labels of link definitions.
    ``decoys`` end with the version that they name; ``unreleased_at`` is the line of the Unreleased heading.
    """

    path: str
    sections: tuple[ChangelogSection, ...]
    decoys: tuple[tuple[int, str, str], ...] = ()
    headings: tuple[tuple[int, str], ...] = ()
    unreleased: int = 0
    links: frozenset[str] = frozenset()
    unreleased_at: int | None = None


@value
class ImageReference:
    """A normalised image reference (the reference grammar of the distribution project).

    ``repository`` is the registry and path with docker.io/library filled in, ``tag`` and ``digest`` (``sha256:…``)
    as declared or None.
    """

    repository: str
    tag: str | None
    digest: str | None

    def __str__(self) -> str:
        """Give the reference as it would be pulled."""
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.repository}{tag}{digest}"


@value
class ImageFacts:
    """What an image's name declares: public framework versions, CUDA by minor, cuDNN by major; None: not said.

    ``flavour`` is ``devel`` or ``runtime``, ``release`` a vendor's container release such as ``25.09``, ``os`` the
    distribution and its version as the smoke record writes them (``ubuntu 22.04``).
    """

    torch: str | None = None
    jax: str | None = None
    tensorflow: str | None = None
    cuda: str | None = None
    rocm: str | None = None
    cudnn: str | None = None
    python: str | None = None
    flavour: str | None = None
    release: str | None = None
    commit: str | None = None
    os: str | None = None


@value
class DeclaredImage:
    """An image that ``location`` declares, with the facts that its name or ``[tool.ptguard.expect]`` gives."""

    reference: ImageReference
    facts: ImageFacts
    location: Location


@value
class SmokeRecord:
    """A smoke record as it stands in the tree, well formed; see docs/checks/smoke.md for the form.

    ``tree`` is the hex of its git-tree subject, ``excluded`` the paths left out of it; ``image`` with the digest of
    its image subject (None: run on the bare machine); times are aware; ``environment`` as recorded; ``devices`` how
    many are listed; ``command`` the project's own check with its exit status; ``failed`` the ids listed as failed.
    """

    path: str
    tree: str
    excluded: tuple[str, ...]
    image: ImageReference | None
    digest_source: str | None
    result: str
    mode: str
    device: str
    devices: int
    framework: str | None
    environment: Mapping[str, str | int | None]
    commit: Oid
    dirty: bool
    started: datetime
    finished: datetime
    command: tuple[tuple[str, ...], int] | None
    checks: tuple["SmokeCheck", ...]
    payload: bytes
    object_format: str = "sha1"
    runner: str | None = None
    failed: tuple[str, ...] = ()


@value
class SmokeCheck:
    """One check of the probe: ``status`` is ``passed``, ``failed`` or ``skipped`` with a ``reason``."""

    id: str
    status: str
    reason: str | None


@value
class SmokeEntry:
    """A record of the tagged tree with the judgement of its detached signature."""

    path: str
    record: SmokeRecord | Problem
    signature: SignatureFacts | Problem


EXECUTABLE = "an executable file"
"""The words for a foreign file whose only fault is its mode."""


@value
class SmokeEvidence:
    """``tree``: the id of the tagged source tree without ``.ptguard/`` and ``[smoke] ignore``, keyed by ``excluded``.

    ``trees`` maps each list of excluded paths that a record claims (and the policy allows) to the pruned tree's id.
    ``foreign`` are paths under ``.ptguard/`` that must not be there, with the reason in words; ``loose`` paths of
    ``[smoke] ignore`` that are something else than a plain file, with what they are.
    """

    trees: Mapping[tuple[str, ...], Oid]
    entries: tuple[SmokeEntry, ...]
    foreign: tuple[tuple[str, str], ...] = ()
    loose: Mapping[str, str] = MappingProxyType({})


@value
class Evidence:
    """All that is known about one tag of a push; a part is None only where the rule does not ask for it.

    ``object_type`` is what git says of the pushed object (``tag``, ``commit``, …), None for a deletion or an object
    that is not here; ``commit`` the commit that the tag names, None where it names none. ``signature`` is None where
    the tag has no signature that could be verified. ``collisions`` are refs that differ from this one in case only.
    ``planned`` is true where the tag does not exist yet and ``update`` carries the commit that it is to name. ``seen``
    is when a server first accepted this very object under this ref, by its receipts, for the rules of history.
    """

    update: RefUpdate
    mode: Mode
    now: datetime
    match: RuleMatch | None
    remote: RemoteState
    object_type: str | None = None
    tag: TagObject | Problem | None = None
    commit: Oid | None = None
    signature: SignatureFacts | Problem | None = None
    collisions: tuple[str, ...] = ()
    shadowed_by: str | None = None
    branch: BranchEvidence | Problem | None = None
    version: VersionEvidence | Problem | None = None
    changelog: Changelog | Problem | None = None
    images: tuple[DeclaredImage | Problem, ...] | Problem | None = None
    smoke: SmokeEvidence | Problem | None = None
    planned: bool = False
    seen: datetime | None = None

    @property
    def name(self) -> str:
        """The tag's name, without ``refs/tags/``."""
        return self.update.tag

    @property
    def tagged_at(self) -> datetime | None:
        """When the tagger says that he tagged (now, for a planned tag), or None where there is no well-formed tag."""
        if self.planned:
            return self.now
        return self.tag.tagger.when if isinstance(self.tag, TagObject) else None

    def at(self, path: str, line: int | None = None) -> Location:
        """Give the place ``path``:``line`` in the tagged commit."""
        return Location(path, line, self.commit)


def waived(finding: Finding, waiver: Waiver) -> Finding:
    """Give ``finding`` as waived: what was wrong stays readable in ``got``."""
    return replace(
        finding,
        status=Status.WAIVED,
        reason="waived",
        message=f"waived by {waiver.by} until {waiver.expires.isoformat()}: {waiver.reason}",
        got=f"{finding.reason}: {finding.message}",
        expected=None,
        fix=None,
    )
