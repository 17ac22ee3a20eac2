"""Models that nobody asks are dropped from memory, and opened again by the next request.

A server of many models then holds those that are asked. What is small stays: how requests are
decoded, and what is told of the release.
"""

from __future__ import annotations

import ctypes
import threading
import time
from typing import TYPE_CHECKING

from pipelines.bundle.predictor import Predictor

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.bundle.predictor import Answers
    from pipelines.bundle.rows import Feed


class IdlePredictor(Predictor):
    """A predictor that can be dropped. Safe among threads."""

    def __init__(
        self,
        predictor: Predictor,
        reopen: Callable[[], Predictor],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with an open predictor; `reopen` returns the same one anew, proven again."""
        self.schema = predictor.schema
        self._open: Predictor | None = predictor
        self._reopen = reopen
        self._now = now
        self._asked = now()
        self._lock = threading.Lock()

    @property
    def is_dropped(self) -> bool:
        """Whether the next answer must open it first."""
        return self._open is None

    def predict_feed(self, feed: Feed) -> Answers:
        """Answer a feed; open the predictor first, where it was dropped.

        Raises what `reopen` raises.
        """
        self._asked = self._now()
        return (self._open or self.wake()).predict_feed(feed)

    def wake(self) -> Predictor:
        """Return the predictor, opened where it was dropped; others wait meanwhile."""
        with self._lock:
            if self._open is None:
                self._open = self._reopen()
                self._asked = self._now()
            return self._open

    def drop_after(self, seconds: float) -> bool:
        """Drop it where nobody has asked for so long; tell whether this call did.

        What answers just now keeps it until it has answered.
        """
        with self._lock:
            if self._open is None or self._now() - self._asked < seconds:
                return False
            self._open = None
            return True


def give_memory_back() -> None:
    """Give freed memory back to the system: the C library keeps it for later otherwise.

    Nothing where it has no such function (glibc has).
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
