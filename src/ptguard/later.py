"""Work that goes on in a thread while the caller does something else: gpg is waited for while git is asked."""

import _thread
import functools
import threading
import time
from collections.abc import Callable
from typing import Final, Generic, ParamSpec, TypeVar

from ptguard.gateways.process import calling_off, kill_running

P = ParamSpec("P")
T = TypeVar("T")
_UNFINISHED: set[threading.Thread] = set()
_CLEARING_UP: Final = 10.0
_STEP: Final = 0.02
_LOOK: Final = 0.1


class _Outcome(Generic[T]):
    """What a call gave or raised, kept by the thread that it runs in for the one that waits for it."""

    def __init__(self, work: Callable[[], T]) -> None:
        """Nothing is called yet."""
        self._work = work
        self._values: list[T] = []
        self._errors: list[BaseException] = []

    def run(self) -> None:
        """Make the call; what it raises belongs to whoever waits."""
        try:
            self._values.append(self._work())
        except BaseException as error:
            self._errors.append(error)

    @property
    def ended(self) -> bool:
        """Whether the call has come to its end."""
        return bool(self._values or self._errors)

    def told(self) -> T:
        """Give what the call gave, or raise what it raised; it has ended."""
        if self._errors:
            raise self._errors[0]
        return self._values[0]


class Later(Generic[T]):
    """The outcome of a call that has been started in a thread of its own."""

    def __init__(self, work: Callable[[], T]) -> None:
        """Start ``work``, which shares nothing with the caller that either of them changes."""
        self._outcome = _Outcome(work)
        self._thread = threading.Thread(target=self._outcome.run, daemon=True)
        _UNFINISHED.add(self._thread)
        self._thread.start()

    def result(self) -> T:
        """Wait for the call and give what it gave, or raise what it raised."""
        self._thread.join()
        _UNFINISHED.discard(self._thread)
        return self._outcome.told()


def within(seconds: float, work: Callable[[], T]) -> T:
    """Give what ``work`` gives, or raise what it raises, where that takes no longer than ``seconds``.

    Raises:
        TimeoutError: it takes longer. Then it is left behind, and ends with the process at the latest.
    """
    outcome = _Outcome(work)
    thread = threading.Thread(target=outcome.run, daemon=True)
    thread.start()
    thread.join(seconds)
    if not outcome.ended:
        raise TimeoutError
    return outcome.told()


def finish() -> None:
    """End what is still under way, with the programs that it waits for; for the way out, also after an interrupt."""
    while _UNFINISHED:
        kill_running()
        thread = next(iter(_UNFINISHED))
        thread.join(0.2)
        if not thread.is_alive():
            _UNFINISHED.discard(thread)


def apart(work: Callable[P, T]) -> Callable[P, T]:
    """Have ``work`` done in a thread of its own while the main thread, from which it is called, waits.

    Python raises an interrupt wherever the main thread happens to be: inside a C library that does not expect it
    (the Dockerfile parser crashed), or between the taking of a lock and the block that gives it back (a process was
    waited for without end). Here it can only be waiting. When it is interrupted the work is called off, its programs
    are ended, and it takes its own ways out, which leave nothing behind.
    """

    @functools.wraps(work)
    def waited_for(*args: P.args, **named: P.kwargs) -> T:
        if threading.current_thread() is not threading.main_thread():
            return work(*args, **named)
        return _waited_for(lambda: work(*args, **named))

    return waited_for


def _waited_for(work: Callable[[], T]) -> T:
    outcome = _Outcome(work)
    waiting = _thread.allocate_lock()
    waiting.acquire()

    def run() -> None:
        outcome.run()
        waiting.release()

    try:
        _thread.start_new_thread(run, ())
        while not waiting.acquire(timeout=_LOOK):
            # A signal may be taken by another thread (signal(7)), which does not end a wait of this one: without
            # looking up now and then, an interrupt or the end of the time would wait for the end of the work.
            pass
    except BaseException:
        _call_off(outcome)
        raise
    return outcome.told()


def _call_off(outcome: _Outcome[T]) -> None:
    """Wait until the work has ended; without a lock, for the one that was waited for may be ours by now."""
    deadline = time.monotonic() + _CLEARING_UP
    with calling_off():
        while not outcome.ended and time.monotonic() < deadline:
            kill_running()
            time.sleep(_STEP)
