"""How a tag is made anew after a commit that mends what it names; the checks of the tree word it alike."""

from ptguard.model import Evidence
from ptguard.text import sh


def is_published(evidence: Evidence) -> bool:
    """Tell whether the tag is out, so that it is never moved: judged as history, or on the remote."""
    return evidence.mode.history or evidence.update.remote_ref in evidence.remote.tags


def made_anew(evidence: Evidence) -> str:
    """Give the words that make the tag anew: without the old one where it stands, as another where it is published."""
    if is_published(evidence):
        return "release it as the next version: a published tag stays as it is"
    make = sh("git", "tag", "-s", evidence.name, "-m", evidence.name)
    standing = evidence.object_type is not None
    return f"{sh('git', 'tag', '-d', evidence.name)} && {make}" if standing else make
