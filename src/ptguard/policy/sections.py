"""The parts of the policy beside rules and signers, each with the defaults of docs/policy.md."""

from collections.abc import Collection
from datetime import date, timedelta
from typing import Literal

from ptguard.model import FORGEABLE, ImagePolicy, Limits, SmokePolicy, Waiver
from ptguard.policy import values
from ptguard.policy.table import Table, described

NEVER_WAIVED = ("annotated", "signature", "immutable")
DEFAULT_BRANCHES = ("main", "release/*")
DEFAULT_IMAGE_SOURCES = ("Dockerfile", ".github/workflows/release.yml")
DEFAULT_SMOKE_SIGNERS = ("gpu-runner",)
_WAIVER = ("tag", "check", "reason", "by", "expires")
_SMOKE = ("directory", "device", "command", "max-age", "signers", "image-from", "ignore")
_LIMITS = ("digests", "max-clock-skew", "max-tag-age", "max-tag-bytes")


def read_trust(top: Table, trust_branch: str | None) -> None:
    """Hold ``[trust] branch``, which only asserts, against the branch that the policy was found on."""
    table = top.table("trust", ("branch",))
    branch = None if table is None else table.take("branch", values.path, None)
    if table is None or branch is None or trust_branch is None:
        return
    actual = trust_branch.removeprefix("refs/heads/")
    if branch != actual:
        may = f'"{actual}", the branch that this policy was found on (git config ptguard.trustBranch names it)'
        table.wrong("branch", described(branch), may)


def read_unmatched(top: Table) -> Literal["refuse", "warn", "allow"]:
    """Give what becomes of tags that no rule is for."""
    table = top.table("unmatched", ("action",))
    return "refuse" if table is None else table.take("action", values.choice("refuse", "warn", "allow"), "refuse")


def read_changelog(top: Table) -> tuple[str, ...]:
    """Give the paths of the changelog: one, or several in a monorepo."""
    default = ("CHANGELOG.md",)
    table = top.table("changelog", ("path",))
    if table is None:
        return default
    if isinstance(table.data.get("path"), list):
        return table.each("path", values.package_path, default)
    path = table.take("path", values.package_path, None)
    return default if path is None else (path,)


def read_version(top: Table) -> tuple[tuple[str, ...], Literal["exact", "base"]]:
    """Give where the code declares its version, and what a release candidate may carry."""
    default = ("pyproject.toml",)
    table = top.table("version", ("sources", "candidates"))
    if table is None:
        return default, "exact"
    sources = table.each("sources", values.version_source, default)
    if "none" in sources and len(sources) > 1:
        table.wrong("sources", '"none" beside other sources', '"none" alone, or sources without it')
    return sources, table.take("candidates", values.choice("exact", "base"), "exact")


def read_image(top: Table) -> ImagePolicy | None:
    """Give where the image is declared."""
    table = top.table("image", ("sources", "require-digest"))
    if table is None:
        return None
    sources = table.each("sources", values.path, DEFAULT_IMAGE_SOURCES, empty=True)  # then every tag is refused
    return ImagePolicy(sources, table.take("require-digest", values.flag, True))


def read_smoke(top: Table, signers: Collection[str]) -> SmokePolicy | None:
    """Give which smoke record counts; ``signers`` are the ids that the policy knows."""
    table = top.table("smoke", _SMOKE)
    if table is None:
        return None
    if not table.has("signers") and not set(DEFAULT_SMOKE_SIGNERS) <= set(signers):
        table.missing("signers", 'the ids of those who may vouch for a run (default ["gpu-runner"], who is no signer)')
    command = table.each("command", values.text, (), repeats=True)
    return SmokePolicy(
        directory=table.take("directory", values.smoke_folder, ".ptguard/smoke"),
        device=table.take("device", values.choice("cuda", "rocm", "cpu"), "cuda"),
        command=command or None,
        max_age=table.take("max-age", values.duration, timedelta(days=30)),
        signers=table.each("signers", values.known_signer(signers), DEFAULT_SMOKE_SIGNERS),
        image_from=table.take("image-from", values.choice("launcher", "registry", "operator"), "registry"),
        ignore=table.each("ignore", values.exact_path, (), empty=True),
    )


def read_limits(top: Table) -> Limits:
    """Give the bounds on signatures and tag objects."""
    default = Limits()
    table = top.table("limits", _LIMITS)
    if table is None:
        return default
    digests = table.each("digests", values.choice(*values.DIGESTS), default.digests)
    if digests and set(digests) <= set(FORGEABLE):
        table.wrong("digests", f"{digests[0]} alone, which counts in history only", "a stronger one beside it")
    return Limits(
        digests=digests,
        max_clock_skew=table.take("max-clock-skew", values.duration, default.max_clock_skew),
        max_tag_age=table.take("max-tag-age", values.duration, default.max_tag_age),
        max_tag_bytes=table.take("max-tag-bytes", values.number(1, 1 << 24), default.max_tag_bytes),
    )


def read_audit(top: Table) -> str | None:
    """Give the tag from which on history counts."""
    table = top.table("audit", ("since",))
    return None if table is None else table.take("since", values.tag, None)


def read_root(top: Table, signers: Collection[str]) -> tuple[str, ...]:
    """Give who must have signed a change of what decides; nobody where the policy does not ask for it."""
    table = top.table("root", ("signers",))
    if table is None:
        return ()
    if not table.has("signers"):
        table.missing("signers", "the ids of those who may change the policy")
    return table.each("signers", values.known_signer(signers), ())


def read_waivers(top: Table, checks: Collection[str], signers: Collection[str]) -> tuple[Waiver, ...]:
    """Give the dated exceptions; one for the same check of the same tag may stand once."""
    found: dict[tuple[str, str], Waiver] = {}
    for table in top.tables("waivers", _WAIVER):
        waiver = Waiver(
            tag=table.need("tag", values.tag, "", "the exact name of one tag"),
            check=table.need("check", values.choice(*checks), "", "the check that is waived"),
            reason=table.need("reason", values.text, "", "why, in words"),
            by=table.need("by", values.known_signer(signers), "", "the id of the signer who answers for it"),
            expires=table.need("expires", values.day, date.min, "the last day, without quotes, such as 2026-12-01"),
        )
        if waiver.check in NEVER_WAIVED:
            table.wrong(
                "check", described(waiver.check), f"any check but {', '.join(NEVER_WAIVED)}: these are never waived"
            )
        if waiver.tag and waiver.check and (waiver.tag, waiver.check) in found:
            table.wrong(
                "check", f"a second waiver of {waiver.check} for {waiver.tag}", "one waiver for each tag and check"
            )
        found[waiver.tag, waiver.check] = waiver
    return tuple(found.values())
