"""The guard in a server's repository: put in, looked at, broken, mended by its own words, taken out."""

import os
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ptguard.errors import PtguardError, UsageError
from ptguard.install.server import Place, install, look, uninstall
from ptguard.text import sh
from tests.forges import GITEA_HOOK
from tests.hosting import script
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


def git(folder: Path, *args: str | Path) -> str:
    """Run git there and give what it says."""
    return run("git", "-C", folder, *args, env=dict(os.environ), check=False).stdout.strip()


def test_put_in_and_taken_out(bare: Path) -> None:
    before = everything(bare)
    assert not look(bare).armed
    now, changes = install(bare, PYTHON, None, None)
    assert now.armed and list(now.troubles()) == []
    assert git(bare, "config", "core.hooksPath") == str(bare / "hooks")
    assert len(changes) == 4 and now.branch == "main" and now.place is Place.BARE
    assert install(bare, PYTHON, None, None)[1] == ()
    said = uninstall(bare)
    assert len(said) == 3
    assert not (bare / "ptguard-hooks.gitconfig").exists()
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
    script(bare / "hooks" / "pre-receive", GITEA_HOOK)
    now, _ = install(bare, PYTHON, None, None)
    assert now.place is Place.GITEA and now.armed
    assert (bare / "hooks" / "pre-receive").read_text() == GITEA_HOOK
    assert (bare / "hooks" / "pre-receive.d" / "ptguard").stat().st_mode & 0o111
    uninstall(bare)
    assert not (bare / "hooks" / "pre-receive.d" / "ptguard").exists()

    now, _ = install(bare, PYTHON, None, Place.GITLAB)
    assert now.armed and not now.held
    assert [seat.name for seat in now.seats] == ["pre-receive"]
    assert (bare / "custom_hooks" / "pre-receive.d" / "ptguard").exists()


@pytest.mark.parametrize("left", [None, "#!/bin/sh\nexit 0\n", GITEA_HOOK])
def test_a_folder_that_nothing_runs_arms_nothing(bare: Path, left: str | None) -> None:
    """What Gitea leaves where its repository has moved elsewhere, or a folder of the site's own."""
    (bare / "hooks" / "pre-receive.d").mkdir()
    if left is not None:
        (bare / "hooks" / "pre-receive").write_text(left)
        (bare / "hooks" / "pre-receive").chmod(0o644 if left is GITEA_HOOK else 0o755)
    now, _ = install(bare, PYTHON, None, None)
    (trouble,) = now.troubles()
    assert not now.armed and "is no script that runs those of pre-receive.d" in trouble.what
    assert trouble.fix.endswith("--layout bare")
    assert install(bare, PYTHON, None, Place.BARE)[0].armed
    assert look(bare).armed and look(bare).place is Place.BARE  # what the advice has made stays so
    assert not (bare / "hooks" / "pre-receive.d" / "ptguard").exists()
    assert uninstall(bare)[0] == f"{'removed' if left is None else 'put back'} {bare}/hooks/pre-receive"
    assert look(bare).place is Place.GITEA and uninstall(bare) == ()


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


def _elsewhere_for_its_worktree(hook: Path) -> None:
    for words in (("extensions.worktreeConfig", "true"), ("--worktree", "core.hooksPath", "/somewhere/else")):
        run("git", "-C", hook.parents[1], "config", *words, env=dict(os.environ))


def _link_to_nowhere(hook: Path) -> None:
    hook.unlink()
    hook.symlink_to("/nowhere")


@pytest.mark.parametrize(
    ("broken", "grave", "words"),
    [
        (_gone, True, "there is no "),
        (_overwritten, True, "is not the guard"),
        (_link_to_nowhere, True, "is not the guard"),
        (_not_executable, True, "is not executable"),
        (_no_interpreter, True, "interpreter is gone: /gone/python"),
        (_old, False, "is not this version's guard"),
        (_elsewhere, True, "core.hooksPath does not hold git"),
        (_elsewhere_for_its_worktree, True, "core.hooksPath does not hold git"),
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
    assert trouble.what == f"there is no {bare}/hooks/reference-transaction" and look(bare).armed


# ----------------------------------------------------------------------------------- an administrator in a hurry


@pytest.mark.parametrize("kind", ["bare", "odd name", "work tree"])
def test_a_repository_that_has_moved_is_guarded_still(bare: Path, repo: Repo, tmp_path: Path, kind: str) -> None:
    """A rename by a click in a forge, a restored backup: an absolute core.hooksPath would lead to no hooks at all."""
    if kind == "odd name":
        bare = bare.rename(bare.with_name("a [b] *? \\ c.git"))
    if kind == "work tree":
        run("git", "clone", "-q", bare, tmp_path / "tree", env=repo.env)
        bare = tmp_path / "tree" / ".git"
    place = bare.parent if kind == "work tree" else bare
    install(place, PYTHON, None, None)
    assert git(bare, "config", "core.hooksPath") == str(bare / "hooks") and look(place).armed
    run("git", "config", "--global", "core.hooksPath", tmp_path / "nothing", env=repo.env)
    repo.git("tag", "v1")
    assert "remote: ptguard" in repo.try_git("push", str(place), "v1").stderr
    run("git", "config", "--global", "--unset", "core.hooksPath", env=repo.env)
    moved = place.rename(tmp_path / "moved")
    done = repo.try_git("push", str(moved), "v1")
    assert done.returncode != 0 and "remote: ptguard" in done.stderr
    (trouble,) = look(moved).troubles()
    assert "core.hooksPath does not hold git" in trouble.what
    now, changes = install(moved, PYTHON, None, None)
    assert now.armed and list(now.troubles()) == [] and len(changes) == 2
    assert git(moved, "config", "--get-regexp", "^includeif").count("ptguard-hooks.gitconfig") == 1


def test_an_older_core_hooks_path_and_the_hooks_it_led_to(bare: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "site hooks"
    elsewhere.mkdir()
    for name in ("pre-receive", "update.sample", "README"):
        (elsewhere / name).write_text("#!/bin/sh\n")
        (elsewhere / name).chmod(0o644 if name == "README" else 0o755)
    git(bare, "config", "core.hooksPath", elsewhere)
    now, changes = install(bare, PYTHON, None, None)
    assert now.armed and git(bare, "config", "core.hooksPath") == str(bare / "hooks")
    assert f"no longer run here: {elsewhere}/pre-receive   #" in "\n".join(changes)
    assert f"removed git config core.hooksPath = {elsewhere}" in changes


def test_a_hook_is_never_lost_to_another(bare: Path) -> None:
    hook = bare / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\n# the site's own\n")
    install(bare, PYTHON, None, None)
    hook.write_text("#!/bin/sh\n# some other tool's\n")
    with pytest.raises(UsageError, match="one of the two has to go") as error:
        install(bare, PYTHON, None, None)
    assert hook.read_text().endswith("tool's\n")
    run("sh", "-c", (error.value.fix or "").partition("#")[0], env=dict(os.environ))
    assert install(bare, PYTHON, None, None)[0].armed
    assert hook.with_name("pre-receive.ptguard-chained").read_text().endswith("tool's\n")


def test_hooks_that_other_repositories_share(bare: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared hooks"
    (bare / "hooks").rename(shared)
    (shared / "update").write_text("#!/bin/sh\n")
    (bare / "hooks").symlink_to(shared)
    with pytest.raises(UsageError, match=r"is a link to .*, which other repositories may share") as error:
        install(bare, PYTHON, None, None)
    assert not (shared / "pre-receive").exists()
    run("sh", "-c", (error.value.fix or "").partition("#")[0], env=dict(os.environ))
    assert install(bare, PYTHON, None, None)[0].armed
    assert (bare / "hooks" / "update").exists() and not (shared / "pre-receive").exists()


def test_a_linked_work_tree_stands_for_its_repository(bare: Path, tmp_path: Path) -> None:
    git(bare, "worktree", "add", "-q", "--detach", tmp_path / "tree")
    now, _ = install(tmp_path / "tree", PYTHON, None, None)
    assert now.git_dir == bare and now.armed and look(bare).armed


def test_a_branch_that_is_not_there_decides_nothing(bare: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no branch mian here.*there is: main") as error:
        install(bare, PYTHON, "mian", None)
    assert (error.value.fix or "").endswith("--branch main")
    git(bare, "symbolic-ref", "HEAD", "refs/heads/master")
    with pytest.raises(UsageError, match="HEAD names no branch that has a commit") as error:
        install(bare, PYTHON, None, None)
    assert (error.value.fix or "").endswith("--branch main")
    assert install(bare, PYTHON, "main", None)[0].armed


def test_what_root_writes_is_the_owners(bare: Path) -> None:
    """git keeps the mode of the config that it writes anew, and the owner could not read one of root's with 0600."""
    if os.geteuid() != 0:
        install(bare, PYTHON, None, None)
        assert (bare / "config").stat().st_uid == os.geteuid()
        return
    (bare / "config").chmod(0o600)
    run("chown", "-R", "33:33", bare, env=dict(os.environ))
    with pytest.raises(UsageError, match="dubious ownership") as error:
        install(bare, PYTHON, None, None)
    assert (error.value.fix or "").startswith("sudo -u '#33'")
    run("git", "config", "--global", "safe.directory", "*", env=dict(os.environ))
    assert install(bare, PYTHON, None, None)[0].armed
    uninstall(bare)
    install(bare, PYTHON, None, None)
    assert {path.stat().st_uid for path in (bare, *bare.rglob("*"))} == {33}


def test_no_folder_at_all(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        look(tmp_path / "net.git")


@pytest.mark.parametrize("by", ["path", "config"])
def test_a_repository_of_gitlab_without_hooks_yet(bare: Path, tmp_path: Path, by: str) -> None:
    """Gitaly never runs hooks/pre-receive: a guard there would be none."""
    if by == "path":
        (tmp_path / "@hashed").mkdir()
        bare = bare.rename(tmp_path / "@hashed" / "6b86.git")
    else:
        git(bare, "config", "gitlab.fullpath", "team/net")
    now, _ = install(bare, PYTHON, None, None)
    assert now.place is Place.GITLAB and (bare / "custom_hooks" / "pre-receive.d" / "ptguard").exists()
    assert now.armed and not (bare / "hooks" / "pre-receive").exists()


def test_a_file_where_git_looks_for_a_folder(bare: Path) -> None:
    shutil.rmtree(bare / "hooks")
    (bare / "hooks").write_text("")
    with pytest.raises(PtguardError, match="cannot be changed: File exists") as error:
        install(bare, PYTHON, None, None)
    assert error.value.fix == f"{sh('rm', str(bare / 'hooks'))}   # git looks for a folder there; then again"
    (bare / "hooks").unlink()
    assert install(bare, PYTHON, None, None)[0].armed


def test_the_words_are_about_what_is_wanted(tmp_path: Path) -> None:
    for command, wanted in ((install, "install"), (uninstall, "uninstall")):
        args = (PYTHON, None, None) if command is install else ()
        with pytest.raises(UsageError, match="not a git repository") as error:
            command(tmp_path, *args)
        assert (error.value.fix or "").startswith(f"ptguard {wanted} --server PATH")
