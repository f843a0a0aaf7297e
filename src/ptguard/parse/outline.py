"""From the titles and lines of a changelog, in whatever markup, to the sections of its versions."""

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Final

from ptguard import pep440
from ptguard.model import Changelog, ChangelogSection
from ptguard.parse.dates import line_date
from ptguard.parse.heading import Heading, is_unreleased, package_name, read_heading
from ptguard.parse.inline import hidden, phrases, plain
from ptguard.text import shown
from ptguard.value import replace, value

MAX_DECOYS: Final = 500
_NOTED_LINKS: Final = 2000
_NOTHING: Final = phrases(
    "tbd, tba, tbc, todo, wip, fixme, xxx, na, n a, none, coming soon, nothing, nothing yet, nothing changed"
    ", nothing changed yet, no changes, no changes yet, nothing here yet, placeholder, fill me in, fill this in"
    ", to be done, to be written, unreleased"
)
_YEAR: Final = r"(?:19|20)\d\d"
_WORD: Final = re.compile(r"[^\W_]+")
_LIKE_HEADING: Final = r"\s*(?:[>*+-]\s+|>)*#{1,6}(.*)"


@value
class Title:
    """A heading at the top level of the document: ``line`` from 1, ``level`` from 1, its source ``text``.

    ``eligible`` is false for one that cannot name a section (several lines, front matter).
    """

    line: int
    level: int
    text: str
    eligible: bool = True


class Outline:
    """What a scanner found, each in the order of the file. ``lines``: (line number, text) of all that is no title."""

    __slots__ = ("decoys", "lines", "links", "titles")

    def __init__(self) -> None:
        """Begin with nothing found."""
        self.titles: list[Title] = []
        self.lines: list[tuple[int, str]] = []
        self.decoys: list[tuple[int, str, str]] = []
        self.links: frozenset[str] = frozenset()

    def decoy(self, line: int, what: str, title: str) -> None:
        """Note that ``title`` stands in ``what`` (words), if it names a version."""
        if len(self.decoys) < MAX_DECOYS and (heading := read_heading(title)) is not None:
            self.decoys.append((line, what, heading.version))

    def define(self, definitions: Mapping[str, int]) -> None:
        """Take the link definitions, each label with its line; those at the end of the file are noted as decoys."""
        self.links = frozenset(definitions)
        for label, line in list(definitions.items())[-_NOTED_LINKS:]:
            self.decoy(line, "a link definition", f"[{label}]")

    def hidden_line(self, line: int, what: str, text: str) -> None:
        """Note ``text`` as a decoy if it is written like a Markdown heading."""
        match = re.match(_LIKE_HEADING, text)
        if match:
            self.decoy(line, what, match[1].strip(" #"))


@value
class _Candidate:
    """A title that names a version; ``above`` are the candidates whose titles enclose it."""

    index: int
    level: int
    heading: Heading
    release: tuple[int, ...]
    above: tuple["_Candidate", ...]


def substance(text: str) -> bool:
    """Tell whether a line says something: not only marks, a comment or the words "nothing yet"."""
    if "<!--" in text:
        text = re.sub(r"<!--.*?(?:-->|$)", " ", text)
    if "&" in text:
        text = re.sub(r"&(?:nbsp|#160|#xa0|ensp|emsp|thinsp|zwj|zwnj|shy);", " ", text, flags=re.IGNORECASE)
    if len(text) > 40:
        return bool(_WORD.search(text))
    words = _WORD.findall(text)
    return bool(words) and (len(words) > 4 or " ".join(words).lower() not in _NOTHING)


def changelog_of(path: str, outline: Outline) -> Changelog:
    """Give the changelog that the outline tells of."""
    chosen = {c.index: c for c in _sections(_candidates(outline))}
    reader = _Reader(outline, chosen)
    sections = tuple(reader.section(c) for c in chosen.values())
    unreleased = [i for i, t in enumerate(outline.titles) if i not in chosen and is_unreleased(t.text)]
    return Changelog(
        path,
        sections,
        tuple(sorted(outline.decoys)),
        tuple((t.line, shown(t.text, 120)) for t in outline.titles),
        sum(len(reader.body(i)) for i in unreleased),
        outline.links,
        outline.titles[unreleased[0]].line if unreleased else None,
    )


# ------------------------------------------------------------------------------------ which titles are sections


def _candidates(outline: Outline) -> list[_Candidate]:
    """Give the titles that name a version and do not merely speak of one inside another section."""
    found: list[_Candidate] = []
    open_: list[tuple[int, _Candidate | None]] = []
    for index, title in enumerate(outline.titles):
        while open_ and open_[-1][0] >= title.level:
            open_.pop()
        above = tuple(c for _, c in open_ if c is not None)
        heading = read_heading(title.text) if title.eligible else None
        if heading is None:
            _note_hidden(outline, title)
        if heading is not None:
            candidate = _Candidate(index, title.level, heading, _release(heading.version), above)
            if _is_subheading(candidate):
                heading = None
            else:
                found.append(candidate)
        open_.append((title.level, None if heading is None else candidate))
    return found


def _note_hidden(outline: Outline, title: Title) -> None:
    """Note a heading that would name a version but for characters that nobody sees."""
    if title.text.isprintable() and "&" not in title.text:
        return
    seen = plain(title.text[:200])
    if any(map(hidden, seen)):
        outline.decoy(title.line, "a heading with hidden characters", "".join(c for c in seen if not hidden(c)))


def _release(version: str) -> tuple[int, ...]:
    """Give the release numbers as they are written: (2, 9) for 2.9, (2, 9, 0) for 2.9.0."""
    parsed = pep440.parse(version)
    return parsed.release if parsed else ()


def _is_subheading(candidate: _Candidate) -> bool:
    """Tell whether a title inside a section only mentions a version ("### Python 3.9" under "## 1.4.0")."""
    if not candidate.above:
        return False
    heading, outer = candidate.heading, candidate.above[-1]
    if re.fullmatch(_YEAR, outer.heading.version) and len(candidate.release) > 2 and not heading.name:
        return False  # "### 2.9.0 (Apr 5)" below "## 2025"
    if heading.name and not pep440.same_name(heading.name, outer.heading.name):
        return True
    if heading.date_text is not None or heading.bare:
        return False
    return not (_extends(candidate, outer) or (outer.heading.name and outer.heading.date_text is None))


def _extends(inner: _Candidate, outer: _Candidate) -> bool:
    """Tell whether ``outer`` is the series of ``inner``: 2.9 of 2.9.1, or the same version again."""
    if inner.release[: len(outer.release)] != outer.release:
        return False
    return len(inner.release) > len(outer.release) or pep440.same(inner.heading.version, outer.heading.version)


def _sections(candidates: list[_Candidate]) -> list[_Candidate]:
    """Leave out titles of the document and of a series ("# CUTLASS 2.9") above the real sections."""
    series = {
        outer.index
        for c in candidates
        for outer in c.above
        if outer.heading.date_text is None
        and (_extends(c, outer) or (outer.heading.name and not pep440.same_name(c.heading.name, outer.heading.name)))
    }
    used: dict[tuple[int, str], int] = {}
    for c in candidates:
        key = (c.level, pep440.folded_name(c.heading.name))
        used[key] = used.get(key, 0) + 1
    deepest = max((c.level for c in candidates), default=0)
    dated_names = {pep440.folded_name(c.heading.name) for c in candidates if c.heading.date_text is not None}
    kept = []
    for c in candidates:
        own = pep440.folded_name(c.heading.name)
        alone = own and c.heading.date_text is None and used[c.level, own] == 1
        if c.index in series or (alone and (deepest > c.level or dated_names - {own})):
            continue
        kept.append(c)
    return kept


# ------------------------------------------------------------------------------------ what stands below a title


def _digest(lines: Sequence[str]) -> str:
    """Give a digest of what the lines say, blanks aside; "" for none."""
    if not lines:
        return ""
    from hashlib import sha256

    text = "\n".join(" ".join(line.split()) for line in lines)
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class _Reader:
    """Reads what stands between titles; linear in the file, for each line belongs to one title."""

    def __init__(self, outline: Outline, chosen: dict[int, _Candidate]) -> None:
        self.titles = outline.titles
        self.chosen = chosen
        starts = [t.line for t in outline.titles]
        numbers = [n for n, _ in outline.lines]
        cuts = [bisect_left(numbers, s) for s in starts] + [len(numbers)]
        texts = [t for _, t in outline.lines]
        self.own: list[list[str]] = [texts[cuts[i] : cuts[i + 1]] for i in range(len(starts))]

    def end(self, index: int) -> int:
        """Give the index of the first title after ``index`` that begins something else.

        A title of the same level without a version goes on with it, for many write "## What's Changed" below
        "## 1.5.0".
        """
        level = self.titles[index].level
        after = index + 1
        while (
            after < len(self.titles)
            and self.titles[after].level >= level
            and after not in self.chosen
            and not is_unreleased(self.titles[after].text)
        ):
            after += 1
        return after

    def body(self, index: int) -> list[str]:
        """Give the lines of substance below the title ``index``, subsections with them."""
        return [line for i in range(index, self.end(index)) for line in self.own[i] if substance(line)]

    def section(self, candidate: _Candidate) -> ChangelogSection:
        """Give the section that begins at ``candidate``."""
        heading, index = candidate.heading, candidate.index
        lines = self.body(index)
        if heading.date_text is None and lines and (below := line_date(lines[0])) is not None:
            heading = replace(
                heading, date_text=below.text, day=below.day, placeholder=below.placeholder, vague=below.vague
            )
            lines = lines[1:]
        return ChangelogSection(
            self.titles[index].line,
            shown(self.titles[index].text, 200),
            heading.version,
            heading.date_text,
            heading.day,
            heading.yanked,
            len(lines),
            _digest(lines),
            tuple(self._empty(range(index + 1, self.end(index)))),
            package_name(heading.name),
            heading.label,
            heading.placeholder,
            heading.vague,
            self.titles[index].level,
        )

    def _empty(self, below: Sequence[int]) -> list[str]:
        """Give the titles of the subsections that have neither a line nor a subsection of their own."""
        return [
            shown(self.titles[i].text, 60)
            for i in below
            if not any(map(substance, self.own[i]))
            and not (i + 1 in below and self.titles[i + 1].level > self.titles[i].level)
        ][:20]
