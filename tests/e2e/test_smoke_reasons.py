"""Every reason of the check `smoke`: a real push that is refused with it, and beside it one that goes through.

The record is a good one, changed in one place and signed again by the runner's key, so that nothing but the change can
be what is refused. The neighbour differs as little as it can. There are two tables: one for the record of a GPU, which
is made up, and one for a real record of a container without one (tests/data), under a policy that asks for `cpu`.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ptguard.checks.smoke import REASONS
from ptguard.parse.smoke import canonical, pae
from tests.e2e.team import DIGEST, IMAGE, RECORD, Team, finding, now, refusals, stamp
from tests.smoke.records import changed, check_entry
from tests.support import run

pytestmark = pytest.mark.e2e

Act = Callable[[Team], None]
SMOKE = '[smoke]\nsigners = ["runner"]'
URI = "subject/1/uri"


# --------------------------------------------------------------------------------------------- what is done


def put(*changes: tuple[str, object], signer: str = "runner", path: str = RECORD) -> Act:
    """Write the team's record with ``changes``, signed again."""
    return lambda team: team.write_record(changed(team.record(), *changes), signer, path)


def aged(delta: timedelta, *changes: tuple[str, object], path: str = RECORD) -> Act:
    """Write a record of a run that ended ``delta`` ago (ahead, where that is negative)."""

    def act(team: Team) -> None:
        ended = now() - delta
        times = (("startedOn", stamp(ended - timedelta(minutes=2))), ("finishedOn", stamp(ended)))
        put(*times, *changes, path=path)(team)

    return act


def policy(old: str, new: str) -> Act:
    return lambda team: team.change_policy(old, new)


def both(*acts: Act) -> Act:
    def act(team: Team) -> None:
        for one in acts:
            one(team)

    return act


def write(path: str, content: str | bytes) -> Act:
    return lambda team: void(team.repo.write(path, content))


def void(*_: object) -> None:
    """Take what an expression gives, for functions that give nothing."""


def bytes_of(change: Callable[[bytes], bytes], suffix: str = "") -> Act:
    """Change the bytes of the record (or of its signature) after it was signed."""

    def act(team: Team) -> None:
        path = team.repo.path / f"{RECORD}{suffix}"
        path.write_bytes(change(path.read_bytes()))

    return act


def drop(*paths: str) -> Act:
    def act(team: Team) -> None:
        for path in paths:
            (team.repo.path / path).unlink()

    return act


def by_gpg(team: Team) -> None:
    """Sign the team's record with the OpenPGP key of li-wei, who may vouch too."""
    team.change_policy(SMOKE, '[smoke]\nsigners = ["runner", "li-wei"]')
    payload = canonical(team.record())
    team.repo.write(RECORD, payload)
    team.repo.write(f"{RECORD}.asc", team.keys.openpgp("li-wei").sign(pae(payload), "--digest-algo", "SHA512"))
    (team.repo.path / f"{RECORD}.sig").unlink()


def ignored(kind: str) -> Act:
    """Leave CHANGELOG.md out of the record, and then put something of ``kind`` there."""

    def act(team: Team) -> None:
        team.change_policy(SMOKE, f'{SMOKE}\nignore = ["CHANGELOG.md"]')
        file = team.repo.path / "CHANGELOG.md"
        text = file.read_text()
        file.unlink()
        team.repo.commit("Without a changelog")
        put(("subject/0/annotations/excluded", [".ptguard", "CHANGELOG.md"]))(team)
        if kind == "link":
            file.symlink_to("net.py")
        else:
            file.write_text(text)
            file.chmod(0o755 if kind == "executable" else 0o644)

    return act


def anew(name: str, kind: str) -> Act:
    """Make ``name`` under .ptguard an executable, a link or a plain file."""

    def act(team: Team) -> None:
        path = team.repo.path / ".ptguard" / name
        path.unlink(missing_ok=True)
        if kind == "link":
            path.symlink_to("policy.toml")
        else:
            path.write_text("x\n")
            path.chmod(0o755 if kind == "executable" else 0o644)

    return act


FAILED = (("checks/0/status", "failed"), ("predicate/result", "FAILED"), ("predicate/failedTests", ["torch.import"]))
SKIPPED = check_entry("torch.nccl", "skipped", "needs-two-gpus")
ODD = check_entry("torch.nccl", "skipped", "no time today")
OK = check_entry("torch.import")
TRY = ["python", "-m", "pytest", "-q", "tests/smoke"]
ASKED = policy(SMOKE, f'{SMOKE}\ncommand = ["python", "-m", "pytest", "-q", "tests/smoke"]')
CPU = policy(SMOKE, f'{SMOKE}\ndevice = "cpu"')
BY_HAND = ("launcher/digestSource", "operator")
OTHER_FILE = ".ptguard/smoke/another.json"


def ran(*argv: str, status: int = 0) -> tuple[str, object]:
    return "command", {"argv": list(argv), "exit": status, "seconds": 1.5}


GOOD = put()


@dataclass(frozen=True)
class Row:
    """What makes a good team's tag be refused with ``reason`` and nothing else, and what then makes it go through."""

    reason: str
    bad: Act
    good: Act = GOOD
    also: tuple[str, ...] = ()
    """What cannot but be refused with it."""


MINUTES, DAYS = timedelta(minutes=1), timedelta(days=1)

ROWS = (
    Row("foreign-file", anew("conftest.py", "plain"), drop(".ptguard/conftest.py")),
    Row("foreign-file", anew("run", "executable"), both(drop(".ptguard/run"), anew("README.md", "plain"))),
    Row("foreign-file", anew("README.md", "executable"), anew("README.md", "plain")),
    Row("foreign-file", anew("README.md", "link"), anew("README.md", "plain")),
    Row("foreign-file", write(".ptguard/other/x.json", "{}"), drop(".ptguard/other/x.json")),
    Row("foreign-file", ignored("executable"), lambda team: (team.repo.path / "CHANGELOG.md").chmod(0o644)),
    Row("future", aged(-120 * MINUTES), aged(-5 * MINUTES)),
    Row("weak-digest-source", put(BY_HAND), put(("launcher/digestSource", "registry"))),
    Row("weak-digest-source", put(BY_HAND), both(put(BY_HAND), policy(SMOKE, f'{SMOKE}\nimage-from = "operator"'))),
    Row("wrong-device", put(("deviceKind", "rocm")), both(CPU, put(("deviceKind", "cpu")))),
    Row("wrong-device", both(CPU, put()), put(("deviceKind", "cpu"))),
    Row("dirty", put(("source/dirty", True)), put(("source/dirty", False))),
    Row("skipped-check", put(("checks", [OK, ODD])), put(("checks", [OK, SKIPPED]))),
    Row("skipped-check", put(("checks", [])), put(("checks", []), ran("make", "smoke"))),
    Row("skipped-check", put(("mode", "facts")), put(("mode", "quick"))),
    Row("command-missing", ASKED, put(ran(*TRY))),
    Row("command-missing", both(ASKED, put(ran(*TRY, "-x"))), put(ran(*TRY))),
    Row("missing", drop(RECORD, f"{RECORD}.sig"), put(path=".ptguard/smoke/2.9/image.json")),
    Row("wrong-tree", put(("subject/0/digest/gitTree", "1" * 40))),
    Row("wrong-tree", write("net.py", "WEIGHTS = [6, 6, 6]\n"), write("net.py", "WEIGHTS = [1, 2, 3]\n")),
    Row("wrong-tree", put(("subject/0/annotations/excluded", [".ptguard", "net.py"])), put(path=OTHER_FILE)),
    Row("wrong-image", put((URI, f"docker.io/{IMAGE.replace('12.8', '12.6')}")), put((URI, f"docker.io/{IMAGE}"))),
    Row("wrong-image", put((URI, f"ghcr.io/{IMAGE}")), put((URI, "docker.io/pytorch/pytorch"))),
    Row("wrong-digest", put(("subject/1/digest/sha256", "1" * 64)), put(("subject/1/digest/sha256", DIGEST[7:]))),
    Row("version-mismatch", put(("environment/torch", "2.8.0+cu128")), put(("environment/torch", "2.9.0+cu129"))),
    Row("version-mismatch", put(("environment/cuda", "12.9")), put(("environment/cuda", "12.8.1"))),
    Row("version-mismatch", put(("environment/cudnn", 8902)), put(("environment/cudnn", 90100))),
    Row("version-mismatch", put(("environment/nvcc", None)), put(("environment/nvcc", "12.8.61"))),
    Row("failed", put(*FAILED)),
    Row("failed", put(ran("make", status=2)), put(ran("make"))),
    Row("failed", aged(-MINUTES, *FAILED, path=OTHER_FILE), aged(1 * DAYS, *FAILED, path=OTHER_FILE)),
    Row("no-gpu", put(("devices", []))),
    Row("stale", aged(31 * DAYS), aged(29 * DAYS)),
    Row("unsigned", drop(f"{RECORD}.sig"), put()),
    Row("bad-signature", bytes_of(lambda data: data.replace(b"GPU-1", b"GPU-2")), put(("devices/0/uuid", "GPU-2"))),
    Row("bad-signature", bytes_of(lambda data: data[: len(data) // 2], ".sig")),
    Row("unknown-signer", put(signer="bot"), both(policy(SMOKE, '[smoke]\nsigners = ["bot"]'), put(signer="bot"))),
    Row("unknown-signer", put(signer="nobody"), by_gpg),
    Row("malformed", bytes_of(lambda data: data + b"\n"), bytes_of(lambda data: data[:-1])),
    Row("malformed", bytes_of(lambda data: data.replace(b"\n", b"\r\n")), bytes_of(lambda d: d.replace(b"\r", b""))),
)  # fmt: skip


REAL = json.loads((Path(__file__).parents[1] / "data" / "record-cpu.json").read_text("utf-8"))
FP32 = next(n for n, one in enumerate(REAL["predicate"]["configuration"][0]["annotations"]["checks"])
            if one["id"] == "torch.matmul.fp32")  # fmt: skip
REAL_IMAGE = f"{REAL['subject'][1]['uri']}@sha256:{REAL['subject'][1]['digest']['sha256']}"
REAL_FAILED = ((f"checks/{FP32}/status", "failed"), ("predicate/result", "FAILED"))
NOT_ON_CPU = (
    "skipped-check",
) * 3  # what the probe leaves out where there is no GPU is no excuse where one is asked for
ON_CPU = f'{SMOKE}\ndevice = "cpu"'

REAL_ROWS = (
    Row("foreign-file", anew("sitecustomize.py", "plain"), drop(".ptguard/sitecustomize.py")),
    Row("future", aged(-120 * MINUTES), aged(-5 * MINUTES)),
    Row("weak-digest-source", put(BY_HAND)),
    Row("wrong-device", policy(ON_CPU, SMOKE), policy(SMOKE, ON_CPU), also=("no-gpu", *NOT_ON_CPU)),
    Row("no-gpu", policy(ON_CPU, SMOKE), policy(SMOKE, ON_CPU), also=("wrong-device", *NOT_ON_CPU)),
    Row("wrong-device", put(("devices", []))),
    Row("dirty", put(("source/dirty", True))),
    Row("skipped-check", put((f"checks/{FP32}", check_entry("torch.matmul.fp32", "skipped", "no time today")))),
    Row("skipped-check", put(("environment/compiler", "gcc 12.2.0")), put(("environment/compiler", None))),
    Row("skipped-check", put(("mode", "facts")), put(("mode", "quick"))),
    Row("command-missing", ASKED, put(ran(*TRY))),
    Row("missing", drop(RECORD, f"{RECORD}.sig")),
    Row("wrong-tree", write("net.py", "WEIGHTS = [6, 6, 6]\n"), put()),
    Row("wrong-tree", put(("subject/0/digest/gitTree", "1" * 40))),
    Row("wrong-image", put((URI, "localhost/team/net:2.12.0-cpu"))),
    Row("wrong-digest", put(("subject/1/digest/sha256", "1" * 64))),
    Row("version-mismatch", put(("environment/torch", "2.12.0+cpu")), put(("environment/torch", "2.13.0+cu130"))),
    Row("failed", put(*REAL_FAILED)),
    Row("failed", aged(-MINUTES, *REAL_FAILED, path=OTHER_FILE), aged(10 * MINUTES, *REAL_FAILED, path=OTHER_FILE)),
    Row("stale", aged(31 * DAYS), aged(29 * DAYS)),
    Row("unsigned", drop(f"{RECORD}.sig")),
    Row("bad-signature", bytes_of(lambda data: data.replace(b"Xeon", b"Xeom")), put(("devices/0/name", "Xeom"))),
    Row("bad-signature", bytes_of(lambda data: data[:-40] + data[-1:], ".sig")),
    Row("unknown-signer", put(signer="bot")),
    Row("malformed", bytes_of(lambda data: json.dumps(json.loads(data), indent=2).encode() + b"\n")),
)  # fmt: skip


@pytest.mark.parametrize("table", [ROWS, REAL_ROWS], ids=["gpu", "real"])
def test_every_reason_has_a_row(table: tuple[Row, ...]) -> None:
    assert {row.reason for row in table} == set(REASONS) - {"ok", "not-applicable", "could-not-decide"}


def push(team: Team) -> None:
    """Commit what was done, bring it to the remote, and tag it."""
    team.repo.commit("What is to be released")
    team.push("main")
    team.tag()


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.reason}-{n}" for n, row in enumerate(ROWS)])
def test_refused_and_beside_it_accepted(armed: Team, row: Row) -> None:
    refused_and_accepted(armed, row)


@pytest.fixture
def real(armed: Team) -> Team:
    """A team that releases on the CPU, in the image that the real record was made in."""
    armed.change_policy(SMOKE, ON_CPU)
    armed.repo.write("Dockerfile", f"FROM {REAL_IMAGE}\n")
    expect = '[tool.ptguard.expect]\ntorch = "2.13.0"\n'
    armed.repo.write("pyproject.toml", f'[project]\nname = "net"\nversion = "2.9.0"\n{expect}')
    armed.base = REAL
    armed.settle()
    return armed


@pytest.mark.parametrize("row", REAL_ROWS, ids=[f"{row.reason}-{n}" for n, row in enumerate(REAL_ROWS)])
def test_refused_and_beside_it_accepted_with_a_real_record(real: Team, row: Row) -> None:
    refused_and_accepted(real, row)


def refused_and_accepted(team: Team, row: Row) -> None:
    """Push what the row spoils, which is refused with its reason alone; then what it mends, which goes through."""
    row.bad(team)
    push(team)
    team.guard("v2.9.0").refused(row.reason, *row.also)
    found = refusals(team.verify("v2.9.0")[1], "smoke")
    assert sorted(f["reason"] for f in found) == sorted((row.reason, *row.also))
    assert all(f["message"] and f["fix"] for f in found)
    assert row.reason == "malformed" or all(f["got"] and f["expected"] for f in found), found
    row.good(team)
    push(team)
    team.guard("v2.9.0").accepted("v2.9.0")


def test_a_real_record_is_as_it_was_made(real: Team) -> None:
    """Nothing of what the probe told is changed by what puts it into a test's repository."""
    made = real.record()
    kept = ("mode", "framework", "deviceKind", "devices", "environment", "checks", "launcher")
    notes, theirs = (value["predicate"]["configuration"][0]["annotations"] for value in (made, REAL))
    assert {key: notes[key] for key in kept} == {key: theirs[key] for key in kept}
    assert made["subject"][1] == REAL["subject"][1]
    assert sum(one["status"] == "passed" for one in theirs["checks"]) > 15
    assert canonical(REAL) == (Path(__file__).parents[1] / "data" / "record-cpu.json").read_bytes()
    real.tag()
    real.guard("v2.9.0").accepted("v2.9.0")


# --------------------------------------------------------------------------------------------- beside the table


@pytest.mark.parametrize("path", [".ptguard/README.py", ".ptguard/keys/README.pth", ".ptguard/README.md.sh"])
def test_a_readme_that_could_be_imported_is_none(armed: Team, path: str) -> None:
    armed.repo.write(path, "raise SystemExit\n")
    for name in ("README", "README.md", "README.zh-CN.md", "keys/README-first.txt"):
        armed.repo.write(f".ptguard/{name}", "Words.\n")
    push(armed)
    armed.guard("v2.9.0").refused("foreign-file")
    armed.repo.git("rm", "-q", path)
    push(armed)
    armed.guard("v2.9.0").accepted("v2.9.0")


@pytest.mark.parametrize("kind", ["executable", "foreign", "ignored"])
def test_the_mending_words_mend_a_foreign_file(armed: Team, kind: str) -> None:
    key = armed.keys.openpgp("li-wei")
    armed.repo.git("config", "user.signingkey", key.fingerprint)
    if kind == "executable":
        (armed.repo.path / RECORD).chmod(0o755)
    elif kind == "foreign":
        armed.repo.write(".ptguard/run it.sh", "exit 1\n")
    else:
        ignored("executable")(armed)
    push(armed)
    fix = finding(armed.verify("v2.9.0")[1], "smoke")["fix"]
    run("sh", "-c", fix, cwd=armed.repo.path, env={**armed.env, "GNUPGHOME": str(key.home)})
    armed.guard("v2.9.0").accepted("v2.9.0")


def test_a_link_at_an_ignored_path_is_refused(armed: Team) -> None:
    ignored("link")(armed)
    push(armed)
    assert "CHANGELOG.md is left out of the record" in armed.guard("v2.9.0").refused("foreign-file").screen


def test_an_ignored_path_may_change_and_no_other(armed: Team) -> None:
    ignored("plain")(armed)
    push(armed)
    armed.guard("v2.9.0").accepted("v2.9.0")


def test_all_that_is_wrong_is_said_at_once(armed: Team) -> None:
    statement: dict[str, Any] = changed(armed.record(), *FAILED, BY_HAND, ("devices", []), ("environment/torch", "2.8"))
    armed.write_record(statement, signer="bot")
    push(armed)
    armed.guard("v2.9.0").refused("failed", "weak-digest-source", "no-gpu", "version-mismatch", "unknown-signer")
