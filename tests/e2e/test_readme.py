"""What the README shows is what happens."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.e2e.team import Team

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(marker: str) -> str:
    """Give the fenced block that follows ``<!-- marker -->``."""
    found = re.search(rf"<!-- {re.escape(marker)} -->\n```\w+\n(.*?)```", README, re.DOTALL)
    assert found is not None, marker
    return found[1]


@pytest.mark.e2e
def test_the_demo_ends_as_shown_and_leaves_nothing(env: dict[str, str]) -> None:
    assert block("command: demo").strip().endswith("ptguard demo")
    with tempfile.TemporaryDirectory(prefix="ptg-", dir="/tmp") as scratch:
        done = subprocess.run(
            [sys.executable, "-I", "-m", "ptguard", "demo"],
            env={**env, "TMPDIR": scratch}, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        left = list(Path(scratch).iterdir())
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith(block("output: demo")), done.stdout
    assert left == []
    for reason in ("lightweight", "unsigned", "unknown-signer", "missing-section", "version-mismatch", "moved"):
        assert f"{reason}: " in done.stdout


@pytest.mark.e2e
def test_the_refusal_is_the_one_shown(armed: Team) -> None:
    armed.repo.git("tag", "-a", "-m", "Release", "v2.9.0")
    screen = re.sub(r"\b[0-9a-f]{40}\b", "<commit>", armed.guard("v2.9.0").refused().screen)
    assert block("output: refusal") in screen


def test_the_test_command_is_the_one_ci_runs() -> None:
    assert "<!-- command: test -->" in (ROOT / ".ci/run").read_text()
    assert "pytest" in block("command: test")


def test_the_setup_script_is_what_both_commands_begin_with() -> None:
    for name in ("demo", "test"):
        assert block(f"command: {name}").startswith("sh .ci/setup")


def test_the_chinese_readme_shows_the_same_commands_and_outputs() -> None:
    chinese = (ROOT / "README.zh-CN.md").read_text(encoding="utf-8")
    blocks = re.compile(r"```\w+\n.*?```", re.DOTALL)
    assert blocks.findall(chinese) == blocks.findall(README)
    links = re.compile(r"\]\(([^)]+)\)")
    assert set(links.findall(chinese)) - {"README.md"} == set(links.findall(README)) - {"README.zh-CN.md"}
