"""What the guard costs at a push, as ratios within one run; the bounds are those of docs/reference.md, "Cost".

``.venv/bin/python benchmarks/push.py [--rounds N] [--signed N] [--tags N]``. Every push is a real one to a bare
repository, by clones that differ in nothing but their hook: none, the guard, commit-check's check of tags (which looks
at the name only) and a shell hook of one ``git verify-tag``. They are pushed in turn (A B C D A B C D …), so that a
machine whose speed drifts favours nobody; medians are compared. commit-check is installed from PyPI into ``.cache/`` on
first use.
"""

import argparse
import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.audit import History
from tests.e2e.team import Team
from tests.support import GITCONFIG, KeyChain, clean_environment, run
from tests.torchpython import made

COMMIT_CHECK = "commit-check==2.19.3"
MEMORY_MB = 120

# Runs a program and tells seconds and peak memory; a process of its own for each, as RUSAGE_CHILDREN only ever grows.
_METER = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
screen = done.stderr.decode(errors="replace")[-2000:]
json.dump({"seconds": seconds, "megabytes": peak, "exit": done.returncode, "screen": screen}, sys.stdout)
"""


@dataclass(frozen=True)
class Pusher:
    """A clone with a bare remote; what is pushed is taken back on the remote by hand, outside the time."""

    team: Team

    @classmethod
    def copy(cls, template: Team, root: Path, hook: str | None = None) -> "Pusher":
        """Copy ``template`` to ``root``; ``hook`` is the text of its pre-push hook."""
        made = cls(template.copy_to(root, template.env))
        if hook is not None:
            path = made.team.repo.path / ".git" / "hooks" / "pre-push"
            path.write_text(hook)
            path.chmod(0o755)
        return made

    def seconds(self, refspec: str) -> float:
        """Push ``refspec``, as a person would, and give how long that took; the remote is as before afterwards."""
        start = time.perf_counter()
        done = self.team.repo.try_git("push", "origin", refspec)
        taken = time.perf_counter() - start
        if done.returncode != 0:
            raise SystemExit(f"the push of {refspec} was refused:\n{done.stderr}")
        run("git", "-C", self.team.remote, "update-ref", "-d", refspec.rpartition(":")[2], env=self.team.env)
        return taken


def told(title: str, values: tuple[str, str], figure: float, unit: str, bound: float | None) -> None:
    """Print one row: our value and theirs, the figure, and whether it is within its bound (None: for reading)."""
    verdict = "" if bound is None else f"({'within' if figure <= bound else 'OVER'} {bound})"
    print(f"{title:<58} {values[0]:>9} {values[1]:>9}  {figure:6.2f} {unit:<5} {verdict}".rstrip())


def milliseconds(values: list[float]) -> str:
    """Give the median of seconds as milliseconds."""
    return f"{statistics.median(values) * 1000:.1f} ms"


def of_one_push(root: Path, keys: KeyChain, rounds: int) -> None:
    """Time pushes of a branch and of one tag under each hook."""
    home = root / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(GITCONFIG)
    template = Team.build(root / "template", clean_environment(home), keys)
    template.tag()
    check = shlex.quote(str(Path(made(COMMIT_CHECK)).with_name("commit-check")))
    verify = f"GNUPGHOME={shlex.quote(str(keys.openpgp('li-wei').home))} git verify-tag v2.9.0"
    pushers = {
        "none": Pusher.copy(template, root / "none"),
        "guard": Pusher.copy(template, root / "guard"),
        "commit-check": Pusher.copy(template, root / "check", f"#!/bin/sh\nexec {check} --tag\n"),
        "verify-tag": Pusher.copy(template, root / "verify", f"#!/bin/sh\n{verify}\n"),
    }
    pushers["guard"].team.arm()
    branch = _in_turn({name: pushers[name] for name in ("none", "guard")}, "HEAD:refs/heads/timing", 3 * rounds)
    more = statistics.median((a - b) * 1000 for a, b in zip(branch["guard"], branch["none"], strict=True))
    values = milliseconds(branch["guard"]), milliseconds(branch["none"])
    told("a push without tags - the same with no hook", values, more, "ms", 5)
    tag = _in_turn(pushers, "refs/tags/v2.9.0:refs/tags/v2.9.0", rounds)
    for name, bound in (("commit-check", 1.0), ("verify-tag", None), ("none", None)):
        ratio = statistics.median(a / b for a, b in zip(tag["guard"], tag[name], strict=True))
        title = f"one tag pushed / the same with {'no hook' if name == 'none' else name}"
        told(title, (milliseconds(tag["guard"]), milliseconds(tag[name])), ratio, "times", bound)


def _in_turn(pushers: dict[str, Pusher], refspec: str, rounds: int) -> dict[str, list[float]]:
    """Push ``refspec`` by each of ``pushers`` in turn, ``rounds`` times after one for warming up."""
    runs = [{name: pusher.seconds(refspec) for name, pusher in pushers.items()} for _ in range(rounds + 1)]
    return {name: [each[name] for each in runs[1:]] for name in pushers}


@dataclass(frozen=True)
class Crowd:
    """A clone with many tags, armed, and a remote that has none of them; the policy wants no image and no record."""

    history: History
    remote: Path

    @classmethod
    def make(cls, root: Path, keys: KeyChain, signed: int, unsigned: int = 0) -> "Crowd":
        """Make ``signed`` commits with a signed tag each, and ``unsigned`` tags of the last one."""
        history = History.generate(root, keys, signed)
        remote = root / "remote.git"
        run("git", "init", "-q", "--bare", remote, env=history.env)
        history.git("remote", "add", "origin", "../remote.git")
        history.git("push", "-q", "origin", "main")
        history.git("fetch", "-q", "--no-tags", "origin")
        tagger = "tagger A <a@example.com> 1763800000 +0000"
        stream = "".join(f"tag v9.{n}.0\nfrom refs/heads/main\n{tagger}\ndata 1\nx\n" for n in range(unsigned))
        history.git("fast-import", "--quiet", stdin=stream.encode())
        # The generated signatures are of 2023: a policy of the administrator's lets them be that old.
        policy = root / "policy"
        policy.mkdir()
        history.git("reset", "-q", "--hard")
        shutil.copytree(history.path / ".ptguard" / "keys", policy / "keys")
        text = (history.path / ".ptguard" / "policy.toml").read_text()
        (policy / "policy.toml").write_text(f'{text}[limits]\nmax-tag-age = "36500d"\n')
        history.git("config", "ptguard.policyFile", str(policy / "policy.toml"))
        run(sys.executable, "-I", "-m", "ptguard", "install", cwd=history.path, env=history.env)
        return cls(history, remote)

    def push(self, *, refused: bool = False) -> tuple[float, float]:
        """Push all tags, only to be judged; give seconds and the megabytes of the largest process."""
        argv = [sys.executable, "-I", "-c", _METER, "git", "push", "--dry-run", "origin", "refs/tags/*:refs/tags/*"]
        done = subprocess.run(argv, cwd=self.history.path, env=self.history.env, capture_output=True, check=True)
        found = json.loads(done.stdout)
        if bool(found["exit"]) is not refused:
            raise SystemExit(f"exit {found['exit']}\n{found['screen']}")
        return found["seconds"], found["megabytes"]


def of_growth(root: Path, keys: KeyChain, signed: int) -> None:
    """Hold a push of signed tags against one of a tenth of them."""
    few, many = (Crowd.make(root / str(count), keys, count) for count in (signed // 10, signed))
    few.push()
    seconds = many.push()[0], few.push()[0]
    title = f"{signed} signed tags in one push / {signed // 10}"
    told(title, (f"{seconds[0]:.2f} s", f"{seconds[1]:.2f} s"), seconds[0] / seconds[1], "times", 11)


def of_memory(root: Path, keys: KeyChain, tags: int) -> None:
    """Look at time and memory of a push of ``tags`` tags, all but 20 unsigned, beside a tenth of them."""
    few, many = (Crowd.make(root / str(count), keys, 20, count - 20).push(refused=True) for count in (tags // 10, tags))
    title = f"{tags} tags, most unsigned, in one push / {tags // 10}"
    told(title, (f"{many[0]:.2f} s", f"{few[0]:.2f} s"), many[0] / few[0], "times", 11)
    told("the largest process of that", (f"{many[1]:.0f} MB", f"{few[1]:.0f} MB"), many[1], "MB", MEMORY_MB)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21, help="pushes under each hook")
    parser.add_argument("--signed", type=int, default=1000, help="signed tags for the growth")
    parser.add_argument("--tags", type=int, default=10000, help="tags, most unsigned, for the memory")
    options = parser.parse_args()
    todays, old = KeyChain.make(), KeyChain.make()  # the generated history is of 2023, and so is its key
    root = Path(tempfile.mkdtemp(prefix="ptguard-bench-"))
    try:
        print(f"{os.uname().machine}, {os.cpu_count()} cores, Python {sys.version.split()[0]}, {options.rounds} rounds")
        for name in ("one", "signed", "many"):
            (root / name).mkdir()
        of_one_push(root / "one", todays, options.rounds)
        of_growth(root / "signed", old, options.signed)
        of_memory(root / "many", old, options.tags)
    finally:
        todays.close()
        old.close()
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
