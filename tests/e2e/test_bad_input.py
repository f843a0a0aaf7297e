"""Bad input of every kind: its exit code, one clear refusal, no traceback, nothing left behind."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.team import RECORD, Team, finding
from tests.support import Repo, run

pytestmark = pytest.mark.e2e


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder of the test's own, so that what is left there shows."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    env["TMPDIR"] = str(folder)
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def said(team: Team, *args: str, code: int, scratch: Path, **env: str) -> str:
    """Run verify in text form, check code and cleanliness, and give what the screen says."""
    done = team.repo.ptguard("verify", *args, env=env)
    text = done.stdout + done.stderr
    assert done.returncode == code, text
    assert "Traceback" not in text
    assert list(scratch.iterdir()) == []
    if code == 2:
        assert done.stdout == "" and done.stderr.startswith("ptguard: refused: ")
    return text


def test_no_policy_on_the_trust_branch(team: Team, scratch: Path) -> None:
    team.tag()
    team.repo.git("rm", "-q", ".ptguard/policy.toml")
    team.repo.commit("Away with it")
    team.push("main")
    text = said(team, "v2.9.0", code=2, scratch=scratch)
    assert "no policy to judge by" in text and "ptguard init" in text
    team.arm()
    assert "no policy to judge by" in team.guard("v2.9.0").refused().screen
    team.guard("main").accepted()


RULE = '[[tags]]\npattern = "v*"\n'
BROKEN: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "empty"),
    "no rule": ("schema = 1\n", "tags"),
    "another schema": ("schema = 2\n", "schema"),
    "no schema": (f'{RULE}checks = ["annotated"]\n', "schema"),
    "no toml": ("[[tags]\n", "line 1"),
    "no text": (b"\xff\xfe\x00", "UTF-8"),
    "a byte order mark": (b"\xef\xbb\xbfschema = 1\n", "byte order mark"),
    "an unknown signer": (f'schema = 1\n{RULE}signers = ["nobody"]\n', "nobody"),
    "an unknown key": (f'schema = 1\n{RULE}signer = ["a"]\nchecks = ["annotated"]\n', "did you mean signers"),
    "an unknown check": (f'schema = 1\n{RULE}checks = ["anotated"]\n', "did you mean annotated"),
    "no checks": (f"schema = 1\n{RULE}checks = []\n", "checks"),
    "no pattern": ('schema = 1\n[[tags]]\nchecks = ["annotated"]\n', "pattern"),
    "a wrong type": ("schema = 1\n[[tags]]\npattern = 3\n", "pattern"),
    "true for one": (f'schema = true\n{RULE}checks = ["annotated"]\n', "schema"),
    "a bad pattern": ('schema = 1\n[[tags]]\npattern = "{version}{version}"\nchecks = ["annotated"]\n', "pattern"),
    "a duration": (f'schema = 1\n{RULE}checks = ["annotated"]\n[limits]\nmax-tag-age = "7"\n', "max-tag-age"),
    "a weak digest": (f'schema = 1\n{RULE}checks = ["annotated"]\n[limits]\ndigests = ["SHA1"]\n', "digests"),
    "no smoke section": (f'schema = 1\n{RULE}checks = ["smoke"]\n', "smoke"),
    "a short key id": (
        (
            f'schema = 1\n{RULE}signers = ["a"]\n[[signers.a.keys]]\nkind = "openpgp"\nfingerprint = "DEADBEEF"\n'
            'file = "keys/li-wei.asc"\n'
        ),
        "short key id",
    ),
    "a key outside": (
        (
            f'schema = 1\n{RULE}signers = ["a"]\n[[signers.a.keys]]\nkind = "openpgp"\nfingerprint = "{"A" * 40}"\n'
            'file = "../evil.asc"\n'
        ),
        "file",
    ),
    "a signer without keys": (f'schema = 1\n{RULE}signers = ["a"]\n[signers.a]\nname = "A"\n', "keys"),
    "an open waiver": (
        f'schema = 1\n{RULE}checks = ["annotated"]\n[[waivers]]\ntag = "v1"\ncheck = "smoke"\nreason = "x"\n',
        "expires",
    ),
    "another trust branch": (f'schema = 1\n{RULE}checks = ["annotated"]\n[trust]\nbranch = "evil"\n', "trust.branch"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_policies_refuse_every_tag(team: Team, scratch: Path, kind: str) -> None:
    text, word = BROKEN[kind]
    team.tag()
    team.repo.write(".ptguard/policy.toml", text)
    team.repo.commit("Broken")
    team.push("main")
    assert word in said(team, "v2.9.0", code=2, scratch=scratch)


def test_a_broken_policy_refuses_a_tag_push_and_no_branch_push(armed: Team) -> None:
    armed.tag()
    armed.write_policy("schema = 2\n")
    armed.repo.commit("Broken")
    armed.push("main")
    code, document = armed.verify("v2.9.0")
    assert code == 2 and document["error"]["kind"] == "policy" and document["tags"] == []
    assert len(document["error"]["problems"]) >= 2
    armed.guard("v2.9.0").refused()
    armed.repo.git("commit", "-q", "--allow-empty", "-m", "work goes on")
    armed.guard("main").accepted()


def _path_without(tmp_path: Path, *missing: str) -> str:
    """Make a PATH that has git and its helpers but not ``missing``."""
    folder = tmp_path / f"bin-without-{'-'.join(missing)}"
    folder.mkdir()
    for directory in ("/usr/bin", "/bin", "/usr/local/bin"):
        for program in Path(directory).glob("*"):
            if program.name not in missing and not (folder / program.name).exists():
                (folder / program.name).symlink_to(program)
    return str(folder)


def test_no_gpg_on_path(team: Team, scratch: Path, tmp_path: Path) -> None:
    team.tag()
    path = _path_without(tmp_path, "gpg", "gpg2")
    text = said(team, "v2.9.0", code=3, scratch=scratch, PATH=path)
    assert "gpg is not installed" in text and "apt-get install gnupg" in text
    team.tag_ssh()
    said(team, "v2.9.0", code=0, scratch=scratch, PATH=path)


def test_no_ssh_keygen_on_path(team: Team, scratch: Path, tmp_path: Path) -> None:
    team.tag()
    text = said(team, "v2.9.0", code=3, scratch=scratch, PATH=_path_without(tmp_path, "ssh-keygen"))
    assert "apt-get install openssh-client" in text


def test_no_git_on_path(team: Team, scratch: Path, tmp_path: Path) -> None:
    text = said(team, "v2.9.0", code=3, scratch=scratch, PATH=_path_without(tmp_path, "git"))
    assert "git is not installed" in text


def test_a_gpg_that_says_nothing_or_lies(team: Team, scratch: Path, tmp_path: Path) -> None:
    team.tag(signer="stranger")
    folder = tmp_path / "fake"
    folder.mkdir()
    fake = folder / "gpg"
    for body in ("exit 0", "echo '[GNUPG:] GOODSIG 0 x' >&2; exit 0", "kill -9 $$"):
        fake.write_text(f"#!/bin/sh\n{body}\n")
        fake.chmod(0o755)
        done = team.repo.ptguard("verify", "v2.9.0", env={"PATH": f"{folder}:{os.environ['PATH']}"})
        assert done.returncode in (1, 3), done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr


def test_not_a_repository(tmp_path: Path, env: dict[str, str]) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    done = Repo(folder, env).ptguard("verify", "v1")
    assert done.returncode == 2 and done.stdout == "" and "not a git repository" in done.stderr
    done = Repo(folder, env).ptguard("verify", "v1", "--format", "json")
    assert done.returncode == 2 and json.loads(done.stdout)["error"]["kind"] == "usage"


@pytest.mark.parametrize("name", ["v9.9.9", "-x", "refs/heads/main", "main", "v2.9.0^{commit}", ""])
def test_an_unknown_tag(team: Team, scratch: Path, name: str) -> None:
    team.tag()
    assert "there is no tag" in said(team, "--", name, code=2, scratch=scratch)


def test_no_tag_at_head(team: Team, scratch: Path) -> None:
    assert "no tag names HEAD" in said(team, code=2, scratch=scratch)
    team.tag()
    said(team, code=0, scratch=scratch)


def test_odd_names_are_judged_and_are_no_options(team: Team, scratch: Path) -> None:
    team.change_policy('pattern = "v*"', 'pattern = "**"')
    oid = team.tag()
    for name in ("-x", "v2.9.0\u3000wide", "x" * 200, "a/b/c", "--format=json"):
        team.repo.git("update-ref", f"refs/tags/{name}", oid)
        text = said(team, "--", name, code=1, scratch=scratch)
        assert "name-mismatch" in text


@pytest.mark.parametrize("data", [b"{", b"\xff" * 100, b"[" * 100_000, b"null\n", b"{}\n", b" " * 2_000_000])
def test_an_unreadable_record(team: Team, scratch: Path, data: bytes) -> None:
    team.repo.write(RECORD, data)
    team.repo.commit("Broken record")
    team.push("main")
    team.tag()
    assert "malformed" in said(team, "v2.9.0", code=1, scratch=scratch)


def test_a_detached_head(team: Team, scratch: Path) -> None:
    team.tag()
    team.repo.git("checkout", "-q", "--detach", "HEAD~")
    said(team, "v2.9.0", code=0, scratch=scratch)
    team.arm()
    team.guard("v2.9.0").accepted("v2.9.0")


def test_a_shallow_clone(team: Team, scratch: Path, tmp_path: Path) -> None:
    team.repo.git("branch", "old", "HEAD")
    team.repo.git("commit", "-q", "--allow-empty", "-m", "main goes on")
    team.repo.git("commit", "-q", "--allow-empty", "-m", "and on")
    team.push("main")
    team.tag("v2.9.0", "old")
    team.push("v2.9.0")
    run("git", "clone", "-q", "--depth=1", f"file://{team.remote}", tmp_path / "shallow", env=team.env)
    shallow = Repo(tmp_path / "shallow", team.env)
    shallow.git("fetch", "-q", "--depth=1", "origin", "tag", "v2.9.0")
    done = shallow.ptguard("verify", "v2.9.0", "--format", "json")
    branch = finding(json.loads(done.stdout), "branch")
    assert done.returncode == 3, done.stdout
    assert (branch["status"], branch["reason"], branch["fix"]) == ("error", "shallow", "git fetch --unshallow")
    shallow.git("fetch", "-q", "--unshallow")
    assert shallow.ptguard("verify", "v2.9.0").returncode == 0


def test_no_remote_at_all(team: Team, scratch: Path) -> None:
    team.tag()
    team.repo.git("remote", "remove", "origin")
    text = said(team, "v2.9.0", code=0, scratch=scratch)
    assert "no remote is configured" in text


def test_an_unreachable_remote_decides_nothing(team: Team, scratch: Path) -> None:
    team.tag()
    team.repo.git("remote", "set-url", "origin", "../nowhere.git")
    text = said(team, "v2.9.0", code=3, scratch=scratch)
    assert "unknown" in text and "git ls-remote origin" in text


def test_a_remote_without_the_trust_branch(armed: Team, tmp_path: Path) -> None:
    run("git", "init", "-q", "--bare", tmp_path / "fresh.git", env=armed.env)
    armed.repo.git("remote", "add", "fresh", str(tmp_path / "fresh.git"))
    armed.tag()
    done = armed.repo.try_git("push", "fresh", "v2.9.0")
    assert done.returncode != 0 and "git push -u fresh main" in done.stderr
    done = armed.repo.try_git("push", "fresh", "main", "v2.9.0")
    assert done.returncode != 0 and "git push -u fresh main, then git push fresh v2.9.0" in done.stderr
    assert armed.repo.try_git("push", "-u", "fresh", "main").returncode == 0
    done = armed.repo.try_git("push", "fresh", "v2.9.0")
    assert done.returncode == 0, done.stderr


def test_a_push_to_a_url_that_no_remote_has(armed: Team, tmp_path: Path) -> None:
    run("git", "init", "-q", "--bare", tmp_path / "else.git", env=armed.env)
    armed.tag()
    done = armed.repo.try_git("push", str(tmp_path / "else.git"), "v2.9.0")
    assert done.returncode != 0 and "git remote add NAME" in done.stderr
    done = armed.repo.try_git("push", "../remote.git", "v2.9.0")
    assert done.returncode == 0, done.stderr


def test_malformed_ref_lines(team: Team) -> None:
    done = team.repo.ptguard("pre-push", "origin", "../remote.git", stdin=b"refs/tags/v1 rubbish\n")
    assert done.returncode == 2 and "not a line of git's pre-push hook" in done.stderr
    assert team.repo.ptguard("pre-push", "origin", "../remote.git", stdin=b"").returncode == 0


def test_the_wrong_call() -> None:
    for args in (["verify", "--no-such-option"], ["no-such-command"], ["pre-push"], ["verify", "--format", "xml"]):
        done = subprocess.run(
            [sys.executable, "-I", "-m", "ptguard", *args], capture_output=True, text=True, check=False
        )
        assert done.returncode == 2 and "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted(team: Team, scratch: Path, tmp_path: Path, number: signal.Signals) -> None:
    team.tag()
    folder = tmp_path / "slow"
    folder.mkdir()
    started = tmp_path / "started"
    (folder / "gpg").write_text(f"#!/bin/sh\ntouch '{started}'\nexec sleep 30\n")
    (folder / "gpg").chmod(0o755)
    env = {**team.env, "PATH": f"{folder}:{os.environ['PATH']}"}
    process = subprocess.Popen(
        [sys.executable, "-I", "-m", "ptguard", "verify", "v2.9.0"],
        cwd=team.repo.path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        for _ in range(200):
            if started.exists():
                break
            time.sleep(0.05)
        assert started.exists()
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, (out, err)
    assert "interrupted" in err and "Traceback" not in err
    assert list(scratch.iterdir()) == []


def test_a_damaged_repository(team: Team, scratch: Path) -> None:
    oid = team.tag()
    path = team.repo.path / ".git/objects" / oid[:2] / oid[2:]
    path.chmod(0o644)
    path.write_bytes(b"rubbish")
    done = team.repo.ptguard("verify", "v2.9.0")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_tag_object_of_many_megabytes_is_refused_by_its_size(team: Team, scratch: Path) -> None:
    head = team.repo.git("rev-parse", "HEAD")
    body = f"object {head}\ntype commit\ntag v2.9.0\ntagger A <a@b.c> 1 +0000\n\n".encode() + b"x" * 20_000_000
    oid = team.repo.git("hash-object", "-t", "tag", "-w", "--stdin", stdin=body)
    team.repo.git("update-ref", "refs/tags/v2.9.0", oid)
    assert "too-large" in said(team, "v2.9.0", code=1, scratch=scratch)


def test_a_sha256_repository(tmp_path: Path, env: dict[str, str], template: Team) -> None:
    root = tmp_path / "sha256"
    root.mkdir()
    team = Team.build(root, env, template.keys, object_format="sha256")
    team.arm()
    oid = team.tag()
    assert len(oid) == 64
    team.guard("v2.9.0").accepted("v2.9.0")
    team.repo.git("tag", "v2.9.1")
    team.guard("v2.9.1").refused("lightweight")


def test_paths_with_spaces_and_letters_of_all_kinds(tmp_path: Path, env: dict[str, str], template: Team) -> None:
    root = tmp_path / "Über mein $(Projekt) 'ß'"
    team = template.copy_to(root, env)
    team.arm()
    team.tag()
    team.guard("v2.9.0").accepted("v2.9.0")
    team.repo.git("tag", "v2.9.1")
    team.guard("v2.9.1").refused("lightweight")
    shutil.rmtree(root)
