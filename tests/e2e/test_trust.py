"""What counts is the tagged commit and the trusted branch; nothing that lies around in the clone changes a verdict."""

import stat
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.team import HOOK_SOURCE, Team, finding
from tests.support import gpg, run

pytestmark = pytest.mark.e2e
STRANGER = "stranger"


# --------------------------------------------------------------------------------------------- contrary work trees


def test_the_work_tree_changes_no_verdict(armed: Team) -> None:
    armed.tag()
    armed.repo.write("CHANGELOG.md", "nothing here\n")
    armed.repo.write("pyproject.toml", '[project]\nname = "net"\nversion = "9.9"\n')
    armed.repo.write("Dockerfile", "FROM scratch\n")
    armed.repo.write(".ptguard/policy.toml", "schema = 1\n")
    armed.repo.write(".ptguard/keys/li-wei.asc", "no key\n")
    armed.repo.write(".ptguard/evil.py", "print('ran')\n")
    armed.guard("v2.9.0").accepted("v2.9.0")


@pytest.mark.parametrize(
    ("path", "bad", "reason"),
    [
        ("CHANGELOG.md", "# Changelog\n\n## [1.0.0] - 2020-01-01\n\n- old\n", "missing-section"),
        ("pyproject.toml", '[project]\nname = "net"\nversion = "2.8.0"\n', "mismatch"),
        ("Dockerfile", "FROM pytorch/pytorch:2.9.0-cuda12.8-cudnn9-devel\n", "not-pinned"),
    ],
)
def test_a_good_work_tree_does_not_mend_a_bad_commit(armed: Team, path: str, bad: str, reason: str) -> None:
    text = (armed.repo.path / path).read_text()
    armed.repo.write(path, bad)
    armed.settle()
    armed.tag()
    armed.repo.write(path, text)
    armed.guard("v2.9.0").refused(reason)
    armed.repo.git("add", path)
    armed.guard("v2.9.0").refused(reason)


def test_a_policy_in_the_tagged_commit_or_in_the_same_push_authorizes_nobody(armed: Team) -> None:
    stranger = armed.keys.openpgp(STRANGER)
    armed.repo.git("checkout", "-q", "-b", "own-rules")
    armed.repo.write(".ptguard/keys/li-wei.asc", stranger.public)
    text = armed.default_policy().replace(armed.keys.openpgp("li-wei").fingerprint, stranger.fingerprint)
    armed.write_policy(text)
    armed.repo.commit("My own key")
    armed.tag(signer=STRANGER)
    armed.guard("v2.9.0").refused("unknown-signer")
    armed.guard("own-rules:main", "v2.9.0").refused("unknown-signer")
    armed.guard("--force", "own-rules:refs/heads/main", "v2.9.0").refused("unknown-signer")
    # After the branch alone has been pushed (and reviewed), the new policy counts.
    armed.guard("own-rules:main").accepted()
    armed.guard("v2.9.0").accepted("v2.9.0")


def test_a_weaker_policy_in_the_work_tree_or_on_a_local_branch_does_not_count(armed: Team) -> None:
    weak = armed.default_policy().replace('signers = ["li-wei", "bot"]', 'checks = ["annotated"]\nsigners = []')
    armed.write_policy(weak)
    armed.repo.git("tag", "-a", "-m", "x", "v2.9.0")
    armed.guard("v2.9.0").refused("unsigned")
    armed.repo.commit("Weak, on local main only")
    armed.guard("v2.9.0").refused("unsigned")


# --------------------------------------------------------------------------------------------- the user's settings


def _openpgp_home(armed: Team, name: str, home: Path) -> Path:
    """Make a keyring that holds the stranger's key with ultimate trust, as a user may have it."""
    home.mkdir(mode=0o700, parents=True)
    key = armed.keys.openpgp(name)
    gpg(home, "--import", stdin=key.public)
    gpg(home, "--import-ownertrust", stdin=f"{key.fingerprint}:6:\n".encode())
    return home


def test_the_users_keyring_and_gpg_conf_play_no_part(armed: Team, env: dict[str, str]) -> None:
    armed.tag(signer=STRANGER)
    home = _openpgp_home(armed, STRANGER, Path(env["HOME"]) / ".gnupg")
    armed.guard("v2.9.0").refused("unknown-signer")
    env["GNUPGHOME"] = str(home)
    armed.guard("v2.9.0").refused("unknown-signer")
    armed.tag()
    (home / "gpg.conf").write_text("no-such-option\nassert-pubkey-algo rsa8192\nstatus-file /dev/null\n")
    armed.guard("v2.9.0").accepted("v2.9.0")


@pytest.mark.parametrize("scope", ["--local", "--global"])
def test_gpg_program_and_allowed_signers_of_git_play_no_part(armed: Team, tmp_path: Path, scope: str) -> None:
    allowed = tmp_path / "allowed"
    allowed.write_text(f"* {armed.keys.ssh('ssh-stranger').public}\n")
    for key, value in (
        ("gpg.program", "/bin/true"),
        ("gpg.ssh.program", "/bin/true"),
        ("gpg.ssh.allowedSignersFile", str(allowed)),
        ("gpg.minTrustLevel", "never"),
    ):
        armed.repo.git("config", scope, key, value)
    for make in (
        lambda: armed.tag(signer=STRANGER),
        lambda: _raw_ssh_tag(armed, "ssh-stranger"),
    ):
        make()
        armed.guard("v2.9.0").refused("unknown-signer")
    armed.repo.git("tag", "-f", "-a", "-m", "x", "v2.9.0")
    armed.guard("v2.9.0").refused("unsigned")
    armed.tag()
    armed.guard("v2.9.0").accepted("v2.9.0")


def _raw_ssh_tag(armed: Team, signer: str) -> None:
    """Make an SSH-signed tag v2.9.0 without git's own signing, which the settings under test would break."""
    head = armed.repo.git("rev-parse", "HEAD")
    body = (
        f"object {head}\ntype commit\ntag v2.9.0\n"
        f"tagger Li Wei <li.wei@example.com> {int(time.time())} +0000\n\nRelease\n"
    ).encode()
    signed = body + armed.keys.ssh(signer).sign(body, "git")
    oid = armed.repo.git("hash-object", "-t", "tag", "-w", "--stdin", stdin=signed)
    armed.repo.git("update-ref", "refs/tags/v2.9.0", oid)


def test_configuration_from_the_environment_plays_no_part(armed: Team, env: dict[str, str], tmp_path: Path) -> None:
    weak = tmp_path / "weak.toml"
    weak.write_text('schema = 1\n[[tags]]\npattern = "*"\nchecks = ["annotated"]\n')
    armed.repo.git("tag", "-a", "-m", "x", "v2.9.0")
    env |= {
        "GIT_CONFIG_COUNT": "3",
        "GIT_CONFIG_KEY_0": "ptguard.policyFile", "GIT_CONFIG_VALUE_0": str(weak),
        "GIT_CONFIG_KEY_1": "remote.origin.ptguard", "GIT_CONFIG_VALUE_1": "false",
        "GIT_CONFIG_KEY_2": "gpg.program", "GIT_CONFIG_VALUE_2": "/bin/true",
        "GIT_CONFIG_PARAMETERS": f"'ptguard.policyFile={weak}'",
    }  # fmt: skip
    armed.guard("v2.9.0").refused("unsigned")
    run("git", "config", "--global", "ptguard.policyFile", str(weak), env=env)
    run("git", "config", "--global", "remote.origin.ptguard", "false", env=env)
    armed.guard("v2.9.0").refused("unsigned")


def test_replace_refs_and_grafts_play_no_part(armed: Team) -> None:
    good = armed.tag()
    armed.repo.git("tag", "-f", "-a", "-m", "unsigned", "v2.9.0")
    bad = armed.repo.git("rev-parse", "refs/tags/v2.9.0")
    armed.repo.git("replace", bad, good)
    assert "BEGIN PGP SIGNATURE" in armed.repo.git("cat-file", "tag", "v2.9.0")
    armed.guard("v2.9.0").refused("unsigned")
    head = armed.repo.git("rev-parse", "HEAD")
    armed.repo.git("checkout", "-q", "--orphan", "alone")
    alone = armed.repo.commit("not on main")
    armed.repo.git("replace", "-d", bad)
    armed.tag()
    (armed.repo.path / ".git/info").mkdir(exist_ok=True)
    (armed.repo.path / ".git/info/grafts").write_text(f"{head} {alone}\n")
    armed.guard("v2.9.0").refused("not-on-branch")


def test_code_in_the_repository_is_not_imported(armed: Team) -> None:
    for name in ("git.py", "gnupg.py", "ptguard.py", "click.py", "sitecustomize.py"):
        armed.repo.write(name, "raise SystemExit('ran the code of the repository')\n")
    armed.settle("Modules with clever names")
    armed.tag()
    done = armed.guard("v2.9.0").accepted("v2.9.0")
    assert "ran the code" not in done.screen


# --------------------------------------------------------------------------------------------- the hook itself


def test_a_push_without_tags_starts_no_python(armed: Team, env: dict[str, str], tmp_path: Path) -> None:
    hook = Path(armed.repo.git("rev-parse", "--git-path", "hooks/pre-push"))
    hook = hook if hook.is_absolute() else armed.repo.path / hook
    trap = tmp_path / "bin"
    trap.mkdir()
    log = tmp_path / "started"
    for name in ("python", "python3", "ptguard"):
        (trap / name).write_text(f"#!/bin/sh\necho {name} >> '{log}'\nexit 1\n")
        (trap / name).chmod(0o755)
    text = hook.read_text()
    assert sys.executable in text
    hook.write_text(text.replace(sys.executable, str(tmp_path / "gone" / "python")))
    env["PATH"] = f"{trap}:/usr/bin:/bin"
    armed.repo.git("commit", "-q", "--allow-empty", "-m", "no release")
    armed.guard("main").accepted()
    assert not log.exists()
    armed.tag()
    (trap / "ptguard").unlink()
    done = armed.guard("v2.9.0").refused()
    assert not log.exists() and "ptguard install" in done.screen


def test_the_hook_is_executable_and_the_one_that_ships(armed: Team) -> None:
    hook = armed.repo.path / ".git/hooks/pre-push"
    assert stat.S_IMODE(hook.stat().st_mode) & 0o111
    shipped = HOOK_SOURCE.read_text().splitlines()
    differing = [line for line in hook.read_text().splitlines() if line not in shipped]
    assert len(differing) <= 2, differing


def test_no_remote_head_and_other_names_of_the_trust_branch(team: Team) -> None:
    team.tag()
    team.repo.git("remote", "set-head", "origin", "-d")
    assert team.verify("v2.9.0")[0] == 0
    team.repo.git("config", "ptguard.trustBranch", "stable")
    code, document = team.verify("v2.9.0")
    assert code == 2 and "git fetch origin +refs/heads/stable" in document["error"]["fix"]
    team.push("main:refs/heads/stable")
    team.repo.git("fetch", "-q", "origin")
    code, document = team.verify("v2.9.0")
    assert code == 2 and document["error"]["kind"] == "policy"  # [trust] branch = "main" contradicts
    assert any("trust" in problem for problem in document["error"]["problems"])


def test_policy_by_name(team: Team, tmp_path: Path) -> None:
    team.repo.git("tag", "-a", "-m", "x", "v2.9.0")
    lax = tmp_path / "lax.toml"
    lax.write_text('schema = 1\n[[tags]]\npattern = "v*"\nchecks = ["annotated"]\n')
    code, document = team.verify("--policy-file", str(lax), "v2.9.0")
    assert code == 0 and document["policy"]["commit"] is None and document["policy"]["source"] == str(lax)
    team.repo.git("config", "ptguard.policyFile", str(lax))
    assert team.verify("v2.9.0")[0] == 0
    code, document = team.verify("--policy-ref", "refs/heads/main", "v2.9.0")
    assert code == 1 and document["policy"]["source"] == "refs/heads/main"
    assert finding(document, "signature")["reason"] == "unsigned"


def test_a_stale_policy_says_so(team: Team, tmp_path: Path) -> None:
    team.tag()
    other = run("git", "clone", "-q", team.remote, tmp_path / "other", env=team.env)
    assert other.returncode == 0
    run("git", "-C", tmp_path / "other", "commit", "-q", "--allow-empty", "-m", "later", env=team.env)
    run("git", "-C", tmp_path / "other", "push", "-q", "origin", "HEAD:main", env=team.env)
    code, document = team.verify("v2.9.0")
    assert document["policy"]["stale"] is True and any("git fetch" in note for note in document["notes"])
    assert code in (0, 3)
    team.repo.git("fetch", "-q")
    assert team.verify("v2.9.0")[1]["policy"]["stale"] is False
