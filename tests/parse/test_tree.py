"""Trees are pruned as git itself would write them; what git would not write is refused."""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ptguard.model import Problem
from ptguard.parse.tree import WIDTHS, ObjectFormat, TreeEntry, entries, hash_tree, prune, write
from tests.support import Repo, run

A, B = "a" * 40, "b" * 40

FILES = (
    ".ptguard/policy.toml",
    ".ptguard/smoke/x.json",
    ".ptguard-not",
    "CHANGELOG.md",
    "a",
    "a-b",
    "a.b/x",
    "a0/x",
    "a-/deep/down/only",
    "docs/日本語/ü.md",
    "docs/日本語/z.md",
    "sub/.ptguard/kept",
)


def reader(repo: Repo) -> Callable[[str], bytes]:
    def read(oid: str) -> bytes:
        return subprocess.run(
            ["git", "-C", str(repo.path), "cat-file", "tree", oid], capture_output=True, check=True, env=repo.env
        ).stdout

    return read


def by_git(repo: Repo, commit: str, drop: Sequence[str], index: Path) -> str:
    """Give the id of the pruned tree as git's own index makes it."""
    env = {**repo.env, "GIT_INDEX_FILE": str(index)}
    run("git", "-C", repo.path, "read-tree", commit, env=env)
    run("git", "-C", repo.path, "rm", "-r", "-q", "--cached", "--ignore-unmatch", "--", *drop, env=env)
    return run("git", "-C", repo.path, "write-tree", env=env).stdout.strip()


@pytest.fixture(params=["sha1", "sha256"])
def object_format(request: pytest.FixtureRequest) -> ObjectFormat:
    return "sha256" if request.param == "sha256" else "sha1"


@pytest.fixture
def full(tmp_path: Path, env: dict[str, str], object_format: ObjectFormat) -> Repo:
    path = tmp_path / "full"
    run("git", "init", "-q", f"--object-format={object_format}", path, env=env)
    made = Repo(path, env)
    for name in FILES:
        made.write(name, name)
    made.write("bin/run", "#!/bin/sh\n").chmod(0o755)
    (path / "bin/link").symlink_to("run")
    made.commit()
    return made


@pytest.mark.parametrize(
    "drop",
    [
        [".ptguard"],
        [".ptguard", "CHANGELOG.md"],
        [".ptguard", "docs/日本語/ü.md"],
        [".ptguard", "docs/日本語/ü.md", "docs/日本語/z.md"],
        [".ptguard", "a-/deep/down/only"],
        ["a"],
        ["a.b"],
        ["a.b/x"],
        ["a/x"],
        ["bin/link/x"],
        ["bin/link"],
        ["nowhere", "docs/nowhere", ".ptguard/smoke"],
        ["sub", "sub/.ptguard"],
    ],
)
def test_prune_agrees_with_git(full: Repo, object_format: ObjectFormat, drop: list[str], tmp_path: Path) -> None:
    root = full.git("rev-parse", "HEAD^{tree}")
    assert prune(root, drop, reader(full), object_format) == by_git(full, "HEAD", drop, tmp_path / "index")


def test_prune_to_nothing_is_the_empty_tree(full: Repo, object_format: ObjectFormat, tmp_path: Path) -> None:
    root = full.git("rev-parse", "HEAD^{tree}")
    drop = sorted({name.split("/")[0] for name in (*FILES, "bin/run")})
    assert prune(root, drop, reader(full), object_format) == by_git(full, "HEAD", drop, tmp_path / "index")


def test_prune_keeps_a_submodule_and_writes_nothing(full: Repo, object_format: ObjectFormat, tmp_path: Path) -> None:
    full.git("update-index", "--add", "--cacheinfo", f"160000,{full.git('rev-parse', 'HEAD')},module")
    full.git("commit", "-q", "-m", "module")
    before = full.git("count-objects", "-v")
    pruned = prune(full.git("rev-parse", "HEAD^{tree}"), [".ptguard", "module/x"], reader(full), object_format)
    assert full.git("count-objects", "-v") == before
    assert pruned == by_git(full, "HEAD", [".ptguard", "module/x"], tmp_path / "index")


def test_prune_reads_only_the_way_down(full: Repo, object_format: ObjectFormat) -> None:
    root, asked = full.git("rev-parse", "HEAD^{tree}"), []

    def read(oid: str) -> bytes:
        asked.append(oid)
        return reader(full)(oid)

    assert prune(root, [".ptguard", "docs/日本語/ü.md"], read, object_format) != root
    assert len(asked) == 3
    assert prune(root, ["not-there"], read, object_format) == root


def test_real_trees_are_read_and_written_back(full: Repo, object_format: ObjectFormat) -> None:
    root = full.git("rev-parse", "HEAD^{tree}")
    raw = reader(full)(root)
    found = entries(raw, WIDTHS[object_format])
    assert not isinstance(found, Problem)
    assert [e.name.decode() for e in found] == full.git("ls-tree", "--name-only", "-z", "HEAD").strip("\0").split("\0")
    assert write(found) == raw
    assert write(reversed(found)) == raw
    assert hash_tree(raw, object_format) == root


def line(mode: str, name: str, oid: str = A) -> bytes:
    return mode.encode() + b" " + name.encode() + b"\0" + bytes.fromhex(oid)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        line("100644", "x"),
        line("100664", "old"),
        line("100644", "a.c") + line("40000", "a") + line("100644", "a0"),
        line("120000", "link") + line("160000", "module"),
        line("100644", ".gitignore") + line("100644", "a b\n"),
    ],
)
def test_accepted(raw: bytes) -> None:
    assert isinstance(entries(raw, 20), tuple)


@pytest.mark.parametrize(
    "raw",
    [
        line("100644", "x")[:-1],
        line("100644", "x") + b"1",
        b"100644 x",
        b"100644",
        b"\0" * 40,
        line("040000", "a"),
        line("777777", "a"),
        line("644", "a"),
        line("100644", ""),
        line("40000", "."),
        line("40000", ".."),
        line("40000", ".GIT"),
        line("100644", "a/b"),
        line("100644", "b") + line("100644", "a"),
        line("40000", "a") + line("100644", "a.c"),
        line("100644", "a") + line("100644", "a", B),
        line("100644", "a") + line("100644", "a.c") + line("40000", "a"),
    ],
)
def test_refused(raw: bytes) -> None:
    found = entries(raw, 20)
    assert isinstance(found, Problem)
    assert found.reason == "malformed"
    assert prune(A, ["x"], lambda _: raw, "sha1") == found


def test_a_malformed_tree_below_is_a_problem_too() -> None:
    raws = {A: line("40000", "d", B), B: b"garbage"}
    assert isinstance(prune(A, ["d/x"], raws.__getitem__, "sha1"), Problem)
    assert prune(A, ["e/x"], raws.__getitem__, "sha1") == A


@pytest.mark.parametrize("path", ["", "/a", "a/", "a//b", "../a", "./a"])
def test_a_path_that_is_not_plain_is_an_error_of_the_caller(path: str) -> None:
    with pytest.raises(ValueError, match="plain form"):
        prune(A, [path], lambda _: b"", "sha1")


def test_entry_knows_a_folder() -> None:
    assert TreeEntry("40000", b"d", A).is_tree
    assert not TreeEntry("160000", b"m", A).is_tree
