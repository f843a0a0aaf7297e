"""`ptguard smoke` from end to end: refuse early, probe, try, record, sign."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ptguard.errors import UsageError
from ptguard.facts import difference, mismatches, weak
from ptguard.model import DeclaredImage, ImageReference, Policy, Problem, SignatureFacts, SmokePolicy
from ptguard.parse.smoke import slug
from ptguard.smoke.launch import Asked, Runner
from ptguard.smoke.record import Tried, build, read_source, refuse_dirty, same_source
from ptguard.smoke.report import Report
from ptguard.smoke.sign import SigningKey, publish, sign
from ptguard.smoke.talk import Say
from ptguard.text import sh, shown
from ptguard.value import replace, value
from ptguard.vouching import objections


@value
class Order:
    """What to run: ``root`` of the work tree, its trusted ``policy``, the image that it is run in, and how.

    ``declared`` is what the source tree declares (None: the policy names no image); ``command`` None means the
    policy's; ``mode`` is ``full`` or ``quick``; ``timeout`` in seconds, for the whole run; ``output`` the record's
    file, from the root.
    """

    root: Path
    policy: Policy
    image: ImageReference | None
    declared: DeclaredImage | Problem | None
    key: SigningKey
    command: tuple[str, ...] | None = None
    framework: str = "auto"
    mode: str = "full"
    timeout: float = 1800.0
    allow_dirty: bool = False
    output: Path | None = None


@value
class Made:
    """What was written: the record, its signature, and whether the run passed."""

    record: Path
    signature: Path
    passed: bool


def make_record(order: Order, runner: Runner, say: Say) -> Made:
    """Run the probe and the project's own check with ``runner`` and write the signed record.

    Raises:
        UsageError: the policy will not take such a run; nothing was run, or nothing more than the probe.
        PtguardError: the run did not come to an end that can be recorded; nothing was written.
    """
    smoke = _policy(order)
    command = refuse_early(order, smoke)
    image = _image(order, smoke, runner)
    source = read_source(order.root, smoke.ignore)
    if not order.allow_dirty:
        refuse_dirty(source)
    elif source.dirty or source.untracked:
        say("the work tree is dirty: the record will say so, and no tag passes with it")
    started, deadline = datetime.now(UTC), time.monotonic() + order.timeout
    say(f"probe: {order.mode}, {runner.name}{f', in {shown(str(image))}' if image else ''}")
    report = runner.probe(Asked(order.framework, order.mode, order.timeout), say)
    refuse_report(order, smoke, report, command)
    tried = None
    if command is not None:
        say(f"command: {shown(sh(*command), 200)}")
        outcome = runner.command(command, max(deadline - time.monotonic(), 0.0), say)
        tried = Tried(command, outcome.exit, outcome.seconds)
    same_source(source, read_source(order.root, smoke.ignore))
    record = build(source, image, runner, report, tried, started=started, finished=datetime.now(UTC))
    path = order.root / (order.output or Path(smoke.directory, f"{slug(image)}.json"))
    signature = publish(path, record.payload, order.key, sign(order.key, record.payload))
    return Made(path, signature, record.result == "PASSED")


# --------------------------------------------------------------------------------------------- refusing early


def _policy(order: Order) -> SmokePolicy:
    if order.policy.smoke is None:
        raise UsageError("the policy has no [smoke] section, so no tag asks for a record", fix="add it to the policy")
    return order.policy.smoke


def refuse_early(order: Order, smoke: SmokePolicy) -> tuple[str, ...] | None:
    """Give the command to run, or raise a UsageError where the policy would refuse the record whatever it says."""
    _refuse_output(order)
    _refuse_key(order, smoke)
    if smoke.command is not None and order.command is not None and order.command != smoke.command:
        raise UsageError(
            f"the policy asks for the command {shown(sh(*smoke.command), 200)}, not {shown(sh(*order.command), 200)}",
            fix="leave --command out: the policy's is run",
        )
    return order.command or smoke.command


def _refuse_key(order: Order, smoke: SmokePolicy) -> None:
    facts, now = SignatureFacts(order.key.kind, order.key.fingerprint, "SHA512", None), datetime.now(UTC)
    for problem in objections(order.policy, smoke, facts, now, now, history=False):
        raise UsageError(
            f"the policy would not take it: {problem.message} ({order.key.fingerprint})",
            fix="ptguard smoke --sign KEY   # or have this key added to [smoke] signers on the trust branch",
        )


def _refuse_output(order: Order) -> None:
    if order.output is not None and order.output.suffix != ".json":
        raise UsageError(
            f"a record's file ends in .json: {shown(str(order.output))}", fix="ptguard smoke --output X.json"
        )


def _image(order: Order, smoke: SmokePolicy, runner: Runner) -> ImageReference | None:
    """Give the image of the run with its digest, or None where neither the call nor the policy names one.

    Raises:
        UsageError: it is not said, not the declared one, or its digest has too weak a source.
    """
    declared = order.declared
    if order.image is None and order.policy.image is None and runner.name == "local":
        return None
    if isinstance(declared, Problem):
        raise UsageError(f"the image that HEAD declares is not known: {declared.message}", fix=declared.fix)
    asked = order.image
    if asked is None and declared is not None:
        if runner.name == "local":  # nobody has said that this is it
            raise UsageError(
                "it is not said which image this machine runs",
                fix=sh("ptguard", "smoke", "--image", str(declared.reference), "--runner", "local"),
            )
        asked = declared.reference
    _refuse_other(asked, declared, runner)
    image = runner.resolve(asked if runner.name == "local" else _pinned(asked, declared))
    _refuse_other(image, declared, runner)
    if image is not None and not (image.digest or "").startswith("sha256:"):
        raise UsageError("the image's digest is no sha256", fix=f"ptguard smoke --image {image.repository}@sha256:…")
    if weak(runner.digest_source, smoke.image_from):
        raise UsageError(
            f"with --runner {runner.name} the image's digest is told by {runner.digest_source}, "
            f"and the policy takes {smoke.image_from} at the least",
            fix=_STRONGER[smoke.image_from],
        )
    return image


_STRONGER: Final = {
    "launcher": "ptguard smoke --runner docker   # or podman: on the host, not inside the image",
    "registry": "ptguard smoke --runner docker   # or local with --image REF without a digest: its registry is asked",
    "operator": "ptguard smoke --runner local --image REF@sha256:…",
}


def _pinned(asked: ImageReference | None, declared: DeclaredImage | None) -> ImageReference | None:
    """Give the image as it is to be resolved: a digest that HEAD declares is the one that has to run."""
    if asked is None or declared is None or asked.digest is not None:
        return asked
    return replace(asked, digest=declared.reference.digest)


def _refuse_other(image: ImageReference | None, declared: DeclaredImage | None, runner: Runner) -> None:
    if image is None or declared is None:
        return
    wanted = declared.reference
    wrong = difference(image, wanted)
    if wrong is not None and not (wrong == "wrong-digest" and image.digest is None):
        raise UsageError(
            f"HEAD declares {shown(str(wanted))}, the run would be one in {shown(str(image))}",
            fix=sh("ptguard", "smoke", "--runner", runner.name, "--image", str(wanted)),
        )


def refuse_report(order: Order, smoke: SmokePolicy, report: Report, command: tuple[str, ...] | None) -> None:
    """Raise a UsageError where the policy would refuse what the probe saw, or where there is nothing to try."""
    if report.device != smoke.device:
        raise UsageError(
            f"this run is one on {report.device}, and the policy asks for {smoke.device}",
            fix="python -c 'import torch; print(torch.cuda.is_available())'   # run it where this says True",
        )
    if isinstance(order.declared, DeclaredImage):
        for wrong in mismatches(order.declared.facts, report.facts):
            seen = f"{wrong.what} {shown(wrong.seen, 80)}" if wrong.seen else f"no {wrong.what}"
            raise UsageError(
                f"this is not the image that HEAD declares: {seen} at run time, {wrong.declared} declared by "
                f"{shown(order.declared.location.path)}",
                fix=sh("ptguard", "smoke", "--image", str(order.declared.reference)) + "   # run in that image",
            )
    if command is None and not report.checks:
        raise UsageError(
            "no framework was found and no command is asked for, so there is nothing to try",
            fix="ptguard smoke --command 'python -m pytest -q tests/smoke' …   # or: --python PATH",
        )
