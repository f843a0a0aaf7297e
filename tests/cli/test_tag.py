"""`ptguard tag` in real repositories, with the user's own git, gpg and ssh-keygen."""

import contextlib
import fcntl
import os
import select
import shlex
import shutil
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from ptguard.__main__ import run as main
from tests.e2e.team import Team
from tests.support import KeyChain, frozen, gone, gpg, run


@pytest.fixture
def team(template: Team, tmp_path: Path, env: dict[str, str]) -> Team:
    """A team whose user has li-wei's keyring, and no signing key configured."""
    team = template.copy_to(tmp_path / "team", env)
    env["GNUPGHOME"] = str(team.keys.openpgp("li-wei").home)
    return team


Done = subprocess.CompletedProcess[str]


def tag(team: Team, *args: str, **env: str) -> Done:
    """Run `ptguard tag`; whatever comes of it, the remote stays as it is and nothing stays in the temporary folder."""
    before, temporary = team.remote_refs(), team.root / "tmp"
    temporary.mkdir(exist_ok=True)
    done = team.repo.ptguard("tag", *args, env={"TMPDIR": str(temporary), **env})
    assert team.remote_refs() == before
    assert list(temporary.iterdir()) == []
    assert "Traceback" not in done.stdout + done.stderr
    return done


def accepted(team: Team, done: Done, name: str = "v2.9.0") -> str:
    """Assert that the tag was made and would be accepted, and give the tag object's text."""
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith(f"Nothing was pushed. To publish it:\n  git push origin {name}\n")
    code, document = team.verify(name)
    assert (code, document["decision"]) == (0, "accept")
    return team.repo.git("cat-file", "tag", name)


def refused(team: Team, done: Done, code: int, *said: str, name: str = "v2.9.0") -> None:
    """Assert that there is no tag, and that the screen says why."""
    assert done.returncode == code, done.stdout + done.stderr
    assert team.repo.try_git("rev-parse", "-q", "--verify", f"refs/tags/{name}").stdout == ""
    assert not list((team.repo.path / ".git" / "refs").rglob("*.lock"))
    for words in said:
        assert words in done.stdout + done.stderr, done.stdout + done.stderr


def program(team: Team, name: str, script: str) -> str:
    """Write a program in place of the user's gpg; ``$real`` is gpg. Lists are left to the real one."""
    path = team.root / name
    path.write_text(f'#!/bin/sh\nreal={shlex.quote(shutil.which("gpg") or "")}\n'
                    f'case " $* " in *" --list-secret-keys "*) exec "$real" "$@";; esac\n{script}\n')  # fmt: skip
    path.chmod(0o755)
    team.repo.git("config", "gpg.program", str(path))
    return str(path)


def configure(team: Team, key: str, format_: str = "openpgp") -> None:
    team.repo.git("config", "user.signingkey", key)
    team.repo.git("config", "gpg.format", format_)


# ------------------------------------------------------------------------------------------- what is made


def test_a_good_tag_is_made_signed_and_can_be_pushed(team: Team) -> None:
    configure(team, team.keys.openpgp("li-wei").fingerprint)
    done = tag(team, "v2.9.0", "-m", "The first", "-m", "#12 and more")
    text = accepted(team, done)
    assert "\n\nThe first\n\n#12 and more\n-----BEGIN PGP SIGNATURE-----\n" in text
    assert "signing (li-wei, openpgp " in done.stderr
    team.arm()
    team.guard("v2.9.0").accepted("v2.9.0")


def test_without_a_message_it_is_the_name(team: Team) -> None:
    assert "\n\nv2.9.0\n-----BEGIN PGP SIGNATURE-----\n" in accepted(team, tag(team, "v2.9.0"))


def test_the_only_allowed_key_of_the_keyring_is_taken_where_none_is_configured(team: Team) -> None:
    assert "BEGIN PGP" in accepted(team, tag(team, "v2.9.0"))


def test_a_strangers_configured_key_gives_way_to_the_only_allowed_one(team: Team) -> None:
    configure(team, str(team.keys.ssh("stranger").private), "ssh")
    assert "BEGIN PGP" in accepted(team, tag(team, "v2.9.0"))


@pytest.mark.parametrize("suffix", ["", ".pub"])
def test_an_ssh_key_by_its_file(team: Team, suffix: str) -> None:
    configure(team, f"{team.keys.ssh('bot').private}{suffix}", "ssh")
    assert "BEGIN SSH" in accepted(team, tag(team, "v2.9.0"))


def test_an_ssh_key_in_the_home_folder(team: Team, env: dict[str, str]) -> None:
    put_into_home(team, "bot", Path(env["HOME"]))
    done = tag(team, "v2.9.0", GNUPGHOME=env["HOME"])
    assert "BEGIN SSH" in accepted(team, done)


def put_into_home(team: Team, name: str, home: Path) -> None:
    (home / ".ssh").mkdir(mode=0o700)
    private = team.keys.ssh(name).private
    shutil.copy(private, home / ".ssh" / "id_release")
    shutil.copy(f"{private}.pub", home / ".ssh" / "id_release.pub")


def test_a_key_by_its_user_id_or_subkey(team: Team) -> None:
    for name in ("li-wei@example.com", f"{team.keys.openpgp('li-wei').fingerprint}!"):
        configure(team, name)
        accepted(team, tag(team, "v2.9.0"))
        team.repo.git("tag", "-d", "v2.9.0")


def test_the_digest_is_a_permitted_one_whatever_gpg_conf_says(team: Team, tmp_path: Path, keychain: KeyChain) -> None:
    home = keychain.root / f"sha1-{tmp_path.name[-8:]}"
    shutil.copytree(keychain.openpgp("li-wei").home, home, ignore=shutil.ignore_patterns("S.*", "*.lock", "#*"))
    (home / "gpg.conf").write_text("digest-algo SHA1\n")
    try:
        accepted(team, tag(team, "v2.9.0", GNUPGHOME=str(home)))
        team.repo.git("tag", "-d", "v2.9.0")
        # A program that is not gpg gets no options of gpg's: what it chose is judged.
        program(team, "other", 'exec "$real" "$@"')
        refused(team, tag(team, "v2.9.0", GNUPGHOME=str(home)), 1, "weak-digest:", "The tag v2.9.0 was taken back.")
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False)


def test_an_older_commit_and_another_folder(team: Team, tmp_path: Path) -> None:
    wanted = team.repo.git("rev-parse", "HEAD")
    team.repo.write("net.py", "WEIGHTS = []\n")
    team.repo.commit("More")
    done = team.repo.ptguard("tag", "-C", str(team.repo.path / ".ptguard"), "v2.9.0", wanted[:12])
    assert accepted(team, done).startswith(f"object {wanted}\n")


def test_beside_a_branch_of_its_name_the_push_line_says_which(team: Team) -> None:
    team.repo.git("branch", "v2.9.0")
    done = tag(team, "v2.9.0")
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("  git push origin refs/tags/v2.9.0\n")


def test_a_rule_that_asks_for_no_signature_leaves_the_key_to_git(team: Team) -> None:
    rule = '[[tags]]\npattern = "nightly-*"\nchecks = ["annotated"]\n'
    team.change_policy(
        '[[tags]]\npattern = "nightly-*"\nchecks = ["annotated", "signature"]\nsigners = ["bot"]\n', rule
    )
    configure(team, str(team.keys.ssh("stranger").private), "ssh")
    assert "BEGIN SSH" in accepted(team, tag(team, "nightly-1"), "nightly-1")


def test_without_a_remote_the_push_line_begins_with_one(team: Team) -> None:
    team.repo.git("remote", "remove", "origin")
    done = tag(team, "v2.9.0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("  git remote add origin URL && git push -u origin main && git push origin v2.9.0\n")


# ------------------------------------------------------------------------------------- refused before it exists


def test_what_would_be_refused_is_not_made_and_nobody_is_asked_to_sign(team: Team) -> None:
    program(team, "gpg-never", f"touch {team.root}/asked; exit 1")
    team.release("2.9.1")
    done = tag(team, "v2.9.0")
    refused(team, done, 1, "✗ version", "mismatch:", "No tag v2.9.0 was made.")
    assert not (team.root / "asked").exists()


def test_no_key_at_hand_names_those_that_may_sign(team: Team, env: dict[str, str]) -> None:
    configure(team, str(team.keys.ssh("stranger").private), "ssh")
    done = tag(team, "v2.9.0", GNUPGHOME=env["HOME"])
    li_wei, bot = team.keys.openpgp("li-wei"), team.keys.ssh("bot")
    refused(
        team, done, 1, "✗ signature  unknown-signer: no key at hand may sign v2.9.0",
        f"li-wei (openpgp {li_wei.fingerprint})", "bot (ssh SHA256:", "which no signer of the policy has",
        f"mend      git config gpg.format openpgp && git config user.signingkey {li_wei.fingerprint}",
    )  # fmt: skip
    assert bot.public not in done.stdout


def test_a_key_problem_is_told_with_all_the_others(team: Team, env: dict[str, str]) -> None:
    team.release("2.9.1")
    refused(team, tag(team, "v2.9.0", GNUPGHOME=env["HOME"]), 1, "✗ signature", "✗ version")


def test_two_keys_at_hand_are_not_chosen_between(team: Team, env: dict[str, str]) -> None:
    put_into_home(team, "bot", Path(env["HOME"]))
    refused(team, tag(team, "v2.9.0"), 1, "several keys at hand may sign v2.9.0", "bot (ssh SHA256:", "user.signingkey")
    configure(team, f"{env['HOME']}/.ssh/id_release", "ssh")
    accepted(team, tag(team, "v2.9.0"))


def test_a_signer_of_another_rule_only(team: Team) -> None:
    configure(team, team.keys.openpgp("li-wei").fingerprint)
    done = tag(team, "nightly-1")
    refused(
        team, done, 1, "signer-not-allowed:", "of li-wei, who may not sign tags of the rule nightly-*", name="nightly-1"
    )


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('status = "retired"', "outside-window:"),
        ('status = "compromised"', "compromised-key:"),
        ("valid-until = 2020-01-01T00:00:00Z", "outside-window:"),
        ("valid-from = 2999-01-01T00:00:00Z", "outside-window:"),
    ],
)
def test_a_key_that_no_longer_counts_does_not_sign(team: Team, line: str, reason: str) -> None:
    team.change_policy('file = "keys/li-wei.asc"\n', f'file = "keys/li-wei.asc"\n{line}\n')
    configure(team, team.keys.openpgp("li-wei").fingerprint)
    refused(team, tag(team, "v2.9.0"), 1, reason, "no key at hand may sign v2.9.0")


def test_a_key_that_is_expired_in_the_keyring_is_not_at_hand(team: Team, keychain: KeyChain) -> None:
    old = keychain.openpgp("old", "ed25519", "20200101T000000", *frozen("20190101T000000"))
    team.repo.write(".ptguard/keys/li-wei.asc", old.public)
    team.change_policy(team.keys.openpgp("li-wei").fingerprint, old.fingerprint)
    refused(team, tag(team, "v2.9.0", GNUPGHOME=str(old.home)), 1, "no key at hand may sign v2.9.0")


def test_an_existing_tag_is_left_alone(team: Team) -> None:
    before = team.tag("v2.9.0")
    done = tag(team, "v2.9.0")
    assert done.returncode == 2
    assert "there is a tag v2.9.0 already; it was not touched" in done.stderr
    assert team.repo.git("rev-parse", "refs/tags/v2.9.0") == before


def test_a_tag_that_only_the_remote_has_is_refused(team: Team) -> None:
    team.tag("v2.9.0")
    team.push("v2.9.0")
    team.repo.git("tag", "-d", "v2.9.0")
    refused(team, tag(team, "v2.9.0"), 1, "moved:")


@pytest.mark.parametrize("name", ["-x", "-d", "a..b", "v1.lock", "v 1", "HEAD", "", "v1/", "v1\n", "v~1", "@{x"])
def test_what_is_no_name_for_a_tag(team: Team, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = team.repo.git("for-each-ref")
    assert main(["tag", "-C", str(team.repo.path), "--", name]) == 2
    assert "is no name for a tag" in capsys.readouterr().err
    assert team.repo.git("for-each-ref") == before


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("v2.9.0", "nowhere"), "nowhere names no commit here"),
        (("v2.9.0", "--", "--all"), "--all names no commit here"),
        (("v2.9.0", "-m", "  "), "the message is empty"),
        (("v2.9.0", "--remote", "elsewhere"), "no remote called elsewhere"),
        (("v2.9.0", "--policy-ref", "nowhere"), "nowhere names no commit here"),
        ((), "Missing argument"),
    ],
)
def test_a_wrong_call(team: Team, args: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["tag", "-C", str(team.repo.path), *args])
    refused(team, subprocess.CompletedProcess([], code, "", capsys.readouterr().err), 2, words)


def test_a_policy_by_file_decides(team: Team) -> None:
    folder = team.root / "admin"
    shutil.copytree(team.repo.path / ".ptguard", folder)
    (folder / "policy.toml").write_text(team.policy.replace('signers = ["li-wei", "bot"]', 'signers = ["bot"]'))
    refused(team, tag(team, "v2.9.0", "--policy-file", str(folder / "policy.toml")), 1, "no key at hand may sign")


def test_a_remote_that_cannot_be_asked(team: Team) -> None:
    team.repo.git("config", "remote.origin.url", "../gone.git")
    refused(team, tag(team, "v2.9.0"), 3, "unknown:", "No tag v2.9.0 was made.")


# ------------------------------------------------------------------------------------- refused after all


def test_a_failed_signing_leaves_no_tag_and_gives_gits_words(team: Team) -> None:
    program(team, "gpg-fails", 'exec "$real" "$@" --faked-system-time 20100101T000000')
    refused(team, tag(team, "v2.9.0"), 3, "git tag -s made no tag:", "gpg: signing failed: ")
    program(team, "other", "printf 'no \\033[31mcard\\n' >&2; exit 2")
    configure(team, str(team.keys.ssh("bot").private), "ssh")
    team.repo.git("config", "gpg.ssh.program", f"{team.root}/other")
    # git 2.39 makes an unsigned tag of this, and goes on.
    refused(team, tag(team, "v2.9.0"), 3, "git tag -s ", "[31mcard")


def test_what_gpg_says_is_shown_escaped(team: Team) -> None:
    program(team, "gpg-says", "printf 'gpg: no \\033[31mcard\\n' >&3; exit 2")
    done = tag(team, "v2.9.0")
    refused(team, done, 3, "git tag -s made no tag:", "gpg: no \\x1b[31mcard")
    assert "\x1b" not in done.stdout + done.stderr


def test_a_tag_that_another_key_signed_after_all_is_taken_back(team: Team, keychain: KeyChain) -> None:
    stranger = keychain.openpgp("stranger")
    program(team, "gpg-other", f'unset u; GNUPGHOME={stranger.home} exec "$real" --status-fd=2 -bsa')
    done = tag(team, "v2.9.0")
    refused(team, done, 1, "✗ signature  unknown-signer:", "The tag v2.9.0 was taken back.")
    assert "git push" not in done.stdout


def test_a_tag_that_could_not_be_judged_is_taken_back(team: Team) -> None:
    program(team, "gpg-slow", f'mv {shlex.quote(str(team.remote))} {team.root}/away; exec "$real" "$@"')
    before = (team.root / "away", team.remote)
    done = team.repo.ptguard("tag", "v2.9.0")
    before[0].rename(before[1])
    refused(team, done, 3, "unknown:", "The tag v2.9.0 was taken back.")


def test_a_tag_of_another_program_stays(team: Team) -> None:
    theirs = team.tag("v2.9.0")
    team.repo.git("tag", "-d", "v2.9.0")
    git_dir = shlex.quote(str(team.repo.path / ".git"))
    program(team, "gpg-race", f'git --git-dir {git_dir} update-ref refs/tags/v2.9.0 {theirs} && exec "$real" "$@"')
    done = tag(team, "v2.9.0")
    assert done.returncode == 3, done.stdout + done.stderr
    assert team.repo.git("rev-parse", "v2.9.0") == theirs


def test_a_tag_that_is_moved_while_it_is_judged_stays_where_it_was_moved(team: Team) -> None:
    theirs = team.tag("v2.9.0", "HEAD~1")
    team.repo.git("tag", "-d", "v2.9.0")
    git_dir, signed = shlex.quote(str(team.repo.path / ".git")), team.root / "signed"
    program(team, "gpg-signs", f'touch {signed}; exec "$real" "$@"')
    upload = team.root / "upload-pack"
    move = f"env -u GIT_DIR git --git-dir {git_dir} update-ref refs/tags/v2.9.0 {theirs}"
    upload.write_text(f'#!/bin/sh\n[ -e {signed} ] && {move}\nexec git-upload-pack "$@"\n')
    upload.chmod(0o755)
    team.repo.git("config", "remote.origin.uploadpack", str(upload))
    done = team.repo.ptguard("tag", "v2.9.0")
    # What was judged is what stood when the judging began; the one that stands now was never judged.
    assert done.returncode == 0, done.stdout + done.stderr
    assert team.repo.git("rev-parse", "v2.9.0") == theirs


def interrupt(team: Team, waiting: Path, number: int, *args: str) -> tuple[int, str]:
    """Run `ptguard tag`, send the signal once the file ``waiting`` is there, and give exit code and screen."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-m", "ptguard", "tag", *args], cwd=team.repo.path, env=team.env,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 30
    while not waiting.exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    assert waiting.exists(), process.communicate()[0]
    process.send_signal(number)
    said, _ = process.communicate(timeout=20)
    return process.returncode, said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_while_signing(team: Team, number: int) -> None:
    waiting = team.root / "waiting"
    program(team, "gpg-waits", f"echo $$ > {waiting}.new; mv {waiting}.new {waiting}; exec sleep 60")
    code, said = interrupt(team, waiting, number, "v2.9.0")
    assert code == 130, said
    refused(team, subprocess.CompletedProcess([], code, said, ""), 130, "interrupted")
    assert gone(int(waiting.read_text()))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_while_the_finished_tag_is_judged(team: Team, number: int) -> None:
    signed, waiting = team.root / "signed", team.root / "waiting"
    upload = team.root / "upload-pack"
    upload.write_text(f'#!/bin/sh\n[ -e {signed} ] && {{ touch {waiting}; sleep 60; }}\nexec git-upload-pack "$@"\n')
    upload.chmod(0o755)
    team.repo.git("config", "remote.origin.uploadpack", str(upload))
    program(team, "gpg-signs", f'touch {signed}; exec "$real" "$@"')
    code, said = interrupt(team, waiting, number, "v2.9.0")
    assert code == 130, said
    refused(team, subprocess.CompletedProcess([], code, said, ""), 130, "interrupted")


def test_the_key_listing_of_gpg_is_read_strictly(keychain: KeyChain) -> None:
    from ptguard.gateways.signing import SecretKey, secret_keys

    li_wei = keychain.openpgp("li-wei")
    os.environ["GNUPGHOME"] = str(li_wei.home)
    assert secret_keys("gpg", li_wei.fingerprint) == (SecretKey(li_wei.fingerprint, signs=True),)
    assert secret_keys("gpg", "nobody@example.com") == ()
    assert secret_keys("gpg", "") == ()
    assert gpg(li_wei.home, "--list-secret-keys", "--with-colons")


def test_nothing_of_the_wish_is_taken_for_an_option(team: Team) -> None:
    done = tag(team, "v2.9.0", "-m", "--force")
    assert "\n\n--force\n-----BEGIN" in accepted(team, done)
    run("git", "-C", team.repo.path, "fsck", "--strict", env=team.env)


def on_a_terminal(team: Team, typed: bytes, prompt: bytes) -> tuple[int, str]:
    """Run `ptguard tag v2.9.0` on a terminal of its own, type ``typed`` at ``prompt``; give exit code and screen."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-I", "-m", "ptguard", "tag", "v2.9.0"], cwd=team.repo.path, env=team.env,
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - there is one thread
    )  # fmt: skip
    os.close(theirs)
    screen, deadline = b"", time.monotonic() + 60
    with contextlib.suppress(OSError):  # the terminal ends with the last that has it
        while select.select([ours], [], [], deadline - time.monotonic())[0] and (chunk := os.read(ours, 4096)):
            screen += chunk
            if typed and prompt in screen:
                time.sleep(0.2)  # the prompt stands before echoing is off, and what was typed before is thrown away
                os.write(ours, typed)
                typed = b""
    os.close(ours)
    return process.wait(20), screen.decode(errors="replace")


@pytest.fixture
def locked(team: Team, tmp_path: Path) -> Team:
    """A team whose bot has a key with a passphrase."""
    key = tmp_path / "locked"
    shutil.copy(team.keys.ssh("bot").private, key)
    run("ssh-keygen", "-q", "-p", "-P", "", "-N", "open sesame", "-f", key)
    shutil.copy(f"{team.keys.ssh('bot').private}.pub", f"{key}.pub")
    configure(team, str(key), "ssh")
    return team


def test_a_passphrase_is_asked_for_on_the_terminal(locked: Team) -> None:
    code, screen = on_a_terminal(locked, b"open sesame\n", b"passphrase")
    assert code == 0, screen
    assert "BEGIN SSH" in locked.repo.git("cat-file", "tag", "v2.9.0")


@pytest.mark.parametrize(("typed", "code"), [(b"wrong\n", 3), (b"\x03", 130)])
def test_a_wrong_passphrase_and_an_interrupt_at_the_terminal(locked: Team, typed: bytes, code: int) -> None:
    ended, screen = on_a_terminal(locked, typed, b"passphrase")
    refused(locked, subprocess.CompletedProcess([], ended, screen, ""), code)


def test_without_a_terminal_nobody_is_waited_for(locked: Team) -> None:
    refused(locked, tag(locked, "v2.9.0", SSH_ASKPASS="/bin/false"), 3, "git tag -s ")
