"""Pushes that no honest git would make, at a guarded bare repository: what they say counts for nothing."""

import shutil
from pathlib import Path

import pytest

from tests import newgit
from tests.e2e.rawpush import ZERO, raw_push
from tests.e2e.team import Team
from tests.support import run

pytestmark = pytest.mark.e2e


def test_two_lines_for_the_trust_branch(served: Team) -> None:
    """git takes the lines one after the other, so the second may do what the first was judged for."""
    tip = served.repo.git("rev-parse", "HEAD")
    served.repo.git("checkout", "-q", "--orphan", "evil")
    served.write_policy(served.policy + "# mine\n")
    evil = served.repo.commit("A policy of my own")
    said = raw_push(served.repo, served.remote, [(tip, tip, "refs/heads/main"), (tip, evil, "refs/heads/main")])
    assert served.remote_refs()["refs/heads/main"] == tip, said
    assert "several lines for refs/heads/main" in said
    assert "ok refs/heads/main" in raw_push(served.repo, served.remote, [(tip, tip, "refs/heads/main")])


def test_a_trust_branch_that_is_a_symbolic_ref(served: Team) -> None:
    run("git", "-C", served.remote, "update-ref", "refs/heads/trunk", "refs/heads/main", env=served.env)
    run("git", "-C", served.remote, "symbolic-ref", "refs/heads/main", "refs/heads/trunk", env=served.env)
    served.repo.git("checkout", "-q", "--orphan", "evil")
    served.write_policy(served.policy + "# mine\n")
    served.repo.commit("A policy of my own")
    for name in ("trunk", "main"):
        assert "would rewind main" in served.guard("-f", f"HEAD:{name}").refused().screen
    assert "would delete main" in served.guard(":trunk").refused().screen


def test_a_symbolic_ref_that_leads_to_no_tag_yet(served: Team) -> None:
    run("git", "-C", served.remote, "symbolic-ref", "refs/heads/latest", "refs/tags/v6.6.6", env=served.env)
    served.guard("HEAD:refs/heads/latest").refused("lightweight")
    served.tag("v6.6.5")
    run("git", "-C", served.remote, "symbolic-ref", "refs/tags/v6.6.5", "refs/tags/v6.6.6", env=served.env)
    served.guard("v6.6.5").refused("name-mismatch")
    served.guard("HEAD:refs/heads/earliest").accepted()


def test_a_symbolic_ref_as_a_link(served: Team) -> None:
    served.tag()
    served.guard("v2.9.0").accepted("v2.9.0")
    (served.remote / "refs" / "heads" / "latest").symlink_to("refs/tags/v2.9.0")
    (served.remote / "refs" / "heads" / "next").symlink_to("refs/tags/v2.9.1")
    served.repo.git("commit", "-q", "--allow-empty", "-m", "more")
    served.guard("-f", "HEAD:refs/heads/latest").refused("moved")
    served.guard("-f", "HEAD:refs/heads/next").refused("lightweight")


def test_a_refused_push_frees_no_tag_that_leans(served: Team) -> None:
    served.repo.git("commit", "-q", "--allow-empty", "-m", "never on main")
    tag = served.tag()
    hook = served.remote / "hooks" / "update"
    tip = served.remote_refs()["refs/heads/main"]
    hook.write_text(
        "#!/bin/sh\ncase $1 in refs/heads/*) ;; *) exit 0 ;; esac\n"
        f"echo '{ZERO} {tag} refs/tags/v2.9.0' | env -u GIT_QUARANTINE_PATH {served.remote}/hooks/pre-receive >&2\n"
        "exit 1\n"
    )
    hook.chmod(0o755)
    said = raw_push(
        served.repo,
        served.remote,
        [(tip, served.repo.git("rev-parse", "HEAD"), "refs/heads/main"), (ZERO, tag, "refs/tags/v2.9.0")],
    )
    assert "not-on-branch" in said
    assert "refs/tags/v2.9.0" not in served.remote_refs(), said


def test_a_tag_that_leans_and_comes_by_a_symbolic_ref(served: Team) -> None:
    ref = "refs/x/latest"
    run("git", "-C", served.remote, "symbolic-ref", ref, "refs/tags/v2.9.0", env=served.env)
    tip = served.remote_refs()["refs/heads/main"]
    served.repo.git("commit", "-q", "--allow-empty", "-m", "more")
    lines = [(tip, served.repo.git("rev-parse", "HEAD"), "refs/heads/main"), (ZERO, served.tag(), ref)]
    hook = served.remote / "hooks" / "update"
    hook.write_text("#!/bin/sh\ncase $1 in refs/heads/main) exit 1 ;; esac\n")
    hook.chmod(0o755)
    said = raw_push(served.repo, served.remote, lines)
    assert "refs/heads/main did not arrive with it" in said
    assert served.remote_refs().keys() == {"refs/heads/main"}
    hook.unlink()
    raw_push(served.repo, served.remote, lines)
    assert "refs/tags/v2.9.0" in served.remote_refs()


@pytest.mark.parametrize("git", ["git", *([newgit.REAL] if newgit.REAL else [])])
def test_a_tag_does_not_land_where_its_branch_has_lost_a_race(served: Team, git: str) -> None:
    tip = served.remote_refs()["refs/heads/main"]
    faster = served.repo.git("commit-tree", "-p", tip, "-m", "faster", "HEAD^{tree}")
    served.repo.git("push", "-q", "origin", f"{faster}:refs/heads/work")
    hook = served.remote / "hooks" / "pre-receive.ptguard-chained"
    hook.write_text(f"#!/bin/sh\nunset GIT_QUARANTINE_PATH\ngit update-ref refs/heads/main {faster}\n")
    hook.chmod(0o755)
    served.repo.git("commit", "-q", "--allow-empty", "-m", "slower")
    lines = [(tip, served.repo.git("rev-parse", "HEAD"), "refs/heads/main"), (ZERO, served.tag(), "refs/tags/v2.9.0")]
    said = raw_push(served.repo, served.remote, lines, git=git)
    assert "refs/tags/v2.9.0" not in served.remote_refs(), said
    assert served.remote_refs()["refs/heads/main"] == faster
    assert "refs/heads/main did not arrive with it" in said


def test_an_old_id_that_another_push_is_about_to_bring(served: Team) -> None:
    """git takes the old id for a promise, and would move the tag if it has come to stand there meanwhile."""
    first = served.tag()
    second = served.tag("v2.9.0", "HEAD", "-m", "again")
    run("git", "-C", served.remote, "fetch", "-q", served.repo.path, first, env=served.env, check=False)
    hook = served.remote / "hooks" / "pre-receive.ptguard-chained"
    hook.write_text(f"#!/bin/sh\nunset GIT_QUARANTINE_PATH\ngit update-ref refs/tags/v2.9.0 {first}\n")
    hook.chmod(0o755)
    said = raw_push(served.repo, served.remote, [(first, second, "refs/tags/v2.9.0")])
    assert "refs/tags/v2.9.0" not in served.remote_refs(), said
    assert "has changed on the server since this push was made" in said
    said = raw_push(
        served.repo, served.remote, [(first, second, "refs/tags/v2.9.0"), (ZERO, second, "refs/tags/v2.9.0")]
    )
    assert "several lines for refs/tags/v2.9.0" in said
    assert [r["reasons"] for r in served.receipts()] == [["error/usage"]] * 3


@pytest.mark.parametrize("way", ["files", *(["reftable"] if newgit.REAL else [])])
def test_however_git_keeps_its_refs(
    team: Team, way: str, tmp_path: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a reftable a symbolic ref is no file to look into (git 2.45 and later)."""
    if way == "reftable":
        newgit.use_new(tmp_path / "new git", env, monkeypatch)
        shutil.rmtree(team.remote)
        run("git", "init", "-q", "--bare", "--ref-format=reftable", team.remote, env=team.env)
        team.push("main")
    team.serve()
    team.guard("HEAD:refs/heads/work").accepted()
    run("git", "-C", team.remote, "symbolic-ref", "refs/heads/latest", "refs/tags/v2.9.0", env=team.env)
    team.guard("HEAD:refs/heads/latest").refused("lightweight")
    team.tag()
    team.guard("v2.9.0").accepted("v2.9.0")
    team.repo.git("commit", "-q", "--allow-empty", "-m", "more")
    team.guard("-f", "HEAD:refs/heads/latest").refused("moved")
    team.guard(":v2.9.0").refused("deleted")
    team.guard(":main").refused()
    tag = team.tag("v2.9.0.post1")
    hook = team.remote / "hooks" / "update"
    hook.write_text("#!/bin/sh\ncase $1 in refs/heads/*) exit 1 ;; esac\n")
    hook.chmod(0o755)
    team.repo.try_git("push", "origin", "main", "v2.9.0.post1")
    assert tag not in team.remote_refs().values()


def test_a_push_of_branches_to_a_namespace_is_left_alone(served: Team) -> None:
    served.repo.git("checkout", "-q", "--orphan", "fork")
    served.repo.git("commit", "-q", "-m", "other")
    env = {**served.env, "GIT_NAMESPACE": "fork"}
    for spec in ("HEAD:main", "+HEAD~0:main", ":main"):
        done = run("git", "push", "origin", spec, cwd=served.repo.path, env=env, check=False)
        assert done.returncode == 0, done.stderr


def test_a_push_to_a_linked_work_tree_of_the_server(served: Team) -> None:
    served.tag()
    served.guard("v2.9.0").accepted("v2.9.0")
    run("git", "-C", served.remote, "symbolic-ref", "refs/heads/latest", "refs/tags/v2.9.0", env=served.env)
    tree = served.root / "tree"
    run("git", "-C", served.remote, "worktree", "add", "-q", "--detach", tree, env=served.env)
    served.repo.git("commit", "-q", "--allow-empty", "-m", "more")
    before = served.remote_refs()
    for place in (tree, served.remote / "worktrees" / "tree"):
        done = served.repo.try_git("push", "-f", str(place), "HEAD:refs/heads/latest")
        assert done.returncode != 0 and "moved:" in done.stderr, done.stderr
        assert served.remote_refs() == before


def test_a_tag_that_leans_in_a_linked_work_tree(served: Team) -> None:
    served.repo.git("commit", "-q", "--allow-empty", "-m", "never on main")
    served.tag()
    tree = served.root / "tree"
    run("git", "-C", served.remote, "worktree", "add", "-q", "--detach", tree, env=served.env)
    update = served.remote / "hooks" / "update"
    update.write_text("#!/bin/sh\ncase $1 in refs/heads/*) exit 1 ;; esac\n")
    update.chmod(0o755)
    before = served.remote_refs()
    done = served.repo.try_git("push", str(tree), "main", "v2.9.0")
    assert done.returncode != 0
    assert served.remote_refs() == before, done.stderr
    assert "did not arrive with it" in done.stderr


def test_a_disk_that_minds_no_case(served: Team) -> None:
    """There refs/heads/MAIN is the file of main; git notes that when it makes the repository (core.ignoreCase)."""
    run("git", "-C", served.remote, "config", "core.ignoreCase", "true", env=served.env)
    served.tag()
    served.guard("v2.9.0").accepted("v2.9.0")
    run("git", "-C", served.remote, "symbolic-ref", "refs/heads/latest", "refs/tags/v2.9.0", env=served.env)
    served.repo.git("commit", "-q", "--amend", "-m", "rewritten")
    tip, evil = served.remote_refs()["refs/heads/main"], served.repo.git("rev-parse", "HEAD")
    for ref in ("refs/heads/MAIN", "refs/Heads/main"):
        assert "would rewind main" in raw_push(served.repo, served.remote, [(tip, evil, ref)])
    assert "moved:" in raw_push(
        served.repo, served.remote, [(served.remote_refs()["refs/tags/v2.9.0"], evil, "refs/heads/Latest")]
    )
    served.guard("v2.9.0:refs/tags/V2.9.0").refused("case-collision")
    served.guard("HEAD:refs/heads/Work").accepted()


@pytest.mark.parametrize(
    "ref", ["refs/heads/../../config", "refs/tags/../heads/main", "refs/heads/a/../../../x", "HEAD"]
)
def test_names_that_are_no_refs(served: Team, ref: str) -> None:
    head = served.repo.git("commit-tree", "-m", "x", "HEAD^{tree}")
    before = served.remote_refs()
    said = raw_push(served.repo, served.remote, [(ZERO, head, ref)])
    assert served.remote_refs() == before and "Traceback" not in said, said
