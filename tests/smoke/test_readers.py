"""A record is read back by others than us: in-toto's own package, ssh-keygen, gpg, and git for the tree it names.

What is signed is put together here from the words of the DSSE protocol, not by the function that the product has.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict, Parse, ParseDict  # type: ignore[import-untyped]
from in_toto_attestation.predicates.test_result.v0 import test_result_pb2
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1.statement_pb2 import Statement as StatementMessage

from tests.support import KeyChain, OpenPgpIdentity, Repo, SshIdentity, run, toml_list

IMAGE = f"registry.example.com/team/train:2.9@sha256:{'3' * 64}"
RECORD = ".ptguard/smoke/registry.example.com-team-train-2.9.json"
POLICY = """\
schema = 1

[[tags]]
pattern = "v*"
checks = ["annotated", "signature", "image", "smoke"]
signers = ["gpu-runner"]

[image]
sources = ["Dockerfile"]

[smoke]
device = "cpu"
command = {command}
image-from = "operator"
ignore = {ignore}

[signers.gpu-runner]
[[signers.gpu-runner.keys]]
kind = "ssh"
public-key = "{runner}"
[[signers.gpu-runner.keys]]
kind = "openpgp"
fingerprint = "{fingerprint}"
file = "keys/gpu.asc"
"""


def pre_authentication_encoding(body: bytes) -> bytes:
    """Give ``"DSSEv1" SP LEN(type) SP type SP LEN(body) SP body``, lengths in ASCII decimal (DSSE protocol, v1)."""
    kind = b"application/vnd.in-toto+json"
    return b" ".join([b"DSSEv1", str(len(kind)).encode(), kind, str(len(body)).encode(), body])


def laid_out(path: Path, env: dict[str, str], keys: KeyChain, object_format: str, ignore: Sequence[str]) -> Repo:
    """Give a repository whose policy takes a run on this machine."""
    run("git", "init", "-q", f"--object-format={object_format}", path, env=env)
    repo = Repo(path, env)
    gpg = keys.openpgp("gpu")
    policy = POLICY.format(
        command=toml_list([sys.executable, "-c", "pass"]),
        ignore=toml_list(ignore),
        runner=keys.ssh("gpu").public,
        fingerprint=gpg.fingerprint,
    )
    repo.write(".ptguard/policy.toml", policy)
    repo.write(".ptguard/keys/gpu.asc", gpg.public)
    repo.write("Dockerfile", f"FROM {IMAGE}\n")
    repo.commit("The policy")
    return repo


def recorded(repo: Repo, sign: SshIdentity | OpenPgpIdentity) -> bytes:
    """Make the record of HEAD for real and give its bytes."""
    key = str(sign.private) if isinstance(sign, SshIdentity) else sign.fingerprint
    env = {"GNUPGHOME": str(sign.home)} if isinstance(sign, OpenPgpIdentity) else {}
    run_here = ("--runner", "local", "--python", sys.executable, "--framework", "none")
    done = repo.ptguard("smoke", *run_here, "--image", IMAGE, "--sign", key, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return (repo.path / RECORD).read_bytes()


def by_ssh_keygen(folder: Path, public: str, signature: Path, message: bytes, namespace: str) -> bool:
    allowed = folder / "allowed"
    allowed.write_text(f"gpu {public}\n")
    argv = ("ssh-keygen", "-Y", "verify", "-f", allowed, "-I", "gpu", "-n", namespace, "-s", signature)
    return run(*argv, stdin=message, check=False).returncode == 0


def by_gpg(home: Path, signature: Path, message: bytes) -> bool:
    argv = ["gpg", "--homedir", str(home), "--batch", "--verify", str(signature), "-"]
    return subprocess.run(argv, input=message, capture_output=True, check=False).returncode == 0


def by_write_tree(repo: Repo, excluded: Sequence[str], index: Path) -> str:
    """Give the id of HEAD's tree without ``excluded`` as git's own temporary index makes it."""
    env = {**repo.env, "GIT_INDEX_FILE": str(index)}
    run("git", "-C", repo.path, "read-tree", "HEAD", env=env)
    run("git", "-C", repo.path, "rm", "-r", "-q", "--cached", "--ignore-unmatch", "--", *excluded, env=env)
    return run("git", "-C", repo.path, "write-tree", env=env).stdout.strip()


@pytest.fixture(params=["sha1", "sha256"])
def object_format(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("kind", ["ssh", "openpgp"])
def test_in_toto_ssh_keygen_gpg_and_git_read_the_same(
    tmp_path: Path, env: dict[str, str], keychain: KeyChain, object_format: str, kind: str
) -> None:
    repo = laid_out(tmp_path / "repo", env, keychain, object_format, [])
    record = recorded(repo, keychain.ssh("gpu") if kind == "ssh" else keychain.openpgp("gpu"))

    message = Parse(record, StatementMessage())
    Statement.copy_from_pb(message).validate()
    result = ParseDict(MessageToDict(message.predicate), test_result_pb2.TestResult())
    assert (result.result, list(result.passed_tests), list(result.failed_tests)) == ("PASSED", ["command"], [])
    assert [subject.name for subject in message.subject] == ["git-tree", "image"]
    assert message.subject[0].digest == {"gitTree": by_write_tree(repo, [".ptguard"], tmp_path / "index")}
    assert message.subject[1].digest == {"sha256": "3" * 64}
    notes = MessageToDict(message.subject[0].annotations)
    assert notes == {"objectFormat": object_format, "excluded": [".ptguard"]}

    signed, other = pre_authentication_encoding(record), pre_authentication_encoding(record + b" ")
    signature = repo.path / f"{RECORD}{'.sig' if kind == 'ssh' else '.asc'}"
    if kind == "ssh":
        public = keychain.ssh("gpu").public
        assert by_ssh_keygen(tmp_path, public, signature, signed, "ptguard-smoke")
        assert not by_ssh_keygen(tmp_path, public, signature, signed, "git")
        assert not by_ssh_keygen(tmp_path, public, signature, other, "ptguard-smoke")
        assert not by_ssh_keygen(tmp_path, public, signature, record, "ptguard-smoke")
        assert not by_ssh_keygen(tmp_path, keychain.ssh("stranger").public, signature, signed, "ptguard-smoke")
    else:
        home = keychain.openpgp("gpu").home
        assert by_gpg(home, signature, signed)
        assert not by_gpg(home, signature, other)
        assert not by_gpg(home, signature, record)
        assert "digest algo 10" in run("gpg", "--list-packets", signature).stdout
    verdict = json.loads(repo.ptguard("smoke", "verify", RECORD, "--format", "json").stdout)
    assert verdict["decision"] == "accept", verdict


LAYOUTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "nested": (("sub/.ptguard/kept", ".ptguard-not", "a.ptguard/x"), ()),
    "ignored": (("CHANGELOG.md", "docs/NEWS", "docs/guide"), ("CHANGELOG.md", "docs/NEWS")),
    "emptied": (("docs/deep/down/NEWS", "z"), ("docs/deep/down/NEWS",)),
    "not there": (("a",), ("no/such/file", "CHANGELOG.md")),
    "odd names": (("a-b", "a", "a0", "日本語/ü.md", "x y\t"), ("日本語/ü.md", "a")),
    "nothing else": ((), ("Dockerfile",)),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_tree_is_that_of_git(
    tmp_path: Path, env: dict[str, str], keychain: KeyChain, object_format: str, layout: str
) -> None:
    files, ignore = LAYOUTS[layout]
    repo = laid_out(tmp_path / "repo", env, keychain, object_format, ignore)
    for name in files:
        repo.write(name, f"{name}\n")
    repo.commit("The files")
    value: dict[str, Any] = json.loads(recorded(repo, keychain.ssh("gpu")))
    tree = value["subject"][0]
    assert tree["annotations"]["excluded"] == [".ptguard", *sorted(ignore)]
    assert tree["digest"]["gitTree"] == by_write_tree(repo, [".ptguard", *ignore], tmp_path / "index")
    for name in ignore:
        repo.write(name, "changed after the run\n")
    repo.commit("The record, and what may change")
    done = repo.ptguard("smoke", "verify", RECORD)
    if layout == "nothing else":  # the image is declared there, and was changed
        assert "could-not-decide" in done.stdout and "wrong-tree" not in done.stdout
    else:
        assert done.returncode == 0, done.stdout
    repo.write("new.py", "x\n")
    repo.commit("Not tried")
    assert "wrong-tree" in repo.ptguard("smoke", "verify", RECORD).stdout


def test_a_tree_without_any_guard_folder_is_itself(
    tmp_path: Path, env: dict[str, str], keychain: KeyChain, object_format: str
) -> None:
    repo = laid_out(tmp_path / "repo", env, keychain, object_format, [])
    policy = tmp_path / "policy"
    (repo.path / ".ptguard").rename(policy)
    repo.commit("The policy lies elsewhere")
    repo.git("config", "ptguard.policyFile", str(policy / "policy.toml"))
    value = json.loads(recorded(repo, keychain.ssh("gpu")))
    assert value["subject"][0]["digest"]["gitTree"] == repo.git("rev-parse", "HEAD^{tree}")
