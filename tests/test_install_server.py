"""The guard in a server's repository: put in, looked at, broken, mended by its own words, taken out."""

import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ptguard.errors import UsageError
from ptguard.install.server import Place, install, look, uninstall
from tests.support import Repo, run

PYTHON = Path(sys.executable)


@pytest.fixture
def bare(repo: Repo, tmp_path: Path) -> Path:
    """A bare repository with a branch main, in a folder with an awkward name."""
    repo.write("a", "a")
    repo.commit("Start")
    path = tmp_path / "it's ünder here" / "net.git"
    run("git", "clone", "-q", "--bare", repo.path, path, env=repo.env)
    return path


def everything(folder: Path) -> dict[str, bytes]:
    """Give the files that the guard may touch."""
    parts = [folder / "hooks", folder / "custom_hooks", folder / "config"]
    files = [path for part in parts for path in (sorted(part.rglob("*")) if part.is_dir() else [part])]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if path.is_file()}


def test_put_in_and_taken_out(bare: Path) -> None:
    before = everything(bare)
    assert not look(bare).armed
    now, changes = install(bare, PYTHON, None, None)
    assert now.armed and list(now.troubles()) == []
    assert len(changes) == 4 and now.branch == "main" and now.place is Place.BARE
    assert install(bare, PYTHON, None, None)[1] == ()
    said = uninstall(bare)
    assert len(said) == 3
    after = everything(bare)
    assert b"trustBranch = main" in after.pop("config")
    before.pop("config")
    assert after == before


def test_a_hook_that_stands_there_is_kept_and_runs(bare: Path, repo: Repo) -> None:
    for name in ("pre-receive", "reference-transaction"):
        hook = bare / "hooks" / name
        hook.write_text(f'#!/bin/sh\necho "$@" >> "{bare}/{name}.said"\ncat >> "{bare}/{name}.said"\n')
        hook.chmod(0o755)
    before = everything(bare)
    install(bare, PYTHON, None, None)
    assert install(bare, PYTHON, None, None)[1] == ()
    repo.git("commit", "-q", "--allow-empty", "-m", "More")
    repo.git("push", "-q", str(bare), "main")
    head = repo.git("rev-parse", "HEAD")
    assert f"{head} refs/heads/main" in (bare / "pre-receive.said").read_text()
    assert (bare / "reference-transaction.said").read_text().count("prepared") == 1
    (bare / "hooks" / "pre-receive.ptguard-chained").write_text("#!/bin/sh\necho no >&2\nexit 1\n")
    repo.git("commit", "-q", "--allow-empty", "-m", "Still more")
    done = repo.try_git("push", "-q", str(bare), "main")
    assert done.returncode != 0 and "remote: no" in done.stderr
    uninstall(bare)
    after = everything(bare)
    assert after["hooks/reference-transaction"] == before["hooks/reference-transaction"]
    assert after["hooks/pre-receive"].endswith(b"exit 1\n")


def test_gitea_and_gitlab_have_folders_of_their_own(bare: Path) -> None:
    (bare / "hooks" / "pre-receive.d").mkdir(parents=True)
    (bare / "hooks" / "pre-receive").write_text("#!/bin/sh\n# Gitea's own\n")
    now, _ = install(bare, PYTHON, None, None)
    assert now.place is Place.GITEA and now.armed
    assert (bare / "hooks" / "pre-receive").read_text() == "#!/bin/sh\n# Gitea's own\n"
    assert (bare / "hooks" / "pre-receive.d" / "ptguard").stat().st_mode & 0o111
    uninstall(bare)
    assert not (bare / "hooks" / "pre-receive.d" / "ptguard").exists()

    now, _ = install(bare, PYTHON, None, Place.GITLAB)
    assert now.armed and now.hooks_path is None
    assert [seat.name for seat in now.seats] == ["pre-receive"]
    assert (bare / "custom_hooks" / "pre-receive.d" / "ptguard").exists()


def test_no_branch_no_trust(tmp_path: Path, env: dict[str, str]) -> None:
    run("git", "init", "-q", "--bare", tmp_path / "new.git", env=env)
    with pytest.raises(UsageError, match="no branch yet"):
        install(tmp_path / "new.git", PYTHON, None, None)
    assert install(tmp_path / "new.git", PYTHON, "trunk", None)[0].branch == "trunk"
    with pytest.raises(UsageError, match="not a git repository"):
        install(tmp_path, PYTHON, None, None)


def _gone(hook: Path) -> None:
    hook.unlink()


def _overwritten(hook: Path) -> None:
    hook.write_text("#!/bin/sh\nexit 0\n")


def _not_executable(hook: Path) -> None:
    hook.chmod(0o644)


def _no_interpreter(hook: Path) -> None:
    hook.write_text(hook.read_text().replace(str(PYTHON), "/gone/python"))


def _old(hook: Path) -> None:
    hook.write_text(hook.read_text() + "# an older version\n")


def _elsewhere(hook: Path) -> None:
    run("git", "-C", hook.parents[1], "config", "core.hooksPath", "/somewhere/else", env=dict(os.environ))


def _link_to_nowhere(hook: Path) -> None:
    hook.unlink()
    hook.symlink_to("/nowhere")


@pytest.mark.parametrize(
    ("broken", "grave", "words"),
    [
        (_gone, True, "is not the guard"),
        (_overwritten, True, "is not the guard"),
        (_link_to_nowhere, True, "is not the guard"),
        (_not_executable, True, "is not executable"),
        (_no_interpreter, True, "interpreter is gone: /gone/python"),
        (_old, False, "is not this version's guard"),
        (_elsewhere, True, "core.hooksPath does not hold git"),
    ],
)
def test_what_is_broken_is_named_and_mended_by_its_own_words(
    bare: Path, broken: Callable[[Path], None], grave: bool, words: str
) -> None:
    install(bare, PYTHON, None, None)
    broken(bare / "hooks" / "pre-receive")
    (trouble,) = look(bare).troubles()
    assert words in trouble.what and trouble.grave is grave
    assert look(bare).armed is not grave
    mend = f"{shlex.quote(str(PYTHON))} -m {trouble.fix}" if trouble.fix.startswith("ptguard") else trouble.fix
    run("sh", "-c", mend, env=dict(os.environ))
    assert look(bare).armed and list(look(bare).troubles()) == []


def test_without_the_second_hook_it_is_armed_and_says_so(bare: Path) -> None:
    install(bare, PYTHON, None, None)
    (bare / "hooks" / "reference-transaction").unlink()
    (trouble,) = look(bare).troubles()
    assert "reference-transaction is not the guard" in trouble.what and look(bare).armed
