"""What tells that a model's folder has changed, without reading its files."""

from __future__ import annotations

import os
import time
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_QUEUE = "/proc/thread-self/schedstat"
"""How long a thread was at work, and how long it waited for a processor, in nanoseconds."""
_LONGEST = 100
"""Bytes of its text: three numbers."""

SPEC_FILE = "model.yaml"
MOST_FILES = 1_000
"""So many files of a folder are looked at one by one: a model's has a handful."""
SLOW_SECONDS = 2.0
"""A folder that takes longer to read is named; one of a usual size takes hundredths of a second."""


def read_wait() -> float:
    """Return for how many seconds this thread has waited for a processor that others used.

    0 where the system does not tell.
    """
    # Not by a file object, which takes as long as the rest: it is asked for each model of a fleet
    try:
        file = os.open(_QUEUE, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return int(os.read(file, _LONGEST).split()[1]) / 1e9
        finally:
            os.close(file)
    except (OSError, ValueError, IndexError):
        return 0.0


class Stopwatch:
    """How long something takes by itself: a busy machine makes no folder slow, a slow disk does."""

    def __init__(
        self,
        now: Callable[[], float] = time.monotonic,
        wait: Callable[[], float] = read_wait,
    ) -> None:
        """Begin. `now` tells the time, `wait` how long this thread has waited for a processor."""
        self._now, self._wait = now, wait
        self._begin = now() - wait()

    @property
    def seconds(self) -> float:
        """The seconds since it began, without those in which others had the processors."""
        return self._now() - self._wait() - self._begin


def say_slow(folder: str, seconds: float) -> str:
    """Return the sentence about a model's folder that takes long to read."""
    return (
        f"{folder}: it takes {seconds:.1f} s to read, and whoever reads the fleet waits for it;"
        " make model.yaml smaller, or put the folder on a faster disk."
    )


def fingerprint(folder: Path) -> str:
    """Return a text that is another one when a file in the folder was made, changed or removed.

    It is made of names, sizes and times. Where somebody keeps a heap of files there, it is made of
    the folder's own time and its spec's: it is asked for all the time, and others wait for it. A
    folder that cannot be listed has the error's name.
    """
    try:
        with os.scandir(folder) as entries:
            first = list(islice(entries, MOST_FILES + 1))
            if len(first) <= MOST_FILES:
                return "\n".join(sorted(_print_of(e.name, e.stat) for e in first))
        return "\n".join(_print_of(p.name, p.stat) for p in (folder, folder / SPEC_FILE))
    except OSError as error:
        return type(error).__name__


def _print_of(name: str, stat: Callable[[], os.stat_result]) -> str:
    try:
        found = stat()
    except OSError as error:  # a link to nothing, or a file that has just gone
        return f"{name}\0{type(error).__name__}"
    return f"{name}\0{found.st_ino}\0{found.st_size}\0{found.st_mtime_ns}"
