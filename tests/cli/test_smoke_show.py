"""`ptguard smoke show`: what a record says, escaped and not believed, and who signed it."""

import json
from pathlib import Path
from typing import Any

import pytest

from ptguard.errors import ExitCode
from ptguard.parse.smoke import canonical, pae
from tests.e2e.team import DIGEST, IMAGE, RECORD, Team
from tests.support import held_against, run


@pytest.fixture
def team(template: Team, tmp_path: Path, env: dict[str, str]) -> Team:
    return template.copy_to(tmp_path / "team", env)


def shown(text: str) -> dict[str, Any]:
    """Give the document that ``text`` is, as its schema has it."""
    return held_against("smoke-show-1.json", json.loads(text))


def rows(text: str) -> dict[str, list[str]]:
    """Give the words of each labelled row; a row without a label belongs to the one above."""
    found: dict[str, list[str]] = {}
    label = ""
    for line in text.splitlines()[1:]:
        label = line[2:13].strip() or label
        found.setdefault(label, []).append(line[13:])
    return found


def test_all_that_a_record_says(team: Team) -> None:
    check = {"id": "torch.matmul.fp32", "status": "passed", "value": 3.1e-07, "limit": 1e-05,
             "unit": "relative-frobenius", "seconds": 0.41, "reason": None}  # fmt: skip
    skipped = {"id": "torch.nccl", "status": "skipped", "value": None, "limit": None, "unit": None,
               "seconds": None, "reason": "needs-two-gpus"}  # fmt: skip
    ran = {"argv": ["python", "-m", "pytest", "a b"], "exit": 0, "seconds": 12.1}
    record = team.record(checks=[check, skipped], command=ran)
    team.write_record(record)
    done = team.repo.ptguard("smoke", "show", RECORD)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == RECORD
    said = rows(done.stdout)
    notes = record["predicate"]["configuration"][0]["annotations"]
    assert said["result"] == ["PASSED, mode full, framework torch"]
    assert said["image"] == [f"docker.io/{IMAGE}"]
    assert said["digest"] == [f"{DIGEST}, told by launcher"]
    assert said["tree"] == [f"{team.source_tree()} (sha1), without .ptguard"]
    assert said["commit"] == [notes["source"]["commit"]]
    assert said["ran"] == [f"{notes['startedOn']} to {notes['finishedOn']}"]
    assert said["by"] == ["docker, platform linux/amd64, network none"]
    assert said["devices"] == ["cuda:0, H100, capability 9.0, 79.2 GiB, GPU-1"]
    assert {"torch 2.9.0+cu128", "cudnn 91002 (9.10.2)", "cuda 12.8"} <= set(said["saw"])
    assert not any(line.startswith("hip") for line in said["saw"])
    assert said["command"] == ["python -m pytest 'a b' (exit status 0, 12.1 s)"]
    assert said["checks"] == [
        "torch.matmul.fp32  passed  3.1e-07 of 1e-05 relative-frobenius  0.41 s",
        "torch.nccl         skipped  needs-two-gpus",
    ]
    assert said["signature"] == ["good, by runner"]
    assert "not judged" in done.stderr


def test_a_bare_dirty_run_of_nothing(team: Team) -> None:
    record = team.record(
        checks=[], devices=[], framework=None, source={"commit": "1" * 40, "dirty": True},
        launcher={"runner": "local", "digestSource": None, "platform": "linux/amd64", "network": "host"},
    )  # fmt: skip
    del record["subject"][1]
    team.write_record(record)
    said = rows(team.repo.ptguard("smoke", "show", RECORD).stdout)
    assert said["image"] == ["none: run on the bare machine"]
    assert said["commit"] == ["1" * 40 + ", with uncommitted changes"]
    assert said["devices"] == ["none, of kind cuda"]
    assert said["command"] == said["checks"] == ["none"]
    assert said["result"] == ["PASSED, mode full, framework none"]


def test_records_of_a_tag_and_of_head(team: Team) -> None:
    team.tag()
    team.repo.git("rm", "-q", RECORD, f"{RECORD}.sig")
    team.repo.commit("No record any more")
    assert team.repo.ptguard("smoke", "show", "v2.9.0").stdout.startswith(f"{RECORD}\n")
    gone = team.repo.ptguard("smoke", "show")
    assert (gone.returncode, gone.stdout) == (ExitCode.REFUSED, "")
    assert "there is no smoke record in HEAD" in gone.stderr
    team.write_record()
    assert team.repo.ptguard("smoke", "show").returncode == ExitCode.REFUSED  # what is not committed does not count
    team.repo.write(".ptguard/other/deep.json", canonical(team.record()))
    team.repo.commit("Two of them")
    found = shown(team.repo.ptguard("smoke", "show", "--format", "json").stdout)
    assert found["schema"] == "ptguard.smoke-show/1"
    assert [one["path"] for one in found["records"]] == [".ptguard/other/deep.json", RECORD]
    assert [one["signature"]["state"] for one in found["records"]] == ["none", "good"]
    assert found["records"][1]["record"] == json.loads((team.repo.path / RECORD).read_bytes())
    assert found["records"][1]["signature"]["signer"] == "runner"


def test_whatever_could_move_the_cursor_is_escaped(team: Team) -> None:
    evil = "H100\x1b[2J\u202e\n\r\x07ü"
    record = team.record(
        devices=[{"index": 0, "name": evil, "uuid": evil, "capability": evil, "memoryBytes": None}],
        environment={evil: evil, "torch": evil},
        command={"argv": [evil], "exit": 1, "seconds": 1},
        checks=[{"id": "x", "status": "skipped", "value": None, "limit": None, "unit": evil, "seconds": None,
                 "reason": evil}],
        launcher={"runner": evil, "digestSource": "operator", "platform": evil, "network": evil},
    )  # fmt: skip
    record["subject"][0]["annotations"]["excluded"] = [".ptguard", evil]
    team.write_record(record)
    done = team.repo.ptguard("smoke", "show", RECORD)
    assert done.returncode == 0, done.stderr
    assert not set("\x1b\u202e\r\x07") & set(done.stdout + done.stderr)
    assert "\\x1b[2J\\u202e\\x0a" in done.stdout
    assert "ü" in done.stdout
    assert done.stdout.count("\n") == sum(len(words) for words in rows(done.stdout).values()) + 1
    odd = team.repo.write(".ptguard/smoke/\x1b[31m.json", canonical(record))
    assert "\x1b" not in team.repo.ptguard("smoke", "show", str(odd)).stdout
    as_json = team.repo.ptguard("smoke", "show", RECORD, "--format", "json").stdout
    assert as_json.isascii() and "\x1b" not in as_json


@pytest.mark.parametrize("spoil", ["signer", "bytes", "none", "garbage"])
def test_a_signature_that_does_not_count_is_told_so(team: Team, spoil: str) -> None:
    signature = team.repo.path / f"{RECORD}.sig"
    if spoil == "signer":
        team.write_record(signer="bot")
    elif spoil == "bytes":
        team.repo.write(RECORD, canonical(team.record(framework=None)))
    elif spoil == "none":
        signature.unlink()
    else:
        signature.write_text("garbage\n")
    done = team.repo.ptguard("smoke", "show", RECORD, "--format", "json")
    assert done.returncode == 0, done.stderr
    (one,) = shown(done.stdout)["records"]
    words = {"signer": "unknown-signer", "bytes": "bad-signature", "none": "unsigned", "garbage": "malformed"}
    assert one["signature"]["words"].startswith(words[spoil])
    assert one["signature"]["state"] == ("none" if spoil == "none" else "bad")
    assert one["signature"]["signer"] == ("bot" if spoil == "signer" else None)


def test_without_a_policy_it_is_shown_and_nobody_is_named(team: Team, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in (RECORD, f"{RECORD}.sig"):
        (outside / Path(name).name).write_bytes((team.repo.path / name).read_bytes())
    done = team.repo.ptguard("smoke", "show", "-C", str(outside), "pytorch.json")
    assert done.returncode == 0, done.stderr
    (said,) = rows(done.stdout)["signature"]
    fingerprint = run("ssh-keygen", "-lf", team.keys.ssh("runner").private).stdout.split()[1]
    assert said.startswith(f"an SSH signature that names the key {fingerprint}, not verified: ")
    key = team.keys.openpgp("li-wei")
    (outside / "pytorch.json.sig").unlink()
    record = (outside / "pytorch.json").read_bytes()
    (outside / "pytorch.json.asc").write_bytes(key.sign(pae(record), "--digest-algo", "SHA512"))
    done = team.repo.ptguard("smoke", "show", "-C", str(outside), "pytorch.json")
    assert rows(done.stdout)["signature"][0].startswith("an OpenPGP signature, not verified: ")
    (outside / "pytorch.json.asc").unlink()
    done = team.repo.ptguard("smoke", "show", "-C", str(outside), "pytorch.json")
    assert rows(done.stdout)["signature"] == ["there is none"]


def test_a_policy_without_smoke_names_nobody(team: Team) -> None:
    policy = team.policy.split("[smoke]")[0].replace(
        'pattern = "v*"', 'pattern = "v*"\nchecks = ["signature", "image"]'
    )
    team.write_policy(policy)
    team.repo.commit("No smoke check")
    team.push("main")
    done = team.repo.ptguard("smoke", "show", RECORD)
    assert done.returncode == 0, done.stderr
    assert "not verified: the policy has no [smoke] section" in rows(done.stdout)["signature"][0]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("no/such.json",), "No such file"),
        (("v9",), "there is no file and no tag v9"),
        (("-C", ".ptguard", "link.json"), "symbolic link"),
        (("-C", ".ptguard", "smoke.json"), "no regular file"),
        ((RECORD, "--policy-file", "nope.toml"), "nope.toml"),
        ((RECORD, "--policy-ref", "nope"), "nope"),
    ],
)
def test_what_cannot_be_shown_is_a_wrong_call(team: Team, args: tuple[str, ...], words: str) -> None:
    (team.repo.path / ".ptguard" / "link.json").symlink_to("smoke/pytorch.json")
    (team.repo.path / ".ptguard" / "smoke.json").mkdir()
    done = team.repo.ptguard("smoke", "show", *args)
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
    assert words in done.stderr
    done = team.repo.ptguard("smoke", "show", *args, "--format", "json")
    assert done.returncode == ExitCode.USAGE
    assert shown(done.stdout)["error"]["kind"] in ("usage", "policy")


def test_a_broken_record_is_told_beside_the_others(team: Team) -> None:
    team.repo.write(".ptguard/smoke/a.json", (team.repo.path / RECORD).read_bytes() + b"\n")
    team.repo.commit("One of them was reformatted")
    done = team.repo.ptguard("smoke", "show")
    assert done.returncode == ExitCode.REFUSED
    assert "malformed: the smoke record .ptguard/smoke/a.json" in done.stdout
    assert "good, by runner" in done.stdout
    found = shown(team.repo.ptguard("smoke", "show", "--format", "json").stdout)["records"]
    assert [one["problem"] and one["problem"]["reason"] for one in found] == ["malformed", None]


def test_no_commit_yet(team: Team, tmp_path: Path, env: dict[str, str]) -> None:
    run("git", "init", "-q", tmp_path / "new", env=env)
    done = team.repo.ptguard("smoke", "show", "-C", str(tmp_path / "new"))
    assert done.returncode == ExitCode.USAGE
    assert "no commit yet" in done.stderr
