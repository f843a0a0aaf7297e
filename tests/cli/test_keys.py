"""`ptguard keys` for real: the changed policy is one that the guard reads, and does what was asked."""

import json
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.e2e.team import Team
from tests.support import KeyChain, gpg, run


@pytest.fixture
def team(template: Team, tmp_path: Path, env: dict[str, str]) -> Team:
    return template.copy_to(tmp_path / "team", env)


def text(team: Team) -> str:
    return (team.repo.path / ".ptguard" / "policy.toml").read_text()


def keys(team: Team, *args: str) -> subprocess.CompletedProcess[str]:
    return team.repo.ptguard("keys", *args)


def publish(team: Team, printed: str) -> None:
    """Do as the last line says, and bring it to the trust branch."""
    (step,) = [line for line in printed.splitlines() if line.startswith("next: ")]
    run("sh", "-c", step.removeprefix("next: "), cwd=team.repo.path, env=team.repo.env)
    team.push("main")


def test_the_list_is_that_of_the_trusted_policy(team: Team) -> None:
    done = keys(team, "list")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:2] == [
        "li-wei (Li Wei): v*",
        f"  openpgp  {team.keys.openpgp('li-wei').fingerprint}  active, no end",
    ]
    assert "bot: v*, nightly-*" in done.stdout.splitlines()
    assert "runner: smoke" in done.stdout.splitlines()
    team.write_policy(team.policy.replace("[signers.runner]", "[signers.another]"))
    assert "another" not in keys(team, "list").stdout  # only what is on the trust branch counts
    rows = json.loads(keys(team, "list", "--format", "json").stdout)["keys"]
    assert [row["signer"] for row in rows] == ["li-wei", "bot", "runner"]


def test_a_key_that_ends_soon_is_marked(team: Team, keychain: KeyChain) -> None:
    soon = keychain.openpgp("soon", "ed25519", "20d")
    (team.repo.path / "soon.asc").write_bytes(soon.public)
    publish(team, keys(team, "add", "li-wei", "soon.asc").stdout)
    (line,) = [line for line in keys(team, "list").stdout.splitlines() if soon.fingerprint in line]
    assert "! expires within 20 days" in line
    (end,) = [
        x.split(":")[6] for x in gpg(soon.home, "--with-colons", "--list-keys").decode().splitlines() if x[:3] == "pub"
    ]
    assert f"until {datetime.fromtimestamp(int(end), UTC):%Y-%m-%d}" in line


def test_an_added_key_releases_and_all_else_stays_byte_for_byte(team: Team, keychain: KeyChain) -> None:
    before, new = text(team), keychain.ssh("second-bot")
    team.arm()
    team.tag_ssh(signer="second-bot")
    team.guard("v2.9.0").refused("unknown-signer")
    done = keys(team, "add", "bot", f"{new.private}.pub")
    assert done.returncode == 0, done.stderr
    assert text(team).startswith(before)
    assert f'+public-key = "{new.public} bot"' in done.stdout
    assert team.repo.git("status", "--porcelain").split() == ["M", ".ptguard/policy.toml"]
    publish(team, done.stdout)
    team.tag_ssh(signer="second-bot")
    team.guard("v2.9.0").accepted("v2.9.0")


@pytest.mark.parametrize("how", ["keyring", "file", "configured"])
def test_an_openpgp_key_is_reduced_to_what_verifying_needs(team: Team, keychain: KeyChain, how: str) -> None:
    new = keychain.openpgp("second-wei")
    signer = keychain.openpgp("stranger")
    gpg(signer.home, "--import", stdin=new.public)
    gpg(signer.home, "--quick-sign-key", new.fingerprint)  # a signature of another's: nobody here needs it
    certified = gpg(signer.home, "--armor", "--export", new.fingerprint)
    assert len(certified) > len(new.public)
    team.repo.env["GNUPGHOME"] = str(new.home)
    gpg(new.home, "--import", stdin=certified)
    (team.root / "new.asc").write_bytes(certified)
    named: dict[str, tuple[str, ...]] = {
        "keyring": (new.fingerprint.lower(),), "file": (str(team.root / "new.asc"),), "configured": (),
    }  # fmt: skip
    team.repo.git("config", "user.signingkey", new.fingerprint)
    done = keys(team, "add", "wei-2", *named[how], "--name", "Wei the Second")
    assert done.returncode == 0, done.stderr
    path = f".ptguard/keys/wei-2-{new.fingerprint[-16:].lower()}.asc"
    assert f"new file {path}" in done.stdout
    assert len((team.repo.path / path).read_bytes()) <= len(new.public) + 64
    assert 'note: wei-2 may sign nothing yet: add "wei-2" to signers' in done.stdout
    publish(team, done.stdout)
    assert new.fingerprint in keys(team, "list").stdout
    assert not list(Path(os.environ.get("TMPDIR", "/tmp")).glob("ptguard-*/pubring.kbx"))


def test_a_retired_key_keeps_what_it_signed_and_a_compromised_one_loses_it(team: Team) -> None:
    team.tag()
    team.push("v2.9.0")
    fingerprint = team.keys.openpgp("li-wei").fingerprint
    publish(team, keys(team, "retire", fingerprint).stdout)
    assert team.verify("v2.9.0", "--published")[0] == 0
    assert team.verify("v2.9.0")[0] == 1
    publish(team, keys(team, "compromise", fingerprint.lower()).stdout)
    code, document = team.verify("v2.9.0", "--published")
    assert code == 1
    reasons = [f["reason"] for f in document["tags"][0]["findings"] if f["check"] == "signature"]
    assert reasons == ["compromised-key"]
    ssh = keys(team, "retire", run("ssh-keygen", "-lf", team.keys.ssh("bot").private).stdout.split()[1])
    assert ssh.returncode == 0, ssh.stderr


def test_a_dry_run_writes_nothing(team: Team, keychain: KeyChain) -> None:
    for args in (
        ("add", "bot", keychain.ssh("second-bot").public),
        ("retire", team.keys.openpgp("li-wei").fingerprint),
    ):
        done = keys(team, *args, "--dry-run")
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("--- a/.ptguard/policy.toml")
        assert "would be: git add" in done.stdout
        assert team.repo.git("status", "--porcelain") == ""


def test_what_cannot_be_done_is_refused_and_nothing_is_written(team: Team, keychain: KeyChain) -> None:
    private = keychain.ssh("second-bot").private
    for args, words in (
        (("add", "bot", keychain.ssh("bot").public), "bot has the key SHA256:"),
        (("add", "li-wei", keychain.ssh("bot").public), "bot has the key SHA256:"),
        (("add", "Li Wei", keychain.ssh("x").public), "is no id of a signer"),
        (("add", "../x", keychain.ssh("x").public), "is no id of a signer"),
        (("add", "bot", str(private)), "is a private key, which never belongs here"),
        (("add", "bot", "0123456789ABCDEF"), "is no key"),
        (("add", "bot", "F" * 40), "could not export"),
        (("add", "bot"), "git has no user.signingkey"),
        (("retire", "0" * 40), "the policy has no key"),
        (("retire", "\x1b[31m"), "the policy has no key \\x1b[31m"),
    ):
        done = keys(team, *args)
        assert done.returncode in (2, 3), (args, done.stdout, done.stderr)
        assert words in done.stderr, (args, done.stderr)
        assert team.repo.git("status", "--porcelain") == ""
    fingerprint = team.keys.openpgp("li-wei").fingerprint
    assert keys(team, "compromise", fingerprint).returncode == 0
    again = keys(team, "compromise", fingerprint)
    assert again.returncode == 2 and "is compromised already" in again.stderr


def test_a_policy_that_is_a_link_or_not_there_is_not_written(team: Team, keychain: KeyChain) -> None:
    policy = team.repo.path / ".ptguard" / "policy.toml"
    policy.rename(team.root / "elsewhere.toml")
    done = keys(team, "add", "bot", keychain.ssh("x").public)
    assert done.returncode == 2 and "no policy to change" in done.stderr
    before = (team.root / "elsewhere.toml").read_text()
    policy.symlink_to(team.root / "elsewhere.toml")
    done = keys(team, "add", "bot", keychain.ssh("x").public)
    assert done.returncode == 2 and "symbolic link" in done.stderr
    assert (team.root / "elsewhere.toml").read_text() == before
