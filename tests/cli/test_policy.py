"""``ptguard policy-check``: the working tree's policy, its key files, the exit code and what is said where."""

import os
from pathlib import Path

import pytest

from ptguard.cli.policy import check_policy, command, summary
from ptguard.errors import PolicyError
from tests.support import Invoked, KeyChain, gpg, invoke

POLICY = """\
schema = 1
[[tags]]
pattern = "v*"
checks = ["annotated", "immutable"]
[[tags]]
pattern = "nightly-*"
checks = []
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working tree as the current folder, with an empty .ptguard/."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".ptguard" / "keys").mkdir(parents=True)
    return tmp_path / ".ptguard"


def policy_check(*args: str) -> Invoked:
    return invoke(command, *args)


def signed_policy(folder: Path, keychain: KeyChain) -> str:
    """Write a policy with a real OpenPGP and a real SSH key, and give its text."""
    key, bot = keychain.openpgp("li-wei"), keychain.ssh("bot")
    (folder / "keys" / "li-wei.asc").write_bytes(key.public)
    text = f"""\
schema = 1
[[tags]]
pattern = "v*"
checks = ["annotated", "signature"]
signers = ["li-wei", "bot"]
[[tags]]
pattern = "frozen-*"
checks = ["annotated", "signature"]
signers = []
[[tags]]
pattern = "try-*"
checks = ["annotated"]
[[signers.li-wei.keys]]
kind = "openpgp"
fingerprint = "{key.fingerprint}"
file = "keys/li-wei.asc"
[[signers.bot.keys]]
kind = "ssh"
public-key = "{bot.public} bot@ci"
"""
    (folder / "policy.toml").write_text(text)
    return text


def test_a_policy_that_is_fine_is_told_in_one_line(folder: Path, keychain: KeyChain) -> None:
    signed_policy(folder, keychain)
    done = policy_check()
    assert done.stdout == (
        ".ptguard/policy.toml is fine: v* by li-wei, bot; frozen-* by nobody; try-* by anyone, unsigned; "
        "any other tag: refuse\n"
    )
    assert (done.stderr, done.exit_code) == ("", 0)


def test_another_file_can_be_named_and_has_its_keys_beside_it(folder: Path, keychain: KeyChain) -> None:
    signed_policy(folder, keychain)
    elsewhere = folder.rename(folder.parent / "admin")
    (elsewhere / "policy.toml").rename(elsewhere / "other.toml")
    done = policy_check("admin/other.toml")
    assert done.stdout.startswith("admin/other.toml is fine: v* by li-wei, bot;")
    assert done.exit_code == 0
    assert [r.pattern for r in check_policy(elsewhere / "other.toml").rules] == ["v*", "frozen-*", "try-*"]
    assert summary(check_policy(elsewhere / "other.toml")).startswith("v* by li-wei, bot; ")


def test_every_mistake_goes_to_stderr_and_the_exit_code_is_2(folder: Path) -> None:
    (folder / "policy.toml").write_text(POLICY + "[unmatched]\naction = 1\n")
    done = policy_check()
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        ".ptguard/policy.toml: tags[1].checks (line 7): an empty list; at least one entry, or no key at all",
        ".ptguard/policy.toml: unmatched.action (line 9): the number 1; one of refuse, warn, allow",
        "mend: mend the policy as the lines say, and try it with: ptguard policy-check",
    ]
    assert done.exit_code == 2


def test_no_policy_says_how_to_get_one(folder: Path) -> None:
    done = policy_check()
    assert done.exit_code == 2
    assert done.stderr == (
        "the policy .ptguard/policy.toml cannot be read: policy.toml: No such file or directory\nmend: ptguard init\n"
    )


@pytest.mark.parametrize("kind", ["link", "dangling", "folder", "fifo", "linked folder", "unreadable as text", "huge"])
def test_a_policy_that_is_no_plain_file_is_refused(folder: Path, tmp_path: Path, kind: str) -> None:
    policy, other = folder / "policy.toml", tmp_path / "other"
    match kind:
        case "link":
            other.write_text(POLICY.replace("checks = []\n", 'checks = ["annotated"]\n'))
            policy.symlink_to(other)
        case "dangling":
            policy.symlink_to(tmp_path / "nowhere")
        case "folder":
            policy.mkdir()
        case "fifo":
            os.mkfifo(policy)
        case "linked folder":
            policy.write_text(POLICY.replace("checks = []\n", 'checks = ["annotated"]\n'))
            folder.rename(other)
            folder.symlink_to(other)
        case "unreadable as text":
            policy.write_bytes(b"\xff")
        case "huge":
            policy.write_bytes(b"#" * (1 << 21))
    done = policy_check()
    assert done.exit_code == 2
    assert done.stdout == ""
    words = {
        "link": "policy.toml is a symbolic link",
        "dangling": "policy.toml is a symbolic link",
        "folder": "policy.toml is no regular file",
        "fifo": "policy.toml is no regular file",
        "linked folder": "its folder is a symbolic link",
        "unreadable as text": "the byte FF is not UTF-8",
        "huge": "the file has 1048577 bytes; at most 1048576",
    }
    assert words[kind] in done.stderr


@pytest.mark.parametrize("kind", ["missing", "link", "linked folder", "folder"])
def test_a_key_file_that_is_no_plain_file_is_a_mistake(folder: Path, keychain: KeyChain, kind: str) -> None:
    signed_policy(folder, keychain)
    key = folder / "keys" / "li-wei.asc"
    match kind:
        case "missing":
            key.unlink()
        case "link":
            key.symlink_to(key.rename(folder / "keys" / "real.asc"))
        case "linked folder":
            (folder / "keys").rename(folder / "real")
            (folder / "keys").symlink_to("real")
        case "folder":
            key.unlink()
            key.mkdir()
    with pytest.raises(PolicyError) as caught:
        check_policy(folder / "policy.toml")
    words = {
        "missing": "keys/li-wei.asc: No such file or directory",
        "link": "keys/li-wei.asc is a symbolic link",
        "linked folder": "keys is a symbolic link",
        "folder": "keys/li-wei.asc is no regular file",
    }
    assert len(caught.value.problems) == 1
    assert "signers.li-wei.keys[0].file (line 16): " in caught.value.problems[0]
    assert words[kind] in caught.value.problems[0]


def test_a_key_file_without_the_key_of_the_policy_is_a_mistake(folder: Path, keychain: KeyChain) -> None:
    signed_policy(folder, keychain)
    stranger = keychain.openpgp("stranger")
    (folder / "keys" / "li-wei.asc").write_bytes(stranger.public)
    done = policy_check()
    assert done.exit_code == 2
    wanted = keychain.openpgp("li-wei").fingerprint
    assert f"keys/li-wei.asc without {wanted}; a primary key: the file holds {stranger.fingerprint}" in done.stderr


def test_a_secret_key_in_the_policy_folder_is_a_mistake(folder: Path, keychain: KeyChain) -> None:
    signed_policy(folder, keychain)
    secret = gpg(keychain.openpgp("li-wei").home, "--armor", "--export-secret-keys")
    (folder / "keys" / "li-wei.asc").write_bytes(secret)
    done = policy_check()
    assert done.exit_code == 2
    assert "secret" in done.stderr
