"""What an audit costs: a generated history (or ``--repository PATH``), as ratios within one run.

``.venv/bin/python benchmarks/audit.py [--tags N] [--many N] [--ssh N] [--rounds N]``, or with ``--repository PATH
--policy-file FILE``. The history is the same in every run but for its keys: one commit a tag, each with its version and
changelog section.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.support import GITCONFIG, KeyChain, OpenPgpIdentity, clean_environment, frozen, run

EPOCH = 1_700_000_000
POLICY = """\
schema = 1
[[tags]]
pattern = "v*"
checks = ["annotated", "signature", "immutable", "branch", "version", "changelog"]
signers = ["li-wei", "bot"]
[signers.li-wei]
[[signers.li-wei.keys]]
kind = "openpgp"
fingerprint = "{fingerprint}"
file = "keys/li-wei.asc"
[signers.bot]
[[signers.bot.keys]]
kind = "ssh"
public-key = "{ssh}"
"""
# Runs a program and tells the peak memory, in MB, of it and of all that it waited for.
_PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
"""
Sign = Callable[[bytes, int], bytes]
"""Signs a payload as if at a time, in seconds since 1970."""


@dataclass(frozen=True)
class History:
    """A repository with signed tags; ``keyring`` knows their keys."""

    path: Path
    env: dict[str, str]
    keyring: Path
    policy: tuple[str, ...] = ()

    @classmethod
    def generate(cls, root: Path, keys: KeyChain, count: int, *, ssh: bool = False) -> "History":
        """Make ``count`` commits, each with its signed tag (OpenPGP, or SSH), on branch main of a fresh repository."""
        (root / "home").mkdir(parents=True)
        (root / "home" / ".gitconfig").write_text(GITCONFIG)
        made = cls(root / "repo", clean_environment(root / "home"), _signer(keys).home)
        run("git", "init", "-q", made.path, env=made.env)
        marks = root / "marks"
        made.git("fast-import", "--quiet", f"--export-marks={marks}", stdin=_commits(keys, count))
        rows = (line.split() for line in marks.read_text().splitlines())
        commits = {int(mark[1:]): oid for mark, oid in rows}
        sign = _ssh(keys) if ssh else _openpgp(keys)
        made.git("fast-import", "--quiet", f"--import-marks={marks}", stdin=_tags(sign, commits, count))
        allowed = root / "allowed"
        allowed.write_text(f'bot namespaces="git" {keys.ssh("bot").public}\n')
        made.git("config", "gpg.ssh.allowedSignersFile", str(allowed))
        made.git("pack-refs", "--all")
        return made

    def git(self, *args: str, stdin: bytes = b"") -> str:
        """Run git here."""
        return run("git", "-C", self.path, *args, env=self.env, stdin=stdin, timeout=3600).stdout

    def audit(self, *args: str) -> None:
        """Audit with ptguard, offline."""
        argv = [sys.executable, "-I", "-m", "ptguard", "audit", "--offline", *self.policy, *args]
        subprocess.run(argv, cwd=self.path, env=self.env, stdout=subprocess.DEVNULL, check=True)

    def verify_tags(self) -> None:
        """Have git verify every tag, as a person would."""
        names = self.git("tag").split()
        env = {**self.env, "GNUPGHOME": str(self.keyring)}
        for start in range(0, len(names), 5000):
            argv = ["git", "-C", str(self.path), "verify-tag", "--", *names[start : start + 5000]]
            subprocess.run(argv, env=env, capture_output=True, check=False)

    def forget(self) -> None:
        """Throw the cache away."""
        shutil.rmtree(self.path / ".git" / "ptguard", ignore_errors=True)


def _commits(keys: KeyChain, count: int) -> bytes:
    """Give a fast-import stream: commit ``n`` (mark ``n``) is release ``1.n.0``."""
    identity = _signer(keys)
    out = [f"blob\nmark :{count + 1}\n{_data(identity.public.decode())}"]
    first = f"M 100644 :{count + 1} .ptguard/keys/li-wei.asc\n"
    policy = POLICY.format(fingerprint=identity.fingerprint, ssh=keys.ssh("bot").public)
    first += _file(".ptguard/policy.toml", policy)
    sections = ""
    for n in range(1, count + 1):
        sections = f"## [1.{n}.0] - 2023-11-14\n\n- Change {n}.\n\n{sections}"[:4000]
        committer = f"A <a@example.com> {EPOCH + n} +0000"
        out += [
            f"commit refs/heads/main\nmark :{n}\ncommitter {committer}\n{_data(f'Release {n}')}",
            first if n == 1 else "",
            _file("pyproject.toml", f'[project]\nname = "net"\nversion = "1.{n}.0"\n'),
            _file("CHANGELOG.md", f"# Changelog\n\n{sections}"),
        ]
    return "".join(out).encode()


def _signer(keys: KeyChain) -> OpenPgpIdentity:
    return keys.openpgp("li-wei", "ed25519", "0", *frozen("20230101T000000"))


def _file(path: str, text: str) -> str:
    return f"M 100644 inline {path}\n{_data(text)}"


def _openpgp(keys: KeyChain) -> Sign:
    return lambda payload, at: _signer(keys).sign(payload, *frozen(at))


def _ssh(keys: KeyChain) -> Sign:
    return lambda payload, _: keys.ssh("bot").sign(payload, "git")


def _tags(sign: Sign, commits: dict[int, str], count: int) -> bytes:
    out = []
    for n in range(1, count + 1):
        tagger = f"A <a@example.com> {EPOCH + n} +0000"
        message = f"Release {n}\n"
        payload = f"object {commits[n]}\ntype commit\ntag v1.{n}.0\ntagger {tagger}\n\n{message}".encode()
        signature = sign(payload, EPOCH + n).decode()
        out.append(f"tag v1.{n}.0\nfrom :{n}\ntagger {tagger}\n{_data(message + signature)}")
    return "".join(out).encode()


def _data(text: str) -> str:
    return f"data {len(text.encode())}\n{text}\n"


def timed(function: Callable[[], object]) -> float:
    """Give the seconds that one call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def _within(figure: float, bound: float) -> str:
    return f"{'within' if figure <= bound else 'OVER'} {bound:g}"


def told(title: str, ours: Sequence[float], theirs: Sequence[float], bound: float) -> None:
    """Print medians and their ratio pair by pair."""
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    a, b = (statistics.median(side) for side in (ours, theirs))
    print(f"{title:<62} {a:7.2f} s {b:7.2f} s  {ratio:6.3f} ({_within(ratio, bound)})")


def of_signatures(history: History, rounds: int) -> None:
    """Hold the signatures of an audit, cold, against git's own way."""
    git = [timed(history.verify_tags) for _ in range(rounds)]
    only = ("--checks", "signature", "--no-cache")
    told(
        "signatures, cold, over git verify-tag $(git tag)",
        [timed(lambda: history.audit(*only)) for _ in git],
        git,
        0.25,
    )
    one = [timed(lambda: history.audit(*only, "--jobs", "1")) for _ in git]
    told("the same in one process", one, git, 0.25)


def of_cache(history: History, rounds: int) -> None:
    """Hold a second audit against the first."""
    cold, warm = [], []
    for _ in range(rounds):
        history.forget()
        cold.append(timed(history.audit))
        warm.append(timed(history.audit))
    told("a second audit over the first", warm, cold, 0.1)


def of_ssh(history: History, rounds: int) -> None:
    """Hold the signatures of SSH tags against git's own way, which runs ssh-keygen twice for each."""
    git = [timed(history.verify_tags) for _ in range(rounds)]
    only = ("--checks", "signature", "--no-cache")
    told("SSH signatures, cold, over git verify-tag", [timed(lambda: history.audit(*only)) for _ in git], git, 0.75)
    one = [timed(lambda: history.audit(*only, "--jobs", "1")) for _ in git]
    told("the same in one process", one, git, 1.0)


def of_growth(small: History, large: History, factor: float) -> None:
    """Hold many tags against few, and look at the memory."""
    few, many = timed(lambda: small.audit("--no-cache")), timed(lambda: large.audit("--no-cache"))
    told(f"{factor:.0f} times the tags", [many], [few], 1.1 * factor)
    argv = [sys.executable, "-c", _PEAK, sys.executable, "-I", "-m", "ptguard", "audit", "--offline"]
    peak = float(subprocess.run(argv, cwd=large.path, env=large.env, capture_output=True, check=True).stdout)
    print(f"{'peak memory of its largest process, cache included':<62} {peak:7.1f} MB ({_within(peak, 120)})")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tags", type=int, default=1008)
    parser.add_argument("--many", type=int, default=0, help="also audit a history of that many tags")
    parser.add_argument("--ssh", type=int, default=0, help="also audit a history of that many tags with SSH signatures")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repository", type=Path, help="a clone to audit instead of the generated history")
    parser.add_argument("--policy-file", type=Path, help="the policy for it; its keys lie beside it")
    options = parser.parse_args()
    keys = KeyChain.make()
    root = Path(tempfile.mkdtemp(prefix="ptguard-bench-"))
    try:
        if options.repository:
            named = ("--policy-file", str(options.policy_file.absolute()))
            history = History(options.repository, dict(os.environ), Path(os.environ["GNUPGHOME"]), named)
        else:
            history = History.generate(root / "few", keys, options.tags)
        print(f"{'':<62} {'ours':>7}   {'theirs':>7}")
        of_signatures(history, options.rounds)
        of_cache(history, options.rounds)
        if options.ssh:
            of_ssh(History.generate(root / "ssh", keys, options.ssh, ssh=True), options.rounds)
        if options.many:
            of_growth(history, History.generate(root / "many", keys, options.many), options.many / options.tags)
    finally:
        keys.close()
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
