"""hooks/pre-receive and hooks/reference-transaction by themselves, in every shell that is here."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from ptguard.install.hookfile import filled
from tests.guards import FakePython
from tests.support import Repo, run
from tests.test_hook_script import SHELLS, ZERO, A, B

MAIN = f"{A} {B} refs/heads/main\n"
WORK = f"{A} {B} refs/heads/work\n"
NEW = f"{ZERO} {B} refs/heads/new\n"
TAG = f"{ZERO} {B} refs/tags/v1\n"


@dataclass(frozen=True)
class Server:
    """A repository with the installed script, with a stand-in for its interpreter."""

    repo: Repo
    fake: FakePython
    shell: list[str]

    @property
    def git_dir(self) -> Path:
        return self.repo.path / ".git"

    def hook(self, name: str, *args: str, lines: str, env: Mapping[str, str] | None = None) -> "Said":
        path = self.git_dir / "hooks" / name
        shell = [shutil.which(self.shell[0]) or "sh", *self.shell[1:]]
        where = {**os.environ, "GIT_DIR": ".", **(env or {})}
        return run(*shell, path, *args, cwd=self.git_dir, env=where, stdin=lines.encode(), check=False)

    def push(self, lines: str, env: Mapping[str, str] | None = None) -> "Said":
        return self.hook("pre-receive", lines=lines, env=env)

    def chain(self, name: str, status: int) -> Path:
        chained = self.git_dir / "hooks" / f"{name}.ptguard-chained"
        chained.write_text(f'#!/bin/sh\necho "$@" > "$0.args"\ncat > "$0.saw"\nexit {status}\n')
        chained.chmod(0o755)
        return chained.with_name(chained.name + ".saw")


Said = subprocess.CompletedProcess[str]


@pytest.fixture(params=SHELLS, ids=" ".join)
def server(request: pytest.FixtureRequest, repo: Repo, tmp_path: Path) -> Server:
    fake = FakePython.make(tmp_path / 'it\'s a "python" $(touch no) ü')
    for name in ("pre-receive", "reference-transaction"):
        (repo.path / ".git" / "hooks" / name).write_bytes(filled(f"hooks/{name}", fake.path))
    repo.git("config", "ptguard.trustBranch", "main")
    return Server(repo, fake, request.param)


@pytest.mark.parametrize("lines", ["", WORK, f"{A} {ZERO} refs/heads/work\n", WORK * 40])
def test_ordinary_branches_start_no_python(server: Server, lines: str) -> None:
    server.fake.path.unlink()
    done = server.push(lines)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    "lines",
    [
        TAG, MAIN, NEW, WORK + TAG, TAG + WORK, f"{A} {ZERO} refs/tags/v1\n", f"{A} {B} refs/Tags/v1\n",
        f"{A} {B} refs/notes/x\n", f"{A} {B} refs/heads/a b\n", "rubbish\n", WORK * 60, f"{A} {B}\n",
    ],
)  # fmt: skip
@pytest.mark.parametrize("status", [0, 1, 2, 3])
def test_all_else_is_handed_to_python_whose_word_stands(server: Server, lines: str, status: int) -> None:
    server.fake.answer(status)
    assert server.push(lines).returncode == status
    (call,) = server.fake.calls
    assert call.argv == ["-I", "-m", "ptguard", "pre-receive"]
    assert call.stdin == lines


def test_a_symbolic_ref_is_no_ordinary_branch(server: Server) -> None:
    server.repo.git("symbolic-ref", "refs/heads/work", "refs/tags/v1")
    server.push(WORK)
    assert len(server.fake.calls) == 1
    server.repo.git("symbolic-ref", "--delete", "refs/heads/work")
    server.push(WORK)
    assert len(server.fake.calls) == 1
    (server.git_dir / "refs" / "heads" / "work").symlink_to("refs/tags/v1")
    server.push(WORK)
    assert len(server.fake.calls) == 2


def test_behind_a_trust_branch_that_leads_to_another_no_branch_is_ordinary(server: Server) -> None:
    server.repo.git("symbolic-ref", "refs/heads/main", "refs/heads/work")
    server.push(WORK)
    assert len(server.fake.calls) == 1


@pytest.mark.parametrize(("value", "calls"), [("true", 1), ("yes", 1), ("false", 0)])
def test_where_case_is_not_minded_no_branch_is_ordinary(server: Server, value: str, calls: int) -> None:
    server.repo.git("config", "core.ignoreCase", value)
    server.push(WORK)
    assert len(server.fake.calls) == calls


def test_where_the_trust_branch_is_not_known_all_is_handed_on(server: Server) -> None:
    server.repo.git("config", "--unset", "ptguard.trustBranch")
    server.push(WORK)
    assert len(server.fake.calls) == 1
    server.repo.git("config", "ptguard.trustBranch", "refs/heads/work")
    server.push(WORK, {"GIT_CONFIG": "/dev/null"})
    server.push(MAIN, {"GIT_CONFIG": "/dev/null"})
    assert [call.stdin for call in server.fake.calls] == [WORK, WORK]


@pytest.mark.parametrize(
    ("lines", "status"), [(TAG, 3), (MAIN, 3), (NEW, 0), (WORK, 0), (NEW + WORK, 0), (NEW + TAG, 3), ("rubbish\n", 3)]
)
@pytest.mark.parametrize("how", ["no interpreter", "no ptguard in it"])
def test_where_ptguard_is_gone_only_branches_pass(server: Server, lines: str, status: int, how: str) -> None:
    if how == "no interpreter":
        server.fake.path.unlink()
    else:
        server.fake.answer(1, importable=1)
    done = server.push(lines)
    assert done.returncode == status
    assert ("ptguard install --server" in done.stderr) is (status == 3)
    assert "GL-HOOK-ERR" not in done.stderr
    if status:
        said = server.push(lines, {"GL_REPOSITORY": "project-1"}).stderr.splitlines()
        assert said and all(line.startswith("GL-HOOK-ERR: ptguard: ") for line in said)


@pytest.mark.parametrize("lines", [TAG, WORK])
def test_the_hook_that_stood_there_gets_the_lines_after_the_guard(server: Server, lines: str) -> None:
    saw = server.chain("pre-receive", 7)
    server.fake.answer(1)
    assert server.push(TAG).returncode == 1 and not saw.exists()
    server.fake.answer(0)
    assert server.push(lines).returncode == 7
    assert saw.read_text() == lines
    server.chain("pre-receive", 0)
    assert server.push(lines).returncode == 0


# ----------------------------------------------------------------------------------- reference-transaction


def lean(server: Server) -> tuple[str, str, str]:
    """Name a tag that leans on refs/heads/main; give an older commit, the one that it names, and its own id."""
    server.repo.write("a", "a")
    old = server.repo.commit("One")
    server.repo.write("a", "b")
    new = server.repo.commit("Two")
    server.repo.git("tag", "-a", "-m", "x", "v1")
    tag = server.repo.git("rev-parse", "refs/tags/v1")
    server.repo.git("checkout", "-q", "--detach")
    folder = server.git_dir / "ptguard" / "leaning"
    folder.mkdir(parents=True)
    (folder / tag).write_text(f"{new} refs/heads/main\n")
    return old, new, tag


def test_a_tag_waits_for_its_branch(server: Server) -> None:
    old, new, tag = lean(server)
    line = f"{ZERO} {tag} refs/tags/v1\n"

    def transaction(state: str, lines: str) -> Said:
        return server.hook("reference-transaction", state, lines=lines)

    assert transaction("prepared", line).returncode == 0  # main is there already
    server.repo.git("update-ref", "refs/heads/main", old)
    refused = transaction("prepared", line)
    assert refused.returncode == 1
    assert refused.stderr.startswith("ptguard: refused refs/tags/v1: refs/heads/main did not arrive with it")
    assert transaction("committed", line).returncode == 0
    assert transaction("aborted", line).returncode == 0
    assert transaction("prepared", f"{old} {new} refs/heads/main\n{line}").returncode == 0  # atomic
    assert transaction("prepared", f"{line}{old} {new} refs/heads/main\n").returncode == 0
    assert transaction("prepared", f"{new} {old} refs/heads/main\n{line}").returncode == 1
    server.repo.git("update-ref", "refs/heads/main", new)
    assert transaction("prepared", f"{new} {ZERO} refs/heads/main\n{line}").returncode == 1
    server.repo.git("update-ref", "-d", "refs/heads/main")
    assert transaction("prepared", line).returncode == 1


def test_a_branch_that_another_push_has_moved_is_no_branch_of_this_one(server: Server) -> None:
    """git 2.55 updates all refs of a push at once, and names those too that it has just refused."""
    old, new, tag = lean(server)
    other = server.repo.git("commit-tree", "-p", old, "-m", "faster", f"{old}^{{tree}}")
    lines = f"{old} {new} refs/heads/main\n{ZERO} {tag} refs/tags/v1\n"
    for stands, status in ((other, 1), (old, 0), (new, 0), ("", 1)):
        server.repo.git("update-ref", *(("refs/heads/main", stands) if stands else ("-d", "refs/heads/main")))
        assert server.hook("reference-transaction", "prepared", lines=lines).returncode == status, stands


def test_a_linked_work_tree_has_its_refs_and_notes_in_the_repository(server: Server) -> None:
    old, _, tag = lean(server)
    server.repo.git("update-ref", "refs/heads/main", old)
    server.repo.git("worktree", "add", "-q", "--detach", server.repo.path.with_name("tree"))
    env = {"GIT_DIR": str(server.git_dir / "worktrees" / "tree")}
    line = f"{ZERO} {tag} refs/tags/v1\n"
    assert server.hook("reference-transaction", "prepared", lines=line, env=env).returncode == 1
    server.repo.git("symbolic-ref", "refs/heads/work", "refs/tags/v1")
    server.push(WORK, env)
    assert len(server.fake.calls) == 1


def test_other_refs_and_other_tags_are_left_alone(server: Server) -> None:
    old, _, tag = lean(server)
    server.repo.git("update-ref", "refs/heads/main", old)
    for line in (f"{ZERO} {old} refs/tags/v1\n", f"{ZERO} {tag} refs/heads/v1\n", f"{tag} {ZERO} refs/tags/v1\n", ""):
        done = server.hook("reference-transaction", "prepared", lines=line)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("text", ["", "\n", "rubbish\n", "-x refs/heads/main\n"])
def test_a_note_that_cannot_be_read_holds_the_tag_back(server: Server, text: str) -> None:
    _, _, tag = lean(server)
    (server.git_dir / "ptguard" / "leaning" / tag).write_text(text)
    done = server.hook("reference-transaction", "prepared", lines=f"{ZERO} {tag} refs/tags/v1\n")
    assert done.returncode == 1


@pytest.mark.parametrize("leaning", [True, False])
def test_the_transaction_hook_that_stood_there_runs_too(server: Server, leaning: bool) -> None:
    saw = server.chain("reference-transaction", 5)
    if leaning:
        lean(server)
    for state in ("prepared", "committed"):
        saw.unlink(missing_ok=True)
        assert server.hook("reference-transaction", state, lines=WORK).returncode == 5
        assert saw.read_text() == WORK
        assert saw.with_name(saw.name.replace(".saw", ".args")).read_text() == f"{state}\n"
