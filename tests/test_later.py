"""Work in threads: what it gives, what it raises, and how it is called off."""

import signal
import threading
import time

import pytest

from ptguard.gateways.process import CancelledError, calling_off, go_on, run
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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGALRM])
def test_a_signal_that_another_thread_takes_interrupts_all_the_same(number: int) -> None:
    """The kernel gives a process's signal to any thread that can take it, most often on a busy machine (signal(7))."""
    called_off: list[bool] = []

    def work() -> None:
        signal.pthread_kill(threading.get_ident(), number)
        for _ in range(2000):
            time.sleep(0.01)
            try:
                go_on()
            except CancelledError:
                called_off.append(True)
                raise

    before = signal.signal(number, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            apart(work)()
    finally:
        signal.signal(number, before)
    assert called_off == [True]


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
