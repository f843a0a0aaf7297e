"""What the tests of smoke runs say in the same words: an image by its name, a listener that only listens."""

from ptguard.model import ImageReference, Problem
from ptguard.parse.image import parse_reference
from ptguard.smoke.launch import Asked

ASKED = Asked("none", "full", 60)


def silent(line: str) -> None:
    """Take a line of progress, which is never an empty one."""
    assert line


def reference(text: str) -> ImageReference:
    """Give what an image is called as ptguard reads it."""
    found = parse_reference(text)
    assert not isinstance(found, Problem)
    return found
