"""Who may sign what: a tagger's key vouches for no run and a runner's key signs no tag, unless the policy says so."""

import json

import pytest

from ptguard.parse.smoke import canonical, pae
from tests.e2e.hostile import by_gpg, by_ssh, payload, stored
from tests.e2e.team import RECORD, Team, finding

pytestmark = pytest.mark.e2e
TAGGERS = 'signers = ["li-wei", "bot"]'
VOUCHERS = '[smoke]\nsigners = ["runner"]'
KEYS = """
[[signers.{signer}.keys]]
kind = "openpgp"
fingerprint = "{fingerprint}"
file = "keys/{name}.asc"
{more}
"""


def give_key(team: Team, signer: str, name: str, more: str = "") -> None:
    """Give ``signer`` the OpenPGP key ``name`` as well, here and on the remote."""
    key = team.keys.openpgp(name)
    team.repo.write(f".ptguard/keys/{name}.asc", key.public)
    header = f"[[signers.{signer}.keys]]"
    added = KEYS.format(signer=signer, fingerprint=key.fingerprint, name=name, more=more)
    team.write_policy(team.policy.replace(header, f"{added.strip()}\n\n{header}", 1))
    team.repo.commit("One more key")
    team.push("main")


def vouch_by_gpg(team: Team, name: str) -> None:
    """Sign the record by the OpenPGP key ``name`` instead of the runner's."""
    data = canonical(team.record())
    team.repo.write(RECORD, data)
    (team.repo.path / f"{RECORD}.sig").unlink(missing_ok=True)
    team.repo.write(f"{RECORD}.asc", team.keys.openpgp(name).sign(pae(data)))
    team.repo.commit("Another signature")
    team.push("main")


def test_a_runner_signs_no_tag(armed: Team) -> None:
    give_key(armed, "runner", "runner-pgp")
    for raw in (
        by_ssh(armed, payload(armed, "v2.9.0"), "runner"),
        by_gpg(armed, payload(armed, "v2.9.0"), "runner-pgp"),
    ):
        stored(armed, "v2.9.0", raw)
        done = armed.guard("v2.9.0").refused("signer-not-allowed")
        assert "signed by runner, who may not sign tags like v*" in done.screen
        code, document = armed.verify("--published", "v2.9.0")
        assert (code, finding(document, "signature")["reason"]) == (1, "signer-not-allowed")
    armed.change_policy(TAGGERS, 'signers = ["li-wei", "bot", "runner"]')
    armed.guard("v2.9.0").accepted("v2.9.0")


@pytest.mark.parametrize("kind", ["ssh", "openpgp"])
def test_a_tagger_vouches_for_no_run(armed: Team, kind: str) -> None:
    name = "bot" if kind == "ssh" else "li-wei"
    if kind == "ssh":
        armed.write_record(signer="bot")
        armed.repo.commit("Vouched for by the tagger")
        armed.push("main")
    else:
        vouch_by_gpg(armed, "li-wei")
    armed.tag()
    done = armed.guard("v2.9.0").refused("unknown-signer")
    assert f"the record is signed by {name}, who may not vouch for smoke runs" in done.screen
    code, document = armed.verify("--published", "v2.9.0")
    assert (code, finding(document, "smoke")["reason"]) == (1, "unknown-signer")
    armed.change_policy(VOUCHERS, f'[smoke]\nsigners = ["runner", "{name}"]')
    armed.tag()
    armed.guard("v2.9.0").accepted("v2.9.0")


def test_the_signature_of_a_record_serves_for_no_tag_and_that_of_a_tag_for_no_record(armed: Team) -> None:
    """Also where the policy lets one key do both: what was signed is never the same bytes."""
    armed.change_policy(TAGGERS, 'signers = ["li-wei", "bot", "runner"]')
    armed.change_policy(VOUCHERS, '[smoke]\nsigners = ["runner", "li-wei"]')
    body, record = payload(armed, "v2.9.0"), canonical(armed.record())
    runner, li_wei = armed.keys.ssh("runner"), armed.keys.openpgp("li-wei")
    for block, reason in (
        (runner.sign(pae(record), "ptguard-smoke"), "wrong-namespace"),
        (runner.sign(body, "ptguard-smoke"), "wrong-namespace"),
        (li_wei.sign(pae(record)), "bad-signature"),
    ):
        stored(armed, "v2.9.0", body + block)
        armed.guard("v2.9.0").refused(reason)
    for suffix, signature in (
        ("sig", runner.sign(pae(record), "git")),
        ("sig", runner.sign(record, "ptguard-smoke")),
        ("asc", li_wei.sign(body)),
        ("asc", li_wei.sign(record)),
    ):
        for other in ("sig", "asc"):
            (armed.repo.path / f"{RECORD}.{other}").unlink(missing_ok=True)
        armed.repo.write(RECORD, record)
        armed.repo.write(f"{RECORD}.{suffix}", signature)
        armed.repo.commit("A signature over something else")
        armed.push("main")
        armed.tag()
        done = armed.guard("v2.9.0").refused("bad-signature")
        assert "\n  v2.9.0: smoke\n" in done.screen, "nothing else is wrong"
    vouch_by_gpg(armed, "li-wei")
    armed.tag()
    armed.guard("v2.9.0").accepted("v2.9.0")


def test_a_person_with_several_keys_is_one_person(armed: Team) -> None:
    """Whichever key signs, the finding names the person; the keys live and die by themselves."""
    give_key(armed, "li-wei", "li-wei-laptop")
    give_key(armed, "li-wei", "li-wei-lost", 'status = "compromised"')
    for key in ("li-wei", "li-wei-laptop"):
        stored(armed, "v2.9.0", by_gpg(armed, payload(armed, "v2.9.0"), key))
        code, document = armed.verify("v2.9.0")
        found = finding(document, "signature")
        assert (code, found["signer"]) == (0, "li-wei")
        assert found["fingerprint"] == armed.keys.openpgp(key).fingerprint
    stored(armed, "v2.9.0", by_gpg(armed, payload(armed, "v2.9.0"), "li-wei-lost"))
    armed.guard("v2.9.0").refused("compromised-key")
    listed = armed.repo.ptguard("keys", "list")
    assert listed.returncode == 0, listed.stderr
    assert [line for line in listed.stdout.splitlines() if line.startswith("li-wei")] == ["li-wei (Li Wei): v*"]
    done = armed.repo.ptguard("keys", "list", "--format", "json")
    rows = [row for row in json.loads(done.stdout)["keys"] if row["signer"] == "li-wei"]
    assert [row["status"] for row in rows] == ["compromised", "active", "active"]


@pytest.mark.parametrize(("second", "words"), [("li-wei", "this signer has already"), ("other", "li-wei has already")])
def test_a_key_that_stands_twice_tells_nothing_and_refuses_every_tag(armed: Team, second: str, words: str) -> None:
    key = armed.keys.openpgp("li-wei")
    again = KEYS.format(signer=second, fingerprint=key.fingerprint, name="copy", more="")
    armed.repo.write(".ptguard/keys/copy.asc", key.public)
    armed.write_policy(armed.policy + again)
    armed.repo.commit("The same key again")
    armed.push("main")
    armed.tag()
    done = armed.guard("v2.9.0").refused()
    assert words in done.screen
    assert armed.verify("v2.9.0")[0] == 2


def test_who_may_sign_is_said_by_pattern_and_the_first_that_fits_decides(armed: Team) -> None:
    armed.change_policy(
        '[[tags]]\npattern = "nightly-*"',
        '[[tags]]\npattern = "nightly-ok-*"\nchecks = ["annotated", "signature"]\nsigners = ["li-wei"]\n\n'
        '[[tags]]\npattern = "nightly-*"',
    )
    armed.tag("nightly-ok-1")
    armed.tag_ssh("nightly-1")
    armed.guard("nightly-ok-1", "nightly-1").accepted("nightly-ok-1", "nightly-1")
    armed.tag_ssh("nightly-ok-2")
    armed.guard("nightly-ok-2").refused("signer-not-allowed")
    armed.tag("nightly-2")
    armed.guard("nightly-2").refused("signer-not-allowed")
