"""Before a GPU run is spent: whether the tree could be released at all, judged as a push would judge it."""

import re
from collections.abc import Iterator
from typing import Final

from ptguard.collect_image import MAX_SOURCE_BYTES
from ptguard.errors import UsageError
from ptguard.gateways.git import Git
from ptguard.judging import Request, judge_planned
from ptguard.model import DeclaredVersion, Finding, Oid, Policy, Problem
from ptguard.parse.version import declared_version, source_path
from ptguard.policy import match_rule
from ptguard.smoke.talk import Say
from ptguard.snapshot import Snapshot
from ptguard.text import shown

CHECKS: Final = ("version", "changelog", "image")
"""What the tree itself decides, and a run cannot mend."""


def refuse_unfit(request: Request, policy: Policy, say: Say) -> None:
    """Raise where HEAD, as the release whose version it declares, would be refused whatever the run says.

    Where no tag name can be told from the declared version, that is said, and nothing is judged.

    Raises:
        UsageError: it would be refused; every reason is named.
        PtguardError: it could not be judged.
    """
    with Git.open(request.start) as git:
        commit = git.resolve("HEAD^{commit}")
        name = planned_name(git, policy, commit) if commit else None
    if commit is None or name is None:
        say("no tag name can be told from the version that HEAD declares, so nothing is judged before the run")
        return
    verdict = judge_planned(request, name, commit, offline=True)
    wrong = [f for tag in verdict.tags for f in tag.findings if f.check in CHECKS and f.refuses]
    if wrong:
        said = "; ".join(f"{f.check}: {f.message}" for f in wrong)
        raise UsageError(
            f"a release {shown(name)} of this tree would be refused whatever the run says: {said}", fix=_mend(wrong)
        )
    say(f"judged as {shown(name)}: {', '.join(check for check in CHECKS if _asked(policy, name, check)) or 'nothing'}")


def _mend(wrong: list[Finding]) -> str:
    fixes = [f.fix for f in wrong if f.fix]
    return "; ".join(dict.fromkeys(fixes)) + "   # or, to run all the same: --no-judge"


def _asked(policy: Policy, name: str, check: str) -> bool:
    match = match_rule(policy, name)
    return match is not None and check in match.rule.checks


def planned_name(git: Git, policy: Policy, commit: Oid) -> str | None:
    """Give the tag under which ``commit`` would be released: the first rule with `smoke`, filled with its version."""
    version = next(_versions(git, policy, commit), None)
    if version is None:
        return None
    for rule in policy.rules:
        name = _filled(rule.pattern, version)
        match = match_rule(policy, name) if name and "smoke" in rule.checks else None
        if match is not None and match.rule.pattern == rule.pattern:
            return name
    return None


def _versions(git: Git, policy: Policy, commit: Oid) -> Iterator[str]:
    snapshot = Snapshot(git, commit)
    for source in policy.version_sources:
        file = snapshot.file(source_path(source), MAX_SOURCE_BYTES) if "{" not in source and source != "none" else None
        if file is None or isinstance(file, Problem):
            continue
        found = declared_version(source, file.data, commit)
        if isinstance(found, DeclaredVersion) and found.value is not None:
            yield found.value


def _filled(pattern: str, version: str) -> str | None:
    """Give ``pattern`` with ``version`` in the place of its one wildcard or capture; None where it has others."""
    parts = re.split(r"\{version\}|\*{1,2}$", pattern)
    if len(parts) != 2 or re.search(r"[*?\[\]{}]", "".join(parts)):
        return None
    return version.join(parts)
