"""The changelog of the tagged commit has a section for the tag that says what is in it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, timedelta
from typing import Final

from ptguard import pep440
from ptguard.anew import made_anew
from ptguard.model import Changelog, ChangelogSection, Evidence, Finding, Policy, Problem, RuleMatch, Status
from ptguard.sections import for_tag, heading_for, nearest, newest, release_before
from ptguard.text import sh, shown

ID: Final = "changelog"
ORDER: Final = 60
REASONS: Final[Mapping[str, str]] = {
    "ok": "the changelog has a section for the tag",
    "not-applicable": "the tag names no commit; `annotated` refuses it",
    "missing-file": "the tagged commit has no changelog at the policy's path",
    "symlink": "the changelog is a symbolic link",
    "lfs-pointer": "the changelog is a Git LFS pointer, its text is not in the commit",
    "too-large": "the changelog has more than 2,000,000 bytes, 50,000 lines or 20,000 headings",
    "undecodable": "the changelog is not UTF-8 text",
    "missing-section": "no heading names the tag's version",
    "duplicate-section": "several headings name the tag's version",
    "empty-section": "nothing is written below the heading",
    "yanked": "the section says that the version was taken back",
    "bad-date": "the section's date is no day, or words that hold its place",
    "future-date": "the section's date is still to come",
    "no-date": "the section has no date that can be read",
    "date-differs": "the section's date and the tag's are more than two days apart",
    "not-newest": "the section does not stand where the newest one belongs",
    "unreleased-left": "entries are left under Unreleased",
    "missing-link": "the heading refers to a link that is not defined",
    "empty-subsection": "a subsection has nothing below its heading",
    "same-body": "the section says the same as the release before",
    "could-not-decide": "the changelog was not collected or could not be read",
}
MAX_DAYS_APART: Final = 2


def check(evidence: Evidence, policy: Policy) -> Sequence[Finding]:
    """Judge the section of the tag's version; what is only untidy warns."""
    log, match = evidence.changelog, evidence.match
    if evidence.commit is None:
        return [Finding(ID, Status.SKIP, "not-applicable", "the tag names no commit")]
    if log is None or match is None:
        return [Finding(ID, Status.ERROR, "could-not-decide", "the changelog was not collected")]
    if isinstance(log, Problem):
        return [_unread(evidence, log)]
    if pep440.parse(match.version) is None:
        return [_unversioned(evidence, log, match)]
    sections = for_tag(evidence, policy, log, match)
    if not sections:
        return [_missing(evidence, policy, log, match)]
    judge = _Judge(evidence, policy, log, sections)
    found = [*judge.failures(), *judge.warnings()]
    where = evidence.at(log.path, sections[0].line)
    return found or [Finding.passed(ID, f"{shown(log.path)} has a section for {shown(evidence.name)}", where)]


# -------------------------------------------------------------------------------------- no section at all


def _unread(evidence: Evidence, problem: Problem) -> Finding:
    """Give the finding of a changelog that is not there or cannot be read, with a way out."""
    if problem.status is not Status.FAIL or problem.location is None:
        return Finding.of(ID, problem)
    path = problem.location.path
    ways = {
        "missing-file": f'write {shown(path)} with "{_heading(evidence, None)}" and what changed below it',
        "symlink": f"put the text itself in the place of the link {shown(path)}",
        "too-large": "move old releases to a file of their own, for instance CHANGELOG-old.md",
    }
    way = problem.fix or f"{ways.get(problem.reason, f'mend {shown(path)}')}, commit"
    return Finding(
        ID,
        problem.status,
        problem.reason,
        problem.message,
        problem.got or f"no file {shown(path)}",
        problem.expected or f"a changelog with a section for {shown(evidence.name)}",
        f"{way}, then {made_anew(evidence)}",
        evidence.at(path, problem.location.line),
    )


def _unversioned(evidence: Evidence, log: Changelog, match: RuleMatch) -> Finding:
    version = shown(match.version, 80) or "nothing"
    return Finding(
        ID,
        Status.FAIL,
        "missing-section",
        f"no section can be for {shown(evidence.name)}: {version} is no version (PEP 440)",
        f"{version}, by the pattern {shown(match.rule.pattern)}",
        "a tag whose version PEP 440 knows, such as v2.9.0 or v2.9.0rc1",
        f"{sh('git', 'tag', '-d', evidence.name)}, then tag a version; or leave changelog out of the rule's checks",
        evidence.at(log.path),
    )


def _missing(evidence: Evidence, policy: Policy, log: Changelog, match: RuleMatch) -> Finding:
    """Say what stands nearest, and where the version stands without being a heading."""
    name, base = shown(evidence.name), pep440.base(match.version)
    seen, line = _seen(log, match.version)
    decoys = [d for d in log.decoys if pep440.same(d[2], match.version)]
    if decoys:
        at, what, text = min(decoys, key=lambda d: (d[1] == "a link definition", d[0]))
        seen, line = f"{seen}; {shown(text, 40)} stands in {what} (line {at})", at
    final = policy.candidates == "base" and not pep440.same(str(base), match.version)
    edit = f'add "{_heading(evidence, newest(log.sections))}" and what changed below it to {shown(log.path)}'
    return Finding(
        ID,
        Status.FAIL,
        "missing-section",
        f"{shown(log.path)} has no section for {name}",
        seen,
        f"a section for {name} or for {base}" if final else f"a section for {name}",
        f"{edit}, commit, push the branch, then {made_anew(evidence)}",
        evidence.at(log.path, line),
    )


def _seen(log: Changelog, version: str) -> tuple[str, int | None]:
    """Say what the changelog has instead, and in which line."""
    near, top = nearest(log.sections, version), newest(log.sections)
    if near is None or top is None:
        if not log.headings:
            return "no heading at all", None
        line, title = log.headings[0]
        return f'no heading names a version; the first is "{shown(title, 80)}" (line {line})', line
    newest_words = f"newest section is {shown(top.version, 40)} (line {top.line})"
    if near is top:
        return newest_words, top.line
    return f'nearest section is "{shown(near.title, 80)}" (line {near.line}), {newest_words}', near.line


# -------------------------------------------------------------------------------------------- the section


class _Judge:
    """Judges the section (the first, where there are several) of one tag."""

    def __init__(
        self, evidence: Evidence, policy: Policy, log: Changelog, sections: Sequence[ChangelogSection]
    ) -> None:
        self.evidence, self.policy, self.log, self.sections = evidence, policy, log, sections
        self.section = sections[0]
        self.place = f"{shown(log.path)}:{self.section.line}"
        self.today = _today(evidence).isoformat()

    def failures(self) -> Iterator[Finding]:
        """Give what refuses."""
        section, name, title = self.section, shown(self.evidence.name), f'"{self.section.title}"'
        if len(self.sections) > 1:
            lines = ", ".join(str(s.line) for s in self.sections[:5])
            edit = f"join the sections, or mend the version in line {self.sections[1].line}"
            message = f"{len(self.sections)} headings are for {name}"
            yield self.fail("duplicate-section", message, f"lines {lines}", "one section", edit=edit)
        if section.yanked:
            message = f"the section for {name} says that it was taken back"
            edit = f"take the mark out of {self.place}, or release the next version"
            yield self.fail("yanked", message, title, "a release that stands", edit=edit)
        if section.body == 0:
            message, edit = f"the section for {name} is empty", f"write what changed below {self.place}"
            yield self.fail("empty-section", message, f"nothing below {title}", "what changed", edit=edit)
        if section.date_text is not None and section.date is None and not section.vague_date:
            kind = "only holds the place of a date" if section.placeholder else "is no day of the calendar"
            got, expected = shown(section.date_text, 60), f"a date, such as {self.today}"
            yield self.fail("bad-date", f"the section's date {kind}", got, expected, edit=self.redate())
        latest = (self.evidence.now.astimezone(UTC) + self.policy.limits.max_clock_skew + timedelta(days=1)).date()
        if section.date is not None and section.date > latest:
            message, expected = "the section's date is still to come", f"{latest} at the latest"
            yield self.fail("future-date", message, section.date.isoformat(), expected, edit=self.redate())

    def redate(self) -> str:
        """Give the edit that mends the section's date."""
        return f"put {self.today} in the place of {shown(self.section.date_text or '', 40)} below or in {self.place}"

    def warnings(self) -> Iterator[Finding]:
        """Give what is only untidy."""
        yield from self.date_warnings()
        yield from self.order_warnings()
        section, log, path = self.section, self.log, shown(self.log.path)
        linked = any(s.label in log.links for s in log.sections if s.label is not None)
        if section.label is not None and linked and section.label not in log.links:
            message, label = "the heading refers to a link that is not defined", f"[{shown(section.label.lower(), 60)}]"
            edit = f"add the line {label}: URL at the end of {path}"
            yield self.warn("missing-link", message, label, "a line that defines it, as others have", edit=edit)
        if section.empty_subsections and section.body:
            titles = ", ".join(f'"{shown(t, 40)}"' for t in section.empty_subsections[:5])
            message, edit = "subsections have nothing below their headings", f"fill or take out {titles} in {path}"
            yield self.warn("empty-subsection", message, titles, "entries below each", edit=edit)
        before = release_before(log.sections, section)
        if before is not None and section.digest and before.digest == section.digest:
            message, got = "the section says the same as the release before", shown(before.version, 40)
            edit = f"write what changed since {got} below {self.place}"
            yield self.warn("same-body", message, f"the words of {got} (line {before.line})", "its own", edit=edit)

    def date_warnings(self) -> Iterator[Finding]:
        """Give what is untidy in the section's date."""
        section, tagged = self.section, self.evidence.tagged_at
        if section.date_text is None or section.vague_date:
            got = "no date" if section.date_text is None else f"{shown(section.date_text, 40)}: is the day first?"
            message, edit = "the section has no date that can be read", f"write {self.today} into {self.place}"
            yield self.warn("no-date", message, got, self.today, edit=edit)
        if section.date is None or tagged is None:
            return
        apart = abs((section.date - tagged.date()).days)
        if apart > MAX_DAYS_APART:
            message, got = f"the section's date is {apart} days from the tag's", section.date.isoformat()
            yield self.warn("date-differs", message, got, f"{self.today}, when it was tagged", edit=self.redate())

    def order_warnings(self) -> Iterator[Finding]:
        """Give what stands at the wrong place."""
        top, log, section = newest(self.log.sections), self.log, self.section
        if top is not None and top is not section:
            message, got = "the section does not stand where the newest one belongs", shown(top.version, 40)
            edit = f"move {self.place} there, unless it mends an older line of releases"
            yield self.warn("not-newest", message, f"{got} (line {top.line}) stands there", "this one", edit=edit)
        if log.unreleased:
            got, expected = f"{log.unreleased} lines", "nothing there that this release has"
            edit, line = f"move what is released to {self.place}", log.unreleased_at
            yield self.warn("unreleased-left", "entries are left under Unreleased", got, expected, edit=edit, line=line)

    def fail(self, reason: str, message: str, got: str, expected: str, *, edit: str) -> Finding:
        """Give a finding that refuses; ``edit`` is what to change before the tag is made anew."""
        fix = f"{edit}, commit, push the branch, then {made_anew(self.evidence)}"
        where = self.evidence.at(self.log.path, self.section.line)
        return Finding(ID, Status.FAIL, reason, message, got, expected, fix, where)

    def warn(
        self, reason: str, message: str, got: str, expected: str, *, edit: str, line: int | None = None
    ) -> Finding:
        """Give a finding that refuses nothing."""
        where = self.evidence.at(self.log.path, line or self.section.line)
        return Finding(ID, Status.WARN, reason, message, got, expected, edit, where)


def _today(evidence: Evidence) -> date:
    """Give the tag's date, or today's where there is no tag object yet."""
    return (evidence.tagged_at or evidence.now).date()


def _heading(evidence: Evidence, like: ChangelogSection | None) -> str:
    return heading_for(evidence.match.version if evidence.match else evidence.name, _today(evidence), like)
