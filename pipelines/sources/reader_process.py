"""A source that is read in a process of its own, with limits of time and memory.

A parser that crashes ends that process alone. The process keeps what it has parsed from one
interval to the next. It is killed where it takes too long or too much memory, and it ends with the
process that reads from it.
"""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import subprocess
import sys
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines import die_with_parent, errors
from pipelines.errors import BadData, PerennialError, Unreachable
from pipelines.sources.memory_limit import most_bytes
from pipelines.sources.port import Raw
from pipelines.sources.urls import display_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.intervals import Interval
    from pipelines.spec.schema import Column
    from pipelines.spec.sources import Source as SourceSpec

_LOOK_SECONDS = 0.05
"""How often the process's memory is looked at."""

_ROOT = str(Path(__file__).resolve().parents[2])


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
        self._child: _Child | None = None

    def read(self, interval: Interval) -> Raw:
        """Return the interval's rows.

        Raises Unreachable where that takes too long, BadData where it takes too much memory.
        """
        deadline = time.monotonic() + self._seconds
        if self._child is not None and not self._child.is_alive():
            self._end()
        try:
            if self._child is None:
                self._child = _Child(self._request, self._most, deadline)
            return self._child.read(interval, deadline)
        except _Late:
            self._end()
            raise Unreachable(
                f"{self._subject} took longer than {self._seconds:g} s to read {interval.name}.",
                remedy=(
                    "check what it reads from; or allow more (`source.timeout` in model.yaml,"
                    " PERENNIAL_SOURCE_TIMEOUT_SECONDS)."
                ),
            ) from None
        except (_Large, MemoryError):
            self._end()
            return Raw(problem=self._too_large(interval))
        except _ProcessEnded as error:
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


class _Late(Exception):
    """The deadline is over."""


class _Large(Exception):
    """The process takes too much memory."""


class _ProcessEnded(Exception):
    """The process ended."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class _Child:
    """The process that reads, and the pipe on which it answers."""

    def __init__(self, request: str, most: int, deadline: float) -> None:
        """Start the process; it is ready when this returns."""
        import psutil

        answers, child_end = os.pipe()
        command = die_with_parent.mortal_command(
            signal.SIGKILL,
            os.getpid(),
            [sys.executable, "-m", __package__ + ".reader_program", str(child_end)],
        )
        path = os.pathsep.join(p for p in (_ROOT, os.environ.get("PYTHONPATH", "")) if p)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,  # a step's stdout holds its result record alone
            pass_fds=[child_end],
            env={**os.environ, "PYTHONPATH": path, "ARROW_DEFAULT_MEMORY_POOL": "system"},
        )
        os.close(child_end)
        self.end = weakref.finalize(self, _end, self._process, answers)
        self._pipe = _Pipe(answers, self._process)
        self._memory = psutil.Process(self._process.pid)
        self._pipe.until(deadline, lambda: False)
        self._ask(request)
        self._record()
        self._limit = self._memory.memory_info().rss + most

    def is_alive(self) -> bool:
        """Tell whether the process is still there."""
        return self._process.poll() is None

    def read(self, interval: Interval, deadline: float) -> Raw:
        """Ask for the interval's rows and wait for them."""
        import pyarrow as pa

        self._pipe.until(deadline, self._is_large)
        self._ask(interval.model_dump_json())
        record = self._record()
        if record.get("memory"):
            raise MemoryError
        if "unexpected" in record:
            raise BadData(
                f"The source raised {record['unexpected']}.",
                remedy="check `source` in the spec, and what it reads from.",
            )
        if "error" in record:
            raise getattr(errors, record["error"])(record["message"], remedy=record["remedy"])
        tables = {}
        for name in record["tables"]:
            with pa.ipc.open_stream(pa.PythonFile(self._pipe, mode="r")) as stream:
                tables[name] = stream.read_all()
        unread = None if record["unread"] is None else self._pipe.read(record["unread"])
        return Raw(tables, record["problem"], unread)

    def _ask(self, line: str) -> None:
        stdin: Any = self._process.stdin
        try:
            stdin.write(line.encode() + b"\n")
            stdin.flush()
        except BrokenPipeError:
            raise _ProcessEnded(self._process.wait()) from None

    def _record(self) -> dict[str, Any]:
        """Return the next record that is no log message; those are logged here."""
        while True:
            record: dict[str, Any] = json.loads(self._pipe.readline())
            if "log" not in record:
                return record
            logging.getLogger(record["logger"]).log(record["level"], "%s", record["log"])

    def _is_large(self) -> bool:
        import psutil

        try:
            return bool(self._memory.memory_info().rss > self._limit)
        except psutil.Error:  # it ended; the pipe will say so
            return False


def _end(process: subprocess.Popen[bytes], answers: int) -> None:
    process.kill()
    process.wait()
    if process.stdin is not None:
        process.stdin.close()
    os.close(answers)


class _Pipe:
    """What the process writes, as a file that Arrow reads.

    A read ends with _Late, _Large or _ProcessEnded where it must.
    """

    closed = False

    def __init__(self, descriptor: int, process: subprocess.Popen[bytes]) -> None:
        self._descriptor = descriptor
        self._process = process
        self._data = bytearray()
        self._deadline = 0.0
        self._is_large: Any = None

    def until(self, deadline: float, is_large: Any) -> None:
        """Set the limits of the reads that follow."""
        self._deadline, self._is_large = deadline, is_large

    def read(self, size: int) -> bytes:
        """Return exactly so many bytes."""
        while len(self._data) < size:
            self._wait()
        data = bytes(memoryview(self._data)[:size])
        del self._data[:size]
        return data

    def readline(self) -> bytes:
        """Return the bytes up to the next end of a line."""
        while (end := self._data.find(b"\n")) < 0:
            self._wait()
        return self.read(end + 1)

    def _wait(self) -> None:
        while not select.select([self._descriptor], [], [], _LOOK_SECONDS)[0]:
            if self._is_large():
                raise _Large
            if time.monotonic() > self._deadline:
                raise _Late
        chunk = os.read(self._descriptor, 2**20)
        if not chunk:
            raise _ProcessEnded(self._process.wait())
        self._data += chunk

    def flush(self) -> None:
        """Do nothing: what is read needs no flush."""

    def close(self) -> None:
        """Do nothing: the next answer comes through the same pipe."""
