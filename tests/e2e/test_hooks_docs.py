"""What docs/hooks.md shows of a terminal is what a clone of that kind really says."""

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ptguard.install.confighook import COMMAND
from ptguard.install.managers import KEEPING, SCRIPT
from tests import newgit, npm
from tests.e2e.team import Team
from tests.install.test_doctor_mends import CASES
from tests.support import run

pytestmark = pytest.mark.e2e

PAGE = (Path(__file__).parents[2] / "docs" / "hooks.md").read_text("utf-8")
SHOWN = dict(re.findall(r"<!-- real: (\w+) -->\n```console\n(.*?)```\n", PAGE, re.DOTALL))


def plain(team: Team, tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del team, tmp, monkeypatch


def config(team: Team, tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    newgit.use_new(tmp / "new git", team.env, monkeypatch)
    team.repo.write(".githooks/pre-push", "#!/bin/sh\n").chmod(0o755)
    team.repo.git("config", "core.hooksPath", ".githooks")


def husky(team: Team, tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    newgit.use_old(tmp / "old git", team.env, monkeypatch)
    npm.husky(team.repo, monkeypatch, "npm test\n")


SET_UPS: dict[str, Callable[[Team, Path, pytest.MonkeyPatch], None]] = {
    "plain": plain,
    "config": config,
    "husky": husky,
}


def test_every_terminal_of_the_page_is_tried() -> None:
    assert set(SHOWN) == set(SET_UPS)
    assert PAGE.count("```console") == len(SHOWN)


@pytest.mark.parametrize("name", SHOWN)
def test_a_terminal_of_the_page_is_real(team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    SET_UPS[name](team, tmp_path, monkeypatch)
    real = ""
    for command in re.findall(r"^\$ (.*)$", SHOWN[name], re.MULTILINE):
        line = command.replace("CLONE", str(team.repo.path))
        done = run("sh", "-c", line, cwd=team.repo.path, env=team.env, check=False)
        said = re.sub(r"^! gpg .*\n  mend: .*\n", "", done.stdout, flags=re.MULTILINE)  # this machine's own
        real += f"$ {command}\n" + said.replace(str(team.repo.path), "CLONE").replace(sys.executable, "PYTHON")
    assert real == SHOWN[name]
    assert os.environ["PATH"] == team.env["PATH"]


def test_the_lines_to_add_are_those_that_are_printed() -> None:
    blocks = re.findall(r"^```sh\n(.*?)```$", PAGE, re.DOTALL | re.MULTILINE)
    assert f"{SCRIPT}\n" in blocks and f"{KEEPING}\n" in blocks


def test_what_the_page_says_of_the_command_is_so() -> None:
    assert re.search(r"""(?:^|[\s"'=;])/""", COMMAND) is None  # no absolute path is in it
    section = PAGE.split("\n## What doctor finds\n", 1)[1].split("\n## ", 1)[0]
    assert len(re.findall(r"^\| (?!broken|---)", section, re.MULTILINE)) == 9
    assert len({case.breaks for case in CASES}) > 30
