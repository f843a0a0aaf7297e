"""What stands in a clone's hooks folder now, and whether that guards it."""

from pathlib import Path

from ptguard.gateways.repo import Layout
from ptguard.install import managers
from ptguard.install.hookfile import HookFile, Kind, read
from ptguard.install.managers import Manager
from ptguard.value import value

CHAINED = "pre-push.ptguard-chained"
"""Where a hook goes that stood in the guard's place; the guard runs it with the same ref lines."""


@value
class State:
    """The files that decide whether a tag push is judged.

    ``legacy`` is what pre-commit runs before its own hooks; ``old`` what lefthook renamed and nothing runs;
    ``manager`` owns the hook where the folder is not ours to write; ``spare`` is a free name beside the hook.
    """

    layout: Layout
    pre_push: HookFile
    legacy: HookFile
    chained: HookFile
    old: HookFile
    manager: Manager | None
    spare: Path

    @property
    def seat(self) -> HookFile:
        """The file that the guard must be: pre-commit's ``.legacy`` where pre-commit has the hook, else the hook."""
        return self.legacy if self.pre_push.kind is Kind.PRE_COMMIT else self.pre_push

    @property
    def runs(self) -> bool:
        """Whether git reaches the seat: pre-commit's own script is skipped silently when it is not executable."""
        return self.seat is self.pre_push or self.pre_push.executable

    @property
    def armed(self) -> bool:
        """Whether every tag push from this clone (without ``--no-verify``) is judged, or refused."""
        if self.manager is not None and self.manager.present:
            return True
        return self.seat.runs_guard and self.runs

    @property
    def guard(self) -> HookFile | None:
        """The guard that would run, or None (also where a manager calls ``ptguard`` by name)."""
        return self.seat if self.seat.runs_guard and self.runs else None


def inspect(layout: Layout) -> State:
    """Look at the hooks of a clone; reads files only."""
    folder = layout.hooks
    pre_push = read(folder / "pre-push")
    numbers = (folder / f"pre-push.ptguard-replaced-{n}" for n in range(1, 1000))
    return State(
        layout,
        pre_push,
        read(folder / "pre-push.legacy"),
        read(folder / CHAINED),
        read(folder / "pre-push.old"),
        managers.find(layout, pre_push),
        next(path for path in numbers if not path.exists() and not path.is_symlink()),
    )
