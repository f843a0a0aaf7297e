"""The user's logins to registries, as docker and podman keep them (docker-login(1), containers-auth.json(5)).

What is found here goes into a request's header and nowhere else: no error, report or command line has it.
"""

import base64
import binascii
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from ptguard.errors import PtguardError
from ptguard.gateways.process import run
from ptguard.value import value

_MAX_CONFIG: Final = 1 << 20
RUNTIME: Final = "/run/containers/{}/auth.json"
"""Where podman keeps the logins of a user, by his number, who has no XDG_RUNTIME_DIR: root, cron, a service."""

_HUB: Final = ("https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io")
_HELPER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,60}")
_TOKEN_USER: Final = "<token>"  # noqa: S105 - how docker marks that the password is an identity token


@value
class Login:
    """A user name with its password, or an ``identity`` token (then both are empty)."""

    user: str
    password: str
    identity: str | None = None

    def __repr__(self) -> str:
        """Show nothing: this may end up in a traceback."""
        return "Login(…)"

    @property
    def basic(self) -> str:
        """The value of a Basic Authorization header (RFC 7617)."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode("ascii")


def login_for(repository: str) -> Login | None:
    """Give the login for ``repository`` (``host/path``), or None where there is none.

    The nearest entry counts: podman may keep one for a path. A helper that fails is as good as none.
    """
    for path in _files():
        config = _read(path)
        for key in _keys(repository):
            found = _login(config, key)
            if found is not None:
                return found
    return None


def _files() -> Iterator[Path]:
    if named := os.environ.get("REGISTRY_AUTH_FILE"):
        yield Path(named)
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    yield Path(runtime, "containers", "auth.json") if runtime else Path(RUNTIME.format(os.getuid()))
    yield Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "containers" / "auth.json"
    yield Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"


def _read(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > _MAX_CONFIG:
            return {}
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _keys(repository: str) -> Iterator[str]:
    """Give the keys that an entry may have, the nearest first."""
    parts = repository.split("/")
    for count in range(len(parts), 0, -1):
        yield "/".join(parts[:count])
    host = parts[0]
    yield from _HUB if host == "docker.io" else (f"https://{host}", f"https://{host}/v1/", f"https://{host}/v2/")


def _login(config: Mapping[str, Any], key: str) -> Login | None:
    helpers, store = _table(config, "credHelpers"), config.get("credsStore")
    entry = _table(config, "auths").get(key)
    helper = helpers.get(key) or (store if entry is not None else None)
    if isinstance(helper, str) and (found := _asked(helper, key)):
        return found
    return _written(entry) if isinstance(entry, dict) else None


def _table(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = config.get(name)
    return found if isinstance(found, dict) else {}


def _written(entry: Mapping[str, Any]) -> Login | None:
    identity, auth = entry.get("identitytoken"), entry.get("auth")
    if isinstance(identity, str) and identity:
        return Login("", "", identity)
    if not isinstance(auth, str):
        return None
    try:
        user, colon, password = base64.b64decode(auth, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        return None
    return Login(user, password.rstrip("\0")) if colon else None


def _asked(helper: str, key: str) -> Login | None:
    """Ask ``docker-credential-NAME get`` (docker-credential-helpers, protocol)."""
    if not _HELPER.fullmatch(helper):
        return None
    try:
        argv = [f"docker-credential-{helper}", "get"]
        done = run(argv, stdin=key.encode(), env=dict(os.environ), timeout=30, limit=1 << 16)
        found = json.loads(done.stdout) if done.returncode == 0 else None
    except (PtguardError, ValueError, RecursionError):
        return None
    user, secret = (found.get("Username"), found.get("Secret")) if isinstance(found, dict) else (None, None)
    if not isinstance(user, str) or not isinstance(secret, str) or not secret:
        return None
    return Login("", "", secret) if user == _TOKEN_USER else Login(user, secret)
