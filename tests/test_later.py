"""Work in threads: what it gives, what it raises, and how it is called off."""

import threading

import pytest

from ptguard.gateways.process import CancelledError, calling_off, run
from ptguard.later import Later, apart, within


def test_what_work_gives_or_raises_comes_out() -> None:
    assert Later(lambda: 3).result() == 3
    with pytest.raises(ValueError, match="odd"):
        Later(lambda: _fail("odd")).result()


def _fail(words: str) -> None:
    raise ValueError(words)


def test_the_main_thread_only_waits() -> None:
    where = apart(lambda word, *, end: (word + end, threading.current_thread() is threading.main_thread()))
    assert where("a", end="b") == ("ab", False)
    with pytest.raises(ValueError, match="odd"):
        apart(_fail)("odd")
    inside = apart(lambda: (threading.get_ident(), apart(threading.get_ident)()))
    outer, inner = inside()
    assert outer == inner


def test_no_program_starts_once_the_work_is_called_off() -> None:
    with calling_off(), pytest.raises(CancelledError):
        run(["true"])
    assert run(["true"]).returncode == 0
    assert not issubclass(CancelledError, Exception)


def test_what_takes_too_long_is_left_behind() -> None:
    assert within(60, lambda: 3) == 3
    with pytest.raises(ValueError, match="odd"):
        within(60, lambda: _fail("odd"))
    never = threading.Event()
    with pytest.raises(TimeoutError):
        within(0.01, never.wait)
    never.set()
