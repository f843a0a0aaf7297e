"""What ``ptguard doctor`` and ``install --server`` find."""

from ptguard.value import value


@value
class Trouble:
    """Something wrong: what, and the command that mends it. ``grave`` is false where tags are judged all the same."""

    what: str
    fix: str
    grave: bool = True
