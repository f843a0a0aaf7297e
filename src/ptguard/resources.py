"""Where the files lie that ship with the package: hooks, check pages, the JSON Schema."""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def resource(name: str) -> Path:
    """Give the path of a shipped file or folder, such as ``hooks/pre-push`` or ``docs/checks``.

    In a wheel they lie inside the package; in a checkout, where a reader looks for them: at the top level.

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    for root in (_PACKAGE, _PACKAGE.parents[1]):
        if (root / name).exists():
            return root / name
    raise FileNotFoundError(f"ptguard is not installed whole: {name} is missing beside {_PACKAGE}")
