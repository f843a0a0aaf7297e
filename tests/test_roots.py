"""Who changed the policy: histories made up for the rule, and real commits, signed or not, at a guarded server."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from ptguard.roots import unsigned
from tests.e2e.team import Team
from tests.support import Repo, run

# ----------------------------------------------------------------------------------- the rule


def first(old: str, states: str, history: Sequence[str], signed: str = "") -> str | None:
    """Give the refused commit; ``history`` is of ``child:parents``, ``states`` of a commit and its state."""
    at = {word[0]: (word[1],) for word in states.split()}
    rows = [(row[0], tuple(row[2:])) for row in history]
    return unsigned(rows, old, at, lambda commit: commit in signed)


@pytest.mark.parametrize(
    ("states", "history", "signed", "refused"),
    [
        ("o1 a1 b1", ["a:o", "b:a"], "", None),
        ("o1 a2 b2", ["a:o", "b:a"], "", "a"),
        ("o1 a2 b2", ["a:o", "b:a"], "a", None),
        ("o1 a2 b1", ["a:o", "b:a"], "a", "b"),
        ("o1 a2 b1", ["a:o", "b:a"], "ab", None),
        ("o1 a2 b3", ["a:o", "b:a"], "b", "a"),
        # a merge of other work keeps what stands
        ("o2 x1 m2", ["x:r", "m:ox"], "", None),
        ("o2 x1 m2", ["x:r", "m:xo"], "", None),
        # a merge that brings an old state back, whatever was signed on the way to it
        ("o2 x1 m1", ["x:r", "m:ox"], "x", "m"),
        ("o2 x1 m1", ["x:r", "m:xo"], "x", "m"),
        ("o2 x1 m1", ["x:r", "m:ox"], "m", None),
        # a change on top of what stands, merged without fast-forward
        ("o1 a2 m2", ["a:o", "m:oa"], "a", None),
        ("o1 a2 m1", ["a:o", "m:oa"], "a", "m"),
        ("o1 a2 m3", ["a:o", "m:oa"], "a", "m"),
        # two lines, one of which changed it
        ("o1 a2 b1 m2", ["a:o", "b:o", "m:ab"], "a", None),
        ("o1 a2 b1 m1", ["a:o", "b:o", "m:ab"], "a", "m"),
        ("o1 a2 b3 m2", ["a:o", "b:o", "m:ab"], "ab", "m"),
        ("o1 a2 b3 m2", ["a:o", "b:o", "m:ab"], "abm", None),
        ("o1 a2 b2 m2", ["a:o", "b:o", "m:ab"], "ab", None),
        # what does not go on from the old tip is of no account by itself
        ("o1 x9 y8", ["x:r", "y:x"], "", None),
    ],
)
def test_which_commit_needs_a_signature(states: str, history: list[str], signed: str, refused: str | None) -> None:
    assert first("o", states, history, signed) == refused


# ----------------------------------------------------------------------------------- real pushes

pytestmark = pytest.mark.e2e


@pytest.fixture
def rooted(template: Team, tmp_path_factory: pytest.TempPathFactory, env: dict[str, str]) -> Team:
    """A team on a guarded server whose policy says that Li Wei and the bot must sign its changes."""
    team = template.copy_to(tmp_path_factory.mktemp("rooted") / "team", env)
    team.change_policy("[image]", '[root]\nsigners = ["li-wei", "bot"]\n\n[image]')
    team.serve()
    return team


def commit(team: Team, signer: str | None, text: str | None = None, *options: str) -> str:
    """Commit everything, the policy with one more comment, signed by the key called ``signer``."""
    team.write_policy(text or team.policy + "# a remark\n")
    team.repo.git("add", "-A")
    return amend(team, signer, "-m", "Change the policy", *options)


def amend(team: Team, signer: str | None, *options: str) -> str:
    """Run ``git commit`` with ``options``, signed by the key called ``signer``: OpenPGP, or SSH where it is a bot's."""
    env = dict(team.env)
    config: tuple[str, ...] = ()
    if signer in ("bot", "runner"):
        config = ("-c", "gpg.format=ssh", "-c", f"user.signingkey={team.keys.ssh(signer).private}")
    elif signer:
        key = team.keys.openpgp(signer)
        config, env["GNUPGHOME"] = ("-c", f"user.signingkey={key.fingerprint}", "-c", "gpg.program=gpg"), str(key.home)
    sign = ("-S",) if signer else ()
    run("git", "-C", team.repo.path, *config, "commit", "-q", *sign, *options, env=env)
    return team.repo.git("rev-parse", "HEAD")


@pytest.mark.parametrize(
    ("signer", "reason"),
    [
        ("li-wei", None),
        ("bot", None),
        (None, "unsigned"),
        ("mallory", "unknown-signer"),
        ("runner", "signer-not-allowed"),
    ],
)
def test_a_change_needs_a_root_signature(rooted: Team, signer: str | None, reason: str | None) -> None:
    made = commit(rooted, signer)
    done = rooted.guard("main")
    if reason is None:
        assert done.accepted().after["refs/heads/main"] == made
    else:
        done.refused(reason)
        assert f"commit {made} changes the release policy" in done.screen and "li-wei or bot" in done.screen


def test_keys_are_what_decides_and_records_are_not(rooted: Team) -> None:
    rooted.repo.write(".ptguard/smoke/other.json", "{}")
    rooted.repo.write("net.py", "WEIGHTS = []\n")
    rooted.repo.commit("Work and a record")
    rooted.guard("main").accepted()
    rooted.repo.write(".ptguard/keys/mallory.asc", rooted.keys.openpgp("mallory").public)
    rooted.repo.commit("A key more")
    rooted.guard("main").refused("unsigned")
    rooted.guard("HEAD:refs/heads/proposal").accepted()  # a proposal is no policy


def test_naming_oneself_root_in_the_same_push(rooted: Team) -> None:
    mallory = rooted.keys.openpgp("mallory")
    rooted.repo.write(".ptguard/keys/mallory.asc", mallory.public)
    text = rooted.policy.replace('signers = ["li-wei", "bot"]', 'signers = ["mallory"]').replace(
        "[image]", f'[[signers.mallory.keys]]\nkind = "openpgp"\nfingerprint = "{mallory.fingerprint}"\n'
        'file = "keys/mallory.asc"\n\n[image]'
    )  # fmt: skip
    commit(rooted, "mallory", text)
    rooted.guard("main").refused("unknown-signer")
    without = rooted.policy.replace('[root]\nsigners = ["mallory"]\n\n', "")
    commit(rooted, "mallory", without)
    rooted.guard("main").refused("unknown-signer")


def test_an_old_state_is_not_merged_back(rooted: Team) -> None:
    start = rooted.repo.git("rev-parse", "HEAD")
    commit(rooted, "li-wei", rooted.policy.replace('signers = ["bot"]', 'signers = ["li-wei"]'))
    rooted.guard("main").accepted()
    tip = rooted.repo.git("rev-parse", "HEAD")
    rooted.repo.git("checkout", "-q", "-b", "old", start)
    rooted.repo.git("commit", "-q", "--allow-empty", "-m", "Innocent work")
    rooted.repo.git("merge", "-q", "-s", "ours", "-m", "Merge main", tip)
    rooted.guard("HEAD:main").refused("unsigned")
    rooted.repo.git("checkout", "-q", "-B", "old", start)
    rooted.repo.write("net.py", "WEIGHTS = [9]\n")
    rooted.repo.commit("Honest work on an older base")
    rooted.repo.git("merge", "-q", "-m", "Merge main", tip)
    rooted.guard("HEAD:main").accepted()


def test_root_stays_root_where_the_branch_has_gone(rooted: Team) -> None:
    rooted.guard("HEAD:refs/heads/work").accepted()
    rooted.repo.git("commit", "-q", "--allow-empty", "-m", "Work")
    rooted.guard("main").accepted()
    run("git", "-C", rooted.remote, "update-ref", "-d", "refs/heads/main", env=rooted.env)
    commit(rooted, None)
    rooted.guard("main").refused("unsigned")
    rooted.guard("HEAD~1:refs/heads/main").accepted()


def test_root_stays_root_where_the_policy_has_gone(rooted: Team) -> None:
    rooted.repo.git("commit", "-q", "--allow-empty", "-m", "Work")
    rooted.guard("main").accepted()
    rooted.repo.git("rm", "-q", "-r", ".ptguard")
    bare = rooted.repo.commit("No policy")
    rooted.repo.git("push", "-q", "origin", f"{bare}:refs/heads/bare")
    run("git", "-C", rooted.remote, "update-ref", "refs/heads/main", bare, env=rooted.env)
    rooted.repo.write("net.py", "WEIGHTS = []\n")
    work = rooted.repo.commit("Work goes on, and no tag passes")
    rooted.guard("main").accepted()
    rooted.tag()
    assert "a policy has stood on main here" in rooted.guard("v2.9.0").refused().screen
    rooted.repo.git("checkout", "-q", "HEAD~2", "--", ".ptguard")
    commit(rooted, None)
    rooted.guard("main").refused("unsigned")
    rooted.repo.git("reset", "-q", "--hard", work)
    rooted.repo.git("checkout", "-q", "HEAD~2", "--", ".ptguard")
    rooted.repo.commit("As it stood")
    rooted.guard("main").accepted()


def test_root_stays_root_on_another_line_of_history(rooted: Team) -> None:
    rooted.repo.git("commit", "-q", "--allow-empty", "-m", "Work")
    rooted.guard("main").accepted()
    bare = rooted.repo.git("commit-tree", "-m", "Another beginning", rooted.repo.git("mktree", stdin=b""))
    rooted.repo.git("push", "-q", "origin", f"{bare}:refs/heads/bare")
    run("git", "-C", rooted.remote, "update-ref", "refs/heads/main", bare, env=rooted.env)
    as_it_stood = rooted.repo.git("commit-tree", "-p", bare, "-m", "As it stood", "HEAD^{tree}")
    commit(rooted, None)
    other = rooted.repo.git("commit-tree", "-p", bare, "-m", "Another", "HEAD^{tree}")
    rooted.guard(f"{other}:main").refused("unsigned")
    rooted.guard(f"{as_it_stood}:main").accepted()


def test_a_mode_alone_cannot_make_the_policy_unreadable(rooted: Team) -> None:
    """The id of what lies at .ptguard/keys stays, git misses nothing, and nobody could read the policy any more."""
    folder, top = (rooted.repo.git("rev-parse", f"HEAD{path}") for path in (":.ptguard", "^{tree}"))
    made = swapped(rooted, folder, b"40000 keys", b"160000 keys")
    made = swapped(rooted, top, bytes.fromhex(folder), bytes.fromhex(made))
    evil = rooted.repo.git("commit-tree", "-p", "HEAD", "-m", "Only a mode", made)
    assert "keys/li-wei.asc" in rooted.guard(f"{evil}:main").refused().screen


def swapped(team: Team, tree: str, old: bytes, new: bytes) -> str:
    """Write the tree object ``tree`` with ``new`` for ``old`` in its bytes."""
    raw = subprocess.run(["git", "-C", team.repo.path, "cat-file", "tree", tree], capture_output=True, check=True)
    assert raw.stdout.count(old) == 1
    return team.repo.git(
        "hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=raw.stdout.replace(old, new)
    )


def test_a_broken_policy_does_not_get_in_and_could_not_be_mended(rooted: Team) -> None:
    good = rooted.policy
    commit(rooted, "li-wei", good + "oops = 1\n")
    assert "oops" in rooted.guard("main").refused().screen
    rooted.guard("HEAD:refs/heads/x").accepted()
    made = rooted.repo.git("rev-parse", "HEAD")
    run("git", "-C", rooted.remote, "update-ref", "refs/heads/main", made, env=rooted.env)
    commit(rooted, "li-wei", good)
    assert "an administrator mends it on the server" in rooted.guard("main").refused().screen


def test_a_tampered_commit(rooted: Team) -> None:
    made = commit(rooted, "li-wei")
    raw = rooted.repo.git("cat-file", "commit", made).replace("Change the policy", "Change the police")
    forged = rooted.repo.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=raw.encode() + b"\n")
    rooted.guard(f"{forged}:main").refused("bad-signature")
    twice = raw.replace("\ncommitter", "\ngpgsig x\ncommitter", 1)
    forged = rooted.repo.git(
        "hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=twice.encode() + b"\n"
    )
    rooted.guard(f"{forged}:main").refused("several-signatures")
    rooted.guard(f"{made}:main").accepted()


def test_a_sha256_repository(tmp_path_factory: pytest.TempPathFactory, env: dict[str, str], template: Team) -> None:
    team = Team.build(tmp_path_factory.mktemp("sha256") / "team", env, template.keys, "sha256")
    team.change_policy("[image]", '[root]\nsigners = ["li-wei"]\n\n[image]')
    team.serve()
    commit(team, None)
    team.guard("main").refused("unsigned")
    amend(team, "li-wei", "--amend", "--no-edit")
    team.guard("main").accepted()


def test_an_audit_names_every_change_of_the_policy(rooted: Team) -> None:
    for signer in ("li-wei", None, "runner"):
        commit(rooted, signer)
    rooted.tag()
    done = rooted.repo.ptguard("audit", "--format", "json", "--policy-ref", "HEAD")
    changes = json.loads(done.stdout)["policy_changes"]
    assert [(c["reason"], c["signer"], c["allowed"]) for c in changes] == [
        ("signer-not-allowed", "runner", False),
        ("unsigned", None, False),
        ("ok", "li-wei", True),
        ("unsigned", None, None),
        ("first", None, None),
    ]
    assert all(c["by"].endswith(">") and c["at"].startswith("20") for c in changes)
    assert changes[0]["paths"] == ["policy.toml"] and changes[-1]["paths"] == ["policy.toml", "keys"]
    text = rooted.repo.ptguard("audit", "--policy-ref", "HEAD").stdout
    assert "changes of the policy, newest first:" in text
    assert "✗ " + changes[1]["commit"][:12] in text and "unsigned: it has no signature" in text
    assert "signed by li-wei" in text


def test_a_shallow_history_does_not_call_its_edge_the_first_policy(rooted: Team, tmp_path: Path) -> None:
    commit(rooted, "li-wei")
    rooted.guard("main").accepted()
    url = f"file://{rooted.remote}"
    run("git", "clone", "-q", "--depth=1", url, tmp_path / "shallow", env=rooted.env)
    clone = Repo(tmp_path / "shallow", rooted.env)
    clone.git("tag", "-a", "-m", "x", "v2.9.0")
    done = clone.ptguard("audit", "--format", "json", "--offline")
    (change,) = json.loads(done.stdout)["policy_changes"]
    assert (change["reason"], change["allowed"]) == ("could-not-decide", None)
    assert "git fetch --unshallow" in change["message"]
    clone.git("fetch", "-q", "--unshallow")
    document = json.loads(clone.ptguard("audit", "--format", "json", "--offline").stdout)
    assert [c["reason"] for c in document["policy_changes"]] == ["ok", "unsigned", "first"]
