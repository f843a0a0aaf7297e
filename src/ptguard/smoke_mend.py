"""The words that mend what the check `smoke` refuses: run again, commit, tag anew."""

from typing import Final

from ptguard.anew import is_published, made_anew
from ptguard.model import Evidence, Finding, ImageReference, SmokePolicy, Status
from ptguard.text import sh

ID: Final = "smoke"
REPORT: Final = "report it, please: this is a mistake of ptguard itself"


def rerun(image: ImageReference | None, smoke: SmokePolicy, evidence: Evidence) -> str:
    """Give the commands that make a record for the tagged tree and a tag that carries it."""
    named = ("--image", str(image)) if image else ()
    # Where the operator's word counts, the run is made in place; an engine that is also there is not what is meant.
    runner = ("--runner", "local") if smoke.image_from == "operator" else ()
    steps = (sh("ptguard", "smoke", *runner, *named), sh("git", "add", smoke.directory))
    return committed(evidence, "Record the smoke run", *steps)


def committed(evidence: Evidence, message: str, *steps: str) -> str:
    """Give the commands that do ``steps``, commit and push them and make the tag anew, unless it is published."""
    anew = made_anew(evidence)
    if is_published(evidence):
        return anew
    return " && ".join([*steps, sh("git", "commit", "-m", message), "git push", anew])


def undecided(message: str, fix: str, status: Status = Status.ERROR) -> Finding:
    """Give the finding of evidence that could not be had: it refuses."""
    return Finding(ID, status, "could-not-decide", message, fix=fix)


def plain(evidence: Evidence, path: str) -> str:
    """Give the commands that take the bit off ``path`` that makes it executable."""
    return committed(evidence, "Clean up", sh("chmod", "a-x", path), sh("git", "add", "--chmod=-x", "--", path))
