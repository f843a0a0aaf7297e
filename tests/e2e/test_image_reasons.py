"""Every reason of the check `image`: a real push that is refused with it, and beside it one that goes through."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from ptguard.checks.image import REASONS
from tests.e2e.team import DIGEST, IMAGE, Team, refusals

pytestmark = pytest.mark.e2e

PROJECT = '[project]\nname = "net"\nversion = "2.9.0"\n'
OTHER = IMAGE.replace("12.8", "12.6")


def dockerfile(text: str) -> Callable[[Team], None]:
    return lambda team: void(team.repo.write("Dockerfile", text))


def project(text: str, *sources: str) -> Callable[[Team], None]:
    def act(team: Team) -> None:
        team.repo.write("pyproject.toml", PROJECT + text)
        for source in sources or ("Dockerfile", "pyproject.toml"):
            if f'"{source}"' not in team.policy:
                team.change_policy(NAMED, f'sources = ["Dockerfile", "{source}"]')

    return act


def policy(old: str, new: str) -> Callable[[Team], None]:
    return lambda team: team.change_policy(old, new)


def compose(first: str, over: str) -> Callable[[Team], None]:
    """Let a compose file declare the image, and lay another one over it as docker compose does by itself."""

    def act(team: Team) -> None:
        if NAMED in team.policy:
            team.change_policy(NAMED, 'sources = ["compose.yml:net"]')
        team.repo.write("compose.yml", f"services:\n  net:\n    image: {first}\n")
        team.repo.write("compose.override.yml", f"services:\n  net:\n    {over}\n  db:\n    image: postgres:16\n")

    return act


def both(*acts: Callable[[Team], None]) -> Callable[[Team], None]:
    return lambda team: void(*(act(team) for act in acts))


def void(*_: object) -> None:
    """Take what an expression gives, for functions that give nothing."""


@dataclass(frozen=True)
class Row:
    """What is done to a good team so that its tag is refused with ``reason``, and what then makes it go through."""

    reason: str
    bad: Callable[[Team], None]
    good: Callable[[Team], None]
    uri: str = IMAGE
    """The image that the record of the good neighbour was made in."""


PIN = f"{IMAGE}@{DIGEST}"
NAMED = 'sources = ["Dockerfile"]'
LAX = policy(NAMED, f"{NAMED}\nrequire-digest = false")
PINNED = dockerfile(f"FROM {IMAGE}@{DIGEST}\n")

ROWS = (
    Row("no-source", policy(NAMED, "sources = []"), policy("sources = []", NAMED)),
    Row("missing", lambda team: void(team.repo.git("rm", "-q", "Dockerfile")), PINNED),
    Row("missing", project(""), project(f'[tool.ptguard]\nimage = "{IMAGE}@{DIGEST}"\n')),
    Row(
        "conflict",
        project(f'[tool.ptguard]\nimage = "{OTHER}@{DIGEST}"\n'),
        project(f'[tool.ptguard]\nimage = "docker.io/{IMAGE}@{DIGEST}"\n'),
    ),
    Row(
        "conflict",
        project('[tool.ptguard.expect]\ncuda = "12.6"\n', "Dockerfile"),
        project('[tool.ptguard.expect]\ncuda = "12.8"\n', "Dockerfile"),
    ),
    Row("conflict", compose(PIN, f"image: {OTHER}@{DIGEST}"), compose(PIN, f"image: {PIN}")),
    Row("not-pinned", compose(PIN, f"image: {IMAGE}"), compose(PIN, "environment: {A: b}")),
    Row("unresolvable", compose(PIN, "build: ."), compose(PIN, "command: train")),
    Row("unresolvable", dockerfile("ARG BASE\nFROM $BASE\n"), dockerfile(f"ARG BASE={IMAGE}@{DIGEST}\nFROM $BASE\n")),
    Row("unresolvable", dockerfile("FROM pytorch/pytorch:{{ tag }}\n"), PINNED),
    Row("not-pinned", dockerfile(f"FROM {IMAGE}\n"), PINNED),
    Row("not-pinned", dockerfile(f"FROM {IMAGE}\n"), LAX),
    Row("invalid-reference", dockerfile(f"FROM pytorch/pytorch:2.9.0-cuda12-8-devel@{DIGEST}\n"), PINNED),
    Row("invalid-reference", dockerfile(f"FROM pytorch/PyTorch:2.9.0@{DIGEST}\n"), PINNED),
    Row(
        "floating-tag",
        both(LAX, dockerfile("FROM pytorch/pytorch:latest\n")),
        dockerfile(f"FROM pytorch/pytorch:latest@{DIGEST}\n"),
        "pytorch/pytorch:latest",
    ),
    Row("floating-tag", both(LAX, dockerfile("FROM pytorch/pytorch\n")), dockerfile(f"FROM {IMAGE}\n")),
)  # fmt: skip


def test_every_reason_has_a_row() -> None:
    assert {row.reason for row in ROWS} == set(REASONS) - {"ok", "not-applicable", "could-not-decide"}


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.reason}-{n}" for n, row in enumerate(ROWS)])
def test_refused_and_beside_it_accepted(armed: Team, row: Row) -> None:
    row.bad(armed)
    armed.settle()
    armed.tag()
    armed.guard("v2.9.0").refused(row.reason)
    found = refusals(armed.verify("v2.9.0")[1], "image")
    assert [f["reason"] for f in found if f["reason"] != "not-pinned" or row.reason == "not-pinned"] == [row.reason]
    assert all(f["got"] and f["expected"] and f["fix"] for f in found)
    row.good(armed)
    armed.repo.commit("Mend it")
    record = armed.record()
    record["subject"][1]["uri"] = f"docker.io/{row.uri}"
    armed.write_record(record)
    armed.repo.commit("Record the smoke run")
    armed.push("main")
    armed.tag()
    armed.guard("v2.9.0").accepted("v2.9.0")


def test_a_floating_tag_that_a_digest_pins_is_only_a_warning(armed: Team) -> None:
    armed.repo.write("Dockerfile", f"FROM pytorch/pytorch:latest@{DIGEST}\n")
    armed.repo.commit("The latest of that day")
    record = armed.record()
    record["subject"][1]["uri"] = "docker.io/pytorch/pytorch:latest"
    armed.write_record(record)
    armed.repo.commit("Record the smoke run")
    armed.push("main")
    armed.tag()
    assert "floating-tag: " in armed.guard("v2.9.0").accepted("v2.9.0").screen
