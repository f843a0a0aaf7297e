"""What docs/server.md shows is what a server says."""

import re
import sys
from pathlib import Path

import pytest

from tests.e2e.team import Team
from tests.support import run

pytestmark = pytest.mark.e2e
PAGE = (Path(__file__).parents[2] / "docs" / "server.md").read_text("utf-8")
SHOWN = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)


def test_what_install_says(team: Team) -> None:
    argv = ("-m", "ptguard", "install", "--server", team.remote)
    said = run(sys.executable, *argv, env=team.env).stdout
    assert said.replace(str(team.remote), "/srv/git/net.git") == SHOWN[0]


def test_what_root_refuses(team: Team) -> None:
    team.change_policy("[image]", '[root]\nsigners = ["li-wei"]\n\n[image]')
    team.serve()
    team.write_policy(team.policy + "# a remark\n")
    commit = team.repo.commit("Change the policy")
    said = [line.rstrip() for line in team.guard("main").refused().screen.splitlines() if line.startswith("remote: ")]
    shown = SHOWN[1].replace("4f1c…", commit).splitlines()
    assert [line for line in said if line != "remote:"] == shown


def test_every_key_of_a_receipt_is_explained(served: Team) -> None:
    served.tag()
    served.guard("v2.9.0").accepted("v2.9.0")
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| ", PAGE.split("## Receipts")[1].split("\n## ")[0], re.MULTILINE)
    assert {key for row in rows for key in re.findall(r"`(\w+)`", row)} == set(served.receipts()[0])
