"""One smoke record held against HEAD and the trusted policy, rule by rule, by the very code that judges a push."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from ptguard.collect import Collector, Scene
from ptguard.collect_smoke import MAX_SIGNATURE_BYTES, Verifiers, detached, loose, pruned_trees
from ptguard.errors import UsageError
from ptguard.gateways.files import read_regular
from ptguard.gateways.git import Git, Refs
from ptguard.judging import Request, temporary_home, trusted_policy
from ptguard.later import apart
from ptguard.model import (
    TAG_PREFIX,
    DeclaredImage,
    Finding,
    ImageFacts,
    Location,
    Mode,
    Oid,
    Policy,
    PolicySource,
    Problem,
    RefUpdate,
    RemoteState,
    SignatureFacts,
    SmokeEvidence,
    SmokePolicy,
    SmokeRecord,
    Status,
    TagRule,
)
from ptguard.parse.smoke import MAX_RECORD_BYTES, parse_record
from ptguard.remotes import Clone
from ptguard.smoke_case import RULES, Case, declared_image
from ptguard.smoke_mend import ID, REPORT, undecided
from ptguard.text import sh, shown
from ptguard.value import fields, replace, value
from ptguard.vouching import key_of

NO_NAME: Final = "NAME"
"""Stands for the tag that is not named yet, in the words that mend."""


@value
class Ruling:
    """What one rule says of the record: ``findings`` where it does not stand, ``words`` what it proves where it does.

    ``status`` is ``pass``, ``fail``, ``error`` or, where the policy asks for nothing of the kind, ``skip``.
    """

    rule: str
    status: Status
    words: str
    findings: tuple[Finding, ...] = ()


@value
class Examined:
    """All rulings on the record in the file ``path``, as if HEAD (``commit``) were tagged now with it."""

    path: str
    commit: Oid
    policy: PolicySource
    judged_at: datetime
    rulings: tuple[Ruling, ...]

    @property
    def stands(self) -> bool:
        """Whether every rule takes the record."""
        return all(ruling.status in (Status.PASS, Status.SKIP) for ruling in self.rulings)

    @property
    def undecided(self) -> bool:
        """Whether something could not be decided, so that a repeated call may come out otherwise."""
        return any(ruling.status is Status.ERROR for ruling in self.rulings)


@apart
def examine(request: Request, file: Path) -> Examined:
    """Give what the record in ``file`` proves for HEAD of the clone that the request names.

    ``file`` is meant from where the request starts and may lie outside the repository; its signature lies beside it.
    The remote is not asked.

    Raises:
        UsageError: there is no such file, no commit, or the policy asks for no record.
        PolicyError: there is no trusted policy, or it has mistakes.
    """
    record = read_record(request.start / file)
    policy = trusted_policy(request)
    if policy.smoke is None:
        raise UsageError("the policy has no [smoke] section, so it asks for no record", fix="add it to the policy")
    with collector_for(request, policy) as collector:
        commit = collector.scene.clone.git.resolve("HEAD^{commit}")
        if commit is None:
            raise UsageError("there is no commit yet that a record could be for", fix="git commit")
        if isinstance(record, Problem):
            found = Finding.of(ID, record)
            rulings: tuple[Ruling, ...] = (Ruling("form", found.status, found.message, (found,)),)
        else:
            rulings = tuple(_rulings(_case(collector, commit, policy, policy.smoke, record)))
    return Examined(str(file), commit, policy.source, request.now, rulings)


def read_record(file: Path) -> SmokeRecord | Problem:
    """Give the record that ``file`` holds, or a Problem ``malformed``.

    Raises:
        UsageError: there is no such regular file.
    """
    data = read_regular(file.parent, file.name, MAX_RECORD_BYTES)
    if isinstance(data, Problem):
        raise UsageError(
            f"no record can be read: {shown(data.message)}",
            fix="ls .ptguard/smoke   # a tag is judged by: ptguard verify TAG",
        )
    return parse_record(str(file), data)


def beside(path: str) -> bytes | Problem:
    """Give the bytes of a signature's file; the reason of a Problem is ``missing-file`` where there is none."""
    file = Path(path)
    found = read_regular(file.parent, file.name, MAX_SIGNATURE_BYTES)
    if isinstance(found, Problem) or len(found) <= MAX_SIGNATURE_BYTES:
        return found
    return Problem("too-large", f"{path} is larger than {MAX_SIGNATURE_BYTES} bytes")


@contextmanager
def collector_for(request: Request, policy: Policy) -> Iterator[Collector]:
    """Give a collector for the clone of the request under ``policy``, which asks for nothing but the image."""
    rule = TagRule("**", ("image",) if policy.image else (), (), ())
    nowhere = RemoteState("", {}, {}, none=True)
    with Git.open(request.start) as git, temporary_home() as home:
        clone = Clone(git, {}, Refs({}, {}), None, nowhere)
        yield Collector(Scene(clone, replace(policy, rules=(rule,)), Mode.VERIFY, request.now, home))


def verifiers(collector: Collector) -> Verifiers:
    """Give how signatures are verified under the collector's policy."""
    return Verifiers(collector.signatures.ssh, collector.signatures.openpgp)


def _case(collector: Collector, commit: Oid, policy: Policy, smoke: SmokePolicy, record: SmokeRecord) -> Case:
    """Give the record with the evidence of a tag that is to be made on ``commit`` now."""
    ref = TAG_PREFIX + NO_NAME
    evidence = collector.planned(RefUpdate(ref, commit, ref, None))
    snapshot = collector.snapshot(commit)
    trees = pruned_trees(snapshot, smoke, [record])
    signature = detached(record, beside, verifiers(collector))
    evidence = replace(evidence, smoke=SmokeEvidence(trees, ()))
    declared = declared_image(evidence, policy)
    known = declared if isinstance(declared, DeclaredImage) else None
    return Case(evidence, policy, smoke, trees, known, record, signature, loose(snapshot, smoke))


# --------------------------------------------------------------------------------------------- rule by rule


def _rulings(case: Case) -> Iterator[Ruling]:
    yield Ruling("form", Status.PASS, "the bytes are those that ptguard writes, read in one way only")
    unknown = declared_image(case.evidence, case.policy)
    for name, rule in RULES.items():
        findings = tuple(rule(case))
        if name == "image" and isinstance(unknown, Finding):
            findings = (unknown, *findings)
        if findings:
            status = Status.ERROR if any(f.status is Status.ERROR for f in findings) else Status.FAIL
            yield Ruling(name, status, findings[0].message, findings)
        elif name in ("image", "versions") and case.declared is None:
            why = "the declared image is not known" if isinstance(unknown, Finding) else "the policy names no image"
            yield Ruling(name, Status.SKIP, f"{why}, so nothing was compared")
        elif name == "signature" and _signer(case) is None:  # nothing against it, and yet nobody: that never passes
            nobody = undecided("nobody vouches for the record", REPORT)
            yield Ruling(name, Status.ERROR, nobody.message, (nobody,))
        else:
            yield Ruling(name, Status.PASS, shown(_PROVEN[name](case)))


def _tree(case: Case) -> str:
    return f"{case.record.tree} is HEAD's without {', '.join(case.record.excluded)}"


def _image(case: Case) -> str:
    where = case.declared.location if case.declared else Location("?")
    place = f"{where.path}:{where.line}" if where.line else where.path
    return f"{case.record.image} is what {place} declares; its digest was told by {case.record.digest_source}"


def _versions(case: Case) -> str:
    facts = case.declared.facts if case.declared else ImageFacts()
    said = [f"{name} {getattr(facts, name)}" for name in fields(ImageFacts) if getattr(facts, name)]
    return f"the run saw {', '.join(said)}, as the name declares" if said else "the name declares none"


def _device(case: Case) -> str:
    return f"{case.record.devices} {case.record.device} device{'s' if case.record.devices != 1 else ''}"


def _outcome(case: Case) -> str:
    tried = sum(check.status == "passed" for check in case.record.checks)
    command = " and the command" if case.record.command else ""
    return f"{case.record.result}, mode {case.record.mode}: {tried} check{'s' if tried != 1 else ''}{command}"


def _skips(case: Case) -> str:
    skipped = [check.id for check in case.record.checks if check.status == "skipped"]
    return f"{', '.join(skipped)}, for reasons that count" if skipped else "nothing was skipped"


def _command(case: Case) -> str:
    return sh(*case.smoke.command) if case.smoke.command else "the policy asks for none"


def _age(case: Case) -> str:
    oldest = case.evidence.now - case.smoke.max_age
    return f"ended {case.record.finished:%Y-%m-%d %H:%M} UTC; what ended since {oldest:%Y-%m-%d %H:%M} counts"


def _signer(case: Case) -> str | None:
    """Give who signed, with which key, or None where nobody whom the policy knows did."""
    facts = case.signature
    key = key_of(case.policy, case.smoke, facts) if isinstance(facts, SignatureFacts) else None
    return f"by {key[0]}, {facts.kind} {facts.fingerprint}" if key and isinstance(facts, SignatureFacts) else None


def _signature(case: Case) -> str:
    return _signer(case) or "by nobody"


_PROVEN: Final[Mapping[str, Callable[[Case], str]]] = {
    "tree": _tree,
    "image": _image,
    "versions": _versions,
    "device": _device,
    "outcome": _outcome,
    "skips": _skips,
    "command": _command,
    "age": _age,
    "signature": _signature,
}
