"""``ptguard image``: which image is declared where, which digest its registry has, and the digest written in."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from ptguard.cli.common import choice, in_folder, policy_choice
from ptguard.errors import ExitCode, PtguardError, UsageError
from ptguard.report import json as documents
from ptguard.text import sh, shown

if TYPE_CHECKING:
    from ptguard.model import DeclaredImage, ImageFacts, ImageReference, Problem

SCHEMA: Final = "ptguard.image-show/1"


@click.group("image")
def command() -> None:
    """Show the declared image, ask its registry for the digest, write the digest in. No hook ever asks a registry."""


def _reference(text: str) -> "ImageReference":
    from ptguard.model import Problem
    from ptguard.parse.image import parse_reference

    found = parse_reference(text)
    if isinstance(found, Problem):
        raise UsageError(found.message, fix="ptguard image resolve REPOSITORY:TAG")
    return found


@command.command("resolve")
@click.argument("reference", metavar="REF")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", help="How to report.")
def resolve(*, reference: str, format_: str) -> ExitCode:
    """Print REF with the digest that its tag has at its registry now; of an index, the index's own.

    Logins are those of docker and podman. Exit codes: 0 found, 2 there is none or it may not be read, 3 the registry
    did not answer as one.
    """
    from ptguard.gateways.registry import resolve as ask
    from ptguard.value import replace

    image = _reference(reference)
    found = ask(image)
    whole = str(replace(image, digest=found.digest))
    if format_ == "json":
        told = {
            "image": whole,
            "digest": found.digest,
            "mediaType": found.media_type,
            "platforms": list(found.platforms),
        }
        click.echo(json.dumps(told, indent=2))
    else:
        click.echo(whole)
        click.echo(
            f"ptguard: {found.media_type}{': ' + ', '.join(found.platforms) if found.platforms else ''}", err=True
        )
    return ExitCode.ACCEPTED


@command.command("show")
@click.argument("named", required=False, metavar="[TAG|REF]")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", help="How to report.")
@policy_choice
@in_folder
def show(
    *, named: str | None, format_: str, policy_ref: str | None, policy_file: Path | None, folder: Path
) -> ExitCode:
    """Show what the image sources of the trusted policy declare at HEAD or at the git tag TAG, or what REF's name says.

    No registry is asked. Exit codes: 0 shown, 1 a source declares none that can be told, 2 the call or the policy is
    wrong.
    """
    from ptguard.images import at_commit, of_reference
    from ptguard.judging import request_now
    from ptguard.model import Problem

    try:
        if named and _is_reference(named):
            rows = of_reference(_reference(named))
        else:
            rows = at_commit(request_now(folder, choice(policy_ref, policy_file)), named)
    except PtguardError as error:
        if format_ == "text":
            raise
        stopped = {"schema": SCHEMA, "error": documents.error_object(error), "images": []}
        click.echo(documents.document(stopped), nl=False)
        return error.exit_code
    if format_ == "json":
        told = {"schema": SCHEMA, "images": [_object(source, found) for source, found in rows]}
        click.echo(documents.document(told), nl=False)
    else:
        for source, found in rows:
            for line in _lines(source, found):
                click.echo(line)
    return ExitCode.REFUSED if any(isinstance(found, Problem) for _, found in rows) else ExitCode.ACCEPTED


def _is_reference(text: str) -> bool:
    """Tell an image reference from the name of a git tag: only the former has a colon or an @ in it."""
    return ":" in text or "@" in text


def _facts(facts: "ImageFacts") -> dict[str, str]:
    from ptguard.value import fields

    return {name: said for name in fields(type(facts)) if (said := getattr(facts, name)) is not None}


def _object(source: str, found: "DeclaredImage | Problem") -> dict[str, Any]:
    from ptguard.model import Problem

    if isinstance(found, Problem):
        return {"source": source, "problem": {"reason": found.reason, "message": found.message, "fix": found.fix}}
    return {
        "source": source,
        "image": str(found.reference),
        "pinned": found.reference.digest is not None,
        "line": found.location.line,
        "facts": _facts(found.facts),
    }


def _lines(source: str, found: "DeclaredImage | Problem") -> list[str]:
    from ptguard.model import Problem

    if isinstance(found, Problem):
        return [f"{shown(source)}  {found.reason}: {found.message}", *([f"  mend  {found.fix}"] if found.fix else [])]
    where = f"{shown(source)}:{found.location.line}" if found.location.line else shown(source)
    facts = ", ".join(f"{name} {said}" for name, said in _facts(found.facts).items())
    pinned = "pinned" if found.reference.digest else "not pinned"
    return [
        str(found.reference) if where == str(found.reference) else f"{where}  {found.reference}",
        f"  {pinned}; {f'its name says {facts}' if facts else 'its name says nothing'}",
    ]


@command.command("pin")
@click.option("--digest", metavar="sha256:…", help="This digest instead of the one that the registry has now.")
@click.option("--source", "sources", multiple=True, metavar="PATH", help="A file to pin (default: the policy's).")
@click.option("--update", is_flag=True, help="Also take the place of another digest.")
@click.option("--dry-run", is_flag=True, help="Show the change and write nothing.")
@policy_choice
@in_folder
def pin(
    *,
    digest: str | None,
    sources: tuple[str, ...],
    update: bool,
    dry_run: bool,
    policy_ref: str | None,
    policy_file: Path | None,
    folder: Path,
) -> ExitCode:
    """Write the image's digest into the files of the work tree that declare it, and show the change.

    All else in them stays byte for byte. Exit codes: 0 pinned, 1 the tag has another digest by now (--update takes
    it), 2 the call or the policy is wrong, 3 the registry did not answer as one.
    """
    from ptguard.gateways.repo import layout
    from ptguard.images import pins, written
    from ptguard.judging import request_now

    top = layout(folder).top
    if top is None:
        raise UsageError("a bare repository has no work tree to change", fix="git clone …")
    change = pins(request_now(top, choice(policy_ref, policy_file)), top, sources, digest, update=update)
    if change.moved is not None:
        again = sh("ptguard", "image", "pin", "--update", *(("--digest", digest) if digest else ()))
        click.echo(f"ptguard: {change.moved}\n  mend      {again}   # with --source and -C as before", err=True)
        return ExitCode.REFUSED
    click.echo(change.diff, nl=False)
    if not change.files:
        click.echo(f"pinned already: {change.image}")
    elif not dry_run:
        try:
            written(top, change)
        except OSError as error:
            raise PtguardError(f"it cannot be written: {shown(str(error))}") from error
        click.echo("next: git add -A && git commit -m 'Pin the image'   # then a new smoke run")
    return ExitCode.ACCEPTED
