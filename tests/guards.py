"""A stand-in for the guard's interpreter: it notes what it was given and answers as it is told."""

import shlex
from dataclasses import dataclass
from pathlib import Path

CALL = 'ptguard pre-push "$@" || exit $?\n'
"""The line of a hook that is somebody else's, by which it asks the guard."""

PRE_COMMIT = """\
default_install_hook_types: [pre-push]
repos:
- repo: local
  hooks:
  - {id: ok, name: ok, entry: 'true', language: system, always_run: true, pass_filenames: false, stages: [pre-push]}
"""

SCRIPT = """\
#!/bin/sh
case "$2" in -c) exit {importable} ;; esac
cd {folder} || exit 9
n=$(ls | wc -l)
mkdir "call-$n"
for word; do printf '%s\\n' "$word"; done > "call-$n/argv"
printf '%s' "$GIT_DIR" > "call-$n/git-dir"
cat > "call-$n/stdin"
{end}
"""


@dataclass(frozen=True)
class Call:
    """One time that the interpreter was run to judge."""

    argv: list[str]
    stdin: str
    git_dir: str


@dataclass(frozen=True)
class FakePython:
    """``path`` stands for an interpreter; every run with ``-m ptguard`` is noted in ``notes``."""

    path: Path
    notes: Path

    @classmethod
    def make(cls, folder: Path, status: int = 0) -> "FakePython":
        """Make one under ``folder`` that exits with ``status``."""
        notes = folder / "notes"
        notes.mkdir(parents=True)
        fake = cls(folder / "python3", notes)
        fake.answer(status)
        return fake

    def answer(self, status: int, *, end: str | None = None, importable: int = 0) -> None:
        """Exit with ``status`` from now on (or do ``end``); ``importable`` 0: the interpreter has ptguard."""
        text = SCRIPT.format(folder=shlex.quote(str(self.notes)), end=end or f"exit {status}", importable=importable)
        self.path.write_text(text)
        self.path.chmod(0o755)

    @property
    def calls(self) -> list[Call]:
        """The runs so far, in their order."""
        folders = sorted(self.notes.iterdir(), key=lambda p: int(p.name.removeprefix("call-")))
        return [
            Call((f / "argv").read_text().splitlines(), (f / "stdin").read_text(), (f / "git-dir").read_text())
            for f in folders
        ]
