"""The minutes of a search: what is left of them, and how a fit that outlasts them is cut off."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

LEAST = 0.001
"""Seconds; a timer of 0 would never ring."""


class TimeIsUp(BaseException):
    """The minutes of the budget are over.

    No Exception, so that no library takes it for a fit that failed.
    """


class Clock:
    """What is left of a budget of minutes; without one there is no end."""

    def __init__(self, minutes: float | None) -> None:
        """Start it."""
        self._seconds = None if minutes is None else 60 * minutes
        self._began = time.monotonic()
        self.earlier = 0.0
        """Seconds that an earlier process has spent on the same search."""

    @property
    def spent(self) -> float:
        """The seconds that are gone."""
        return time.monotonic() - self._began + self.earlier

    @contextlib.contextmanager
    def limit(self) -> Iterator[None]:
        """Raise TimeIsUp where nothing is left, or as soon as nothing is left within the block.

        Within the block only in the main thread, and where the code comes back to Python, as
        boostings do after each tree; a single call into C is awaited.
        """
        if self._seconds is None:
            yield
            return
        left = self._seconds - self.spent
        if left <= 0:
            raise TimeIsUp
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGALRM, _ring)
        signal.setitimer(signal.ITIMER_REAL, max(left, LEAST))
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


def _ring(_: int, __: FrameType | None) -> None:
    raise TimeIsUp
