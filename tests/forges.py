"""Repositories as Gitea, Forgejo and GitLab lay them out and call hooks in them, behind an sshd of the test's own."""

import getpass
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.hosting import Server, bare, script, ssh_client, sshd
from tests.support import SshIdentity

# What a forge's own ssh command does with a push: it says who pushes, and has git receive it.
FORGE_SHELL = """\
#!/bin/sh
export {names}
case $SSH_ORIGINAL_COMMAND in
"git-receive-pack '/team/net.git'") exec git {options} receive-pack {repository} ;;
"git-upload-pack '/team/net.git'") exec git upload-pack {repository} ;;
esac
echo 'no such repository' >&2
exit 1
"""

# Gitea and Forgejo (modules/gitrepo/hooks.go): git's hook runs every executable of hooks/pre-receive.d, one after
# another, each with all lines; the first status that is not 0 is the push's, but the others run as well.
GITEA_HOOK = """\
#!/bin/sh
lines=$(cat)
statuses=
for each in "${GIT_DIR:-$(dirname "$0")/..}/hooks/pre-receive.d"/*; do
    [ -f "$each" ] && [ -x "$each" ] || continue
    echo "$lines" | "$each"
    statuses="$statuses $?"
done
for status in $statuses; do
    [ "$status" -eq 0 ] || exit "$status"
done
"""

# GitLab (doc/administration/server_hooks.md; gitaly, internal/gitaly/hook/custom.go): gitaly brings its own
# core.hooksPath, stands in the repository, and runs the project's hooks, then the global ones, till one fails. Of the
# environment only what is named here is left: no GIT_QUARANTINE_PATH, no GIT_CONFIG_*.
GITALY_HOOK = """\
#!/bin/sh
repository=$(cd "$GIT_DIR" && pwd) || exit 1
cd "$repository" || exit 1
lines=$(cat)
set -- PATH="$PATH" HOME="$HOME" GIT_DIR="$repository" GL_ID="$GL_ID" GL_REPOSITORY="$GL_REPOSITORY" \\
    GL_PROJECT_PATH="$GL_PROJECT_PATH" GL_PROTOCOL="$GL_PROTOCOL" GL_USERNAME="$GL_USERNAME"
if [ -n "$GIT_OBJECT_DIRECTORY" ]; then # a push that brings no objects has no quarantine
    set -- "$@" GIT_OBJECT_DIRECTORY="$GIT_OBJECT_DIRECTORY" \\
        GIT_ALTERNATE_OBJECT_DIRECTORIES="$GIT_ALTERNATE_OBJECT_DIRECTORIES"
fi
for each in custom_hooks/pre-receive custom_hooks/pre-receive.d/* {everywhere}/pre-receive.d/*; do
    case $each in
    *~) continue ;;
    /*) ;;
    *) each=$repository/$each ;;
    esac
    [ -f "$each" ] && [ -x "$each" ] || continue
    printf '%s\\n' "$lines" | env -i "$@" "$each" || exit 1
done
"""


@contextmanager
def gitea(folder: Path, key: SshIdentity) -> Iterator[Server]:
    """Give a repository as Gitea and Forgejo lay it out, pushed to over sshd."""
    repository = bare(folder)
    hook = repository / "hooks" / "pre-receive"
    script(hook, GITEA_HOOK)
    script(Path(f"{hook}.d", "gitea"), "#!/bin/sh\nexec cat >/dev/null\n")  # its own, which asks its database
    names = {"GITEA_REPO_USER_NAME": "team", "GITEA_REPO_NAME": "net", "GITEA_PUSHER_NAME": "li-wei"}
    with _forge(folder, key, repository, names) as (url, client, port):
        yield Server("gitea", url, repository, Path(f"{hook}.d", "ptguard"), client, port)


@contextmanager
def gitlab(folder: Path, key: SshIdentity, *, everywhere: bool = False) -> Iterator[Server]:
    """Give a repository as GitLab lays it out, pushed to over sshd; ``everywhere``: its hook is the global one."""
    repository = bare(folder)
    everyones = folder / "everyones-hooks"
    own = folder / "gitaly-hooks"
    script(own / "pre-receive", GITALY_HOOK.format(everywhere=shlex.quote(str(everyones))))
    names = {"GL_ID": "user-1", "GL_REPOSITORY": "project-1", "GL_PROJECT_PATH": "team/net", "GL_PROTOCOL": "ssh",
             "GL_USERNAME": "li-wei"}  # fmt: skip
    hooks = everyones if everywhere else repository / "custom_hooks"
    with _forge(folder, key, repository, names, f"-c core.hooksPath={shlex.quote(str(own))}") as (url, client, port):
        yield Server("gitlab", url, repository, hooks / "pre-receive.d" / "ptguard", client, port)


@contextmanager
def gitlab_global(folder: Path, key: SshIdentity) -> Iterator[Server]:
    """Give a GitLab whose hook is in the global folder."""
    with gitlab(folder, key, everywhere=True) as server:
        yield server


@contextmanager
def _forge(
    folder: Path, key: SshIdentity, repository: Path, names: Mapping[str, str], options: str = ""
) -> Iterator[tuple[str, dict[str, str], int]]:
    """Run sshd with a forge's shell for ``key``; give the URL, the pusher's environment and the port."""
    shell = folder / "forge-shell"
    said = " ".join(f"{name}={shlex.quote(value)}" for name, value in names.items())
    script(shell, FORGE_SHELL.format(names=said, options=options, repository=shlex.quote(str(repository))))
    keys = folder / "authorized-keys"
    keys.write_text(f'command="{shlex.quote(str(shell))}",restrict {key.public}\n')
    with sshd(folder, keys) as port:
        url = f"ssh://{getpass.getuser()}@127.0.0.1:{port}/team/net.git"
        yield url, ssh_client(folder, port, key), port
