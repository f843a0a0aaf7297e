"""Real Git servers on this machine, each for one test: bare ones, gitolite over sshd, nginx; and forges' layouts.

They end with their block, also where it fails, and with the process that runs the tests.
"""

import getpass
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.forges import gitea, gitlab, gitlab_global
from tests.hosting import Server, bare, environment, home_of, program_path, ssh_client, sshd
from tests.loopback import answers, reserved_port, running
from tests.support import SshIdentity, run


@contextmanager
def by_path(folder: Path, key: SshIdentity) -> Iterator[Server]:
    """Give a bare repository that is pushed to by its path."""
    repository = bare(folder)
    yield Server("path", str(repository), repository, repository / "hooks" / "pre-receive")


@contextmanager
def by_file(folder: Path, key: SshIdentity) -> Iterator[Server]:
    """Give a bare repository that is pushed to by a file:// URL."""
    repository = bare(folder)
    yield Server("file", f"file://{repository}", repository, repository / "hooks" / "pre-receive")


@contextmanager
def gitolite(folder: Path, key: SshIdentity) -> Iterator[Server]:
    """Run gitolite over sshd: the user ``li-wei`` with ``key`` may do everything to the repository ``team``."""
    home = home_of(folder)
    env = environment(folder)
    public = folder / "li-wei.pub"
    public.write_text(f"{key.public}\n")
    run(program_path("gitolite"), "setup", "-pk", public, env=env)
    (home / ".gitolite" / "conf" / "gitolite.conf").write_text(
        "repo gitolite-admin\n    RW+ = li-wei\nrepo team\n    RW+ = li-wei\n"
    )
    for words in (("compile",), ("trigger", "POST_COMPILE")):
        run("gitolite", *words, env=env)
    repository = home / "repositories" / "team.git"
    with sshd(folder, home / ".ssh" / "authorized_keys") as port:
        yield Server(
            "gitolite", f"ssh://{getpass.getuser()}@127.0.0.1:{port}/team", repository,
            repository / "hooks" / "pre-receive", ssh_client(folder, port, key), port,
        )  # fmt: skip


NGINX = """\
daemon off;
{user}
worker_processes 1;
pid "{folder}/nginx.pid";
error_log "{folder}/nginx.log";
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_max_body_size 0;
    client_body_temp_path "{folder}/body";
    fastcgi_temp_path "{folder}/fastcgi";
    proxy_temp_path "{folder}/proxy";
    scgi_temp_path "{folder}/scgi";
    uwsgi_temp_path "{folder}/uwsgi";
    server {{
        listen 127.0.0.1:{port};
        auth_basic "git";
        auth_basic_user_file "{folder}/users";
        location / {{
            fastcgi_pass "unix:{socket}";
            fastcgi_param SCRIPT_FILENAME "{backend}";
            fastcgi_param GIT_PROJECT_ROOT "{folder}/repositories";
            fastcgi_param GIT_HTTP_EXPORT_ALL "";
            fastcgi_param PATH_INFO $uri;
            fastcgi_param QUERY_STRING $query_string;
            fastcgi_param REQUEST_METHOD $request_method;
            fastcgi_param CONTENT_TYPE $content_type;
            fastcgi_param CONTENT_LENGTH $content_length;
            fastcgi_param SERVER_PROTOCOL $server_protocol;
            fastcgi_param REMOTE_ADDR $remote_addr;
            fastcgi_param REMOTE_USER $remote_user;
        }}
    }}
}}
"""


@contextmanager
def http(folder: Path, key: SshIdentity) -> Iterator[Server]:
    """Run git-http-backend behind nginx and fcgiwrap; the user ``li-wei`` has a password, which the URL carries."""
    repository = bare(folder)
    env = environment(folder)
    password = secrets.token_hex(8)
    (folder / "users").write_text(f"li-wei:{{PLAIN}}{password}\n")
    with _short(folder) as socket, reserved_port() as port:
        backend = Path(run("git", "--exec-path", env=env).stdout.strip(), "git-http-backend")
        user = f"user {getpass.getuser()};" if os.geteuid() == 0 else ""
        config = folder / "nginx.conf"
        config.write_text(NGINX.format(folder=folder, user=user, port=port, socket=socket, backend=backend))
        log = folder / "nginx.log"
        nginx = (program_path("nginx"), "-p", folder, "-c", config, "-e", log)
        with (
            running(
                program_path("fcgiwrap"), "-s", f"unix:{socket}", log=folder / "fcgi.log", ready=socket.exists, env=env
            ),
            running(*nginx, log=log, ready=lambda: answers(port), env=env),
        ):
            url = f"http://li-wei:{password}@127.0.0.1:{port}/team.git"
            yield Server("http", url, repository, repository / "hooks" / "pre-receive", port=port)


@contextmanager
def _short(folder: Path) -> Iterator[Path]:
    """Give a path for a socket: in ``folder``, or, as it may have 107 bytes only (unix(7)), in a shorter one."""
    if len(os.fsencode(folder / "fcgi")) <= 107:
        yield folder / "fcgi"
        return
    with tempfile.TemporaryDirectory(prefix="ptg-", dir="/tmp") as short:
        yield Path(short, "fcgi")


Making = Callable[[Path, SshIdentity], AbstractContextManager[Server]]
SERVERS: dict[str, Making] = {
    "path": by_path,
    "file": by_file,
    "gitolite": gitolite,
    "http": http,
    "gitea": gitea,
    "gitlab": gitlab,
    "gitlab-global": gitlab_global,
}
