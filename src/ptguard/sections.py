"""Which section of a changelog is a tag's, which stands nearest, and how a missing heading would be written."""

from collections.abc import Sequence
from datetime import date
from typing import Final

from ptguard import pep440
from ptguard.model import Changelog, ChangelogSection, Evidence, Policy, RuleMatch
from ptguard.text import shown

_BEFORE_VERSION: Final = "vV-_/@."


def for_tag(evidence: Evidence, policy: Policy, log: Changelog, match: RuleMatch) -> list[ChangelogSection]:
    """Give the sections of the tag's version, or with ``candidates = "base"`` of the release that it leads to.

    Where one file serves several packages, a heading that names another package is not the tag's.
    """
    versions = [match.version]
    if policy.candidates == "base":
        versions.append(str(pep440.base(match.version)))
    shared = match.package is not None and not any("{package}" in path for path in policy.changelog_paths)
    for version in versions:
        found = [s for s in log.sections if pep440.same(s.version, version)]
        if shared:
            found = [s for s in found if not s.name or pep440.same_name(s.name, match.package or "")]
        if found:
            return _of_package(
                found, match.package or evidence.name.removesuffix(match.version).rstrip(_BEFORE_VERSION)
            )
    return []


def _of_package(found: list[ChangelogSection], mine: str) -> list[ChangelogSection]:
    """Give those that name the package, else those that name none, else all."""
    named = [s for s in found if s.name and pep440.same_name(s.name, mine)]
    return named or [s for s in found if not s.name] or found


def newest(sections: Sequence[ChangelogSection]) -> ChangelogSection | None:
    """Give the section that stands where the newest belongs: the first, or the last where the file goes upward."""
    if not sections:
        return None
    return sections[-1 if pep440.oldest_first([s.version for s in sections]) else 0]


def nearest(sections: Sequence[ChangelogSection], version: str) -> ChangelogSection | None:
    """Give the section of the same release (a candidate of it, say), else of the version next below, else the first."""
    wanted = pep440.parse(version)
    if wanted is None or not sections:
        return None
    known = [(v, s) for s in sections if (v := pep440.parse(s.version)) is not None]
    for v, section in known:
        if v.release == wanted.release:
            return section
    below = [(v, -s.line, s) for v, s in known if v < wanted]
    return max(below, key=lambda b: b[:2])[2] if below else sections[0]


def release_before(sections: Sequence[ChangelogSection], section: ChangelogSection) -> ChangelogSection | None:
    """Give the section of the highest version below that of ``section``, of the same name."""
    mine = pep440.parse(section.version)
    known = [(v, -s.line, s) for s in sections if (v := pep440.parse(s.version)) is not None and s.name == section.name]
    lower = [k for k in known if mine is not None and k[0] < mine]
    return max(lower, key=lambda k: k[:2])[2] if lower else None


def heading_for(version: str, day: date, like: ChangelogSection | None) -> str:
    """Give the heading of a section for ``version``, written as ``like`` is where that can be copied."""
    version, today = shown(version, 80), day.isoformat()
    hashes = "#" * (like.level if like else 2)
    usual = f"{hashes} [{version}] - {today}"
    if like is None or "](" in like.title or "][" in like.title or like.title.count(like.version) != 1:
        return usual
    mark = like.version[0] if like.version[0] in "vV" else ""
    copied = like.title.replace(like.version, mark + version.removeprefix("v"))
    if like.date_text is None:
        return f"{hashes} {copied}"
    if like.date is None or like.title.count(like.date_text) != 1:
        return usual
    return f"{hashes} {copied.replace(like.date_text, today)}"
