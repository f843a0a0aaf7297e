"""Fixtures that every test may use; the environment is clean for all of them."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests import containers, dockerd, newgit
from tests.containers import Podman
from tests.dockerd import Docker
from tests.e2e.team import Team
from tests.support import GITCONFIG, KeyChain, Repo, clean_environment, run

# An example that takes long on a busy machine is no failure; all else as hypothesis has it, in CI or elsewhere.
settings.register_profile("patient", settings.default, deadline=None)
settings.load_profile("patient")

# Programs that are started with a signal ignored go on ignoring it, and a shell does that to what it runs in the
# background, and nohup too. What is handled here has its usual effect on what the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)


@pytest.fixture(scope="session")
def keychain() -> Iterator[KeyChain]:
    """Throwaway keys, made on first use and shared by the tests of one worker."""
    chain = KeyChain.make()
    try:
        yield chain
    finally:
        chain.close()


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, keychain: KeyChain) -> Team:
    """The team as it starts, for copying only."""
    home = tmp_path_factory.mktemp("template-home")
    (home / ".gitconfig").write_text(GITCONFIG)
    return Team.build(tmp_path_factory.mktemp("template") / "team", clean_environment(home), keychain)


@pytest.fixture(autouse=True)
def env(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Put the test into a clean environment with a home of its own, and give that environment.

    An agent that gpg started for that home ends with the test, also when it fails.
    """
    home = tmp_path_factory.mktemp("home")
    (home / ".gitconfig").write_text(GITCONFIG)
    environment = clean_environment(home)
    for name in list(os.environ):
        if name not in environment and not name.startswith("PYTEST"):
            monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    kept = dict(environment)  # a test may change its own, for instance so that no gpg is found
    try:
        yield environment
    finally:
        if (home / ".gnupg").is_dir():
            run("gpgconf", "--homedir", home / ".gnupg", "--kill", "all", env=kept, check=False)


@pytest.fixture
def repo(tmp_path: Path, env: dict[str, str]) -> Repo:
    """An empty repository on branch main."""
    path = tmp_path / "repo"
    run("git", "init", "-q", path, env=env)
    return Repo(path, env)


@pytest.fixture
def new_git(tmp_path: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> bool:
    """A git that knows config hooks is on PATH; False: an older one that does as they do (tests/newgit.py)."""
    newgit.use_new(tmp_path / "new git", env, monkeypatch)
    return newgit.REAL is not None


@pytest.fixture
def old_git(tmp_path: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The git on PATH says that it is older than 2.54, so that config hooks are no way."""
    newgit.use_old(tmp_path / "old git", env, monkeypatch)


@pytest.fixture(scope="session")
def engine() -> Podman:
    """The tests' own podman and its images: made, or failed to be made, once."""
    return containers.podman()


@pytest.fixture
def podman(engine: Podman, env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Podman]:
    """The tests' own podman, the only engine on PATH; what a test leaves running in it is ended, and is a failure."""
    for name, value in engine.env.items():
        monkeypatch.setenv(name, value)
        env[name] = value
    with containers.alone(engine):
        yield engine
        left = engine.containers()
        for name in left:
            engine("rm", "--force", "--time", "0", name, check=False)
    assert left == [], "containers were left behind"


@pytest.fixture
def docker(engine: Podman, env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Docker]:
    """A real dockerd; what a test leaves in it is done away with, and is a failure."""
    with dockerd.docker(engine) as found:
        for name, value in found.env.items():
            monkeypatch.setenv(name, value)
            env[name] = value
        yield found
        left = found.containers()
        for name in left:
            found("rm", "--force", name, check=False)
    assert left == [], "containers were left behind"
