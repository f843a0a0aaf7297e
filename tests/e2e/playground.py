"""What the play is played with: keys, commits and tags of many kinds, a guarded bare remote, and who knows all of them.

Everything that is made is also known to the model, which says by itself what must land: it shares no code with ptguard.
"""

import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from tests.e2e.team import now
from tests.support import GITCONFIG, KeyChain, clean_environment, refs, run

OPENPGP: Final = ("li-wei", "eve")
SSH: Final = ("bot", "mallory")
SIGNERS: Final = (*OPENPGP, *SSH)
RELEASE_BRANCHES: Final = ("main", "release/1", "release/2")
MAIN: Final = "refs/heads/main"

Policy = frozenset[str] | Literal["broken", "empty", "gone"]
"""Who may sign; or a policy that cannot be read, one that says nothing, none at all."""


@dataclass(frozen=True)
class Commit:
    """A commit: the version that it declares, the versions that its changelog has, its policy, all its ancestors."""

    oid: str
    version: int
    sections: frozenset[int]
    policy: Policy
    ancestors: frozenset[str]


@dataclass(frozen=True)
class Tag:
    """A tag object (or, ``kind`` lightweight, only a commit): the version in its name, who signed it, what is odd."""

    oid: str
    name: str
    version: int | None
    commit: Commit
    signer: str | None
    kind: str


KINDS: Final = ("good", "good", "good", "lightweight", "unsigned", "renamed", "nested", "forged", "two signatures")


@dataclass
class Playground:
    """A workshop with every object, the remote that it pushes to, and what is known of both."""

    root: Path
    keys: KeyChain
    commits: list[Commit] = field(default_factory=list)
    tags: list[Tag] = field(default_factory=list)

    @classmethod
    def build(cls, root: Path, keys: KeyChain) -> "Playground":
        """Make it with one commit on main, pushed, and the guard in the remote."""
        for home, text in (("home", GITCONFIG), ("hostile", f"{GITCONFIG}[core]\n\thooksPath = /nowhere\n")):
            (root / home).mkdir(parents=True)
            (root / home / ".gitconfig").write_text(text)
        made = cls(root, keys)
        run("git", "init", "-q", made.workshop, env=made.env())
        run("git", "init", "-q", "--bare", made.remote, env=made.env())
        first = made.commit(None, version=1, policy=frozenset({"li-wei", "bot"}))
        run("git", "-C", made.workshop, "push", "-q", made.remote, f"{first.oid}:{MAIN}", env=made.env())
        run(sys.executable, "-m", "ptguard", "install", "--server", made.remote, env=made.env())
        return made

    def copy_to(self, root: Path) -> "Playground":
        """Give a copy in ``root``; the remote's configuration names its own place."""
        shutil.copytree(self.root, root, symlinks=True)
        copied = Playground(root, self.keys, list(self.commits), list(self.tags))
        run(
            "git", "-C", copied.remote, "config", "--local", "core.hooksPath", copied.remote / "hooks",
            env=copied.env(),
        )  # fmt: skip
        return copied

    @property
    def workshop(self) -> Path:
        """The repository in which everything is made."""
        return self.root / "workshop"

    @property
    def remote(self) -> Path:
        """The bare repository with the guard."""
        return self.root / "remote.git"

    def env(self, *, hostile: bool = False) -> dict[str, str]:
        """Give the environment of a pusher; a hostile one's configuration leads git away from the remote's hooks."""
        return clean_environment(self.root / ("hostile" if hostile else "home"))

    def refs(self) -> dict[str, str]:
        """Give every branch and tag of the remote."""
        return refs(self.remote, self.env())

    def by_oid(self, oid: str) -> Commit:
        """Give the commit ``oid``."""
        return next(commit for commit in self.commits if commit.oid == oid)

    # ------------------------------------------------------------------------------------- making

    def commit(
        self, parent: Commit | None, *, version: int, policy: Policy, listed: bool = True, date: int = 0
    ) -> Commit:
        """Commit on ``parent``; ``listed``: the changelog has its version; ``date`` moves the committer's clock."""
        number = len(self.commits)
        sections = (parent.sections if parent else frozenset()) | ({version} if listed else set())
        when = f"A <a@example.com> {1_750_000_000 + number + date} +0000"
        stream = [f"commit refs/play/{number}\nmark :1\ncommitter {when}\n{_data(f'Commit {number}')}"]
        stream += [f"from {parent.oid}\n"] if parent else []
        files = {
            "pyproject.toml": f'[project]\nname = "net"\nversion = "{version}.0"\n',
            "CHANGELOG.md": "# Changelog\n" + "".join(
                f"\n## [{v}.0] - {now().date()}\n\n- Change {v}.\n" for v in sorted(sections, reverse=True)
            ),
            "net.py": f"WEIGHTS = [{number}]\n",
            **{f".ptguard/keys/{name}.asc": self.keys.openpgp(name).public.decode() for name in OPENPGP},
        }  # fmt: skip
        text = self._policy(policy)
        stream += [f"M 100644 inline {path}\n{_data(content)}" for path, content in files.items()]
        stream += (
            ["D .ptguard/policy.toml\n"] if text is None else [f"M 100644 inline .ptguard/policy.toml\n{_data(text)}"]
        )
        stream += ["\nget-mark :1\n"]
        oid = self._git("fast-import", "--quiet", stdin="".join(stream).encode())
        ancestors = parent.ancestors | {parent.oid} if parent else frozenset()
        made = Commit(oid, version, frozenset(sections), policy, frozenset(ancestors))
        self.commits.append(made)
        return made

    def _policy(self, policy: Policy) -> str | None:
        if policy == "gone":
            return None
        if isinstance(policy, str):
            return "schema = [\n" if policy == "broken" else "# nothing\n"
        lines = ["schema = 1", "[[tags]]", 'pattern = "v*"', f"signers = {sorted(policy)!r}".replace("'", '"')]
        lines += ['checks = ["annotated", "signature", "immutable", "branch", "version", "changelog"]']
        lines += ['branches = ["main", "release/*"]']
        for name in sorted(policy):
            lines += [f"[signers.{name}]", f"[[signers.{name}.keys]]"]
            if name in OPENPGP:
                key = self.keys.openpgp(name)
                lines += ['kind = "openpgp"', f'fingerprint = "{key.fingerprint}"', f'file = "keys/{name}.asc"']
            else:
                lines += ['kind = "ssh"', f'public-key = "{self.keys.ssh(name).public}"']
        return "\n".join(lines) + "\n"

    def tag(self, commit: Commit, version: int | None, signer: str, kind: str) -> Tag:
        """Make a tag of ``kind`` on ``commit``; ``version`` None gives it a name that no rule knows."""
        name = "stray" if version is None else f"v{version}.0"
        if kind == "lightweight":
            made = Tag(commit.oid, name, version, commit, None, kind)
        else:
            target, what = commit.oid, "commit"
            if kind == "nested":
                target, what = self._tag_object(commit.oid, "commit", "inner", signer), "tag"
            inside = f"{name}.1" if kind == "renamed" else name
            oid = self._tag_object(target, what, inside, None if kind == "unsigned" else signer, kind)
            made = Tag(oid, name, version, commit, None if kind == "unsigned" else signer, kind)
        self.tags.append(made)
        return made

    def _tag_object(self, target: str, what: str, name: str, signer: str | None, kind: str = "good") -> str:
        tagger = f"A <a@example.com> {int(now().timestamp())} +0000"
        payload = f"object {target}\ntype {what}\ntag {name}\ntagger {tagger}\n\nRelease {len(self.tags)}\n".encode()
        signature = self._signature(signer, payload) if signer else b""
        if kind == "forged":
            payload = payload.replace(b"Release", b"release")
        if kind == "two signatures":
            signature += self._signature("li-wei", payload)
        return self._git("hash-object", "-w", "-t", "tag", "--stdin", stdin=payload + signature)

    def _signature(self, signer: str, payload: bytes) -> bytes:
        if signer in OPENPGP:
            return self.keys.openpgp(signer).sign(payload)
        return self.keys.ssh(signer).sign(payload, "git")

    def _git(self, *args: str, stdin: bytes = b"") -> str:
        return run("git", "-C", self.workshop, *args, env=self.env(), stdin=stdin).stdout.strip()

    # ------------------------------------------------------------------------------------- pushing

    def push(self, updates: Mapping[str, str | None], *, atomic: bool, hostile: bool) -> tuple[int, str]:
        """Push: each ref with the object that it shall have (None: deleted); give git's exit status and words."""
        specs = [f"+{oid}:{ref}" if oid else f":{ref}" for ref, oid in updates.items()]
        words = ["--atomic"] if atomic else []
        done = run(
            "git", "-C", self.workshop, "push", *words, self.remote, *specs,
            env=self.env(hostile=hostile), check=False,
        )  # fmt: skip
        return done.returncode, done.stderr

    # ------------------------------------------------------------------------------------- what must come of it

    def refused(self, updates: Mapping[str, str | None], before: Mapping[str, str]) -> list[str]:
        """Give why a push of ``updates`` must be refused, from what is known of every object; empty: it must land."""
        policy = self.by_oid(before[MAIN]).policy
        tags = {ref: oid for ref, oid in updates.items() if ref.lower().startswith("refs/tags/")}
        why = list(self._of_main(updates, before)) if MAIN in updates else []
        why += self._of_twins(updates, before, policy)
        if tags and isinstance(policy, str):
            return [*why, f"policy: it is {policy}"]
        for ref, oid in tags.items():
            why += [f"{ref}: {word}" for word in self._of_tag(ref, oid, updates, before, policy)]
        return why

    def _of_main(self, updates: Mapping[str, str | None], before: Mapping[str, str]) -> Iterable[str]:
        new = updates[MAIN]
        if new is None:
            yield "main: would be gone"
        elif before[MAIN] not in self.by_oid(new).ancestors:
            yield "main: would be rewound"
        elif self.by_oid(new).policy in ("gone", "empty"):
            yield "main: its policy would be gone"

    def _of_twins(self, updates: Mapping[str, str | None], before: Mapping[str, str], policy: Policy) -> Iterable[str]:
        """A new branch must not have the name of a tag that stands here, where a policy guards that tag."""
        for ref, oid in updates.items():
            twin = ref.replace("refs/heads/", "refs/tags/", 1)
            new = ref.startswith("refs/heads/") and oid and ref not in before
            if new and twin in before and twin not in updates and not isinstance(policy, str):
                yield f"{ref}: would shadow a tag"

    def _of_tag(
        self, ref: str, oid: str | None, updates: Mapping[str, str | None], before: Mapping[str, str], policy: Policy
    ) -> Iterable[str]:
        if not ref.startswith("refs/tags/"):
            yield "no such namespace"
            return
        if ref in before:
            yield "moved or deleted"
            return
        tag = next((t for t in self.tags if t.oid == oid and f"refs/tags/{t.name}" == ref), None)
        if tag is None or tag.version is None or tag.kind != "good":
            yield "not a good tag under this name"
            return
        if tag.signer not in policy:
            yield "signed by somebody who may not"
        if tag.commit.version != tag.version or tag.version not in tag.commit.sections:
            yield "not what the code and the changelog say"
        if any(self._above(other, before[other], tag) for other in before if other.startswith("refs/tags/")):
            yield "not newer"
        branch = ref.replace("refs/tags/", "refs/heads/", 1)
        if updates.get(branch) or (branch in before and branch not in updates):
            yield "shadowed"
        if not self._carried(tag.commit, updates, before):
            yield "on no release branch"

    def _above(self, ref: str, oid: str, tag: Tag) -> bool:
        """Tell whether a tag that stands on an ancestor of ``tag``'s commit is not below it."""
        other = next(t for t in self.tags if t.oid == oid and f"refs/tags/{t.name}" == ref)
        return other.commit.oid in tag.commit.ancestors and (other.version or 0) >= (tag.version or 0)

    def _carried(self, commit: Commit, updates: Mapping[str, str | None], before: Mapping[str, str]) -> bool:
        for name in RELEASE_BRANCHES:
            ref = f"refs/heads/{name}"
            old = before.get(ref)
            new = updates.get(ref, old)
            if old is None or new is None or (new != old and old not in self.by_oid(new).ancestors):
                continue  # created, deleted or forced by this push: it counts for nothing
            if commit.oid == new or commit.oid in self.by_oid(new).ancestors:
                return True
        return False


def landed(before: Mapping[str, str], updates: Mapping[str, str | None]) -> dict[str, str]:
    """Give the refs that stand after ``updates`` have landed."""
    after = {ref: oid for ref, oid in before.items() if ref not in updates}
    return after | {ref: oid for ref, oid in updates.items() if oid is not None}


def _data(text: str) -> str:
    return f"data {len(text.encode())}\n{text}\n"
