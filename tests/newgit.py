"""Which git the tests push with: one that knows config hooks (2.54 and later) where there is one, else a stand-in.

$PTGUARD_TEST_GIT is the path of such a git; else the git on PATH, if it is new enough. Where neither is there, a
stand-in called ``git`` stands first on PATH. It changes two things and nothing else: what ``git version`` prints, and
that a push runs what git 2.54 would run by the configuration (hook.c: config hooks first, then the hooks folder's,
each with all ref lines, any failure refuses), by way of the older git's core.hooksPath. So what ``ptguard install``
writes is carried out everywhere; that git itself does so is only known where ``REAL`` is not None.
"""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

KNOWS = (2, 54)
_ANSWER = """\
#!/bin/sh
case "$*" in version|--version) echo 'git version {version}'; exit ;; esac
hooks={hooks}
for word; do case $word in push) [ -z "$hooks" ] || exec {git} -c core.hooksPath="$hooks" "$@" ;; esac; done
exec {git} "$@"
"""
_PRE_PUSH = """\
#!/bin/sh
unset GIT_CONFIG_PARAMETERS GIT_CONFIG_COUNT
lines=$(mktemp) && trap 'rm -f "$lines"' EXIT && cat > "$lines" || exit 1
status=0
event=$(git config --get-all hook.ptguard.event | tail -n 1)
on=$(git config --type=bool --get hook.ptguard.enabled)
if [ "$event" = pre-push ] && [ "$on" != false ]; then
    command=$(git config --get hook.ptguard.command) || exit 128
    sh -c "$command \\"\\$@\\"" "$command" "$@" < "$lines" || status=1
fi
hook=$(git rev-parse --git-path hooks/pre-push)
[ ! -x "$hook" ] || "$hook" "$@" < "$lines" || status=1
exit $status
"""


def version_of(git: str) -> tuple[int, int]:
    """Give the first two numbers of the version of the git at ``git``."""
    said = subprocess.run([git, "version"], capture_output=True, text=True, check=True).stdout
    found = re.match(r"git version (\d+)\.(\d+)", said)
    assert found is not None, said
    return int(found[1]), int(found[2])


def _real() -> str | None:
    named = os.environ.get("PTGUARD_TEST_GIT") or shutil.which("git")
    assert named is not None, "git is not installed"
    if "PTGUARD_TEST_GIT" in os.environ:
        assert version_of(named) >= KNOWS, f"$PTGUARD_TEST_GIT is {named}, which is older than 2.54"
    return named if version_of(named) >= KNOWS else None


REAL = _real()
"""A git that runs config hooks, or None."""


def first_on_path(folder: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let programs in ``folder`` be found first, by the test and by what it starts with ``env``."""
    env["PATH"] = f"{folder}{os.pathsep}{env['PATH']}"
    monkeypatch.setenv("PATH", env["PATH"])


def saying(
    version: str, folder: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch, hooks: Path | None = None
) -> None:
    """Make git say that it is ``version``; with ``hooks`` the hooks of every push are those in that folder."""
    git = shutil.which("git", path=env["PATH"])
    assert git is not None
    folder.mkdir(parents=True)
    (folder / "git").write_text(
        _ANSWER.format(version=version, git=shlex.quote(git), hooks=shlex.quote(str(hooks or "")))
    )
    (folder / "git").chmod(0o755)
    first_on_path(folder, env, monkeypatch)


def use_new(folder: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a git that knows config hooks first on PATH, or the stand-in that says so."""
    if REAL is None:
        hooks = folder.with_name("config hooks")
        hooks.mkdir(parents=True)
        (hooks / "pre-push").write_text(_PRE_PUSH)
        (hooks / "pre-push").chmod(0o755)
        saying("2.54.0", folder, env, monkeypatch, hooks)
        return
    folder.mkdir(parents=True)
    (folder / "git").symlink_to(REAL)
    first_on_path(folder, env, monkeypatch)
    assert version_of("git") >= KNOWS


def use_old(folder: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Make sure that git says that it is older than 2.54."""
    git = shutil.which("git", path=env["PATH"])
    if git is not None and version_of(git) >= KNOWS:
        saying("2.53.0", folder, env, monkeypatch)
