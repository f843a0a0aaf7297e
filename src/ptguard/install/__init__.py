"""Puts the guard into a clone, takes it out again, and tells the truth about what is armed.

:mod:`.hookfile` reads one hook, :mod:`.confighook` git's configuration, :mod:`.managers` other managers' files,
:mod:`.state` looks at a clone, :mod:`.plan` decides purely what to do, :mod:`.actions` does it, :mod:`.doctor` (with
:mod:`.tools` for the programs and :mod:`.stanza` for lines to add) names what is wrong.
What is armed is always derived from the files, never remembered.
"""

from ptguard.install.actions import Outcome, arm, install, uninstall
from ptguard.install.doctor import examine
from ptguard.install.state import State, inspect
from ptguard.install.trouble import Trouble

__all__ = ["Outcome", "State", "Trouble", "arm", "examine", "inspect", "install", "uninstall"]
