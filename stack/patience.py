"""How long to wait for others: some seconds, and longer as long as they get on.

A slow machine is no broken one.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

MOST_TIMES = 5
"""What gets on, but never arrives, is waited for at most so many times as long."""

QUIET_SECONDS = 60.0
"""What does not change in this time does not get on any more."""


class Patience:
    """A wait that began when this object was made.

    `progress` returns whatever changes while others get on: their CPU seconds, the states of tasks.
    It is asked only when the seconds are over.
    """

    def __init__(
        self,
        seconds: float,
        progress: Callable[[], Hashable],
        *,
        quiet_seconds: float = QUIET_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin to wait."""
        self._seconds = seconds
        self._progress = progress
        self._quiet_seconds = quiet_seconds
        self._clock = clock
        self._begin = clock()
        self._last_progress: Hashable = None
        self._changed_at: float | None = None

    @property
    def seconds(self) -> float:
        """How long the wait is so far."""
        return self._clock() - self._begin

    @property
    def is_over(self) -> bool:
        """Tell whether to give up."""
        if self.seconds <= self._seconds:
            return False
        if self.seconds > MOST_TIMES * self._seconds:
            return True
        progress = self._progress()
        if self._changed_at is None or progress != self._last_progress:
            self._last_progress, self._changed_at = progress, self._clock()
        return self._clock() - self._changed_at > self._quiet_seconds
