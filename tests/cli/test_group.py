"""The commands by their names: one that is nearly right names the one that is."""

import os
import sys

import pytest

from tests.support import run


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (("smoek",), "'smoke'"),
        (("verfiy", "v1"), "'verify'"),
        (("smoke", "vreify", "x.json"), "'verify'"),
        (("smoke", "shwo"), "'show'"),
        (("image", "pni"), "'pin'"),
        (("keys", "lst"), "'list'"),
        (("qqqq",), None),
        (("smoke", "\x1b[31m"), None),
    ],
)
def test_a_command_that_is_nearly_right_names_the_one_that_is(words: tuple[str, ...], near: str | None) -> None:
    done = run(sys.executable, "-I", "-m", "ptguard", *words, env=os.environ, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "No such command" in done.stderr
    assert "\x1b" not in done.stderr
    assert (f"Did you mean {near}?" in done.stderr) == (near is not None)
