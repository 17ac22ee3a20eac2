"""A limit on the time that a piece of a DAG file's work takes."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipelines.spec.folders import Stopwatch, read_wait

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

LEAST = 0.001
"""Seconds that an outer limit has left at least: 0 would switch it off."""
MOST_TIMES = 3
"""However busy the machine is, the limit comes after so many times its seconds."""


class TookTooLong(BaseException):
    """The time is over. No `except Exception` on the way takes it for an error of its own."""


@contextmanager
def time_limit(seconds: float, wait: Callable[[], float] = read_wait) -> Iterator[None]:
    """Raise TookTooLong in the main thread once so many seconds are over.

    Those in which others had the processors do not count (`wait` tells them), up to twice as many
    again: a busy machine takes no model's DAGs away.
    Airflow limits a whole DAG file by the same timer: what that had left is left afterwards. In
    another thread there is no limit.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    watch = Stopwatch(wait=wait)

    def end(_signal: int, _frame: FrameType | None) -> None:
        missing = seconds - watch.seconds
        if missing < LEAST or time.monotonic() - begin >= MOST_TIMES * seconds:
            raise TookTooLong
        signal.setitimer(signal.ITIMER_REAL, missing)

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
