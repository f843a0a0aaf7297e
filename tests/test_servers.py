"""The tests' own servers: real pushes, a hook that accepts and refuses, words that arrive, nothing left running."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.forges import gitea, gitlab
from tests.hosting import Server
from tests.loopback import answers, listening, processes_of, reserved_port, until
from tests.servers import SERVERS, gitolite, http
from tests.support import KeyChain, Repo, refs, run

ROOT = Path(__file__).parents[1]
LOOPBACK = {"0100007F"}
HOOK = """\
#!/bin/sh
while read -r old new ref; do
    case $ref in
    refs/tags/bad*)
        git cat-file -t "$new" >/dev/null || echo 'the new object is not here'
        echo "no $ref here"
        echo 'ask li-wei' >&2
        exit 3
        ;;
    esac
done
"""


def push(repo: Repo, server: Server, *refspecs: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """Push ``refspecs`` to ``server`` as its pusher."""
    return repo.try_git("push", server.url, *refspecs, env={**server.client, **env})


@pytest.fixture
def work(repo: Repo) -> Repo:
    """A clone with a commit and two tags."""
    repo.write("net.py", "WEIGHTS = [1]\n")
    repo.commit("Start")
    for name in ("good", "bad"):
        repo.git("tag", "-a", "-m", name, name)
    return repo


@pytest.mark.parametrize("kind", SERVERS)
def test_a_hook_accepts_one_push_and_refuses_another(kind: str, work: Repo, keychain: KeyChain, tmp_path: Path) -> None:
    folder = tmp_path / ("server" if kind == "gitolite" else "a server")  # gitolite gives its paths to a shell unquoted
    with SERVERS[kind](folder, keychain.ssh("pusher")) as server:
        assert push(work, server, "main").returncode == 0
        server.put_hook(HOOK)
        assert push(work, server, "good").returncode == 0
        before = refs(server.repository, work.env)
        done = push(work, server, "bad")
        assert done.returncode != 0
        assert "remote: no refs/tags/bad here" in done.stderr and "remote: ask li-wei" in done.stderr, done.stderr
        assert "the new object is not here" not in done.stderr
        assert refs(server.repository, work.env) == before
        assert set(before) == {"refs/heads/main", "refs/tags/good"}
        if server.port is not None:
            assert listening()[server.port] == LOOPBACK
        elsewhere = tmp_path / "again"
        run("git", "clone", "-q", server.url, elsewhere, env={**work.env, **server.client})
        assert Repo(elsewhere, work.env).git("tag") == "good"
    assert server.port is None or not answers(server.port)
    assert processes_of(folder) == []


@pytest.mark.parametrize("kind", ["gitolite", "http"])
def test_it_ends_where_the_test_fails(kind: str, keychain: KeyChain, tmp_path: Path) -> None:
    seen: list[Server] = []

    def fails() -> None:
        with SERVERS[kind](tmp_path / "server", keychain.ssh("pusher")) as server:
            seen.append(server)
            assert server.port is not None and answers(server.port)
            assert processes_of(tmp_path / "server") != []
            raise LookupError("the test fails here")

    with pytest.raises(LookupError, match="fails here"):
        fails()
    port = seen[0].port
    assert port is not None and not answers(port)
    assert processes_of(tmp_path / "server") == []


def test_they_end_where_the_run_of_the_tests_is_killed(keychain: KeyChain, tmp_path: Path) -> None:
    key = keychain.ssh("pusher")
    script = (
        "import os, signal, sys; from pathlib import Path; from tests.servers import gitolite, http\n"
        "from tests.support import SshIdentity; key = SshIdentity('pusher', Path(sys.argv[2]), sys.argv[3])\n"
        "with gitolite(Path(sys.argv[1], 'a'), key), http(Path(sys.argv[1], 'b'), key):\n"
        "    print('up', flush=True); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    words = (sys.executable, "-c", script, str(tmp_path / "killed"), str(key.private), key.public)
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout) == (-9, "up\n"), done.stderr
    until(lambda: processes_of(tmp_path / "killed") == [], "the servers of a killed run end")


@pytest.mark.parametrize("kind", ["gitolite", "gitea"])
def test_a_strangers_key_is_not_let_in(kind: str, work: Repo, keychain: KeyChain, tmp_path: Path) -> None:
    known, stranger = keychain.ssh("pusher"), keychain.ssh("nobody")
    with SERVERS[kind](tmp_path / "server", known) as server:
        command = server.client["GIT_SSH_COMMAND"].replace(str(known.private), str(stranger.private))
        done = push(work, server, "main", GIT_SSH_COMMAND=command)
        assert done.returncode != 0 and "Permission denied" in done.stderr, done.stderr
        assert push(work, server, "main").returncode == 0


def test_a_wrong_password_is_not_let_in(work: Repo, keychain: KeyChain, tmp_path: Path) -> None:
    with http(tmp_path / "server", keychain.ssh("pusher")) as server:
        scheme, rest = server.url.split("li-wei:")
        wrong = work.try_git("push", f"{scheme}li-wei:wrong@{rest.split('@')[1]}", "main")
        assert wrong.returncode != 0 and "Authentication failed" in wrong.stderr, wrong.stderr
        assert push(work, server, "main").returncode == 0


def test_gitolite_leaves_the_hook_where_it_is(work: Repo, keychain: KeyChain, tmp_path: Path) -> None:
    with gitolite(tmp_path / "server", keychain.ssh("pusher")) as server:
        server.put_hook(HOOK)
        home = tmp_path / "server" / "home"
        run("gitolite", "setup", env={"PATH": "/usr/bin:/bin", "HOME": str(home), "USER": "x"})
        assert push(work, server, "main", "good").returncode == 0
        assert "remote: no refs/tags/bad here" in push(work, server, "bad").stderr


def test_gitea_runs_every_hook_of_the_folder_and_takes_the_first_refusal(
    work: Repo, keychain: KeyChain, tmp_path: Path
) -> None:
    with gitea(tmp_path / "server", keychain.ssh("pusher")) as server:
        server.put_hook('#!/bin/sh\necho "first saw $(wc -l) for $GITEA_PUSHER_NAME in $GIT_DIR"\nexit 4\n', "a")
        server.put_hook('#!/bin/sh\necho "second saw $(wc -l)"\n', "b")
        done = push(work, server, "main", "good")
        assert done.returncode != 0
        assert "remote: first saw 2 for li-wei in ." in done.stderr and "remote: second saw 2" in done.stderr


def test_gitlab_names_the_pusher_and_stops_at_the_first_refusal(work: Repo, keychain: KeyChain, tmp_path: Path) -> None:
    show = 'echo "$GL_ID $GL_REPOSITORY $GL_PROJECT_PATH $GL_PROTOCOL $GL_USERNAME"'
    with gitlab(tmp_path / "server", keychain.ssh("pusher")) as server:
        server.put_hook(f'#!/bin/sh\n{show}\necho "quarantine: ${{GIT_QUARANTINE_PATH-none}} in $GIT_DIR"\n', "a")
        server.put_hook("#!/bin/sh\necho 'GL-HOOK-ERR: no'\nexit 9\n", "b")
        server.put_hook("#!/bin/sh\necho 'not reached'\n", "c")
        server.put_hook("#!/bin/sh\necho 'an editor left this'\n", "b~")
        done = push(work, server, "main")
        assert done.returncode != 0
        assert "remote: user-1 project-1 team/net ssh li-wei" in done.stderr
        assert f"remote: quarantine: none in {server.repository}" in done.stderr
        assert "remote: GL-HOOK-ERR: no" in done.stderr
        assert "not reached" not in done.stderr and "an editor" not in done.stderr


def test_a_pushers_own_configuration_does_not_reach_a_server(work: Repo, keychain: KeyChain, tmp_path: Path) -> None:
    """What hooks over ssh and http are for: over a path, the pusher's configuration is the server's."""
    for kind, reaches in (("path", True), ("gitolite", False), ("http", False), ("gitlab", False)):
        with SERVERS[kind](tmp_path / kind, keychain.ssh("pusher")) as server:
            server.put_hook(HOOK)
            run("git", "config", "--global", "core.hooksPath", tmp_path / "nothing", env=work.env)
            assert (push(work, server, "bad").returncode == 0) is reaches, kind


def test_a_reserved_port_is_given_to_nobody_else_and_a_server_may_have_it() -> None:
    with reserved_port() as port:
        others = [socket.socket() for _ in range(200)]
        try:
            for other in others:
                other.bind(("127.0.0.1", 0))
            assert port not in {other.getsockname()[1] for other in others}
        finally:
            for other in others:
                other.close()
        assert not answers(port)
        with socket.socket() as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind(("127.0.0.1", port))
            server.listen()
            assert answers(port)
