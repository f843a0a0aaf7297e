"""`ptguard keys` for real: the changed policy is one that the guard reads, and does what was asked."""

import codecs
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.e2e.team import Team
from tests.support import KeyChain, frozen, gpg, run


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


def test_a_key_that_signs_by_subkeys_ends_with_them(team: Team, keychain: KeyChain) -> None:
    home = keychain.root / "offline"
    home.mkdir(mode=0o700)
    try:
        gpg(home, "--quick-generate-key", "off <off@example.com>", "ed25519", "cert", "0")
        print_ = gpg(home, "--with-colons", "--list-keys").decode().split("fpr:::::::::")[1].split(":")[0]
        (team.root / "key.asc").write_bytes(gpg(home, "--armor", "--export"))
        done = keys(team, "add", "li-wei", str(team.root / "key.asc"), "--dry-run")
        assert f"note: of the key {print_}: it has no key that may sign" in done.stdout
        gpg(home, "--quick-add-key", print_, "ed25519", "sign", "20d")
        (team.root / "key.asc").write_bytes(gpg(home, "--armor", "--export"))
    finally:
        run("gpgconf", "--homedir", home, "--kill", "all")
    done = keys(team, "add", "li-wei", str(team.root / "key.asc"))
    assert f"note: of the key {print_}: expires within 20 days" in done.stdout
    publish(team, done.stdout)
    (line,) = [line for line in keys(team, "list").stdout.splitlines() if print_ in line]
    assert "! expires within 20 days" in line


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
    private, bot = keychain.ssh("second-bot").private, keychain.ssh("bot")
    weak, two, light = (team.root / name for name in ("weak.pub", "two.pub", "private"))
    weak.write_text(keychain.ssh("weak", "-t", "rsa", "-b", "1024").public)
    two.write_text(f"{keychain.ssh('x').public}\n{bot.public}\n")
    light.write_bytes(private.read_bytes())
    pgp = keychain.openpgp("second-wei")
    (team.root / "two.asc").write_bytes(pgp.public + keychain.openpgp("li-wei").public)
    (team.root / "secret.asc").write_bytes(gpg(pgp.home, "--armor", "--export-secret-keys"))
    wei = keychain.openpgp("li-wei").fingerprint
    for args, words, mend in (
        (("add", "bot", bot.public), "bot has the key SHA256:", "ptguard keys list"),
        (("add", "li-wei", bot.public), "bot has the key SHA256:", "ptguard keys list"),
        (("add", "Li Wei", keychain.ssh("x").public), "is no id of a signer", "ptguard keys add li-wei"),
        (("add", "../x", keychain.ssh("x").public), "is no id of a signer", "ptguard keys add li-wei"),
        (("add", "bot", keychain.ssh("x").public, "--name", "B"), "--name is for a new signer", "leave out --name"),
        (("add", "bot", str(private)), "is a private key, which never belongs here", f"name {private}.pub"),
        (("add", "bot", str(light)), "is a private key", f"ssh-keygen -y -f {light} >{light}.pub   # and name {light}"),
        (("add", "bot", str(team.root / "secret.asc")), "is a private key", "gpg --armor --export FINGERPRINT"),
        (
            ("add", "bot", "0123456789ABCDEF"),
            "is no full fingerprint",
            "gpg --list-keys --fingerprint 0123456789ABCDEF",
        ),
        (("add", "bot", "a@example.com"), "is no full fingerprint", "gpg --list-keys --fingerprint a@example.com"),
        (("add", "bot", "F" * 40), "could not export", "gpg --list-keys " + "F" * 40),
        (("add", "bot", "nonsense"), "nonsense is no key\n", "name a full OpenPGP fingerprint"),
        (("add", "bot", "ssh-ed25519 AAAA x"), "is no key: the SSH key is not of the kind", "name a full"),
        (("add", "bot", "none.asc"), "there is no file none.asc", "name a full OpenPGP fingerprint"),
        (("add", "bot", "~nobody-there/id.pub"), "there is no file ~nobody-there/id.pub", "name a full"),
        (("add", "bot", "x" * 300), "is no key\n", "name a full OpenPGP fingerprint"),
        (("add", "bot", str(team.root)), "is a folder", "name a full OpenPGP fingerprint"),
        (("add", "bot", str(weak)), "is no key: the RSA key is too weak (1024 bits)", "name a full"),
        (("add", "bot", str(two)), "has 2 lines, and an SSH public key is one", "with one key"),
        (("add", "bot", str(team.root / "two.asc")), "cannot be taken: several armored blocks", "with one key"),
        (("add", "bot"), "git has no user.signingkey", "name a full OpenPGP fingerprint"),
        (("retire", "0" * 40), "the policy has no key", "ptguard keys list"),
        (("retire", "\x1b[31m"), "the policy has no key \\x1b[31m", "ptguard keys list"),
        (("retire", wei[-16:].lower()), f"it may stand for {wei} (li-wei)", f"ptguard keys retire {wei}"),
        (("compromise", "li-wei"), f"it may stand for {wei} (li-wei)", f"ptguard keys compromise {wei}"),
        (("retire", wei[:-1]), "the policy has no key", "ptguard keys list"),
    ):
        done = keys(team, *args)
        assert done.returncode in (2, 3), (args, done.stdout, done.stderr)
        assert words in done.stderr and mend in done.stderr, (args, done.stderr)
        assert "ptguard itself failed" not in done.stderr
        assert team.repo.git("status", "--porcelain") == ""
    fingerprint = team.keys.openpgp("li-wei").fingerprint
    assert keys(team, "compromise", fingerprint).returncode == 0
    for how in ("compromise", "retire"):
        again = keys(team, how, fingerprint)
        assert again.returncode == 2 and "is compromised" in again.stderr


@pytest.mark.parametrize(
    ("format_", "key", "words"),
    [
        ("ssh", "key::{line}", None),
        ("ssh", "{line} a comment", None),
        ("ssh", "{path}", None),
        ("ssh", "{path}.pub", None),
        ("ssh", "~/.ssh/id", None),
        ("ssh", "~/.ssh/id.pub", None),
        ("ssh", "below/id.pub", None),
        ("ssh", "{path}-none", "leads to no SSH public key"),
        ("ssh", "key::garbage", "user.signingkey: no SSH public key"),
        ("openpgp", "{line}", "git config gpg.format ssh"),
        ("openpgp", "{path}.pub", "git config gpg.format ssh"),
        ("openpgp", "Nobody Here", "gpg has no secret key for user.signingkey Nobody Here"),
        ("x509", "x", "gpg.format is x509"),
    ],
)
def test_every_form_of_git_s_signing_key_is_understood(
    team: Team, keychain: KeyChain, format_: str, key: str, words: str | None
) -> None:
    new = keychain.ssh("second-bot")
    for folder in (Path(team.env["HOME"]) / ".ssh", team.repo.path / "below"):
        folder.mkdir()
        (folder / "id.pub").write_text(new.public)
    (Path(team.env["HOME"]) / ".ssh" / "id").write_bytes(new.private.read_bytes())
    team.repo.git("config", "gpg.format", format_)
    team.repo.git("config", "user.signingkey", key.format(line=new.public, path=new.private))
    done = keys(team, "add", "bot", "-C", "below")
    if words is None:
        assert done.returncode == 0, done.stderr
        assert f'+public-key = "{new.public} bot"' in done.stdout
    else:
        assert done.returncode == 2 and words in done.stderr, done.stderr


def test_a_line_may_be_given_as_git_has_it(team: Team, keychain: KeyChain) -> None:
    done = keys(team, "add", "bot", f"key::{keychain.ssh('long', '-t', 'rsa', '-b', '4096').public}", "--dry-run")
    assert done.returncode == 0, done.stderr


def test_what_other_systems_put_before_a_key_is_known(team: Team, keychain: KeyChain) -> None:
    new, file = keychain.ssh("second-bot").public, team.root / "id.pub"
    file.write_bytes(codecs.BOM_UTF8 + f"{new}\r\n".encode())
    done = keys(team, "add", "bot", str(file), "--dry-run")
    assert done.returncode == 0 and f'+public-key = "{new} bot"' in done.stdout
    file.write_text(f"{new}\r\n", "utf-16")
    done = keys(team, "add", "bot", str(file))
    assert done.returncode == 2 and "is UTF-16" in done.stderr
    (mend,) = [line for line in done.stderr.splitlines() if "mend" in line]
    run("sh", "-c", mend.strip().removeprefix("mend").strip())
    assert keys(team, "add", "bot", f"{file}.ascii").returncode == 0


def test_what_to_think_of_is_noted(team: Team, keychain: KeyChain) -> None:
    old = keychain.openpgp("ended", "ed25519", "1d", *frozen("20240101T000000"))
    (team.root / "old.asc").write_bytes(old.public)
    done = keys(team, "add", "lee-wei", str(team.root / "old.asc"), "--dry-run")
    assert f"note: of the key {old.fingerprint}: expired\n" in done.stdout
    assert "note: lee-wei is a new signer; there were: li-wei, bot, runner\n" in done.stdout
    team.write_policy(team.policy.replace("[image]", '[root]\nsigners = ["li-wei"]\n\n[image]'))
    done = keys(team, "compromise", team.keys.openpgp("li-wei").fingerprint)
    assert "note: nobody has an active key for changes of the policy ([root]) any more: ptguard keys add" in done.stdout
    assert "v*" not in done.stdout  # the bot is left
    listed = run("ssh-keygen", "-lf", f"{team.keys.ssh('bot').private}.pub").stdout.split()[1]
    done = keys(team, "retire", listed)
    assert "for tags like v* any more" in done.stdout and "for tags like nightly-* any more" in done.stdout
    assert "for smoke records" not in done.stdout


def test_a_bare_repository_has_no_policy_to_change(team: Team) -> None:
    done = keys(team, "retire", "-C", str(team.remote), team.keys.openpgp("li-wei").fingerprint)
    assert done.returncode == 2 and f"git clone {team.remote} DIR && cd DIR" in done.stderr


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


def test_nothing_is_written_through_a_link_or_over_a_file(team: Team, keychain: KeyChain) -> None:
    new = keychain.openpgp("second-wei")
    (team.root / "new.asc").write_bytes(new.public)
    folder = team.repo.path / ".ptguard" / "keys"
    there = folder / f"li-wei-{new.fingerprint[-16:].lower()}.asc"
    there.write_text("somebody's")
    for how in ((), ("--dry-run",)):
        done = keys(team, "add", "li-wei", str(team.root / "new.asc"), *how)
        assert done.returncode == 2 and f"mv .ptguard/keys/{there.name}" in done.stderr
        assert done.stdout == "" and there.read_text() == "somebody's"
    there.unlink()
    elsewhere = team.root / "elsewhere"
    folder.rename(elsewhere)
    folder.symlink_to(elsewhere)
    ssh_only = team.policy.replace(text(team).split("[signers.li-wei]")[1].split("[signers.bot]")[0], "").replace(
        "[signers.li-wei]", ""
    )
    team.write_policy(ssh_only.replace('"li-wei", ', ""))
    done = keys(team, "add", "bot", str(team.root / "new.asc"))
    assert done.returncode == 2 and ".ptguard/keys is a symbolic link" in done.stderr
    assert [path.name for path in elsewhere.iterdir()] == ["li-wei.asc"]


def test_words_that_do_not_get_out_are_no_success_and_no_refusal(team: Team) -> None:
    """1 means that a tag is refused; and what was not shown is not written either."""
    before, bot = text(team), run("ssh-keygen", "-lf", f"{team.keys.ssh('bot').private}.pub").stdout.split()[1]
    argv = [sys.executable, "-I", "-m", "ptguard", "keys"]
    for args in (["list"], ["retire", bot]):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            [*argv, *args], cwd=team.repo.path, env=team.env, stdout=writer, stderr=subprocess.PIPE, check=False
        )
        os.close(writer)
        assert (done.returncode, done.stderr) == (3, b"")
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                [*argv, *args], cwd=team.repo.path, env=team.env, stdout=full, stderr=subprocess.PIPE, check=False
            )
        assert done.returncode == 3 and b"No space left" in done.stderr and b"df -h" in done.stderr
    assert text(team) == before
