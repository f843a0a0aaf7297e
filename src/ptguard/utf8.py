"""Names and paths as the bytes that they are, whatever the locale.

What git says is read as UTF-8 here, and Python gives names back to programs and to the file system as the locale spells
them: under another encoding than UTF-8 a ref would be asked for under another name, and found to be none. Over ssh the
pusher chooses the locale (Debian's sshd accepts LANG and LC_*). Imported only where the locale is such a one.
"""

import locale
import os
import sys
from typing import Final

OPTION: Final = "utf8"


def begin_again() -> None:
    """Run this process's own command line anew in UTF-8 mode (PEP 540); return where somebody asked for another one.

    Raises:
        OSError: the interpreter cannot be started.
    """
    if OPTION not in sys._xoptions:
        os.execv(sys.executable, [sys.executable, "-X", OPTION, *sys.orig_argv[1:]])  # noqa: S606 - this very program


def spoken() -> str:
    """Give the encoding of the words to the user, which stays the one of the locale."""
    return locale.getencoding()
