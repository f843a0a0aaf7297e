"""``ptguard changelog-check``: the shape of changelogs in the working tree, before they are committed.

This is what the pre-commit hook ``ptguard-changelog`` calls. It knows no tag, so it tells only what would be wrong
under any: a file that cannot be read, two sections of one version, dates that are none. The section on top may still
hold the place of its date.
"""

from collections.abc import Iterator
from pathlib import Path

import click

from ptguard import pep440
from ptguard.errors import ExitCode
from ptguard.gateways.files import read_regular
from ptguard.model import Changelog, Location, Problem
from ptguard.parse.changelog import MAX_CHANGELOG_BYTES, parse_changelog
from ptguard.sections import newest
from ptguard.text import shown


def mistakes(path: str, data: bytes) -> Iterator[Problem]:
    """Give what is wrong with the changelog ``data``, in the order of its lines; the reasons are those of the check."""
    log = parse_changelog(path, data)
    if isinstance(log, Problem):
        yield log
        return
    yield from sorted((*_duplicates(log), *_bad_dates(log)), key=lambda p: (p.location and p.location.line) or 0)


def _duplicates(log: Changelog) -> Iterator[Problem]:
    first: dict[tuple[str, object], int] = {}
    for section in log.sections:
        key = (pep440.folded_name(section.name), pep440.parse(section.version))
        if key in first:
            message = f"a second section for {shown(section.version, 40)}, the first is in line {first[key]}"
            yield Problem("duplicate-section", message, location=Location(log.path, section.line))
        first.setdefault(key, section.line)


def _bad_dates(log: Changelog) -> Iterator[Problem]:
    top = newest(log.sections)
    for section in log.sections:
        if section.date_text is None or section.date is not None or section.vague_date:
            continue
        if section.placeholder and section is top:
            continue
        kind = "only holds the place of a date" if section.placeholder else "is no day of the calendar"
        message = f"{shown(section.date_text, 60)} {kind}, in the section for {shown(section.version, 40)}"
        yield Problem("bad-date", message, location=Location(log.path, section.line))


def _line(path: Path, problem: Problem) -> str:
    line = problem.location.line if problem.location else None
    place = shown(str(path)) if line is None else f"{shown(str(path))}:{line}"
    return f"{place}: {problem.reason}: {problem.message}" + (f" (mend: {problem.fix})" if problem.fix else "")


@click.command("changelog-check")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")
def command(paths: tuple[Path, ...]) -> ExitCode:
    """Check the shape of changelogs: each PATH, or CHANGELOG.md in the current folder."""
    wrong = False
    for path in paths or (Path("CHANGELOG.md"),):
        data = read_regular(path.parent, path.name, MAX_CHANGELOG_BYTES)
        for problem in [data] if isinstance(data, Problem) else mistakes(str(path), data):
            click.echo(_line(path, problem), err=True)
            wrong = True
    return ExitCode.REFUSED if wrong else ExitCode.ACCEPTED
