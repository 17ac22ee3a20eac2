"""A source that is read in a process of its own, with limits of time and memory.

A parser that crashes ends that process alone. The process keeps what it has parsed from one
interval to the next. It is killed where it takes too long or too much memory, and it ends with the
process that reads from it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import signal
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from pipelines.errors import BadData, PerennialError, Unreachable
from pipelines.sources.memory_limit import most_bytes
from pipelines.sources.port import Raw, Stream, UnreadableRows
from pipelines.sources.reader_child import Child, Large, Late, ProcessEnded
from pipelines.sources.urls import display_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa

    from pipelines.intervals import Interval
    from pipelines.spec.schema import Column
    from pipelines.spec.sources import Source as SourceSpec


class ReaderProcess:
    """Reads a `files`, `http` or `sql` source in a child process with limits."""

    def __init__(
        self,
        source: SourceSpec,
        event_time: str | None,
        home: Path,
        cache: Path,
        *,
        seconds: float,
        most: int,
        schema: Mapping[str, Column] | None = None,
    ) -> None:
        """Remember what to read, and the limits of one read: its seconds and bytes of memory.

        `schema`: the columns of the model's schema.yaml, where there is one.

        Nothing is started yet.
        """
        request = {
            "source": source.model_dump(mode="json"),
            "event_time": event_time,
            "home": str(home),
            "cache": str(cache),
            "schema": None
            if schema is None
            else {name: column.model_dump(mode="json") for name, column in schema.items()},
        }
        level = logging.getLogger("perennial").getEffectiveLevel()
        self._request = json.dumps(
            {**request, "seconds": seconds, "most": most_bytes(most), "level": level}
        )
        self._subject = f"The {source.kind} source"
        self._seconds = seconds
        self._most = most
        self._child: Child | None = None
        self._is_sending = False
        """Whether rows are on their way that nobody has taken yet."""

    def read(self, interval: Interval) -> Raw:
        """Return the interval's rows.

        Raises Unreachable where that takes too long, BadData where it takes too much memory.
        """
        answer = self._ask(interval, None)
        if isinstance(answer, Raw):
            return answer
        raise RuntimeError("nobody asked for parts")

    def stream(self, interval: Interval, folder: Path) -> Raw | Stream:
        """Return the interval's rows, those that are too large for memory part by part.

        `folder` takes what must lie on this disk. Raises as `read` does, and so do the parts; where
        they are not taken to their end, the process is ended.
        """
        return self._ask(interval, folder)

    def _ask(self, interval: Interval, folder: Path | None) -> Raw | Stream:
        deadline = time.monotonic() + self._seconds
        if self._is_sending or (self._child is not None and not self._child.is_alive()):
            self._end()
        try:
            with self._limits(interval):
                if self._child is None:
                    self._child = Child(self._request, self._most, deadline)
                answer = self._child.read(interval, deadline, folder)
        except UnreadableRows as error:
            return Raw(problem=error.problem, unread_file=error.unread)
        if isinstance(answer, Raw):
            return answer
        self._is_sending = True
        return replace(answer, tables=self._within_limits(answer.tables, interval))

    def _within_limits(self, tables: Iterator[pa.Table], interval: Interval) -> Iterator[pa.Table]:
        try:
            with self._limits(interval):
                yield from tables
        except (UnreadableRows, PerennialError):
            self._is_sending = False
            raise
        # It keeps nothing of rows that came part by part, and its memory is wanted to sort them.
        self._end()

    @contextlib.contextmanager
    def _limits(self, interval: Interval) -> Iterator[None]:
        """End the process where it passes a limit, and say so."""
        try:
            yield
        except Late:
            self._end()
            raise Unreachable(
                f"{self._subject} took longer than {self._seconds:g} s to read {interval.name}.",
                remedy=(
                    "check what it reads from; or allow more (`source.timeout` in model.yaml,"
                    " PERENNIAL_SOURCE_TIMEOUT_SECONDS)."
                ),
            ) from None
        except (Large, MemoryError):
            self._end()
            raise UnreadableRows(self._too_large(interval)) from None
        except ProcessEnded as error:
            self._end()
            raise self._error_of_end(error.code, interval) from None

    def _too_large(self, interval: Interval) -> str:
        request = json.loads(self._request)["source"]
        place = request.get("uri") or request.get("url") or request.get("database")
        return (
            f"{self._subject} {display_url(place)} takes more than {self._most // 2**20} MiB of"
            f" memory to read {interval.name}; half of what the machine has free, the container and"
            " `resources.memory` in model.yaml allow is the most"
        )

    def _error_of_end(self, code: int, interval: Interval) -> PerennialError:
        """Return the error of a process that ended by itself.

        A parser that crashed, or somebody who killed it.
        """
        if code in {-signal.SIGKILL, -signal.SIGTERM}:
            message = (
                f"{self._subject}: the process that read {interval.name} was killed"
                f" ({signal.Signals(-code).name})."
            )
            return Unreachable(
                message,
                remedy=(
                    "where the kernel did it, memory was short: see its log, and"
                    " `resources.memory`."
                ),
            )
        return BadData(
            f"{self._subject}: the process that read {interval.name} ended with {code}.",
            remedy="a file or an answer may be damaged in a way that its parser does not survive.",
        )

    def _end(self) -> None:
        if self._child is not None:
            self._child.end()
        self._child = None
        self._is_sending = False
