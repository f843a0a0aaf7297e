"""What can be told of image references by looking at them: which are the same image, and which tags are moved."""

import re

from ptguard.model import ImageReference


def same_image(first: ImageReference, second: ImageReference) -> bool:
    """Tell whether both name the same image: the same repository, and nothing that both say differs.

    The same digest with and without a tag is the same image, as is the same tag with and without a digest; a tag
    here and only a digest there is not known to be the same.
    """
    if first.repository != second.repository:
        return False
    if first.digest and second.digest:
        return first.digest == second.digest and (first.tag == second.tag or not first.tag or not second.tag)
    return first == second or (first.tag is not None and first.tag == second.tag)


_ANYWHERE = frozenset({"latest", "nightly"})
_IN_FRONT = frozenset({"main", "master", "trunk", "head", "edge", "canary", "dev", "stable"})
_FIXED = re.compile(r"(?=.*[0-9])[0-9a-f]{7,64}|20\d\d\.?[01]\d\.?[0-3]\d")


def floating(tag: str) -> bool:
    """Tell whether ``tag`` is one that is moved to newer images: ``latest``, ``main``, ``nightly`` and their kin.

    ``nightly-20250720`` and ``main-3f2a1bc`` are fixed by their date or commit.
    """
    words = re.split(r"[-_]", tag.lower())
    if any(_FIXED.fullmatch(word) for word in words):
        return False
    dated = re.search(r"20\d\d[-_][01]\d[-_][0-3]\d", tag) is not None
    return not dated and (words[0] in _IN_FRONT or not _ANYWHERE.isdisjoint(words))
