"""From nothing to a first release, typing what ptguard prints: a policy that `init` writes must lead to a tag."""

import re
from pathlib import Path

import pytest

from tests.smoke.records import gpu_python
from tests.support import KeyChain, Repo, refs, run

pytestmark = pytest.mark.e2e

IMAGE = "pytorch/pytorch:2.9.0-cuda12.8-cudnn9-devel"
DIGEST = "sha256:" + "a" * 64


@pytest.fixture
def project(repo: Repo, tmp_path: Path) -> Repo:
    """A project that has everything but a policy, and an empty remote; nothing is committed yet."""
    run("git", "init", "-q", "--bare", tmp_path / "remote.git", env=repo.env)
    repo.git("remote", "add", "origin", "../remote.git")
    repo.write("pyproject.toml", '[project]\nname = "net"\nversion = "0.1.0"\n')
    repo.write("CHANGELOG.md", "# Changelog\n\n## [0.1.0] - 2026-11-22\n\n- The first.\n")
    repo.write("Dockerfile", f"FROM {IMAGE}\n")
    gpu_python(tmp_path / "gpu-python")
    return repo


def typed(repo: Repo, line: str) -> str:
    """Have a shell do what a person is told to type, and give what it prints."""
    done = run("sh", "-c", line, cwd=repo.path, env=repo.env, check=False)
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    return done.stdout


def indented(text: str) -> list[str]:
    """Give the lines of ``text`` that are meant to be typed."""
    return [line.strip() for line in text.splitlines() if line.startswith("  ") and " ✓" not in line]


def use_key(repo: Repo, keychain: KeyChain, kind: str) -> None:
    repo.git("config", "gpg.format", kind)
    if kind == "ssh":
        repo.git("config", "user.signingkey", str(keychain.ssh("li-wei-ssh").private))
    else:
        repo.env["GNUPGHOME"] = str(keychain.openpgp("li-wei").home)
        repo.git("config", "user.signingkey", keychain.openpgp("li-wei").fingerprint)


@pytest.mark.parametrize("kind", ["ssh", "openpgp"])
def test_from_nothing_to_a_release_with_one_key(project: Repo, keychain: KeyChain, tmp_path: Path, kind: str) -> None:
    """The same key signs the tag and the record, as `init` has it: both are verified at the same time."""
    use_key(project, keychain, kind)
    said = typed(project, "ptguard init")
    # No engine and no registry is at hand here: README.md says which line takes the operator's word.
    typed(project, """sed -i '/^\\[smoke\\]/a image-from = "operator"' .ptguard/policy.toml""")
    for line in indented(said[said.index("Still to type") :]):
        typed(project, line)
    smoke = f"ptguard smoke --runner local --image {IMAGE}@{DIGEST} --python {tmp_path}/gpu-python"
    recorded = re.search(r"^next: (.*)$", typed(project, smoke), re.MULTILINE)
    assert recorded is not None
    typed(project, recorded[1])
    typed(project, "git push origin main")
    made = typed(project, "ptguard tag v0.1.0")
    typed(project, indented(made[made.index("Nothing was pushed") :])[0])
    assert "refs/tags/v0.1.0" in refs(tmp_path / "remote.git", project.env)


def test_a_tag_made_before_there_is_a_remote(repo: Repo, keychain: KeyChain, tmp_path: Path) -> None:
    use_key(repo, keychain, "ssh")
    repo.write("VERSION", "0.1.0\n")
    said = typed(repo, "ptguard init")
    for line in indented(said[said.index("Still to type") :]):
        typed(repo, line)
    made = typed(repo, "ptguard tag v0.1.0")
    run("git", "init", "-q", "--bare", tmp_path / "remote.git", env=repo.env)
    typed(repo, indented(made[made.index("Nothing was pushed") :])[0].replace("URL", "../remote.git"))
    assert set(refs(tmp_path / "remote.git", repo.env)) == {"refs/heads/main", "refs/tags/v0.1.0"}
