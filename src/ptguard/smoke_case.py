"""One smoke record held against the tagged tree, the declared image and the policy: all that is wrong with it."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from ptguard.facts import SOURCES, difference, mismatches, weak
from ptguard.model import (
    EXECUTABLE,
    DeclaredImage,
    Evidence,
    Finding,
    Policy,
    Problem,
    SignatureFacts,
    SmokeCheck,
    SmokePolicy,
    SmokeRecord,
    Status,
)
from ptguard.smoke_mend import ID, REPORT, plain, rerun, undecided
from ptguard.text import sh, shown
from ptguard.value import replace, value
from ptguard.vouching import objections


@value
class Case:
    """One record with all that it is judged by; ``declared`` is None where the policy names no image."""

    evidence: Evidence
    policy: Policy
    smoke: SmokePolicy
    trees: Mapping[tuple[str, ...], str]
    declared: DeclaredImage | None
    record: SmokeRecord
    signature: SignatureFacts | Problem
    loose: Mapping[str, str] = MappingProxyType({})

    def fail(self, reason: str, message: str, got: str | None, expected: str | None, fix: str | None = None) -> Finding:
        """Give a refusal that points at the record; the usual way to mend it is to run again."""
        where = self.evidence.at(self.record.path)
        fix = fix or rerun(self.declared.reference if self.declared else None, self.smoke, self.evidence)
        return Finding(ID, Status.FAIL, reason, message, got, expected, fix, where)


def declared_image(evidence: Evidence, policy: Policy) -> DeclaredImage | Finding | None:
    """Give the image that records are held against, None where the policy names none, or why it cannot be told."""
    images = evidence.images
    if images is None:
        wanted = policy.image is not None or (evidence.match is not None and "image" in evidence.match.rule.checks)
        return undecided("the declared image was not looked at", REPORT) if wanted else None
    first = images if isinstance(images, Problem) else next(iter(images), None)
    if isinstance(first, DeclaredImage):
        return first
    if first is None:
        words, fix = "no declared image was found to hold the record against", "name a file in [image] sources"
        return Finding(ID, Status.FAIL, "could-not-decide", words, "no image", "a declared image", fix)
    status = Status.ERROR if first.status is Status.ERROR else Status.FAIL
    words = f"the declared image, which the record is held against, is not known: {first.message}"
    return Finding.of(ID, replace(first, reason="could-not-decide", message=words, status=status))


def judged(case: Case) -> Iterator[Finding]:
    """Give all that is wrong with one record; nothing where it stands."""
    for rule in RULES.values():
        yield from rule(case)


def _tree(case: Case) -> Iterator[Finding]:
    record, evidence = case.record, case.evidence
    allowed = {".ptguard", *case.smoke.ignore}
    wanted = case.trees.get(record.excluded)
    if wanted is None or ".ptguard" not in record.excluded or not set(record.excluded) <= allowed:
        got, expected = (", ".join(shown(p, 80) for p in sorted(x)) for x in (record.excluded, allowed))
        message = f"the record {shown(record.path)} leaves out other paths than the policy does"
        yield case.fail("wrong-tree", message, got or "no path at all", f".ptguard, and no more than: {expected}")
    elif wanted != record.tree:
        since = sh("git", "diff", "--stat", record.commit, evidence.commit or "HEAD", "--", ".", ":(exclude).ptguard")
        message = f"the record {shown(record.path)} is for another source tree"
        again = rerun(case.declared.reference if case.declared else None, case.smoke, evidence)
        yield case.fail(
            "wrong-tree", message, f"tree {record.tree} (run at commit {record.commit})", f"tree {wanted}",
            f"{again}   # what changed: {since}",
        )  # fmt: skip
    yield from _loose(case)
    if record.dirty:
        yield case.fail(
            "dirty", "the run was made with uncommitted changes", "a dirty work tree", "a run of what is committed"
        )


def _loose(case: Case) -> Iterator[Finding]:
    """Say what stands at a path that the record leaves out and is no plain file: it could have come after the run."""
    for path in case.record.excluded:
        if words := case.loose.get(path):
            message = f"{shown(path, 200)} is left out of the record by [smoke] ignore, and is {words}"
            fix = f"commit a plain file there, or take {shown(path, 200)} off [smoke] ignore and run again"
            if words == EXECUTABLE:
                fix = plain(case.evidence, path)
            yield case.fail("foreign-file", message, words, "a regular, non-executable file, or nothing", fix)


def _image(case: Case) -> Iterator[Finding]:
    if case.declared is None:
        return
    ran, wanted, record = case.record.image, case.declared.reference, case.record
    by = case.declared.location.shown
    if ran is None:
        message = f"the run was made in no image, {shown(str(wanted))} is declared by {by}"
        yield case.fail("wrong-image", message, "no image", shown(str(wanted)))
        return
    got, expected = shown(str(ran)), shown(str(wanted))
    wrong = difference(ran, wanted)
    if wrong == "wrong-image":
        yield case.fail(wrong, f"{got} at run time, {expected} declared by {by}", got, expected)
    elif wrong == "wrong-digest":
        message = f"image digest {ran.digest} at run time, {wanted.digest} declared by {by}"
        yield case.fail(wrong, message, ran.digest, wanted.digest)
    least = case.smoke.image_from
    if weak(record.digest_source, least):
        yield case.fail(
            "weak-digest-source",
            f"the image's digest was told by {shown(str(record.digest_source))}, the policy takes {least} at the least",
            record.digest_source,
            " or ".join(SOURCES[SOURCES.index(least) :]),
        )


def _versions(case: Case) -> Iterator[Finding]:
    if case.declared is None:
        return
    by = case.declared.location.shown
    for wrong in mismatches(case.declared.facts, case.record.environment):
        seen = f"{wrong.what} {shown(wrong.seen, 80)}" if wrong.seen else f"no {wrong.what}"
        message = f"{seen} at run time, {shown(wrong.declared, 80)} declared by {by}"
        yield case.fail("version-mismatch", message, seen, f"{wrong.what} {shown(wrong.declared, 80)}")


def _device(case: Case) -> Iterator[Finding]:
    kind, wanted, count = case.record.device, case.smoke.device, case.record.devices
    if kind != wanted:
        message = f"the run was made on {kind}, the policy asks for {wanted}"
        yield case.fail("wrong-device", message, kind, wanted)
    if wanted != "cpu" and (kind == "cpu" or count == 0):
        message = "the run saw no GPU, whatever its version fields say"
        yield case.fail("no-gpu", message, f"{count} devices of kind {kind}", f"one {wanted} device at the least")
    elif count == 0:
        yield case.fail("wrong-device", "the run names no device", "no device", f"one {wanted} device at the least")


def _outcome(case: Case) -> Iterator[Finding]:
    record = case.record
    bad = [f"{c.id} ({shown(c.reason, 80)})" if c.reason else c.id for c in record.checks if c.status == "failed"]
    named = {c.id for c in record.checks if c.status == "failed"}
    bad += [shown(name, 80) for name in record.failed if name not in named and name != "command"]
    if record.command is not None and record.command[1] != 0:
        bad.append(f"{shown(sh(*record.command[0]), 80)} (exit status {record.command[1]})")
    if bad or record.failed or record.result != "PASSED":
        what = ", ".join(bad[:10]) or f"its result is {record.result}"
        yield case.fail("failed", f"the run failed: {what}", what, "every check passed")


def _skipped(case: Case) -> Iterator[Finding]:
    record = case.record
    for one in record.checks:
        if one.status == "skipped" and not _may_skip(case, one):
            message = f"the check {one.id} was skipped: {shown(one.reason or 'no reason given', 120)}"
            yield case.fail("skipped-check", message, one.reason, f"{one.id} passed")
    if record.command is None and record.mode == "facts":
        message = "the run only took down versions and devices: it tried no framework and no command"
        yield case.fail("skipped-check", message, "mode facts, no command", "mode full or quick, or a command")
    elif record.command is None and not any(c.status != "skipped" for c in record.checks):
        yield case.fail("skipped-check", "the run tried nothing", "no check and no command", "one check at the least")


def _may_skip(case: Case, one: SmokeCheck) -> bool:
    """Tell whether the reason of a skip is one of the few that count, and is borne out by the record itself."""
    record = case.record
    return {
        "needs-two-gpus": record.devices < 2,
        "no-framework": record.framework is None,
        "not-on-cpu": record.device == "cpu" == case.smoke.device,
        # A key that is not there tells nothing; the probe always writes it.
        "no-compiler": one.id == "torch.compile.inductor" and record.environment.get("compiler", "") is None,
    }.get(one.reason or "", False)


def _command(case: Case) -> Iterator[Finding]:
    wanted, ran = case.smoke.command, case.record.command
    if wanted is not None and (ran is None or ran[0] != wanted):
        got = shown(sh(*ran[0]), 200) if ran else "no command"
        message = "the project's own check, which the policy asks for, was not part of the run"
        yield case.fail("command-missing", message, got, shown(sh(*wanted), 200))


def _age(case: Case) -> Iterator[Finding]:
    evidence, finished, skew = case.evidence, case.record.finished, case.policy.limits.max_clock_skew
    tagged = evidence.tagged_at or evidence.now
    for moment, words in ((evidence.now, "the clock here"), (tagged, "the tag was made")):
        if finished > moment + skew:
            message = f"the run ends after {words}: one of the clocks is wrong, or the tag is backdated"
            yield case.fail("future", message, _utc(finished), f"not after {_utc(moment)}")
            break
    if tagged - finished > case.smoke.max_age:
        message = f"the run was {(tagged - finished).days} days old when the tag was made"
        yield case.fail("stale", message, _utc(finished), f"not before {_utc(tagged - case.smoke.max_age)}")


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _signed(case: Case) -> Iterator[Finding]:
    """Say what speaks against the signature, and which key made it."""
    facts, record = case.signature, case.record
    if isinstance(facts, Problem):
        if facts.reason != "wrong-tree":  # then it was not looked at, and the tree has been named already
            yield _signature_problem(case, facts)
        elif case.trees.get(record.excluded) == record.tree:
            yield undecided("the signature of the record was not looked at", REPORT)
        return
    history, now = case.evidence.mode.history, case.evidence.now
    for problem in objections(case.policy, case.smoke, facts, record.finished, now, history=history):
        found = Finding.of(ID, replace(problem, location=case.evidence.at(record.path)))
        yield replace(found, fingerprint=facts.fingerprint)


def _signature_problem(case: Case, problem: Problem) -> Finding:
    """Give what is wrong with a signature in the words of this check: whatever is not its own is a bad signature."""
    known = problem.reason in ("unsigned", "bad-signature", "unknown-signer", "could-not-decide")
    status = problem.status if problem.status is Status.ERROR else Status.FAIL
    reason = problem.reason if known else ("could-not-decide" if status is Status.ERROR else "bad-signature")
    where = problem.location or case.evidence.at(case.record.path)
    again = rerun(case.declared.reference if case.declared else None, case.smoke, case.evidence)
    expected = problem.expected or "a signature of these very bytes by a key of [smoke] signers"
    got = problem.got or ("no signature" if reason == "unsigned" else "a signature that does not count")
    mended = replace(problem, got=got, expected=expected, fix=problem.fix or again)
    return Finding.of(ID, replace(mended, reason=reason, status=status, location=where))


RULES: Final[Mapping[str, Callable[[Case], Iterator[Finding]]]] = {
    "tree": _tree,
    "image": _image,
    "versions": _versions,
    "device": _device,
    "outcome": _outcome,
    "skips": _skipped,
    "command": _command,
    "age": _age,
    "signature": _signed,
}
"""All that a record is held against, each by its name, in the order in which it is said."""
