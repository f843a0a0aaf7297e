"""Making smoke records: what runs in the image, how it is run, what is written and signed."""

from typing import Final

RUNNERS: Final = ("auto", "docker", "podman", "local")
"""Where a run can happen; ``auto`` is docker or podman, whichever answers, else ``local``."""
