"""A team's clone with a bare remote, a policy, keys, a changelog, a pinned image and a signed smoke record.

Made once a worker and copied for each test; every part can be bent before the tag is pushed.
"""

import copy
import hashlib
import json
import shutil
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema

from ptguard.parse.smoke import canonical, pae
from ptguard.resources import resource
from tests.support import KeyChain, Repo, refs, run

IMAGE = "pytorch/pytorch:2.9.0-cuda12.8-cudnn9-devel"
DIGEST = "sha256:" + hashlib.sha256(b"an image").hexdigest()
HOOK_SOURCE = Path(__file__).parents[2] / "hooks" / "pre-push"
RECORD = ".ptguard/smoke/pytorch.json"

POLICY = """\
schema = 1

[trust]
branch = "main"

[[tags]]
pattern = "v*"
signers = ["li-wei", "bot"]
branches = ["main", "release/*"]

[[tags]]
pattern = "nightly-*"
checks = ["annotated", "signature"]
signers = ["bot"]

[signers.li-wei]
name = "Li Wei"
[[signers.li-wei.keys]]
kind = "openpgp"
fingerprint = "{li_wei}"
file = "keys/li-wei.asc"

[signers.bot]
[[signers.bot.keys]]
kind = "ssh"
public-key = "{bot} bot@ci"

[signers.runner]
[[signers.runner.keys]]
kind = "ssh"
public-key = "{runner} runner@lab"

[image]
sources = ["Dockerfile"]

[smoke]
signers = ["runner"]
"""

CHANGELOG = """\
# Changelog

## [2.9.0] - {today}

### Added
- The first release.
"""


def now() -> datetime:
    """Give the present, without microseconds."""
    return datetime.now(UTC).replace(microsecond=0)


def stamp(when: datetime) -> str:
    """Give a time as the record spells it."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Team:
    """A clone (``repo``) whose ``origin`` is the bare repository ``remote``.

    ``base`` is the statement that the team's records are made from; None is the one of a run on an H100, made up here.
    """

    root: Path
    env: dict[str, str]
    keys: KeyChain
    policy: str = ""
    object_format: str = "sha1"
    base: dict[str, Any] | None = None
    repo: Repo = field(init=False)
    remote: Path = field(init=False)

    def __post_init__(self) -> None:
        """Name the two repositories."""
        self.repo = Repo(self.root / "clone", self.env)
        self.remote = self.root / "remote.git"

    @classmethod
    def build(cls, root: Path, env: dict[str, str], keys: KeyChain, object_format: str = "sha1") -> "Team":
        """Make the repositories, the first commit with everything a release needs, and push main."""
        team = cls(root, env, keys, object_format=object_format)
        run("git", "init", "-q", "--bare", f"--object-format={object_format}", team.remote, env=env)
        run("git", "init", "-q", f"--object-format={object_format}", team.repo.path, env=env)
        team.repo.git("remote", "add", "origin", "../remote.git")
        team.write_policy(team.default_policy())
        team.repo.write(".ptguard/keys/li-wei.asc", keys.openpgp("li-wei").public)
        team.repo.write("pyproject.toml", '[project]\nname = "net"\nversion = "2.9.0"\n')
        team.repo.write("CHANGELOG.md", CHANGELOG.format(today=now().date()))
        team.repo.write("Dockerfile", f"FROM {IMAGE}@{DIGEST}\nCOPY . /src\n")
        team.repo.write("net.py", "WEIGHTS = [1, 2, 3]\n")
        team.repo.commit("Start")
        team.write_record()
        team.repo.commit("Add the smoke record")
        team.repo.git("push", "-q", "-u", "origin", "main")
        team.repo.git("remote", "set-head", "origin", "main")
        return team

    def copy_to(self, root: Path, env: dict[str, str]) -> "Team":
        """Give a copy of both repositories under ``root`` (the remote's URL is relative)."""
        shutil.copytree(self.root, root, symlinks=True)
        return Team(root, env, self.keys, self.policy, self.object_format)

    # ----------------------------------------------------------------------------------- the parts

    def default_policy(self) -> str:
        """Give the policy text with the team's keys in it."""
        return POLICY.format(
            li_wei=self.keys.openpgp("li-wei").fingerprint,
            bot=self.keys.ssh("bot").public,
            runner=self.keys.ssh("runner").public,
        )

    def write_policy(self, text: str) -> None:
        """Write the policy into the work tree."""
        self.policy = text
        self.repo.write(".ptguard/policy.toml", text)

    def change_policy(self, old: str, new: str) -> None:
        """Change the policy on main, here and on the remote."""
        assert old in self.policy, old
        self.write_policy(self.policy.replace(old, new))
        self.repo.commit("Change the policy")
        self.push("main")

    def source_tree(self, rev: str = "HEAD") -> str:
        """Give the id of the tree of ``rev`` without .ptguard, by git's own means."""
        index = self.root / "prune-index"
        env = {**self.env, "GIT_INDEX_FILE": str(index)}
        index.unlink(missing_ok=True)
        run("git", "-C", self.repo.path, "read-tree", rev, env=env)
        run("git", "-C", self.repo.path, "rm", "-q", "-r", "--cached", "--ignore-unmatch", ".ptguard", env=env)
        return run("git", "-C", self.repo.path, "write-tree", env=env).stdout.strip()

    def record(self, **changes: Any) -> dict[str, Any]:
        """Give the statement of a passed run for HEAD's source tree; ``changes`` go to the annotations."""
        made = copy.deepcopy(self.base) if self.base else self._on_an_h100()
        finished = now() - timedelta(minutes=1)
        made["predicate"]["configuration"][0]["annotations"] |= {
            "startedOn": stamp(finished - timedelta(minutes=2)),
            "finishedOn": stamp(finished),
            "source": {"commit": self.repo.git("rev-parse", "HEAD"), "dirty": False},
            **changes,
        }
        made["subject"][0] |= {
            "digest": {"gitTree": self.source_tree()},
            "annotations": {"objectFormat": self.object_format, "excluded": [".ptguard"]},
        }
        return made

    @staticmethod
    def _on_an_h100() -> dict[str, Any]:
        """Give the statement of a passed run on an H100, but for its times, its commit and its tree."""
        annotations: dict[str, Any] = {
            "schema": "ptguard.smoke/1",
            "mode": "full",
            "framework": "torch",
            "deviceKind": "cuda",
            "launcher": {"runner": "docker", "digestSource": "launcher", "platform": "linux/amd64", "network": "none"},
            "command": None,
            "environment": {
                "torch": "2.9.0+cu128", "cuda": "12.8", "hip": None, "cudnn": 91002, "nccl": "2.27.5",
                "nvcc": "12.8.93", "driver": "570.86.15", "python": "3.11.13", "os": "ubuntu 22.04", "ngcRelease": None,
            },
            "devices": [
                {"index": 0, "name": "H100", "uuid": "GPU-1", "capability": "9.0", "memoryBytes": 85029158912}
            ],
            "checks": [
                {"id": "torch.import", "status": "passed", "value": None, "limit": None, "unit": None,
                 "seconds": 1.5, "reason": None},
            ],
        }  # fmt: skip
        return {
            "_type": "https://in-toto.io/Statement/v1",
            "predicateType": "https://in-toto.io/attestation/test-result/v0.1",
            "subject": [
                {"name": "git-tree"},
                {"name": "image", "uri": f"docker.io/{IMAGE}", "digest": {"sha256": DIGEST.removeprefix("sha256:")}},
            ],
            "predicate": {
                "result": "PASSED",
                "passedTests": ["torch.import"],
                "warnedTests": [],
                "failedTests": [],
                "configuration": [
                    {
                        "name": "ptguard-probe",
                        "digest": {"sha256": hashlib.sha256(b"a probe").hexdigest()},
                        "annotations": annotations,
                    }
                ],
            },
        }

    def write_record(self, statement: dict[str, Any] | None = None, signer: str = "runner", path: str = RECORD) -> None:
        """Write a record for HEAD's source tree, signed by the SSH key called ``signer``."""
        payload = canonical(statement if statement is not None else self.record())
        self.repo.write(path, payload)
        self.repo.write(f"{path}.sig", self.keys.ssh(signer).sign(pae(payload), "ptguard-smoke"))

    def release(self, version: str) -> str:
        """Commit what a release of ``version`` needs (code version, changelog, record) and push main."""
        self.repo.write("pyproject.toml", f'[project]\nname = "net"\nversion = "{version}"\n')
        old = (self.repo.path / "CHANGELOG.md").read_text()
        section = f"## [{version}] - {now().date()}\n\n### Added\n- Something for {version}.\n\n## "
        self.repo.write("CHANGELOG.md", old.replace("## ", section, 1))
        return self.settle(f"Release {version}")

    def settle(self, message: str = "change") -> str:
        """Commit the work tree, then a record for it, and push main: whatever was bent, the smoke record is true."""
        self.repo.commit(message)
        self.write_record()
        commit = self.repo.commit("Add the smoke record")
        self.push("main")
        return commit

    # ----------------------------------------------------------------------------------- tags and pushes

    def tag(self, name: str = "v2.9.0", rev: str = "HEAD", *options: str, signer: str = "li-wei") -> str:
        """Make a tag signed by the OpenPGP key called ``signer`` and give the tag object's id."""
        key = self.keys.openpgp(signer)
        config = ("-c", f"user.signingkey={key.fingerprint}", "-c", "gpg.program=gpg")
        env = {**self.env, "GNUPGHOME": str(key.home)}
        run(
            "git", "-C", self.repo.path, *config, "tag", "-s", "-f", "-m", f"Release {name}", *options, name, rev,
            env=env,
        )  # fmt: skip
        return self.repo.git("rev-parse", f"refs/tags/{name}")

    def tag_ssh(self, name: str = "v2.9.0", rev: str = "HEAD", signer: str = "bot") -> str:
        """Make a tag signed by the SSH key called ``signer`` and give the tag object's id."""
        key = self.keys.ssh(signer).private
        self.repo.git(
            "-c",
            "gpg.format=ssh",
            "-c",
            f"user.signingkey={key}",
            "tag",
            "-s",
            "-f",
            "-m",
            f"Release {name}",
            name,
            rev,
        )
        return self.repo.git("rev-parse", f"refs/tags/{name}")

    def arm(self) -> None:
        """Install the guard into the clone, as a user does."""
        done = self.repo.ptguard("install")
        assert done.returncode == 0, done.stdout + done.stderr

    def serve(self, *args: str) -> None:
        """Install the guard into the bare remote, as an administrator does."""
        done = run(
            sys.executable, "-m", "ptguard", "install", "--server", self.remote, *args, env=self.env, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def receipts(self) -> list[dict[str, Any]]:
        """Give the receipts that the server has kept: every line a whole one, and as its schema says."""
        log = self.remote / "ptguard" / "receipts.jsonl"
        text = log.read_text() if log.exists() else ""
        assert not text or text.endswith("\n"), text[-200:]
        schema = json.loads(resource("schema/receipt-1.json").read_text("utf-8"))
        found = [json.loads(line) for line in text.splitlines()]
        for receipt in found:
            jsonschema.validate(receipt, schema)
        return found

    def push(self, *args: str) -> None:
        """Push to origin for the set-up, without the hook."""
        self.repo.git("push", "-q", "--no-verify", "origin", *args)

    def remote_refs(self) -> dict[str, str]:
        """Give every ref of the remote."""
        return refs(self.remote, self.env)

    def verify(self, *args: str, **env: str) -> tuple[int, dict[str, Any]]:
        """Run ``ptguard verify --format json`` and give its exit code and document."""
        done = self.repo.ptguard("verify", "--format", "json", *args, env=env)
        return done.returncode, json.loads(done.stdout)

    def guard(self, *refspecs: str) -> "Outcome":
        """Push ``refspecs`` to origin through the installed hook and give what came of it."""
        before = self.remote_refs()
        done = self.repo.try_git("push", "origin", *refspecs)
        return Outcome(done.returncode, done.stderr, before, self.remote_refs())


@dataclass(frozen=True)
class Outcome:
    """A real push: git's exit status, what the screen said, the remote's refs before and after."""

    code: int
    screen: str
    before: dict[str, str]
    after: dict[str, str]

    def refused(self, *reasons: str) -> "Outcome":
        """Assert that nothing reached the remote and that the screen names each of ``reasons``."""
        assert self.code != 0, self.screen
        assert self.before == self.after, self.screen
        for reason in reasons:
            assert f"{reason}:" in self.screen, f"{reason} is not in:\n{self.screen}"
        assert "Traceback" not in self.screen, self.screen
        return self

    def accepted(self, *names: str) -> "Outcome":
        """Assert that the push went through and that the remote now has the tags ``names``."""
        assert self.code == 0, self.screen
        for name in names:
            assert f"refs/tags/{name}" in self.after, self.screen
        return self


def refusals(document: dict[str, Any], check: str, tag: int = 0) -> list[dict[str, Any]]:
    """Give the findings of ``check`` that refuse one tag of a verdict document."""
    found = document["tags"][tag]["findings"]
    return [f for f in found if f["check"] == check and f["status"] in ("fail", "error")]


def finding(document: dict[str, Any], check: str, tag: int = 0) -> dict[str, Any]:
    """Give the first finding of ``check`` about one tag of a verdict document."""
    found: dict[str, Any] = next(f for f in document["tags"][tag]["findings"] if f["check"] == check)
    return found


PYTHON = sys.executable
