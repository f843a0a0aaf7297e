"""`ptguard init` in real repositories with real keys: what it finds, what it leaves out, what it never touches."""

import os
import shutil
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest

from ptguard.__main__ import run as main
from ptguard.checks import discover
from ptguard.cli.policy import check_policy
from ptguard.model import Policy
from ptguard.setup.draft import signer_id
from ptguard.setup.write import write_new
from tests.support import KeyChain, Repo, frozen, run

IMAGE = "pytorch/pytorch:2.9.0-cuda12.8-cudnn9-devel"
DIGEST = "sha256:" + "a" * 64
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def project(repo: Repo, keychain: KeyChain) -> Repo:
    """A project that has everything, with an SSH signing key, and a remote that does not answer."""
    repo.write("pyproject.toml", '[project]\nname = "net"\nversion = "2.9.0"\n')
    repo.write("CHANGELOG.md", "# Changelog\n\n## [2.9.0] - 2026-11-22\n\n- The first.\n")
    repo.write("Dockerfile", f"FROM {IMAGE}@{DIGEST}\n")
    repo.commit("Start")
    repo.git("remote", "add", "origin", "../nowhere.git")
    use_ssh(repo, keychain)
    return repo


def use_ssh(repo: Repo, keychain: KeyChain, name: str = "li-wei-ssh") -> None:
    repo.git("config", "gpg.format", "ssh")
    repo.git("config", "user.signingkey", str(keychain.ssh(name).private))


def use_openpgp(repo: Repo, keychain: KeyChain, monkeypatch: pytest.MonkeyPatch) -> None:
    key = keychain.openpgp("li-wei")
    monkeypatch.setenv("GNUPGHOME", str(key.home))
    repo.git("config", "gpg.format", "openpgp")
    repo.git("config", "user.signingkey", "li-wei@example.com")


def init(repo: Repo, *args: str) -> int:
    return main(["init", "-C", str(repo.path), *args])


def policy(repo: Repo) -> tuple[Policy, dict[str, Any]]:
    """Give the written policy, as it is judged by and as it stands there."""
    path = repo.path / ".ptguard" / "policy.toml"
    return check_policy(path), tomllib.loads(path.read_text())


def written(repo: Repo) -> dict[str, bytes]:
    """Give every file of .ptguard, links not followed."""
    found = (repo.path / ".ptguard").rglob("*")
    return {str(p.relative_to(repo.path)): p.read_bytes() for p in found if p.is_file() and not p.is_symlink()}


def nothing(repo: Repo, capsys: Capture, *words: str) -> None:
    """Assert that nothing was written and that standard error says why."""
    said = capsys.readouterr()
    assert not (repo.path / ".ptguard").exists()
    assert said.out == ""
    for word in words:
        assert word in said.err, said.err


# ------------------------------------------------------------------------------------------- what is written


def test_a_whole_project(project: Repo, keychain: KeyChain, capsys: Capture) -> None:
    assert init(project) == 0
    read, text = policy(project)
    public = keychain.ssh("li-wei-ssh").public
    assert text == {
        "schema": 1,
        "trust": {"branch": "main"},
        "tags": [
            {"pattern": "v*", "checks": list(discover()), "signers": ["li-wei"], "branches": ["main", "release/*"]}
        ],
        "unmatched": {"action": "refuse"},
        "signers": {"li-wei": {"name": "Li Wei", "keys": [{"kind": "ssh", "public-key": f"{public} li-wei"}]}},
        "version": {"sources": ["pyproject.toml"]},
        "changelog": {"path": "CHANGELOG.md"},
        "image": {"sources": ["Dockerfile"], "require-digest": True},
        "smoke": {"device": "cuda", "signers": ["li-wei"]},
    }
    assert read.rules[0].checks == tuple(discover())
    assert written(project)[".ptguard/.gitattributes"] == b"smoke/* -text -filter -diff -merge\n"
    said = capsys.readouterr().out
    assert said.endswith(
        f"The policy counts only from the branch main of origin. Still to type, in {project.path}:\n"
        "  git add .ptguard\n"
        "  git commit -m 'Add the release policy'\n"
        "  git push -u origin main\n"
        "  git fetch origin\n"
        "  ptguard install\n"
    )
    for line in (
        "found    version: 2.9.0, in pyproject.toml\n",
        "found    changelog: CHANGELOG.md\n",
        f"found    image: docker.io/{IMAGE}@{DIGEST}, in Dockerfile\n",
        "found    trust branch: main (the usual one)\n",
        "wrote    .ptguard/.gitattributes, .ptguard/policy.toml\n",
    ):
        assert line in said
    assert "missing" not in said


def test_an_openpgp_key_is_exported_beside_it(
    project: Repo, keychain: KeyChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_openpgp(project, keychain, monkeypatch)
    assert init(project) == 0
    read, text = policy(project)
    fingerprint = keychain.openpgp("li-wei").fingerprint
    expected = {"kind": "openpgp", "fingerprint": fingerprint, "file": "keys/li-wei.asc"}
    assert text["signers"]["li-wei"]["keys"] == [expected]
    assert read.signers["li-wei"].keys[0].fingerprint == fingerprint
    exported = written(project)[".ptguard/keys/li-wei.asc"]
    assert exported.startswith(b"-----BEGIN PGP PUBLIC KEY BLOCK-----")
    assert b"PRIVATE" not in exported


def test_the_lines_it_ends_with_make_a_policy_that_counts(project: Repo, capsys: Capture, tmp_path: Path) -> None:
    run("git", "init", "-q", "--bare", tmp_path / "nowhere.git", env=project.env)
    project.git("branch", "-m", "trunk")
    assert init(project) == 0
    lines = capsys.readouterr().out.split("Still to type", 1)[1].splitlines()[1:]
    assert "  git remote set-head origin trunk" in lines
    for line in lines:
        run("sh", "-ec", line, cwd=project.path, env=project.env)
    assert project.git("status", "--porcelain") == ""
    done = project.ptguard("tag", "v2.9.0")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "policy: refs/remotes/origin/trunk at " in done.stdout
    failed = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("  ✗ ")]
    assert failed == ["smoke"], done.stdout


@pytest.mark.parametrize("form", ["private", "public", "literal", "relative"])
def test_the_forms_of_an_ssh_signing_key(project: Repo, keychain: KeyChain, form: str) -> None:
    key = keychain.ssh("li-wei-ssh")
    value = {
        "private": str(key.private),
        "public": f"{key.private}.pub",
        "literal": f"key::{key.public}",
        "relative": os.path.relpath(key.private, project.path),
    }[form]
    project.git("config", "user.signingkey", value)
    assert init(project) == 0
    assert policy(project)[1]["signers"]["li-wei"]["keys"][0]["public-key"] == f"{key.public} li-wei"


def test_what_the_repository_lacks_is_left_out_and_said(repo: Repo, keychain: KeyChain, capsys: Capture) -> None:
    use_ssh(repo, keychain)
    assert init(repo) == 0
    read, text = policy(repo)
    assert read.rules[0].checks == ("annotated", "signature", "immutable", "branch")
    assert not {"image", "smoke", "changelog", "version"} & set(text)
    said = capsys.readouterr().out
    for line in (
        "missing  version: no file declares one; the check version is left out\n",
        "missing  changelog: none; the check changelog is left out\n",
        "missing  image: no Dockerfile or [tool.ptguard] image; the checks image and smoke are left out\n",
        "The policy counts only from the branch main (no remote is configured yet).",
    ):
        assert line in said
    assert "git push" not in said


@pytest.mark.parametrize(
    ("files", "sources", "said"),
    [
        ({"VERSION": "1.2.0\n"}, ["VERSION"], "found    version: 1.2.0, in VERSION"),
        ({"setup.cfg": "[metadata]\nversion = 1.2.0\n"}, ["setup.cfg"], "version: 1.2.0"),
        ({"src/net/__init__.py": '__version__ = "1.2.0"\n'}, ["src/net/__init__.py:__version__"], "version: 1.2.0"),
        (
            {"setup.cfg": "[flake8]\nmax-line-length = 99\n", "net/version.py": '__version__ = "1.2.0"\n'},
            ["net/version.py:__version__"],
            "version: 1.2.0",
        ),
        (
            {
                "pyproject.toml": '[project]\nname = "n"\nversion = "1.2.0"\n',
                "net/__init__.py": '__version__ = "1.2.0"\n',
            },
            ["pyproject.toml", "net/__init__.py:__version__"],
            "version: 1.2.0",
        ),
        (
            {"pyproject.toml": '[project]\nname = "n"\nversion = "1.2.0"\n', "net/__init__.py": '__version__ = "9"\n'},
            ["pyproject.toml"],
            "decided  version: net/__init__.py:__version__ declares 9; left out",
        ),
        (
            {"pyproject.toml": '[project]\nname = "n"\ndynamic = ["version"]\n', "VERSION": "1.2.0\n"},
            ["VERSION"],
            "decided  version: pyproject.toml computes it at build time; left out",
        ),
        (
            {"pyproject.toml": '[project]\nname = "n"\ndynamic = ["version"]\n'},
            ["pyproject.toml"],
            "computed at build time",
        ),
    ],
)
def test_version_sources(
    repo: Repo, keychain: KeyChain, capsys: Capture, files: dict[str, str], sources: list[str], said: str
) -> None:
    use_ssh(repo, keychain)
    for path, text in files.items():
        repo.write(path, text)
    assert init(repo) == 0
    assert policy(repo)[1]["version"] == {"sources": sources}
    assert said in capsys.readouterr().out


@pytest.mark.parametrize("name", ["CHANGELOG.md", "changelog.md", "CHANGES.rst", "HISTORY.md", "NEWS.md"])
def test_changelogs_by_their_usual_names(repo: Repo, keychain: KeyChain, name: str) -> None:
    use_ssh(repo, keychain)
    repo.write(name, "1.2.0\n=====\n\n- First.\n")
    assert init(repo) == 0
    assert policy(repo)[1]["changelog"] == {"path": name}


def test_a_changelog_that_is_a_link_or_unreadable_is_no_changelog(
    repo: Repo, keychain: KeyChain, capsys: Capture
) -> None:
    use_ssh(repo, keychain)
    (repo.path / "CHANGELOG.md").symlink_to("/etc/passwd")
    repo.write("CHANGES.md", b"\xff\xfe\x00")
    repo.write("HISTORY.md", "## 1.2.0 - 2026-11-22\n\n- First.\n")
    assert init(repo) == 0
    assert policy(repo)[1]["changelog"] == {"path": "HISTORY.md"}
    said = capsys.readouterr().out
    assert "missing  changelog: CHANGELOG.md cannot be read" in said
    assert "missing  changelog: CHANGES.md cannot be read" in said


def test_a_folder_called_as_a_file_is_no_file(project: Repo, capsys: Capture) -> None:
    (project.path / "Dockerfile").unlink(missing_ok=True)
    (project.path / "Dockerfile").mkdir()
    assert init(project) == 0
    assert "image" not in policy(project)[1]
    assert "missing  image: no Dockerfile" in capsys.readouterr().out


def test_an_image_that_is_not_pinned(project: Repo, capsys: Capture) -> None:
    project.write("Dockerfile", f"FROM {IMAGE}\n")
    assert init(project) == 0
    assert policy(project)[1]["image"] == {"sources": ["Dockerfile"], "require-digest": False}
    assert "decided  image: not pinned by a digest, so require-digest = false" in capsys.readouterr().out


def test_an_image_of_rocm_wants_a_rocm_device(project: Repo) -> None:
    project.write("Dockerfile", f"FROM rocm/pytorch:rocm7.2_ubuntu22.04_py3.10_pytorch_release_2.7.1@{DIGEST}\n")
    assert init(project) == 0
    assert policy(project)[1]["smoke"] == {"device": "rocm", "signers": ["li-wei"]}


def test_an_image_in_pyproject_that_differs_is_said(project: Repo, capsys: Capture) -> None:
    image = f'[tool.ptguard]\nimage = "pytorch/pytorch:2.8.0-cuda12.8-cudnn9-devel@{DIGEST}"\n'
    project.write("pyproject.toml", f'[project]\nname = "net"\nversion = "2.9.0"\n{image}')
    assert init(project) == 0
    assert policy(project)[1]["image"]["sources"] == ["Dockerfile", "pyproject.toml"]
    assert "decided  image: these differ" in capsys.readouterr().out


def test_an_image_that_cannot_be_told_is_left_out_with_why(project: Repo, capsys: Capture) -> None:
    project.write("Dockerfile", "ARG BASE\nFROM $BASE\n")
    assert init(project) == 0
    assert not {"image", "smoke"} & set(policy(project)[1])
    said = capsys.readouterr().out
    assert "missing  image: Dockerfile declares none that can be told (" in said
    assert "the checks image and smoke are left out" in said


def test_tags_of_other_names_are_said(project: Repo, capsys: Capture) -> None:
    for name in ("v1.0.0", "1.1.0", "nightly"):
        project.git("tag", name)
    assert init(project) == 0
    assert "2 of the tags here have other names (1.1.0, nightly): add a rule" in capsys.readouterr().out


# ------------------------------------------------------------------------------------------- the trust branch


def test_the_default_branch_of_the_remote(project: Repo, capsys: Capture) -> None:
    project.git("update-ref", "refs/remotes/origin/trunk", "HEAD")
    project.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk")
    assert init(project) == 0
    assert policy(project)[1]["trust"] == {"branch": "trunk"}
    said = capsys.readouterr().out
    assert "trust branch: trunk (origin's default branch)" in said
    assert "  git switch trunk\n  git add .ptguard\n" in said
    assert "ptguard.trustBranch" not in said


def test_another_branch_than_the_default_one_is_configured_in_every_clone(project: Repo, capsys: Capture) -> None:
    project.git("update-ref", "refs/remotes/origin/main", "HEAD")
    project.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    assert init(project, "--trust-branch", "policy") == 0
    text = policy(project)[1]
    assert (text["trust"], text["tags"][0]["branches"]) == ({"branch": "policy"}, ["policy", "release/*"])
    said = capsys.readouterr().out
    assert "  git config ptguard.trustBranch policy   # in every clone\n  git switch -c policy\n" in said


def test_the_configured_trust_branch(project: Repo, capsys: Capture) -> None:
    project.git("config", "ptguard.trustBranch", "release")
    assert init(project) == 0
    assert "trust branch: release (git config ptguard.trustBranch)" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["-x", "a..b", "", "HEAD"])
def test_no_name_for_a_branch(project: Repo, capsys: Capture, name: str) -> None:
    assert init(project, f"--trust-branch={name}") == 2
    nothing(project, capsys, "is no name for a branch")


def test_several_remotes_and_none_of_them_origin(project: Repo, capsys: Capture) -> None:
    project.git("remote", "rename", "origin", "one")
    project.git("remote", "add", "two", "../two.git")
    assert init(project) == 2
    nothing(project, capsys, "git config ptguard.remote NAME")
    project.git("config", "ptguard.remote", "two")
    assert init(project) == 0
    assert "  git push -u two main\n" in capsys.readouterr().out


# ------------------------------------------------------------------------------------------- what is to be typed


def test_an_ignored_folder_and_new_files_are_added_all_the_same(project: Repo, capsys: Capture) -> None:
    project.write(".gitignore", ".*\n")
    project.write("VERSION", "2.9.0\n")
    assert init(project) == 0
    line = next(x for x in capsys.readouterr().out.splitlines() if "git add" in x)
    assert line == "  git add -f .ptguard VERSION"
    run("sh", "-ec", line, cwd=project.path, env=project.env)
    assert ".ptguard/policy.toml" in project.git("ls-files")


# ------------------------------------------------------------------------------------------- nothing is overwritten


@pytest.mark.parametrize("kind", ["file", "empty", "folder", "dangling"])
def test_a_policy_that_stands_is_left_alone(project: Repo, capsys: Capture, kind: str) -> None:
    place = project.path / ".ptguard" / "policy.toml"
    place.parent.mkdir()
    if kind == "folder":
        place.mkdir()
    elif kind == "dangling":
        place.symlink_to("gone.toml")
    else:
        place.write_text("" if kind == "empty" else "schema = 1\n")
    before = written(project), place.lstat()
    assert init(project) == 2
    assert (written(project), place.lstat()) == before
    assert sorted(p.name for p in place.parent.iterdir()) == ["policy.toml"]
    assert ".ptguard/policy.toml is there already; nothing was written" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["link", "file"])
def test_a_folder_that_is_none(project: Repo, capsys: Capture, tmp_path: Path, kind: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    place = project.path / ".ptguard"
    place.symlink_to(elsewhere) if kind == "link" else place.write_text("mine")
    assert init(project) == 2
    assert list(elsewhere.iterdir()) == []
    words = "a symbolic link" if kind == "link" else "no folder"
    assert f".ptguard is {words}; nothing was written" in capsys.readouterr().err


def test_a_keys_folder_that_is_a_link(
    project: Repo, keychain: KeyChain, capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use_openpgp(project, keychain, monkeypatch)
    (project.path / ".ptguard").mkdir()
    (project.path / ".ptguard" / "keys").symlink_to(tmp_path)
    assert init(project) == 2
    assert written(project) == {}
    assert ".ptguard/keys is a symbolic link; nothing was written" in capsys.readouterr().err


def test_another_key_file_of_the_name_stays(
    project: Repo, keychain: KeyChain, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_openpgp(project, keychain, monkeypatch)
    project.write(".ptguard/keys/li-wei.asc", keychain.openpgp("stranger").public)
    before = written(project)
    assert init(project) == 2
    assert written(project) == before
    assert ".ptguard/keys/li-wei.asc is there already; nothing was written" in capsys.readouterr().err


def test_ones_own_gitattributes_stay_and_the_line_is_asked_for(project: Repo, capsys: Capture) -> None:
    project.write(".ptguard/.gitattributes", "*.asc text\n")
    assert init(project) == 0
    assert written(project)[".ptguard/.gitattributes"] == b"*.asc text\n"
    said = capsys.readouterr().out
    assert "kept     .ptguard/.gitattributes, which was there already; add to it: smoke/* -text -filter" in said
    assert "wrote    .ptguard/policy.toml\n" in said


def test_written_files_are_plain(project: Repo) -> None:
    assert init(project) == 0
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (project.path / ".ptguard").iterdir()}
    assert modes == {"policy.toml": 0o644, ".gitattributes": 0o644}


def test_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.hardlink_to

    def interrupted(self: Path, target: str) -> None:
        if self.name == "c":
            raise KeyboardInterrupt
        real(self, target)

    monkeypatch.setattr(Path, "hardlink_to", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_new(tmp_path, {"x/a": b"1", "x/y/b": b"2", "c": b"3"})
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    write_new(tmp_path, {"x/a": b"1", "x/y/b": b"2", "c": b"3"})
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a", "b", "c", "x", "y"]


def test_a_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def without(self: Path, target: str) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", without)
    write_new(tmp_path, {"x/a": b"1"})
    assert [(p.name, p.read_bytes()) for p in (tmp_path / "x").iterdir()] == [("a", b"1")]


# ------------------------------------------------------------------------------------------- no key, no policy


def test_no_signing_key(project: Repo, capsys: Capture) -> None:
    project.git("config", "--unset", "user.signingkey")
    assert init(project) == 2
    words = "git config gpg.format ssh && git config user.signingkey ~/.ssh/id_ed25519.pub"
    nothing(project, capsys, "no signing key is configured", f"mend      ssh-keygen -t ed25519 && {words}")
    public = Path(project.env["HOME"]) / ".ssh" / "id_ed25519.pub"
    public.parent.mkdir()
    public.write_text("ssh-ed25519 AAAA\n")
    assert init(project) == 2
    nothing(project, capsys, f"mend      {words}")


@pytest.mark.parametrize(
    ("format_", "value", "words"),
    [
        ("ssh", "/nowhere/key", "leads to no SSH public key"),
        ("ssh", "key::ssh-ed25519 AAAA", "SSH"),
        ("ssh", "key::ssh-dss AAAAB3NzaC1kc3M=", "a DSA key is too weak"),
        ("openpgp", "nobody@example.com", "gpg has no secret key for user.signingkey nobody@example.com"),
        ("openpgp", "--version", "gpg has no secret key for user.signingkey --version"),
        ("x509", "0xABCD", "gpg.format is x509"),
    ],
)
def test_a_signing_key_that_leads_nowhere(
    project: Repo, keychain: KeyChain, capsys: Capture, monkeypatch: pytest.MonkeyPatch,
    format_: str, value: str, words: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("GNUPGHOME", str(keychain.openpgp("li-wei").home))
    project.git("config", "gpg.format", format_)
    project.git("config", "user.signingkey", value)
    assert init(project) == 2
    nothing(project, capsys, words, "nothing was written")


def test_an_expired_openpgp_key(
    project: Repo, keychain: KeyChain, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = keychain.openpgp("old", "ed25519", "20200101T000000", *frozen("20190101T000000"))
    monkeypatch.setenv("GNUPGHOME", str(old.home))
    project.git("config", "gpg.format", "openpgp")
    project.git("config", "user.signingkey", old.fingerprint)
    assert init(project) == 2
    nothing(project, capsys, "cannot sign here: it is expired, revoked or not at hand")


def test_no_repository_and_a_bare_one(tmp_path: Path, env: dict[str, str], capsys: Capture) -> None:
    (tmp_path / "plain").mkdir()
    assert main(["init", "-C", str(tmp_path / "plain")]) == 2
    assert "not a git repository" in capsys.readouterr().err
    run("git", "init", "-q", "--bare", tmp_path / "bare.git", env=env)
    assert main(["init", "-C", str(tmp_path / "bare.git")]) == 2
    assert "a bare repository has no work tree" in capsys.readouterr().err


def test_without_gpg(project: Repo, monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").symlink_to(shutil.which("git") or "")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert init(project) == 0  # an SSH key needs no gpg
    capsys.readouterr()
    shutil.rmtree(project.path / ".ptguard")
    project.git("config", "gpg.format", "openpgp")
    assert init(project) == 3
    nothing(project, capsys, "gpg is not installed")


# ------------------------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("user", "email", "expected"),
    [
        ("Li Wei", "x@y", "li-wei"),
        ("Zoë d'Été (ML)", None, "zoe-d-ete-ml"),
        ("李伟", "li.wei@example.com", "li-wei"),
        ("李伟", None, "maintainer"),
        (None, None, "maintainer"),
        ("--", "@", "maintainer"),
        ("A" * 100, None, "a" * 64),
        ("a" * 63 + " b", None, "a" * 63),
    ],
)
def test_the_id_of_a_signer(user: str | None, email: str | None, expected: str) -> None:
    assert signer_id(user, email) == expected


@pytest.mark.parametrize("user", ['Li "W" \\ Wei', "李伟", "a = 'b' # c", "x]\u202e[y", "T\tab"])
def test_any_name_of_a_user_makes_a_policy_that_can_be_read(project: Repo, user: str) -> None:
    project.git("config", "user.name", user)
    assert init(project) == 0
    read, text = policy(project)
    signer = next(iter(text["signers"].values()))
    assert signer.get("name", user) == user
    assert list(read.signers) == list(text["signers"])
