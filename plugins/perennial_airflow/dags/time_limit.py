"""A limit on the time that a piece of a DAG file's work takes."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

LEAST = 0.001
"""Seconds that an outer limit has left at least: 0 would switch it off."""


class TookTooLong(BaseException):
    """The time is over. No `except Exception` on the way takes it for an error of its own."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TookTooLong in the main thread once so many seconds are over.

    Airflow limits a whole DAG file by the same timer: what that had left is left afterwards. In
    another thread there is no limit.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(_signal: int, _frame: FrameType | None) -> None:
        raise TookTooLong

    before, begin = signal.signal(signal.SIGALRM, end), time.monotonic()
    left, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if left:
            remaining = max(left - (time.monotonic() - begin), LEAST)
            signal.setitimer(signal.ITIMER_REAL, remaining)
