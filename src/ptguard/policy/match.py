"""What a policy says of one tag: its rule, its waivers, its package's paths. Pure; the clock is given."""

from datetime import UTC, datetime

from ptguard.errors import PolicyError
from ptguard.glob import compile_pattern
from ptguard.model import Policy, RuleMatch, Waiver
from ptguard.policy.sections import NEVER_WAIVED


def match_rule(policy: Policy, tag: str) -> RuleMatch | None:
    """Give the first rule whose pattern fits ``tag`` (the name after ``refs/tags/``) with what it captured, or None.

    Raises:
        PolicyError: the policy was not made by parse_policy and has a pattern that is none.
    """
    for rule in policy.rules:
        pattern = compile_pattern(rule.pattern)
        if isinstance(pattern, str):
            raise PolicyError(f"the pattern {rule.pattern!r} cannot be read: {pattern}")
        found = pattern.match(tag)
        if found is not None:
            return RuleMatch(rule, found.version, found.package)
    return None


def waiver_for(policy: Policy, tag: str, check: str, now: datetime) -> Waiver | None:
    """Give the waiver that counts for ``check`` of ``tag`` at ``now`` (aware), its last day included, in UTC."""
    if check in NEVER_WAIVED:
        return None
    today = now.astimezone(UTC).date()
    return next((w for w in policy.waivers if w.tag == tag and w.check == check and today <= w.expires), None)


def expired_waivers(policy: Policy, tag: str, now: datetime) -> tuple[Waiver, ...]:
    """Give the waivers of ``tag`` that no longer count at ``now``: they are ignored, with a warning."""
    today = now.astimezone(UTC).date()
    return tuple(w for w in policy.waivers if w.tag == tag and w.expires < today)


def changelog_paths(policy: Policy, match: RuleMatch) -> tuple[str, ...]:
    """Give the changelog paths for a tag of ``match``, ``{package}`` filled in."""
    return _for_package(policy.changelog_paths, match.package)


def version_sources(policy: Policy, match: RuleMatch) -> tuple[str, ...]:
    """Give the version sources for a tag of ``match``, ``{package}`` filled in."""
    return _for_package(policy.version_sources, match.package)


def _for_package(paths: tuple[str, ...], package: str | None) -> tuple[str, ...]:
    """Give the package's own paths where the tag has a package and there are any, else the repository's."""
    own = tuple(p.replace("{package}", package) for p in paths if "{package}" in p) if package is not None else ()
    return own or tuple(p for p in paths if "{package}" not in p)
