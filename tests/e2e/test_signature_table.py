"""Every kind of tag that a verifier may meet, pushed and judged as history for real, one by one and all at once.

``ROWS`` is the table of what must be refused and what must not, each row with the tests that hold it.
"""

import importlib
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.hostile import BY_ID, KINDS, Kind, by_gpg, extended, log_calls, payload, stored
from tests.e2e.team import Team, finding
from tests.support import GITCONFIG, clean_environment, run

pytestmark = pytest.mark.e2e
HERE = "tests.e2e.test_signature_table"

# A row: what is met; the kinds of tests/e2e/hostile.py; tests, as module:function.
ROWS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "lightweight; annotated without signature: refused, and said which": (
        ("unsigned",),
        ("tests.e2e.test_push:test_annotated", "tests.e2e.test_push:test_signature"),
    ),
    "good signature, signer in policy for this pattern: accepted": (
        ("openpgp", "rsa", "ssh"),
        ("tests.e2e.test_push:test_a_good_tag_goes_through",),
    ),
    "good signature, signer in policy for another pattern only: signer-not-allowed": (
        ("not-for-this-pattern",),
        ("tests.e2e.test_push:test_signature",),
    ),
    "signer not in policy, though in the user's keyring with ultimate trust: unknown-signer": (
        ("stranger", "ssh-stranger"),
        ("tests.e2e.test_trust:test_the_users_keyring_and_gpg_conf_play_no_part",),
    ),
    "signed by a signing subkey of a policy key: accepted": (("subkey", "subkey-newer-than-the-copy"), ()),
    "signed v2.9.0 object pushed as refs/tags/v3.0.0: name-mismatch": (
        ("other-name",),
        ("tests.e2e.test_push:test_annotated",),
    ),
    "nested tag; tag of a tree or a blob; signed outer over unsigned inner: refused": (
        ("nested", "nested-over-unsigned", "nested-over-signed", "tree", "blob", "tree-called-a-commit"),
        ("tests.e2e.test_odd_surroundings:test_a_tag_of_a_tree_or_a_blob_is_refused_and_not_an_error",),
    ),
    "one byte of the message or of the target changed: bad-signature": (
        ("message-changed", "target-changed", "name-changed", "ssh-message-changed"),
        ("tests.gateways.test_tags_for_real:test_a_changed_byte",),
    ),
    "key expired now, signed before expiry: refused at a push, accepted in history": (
        (
            "expired-since",
            "subkey-expired-since",
            "outlived-by-its-subkey",
            "signed-before-the-subkey-s-expiry",
            "signature-that-will-expire",
        ),
        (),
    ),
    "signed after expiry, the verifier's copy of the key being older: refused in both": (
        (
            "signed-after-expiry",
            "signed-by-a-subkey-after-the-key-s-expiry",
            "signed-after-the-subkey-s-expiry",
            "signature-that-has-expired",
        ),
        (),
    ),
    "key revoked; policy says compromised: refused in both": (
        (
            "revoked",
            "signed-long-before-the-revocation",
            "revoked-and-expired-since",
            "subkey-revoked-and-expired-since",
            "subkey-revoked",
            "primary-beside-a-revoked-subkey",
            "compromised",
            "ssh-compromised",
        ),
        (),
    ),
    "policy says retired, signed inside its window: refused at a push, accepted in history": (
        (
            "retired-in-its-window",
            "retired-without-a-date",
            "signed-before-the-key-was-made",
            "retired-after-its-window",
            "ssh-retired-in-its-window",
            "ssh-retired-after-its-window",
            "before-its-window",
            "in-a-window-that-is-over",
            "only-the-tagger-in-the-window",
            "only-the-signature-in-the-window",
        ),
        (),
    ),
    "dated in the future beyond the skew; older than max-tag-age at a push: refused": (
        (
            "signed-in-the-future",
            "tagged-in-the-future",
            "ssh-tagged-in-the-future",
            "signed-long-ago",
            "tagged-long-ago",
            "ssh-tagged-long-ago",
            "within-the-skew",
        ),
        (),
    ),
    "SHA-1 or MD5 digest: weak-digest (in history: by policy)": (
        ("sha1", "md5", "sha224"),
        (f"{HERE}:test_sha1_counts_in_history_where_the_policy_says_so",),
    ),
    "two signatures in one armor; two armored blocks: several-signatures": (
        ("two-in-one-armor", "signed-again", "signed-again-by-ssh"),
        (),
    ),
    "text behind the end line, an OpenTimestamps block too: trailing-data": (
        ("text-behind", "timestamp-behind", "blank-line-behind"),
        (f"{HERE}:test_a_timestamp_behind_the_signature_is_named",),
    ),
    "BEGIN PGP MESSAGE inside the message text of a well-signed tag: accepted": (("armor-in-the-message",), ()),
    "an inline-signed message as the signature block: refused": (
        ("inline-message", "inline-message-labelled-signature", "textmode"),
        (),
    ),
    "status lines smuggled through a user id or a file name: refused": (
        ("status-in-a-user-id", "status-in-a-file-name"),
        ("tests.gateways.test_openpgp:test_status_lines_in_a_user_id_are_nobody_s_words",),
    ),
    "injected gpgsig or gpgsig-sha256, a second tag header, no tagger, NUL: refused": (
        ("gpgsig", "gpgsig-sha256", "second-tag-header", "no-tagger", "nul"),
        (),
    ),
    "ANSI escapes in tagger, message, changelog, file names: shown escaped": (
        ("escapes",),
        (f"{HERE}:test_escapes_in_the_tree_are_shown_harmlessly",),
    ),
    "refs/replace that puts a signed object over an unsigned one: the real one is judged": (
        (),
        ("tests.e2e.test_trust:test_replace_refs_and_grafts_play_no_part",),
    ),
    "gpg.program, GIT_CONFIG_COUNT, gpg.conf, an in-tree allowed-signers file: no effect": (
        (),
        (
            "tests.e2e.test_trust:test_gpg_program_and_allowed_signers_of_git_play_no_part",
            "tests.e2e.test_trust:test_configuration_from_the_environment_plays_no_part",
            "tests.e2e.test_trust:test_the_users_keyring_and_gpg_conf_play_no_part",
            f"{HERE}:test_allowed_signers_in_the_tree_play_no_part",
        ),
    ),
    "SSH: wrong namespace; principal * in policy; key not in policy; certificate: refused": (
        ("ssh-wrong-namespace", "ssh-smoke-namespace", "ssh-certificate", "ssh-stranger"),
        (f"{HERE}:test_a_policy_that_names_nobody_or_everybody_refuses_every_tag",),
    ),
    "x509: unsupported-kind": (("x509",), ()),
    "policy changed in the tagged commit, or in the same push, to add the signer: refused": (
        (),
        ("tests.e2e.test_trust:test_a_policy_in_the_tagged_commit_or_in_the_same_push_authorizes_nobody",),
    ),
    "policy missing, empty, unreadable, no signers: every tag refused, exit 2": (
        (),
        (
            "tests.e2e.test_bad_input:test_no_policy_on_the_trust_branch",
            "tests.e2e.test_bad_input:test_broken_policies_refuse_every_tag",
            f"{HERE}:test_a_policy_that_names_nobody_or_everybody_refuses_every_tag",
        ),
    ),
    "existing tag moved; deleted; pushed again unchanged: refused, refused, accepted": (
        (),
        ("tests.e2e.test_push:test_immutable",),
    ),
    "V2.9.0 beside v2.9.0, whatever its rule; refs/Tags/v2.9.0: case-collision, refused": (
        (),
        ("tests.e2e.test_push:test_immutable_twins",),
    ),
    "a branch named v2.9.0 pushed, or standing when the tag is pushed: shadowed": (
        (),
        ("tests.e2e.test_push:test_immutable", f"{HERE}:test_a_branch_that_stands_there_shadows_the_tag"),
    ),
    "HEAD:refs/heads/release/x in the same push, to satisfy release/*: not-on-branch": (
        (),
        ("tests.e2e.test_push:test_branch",),
    ),
    "grafts file that fakes ancestry; shallow clone: no effect; shallow, exit 3": (
        (),
        (
            "tests.e2e.test_trust:test_replace_refs_and_grafts_play_no_part",
            "tests.e2e.test_bad_input:test_a_shallow_clone",
        ),
    ),
    "tag named -x, with spaces of Unicode kind, 200 characters long: judged, never an option or a path": (
        (),
        (
            "tests.e2e.test_bad_input:test_odd_names_are_judged_and_are_no_options",
            f"{HERE}:test_odd_names_can_be_accepted_too",
        ),
    ),
    "100 MB tag object: refused by size, memory flat": (
        (),
        (f"{HERE}:test_a_tag_object_of_100_mb_is_refused_by_its_size_and_never_read",),
    ),
    "10,000 tags in one push: judged, memory flat, time linear": (
        (),
        (
            f"{HERE}:test_ten_thousand_tags_take_no_more_memory_than_a_thousand",
            "tests.e2e.test_many_tags:test_all_are_judged_with_few_programs",
        ),
    ),
    "SHA-256 repository: works throughout": (
        (),
        ("tests.e2e.test_bad_input:test_a_sha256_repository", f"{HERE}:test_all_kinds_in_a_sha256_repository"),
    ),
    "gpg not installed, and an OpenPGP key in the policy: exit 3, says what to install": (
        (),
        ("tests.e2e.test_bad_input:test_no_gpg_on_path",),
    ),
}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.partition(":")[0])
def test_each_row_has_tests_that_are_there(row: str) -> None:
    kinds, tests = ROWS[row]
    assert kinds or tests
    assert set(kinds) <= BY_ID.keys()
    for name in tests:
        module, _, function = name.partition(":")
        assert callable(getattr(importlib.import_module(module), function)), name


def test_each_kind_has_a_row() -> None:
    assert {kind for kinds, _ in ROWS.values() for kind in kinds} == BY_ID.keys()


# --------------------------------------------------------------------------------------------- the kinds


@pytest.fixture(scope="module")
def bench(template: Team, tmp_path_factory: pytest.TempPathFactory) -> Team:
    """One armed team for the whole module: each kind has a name of its own, and a refused push changes nothing."""
    home = tmp_path_factory.mktemp("home-of-the-table")
    (home / ".gitconfig").write_text(GITCONFIG)
    team = template.copy_to(tmp_path_factory.mktemp("table") / "team", clean_environment(home))
    extended(team)
    team.arm()
    return team


def refusals(tag: dict[str, Any]) -> set[str]:
    return {f["reason"] for f in tag["findings"] if f["status"] in ("fail", "error")}


def by_tag(document: dict[str, Any]) -> dict[str, set[str]]:
    return {tag["tag"]: refusals(tag) for tag in document["tags"]}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)
def test_pushed(bench: Team, kind: Kind) -> None:
    kind.make(bench)
    done = bench.guard(f"refs/tags/{kind.ref}")
    if kind.push:
        done.refused(*kind.push)
    else:
        done.accepted(kind.ref)
    assert not any(escape in done.screen for escape in ("\x1b", "\x07", "\x9b"))
    _, document = bench.verify(kind.ref)
    assert by_tag(document) == {kind.ref: set(kind.push)}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)
def test_in_history(bench: Team, kind: Kind) -> None:
    kind.make(bench)
    code, document = bench.verify("--published", kind.ref)
    assert by_tag(document) == {kind.ref: set(kind.in_history)}
    assert code == (1 if kind.in_history else 0)
    if not kind.in_history:
        whose = "tagger's" if "ssh" in kind.id else "signer's"
        assert f"valid by the {whose} own clock" in finding(document, "signature")["message"]


AUDIT = ("audit", "--format", "json", "--no-cache", "--offline", "--checks", "annotated,signature")


def test_all_at_once_by_few_runs_of_gpg_say_what_each_says_by_itself(bench: Team, tmp_path: Path) -> None:
    for kind in KINDS:
        kind.make(bench)
    log = log_calls(tmp_path, ["gpg"], bench_env := dict(bench.env))
    documents: dict[str, list[dict[str, Any]]] = {}
    for jobs in ("1", "2"):
        done = bench.repo.ptguard(*AUDIT, "--jobs", jobs, env=bench_env)
        assert done.returncode == 0, done.stderr
        documents[jobs] = without_the_clock(json.loads(done.stdout)["tags"])
        if jobs == "1":
            assert len(log.read_text().splitlines()) < 12
    assert documents["1"] == documents["2"]
    found = by_tag({"tags": documents["1"]})
    assert {kind.ref: found[kind.ref] for kind in KINDS} == {kind.ref: set(kind.in_history) for kind in KINDS}
    assert by_tag(bench.verify(*(kind.ref for kind in KINDS))[1]) == {kind.ref: set(kind.push) for kind in KINDS}


def without_the_clock(tags: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out what names the time of the audit: until when a signature would not be from the future."""
    for found in (found for tag in tags for found in tag["findings"] if found["reason"] == "future"):
        del found["expected"]
    return tags


def test_all_kinds_in_a_sha256_repository(template: Team, tmp_path: Path, env: dict[str, str]) -> None:
    team = Team.build(tmp_path / "team", env, template.keys, object_format="sha256")
    extended(team)
    assert {len(kind.make(team)) for kind in KINDS} == {64}
    names = [kind.ref for kind in KINDS]
    assert by_tag(team.verify(*names)[1]) == {kind.ref: set(kind.push) for kind in KINDS}
    assert by_tag(team.verify("--published", *names)[1]) == {kind.ref: set(kind.in_history) for kind in KINDS}


# --------------------------------------------------------------------------------------------- rows of their own


def test_sha1_counts_in_history_where_the_policy_says_so(team: Team) -> None:
    extended(team)
    team.change_policy("[signers.li-wei]", '[limits]\ndigests = ["SHA512", "SHA256", "SHA1"]\n\n[signers.li-wei]')
    kinds = [BY_ID[name] for name in ("sha1", "md5", "sha224", "openpgp")]
    names = [kind.ref for kind in kinds if kind.make(team)]
    for few in (names, names[:1]):  # many by one run of gpg, and one by its own
        assert by_tag(team.verify(*few)[1])["t-sha1"] == {"weak-digest"}
        assert by_tag(team.verify("--published", *few)[1])["t-sha1"] == set()
    found = by_tag(team.verify("--published", *names)[1])
    assert [found[name] for name in names[1:]] == [{"weak-digest"}, {"weak-digest"}, set()]
    team.arm()
    team.guard("t-sha1").refused("weak-digest")


def test_a_timestamp_behind_the_signature_is_named(bench: Team) -> None:
    BY_ID["timestamp-behind"].make(bench)
    done = bench.guard("refs/tags/t-timestamp-behind").refused("trailing-data")
    assert "an OpenTimestamps block after the end of the signature" in done.screen


def test_escapes_in_the_tree_are_shown_harmlessly(armed: Team) -> None:
    armed.repo.write("CHANGELOG.md", "# Changelog\n\n## \x1b[31m[2.8.0]\x1b[0m\x07 - 2025-01-01\n\n- x\n")
    armed.repo.write(".ptguard/\x1b]0;title\x07.py", "print()\n")
    armed.repo.write("Dockerfile", "FROM pytorch/pytorch:2.9.0\x1b[2J\n")
    armed.settle()
    armed.tag("v2.9.0", "HEAD", "-m", "\x1b[2JRelease")
    done = armed.guard("v2.9.0").refused("missing-section", "foreign-file")
    assert "\\x1b]0;title\\x07.py" in done.screen and "\\x1b[2J" in done.screen
    assert not any(escape in done.screen for escape in ("\x1b", "\x07"))


def test_allowed_signers_in_the_tree_play_no_part(armed: Team) -> None:
    line = f"* {armed.keys.ssh('ssh-stranger').public}\n"
    for path in (".allowed_signers", "allowed_signers", ".ptguard/keys/allowed_signers.asc"):
        armed.repo.write(path, line)
    armed.settle("Lists of allowed signers")
    armed.repo.git("config", "gpg.ssh.allowedSignersFile", ".allowed_signers")
    armed.tag_ssh(signer="ssh-stranger")
    assert armed.repo.try_git("verify-tag", "v2.9.0").returncode == 0, "git itself believes the file"
    armed.guard("v2.9.0").refused("unknown-signer")


RULE = 'schema = 1\n[[tags]]\npattern = "v*"\nchecks = ["annotated", "signature"]\n'
KEY = '[[signers.{name}.keys]]\nkind = "ssh"\npublic-key = "{key}"\n'


@pytest.mark.parametrize(
    ("rule", "name", "key", "words"),
    [
        ("", "a", "{bot}", "tags[0].signers"),
        ('signers = ["a"]\n', "b", "{bot}", '"a"'),
        ('signers = ["*"]\n', '"*"', "{bot}", "*"),
        ('signers = ["a"]\n', "a", "* {bot}", "public-key"),
        ('signers = ["a"]\n', "a", 'cert-authority,principals=\\"*\\" {bot}', "public-key"),
        ('signers = ["a"]\n', "a", '* namespaces=\\"git\\" {bot}', "public-key"),
    ],
)
def test_a_policy_that_names_nobody_or_everybody_refuses_every_tag(
    armed: Team, rule: str, name: str, key: str, words: str
) -> None:
    public = armed.keys.ssh("bot").public
    armed.tag_ssh("v2.9.0")
    armed.write_policy(RULE + rule + KEY.format(name=name, key=key.format(bot=public)))
    armed.repo.commit("Change the policy")
    armed.push("main")
    armed.guard("v2.9.0").refused()
    code, document = armed.verify("v2.9.0")
    assert (code, document["error"]["kind"]) == (2, "policy")
    assert any(words in problem for problem in document["error"]["problems"]), document["error"]["problems"]
    armed.write_policy(RULE + 'signers = ["a"]\n' + KEY.format(name="a", key=public))
    armed.repo.commit("Mend the policy")
    armed.push("main")
    armed.guard("v2.9.0").accepted("v2.9.0")


def test_a_branch_that_stands_there_shadows_the_tag(armed: Team) -> None:
    armed.push("main:refs/heads/v2.9.0")
    armed.repo.git("fetch", "-q", "origin")
    armed.tag()
    done = armed.guard("refs/tags/v2.9.0").refused("shadowed")
    assert "git push origin --delete refs/heads/v2.9.0" in done.screen
    armed.push("--delete", "refs/heads/v2.9.0")
    armed.guard("refs/tags/v2.9.0").accepted("v2.9.0")


@pytest.mark.parametrize("name", ["-x", "--upload-pack=x", "wide\u3000space", "no\u00a0break", "x" * 200, "a/b/c"])
def test_odd_names_can_be_accepted_too(bench: Team, name: str) -> None:
    bench_policy = bench.root / "any.toml"
    text = bench.policy.replace('pattern = "t-*"', 'pattern = "**"', 1)
    bench_policy.write_text(text)
    folder = bench.root / "keys"
    if not folder.exists():
        shutil.copytree(bench.repo.path / ".ptguard" / "keys", folder)
    stored(bench, name, by_gpg(bench, payload(bench, name)))
    try:
        bench.repo.git("config", "ptguard.policyFile", str(bench_policy))
        bench.guard(f"refs/tags/{name}").accepted(name)
        code, document = bench.verify("--", name)
        assert (code, by_tag(document)) == (0, {name: set()})
        bench.guard(f"refs/tags/{name}:refs/tags/{name}-other").refused("name-mismatch")
    finally:
        bench.repo.git("config", "--unset", "ptguard.policyFile")


PEAK = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[2:])
with open(sys.argv[1], "w") as file:
    file.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(done.returncode)
"""


def peak(team: Team, *args: str, stdin: bytes = b"") -> tuple[int, str, int]:
    """Run ptguard and give its exit code, what it said, and the most memory that it or a child of it had, in KiB.

    A small process starts it: before its own program runs, a child counts the memory of who started it.
    """
    file = team.root / "peak"
    argv = [sys.executable, "-I", "-c", PEAK, str(file), sys.executable, "-I", "-m", "ptguard", *args]
    done = run(*argv, cwd=team.repo.path, env=team.env, stdin=stdin, check=False)
    return done.returncode, done.stdout + done.stderr, int(file.read_text())


def test_a_tag_object_of_100_mb_is_refused_by_its_size_and_never_read(armed: Team) -> None:
    armed.tag()
    code, _, usual = peak(armed, "verify", "v2.9.0")
    assert code == 0
    stored(armed, "v2.9.0", payload(armed, "v2.9.0", message=b"x" * 100_000_000))
    code, said, most = peak(armed, "verify", "v2.9.0")
    assert code == 1 and "too-large" in said
    assert most < usual + 20_000
    armed.guard("v2.9.0").refused("too-large")


def lines_of(team: Team, names: Sequence[str]) -> bytes:
    """Give the lines of a push of ``names`` to a remote that has none of them."""
    oids = dict(line.split(" ") for line in team.repo.git(
        "for-each-ref", "--format=%(refname) %(objectname)", "refs/tags/").splitlines())  # fmt: skip
    return "".join(f"{ref} {oids[ref]} {ref} {'0' * 40}\n" for ref in names).encode()


def test_ten_thousand_tags_take_no_more_memory_than_a_thousand(bench: Team) -> None:
    """Signed, unsigned, forged, lightweight and of one object: all are judged, under 120 MB."""
    for kind in KINDS:
        kind.make(bench)
    head = bench.repo.git("rev-parse", "HEAD")
    oids = [kind.make(bench) for kind in KINDS if kind.id != "tree-called-a-commit"]  # git makes no second ref to it
    stream, updates, names = [], [], []
    for at in range(10_000):
        name = f"t-many-{at}"
        names.append(f"refs/tags/{name}")
        if at % 4:
            updates.append(f"create refs/tags/{name} {([*oids, head])[at % (len(oids) + 1)]}\n")
        else:
            stream.append(f"tag {name}\nfrom {head}\ntagger A <a@b.c> {1_700_000_000 + at} +0000\ndata 1\nx\n")
    bench.repo.git("fast-import", "--quiet", stdin="".join(stream).encode())
    bench.repo.git("update-ref", "--stdin", stdin="".join(updates).encode())
    try:
        code, said, less = peak(bench, "pre-push", "origin", "../remote.git", stdin=lines_of(bench, names[:1000]))
        assert code == 1 and said.count("  refused\n") == 1000
        code, said, most = peak(bench, "pre-push", "origin", "../remote.git", stdin=lines_of(bench, names))
        assert code == 1 and said.count("  refused\n") == 10_000
        assert most < 120_000 and most < 2 * less, (less, most)
    finally:
        bench.repo.git("update-ref", "--stdin", stdin="".join(f"delete {name}\n" for name in names).encode())
