"""``python -m tests.fuzz.guided TARGET [CORPUS …] [-max_total_time=60]``: bytes chosen by what they reach (atheris).

Needs ``pip install 'ptguard[fuzz]'``. The other options are libFuzzer's. For the readers of bytes; documents such as
the policy are better made by ``python -m tests.fuzz``, which knows what they look like.
"""

import sys
from pathlib import Path

import atheris

from tests.fuzz.mutate import CORPUS

GUIDED = ("tag", "armor", "packets", "keys", "status", "colons", "ssh-signature", "refs", "tree", "record")


def main() -> None:
    """Fuzz the target that the command line names."""
    if len(sys.argv) < 2 or sys.argv[1] not in GUIDED:
        sys.exit(f"name a target: {', '.join(GUIDED)}")
    name = sys.argv.pop(1)
    with atheris.instrument_imports(include=["ptguard"]):
        from tests.fuzz.targets import TARGETS
    if not any(Path(word).is_dir() for word in sys.argv[1:]):
        sys.argv.append(str(CORPUS))  # read, and never written: what is new goes to the first folder named, if any
    atheris.Setup(sys.argv, TARGETS[name].check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
