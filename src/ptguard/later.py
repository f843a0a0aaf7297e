"""Work that goes on in a thread while the caller does something else: gpg is waited for while git is asked."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from ptguard.gateways.process import kill_running

T = TypeVar("T")
_UNFINISHED: set[threading.Thread] = set()


class Later(Generic[T]):
    """The outcome of a call that has been started in a thread of its own."""

    def __init__(self, work: Callable[[], T]) -> None:
        """Start ``work``, which shares nothing with the caller that either of them changes."""
        self._work = work
        self._values: list[T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        _UNFINISHED.add(self._thread)
        self._thread.start()

    def result(self) -> T:
        """Wait for the call and give what it gave, or raise what it raised."""
        self._thread.join()
        _UNFINISHED.discard(self._thread)
        if self._error is not None:
            raise self._error
        return self._values[0]

    def _run(self) -> None:
        try:
            self._values.append(self._work())
        except BaseException as error:  # it belongs to whoever asks for the result
            self._error = error


def finish() -> None:
    """End what is still under way, with the programs that it waits for; for the way out, also after an interrupt."""
    while _UNFINISHED:
        kill_running()
        thread = next(iter(_UNFINISHED))
        thread.join(0.2)
        if not thread.is_alive():
            _UNFINISHED.discard(thread)
