"""What a pusher brings beside the tag: another locale, replaced objects, cut history, odd objects and odd policies."""

import sys
from pathlib import Path

import pytest

from tests.e2e.rawpush import ZERO, raw_push
from tests.e2e.team import Outcome, Team
from tests.locales import latin1
from tests.support import Repo, run

pytestmark = pytest.mark.e2e


def push(team: Team, *refspecs: str, **env: str) -> Outcome:
    """Push to origin in another environment, which git's server at a path has too."""
    before = team.remote_refs()
    done = run("git", "push", "origin", *refspecs, cwd=team.repo.path, env={**team.env, **env}, check=False)
    return Outcome(done.returncode, done.stderr, before, team.remote_refs())


def on_server(team: Team, *args: str) -> str:
    """Run git in the server's repository."""
    return run("git", "-C", team.remote, *args, env=team.env).stdout.strip()


# ----------------------------------------------------------------------------------- where the hook runs


def test_a_locale_that_the_pusher_chooses_hides_no_ref(served: Team, tmp_path: Path) -> None:
    """Names come from git as UTF-8; asked for in another encoding, a symbolic ref to a tag was found to be none."""
    latin = latin1(tmp_path / "locale")
    said = run(
        sys.executable, "-I", "-c", "import sys; print(sys.getfilesystemencoding())", env={**served.env, **latin}
    )
    assert said.stdout.strip() == "iso8859-1"
    served.tag()
    push(served, "v2.9.0", **latin).accepted("v2.9.0")
    on_server(served, "symbolic-ref", "refs/ausgabe-ü", "refs/tags/v2.9.0")
    served.repo.git("commit", "-q", "--allow-empty", "-m", "more")
    push(served, "-f", "HEAD:refs/ausgabe-ü", **latin).refused("moved")
    assert push(served, "HEAD:refs/heads/发布/ü", "HEAD:refs/发布/x", **latin).accepted().screen.count("[new ") == 2
    served.repo.git("tag", "v3发布")
    assert r"refused v3\u53d1\u5e03" in push(served, "v3发布", **latin).refused("lightweight").screen


def test_a_locale_changes_no_verdict_in_a_clone(armed: Team, tmp_path: Path) -> None:
    latin = latin1(tmp_path / "locale")
    armed.tag()
    armed.repo.git("branch", "发布/ü")
    push(armed, "v2.9.0", "发布/ü", **latin).accepted("v2.9.0")
    armed.repo.git("tag", "v3发布")
    push(armed, "v3发布", **latin).refused("lightweight")
    done = armed.repo.ptguard("verify", "v3发布", env=latin)
    assert done.returncode == 1 and r"v3\u53d1\u5e03  refused" in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("name", "text"), [("LC_ALL", "C"), ("LC_ALL", "xx_YY.none"), ("HOME", "/proc"), ("TMPDIR", "/none"), ("HOME", "")]
)
def test_odd_surroundings_of_a_server(served: Team, name: str, text: str) -> None:
    served.tag()
    push(served, "v2.9.0", "HEAD:refs/heads/发布", **{name: text}).accepted("v2.9.0")
    served.repo.git("tag", "v3")
    push(served, "v3", **{name: text}).refused("lightweight")


def test_hooks_of_the_system_lead_nowhere_else(served: Team, tmp_path: Path) -> None:
    (tmp_path / "system").write_text("[core]\n\thooksPath = /none\n[safe]\n\tdirectory = *\n")
    env = {name: text for name, text in served.env.items() if name != "GIT_CONFIG_NOSYSTEM"}
    served.repo.git("tag", "v3")
    done = run("git", "push", "origin", "v3", cwd=served.repo.path, check=False,
               env={**env, "GIT_CONFIG_SYSTEM": str(tmp_path / "system")})  # fmt: skip
    assert done.returncode != 0 and "lightweight:" in done.stderr, done.stderr


# ----------------------------------------------------------------------------------- what lines ask for


@pytest.mark.parametrize("ref", ["refs/tags/v2.9.0", "refs/Tags/v2.9.0", "refs/heads/latest"])
def test_a_deletion_of_nothing(served: Team, ref: str) -> None:
    """git does it without a look at what stands there by then: a tag that has just been published would be gone."""
    tag = served.tag()
    run("git", "-C", served.remote, "fetch", "-q", served.repo.path, tag, env=served.env)
    if ref == "refs/heads/latest":
        on_server(served, "symbolic-ref", ref, "refs/tags/v2.9.0")
    hook = served.remote / "hooks" / "pre-receive.ptguard-chained"
    hook.write_text(f"#!/bin/sh\nunset GIT_QUARANTINE_PATH\ngit update-ref refs/tags/v2.9.0 {tag}\n")
    hook.chmod(0o755)
    said = raw_push(served.repo, served.remote, [(ZERO, ZERO, ref)])
    assert "from where none is" in said and f"ng {ref} pre-receive hook declined" in said, said
    hook.unlink()
    served.guard("v2.9.0").accepted("v2.9.0")
    assert "deletes the tag v3 from where none is" in raw_push(
        served.repo, served.remote, [(ZERO, ZERO, "refs/tags/v3")]
    )


def test_no_commit_for_the_trust_branch(served: Team) -> None:
    tip = served.remote_refs()["refs/heads/main"]
    served.repo.git("commit", "-q", "--allow-empty", "-m", "more")
    tag = served.tag()
    for kind, oid in (
        ("tag", tag),
        ("tree", served.repo.git("rev-parse", "HEAD^{tree}")),
        ("blob", served.repo.git("rev-parse", "HEAD:net.py")),
    ):
        said = raw_push(served.repo, served.remote, [(tip, oid, "refs/heads/main")])
        assert f"this push would put a {kind} in the place of the commit of main" in said
        assert (f"git push origin '{tag}^{{commit}}:refs/heads/main'" in said) is (kind == "tag"), said
    served.guard(f"{tag}^{{commit}}:refs/heads/main").accepted()


# ----------------------------------------------------------------------------------- what objects are


def test_replaced_objects_change_no_verdict(served: Team) -> None:
    """Were they heeded, the tip of main would have the tagged commit for a parent."""
    tip = served.repo.git("rev-parse", "HEAD")
    served.repo.git("commit", "-q", "--allow-empty", "-m", "never on main")
    served.tag()
    fake = served.repo.git("commit-tree", "-p", "HEAD", "-m", "fake", f"{tip}^{{tree}}")
    served.guard(f"{fake}:refs/replace/{tip}", "v2.9.0").refused("not-on-branch")
    served.guard(f"{fake}:refs/replace/{tip}").accepted()
    served.guard("v2.9.0").refused("not-on-branch")
    served.guard("main").accepted()
    served.guard("v2.9.0").accepted("v2.9.0")


@pytest.mark.parametrize("shallow", ["false", "true"])
def test_a_push_of_cut_history(served: Team, tmp_path: Path, shallow: str) -> None:
    """A clone of depth 1 of another repository pushes commits whose parents the server never gets."""
    on_server(served, "config", "receive.shallowUpdate", shallow)
    source = Repo(tmp_path / "source", served.env)
    run("git", "clone", "-q", served.remote, source.path, env=served.env)
    source.git("checkout", "-q", "--orphan", "other")
    source.commit("One")
    source.commit("Two")
    run("git", "clone", "-q", "--depth=1", "-b", "other", f"file://{source.path}", tmp_path / "cut", env=served.env)
    cut = Team(served.root, served.env, served.keys, served.policy)
    cut.repo = Repo(tmp_path / "cut", served.env)
    cut.repo.git("remote", "set-url", "origin", str(served.remote))
    cut.tag()
    said = cut.guard("v2.9.0").refused("could-not-decide").screen
    assert "is not whole" in said and "git fetch --unshallow" in said
    cut.guard("-f", "HEAD:main").refused()
    served.tag()
    served.guard("v2.9.0").accepted("v2.9.0")


def test_tags_of_tags_and_tags_without_end(served: Team) -> None:
    head, name = served.repo.git("rev-parse", "HEAD"), "v2.9.0"

    def made(target: str, kind: str, more: str = "") -> str:
        text = f"object {target}\ntype {kind}\ntag {name}\ntagger T <t@x> 1700000000 +0000\n{more}\nmessage\n"
        return run("git", "-C", served.repo.path, "hash-object", "-t", "tag", "-w", "--stdin", "--literally",
                   env=served.env, stdin=text.encode()).stdout.strip()  # fmt: skip

    oid = made(head, "commit")
    for _ in range(50):
        oid = made(oid, "tag")
    served.guard(f"{oid}:refs/tags/{name}").refused("nested")
    served.guard(f"{made(head, 'commit', 'x ' + 'y' * 5_000_000)}:refs/tags/{name}").refused("too-large")
    served.guard(f"{made(head, 'commit', chr(10) + 'x' * 5_000_000)}:refs/tags/{name}").refused("too-large")
    served.tag()
    served.guard(name).accepted(name)


# ----------------------------------------------------------------------------------- what a policy is


def _too_large(team: Team) -> None:
    team.repo.write(".ptguard/policy.toml", team.policy + "#" * 10_000_000)


def _folder_that_is_a_link(team: Team) -> None:
    (team.repo.path / ".ptguard").rename(team.repo.path / "elsewhere")
    (team.repo.path / ".ptguard").symlink_to("elsewhere")


def _submodule(team: Team) -> None:
    run("rm", "-r", team.repo.path / ".ptguard", env=team.env)
    run("git", "init", "-q", team.repo.path / ".ptguard", env=team.env)
    Repo(team.repo.path / ".ptguard", team.env).commit("A module")


@pytest.mark.parametrize("change", [_too_large, _folder_that_is_a_link, _submodule])
def test_a_policy_that_would_be_no_plain_file(served: Team, change) -> None:  # type: ignore[no-untyped-def]
    change(served)
    served.repo.commit("Another policy")
    served.tag()
    for refs in (("main",), ("main", "v2.9.0")):
        said = served.guard(*refs).refused().screen
        assert "this push would take .ptguard/policy.toml away from main" in said


def test_a_policy_in_other_letters_is_none(served: Team) -> None:
    served.repo.write(".PTGUARD/policy.toml", 'schema = 1\n[unmatched]\naction = "allow"\n')
    served.settle()
    served.tag("v2.9.0", signer="mallory")
    served.guard("v2.9.0").refused("unknown-signer")
    served.tag()
    served.guard("v2.9.0").accepted("v2.9.0")


@pytest.mark.parametrize("first", [True, False])
def test_a_tree_that_two_readers_see_differently(served: Team, first: bool) -> None:
    """Two entries of one name: which of them is the policy's folder depends on who looks."""
    tip = served.repo.git("rev-parse", "HEAD")
    rows = [row.split(None, 3) for row in served.repo.git("ls-tree", "HEAD").splitlines()]
    other = run("git", "-C", served.repo.path, "mktree", env=served.env, stdin=b"").stdout.strip()
    raw = b""
    for mode, _, oid, name in rows:
        both = [oid, other] if first else [other, oid]
        for one in both if name == ".ptguard" else [oid]:
            raw += mode.lstrip("0").encode() + b" " + name.encode() + b"\0" + bytes.fromhex(one)
    tree = run("git", "-C", served.repo.path, "hash-object", "-t", "tree", "-w", "--stdin", "--literally",
               env=served.env, stdin=raw).stdout.strip()  # fmt: skip
    commit = served.repo.git("commit-tree", "-p", tip, "-m", "Two of them", tree)
    said = served.guard(f"{commit}:refs/heads/main").refused().screen
    assert f"the name '.ptguard' is not allowed there or stands twice (tree {tree})" in said
    assert "tagged commit" not in said
    served.guard(f"{commit}:refs/heads/work").accepted()
