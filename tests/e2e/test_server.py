"""Real pushes to a guarded bare repository, from a clone without any guard: what lands, what is said, what is kept."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.team import Team, now
from tests.loopback import processes_of, until
from tests.support import Repo, run

pytestmark = pytest.mark.e2e


def config(team: Team, *args: str) -> None:
    """Set the server's own configuration."""
    run("git", "-C", team.remote, "config", "--local", *args, env=team.env)


def second_clone(team: Team) -> Repo:
    """Give another clone of the remote."""
    path = team.root / "other"
    run("git", "clone", "-q", team.remote, path, env=team.env)
    return Repo(path, team.env)


# ----------------------------------------------------------------------------------- tags


def test_a_good_tag_lands_and_is_receipted(served: Team) -> None:
    tag = served.tag()
    done = served.guard("v2.9.0").accepted("v2.9.0")
    assert "remote: ptguard: accepted v2.9.0" in done.screen
    (receipt,) = served.receipts()
    head = served.repo.git("rev-parse", "HEAD")
    assert (receipt["ref"], receipt["old"], receipt["object"], receipt["commit"]) == (
        "refs/tags/v2.9.0", None, tag, head,
    )  # fmt: skip
    assert (receipt["decision"], receipt["reasons"]) == ("accept", [])
    assert receipt["policy"]["commit"] == head and receipt["policy"]["source"] == "refs/heads/main before this push"


def test_bad_tags_are_refused_with_words_and_receipts(served: Team) -> None:
    served.repo.git("tag", "v2.9.0")
    done = served.guard("v2.9.0").refused("lightweight", "unsigned")
    assert "remote: ptguard: refused v2.9.0" in done.screen and "remote: Nothing was pushed." in done.screen
    served.tag("v2.9.1", signer="mallory")
    served.guard("v2.9.1").refused("unknown-signer", "mismatch", "missing-section")
    assert [(r["decision"], r["reasons"][0]) for r in served.receipts()] == [
        ("refuse", "annotated/lightweight"),
        ("refuse", "signature/unknown-signer"),
    ]


def test_a_published_tag_is_neither_moved_nor_deleted_but_pushed_again(served: Team) -> None:
    served.tag()
    served.guard("v2.9.0").accepted("v2.9.0")
    served.guard(":v2.9.0").refused("deleted")
    served.tag("v2.9.0", "HEAD", "-f", "-m", "again")
    served.guard("-f", "v2.9.0").refused("moved")
    served.guard("--prune", "+refs/tags/*:refs/tags/*").refused("moved")
    served.repo.git("fetch", "-q", "-f", "origin", "refs/tags/v2.9.0:refs/tags/v2.9.0")
    assert served.guard("--tags").code == 0


def test_one_bad_tag_holds_the_whole_push_back(served: Team) -> None:
    served.tag()
    served.repo.git("tag", "v9.9.9")
    served.repo.git("commit", "-q", "--allow-empty", "-m", "more")
    served.guard("main", "v2.9.0", "v9.9.9").refused("lightweight")
    assert [r["decision"] for r in served.receipts()] == ["accept", "refuse"]


def test_twins_and_shadows_both_ways(served: Team) -> None:
    served.tag()
    served.guard("v2.9.0").accepted("v2.9.0")
    served.guard("HEAD:refs/heads/v2.9.0").refused("shadowed")
    served.guard("HEAD:refs/heads/v2.9.1").accepted()
    served.guard("v2.9.0:refs/tags/V2.9.0").refused("case-collision")
    served.guard("v2.9.0:refs/Tags/v2.9.3").refused("case-collision")
    served.release("2.9.1")
    served.tag("v2.9.1")
    served.guard("v2.9.1").refused("shadowed")
    served.guard(":refs/heads/v2.9.1", "v2.9.1").accepted("v2.9.1")


def test_a_branch_and_a_tag_of_one_name_in_one_push(served: Team) -> None:
    served.tag()
    said = served.guard("v2.9.0", "HEAD:refs/heads/v2.9.0").refused("shadowed").screen
    assert "git push origin refs/tags/v2.9.0   # without that branch" in said
    served.guard("refs/tags/v2.9.0").accepted("v2.9.0")


def test_a_symbolic_ref_is_judged_as_what_it_leads_to(served: Team) -> None:
    served.tag()
    served.guard("v2.9.0").accepted("v2.9.0")
    for name, target in (
        ("heads/latest", "tags/v2.9.0"),
        ("tags/latest", "tags/v2.9.0"),
        ("heads/trunk", "heads/main"),
    ):
        run("git", "-C", served.remote, "symbolic-ref", f"refs/{name}", f"refs/{target}", env=served.env)
    served.repo.git("commit", "-q", "--allow-empty", "-m", "more")
    served.guard("-f", "HEAD:refs/heads/latest").refused("moved")
    served.guard("-f", "HEAD:refs/tags/latest").refused("moved")
    assert "would rewind main" in served.guard("-f", "HEAD~2:refs/heads/trunk").refused().screen
    served.guard("HEAD:refs/heads/trunk").accepted()


def test_a_push_that_lies_of_what_stands_there(served: Team) -> None:
    """The old id of a line is the pusher's word."""
    served.tag()
    served.guard("v2.9.0").accepted("v2.9.0")
    moved = served.tag("v2.9.0", "HEAD", "-m", "another")
    hook = served.remote / "hooks" / "pre-receive"
    done = run(hook, cwd=served.remote, env=served.env, check=False,
               stdin=f"{moved} {moved} refs/tags/v2.9.0\n".encode())  # fmt: skip
    assert done.returncode in (1, 3), done.stderr
    for lie in ("0" * 40, moved):
        fetched = run("git", "-C", served.remote, "fetch", "-q", served.repo.path, moved, env=served.env, check=False)
        assert fetched.returncode == 0, fetched.stderr
        done = run(hook, cwd=served.remote, env=served.env, check=False,
                   stdin=f"{lie} {moved} refs/tags/v2.9.0\n".encode())  # fmt: skip
        assert done.returncode == 1 and "moved:" in done.stderr, done.stderr


def test_a_symbolic_ref_to_a_tag_that_is_not_there_yet(served: Team) -> None:
    run("git", "-C", served.remote, "symbolic-ref", "refs/heads/next", "refs/tags/v2.9.0", env=served.env)
    served.guard("HEAD:refs/heads/next").refused("lightweight")
    assert "refs/tags/v2.9.0" not in served.remote_refs()


@pytest.mark.parametrize("ref", ["refs/heads/main", "refs/tags/v2.9.0", "refs/heads/work"])
def test_a_push_that_changes_a_ref_twice(served: Team, ref: str) -> None:
    """git's own client never sends it, and git's server does both: the second from what the first has made."""
    served.tag()
    old, zero = served.repo.git("rev-parse", "HEAD"), "0" * 40
    first = served.repo.commit("Forward")
    run("git", "-C", served.remote, "fetch", "-q", served.repo.path, first, env=served.env)
    stands = served.remote_refs().get(ref, zero)
    lines = f"{stands} {first} {ref}\n{first} {old} {ref}\n"
    if ref == "refs/heads/work":
        lines += f"{zero} {first} refs/heads/other\n"
    hook = served.remote / "hooks" / "pre-receive"
    done = run(hook, cwd=served.remote, env=served.env, check=False, stdin=lines.encode())
    assert done.returncode == 2 and f"several lines for {ref}" in done.stderr, done.stderr


def test_tags_of_another_namespace_are_refused(served: Team) -> None:
    served.tag()
    done = run("git", "push", "origin", "v2.9.0", cwd=served.repo.path, check=False,
               env={**served.env, "GIT_NAMESPACE": "fork"})  # fmt: skip
    assert done.returncode != 0 and "namespace" in done.stderr, done.stderr


# ----------------------------------------------------------------------------------- pushes without tags


def test_a_push_without_tags_starts_no_python(served: Team) -> None:
    hook = served.remote / "hooks" / "pre-receive"
    hook.write_text(hook.read_text().replace(f"python={sys.executable}", "python=/nowhere/python"))
    served.repo.git("branch", "work")
    served.guard("work").accepted()
    served.repo.git("commit", "-q", "--allow-empty", "-m", "more")
    served.guard("HEAD:work").accepted()
    served.guard(":work").accepted()
    said = served.guard("main").refused().screen
    assert "the ptguard that judges tags here is gone from /nowhere/python" in said
    served.tag()
    assert "ptguard install --server" in served.guard("v2.9.0").refused().screen


def test_an_unreadable_policy_refuses_tags_and_never_a_branch(served: Team) -> None:
    served.repo.write(".ptguard/policy.toml", "schema = 1\n[[tags]]\npatern = 'v*'\n")
    served.repo.commit("A slip")
    served.guard("main").accepted()
    served.tag()
    assert "patern" in served.guard("v2.9.0").refused().screen
    assert served.receipts()[-1]["reasons"] == ["error/policy"]
    served.guard("HEAD:refs/heads/work").accepted()
    served.guard("HEAD:refs/heads/v2.9.0").accepted()


# ----------------------------------------------------------------------------------- whose policy


def test_a_signer_that_the_push_itself_adds_is_refused_until_it_is_merged(served: Team) -> None:
    mallory = served.keys.openpgp("mallory")
    served.repo.write(".ptguard/keys/mallory.asc", mallory.public)
    served.write_policy(
        served.policy.replace('signers = ["li-wei", "bot"]', 'signers = ["li-wei", "bot", "mallory"]', 1)
        + f'\n[[signers.mallory.keys]]\nkind = "openpgp"\nfingerprint = "{mallory.fingerprint}"\n'
        'file = "keys/mallory.asc"\n'
    )
    served.repo.commit("Let Mallory release")
    served.tag(signer="mallory")
    served.guard("main", "v2.9.0").refused("unknown-signer")
    served.guard("--atomic", "main", "v2.9.0").refused("unknown-signer")
    served.guard("main").accepted()  # an administrator has merged it
    served.guard("v2.9.0").accepted("v2.9.0")


@pytest.mark.parametrize("memory", [True, False], ids=["seen before", "first push"])
def test_the_trust_branch_keeps_its_policy(served: Team, memory: bool) -> None:
    if memory:
        served.tag()
        served.guard("v2.9.0").accepted("v2.9.0")
    config(served, "receive.denyDeleteCurrent", "ignore")
    start = served.repo.git("rev-parse", "HEAD")
    assert "would delete main" in served.guard(":main").refused().screen
    served.repo.git("commit", "-q", "--amend", "-m", "rewritten")
    assert "would rewind main" in served.guard("-f", "HEAD:main").refused().screen
    served.repo.git("reset", "-q", "--hard", start)
    for change, said in (
        (lambda p: p.unlink(), "away from main: .ptguard/policy.toml is not in commit "),
        (lambda p: p.write_text("# nothing\n"), "empty .ptguard/policy.toml"),
        (lambda p: (p.unlink(), p.symlink_to("/etc/passwd")), "take .ptguard/policy.toml away"),
    ):
        change(served.repo.path / ".ptguard" / "policy.toml")
        served.repo.commit("Away with it")
        served.tag("v9.0.0", signer="mallory")
        assert said in served.guard("main", "v9.0.0").refused().screen
        assert said in served.guard("main").refused().screen
        served.repo.git("reset", "-q", "--hard", start)
    served.repo.write("net.py", "WEIGHTS = []\n")
    served.repo.commit("An honest change")
    served.guard("main").accepted()


def test_a_policy_that_has_gone_opens_no_way_in(served: Team) -> None:
    served.tag()
    served.guard("v2.9.0").accepted("v2.9.0")
    run("git", "-C", served.remote, "update-ref", "-d", "refs/heads/main", env=served.env)
    served.tag("v2.9.2")
    assert "a policy has stood on main here" in served.guard("v2.9.2").refused().screen
    fresh = Repo(served.root / "fresh", served.env)
    run("git", "init", "-q", fresh.path, env=served.env)
    fresh.write(".ptguard/policy.toml", served.policy)
    fresh.commit("A policy of my own")
    done = fresh.try_git("push", str(served.remote), "HEAD:main")
    assert done.returncode != 0 and "does not go on from where its policy stood" in done.stderr, done.stderr
    served.guard("main").accepted()


def test_the_first_release_of_a_new_repository(team: Team) -> None:
    shutil.rmtree(team.remote)
    run("git", "init", "-q", "--bare", team.remote, env=team.env)
    refused = run(sys.executable, "-m", "ptguard", "install", "--server", team.remote, env=team.env, check=False)
    assert refused.returncode == 2 and "--branch main" in refused.stderr, refused.stderr
    team.serve("--branch", "main")
    team.tag()
    said = team.guard("main", "v2.9.0").refused().screen
    assert "git push -u origin main" in said and "git push origin v2.9.0" in said
    team.guard("main").accepted()
    team.guard("v2.9.0").accepted("v2.9.0")


def test_an_administrators_file_outside_decides(served: Team, tmp_path: Path) -> None:
    folder = tmp_path / "policy"
    shutil.copytree(served.repo.path / ".ptguard", folder)
    config(served, "ptguard.policyFile", str(folder / "policy.toml"))
    text = served.policy.replace('signers = ["li-wei", "bot"]', 'signers = ["bot"]', 1)
    (folder / "policy.toml").write_text(text)
    served.tag()
    served.guard("v2.9.0").refused("signer-not-allowed")
    served.tag_ssh()
    served.guard("v2.9.0").accepted("v2.9.0")
    assert served.receipts()[-1]["policy"] == {**served.receipts()[-1]["policy"], "commit": None}


def test_a_slip_of_the_administrator_is_named_with_its_mending(served: Team, tmp_path: Path) -> None:
    served.tag()
    for slip, said in (
        (
            "policy.toml",
            "git config --local ptguard.policyFile /absolute/path/policy.toml   # in the server's repository",
        ),
        ("", "git config --local ptguard.policyFile /absolute/path/policy.toml   # in the server's repository"),
        (f"{tmp_path}/none", f"ls -l {tmp_path}/none   # it must be a file that can be read"),
        (str(tmp_path), f"ls -l {tmp_path}   # it must be a file that can be read"),
    ):
        config(served, "ptguard.policyFile", slip)
        assert f"mend      {said}" in served.guard("v2.9.0").refused().screen
    config(served, "--unset", "ptguard.policyFile")
    config(served, "ptguard.trustBranch", "mian")
    said = served.guard("v2.9.0").refused().screen
    assert "if there never was such a branch, an administrator: git config --local ptguard.trustBranch NAME" in said
    config(served, "ptguard.trustBranch", "main")
    served.guard("v2.9.0").accepted("v2.9.0")


def test_what_the_pusher_configured_has_no_say(served: Team, tmp_path: Path) -> None:
    home = tmp_path / "pusher"
    home.mkdir()
    elsewhere = tmp_path / "hooks"
    elsewhere.mkdir()
    (home / ".gitconfig").write_text(
        (Path(served.env["HOME"]) / ".gitconfig").read_text() + f"[core]\n\thooksPath = {elsewhere}\n"
        "[ptguard]\n\ttrustBranch = evil\n\tpolicyFile = /dev/null\n\tmaxTags = 0\n"
        '[gpg]\n\tprogram = /bin/true\n[gpg "ssh"]\n\tallowedSignersFile = /dev/null\n'
        "[receive]\n\tadvertisePushOptions = true\n"
    )
    pusher = {**served.env, "HOME": str(home), "GIT_GRAFT_FILE": "/dev/null", "GNUPGHOME": str(home)}
    served.repo.git("tag", "-a", "-m", "unsigned", "v2.9.0")
    done = run("git", "push", "-o", "skip=ptguard", "origin", "v2.9.0", cwd=served.repo.path, env=pusher, check=False)
    assert done.returncode != 0 and "unsigned:" in done.stderr, done.stderr
    served.tag()
    done = run("git", "push", "origin", "v2.9.0", cwd=served.repo.path, env=pusher, check=False)
    assert done.returncode == 0, done.stderr


# ----------------------------------------------------------------------------------- branch and tag in one push


def test_a_tag_that_leans_on_its_branch_lands_with_it(served: Team) -> None:
    served.release("2.9.1")
    served.repo.git("commit", "-q", "--allow-empty", "-m", "the last touch")
    served.tag("v2.9.1")
    served.guard("main", "v2.9.1").accepted("v2.9.1")
    assert list((served.remote / "ptguard" / "leaning").iterdir()) != []


def test_a_tag_that_leans_on_its_branch_never_lands_without_it(served: Team) -> None:
    """git refuses the branch after pre-receive has accepted all, and would land the tag alone."""
    served.repo.git("commit", "-q", "--allow-empty", "-m", "the last touch")
    served.tag()
    update = served.remote / "hooks" / "update"
    update.write_text("#!/bin/sh\ncase $1 in refs/heads/*) exit 1 ;; esac\n")
    update.chmod(0o755)
    before = served.remote_refs()
    done = served.repo.try_git("push", "origin", "main", "v2.9.0")
    assert done.returncode != 0
    assert served.remote_refs() == before, done.stderr
    assert "refused refs/tags/v2.9.0: refs/heads/main did not arrive with it" in done.stderr
    update.unlink()
    served.guard("--atomic", "main", "v2.9.0").accepted("v2.9.0")


def test_without_the_transaction_hook_only_what_stood_before_counts(served: Team) -> None:
    (served.remote / "hooks" / "reference-transaction").unlink()
    served.repo.git("commit", "-q", "--allow-empty", "-m", "the last touch")
    served.tag()
    said = served.guard("main", "v2.9.0").refused("not-on-branch").screen
    assert "git push origin main && git push origin v2.9.0" in said
    served.guard("main").accepted()
    served.guard("v2.9.0").accepted("v2.9.0")


def test_a_branch_made_for_the_tag_does_not_count(served: Team) -> None:
    served.repo.git("checkout", "-q", "-b", "wild")
    served.repo.git("commit", "-q", "--allow-empty", "-m", "never reviewed")
    served.tag()
    served.guard("HEAD:refs/heads/release/x", "v2.9.0").refused("not-on-branch")


# ----------------------------------------------------------------------------------- bounds


def test_more_tags_than_the_administrator_allows(served: Team) -> None:
    config(served, "ptguard.maxTags", "2")
    for name in ("a", "b", "c"):
        served.repo.git("tag", name)
    assert "more than the 2 that are judged here at once" in served.guard("--tags").refused().screen
    assert [r["reasons"] for r in served.receipts()] == [["error/usage"]] * 2
    config(served, "ptguard.maxTags", "many")
    assert "not a whole number" in served.guard("a").refused().screen
    served.guard("HEAD:refs/heads/a-new-one").accepted()


def test_a_push_that_takes_too_long_is_called_off(served: Team, tmp_path: Path) -> None:
    config(served, "ptguard.timeout", "1s")
    slow = tmp_path / "bin"
    slow.mkdir()
    (slow / "gpg").write_text("#!/bin/sh\nsleep 300\n")
    (slow / "gpg").chmod(0o755)
    served.tag()
    before = served.remote_refs()
    done = run("git", "push", "origin", "v2.9.0", cwd=served.repo.path, check=False,
               env={**served.env, "PATH": f"{slow}:{served.env['PATH']}"})  # fmt: skip
    assert done.returncode != 0 and "took longer to judge than 1 s" in done.stderr, done.stderr
    assert served.remote_refs() == before
    assert run("pgrep", "-f", str(slow), env=served.env, check=False).stdout == ""
    config(served, "ptguard.timeout", "soon")
    assert "not a duration" in served.guard("v2.9.0").refused().screen
    served.guard("HEAD:refs/heads/a-new-one").accepted()


# ----------------------------------------------------------------------------------- receipts and accidents


def test_where_no_receipt_can_be_written_no_tag_lands(served: Team) -> None:
    (served.remote / "ptguard").mkdir()
    (served.remote / "ptguard" / "receipts.jsonl").mkdir()
    served.tag()
    assert "receipts.jsonl cannot be written" in served.guard("v2.9.0").refused().screen
    served.guard("HEAD:refs/heads/work").accepted()


def test_half_a_line_of_a_killed_writer_is_taken_away(served: Team) -> None:
    served.tag()
    log = served.remote / "ptguard" / "receipts.jsonl"
    served.guard("v2.9.0").accepted("v2.9.0")
    whole = log.read_bytes()
    log.write_bytes(whole + b'{"schema":"ptguard.rec')
    served.guard(":v2.9.0").refused("deleted")
    assert log.read_bytes().startswith(whole) and len(served.receipts()) == 2


def test_two_pushes_of_one_tag_at_the_same_time(served: Team) -> None:
    other = second_clone(served)
    served.tag()
    theirs = Team(served.root, served.env, served.keys, served.policy)
    theirs.repo = other
    theirs.tag("v2.9.0", "HEAD", "-m", "mine")
    for _ in range(3):
        pushes = [
            subprocess.Popen(["git", "push", "origin", "v2.9.0"], cwd=repo.path, env=served.env,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for repo in (served.repo, other)
        ]  # fmt: skip
        said = [push.communicate(timeout=120)[1].decode() for push in pushes]
        assert sorted(push.returncode for push in pushes) in ([0, 1], [1, 1]), said
        if "refs/tags/v2.9.0" in served.remote_refs():
            break
    assert len([r for r in served.receipts() if r["decision"] == "accept"]) >= 1
    assert {r["object"] for r in served.receipts()} == {
        served.repo.git("rev-parse", "refs/tags/v2.9.0"), other.git("rev-parse", "refs/tags/v2.9.0"),
    }  # fmt: skip
    landed = served.remote_refs()["refs/tags/v2.9.0"]
    assert landed in {r["object"] for r in served.receipts() if r["decision"] == "accept"}


def test_a_server_killed_in_the_middle_of_the_hook(served: Team, tmp_path: Path) -> None:
    """Whatever is killed, and whenever: no ref, no broken line, and the next push goes through."""
    slow = tmp_path / "bin"
    slow.mkdir()
    flag = tmp_path / "here"
    (slow / "gpg").write_text(f"#!/bin/sh\ntouch {flag}\nsleep 300\n")
    (slow / "gpg").chmod(0o755)
    served.tag()
    before = served.remote_refs()
    # What is killed takes no way out, so its folder stays.
    env = {**served.env, "PATH": f"{slow}:{served.env['PATH']}", "TMPDIR": str(tmp_path)}
    push = subprocess.Popen(["git", "push", "origin", "v2.9.0"], cwd=served.repo.path, env=env,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)  # fmt: skip
    until(flag.exists, "gpg is asked")
    for line in processes_of(served.root):  # this push's alone: others run beside it
        if "receive" in line:
            os.kill(int(line.split()[0]), signal.SIGKILL)
    push.communicate(timeout=120)
    assert push.returncode != 0
    run("pkill", "-KILL", "-f", str(slow), env=served.env, check=False)
    assert served.remote_refs() == before
    assert served.receipts() == []
    served.guard("v2.9.0").accepted("v2.9.0")
    assert len(served.receipts()) == 1


# ----------------------------------------------------------------------------------- how it reads


def test_under_gitlab_every_line_begins_as_gitlab_shows_it(served: Team) -> None:
    served.repo.git("tag", "v2.9.0")
    env = {**served.env, "GL_REPOSITORY": "project-1", "GL_ID": "user-1", "GL_USERNAME": "li"}
    done = run("git", "push", "origin", "v2.9.0", cwd=served.repo.path, env=env, check=False)
    said = [line.removeprefix("remote: ") for line in done.stderr.splitlines() if line.startswith("remote: ")]
    ours = [line for line in said if line.strip()]
    assert ours and all(line.startswith("GL-HOOK-ERR: ") for line in ours), done.stderr
    assert served.receipts()[0]["pusher"] == "li"


def test_ten_tags_in_one_push(served: Team) -> None:
    for number in range(10):
        served.tag(f"v2.9.0.post{number}")
    done = served.guard("--tags")
    done.refused("mismatch")
    assert len(served.receipts()) == 10 and len({r["push"] for r in served.receipts()}) == 1
    assert all(r["at"] >= now().strftime("%Y") for r in served.receipts())
    assert json.dumps(served.receipts()[0]).isascii()
