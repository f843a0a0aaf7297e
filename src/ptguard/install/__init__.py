"""Puts the guard into a clone, takes it out again, and tells the truth about what is armed.

:mod:`.hookfile` reads one hook, :mod:`.state` looks at a clone, :mod:`.plan` decides purely what to do, :mod:`.actions`
does it, :mod:`.doctor` names what is wrong. What is armed is always derived from the files, never remembered.
"""

from ptguard.install.actions import Outcome, arm, install, uninstall
from ptguard.install.doctor import Trouble, examine
from ptguard.install.state import State, inspect

__all__ = ["Outcome", "State", "Trouble", "arm", "examine", "inspect", "install", "uninstall"]
