"""The throwaway world of the demo: two repositories, a release key, a stranger's key and a runner's key."""

import json
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from ptguard.errors import ToolFailedError
from ptguard.gateways.process import Completed, clean_env, run
from ptguard.parse.smoke import canonical, pae
from ptguard.value import value

RELEASE, STRANGER, RUNNER = "release-manager", "stranger", "gpu-runner"
DIGEST: Final = "sha256:" + "5" * 64
PLAIN_IMAGE: Final = f"registry.example.com/team/train:1.0@{DIGEST}"
TORCH_IMAGE: Final = f"pytorch/pytorch:2.9.0-cuda12.8-cudnn9-devel@{DIGEST}"

POLICY: Final = """\
schema = 1

[[tags]]
pattern = "v*"
signers = ["{release}"]

[signers.{release}]
[[signers.{release}.keys]]
kind = "openpgp"
fingerprint = "{fingerprint}"
file = "keys/{release}.asc"

[signers.{runner}]
[[signers.{runner}.keys]]
kind = "ssh"
public-key = "{public_key}"

[image]
sources = ["Dockerfile"]

[smoke]
device = "cpu"            # a real policy asks for cuda or rocm
image-from = "operator"   # and does not take anybody's word for the image
signers = ["{runner}"]
"""

CHECK: Final = '''\
"""The project's own smoke check: gradient descent on a line must bring the loss down."""

points = [(x, 3.0 * x + 1.0) for x in range(-5, 6)]
a = b = 0.0
losses = []
for _ in range(200):
    errors = [(a * x + b - y, x) for x, y in points]
    losses.append(sum(e * e for e, _ in errors) / len(points))
    a -= 0.02 * sum(2 * e * x for e, x in errors) / len(points)
    b -= 0.02 * sum(2 * e for e, _ in errors) / len(points)
print(f"loss {losses[0]:.3f} -> {losses[-1]:.6f}")
assert losses[-1] < 1e-3 * losses[0]
'''


@value
class World:
    """Where the demo happens: everything lies under ``root`` and nothing of the user's is read or written."""

    root: Path
    env: Mapping[str, str]

    @classmethod
    def under(cls, root: Path) -> "World":
        """Give an empty world under the empty folder ``root``, with an environment of its own."""
        gnupg, home = root / "gnupg", root / "home"
        gnupg.mkdir(mode=0o700)
        home.mkdir()
        (home / ".gitconfig").write_text(
            "[user]\n\tname = Demo\n\temail = demo@example.com\n[init]\n\tdefaultBranch = main\n[gc]\n\tauto = 0\n"
        )
        outside = {"HOME": str(home), "GNUPGHOME": str(gnupg), "GIT_CONFIG_NOSYSTEM": "1", "XDG_CONFIG_HOME": str(home)}
        return cls(root, clean_env({**outside, "PATH": os.environ.get("PATH", os.defpath)}))

    def build(self) -> None:
        """Make keys, repositories and the first commit, and push its main."""
        self._keys()
        self._repositories()

    @property
    def clone(self) -> Path:
        """The clone that releases are made in."""
        return self.root / "clone"

    @property
    def key(self) -> Path:
        """The runner's private SSH key."""
        return self.root / RUNNER

    def _keys(self) -> None:
        for name in (RELEASE, STRANGER):
            self.gpg("--quick-generate-key", f"{name} <{name}@example.com>", "ed25519", "sign", "1d")
        self._done(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", RUNNER, "-f", str(self.key)])

    def _repositories(self) -> None:
        self._done(["git", "init", "-q", "--bare", str(self.root / "remote.git")])
        self._done(["git", "init", "-q", str(self.clone)])
        self.git("remote", "add", "origin", "../remote.git")
        self.write("check.py", CHECK)
        self.write(".ptguard/.gitattributes", "smoke/* -text -filter -diff -merge\n")
        self.write(f".ptguard/keys/{RELEASE}.asc", self.gpg("--armor", "--export", RELEASE))
        public_key = " ".join(self.key.with_suffix(".pub").read_text().split()[:2])
        texts = {"release": RELEASE, "runner": RUNNER, "fingerprint": self.fingerprint(RELEASE)}
        self.write(".ptguard/policy.toml", POLICY.format(public_key=public_key, **texts))
        self.write("Dockerfile", f"FROM {PLAIN_IMAGE}\nCOPY . /src\n")
        self.release_files("0.1.0")
        self.commit("Start")

    # ----------------------------------------------------------------------------------- doing things

    def git(self, *args: str) -> str:
        """Run git in the clone and give its standard output, stripped."""
        return self._done(["git", "-C", str(self.clone), *args]).stdout.decode().strip()

    def gpg(self, *args: str, stdin: bytes = b"") -> bytes:
        """Run gpg in the throwaway home and give its standard output."""
        quiet = ("--batch", "--no-tty", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "")
        return self._done(["gpg", *quiet, *args], stdin=stdin).stdout

    def fingerprint(self, name: str) -> str:
        """Give the primary fingerprint of a throwaway key."""
        lines = self.gpg("--with-colons", "--list-keys", name).decode().splitlines()
        return next(line.split(":")[9] for line in lines if line.startswith("fpr:"))

    def ptguard(self, *args: str) -> Completed:
        """Run this very ptguard in the clone and give what came of it."""
        return self._try([sys.executable, "-I", "-m", "ptguard", *args])

    def push(self, *args: str) -> Completed:
        """Push to origin, as a user does, and give what came of it."""
        return self._try(["git", "push", "origin", *args])

    def remote_refs(self) -> str:
        """Give every ref of the remote as text, to compare before and after."""
        return self._done(["git", "-C", str(self.root / "remote.git"), "for-each-ref"]).stdout.decode()

    def write(self, path: str, content: str | bytes) -> None:
        """Write a file of the clone."""
        target = self.clone / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)

    def release_files(self, version: str, *, section: bool = True) -> None:
        """Write the code's version and, unless ``section`` is false, its changelog section."""
        self.write("pyproject.toml", f'[project]\nname = "train"\nversion = "{version}"\n')
        versions = [version, "0.1.0"] if version != "0.1.0" else [version]
        today = datetime.now(UTC).date().isoformat()
        body = "".join(f"\n## [{v}] - {today}\n\n- What is new in {v}.\n" for v in versions if section or v != version)
        self.write("CHANGELOG.md", f"# Changelog\n{body}")

    def commit(self, message: str) -> None:
        """Commit everything and push main."""
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        self.git("push", "-q", "-u", "origin", "main")

    def smoke(self) -> Completed:
        """Run the project's own check for HEAD on this machine; the runner's key signs the record."""
        command = f"{sys.executable} check.py"
        image = ("--image", PLAIN_IMAGE, "--framework", "none")
        return self.ptguard(
            "smoke", "--no-judge", "--runner", "local", *image, "--command", command, "--sign", str(self.key)
        )

    def forge(self, image: str, torch: str) -> None:
        """Write by hand a record that says that ``torch`` ran in ``image`` for HEAD, signed by the runner's key."""
        (path,) = (self.clone / ".ptguard/smoke").glob("*.json")
        statement: dict[str, Any] = json.loads(path.read_bytes())
        annotations = statement["predicate"]["configuration"][0]["annotations"]
        seen = {"torch": torch, "cuda": "12.8", "cudnn": 91002, "nvcc": "12.8.93"}
        annotations["environment"] |= seen
        annotations["source"]["commit"] = self.git("rev-parse", "HEAD")
        tree, container = statement["subject"]
        tree["digest"]["gitTree"] = self._source_tree()
        container["uri"] = f"docker.io/{image.split('@', maxsplit=1)[0]}"
        payload = canonical(statement)
        path.write_bytes(payload)
        sign = ["ssh-keygen", "-q", "-Y", "sign", "-n", "ptguard-smoke", "-f", str(self.key)]
        path.with_suffix(".json.sig").write_bytes(self._done(sign, stdin=pae(payload)).stdout)

    def _source_tree(self) -> str:
        """Give the id of HEAD's tree without .ptguard, as git itself makes it."""
        index = {**self.env, "GIT_INDEX_FILE": str(self.root / "index")}
        prune = ["rm", "-q", "-r", "--cached", ".ptguard"]
        for args in (["read-tree", "HEAD"], prune):
            run(["git", *args], env=index, cwd=self.clone)
        return run(["git", "write-tree"], env=index, cwd=self.clone).stdout.decode().strip()

    def tag(self, name: str, rev: str = "HEAD", message: str = "Released", signer: str | None = RELEASE) -> None:
        """Make an annotated tag of ``rev``, signed by ``signer`` if there is one."""
        how = ("-s", "-u", self.fingerprint(signer)) if signer else ("-a",)
        self.git("tag", "-f", *how, "-m", message, name, rev)

    def close(self) -> None:
        """End the agent of the throwaway keys."""
        self._try(["gpgconf", "--homedir", str(self.root / "gnupg"), "--kill", "all"])

    def _try(self, argv: list[str], stdin: bytes = b"") -> Completed:
        cwd = self.clone if self.clone.exists() else self.root
        return run(argv, stdin=stdin, env=self.env, cwd=cwd, timeout=120)

    def _done(self, argv: list[str], stdin: bytes = b"") -> Completed:
        done = self._try(argv, stdin)
        if done.returncode != 0:
            raise ToolFailedError(f"{argv[0]} failed: {done.stderr.decode('utf-8', 'replace').strip()}")
        return done
