"""What a key proves at a push and later: its expiry, its end by the policy, the copy that the policy has of it."""

from pathlib import Path

import pytest

from tests.e2e.hostile import BY_ID, DAY, by_gpg, exported, extended, payload, signing_subkey, stored
from tests.e2e.team import Team, finding, now
from tests.support import KeyChain, frozen, gpg, run

pytestmark = pytest.mark.e2e


@pytest.fixture
def lived(team: Team) -> Team:
    """An armed team whose policy has the keys of the table."""
    extended(team)
    team.arm()
    return team


def second_remote(team: Team, folder: Path) -> None:
    """Give the clone a remote beside the canonical one, with main on it."""
    run("git", "init", "-q", "--bare", folder / "second.git", env=team.env)
    team.repo.git("remote", "add", "second", str(folder / "second.git"))
    team.repo.git("push", "-q", "--no-verify", "second", "main")
    team.repo.git("fetch", "-q", "second")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("expired-since", None),
        ("outlived-by-its-subkey", None),
        ("retired-in-its-window", None),
        ("retired-without-a-date", None),
        ("ssh-retired-in-its-window", None),
        ("signed-after-expiry", "expired-key"),
        ("revoked", "revoked-key"),
        ("compromised", "compromised-key"),
        ("ssh-compromised", "compromised-key"),
        ("retired-after-its-window", "outside-window"),
    ],
)
def test_a_published_tag_goes_to_another_remote_by_the_rules_of_history(
    lived: Team, tmp_path: Path, name: str, reason: str | None
) -> None:
    kind = BY_ID[name]
    kind.make(lived)
    second_remote(lived, tmp_path)
    done = lived.repo.try_git("push", "second", f"refs/tags/{kind.ref}")
    assert done.returncode != 0, "it is not published yet"
    lived.push(f"refs/tags/{kind.ref}")
    done = lived.repo.try_git("push", "second", f"refs/tags/{kind.ref}")
    if reason is None:
        assert done.returncode == 0, done.stderr
    else:
        assert done.returncode != 0 and f"{reason}:" in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("primary", "subkey", "prolonged"), [("9d", None, 1), ("0", "8d", 1), ("3650d", "8d", 2), ("9d", "0", 1)]
)
def test_the_mending_words_bring_a_prolonged_key_into_the_policy(
    team: Team, keychain: KeyChain, primary: str, subkey: str | None, prolonged: int
) -> None:
    """The key lives on, or can, and the policy's copy of it does not know: what the refusal names makes it known."""
    key = keychain.openpgp(f"prolonged-{primary}-{subkey}", "ed25519", primary, *frozen(now() - 10 * DAY))
    signer = f"{key.fingerprint}!"
    if subkey:
        signer = f"{signing_subkey(key, *frozen(now() - 9 * DAY), expire=subkey)}!"
    copy = exported(key)
    text = team.policy.replace(keychain.openpgp("li-wei").fingerprint, key.fingerprint)
    team.repo.write(".ptguard/keys/li-wei.asc", copy)
    team.write_policy(text)
    team.repo.commit("Another key")
    team.push("main")
    team.arm()
    if subkey is None:
        gpg(key.home, *frozen(now() - 2 * DAY), "--quick-set-expire", key.fingerprint, "20y")
    body = payload(team, "v2.9.0")
    then = () if subkey is None else frozen(now() - 3 * DAY)
    stored(team, "v2.9.0", body + gpg(key.home, *then, "--armor", "--detach-sign", "-u", signer, stdin=body))
    team.guard("v2.9.0").refused("expired-key")
    fix = finding(team.verify("v2.9.0")[1], "signature")["fix"]
    assert fix.count("--quick-set-expire") == prolonged
    env = {**team.env, "GNUPGHOME": str(key.home)}
    run("sh", "-c", fix.replace("gpg ", "gpg --batch --pinentry-mode loopback --passphrase '' --yes "),
        cwd=team.repo.path, env=env)  # fmt: skip
    team.repo.commit("The key lives on")
    team.push("main")
    team.guard("v2.9.0").accepted("v2.9.0")


def test_a_key_that_gets_compromised_or_revoked_later_loses_what_it_signed(lived: Team) -> None:
    """The same published tag, before and after: only the policy's word on the key has changed."""
    for ref, signer in (("t-a", "aged"), ("t-b", "old-rsa")):
        stored(lived, ref, by_gpg(lived, payload(lived, ref), signer))
    lived.guard("t-a", "t-b").accepted("t-a", "t-b")
    assert lived.repo.ptguard("audit", "--strict").returncode == 0
    lived.change_policy('file = "keys/aged.asc"\n', 'file = "keys/aged.asc"\nstatus = "compromised"\n')
    key = lived.keys.openpgp("old-rsa")
    certificate = (key.home / "openpgp-revocs.d" / f"{key.fingerprint}.rev").read_bytes()
    home = lived.root / "revoking"
    home.mkdir(mode=0o700)
    gpg(home, "--no-autostart", "--import", stdin=exported(key))
    gpg(home, "--no-autostart", "--import", stdin=certificate.replace(b":-----BEGIN", b"-----BEGIN"))
    lived.repo.write(".ptguard/keys/old-rsa.asc", gpg(home, "--armor", "--export", key.fingerprint))
    lived.repo.commit("A revocation certificate")
    lived.push("main")
    done = lived.repo.ptguard("audit", "--strict")
    assert done.returncode == 1
    assert "     1  signature/compromised-key" in done.stdout and "     1  signature/revoked-key" in done.stdout
    for mode in ((), ("--published",)):
        _, document = lived.verify(*mode, "t-a", "t-b")
        found = [finding(document, "signature", at)["reason"] for at in (0, 1)]
        assert found == ["compromised-key", "revoked-key"]
