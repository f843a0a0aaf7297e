"""The globs of the policy: which tags a rule is for, which branches carry a release.

======================  ==========================================================================
``*``                   any run of characters, also none, that stops at ``/``
``**``                  any run of characters, also none, ``/`` included
``?``                   one character, not ``/``
``[abc]`` ``[a-z]``     one character of those named; ``[!…]`` or ``[^…]`` one that is not; never ``/``
``{package}``           one or more characters, not ``/``, kept as the tag's package (once)
``{version}``           the same, kept as the tag's version (once)
======================  ==========================================================================

Everything else stands for itself, case-sensitive, and the whole name must match. Where a name can be cut in
several ways the part further left takes as much as it can. A name is matched in time that grows with the product
of the two lengths at worst: no pattern makes it backtrack. Characters that no ref name may hold
(git-check-ref-format(1)) are a mistake in a pattern, since it could never match.
"""

import functools
import itertools
import re
from collections.abc import Callable, Iterator

from ptguard.value import value

MAX_PATTERN = 1024
_CAPTURES = ("package", "version")
_NEVER_IN_A_REF = re.compile(r"[\x00-\x20\x7f~^:\\]")
_PIECES = re.compile(r"\*+|\?|\[[!^]?\]?[^\]]*\]|\{[^{}]*\}|[^*?]", re.DOTALL)

# A piece of a pattern: a literal character, or one of these (longer than a character, so never mistaken for one).
_STAR, _STARS, _ONE = "<*>", "<**>", "<?>"


@value
class Match:
    """What a pattern took from a name: the text for the version, and the package where the pattern captures one."""

    version: str
    package: str | None


@value
class _Class:
    """A character class: the characters ``low`` to ``high`` of each pair, or all but those; never ``/``."""

    ranges: tuple[tuple[str, str], ...]
    negated: bool

    def __contains__(self, char: str) -> bool:
        return char != "/" and self.negated != any(low <= char <= high for low, high in self.ranges)


@value
class _Capture:
    name: str


_Piece = str | _Class | _Capture


@value
class Pattern:
    """A glob that was understood.

    ``text`` is how the policy writes it, ``prefix`` the literal text before the first wildcard or capture.
    """

    text: str
    prefix: str
    _pieces: tuple[_Piece, ...]

    def captures(self, name: str) -> bool:
        """Whether the pattern captures ``name`` (``package`` or ``version``)."""
        return _Capture(name) in self._pieces

    def matches(self, name: str) -> bool:
        """Whether the whole of ``name`` fits the pattern."""
        return name.startswith(self.prefix) and bool(self._ends(name)[0] & 1)

    def match(self, name: str) -> Match | None:
        """Give what the pattern takes from ``name``, or None where it does not fit.

        Without ``{version}`` the version is what stands from the first wildcard on; in a pattern without any
        wildcard it is the whole name.
        """
        if not name.startswith(self.prefix):
            return None
        ends = self._ends(name)
        if not ends[0] & 1:
            return None
        spans = list(self._cut(name, ends))
        taken = {p.name: name[a:b] for p, (a, b) in zip(self._pieces, spans, strict=True) if isinstance(p, _Capture)}
        wild = (a for p, (a, _) in zip(self._pieces, spans, strict=True) if _is_wildcard(p))
        return Match(taken.get("version", name[next(wild, 0) :]), taken.get("package"))

    def _ends(self, name: str) -> list[int]:
        """Give, for each piece, the places of ``name`` from where it and all after it fit: a set of bits, 0 the first.

        From the last piece to the first, so that the cut afterwards never has to take a step back.
        """
        masks = _Masks(name)
        places = 1 << len(name)
        sets = [places]
        for piece in reversed(self._pieces):
            places = _before(piece, places, masks)
            sets.append(places)
        return sets[::-1]

    def _cut(self, name: str, ends: list[int]) -> Iterator[tuple[int, int]]:
        """Give the span of each piece in ``name``, each as long as it can be with the rest still fitting."""
        at = 0
        for piece, after in zip(self._pieces, ends[1:], strict=True):
            end = at + 1
            if _open_ended(piece):
                slash = -1 if piece == _STARS else name.find("/", at)
                limit = len(name) if slash < 0 else slash
                end = (after & ((1 << limit + 1) - 1)).bit_length() - 1
            yield at, end
            at = end


class _Masks:
    """Where in a name certain characters stand, as sets of bits, each worked out once."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.within = self.where(lambda c: c != "/")
        self._of: dict[str | _Class, int] = {}

    def where(self, wanted: Callable[[str], bool]) -> int:
        return int("0" + "".join("1" if wanted(c) else "0" for c in reversed(self.name)), 2)

    def of(self, piece: str | _Class) -> int:
        if piece not in self._of:
            self._of[piece] = self.where(piece.__eq__ if isinstance(piece, str) else piece.__contains__)
        return self._of[piece]


def _before(piece: _Piece, after: int, masks: _Masks) -> int:
    """Give the places from where ``piece`` reaches a place of ``after``."""
    if piece == _STARS:
        return (1 << after.bit_length()) - 1
    if piece == _STAR:
        return _flood(after, masks.within)
    if isinstance(piece, _Capture):
        return _flood(after >> 1 & masks.within, masks.within)
    return (masks.within if piece == _ONE else masks.of(piece)) & after >> 1


def _flood(places: int, through: int) -> int:
    """Give ``places`` and all places from where one comes to them over ``through`` only (doubling the step)."""
    step = 1
    while through:
        places |= through & places >> step
        through &= through >> step
        step *= 2
    return places


def _is_wildcard(piece: _Piece) -> bool:
    return isinstance(piece, _Class) or piece in (_STAR, _STARS, _ONE)


def _open_ended(piece: _Piece) -> bool:
    return isinstance(piece, _Capture) or piece in (_STAR, _STARS)


def _prefix(pieces: list[_Piece]) -> str:
    literals = itertools.takewhile(lambda p: isinstance(p, str) and len(p) == 1, pieces)
    return "".join(str(p) for p in literals)


@functools.lru_cache(maxsize=4096)
def compile_pattern(pattern: str, *, captures: bool = True) -> Pattern | str:
    """Give ``pattern`` ready to match, or one line that says what is wrong with it.

    ``captures`` false (branch patterns) allows no braces. The same pattern is worked out once in a process.
    """
    wrong = _forbidden(pattern)
    if wrong is not None:
        return wrong
    pieces: list[_Piece] = []
    for text in _PIECES.findall(pattern):
        piece = _piece(text, captures)
        if isinstance(piece, _Wrong):
            return piece.text
        pieces.append(piece)
    return _crowded(pieces) or Pattern(pattern, _prefix(pieces), tuple(pieces))


def matches(pattern: str, name: str) -> bool:
    """Whether ``name`` fits the branch pattern ``pattern``; a pattern that cannot be read fits nothing."""
    compiled = compile_pattern(pattern, captures=False)
    return isinstance(compiled, Pattern) and compiled.matches(name)


@value
class _Wrong:
    text: str


def _forbidden(pattern: str) -> str | None:
    if not pattern:
        return "an empty pattern matches nothing"
    if len(pattern) > MAX_PATTERN:
        return f"a pattern has at most {MAX_PATTERN} characters"
    for full in ("refs/tags/", "refs/heads/"):
        if pattern.startswith(full):
            return f"a pattern is for the name after {full}"
    outside = re.sub(r"\[\^", "[", pattern)
    found = _NEVER_IN_A_REF.search(outside)
    return f"no ref name holds {found.group()!r}, so this could never match" if found else None


def _piece(text: str, captures: bool) -> _Piece | _Wrong:  # noqa: FBT001 - private
    if text[0] == "*":
        return {1: _STAR, 2: _STARS}.get(len(text)) or _Wrong("more than two stars in a row; * stops at /, ** does not")
    if text == "?":
        return _ONE
    if text[0] == "[":
        return _class(text)
    if text[0] in "{}":
        name = text[1:-1]
        if captures and name in _CAPTURES and text == f"{{{name}}}":
            return _Capture(name)
        return _Wrong("only {package} and {version} may stand in braces" if captures else "no braces here")
    return text


def _class(text: str) -> _Piece | _Wrong:
    body = text[1:-1]
    negated = body[:1] in ("!", "^")
    body = body[negated:]
    if len(text) < 3 or not body:
        return _Wrong("a [ without its ], or with nothing between")
    ranges = []
    for low, high in re.findall(r"(.)(?:-(.))?", body, re.DOTALL):
        if high and high < low:
            return _Wrong(f"the range {low}-{high} runs backwards")
        ranges.append((low, high or low))
    return _Class(tuple(ranges), negated)


def _crowded(pieces: list[_Piece]) -> str | None:
    """Say what is wrong with the captures as a whole: twice the same, or nothing that tells where one ends."""
    names = [p.name for p in pieces if isinstance(p, _Capture)]
    if len(names) != len(set(names)):
        return "a capture may stand once only"
    for left, right in itertools.pairwise(pieces):
        capture = isinstance(left, _Capture) or isinstance(right, _Capture)
        if capture and _open_ended(left) and _open_ended(right):
            return "a capture beside * or another capture: nothing tells where it ends"
    return None
