"""What stands in a clone's hooks folder and in its configuration now, and whether that guards it."""

from pathlib import Path

from ptguard.gateways.repo import Layout
from ptguard.install import confighook, managers
from ptguard.install.confighook import ConfigHook
from ptguard.install.hookfile import HookFile, Kind, read
from ptguard.install.managers import Manager
from ptguard.value import value

CHAINED = "pre-push.ptguard-chained"
"""Where a hook goes that stood in the guard's place; the guard runs it with the same ref lines."""


@value
class Hooks:
    """The files of one hooks folder that are the guard, or stand in its place.

    ``legacy`` is what pre-commit runs before its own hooks; ``old`` what lefthook renamed and nothing runs;
    ``spare`` is a free name beside the hook.
    """

    pre_push: HookFile
    legacy: HookFile
    chained: HookFile
    old: HookFile
    spare: Path

    @classmethod
    def of(cls, folder: Path) -> "Hooks":
        """Read the files of ``folder``."""
        numbers = (folder / f"pre-push.ptguard-replaced-{n}" for n in range(1, 1000))
        return cls(
            read(folder / "pre-push"),
            read(folder / "pre-push.legacy"),
            read(folder / CHAINED),
            read(folder / "pre-push.old"),
            next(path for path in numbers if not path.exists() and not path.is_symlink()),
        )

    @property
    def seat(self) -> HookFile:
        """The file that the guard must be: pre-commit's ``.legacy`` where pre-commit has the hook, else the hook."""
        return self.legacy if self.pre_push.kind is Kind.PRE_COMMIT else self.pre_push

    @property
    def runs(self) -> bool:
        """Whether git reaches the seat: pre-commit's own script is skipped silently when it is not executable."""
        return self.seat is self.pre_push or self.pre_push.executable

    @property
    def guard(self) -> HookFile | None:
        """The guard that git would run from here, or None."""
        return self.seat if self.seat.runs_guard and self.runs else None

    @property
    def guards(self) -> tuple[HookFile, ...]:
        """Every file here that is the guard, whether it would run or not."""
        return tuple(hook for hook in (self.pre_push, self.legacy, self.old) if hook.kind is Kind.GUARD)


@value
class State:
    """What decides whether a tag push is judged.

    ``hooks`` is the folder in which git looks; ``bypassed`` the clone's own, where core.hooksPath leads git past it.
    ``manager`` owns the hook where the folder is not ours to write; then ``config`` is the way, if git knows it.
    """

    layout: Layout
    hooks: Hooks
    bypassed: Hooks | None
    manager: Manager | None
    config: ConfigHook

    @property
    def pre_push(self) -> HookFile:
        """The hook that git runs."""
        return self.hooks.pre_push

    @property
    def legacy(self) -> HookFile:
        """What pre-commit runs before its own hooks."""
        return self.hooks.legacy

    @property
    def chained(self) -> HookFile:
        """What the guard runs beside itself."""
        return self.hooks.chained

    @property
    def old(self) -> HookFile:
        """What lefthook renamed and nothing runs."""
        return self.hooks.old

    @property
    def seat(self) -> HookFile:
        """The file of the hooks folder that the guard must be."""
        return self.hooks.seat

    @property
    def runs(self) -> bool:
        """Whether git reaches the seat."""
        return self.hooks.runs

    @property
    def called(self) -> bool:
        """Whether a manager's own file hands the refs to ``ptguard``."""
        return self.manager is not None and self.manager.present

    @property
    def armed(self) -> bool:
        """Whether every tag push from this clone (without ``--no-verify``) is judged, or refused."""
        return not self.config.fatal and (self.called or self.guard is not None)

    @property
    def twice(self) -> bool:
        """Whether a push comes to the guard by two ways (it judges once all the same)."""
        return self.config.armed and (self.called or self.hooks.guard is not None)

    @property
    def guard(self) -> HookFile | None:
        """The guard that would run first, or None (also where a manager calls ``ptguard`` by name)."""
        return self.config.guard if self.config.armed else self.hooks.guard


def inspect(layout: Layout) -> State:
    """Look at the hooks of a clone; reads files, and asks git for its configuration.

    Raises:
        PtguardError: git cannot be asked.
    """
    hooks = Hooks.of(layout.hooks)
    manager = managers.find(layout, hooks.pre_push)
    return State(
        layout,
        hooks,
        Hooks.of(layout.default_hooks) if layout.hooks_elsewhere else None,
        manager,
        confighook.find(layout, ask=manager is not None),
    )
