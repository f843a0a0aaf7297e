"""A real history, tag by tag: what ``ptguard audit`` says of its signatures beside what ``git verify-tag`` says.

``.venv/bin/python benchmarks/history.py REPOSITORY KEYS [KEYS …] [--sha1] [--list]``. KEYS is a file of OpenPGP keys,
or ``git:NAME`` for an object of the repository: a blob, a tag of one, or a folder of key files (``git:HEAD:keys``). The
repository is only read. Both get the same keys; every pair of answers is counted, with tags to look at.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

RULE = '[[tags]]\npattern = "**"\nchecks = ["annotated", "signature"]\nsigners = [{signers}]\n'
SIGNER = '[[signers.k{number}.keys]]\nkind = "openpgp"\nfingerprint = "{fingerprint}"\nfile = "keys/k{number}.asc"\n'
SHOWN = 6


def call(
    *argv: str | Path, stdin: bytes = b"", env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end."""
    return subprocess.run([str(word) for word in argv], input=stdin, capture_output=True, check=False, env=env)


def key_files(repository: Path, name: str) -> list[bytes]:
    """Give the key files that ``name`` stands for."""
    if not name.startswith("git:"):
        return [Path(name).read_bytes()]
    git = ("git", "-C", repository, "cat-file")
    oid = (
        call("git", "-C", repository, "rev-parse", "--verify", name[4:] if ":" in name[4:] else f"{name[4:]}^{{}}")
        .stdout.strip()
        .decode()
    )
    if call(*git, "-t", oid).stdout.strip() != b"tree":
        return [call(*git, "blob", oid).stdout]
    rows = call("git", "-C", repository, "ls-tree", "-z", oid).stdout.split(b"\0")
    return [call(*git, "blob", row.split()[2].decode()).stdout for row in rows if b" blob " in row]


def make_policy(root: Path, files: list[bytes], *, sha1: bool) -> tuple[Path, Path]:
    """Write a policy in which every key may sign every tag, and a keyring with the same keys; give both."""
    keyring = root / "keyring"
    keyring.mkdir(mode=0o700)
    (root / "keys").mkdir()
    gpg = ("gpg", "--homedir", keyring, "--batch", "--no-autostart", "--quiet")
    for data in files:
        call(*gpg, "--import", stdin=data)
    listed = call(*gpg, "--with-colons", "--list-keys").stdout.decode().splitlines()
    rows = [line.split(":") for line in listed]
    prints = [next(r[9] for r in rows[at:] if r[0] == "fpr") for at, row in enumerate(rows) if row[0] == "pub"]
    parts = [RULE.format(signers=", ".join(f'"k{number}"' for number in range(len(prints))))]
    for number, fingerprint in enumerate(prints):
        key = call(*gpg, "--armor", "--export-options", "export-minimal", "--export", fingerprint).stdout
        (root / "keys" / f"k{number}.asc").write_bytes(key)
        parts.append(SIGNER.format(number=number, fingerprint=fingerprint))
    digests = '"SHA256", "SHA384", "SHA512"' + (', "SHA1"' if sha1 else "")
    policy = root / "policy.toml"
    policy.write_text(f"schema = 1\n[limits]\ndigests = [{digests}]\nmax-tag-bytes = 1048576\n" + "\n".join(parts))
    sys.stdout.write(f"{len(prints)} keys\n")
    return policy, keyring


def ours(repository: Path, policy: Path) -> tuple[dict[str, str], float]:
    """Give our reason for each tag (``ok``: accepted), and the seconds that it took."""
    argv = [sys.executable, "-I", "-m", "ptguard", "audit", "-C", str(repository), "--policy-file", str(policy)]
    argv += ["--offline", "--no-cache", "--format", "json"]
    start = time.monotonic()
    done = call(*argv)
    seconds = time.monotonic() - start
    if done.returncode != 0:
        sys.exit((done.stdout + done.stderr).decode())
    found = {}
    for tag in json.loads(done.stdout)["tags"]:
        wrong = [f"{f['check']}/{f['reason']}" for f in tag["findings"] if f["status"] in ("fail", "error")]
        found[tag["tag"]] = " ".join(wrong) or "ok"
    return found, seconds


def gits(repository: Path, keyring: Path, tags: list[str]) -> tuple[dict[str, str], float]:
    """Give git's answer for each tag, with gpg's first word on it, and the seconds that it took."""
    env = {**os.environ, "GNUPGHOME": str(keyring), "GIT_CONFIG_GLOBAL": "/dev/null", "LC_ALL": "C"}
    found, start = {}, time.monotonic()
    for tag in tags:
        done = call("git", "-C", repository, "verify-tag", "--raw", f"refs/tags/{tag}", env=env)
        words = [line.split()[1] for line in done.stderr.decode("utf-8", "replace").splitlines() if "[GNUPG:] " in line]
        verdicts = ("GOODSIG", "EXPKEYSIG", "REVKEYSIG", "EXPSIG", "BADSIG", "ERRSIG", "NODATA")
        word = next((word for word in words if word in verdicts), "nothing")
        found[tag] = f"{'good' if done.returncode == 0 else 'bad'} ({word})"
    return found, time.monotonic() - start


def main() -> int:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repository", type=Path)
    parser.add_argument("keys", nargs="+")
    parser.add_argument("--sha1", action="store_true", help="the policy lets SHA-1 count in history")
    parser.add_argument("--list", action="store_true", help="name every tag of a pair where the two differ")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ptg-") as folder:
        files = [data for name in given.keys for data in key_files(given.repository, name)]
        policy, keyring = make_policy(Path(folder), files, sha1=given.sha1)
        us, our_time = ours(given.repository, policy)
        git, git_time = gits(given.repository, keyring, list(us))
    pairs: Counter[tuple[str, str]] = Counter((git[tag], us[tag]) for tag in us)
    by_pair: dict[tuple[str, str], list[str]] = defaultdict(list)
    for tag in us:
        by_pair[git[tag], us[tag]].append(tag)
    for pair, count in sorted(pairs.items(), key=lambda row: -row[1]):
        differ = pair[0].startswith("good") != (pair[1] == "ok")
        names = by_pair[pair] if differ and given.list else by_pair[pair][:SHOWN]
        sys.stdout.write(f"{count:>6}  {'≠' if differ else ' '} git {pair[0]:<18} ptguard {pair[1]}\n")
        sys.stdout.write(f"          {' '.join(names)}{' …' if len(names) < count else ''}\n" if differ else "")
    sys.stdout.write(f"{len(us)} tags; {our_time:.2f} s, git verify-tag one by one {git_time:.2f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
