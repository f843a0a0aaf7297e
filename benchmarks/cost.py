"""What the guard costs, as ratios within one run; the bounds are those of docs/reference.md, "Cost".

Run it with the interpreter that has ptguard: ``.venv/bin/python benchmarks/cost.py [--rounds N]``. Pairs are timed in
turn (A B A B …), so that a machine whose speed drifts does not favour one side; medians are compared.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.e2e.team import Team
from tests.support import GITCONFIG, KeyChain, clean_environment


@dataclass(frozen=True)
class Pair:
    """Two ways that are compared: ``bound`` is the most that the first may cost (a ratio, or ms over the other)."""

    title: str
    ours: Callable[[], None]
    theirs: Callable[[], None]
    bound: float
    unit: str = "ratio"


def timed(function: Callable[[], None]) -> float:
    """Give the seconds that one call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def compare(pair: Pair, rounds: int) -> str:
    """Time both in turn and give a line with medians and their ratio or difference."""
    pair.ours()
    pair.theirs()
    runs = [(timed(pair.ours), timed(pair.theirs)) for _ in range(rounds)]
    ours, theirs = (statistics.median(column) * 1000 for column in zip(*runs, strict=True))
    if pair.unit == "ms":
        figure = statistics.median((a - b) * 1000 for a, b in runs)
    else:
        figure = statistics.median(a / b for a, b in runs)
    verdict = "within" if figure <= pair.bound else "OVER"
    return f"{pair.title:<66} {ours:8.1f} ms  {theirs:8.1f} ms  {figure:6.2f} {pair.unit} ({verdict} {pair.bound})"


class Stage:
    """A team with a good tag, and the commands to time in it."""

    def __init__(self, root: Path, keys: KeyChain) -> None:
        """Build it under ``root``."""
        home = root / "home"
        home.mkdir()
        (home / ".gitconfig").write_text(GITCONFIG)
        self.team = Team.build(root / "team", clean_environment(home), keys)
        self.keyring = keys.openpgp("li-wei").home
        self.oid = self.team.tag()
        self.head = self.team.repo.git("rev-parse", "HEAD")
        self.zero = "0" * len(self.head)
        # Outside the clone, with its keys: the same policy without the checks of image and record.
        self.light = root / "light" / "policy.toml"
        shutil.copytree(self.team.repo.path / ".ptguard" / "keys", self.light.parent / "keys")
        rule = 'pattern = "v*"'
        most = '["annotated", "signature", "immutable", "branch", "version", "changelog"]'
        self.light.write_text(self.team.policy.replace(rule, f"{rule}\nchecks = {most}"))

    def run(self, *argv: str, stdin: str = "", **env: str) -> None:
        """Run a command in the clone; it must succeed."""
        done = subprocess.run(
            argv,
            cwd=self.team.repo.path,
            env={**self.team.env, **env},
            input=stdin,
            text=True,
            capture_output=True,
            check=False,
        )
        if done.returncode != 0:
            raise SystemExit(f"{argv} exited {done.returncode}\n{done.stdout}{done.stderr}")

    def judge(self) -> None:
        """Judge one OpenPGP tag, as the hook does."""
        line = f"refs/tags/v2.9.0 {self.oid} refs/tags/v2.9.0 {self.zero}\n"
        self.run(sys.executable, "-I", "-m", "ptguard", "pre-push", "origin", "../remote.git", stdin=line)

    def verify(self) -> None:
        """Judge the same tag by hand: the remote is asked, too."""
        self.run(sys.executable, "-I", "-m", "ptguard", "verify", "v2.9.0")

    def verify_light(self) -> None:
        """Judge a tag by hand under a policy that looks at neither image nor record."""
        self.run(sys.executable, "-I", "-m", "ptguard", "verify", "--policy-file", str(self.light), "v2.9.0")

    def reference(self) -> None:
        """Import what the field's tools import and have git verify the tag."""
        self.run(sys.executable, "-I", "-c", "import git, gnupg")
        self.run("git", "verify-tag", "v2.9.0", GNUPGHOME=str(self.keyring))

    def hook_on_a_branch(self) -> None:
        """Run the hook as git does for a branch push."""
        line = f"refs/heads/main {self.head} refs/heads/main {self.zero}\n"
        self.run(str(self.team.repo.path / ".git/hooks/pre-push"), "origin", "../remote.git", stdin=line)

    def branch_push(self, *options: str) -> Callable[[], None]:
        """Give a push of a new branch name, and its deletion, with git ``options``."""

        def push() -> None:
            self.run("git", *options, "push", "-q", "origin", "HEAD:refs/heads/timing")
            self.run("git", *options, "push", "-q", "origin", ":refs/heads/timing")

        return push


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    keys = KeyChain.make()
    try:
        with tempfile.TemporaryDirectory(prefix="ptguard-bench-") as name:
            stage = Stage(Path(name), keys)
            stage.team.arm()
            nothing = Path(name) / "no-hooks"
            nothing.mkdir()
            pairs = (
                Pair(
                    "one tag judged / python -c 'import git, gnupg' + git verify-tag",
                    stage.judge,
                    stage.reference,
                    1.3,
                ),
                Pair("ptguard verify / the same without image and smoke", stage.verify, stage.verify_light, 1.3),
                Pair(
                    "two pushes without tags - the same with no hook",
                    stage.branch_push(),
                    stage.branch_push("-c", f"core.hooksPath={nothing}"),
                    10.0,
                    "ms",
                ),
                Pair(
                    "the hook alone on a branch line - true(1)",
                    stage.hook_on_a_branch,
                    lambda: stage.run("true"),
                    5.0,
                    "ms",
                ),
            )
            print(f"{os.uname().machine}, {os.cpu_count()} cores, Python {sys.version.split()[0]}, {rounds} rounds")
            for pair in pairs:
                print(compare(pair, rounds))
    finally:
        keys.close()


if __name__ == "__main__":
    main()
