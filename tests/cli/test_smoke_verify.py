"""`ptguard smoke verify`: the same judgement as at a push, one record, rule by rule."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ptguard.errors import ExitCode
from ptguard.parse.smoke import canonical, pae
from ptguard.smoke_case import RULES
from tests.e2e.team import RECORD, Team, now, stamp
from tests.support import held_against, run


@pytest.fixture
def team(template: Team, tmp_path: Path, env: dict[str, str]) -> Team:
    return template.copy_to(tmp_path / "team", env)


def verified(team: Team, *args: str, file: str = RECORD) -> tuple[int, dict[str, Any]]:
    """Give the exit code and the document."""
    done = team.repo.ptguard("smoke", "verify", file, "--format", "json", *args)
    return done.returncode, held_against("smoke-verify-1.json", json.loads(done.stdout))


def reasons(document: dict[str, Any]) -> dict[str, list[str]]:
    """Give the reasons of each rule that does not stand."""
    return {r["rule"]: [f["reason"] for f in r["findings"]] for r in document["rules"] if r["findings"]}


def test_a_record_that_stands_says_what_each_rule_found(team: Team) -> None:
    code, document = verified(team)
    assert (code, document["decision"]) == (0, "accept")
    assert document["schema"] == "ptguard.smoke-verify/1"
    assert document["commit"] == team.repo.git("rev-parse", "HEAD")
    assert document["policy"]["source"] == "refs/remotes/origin/main"
    assert [r["rule"] for r in document["rules"]] == ["form", *RULES]
    assert {r["status"] for r in document["rules"]} == {"pass"}
    done = team.repo.ptguard("smoke", "verify", RECORD)
    assert done.returncode == 0
    assert f"✓ tree       {team.source_tree()} is HEAD's without .ptguard" in done.stdout
    assert "✓ signature  by runner, ssh SHA256:" in done.stdout
    assert (
        "✓ versions   the run saw torch 2.9.0, cuda 12.8, cudnn 9, flavour devel, as the name declares" in done.stdout
    )
    assert done.stdout.splitlines()[-1].startswith("ptguard: the record stands for HEAD")


def _bare(team: Team) -> dict[str, Any]:
    return team.record(launcher={"runner": "local", "digestSource": "operator", "platform": "x", "network": "host"})


ROWS: dict[str, tuple[Callable[[Team], dict[str, Any]], dict[str, list[str]]]] = {
    "device": (lambda t: t.record(deviceKind="cpu"), {"device": ["wrong-device", "no-gpu"]}),
    "outcome": (lambda t: t.record(command={"argv": ["x"], "exit": 1, "seconds": 1}), {"outcome": ["failed"]}),
    "skips": (lambda t: t.record(checks=[]), {"skips": ["skipped-check"]}),
    "image": (_bare, {"image": ["weak-digest-source"]}),
    "versions": (lambda t: t.record(environment={}), {"versions": ["version-mismatch"] * 4}),
    "age": (
        lambda t: t.record(startedOn="2020-01-01T00:00:00Z", finishedOn="2020-01-01T00:00:00Z"),
        {"age": ["stale"]},
    ),
    "future": (lambda t: t.record(finishedOn=stamp(now() + timedelta(hours=1))), {"age": ["future"]}),
    "dirty": (lambda t: t.record(source={"commit": "1" * 40, "dirty": True}), {"tree": ["dirty"]}),
}


@pytest.mark.parametrize("row", ROWS)
def test_each_rule_names_what_is_wrong_with_both_sides(team: Team, row: str) -> None:
    make, wanted = ROWS[row]
    team.write_record(make(team))
    code, document = verified(team)
    assert (code, document["decision"], reasons(document)) == (ExitCode.REFUSED, "refuse", wanted)
    for rule in document["rules"]:
        for found in rule["findings"]:
            assert found["got"] and found["expected"] and found["fix"]
    done = team.repo.ptguard("smoke", "verify", RECORD)
    assert done.returncode == ExitCode.REFUSED
    for rule, slugs in wanted.items():
        for slug in slugs:
            assert f"✗ {rule:<11}{slug}: " in done.stdout


def test_a_command_that_the_policy_asks_for(team: Team) -> None:
    team.change_policy("[smoke]\n", '[smoke]\ncommand = ["make", "smoke"]\n')
    code, document = verified(team)
    assert (code, reasons(document)) == (1, {"command": ["command-missing"]})
    team.write_record(team.record(command={"argv": ["make", "smoke"], "exit": 0, "seconds": 1}))
    code, document = verified(team)
    assert (code, document["rules"][7]["words"]) == (0, "make smoke")


def test_the_signature_is_judged_also_where_the_tree_is_another(team: Team) -> None:
    team.repo.write("net.py", "WEIGHTS = [6]\n")
    team.repo.commit("Untested")
    code, document = verified(team)
    assert (code, reasons(document)) == (1, {"tree": ["wrong-tree"]})
    team.write_record(team.record(), signer="bot")
    assert reasons(verified(team)[1]) == {"signature": ["unknown-signer"]}
    path = team.repo.path / RECORD
    path.write_bytes(path.read_bytes().replace(b"GPU-1", b"GPU-2"))
    assert reasons(verified(team)[1]) == {"signature": ["bad-signature"]}
    Path(f"{path}.sig").unlink()
    assert reasons(verified(team)[1]) == {"signature": ["unsigned"]}


def test_the_form_comes_first_and_alone(team: Team) -> None:
    path = team.repo.path / RECORD
    path.write_bytes(path.read_bytes() + b"\n")
    code, document = verified(team)
    assert (code, reasons(document)) == (1, {"form": ["malformed"]})
    assert [r["rule"] for r in document["rules"]] == ["form"]
    assert "end-of-file fixer" in team.repo.ptguard("smoke", "verify", RECORD).stdout


def test_a_file_outside_the_repository_and_a_signature_by_gpg(team: Team, tmp_path: Path) -> None:
    key = team.keys.openpgp("li-wei")
    team.change_policy('[smoke]\nsigners = ["runner"]', '[smoke]\nsigners = ["li-wei"]')
    payload = canonical(team.record())
    outside = tmp_path / "from the mail.json"
    outside.write_bytes(payload)
    Path(f"{outside}.asc").write_bytes(key.sign(pae(payload), "--digest-algo", "SHA512"))
    code, document = verified(team, file=str(outside))
    assert (code, document["decision"], document["record"]) == (0, "accept", str(outside))
    assert f"by li-wei, openpgp {key.fingerprint}" in json.dumps(document)
    done = team.repo.ptguard("smoke", "verify", "-C", str(team.repo.path), outside.name)
    assert done.returncode == ExitCode.USAGE  # -C moves where a name is looked for


def test_a_policy_without_an_image_compares_none(team: Team) -> None:
    team.write_policy(
        team.policy.replace('[image]\nsources = ["Dockerfile"]\n', "").replace(
            'pattern = "v*"', 'pattern = "v*"\nchecks = ["smoke"]'
        )
    )
    team.settle()
    code, document = verified(team)
    statuses = {r["rule"]: r["status"] for r in document["rules"]}
    assert (code, statuses["image"], statuses["versions"], statuses["tree"]) == (0, "skip", "skip", "pass")


def test_an_image_that_is_not_known_is_never_a_match(team: Team) -> None:
    team.repo.write("Dockerfile", "ARG BASE\nFROM $BASE\n")
    team.settle()
    code, document = verified(team)
    assert (code, reasons(document)) == (1, {"image": ["could-not-decide"]})
    assert {r["rule"]: r["status"] for r in document["rules"]}["versions"] == "skip"


def test_a_tool_that_is_missing_leaves_it_undecided(team: Team, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    git = run("sh", "-c", "command -v git").stdout.strip()
    (tools / "git").symlink_to(git)
    done = team.repo.ptguard("smoke", "verify", RECORD, env={"PATH": str(tools)})
    assert done.returncode == ExitCode.UNDECIDED, done.stdout + done.stderr
    assert "ssh-keygen" in done.stdout


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("nope.json",), "No such file"),
        (("v2.9.0",), "# a tag is judged by: ptguard verify TAG"),
        ((".ptguard",), "no regular file"),
        ((RECORD, "--policy-ref", "nope"), "nope"),
        ((RECORD, "--policy-file", "nope.toml"), "nope.toml"),
        ((RECORD, "-C", ".."), "record can be read"),
    ],
)
def test_a_wrong_call(team: Team, args: tuple[str, ...], words: str) -> None:
    done = team.repo.ptguard("smoke", "verify", *args)
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
    assert words in done.stderr
    done = team.repo.ptguard("smoke", "verify", *args, "--format", "json")
    document = held_against("smoke-verify-1.json", json.loads(done.stdout))
    assert (done.returncode, document["decision"], document["rules"]) == (ExitCode.USAGE, "refuse", [])
    assert words in f"{document['error']['message']} {document['error']['fix']}"


def test_without_a_policy_nothing_is_judged(team: Team, tmp_path: Path, env: dict[str, str]) -> None:
    plain = tmp_path / "plain"
    run("git", "init", "-q", plain, env=env)
    run("git", "-C", plain, "commit", "-q", "--allow-empty", "-m", "x", env=env)
    record = str(team.repo.path / RECORD)
    done = team.repo.ptguard("smoke", "verify", record, "-C", str(plain))
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
    assert "policy" in done.stderr
    policy = str(team.repo.path / ".ptguard/policy.toml")
    done = team.repo.ptguard("smoke", "verify", record, "-C", str(plain), "--policy-file", policy)
    assert done.returncode == ExitCode.REFUSED
    assert "wrong-tree" in done.stdout
    without = team.policy.split("[smoke]")[0].replace('pattern = "v*"', 'pattern = "v*"\nchecks = ["signature"]')
    team.write_policy(without)
    done = team.repo.ptguard("smoke", "verify", record, "-C", str(plain), "--policy-file", policy)
    assert done.returncode == ExitCode.USAGE
    assert "no [smoke] section" in done.stderr


def test_it_says_what_the_push_says(team: Team) -> None:
    """Two ways to one judgement: every rule's reasons are those of `ptguard verify` for a tag of the same commit."""
    for make, wanted in ROWS.values():
        team.write_record(make(team))
        team.repo.commit("A record")
        team.push("main")
        team.tag()
        by_tag = [f["reason"] for f in team.verify("v2.9.0")[1]["tags"][0]["findings"] if f["check"] == "smoke"]
        by_file = [reason for slugs in reasons(verified(team)[1]).values() for reason in slugs]
        assert by_file == by_tag == [slug for slugs in wanted.values() for slug in slugs]
