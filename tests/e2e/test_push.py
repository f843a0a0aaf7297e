"""Real pushes through the installed hook: each check refuses and accepts, and the remote's refs tell the truth."""

import time
from datetime import timedelta
from pathlib import Path

import pytest

from tests.e2e.team import Team, finding, now
from tests.support import run

pytestmark = pytest.mark.e2e


# --------------------------------------------------------------------------------------------- the good ones


def test_a_good_tag_goes_through(armed: Team) -> None:
    tag = armed.tag()
    done = armed.guard("v2.9.0").accepted("v2.9.0")
    assert done.after["refs/tags/v2.9.0"] == tag
    assert "ptguard: accepted v2.9.0" in done.screen


def test_a_good_tag_signed_by_ssh_goes_through_with_plain_tags(armed: Team) -> None:
    armed.tag_ssh()
    armed.guard("--tags").accepted("v2.9.0")


def test_branch_and_tag_in_one_push(armed: Team) -> None:
    armed.repo.git("commit", "-q", "--allow-empty", "-m", "nothing to do with the tree")
    armed.tag()
    armed.guard("main", "v2.9.0").accepted("v2.9.0")


@pytest.mark.parametrize("spec", ["HEAD:refs/tags/v2.9.0", "{oid}:refs/tags/v2.9.0", "v2.9.0:refs/tags/v2.9.0"])
def test_other_ways_to_name_it(armed: Team, spec: str) -> None:
    oid = armed.tag()
    done = armed.guard(spec.format(oid=oid))
    if spec.startswith("HEAD"):
        done.refused("lightweight")
    else:
        done.accepted("v2.9.0")


# --------------------------------------------------------------------------------------------- each check


def test_annotated(armed: Team) -> None:
    armed.repo.git("tag", "v2.9.0")
    armed.guard("v2.9.0").refused("lightweight")
    inner = armed.tag("v2.9.0")
    armed.guard(f"{inner}:refs/tags/v3.0.0").refused("name-mismatch")
    armed.tag("v2.9.1", inner)
    armed.guard("v2.9.1").refused("nested")
    armed.guard("v2.9.0").accepted("v2.9.0")


def test_signature(armed: Team) -> None:
    armed.repo.git("tag", "-a", "-m", "Release", "v2.9.0")
    armed.guard("v2.9.0").refused("unsigned")
    armed.tag(signer="stranger")
    armed.guard("v2.9.0").refused("unknown-signer")
    armed.tag_ssh(signer="ssh-stranger")
    armed.guard("v2.9.0").refused("unknown-signer")
    armed.tag_ssh(signer="runner")
    armed.guard("v2.9.0").refused("signer-not-allowed")
    armed.tag("nightly-1")
    armed.guard("nightly-1").refused("signer-not-allowed")
    armed.tag_ssh("nightly-1")
    armed.tag()
    armed.guard("v2.9.0", "nightly-1").accepted("v2.9.0", "nightly-1")


def test_signature_over_other_words(armed: Team) -> None:
    good = armed.repo.git("cat-file", "tag", armed.tag()) + "\n"
    forged = armed.repo.git(
        "hash-object", "-t", "tag", "-w", "--stdin", stdin=good.replace("Li Wei", "Li Wey").encode()
    )
    armed.guard(f"{forged}:refs/tags/v2.9.0").refused("bad-signature")
    armed.guard("v2.9.0").accepted("v2.9.0")


def test_immutable(armed: Team) -> None:
    armed.tag()
    armed.guard("v2.9.0").accepted("v2.9.0")
    armed.guard("v2.9.0").accepted("v2.9.0")
    armed.guard("--delete", "v2.9.0").refused("deleted")
    armed.guard(":refs/tags/v2.9.0").refused("deleted")
    armed.tag("v2.9.0", "HEAD", "-m", "again")
    armed.guard("--force", "v2.9.0").refused("moved")
    armed.guard("+refs/tags/v2.9.0").refused("moved")
    armed.repo.git("branch", "v2.9.1")
    armed.tag("v2.9.1")
    armed.guard("refs/heads/v2.9.1", "refs/tags/v2.9.1").refused("shadowed")


def test_immutable_twins(armed: Team) -> None:
    armed.change_policy('pattern = "nightly-*"', 'pattern = "[Vn]*"')
    armed.tag()
    armed.guard("v2.9.0").accepted("v2.9.0")
    armed.tag_ssh("V2.9.0")
    armed.guard("V2.9.0").refused("case-collision")
    armed.guard("v2.9.0:refs/Tags/v2.9.9").refused("case-collision")


def test_branch(armed: Team) -> None:
    armed.repo.git("checkout", "-q", "-b", "feature")
    armed.repo.git("commit", "-q", "--allow-empty", "-m", "not reviewed")
    armed.tag()
    armed.guard("v2.9.0").refused("not-on-branch")
    armed.guard("HEAD:refs/heads/release/x", "v2.9.0").refused("not-on-branch")
    armed.guard("feature", "v2.9.0").refused("not-on-branch")
    armed.push("HEAD:refs/heads/release/2.9")
    armed.guard("v2.9.0").accepted("v2.9.0")


def test_branch_that_is_only_local_is_named_in_the_mending_words(armed: Team) -> None:
    armed.repo.git("commit", "-q", "--allow-empty", "-m", "not pushed yet")
    armed.tag()
    done = armed.guard("v2.9.0").refused("not-on-branch")
    assert "git push origin main && git push origin v2.9.0" in done.screen
    armed.repo.git("push", "-q", "origin", "main")
    armed.guard("v2.9.0").accepted("v2.9.0")


def test_version(armed: Team) -> None:
    armed.tag("v2.9.1")
    armed.guard("v2.9.1").refused("mismatch")
    armed.release("2.9.1")
    armed.tag("v2.9.1")
    armed.guard("v2.9.1").accepted("v2.9.1")
    armed.release("2.9.0.post1")
    armed.tag("v2.9.0.post1")
    armed.guard("v2.9.0.post1").refused("not-newer")
    armed.tag("vNext")
    armed.guard("vNext").refused("not-pep440")


def test_changelog(armed: Team) -> None:
    team = armed
    good = (team.repo.path / "CHANGELOG.md").read_text()
    for text, reason in (
        ("# Changelog\n\n## [2.8.0] - 2025-01-01\n\n- Old.\n", "missing-section"),
        (f"# Changelog\n\n## [2.9.0] - {now().date()}\n", "empty-section"),
        ("# Changelog\n\n## [2.9.0] - 2025-02-30\n\n- x\n", "bad-date"),
        ("# Changelog\n\n## [2.9.0] - 2099-01-01\n\n- x\n", "future-date"),
        (good + good.replace("# Changelog\n", ""), "duplicate-section"),
        ("# Changelog\n\n## [2.9.0] - 2026-01-01 [YANKED]\n\n- x\n", "yanked"),
        ("# Changelog\n\n```\n## [2.9.0] - 2026-01-01\n- x\n```\n", "missing-section"),
    ):
        team.repo.write("CHANGELOG.md", text)
        team.settle()
        team.tag()
        team.guard("v2.9.0").refused(reason)
    team.repo.git("rm", "-q", "CHANGELOG.md")
    team.settle()
    team.tag()
    team.guard("v2.9.0").refused("missing-file")
    team.repo.write("CHANGELOG.md", good)
    team.settle()
    team.tag()
    team.guard("v2.9.0").accepted("v2.9.0")


def test_changelog_files_that_cannot_be_read(armed: Team) -> None:
    for data, reason in (
        (b"# Changelog\n" + b"x" * 2_000_001, "too-large"),
        (b"\x00\x01\xff\xfe" * 100, "undecodable"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 12\n", "lfs-pointer"),
    ):
        armed.repo.write("CHANGELOG.md", data)
        armed.settle()
        armed.tag()
        armed.guard("v2.9.0").refused(reason)
    path = armed.repo.path / "CHANGELOG.md"
    path.unlink()
    path.symlink_to("net.py")
    armed.settle()
    armed.tag()
    armed.guard("v2.9.0").refused("symlink")


# --------------------------------------------------------------------------------------------- several at once


def test_one_bad_tag_of_several_keeps_all_away_and_every_failure_is_named(armed: Team) -> None:
    armed.tag()
    armed.repo.git("tag", "v3.0.0")
    armed.repo.git("tag", "-a", "-m", "x", "v3.1.0")
    armed.repo.git("tag", "stray")
    done = armed.guard("--tags").refused("lightweight", "unsigned", "mismatch", "missing-section", "unmatched")
    for tag, word in (("v2.9.0", "accepted"), ("v3.0.0", "refused"), ("v3.1.0", "refused"), ("stray", "refused")):
        assert f"{tag}  {word}" in done.screen
    assert "Nothing was pushed" in done.screen


def test_a_refused_tag_keeps_its_branch_away_too(armed: Team) -> None:
    armed.repo.git("commit", "-q", "--allow-empty", "-m", "more")
    armed.repo.git("tag", "v2.9.0")
    armed.guard("main", "v2.9.0").refused("lightweight")
    armed.guard("main").accepted()


@pytest.mark.parametrize("action", ["refuse", "warn", "allow"])
def test_a_stray_tag(armed: Team, action: str) -> None:
    armed.change_policy("[signers.li-wei]\nname", f'[unmatched]\naction = "{action}"\n\n[signers.li-wei]\nname')
    armed.repo.git("tag", "backup-before-merge")
    done = armed.guard("backup-before-merge")
    if action == "refuse":
        done.refused("unmatched")
    else:
        done.accepted("backup-before-merge")


def test_a_mirror_that_is_exempt_takes_everything(armed: Team, tmp_path: Path) -> None:
    run("git", "init", "-q", "--bare", tmp_path / "mirror.git", env=armed.env)
    armed.repo.git("remote", "add", "backup", str(tmp_path / "mirror.git"))
    armed.repo.git("tag", "v9.9.9")
    assert armed.repo.try_git("push", "backup", "v9.9.9").returncode != 0
    armed.repo.git("config", "remote.backup.ptguard", "false")
    done = armed.repo.try_git("push", "backup", "v9.9.9")
    assert done.returncode == 0 and "tags for backup are not judged" in done.stderr


def test_released_tags_go_to_another_remote_by_the_rules_of_history(armed: Team, tmp_path: Path) -> None:
    armed.change_policy("[signers.li-wei]\nname", '[limits]\nmax-tag-age = "1s"\n\n[signers.li-wei]\nname')
    run("git", "init", "-q", "--bare", tmp_path / "second.git", env=armed.env)
    armed.settle()
    armed.tag()
    time.sleep(1.2)
    armed.guard("v2.9.0").refused("too-old")
    armed.push("v2.9.0")
    armed.repo.git("remote", "add", "second", str(tmp_path / "second.git"))
    armed.repo.git("push", "-q", "--no-verify", "second", "main")
    armed.repo.git("fetch", "-q", "second")
    done = armed.repo.try_git("push", "second", "v2.9.0")
    assert done.returncode == 0, done.stderr


def test_verify_says_the_same_by_hand(team: Team) -> None:
    team.tag()
    code, document = team.verify("v2.9.0")
    assert (code, document["decision"], document["mode"]) == (0, "accept", "verify")
    assert document["policy"]["source"] == "refs/remotes/origin/main"
    assert finding(document, "signature")["signer"] == "li-wei"
    team.repo.git("tag", "v3.0.0")
    code, document = team.verify("v3.0.0", "v2.9.0")
    assert (code, document["decision"]) == (1, "refuse")
    assert [t["decision"] for t in document["tags"]] == ["refuse", "accept"]
    assert finding(document, "annotated")["reason"] == "lightweight"
    assert [f["check"] for f in document["tags"][0]["findings"]].count("smoke") >= 1


def test_a_waiver_counts_until_its_last_day_and_is_said(armed: Team) -> None:
    armed.repo.write("CHANGELOG.md", "# Changelog\n\n## [2.8.0] - 2025-01-01\n\n- Old.\n")
    waiver = (
        '[[waivers]]\ntag = "v2.9.0"\ncheck = "changelog"\nreason = "hotfix, see #512"\nby = "li-wei"\nexpires = {}\n'
    )
    armed.write_policy(armed.policy + waiver.format("2025-12-31"))
    armed.settle()
    armed.tag()
    assert "waiver-expired: " in armed.guard("v2.9.0").refused("missing-section").screen
    last = (now() + timedelta(hours=1)).date()  # today, but for the hour in which midnight may come
    armed.change_policy("2025-12-31", str(last))
    done = armed.guard("v2.9.0").accepted("v2.9.0")
    assert f"waived by li-wei until {last}: hotfix, see #512" in done.screen
    assert "missing-section" in done.screen
