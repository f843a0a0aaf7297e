"""What the terminal can show."""

import os
from typing import IO


def wants_color(stream: IO[str]) -> bool:
    """Tell whether ``stream`` is a terminal that may be coloured (see no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
