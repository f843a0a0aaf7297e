"""The guard as a config hook (git 2.54 and later, git-hook(1)): it runs wherever core.hooksPath leads.

So it is the way beside husky, lefthook and other managers that own the hooks folder. Git before 2.54 does not know
config hooks and says nothing about it. What stands in the configuration is read here as git itself reads it (git 2.55,
hook.c): the last command counts, an empty event takes the earlier ones back, ``enabled`` switches one hook off and
``hook.<event>.enabled`` all of an event.
"""

import re
from pathlib import Path

from ptguard.gateways import gitconfig
from ptguard.gateways.gitconfig import Entry
from ptguard.gateways.repo import Layout
from ptguard.install.hookfile import HookFile, read
from ptguard.value import value

MIN_GIT = (2, 54)
NAME = "ptguard"
EVENT = "pre-push"
SECTION = f"hook.{NAME}"
COMMAND_KEY, EVENT_KEY, ENABLED_KEY = (f"{SECTION}.{part}" for part in ("command", "event", "enabled"))
NO_BREAK = "config-had-no-line-break-at-its-end"
"""A file beside the guard that says so, for `ptguard uninstall`."""
ALL_KEY = f"hook.{EVENT}.enabled"
COMMAND = (
    "guard() { g=${GIT_DIR:-.git}/ptguard/pre-push; "
    '[ -x "$g" ] || g=$(git rev-parse --git-common-dir)/ptguard/pre-push; '
    'if [ -x "$g" ]; then exec "$g" "$@"; fi; case $(cat) in *" "[Rr][Ee][Ff][Ss]/[Tt][Aa][Gg][Ss]/*) '
    'echo "ptguard: $g is gone, so no tag can be judged; nothing was pushed. To mend it:  ptguard install" >&2; '
    "return 3 ;; esac; }; guard"
)
"""What git gives to sh, with the hook's arguments behind it. It names no absolute path, so a clone may be moved; and
where the guard's file is gone it refuses tags, and tags only."""

_SECTION = re.compile(rb'^\[hook "ptguard"\]\n((?:[^\[\n].*\n?|\n)*)', re.MULTILINE)
_OURS = re.compile(rb"\s*(?:command|event|enabled)\s*=")
_PATTERN = rf"^(hook\.({NAME}|{EVENT})\.|core\.hookspath$)"


@value
class ConfigHook:
    """What the configuration says of the hook called ptguard, and the guard's file that it runs.

    ``git`` is the version of the git on PATH, None where that was not asked because nothing hangs on it;
    ``ends_whole``: the clone's own configuration ends in a line break (or is empty); ``alone``: its section for the
    hook holds nothing that others wrote.
    """

    entries: tuple[Entry, ...]
    guard: HookFile
    git: tuple[int, int] | None
    ends_whole: bool = True
    alone: bool = False

    @property
    def supported(self) -> bool:
        """Whether the git on PATH runs config hooks."""
        return self.git is not None and self.git >= MIN_GIT

    @property
    def command(self) -> Entry | None:
        """The command that counts."""
        return self._last(COMMAND_KEY)

    @property
    def listens(self) -> bool:
        """Whether it is to run at a push."""
        events: list[str] = []
        for entry in self._of(EVENT_KEY):
            events = [*events, entry.value] if entry.value else []
        return EVENT in events

    @property
    def switched_off(self) -> Entry | None:
        """The entry that keeps it from running though all else is there."""
        return self._off(ENABLED_KEY) or (None if self._named_like_the_event else self._off(ALL_KEY))

    @property
    def fatal(self) -> bool:
        """Whether git dies of it at every push: an event without a command."""
        return self.supported and self.listens and self.command is None and self._off(ENABLED_KEY) is None

    @property
    def current(self) -> bool:
        """Whether all is as ``ptguard install`` leaves it; the guard's file apart."""
        command = self.command
        said = command is not None and command.value == COMMAND
        return said and self.listens and self.switched_off is None

    @property
    def armed(self) -> bool:
        """Whether git runs the guard at every push, from here."""
        return self.supported and self.current and self.guard.runs_guard

    @property
    def hooks_path(self) -> Entry | None:
        """Where core.hooksPath leads, and in which scope that is said."""
        return self._last("core.hookspath")

    @property
    def local(self) -> tuple[str, ...]:
        """The keys of this hook that stand in the clone's own configuration, each once; the event before the command.

        In this order they can be taken away: an event without a command would end every push in between.
        """
        here = {entry.key for entry in self.entries if entry.scope == "local"}
        return tuple(key for key in (EVENT_KEY, ENABLED_KEY, COMMAND_KEY) if key in here)

    @property
    def _named_like_the_event(self) -> bool:
        return any(self._of(f"hook.{EVENT}.{part}") for part in ("command", "event", "parallel"))

    def _of(self, key: str) -> tuple[Entry, ...]:
        return tuple(entry for entry in self.entries if entry.key == key)

    def _last(self, key: str) -> Entry | None:
        return self._of(key)[-1] if self._of(key) else None

    def _off(self, key: str) -> Entry | None:
        said = [entry for entry in self._of(key) if entry.on is not None]
        return said[-1] if said and said[-1].on is False else None


def folder(layout: Layout) -> Path:
    """Give the folder in which the guard lies that the config hook runs; all work trees of the clone share it."""
    return layout.common_dir / NAME


def find(layout: Layout, *, ask: bool) -> ConfigHook:
    """Read what the configuration says; git is asked for its version with ``ask`` or where a config hook is there.

    Raises:
        PtguardError: git cannot be asked.
    """
    found = gitconfig.entries(layout.top or layout.git_dir, _PATTERN)
    wanted = ask or any(re.match(rf"hook\.{NAME}\.", entry.key) for entry in found)
    git = gitconfig.version() if wanted else None
    try:
        text = (layout.common_dir / "config").read_bytes()
    except OSError:
        text = b""
    return ConfigHook(found, read(folder(layout) / EVENT), git, text[-1:] in (b"\n", b""), _alone(text))


def _alone(config: bytes) -> bool:
    """Whether the one section of the hook has only our keys, a line each: then the section may go as a whole."""
    sections = _SECTION.findall(config)
    lines = sections[0].splitlines() if len(sections) == 1 else [b"?"]
    return all(_OURS.match(line) or not line.strip() for line in lines)
