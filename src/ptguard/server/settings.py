"""What an administrator set for a repository on a server: its own configuration, never the pusher's."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ptguard.errors import PolicyError
from ptguard.gateways.git import Git
from ptguard.gateways.gitconfig import includes_held
from ptguard.policy.table import WrongError
from ptguard.policy.values import duration
from ptguard.remotes import Config
from ptguard.text import shown
from ptguard.value import value

MAX_TAGS: Final = 10_000
TIMEOUT: Final = "5m"
TRANSACTION: Final = "reference-transaction"
MARK: Final = b"# ptguard "
_SHARED: Final[Mapping[str, int]] = {
    "group": 0o060, "true": 0o060, "yes": 0o060, "on": 0o060, "1": 0o060,
    "all": 0o064, "world": 0o064, "everybody": 0o064, "2": 0o064,
}  # fmt: skip


@value
class Settings:
    """``max_tags`` of one push, ``timeout`` in seconds; ``transaction``: the hook is armed that can hold a tag back."""

    max_tags: int
    timeout: float
    transaction: bool


def read(git: Git, config: Config) -> Settings:
    """Give the settings of a repository from its local configuration.

    Raises:
        PolicyError: one of them cannot be understood.
    """
    return Settings(_number(config), _seconds(config), _holds_back(git.common_dir, config))


def without_limits(config: Config) -> Config:
    """Give ``config`` without the limits for tags: where they are wrong, a push without tags is not to be disturbed."""
    return {key: values for key, values in config.items() if key not in ("ptguard.maxtags", "ptguard.timeout")}


def _number(config: Config) -> int:
    text = config.get("ptguard.maxtags", (str(MAX_TAGS),))[-1].strip()
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise PolicyError(
            f"git config ptguard.maxTags is {shown(text)!r}, not a whole number",
            fix=f"git config --local ptguard.maxTags {MAX_TAGS}   # in the server's repository",
        )
    return int(text)


def _seconds(config: Config) -> float:
    text = config.get("ptguard.timeout", (TIMEOUT,))[-1].strip()
    try:
        return max(duration(text).total_seconds(), 1.0)  # 0 would be no limit at all
    except WrongError:
        raise PolicyError(
            f"git config ptguard.timeout is {shown(text)!r}, not a duration such as 30s or {TIMEOUT}",
            fix=f"git config --local ptguard.timeout {TIMEOUT}   # in the server's repository",
        ) from None


def _holds_back(git_dir: Path, config: Config) -> bool:
    """Tell whether git will run our reference-transaction hook: it is in the folder that core.hooksPath names here.

    Where that is not set, whoever pushes over the file transport can lead git elsewhere.
    """
    hooks = config.get("core.hookspath", ("",))[-1]
    if Path(hooks).resolve() != (git_dir / "hooks").resolve() if hooks else not includes_held(git_dir, config):
        return False
    hook = git_dir / "hooks" / TRANSACTION
    try:
        if not stat.S_ISREG(hook.stat().st_mode) or not os.access(hook, os.X_OK):
            return False
        with hook.open("rb") as file:
            return MARK + TRANSACTION.encode() in file.read(200)
    except OSError:
        return False


def sharing(config: Config) -> int:
    """Give the mode bits that core.sharedRepository adds to files (git-config(1))."""
    text = config.get("core.sharedrepository", ("",))[-1].lower()
    if text in _SHARED:
        return _SHARED[text]
    return int(text, 8) & 0o066 if len(text) in (3, 4) and set(text) <= set("01234567") else 0
