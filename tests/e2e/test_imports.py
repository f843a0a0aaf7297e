"""What judging a tag brings into memory: no framework and nothing that speaks with the network."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.team import DIGEST, IMAGE, Team
from tests.support import run

pytestmark = pytest.mark.e2e

FORBIDDEN = (
    "torch", "numpy", "jax", "tensorflow",  # the probe's, in the image
    "urllib3", "requests", "httpx", "aiohttp", "http.client", "urllib.request", "ssl", "ftplib", "asyncio",
    "git", "rich", "pre_commit", "toml", "docker_image", "yaml", "multiprocessing", "unittest", "concurrent.futures",
    "ptguard.smoke", "ptguard.install", "ptguard.setup", "ptguard.demo", "ptguard.tagging",
)  # fmt: skip
"""A module of these names, or below them, is never needed to judge: people wait at every push."""

CALL = """\
import json, sys
import ptguard.__main__ as main
code = main.run(json.loads(sys.argv[1]))
sys.stdout.flush()
with open(sys.argv[2], "w", encoding="utf-8") as file:
    json.dump([int(code), sorted(sys.modules)], file)
"""


def loaded(team: Team, tmp_path: Path, *args: str, stdin: bytes = b"") -> tuple[int, list[str]]:
    """Run ptguard in an interpreter of its own; give the exit code and what it had imported by the end."""
    out = tmp_path / "modules"
    argv = [sys.executable, "-I", "-c", CALL, json.dumps(args), str(out)]
    run(*argv, cwd=team.repo.path, env=team.env, stdin=stdin)
    found: list[Any] = json.loads(out.read_text("utf-8"))
    return found[0], found[1]


def forbidden(modules: list[str]) -> list[str]:
    return [name for name in modules if any(name == bad or name.startswith(f"{bad}.") for bad in FORBIDDEN)]


def test_a_verdict_on_image_and_record_needs_no_framework_and_no_network(team: Team, tmp_path: Path) -> None:
    team.tag()
    code, modules = loaded(team, tmp_path, "verify", "v2.9.0", "--format", "json")
    assert (code, forbidden(modules)) == (0, [])
    assert {"ptguard.checks.smoke", "ptguard.checks.image", "ptguard.collect_smoke", "dockerfile"} <= set(modules)


def test_so_it_is_at_a_push_and_at_a_refused_one(team: Team, tmp_path: Path) -> None:
    team.repo.write("Dockerfile", f"FROM {IMAGE.replace('12.8', '12.6')}@{DIGEST}\n")
    team.repo.commit("Another image than that of the record")
    oid = team.tag()
    line = f"refs/tags/v2.9.0 {oid} refs/tags/v2.9.0 {'0' * 40}\n".encode()
    code, modules = loaded(team, tmp_path, "pre-push", "origin", "../remote.git", stdin=line)
    assert (code, forbidden(modules)) == (1, [])
    assert "ptguard.checks.smoke" in modules


def test_a_module_that_is_not_allowed_is_seen(team: Team, tmp_path: Path) -> None:
    _, modules = loaded(team, tmp_path, "doctor")
    assert "ptguard.install" in forbidden(modules)
