"""The process that reads a source, as the one who asks sees it: its pipe, and its end."""

from __future__ import annotations

import contextlib
import fcntl
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
from pipelines.errors import BadData
from pipelines.sources.port import Raw, Stream, UnreadableRows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

    from pipelines.intervals import Interval

_LOOK_SECONDS = 0.05
"""How often the process's memory, and the time, are looked at."""

_FIRST_BYTES = 16 * 2**20
"""Bytes that room is made for before they are there, whatever the other side says that it sends."""

_PIPE_BYTES = 2**20
"""What the pipe holds: the most that Linux lets any user ask for."""

_ROOT = str(Path(__file__).resolve().parents[2])


class Late(Exception):
    """The deadline is over."""


class Large(Exception):
    """The process takes too much memory, or sends more at once than it may take."""


class ProcessEnded(Exception):
    """The process ended."""

    def __init__(self, code: int) -> None:
        """Keep the code."""
        super().__init__(code)
        self.code = code


class Child:
    """The process that reads, and the pipe on which it answers."""

    def __init__(self, request: str, most: int, deadline: float) -> None:
        """Start the process; it is ready when this returns."""
        import psutil

        answers, child_end = os.pipe()
        with contextlib.suppress(OSError):  # a user with many pipes gets no more: it is slower
            fcntl.fcntl(child_end, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        command = die_with_parent.mortal_command(
            signal.SIGKILL,
            os.getpid(),
            [
                sys.executable,
                "-m",
                "pipelines.fence.begin",
                __package__ + ".reader_program",
                str(child_end),
            ],
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
        self._pipe = Pipe(answers, self._process)
        self._memory = psutil.Process(self._process.pid)
        self._most = most
        self._pipe.until(deadline, lambda: False, most)
        self._ask(request)
        self._record()
        self._limit = self._memory.memory_info().rss + most

    def is_alive(self) -> bool:
        """Tell whether the process is still there."""
        return self._process.poll() is None

    def read(self, interval: Interval, deadline: float, folder: Path | None) -> Raw | Stream:
        """Ask for the interval's rows and wait for them, or for the first of many.

        The deadline counts what is waited for them, not what is done with the first of many. Raises
        Late where it is over, Large where the process takes, or answers with, more than it may.
        """
        import pyarrow as pa

        self._pipe.until(deadline, self._is_large, self._most)
        question = {"interval": interval.model_dump(mode="json")}
        self._ask(json.dumps(question | ({"folder": str(folder)} if folder else {})))
        record = _answer_of(self._record())
        if "stream" in record:
            stream = pa.ipc.open_stream(pa.PythonFile(self._pipe, mode="r"))
            return Stream(record["stream"], stream.schema, self._parts(stream))
        tables = {}
        for name in record["tables"]:
            with pa.ipc.open_stream(pa.PythonFile(self._pipe, mode="r")) as stream:
                tables[name] = stream.read_all()
        unread = None if record["unread"] is None else self._pipe.read(record["unread"])
        return Raw(tables, record["problem"], unread)

    def _parts(self, stream: Any) -> Iterator[pa.Table]:
        """Yield the rows of the stream; what follows them says whether they are all."""
        import pyarrow as pa

        with stream:
            for batch in stream:
                with self._pipe.pause(self._most):
                    yield pa.Table.from_batches([batch])
        _answer_of(self._record())

    def _ask(self, line: str) -> None:
        stdin: Any = self._process.stdin
        try:
            stdin.write(line.encode() + b"\n")
            stdin.flush()
        except BrokenPipeError:
            raise ProcessEnded(self._process.wait()) from None

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


def _answer_of(record: dict[str, Any]) -> dict[str, Any]:
    """Return an answer. Raises the error that it tells of."""
    if record.get("memory"):
        raise MemoryError
    if "unexpected" in record:
        raise BadData(
            f"The source raised {record['unexpected']}.",
            remedy="check `source` in the spec, and what it reads from.",
        )
    if "error" in record:
        raise getattr(errors, record["error"])(record["message"], remedy=record["remedy"])
    if "unread_file" in record:
        file = record["unread_file"]
        raise UnreadableRows(record["problem"], None if file is None else Path(file))
    return record


def _end(process: subprocess.Popen[bytes], answers: int) -> None:
    process.kill()
    process.wait()
    if process.stdin is not None:
        process.stdin.close()
    os.close(answers)


class Pipe:
    """What the process writes, as a file that Arrow reads.

    A read ends with Late, Large or ProcessEnded where it must, however steadily bytes come.
    """

    closed = False

    def __init__(
        self,
        descriptor: int,
        process: subprocess.Popen[bytes],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read from this descriptor what the process writes; the clock tells seconds."""
        self._descriptor = descriptor
        self._process = process
        self._clock = clock
        self._data = bytearray()
        self._deadline = 0.0
        self._next_look = 0.0
        self._is_large: Any = None
        self._most = 0

    def until(self, deadline: float, is_large: Any, most: int) -> None:
        """Set the limits of the reads that follow: their time, and the bytes of all together."""
        self._deadline, self._is_large, self._most = deadline, is_large, most

    @contextlib.contextmanager
    def pause(self, most: int) -> Iterator[None]:
        """Do not count the time within. What follows may have so many bytes again."""
        began = self._clock()
        yield
        self._deadline += self._clock() - began
        self._most = most

    def read(self, size: int) -> bytes:
        """Return exactly so many bytes."""
        self._expect(size)
        while len(self._data) < size:
            self._wait()
        data = bytes(memoryview(self._data)[:size])
        del self._data[:size]
        self._most -= size
        return data

    def read_buffer(self, size: int) -> pa.Buffer:
        """Return exactly so many bytes, as Arrow asks for them: read to where they stay.

        The room grows with what has come, for how much will come the other side merely says.
        """
        import pyarrow as pa

        self._expect(size)
        room = min(size, max(_FIRST_BYTES, len(self._data)))
        buffer = pa.allocate_buffer(room, resizable=True)
        place = min(size, len(self._data))
        memoryview(buffer).cast("B")[:place] = self._data[:place]
        del self._data[:place]
        while place < size:
            if place == room:
                room = min(size, 2 * room)
                buffer.resize(room)
            self._wait_for_bytes()
            count = os.readv(self._descriptor, [memoryview(buffer).cast("B")[place:]])
            if not count:
                raise ProcessEnded(self._process.wait())
            place += count
        self._most -= size
        return buffer

    def readline(self) -> bytes:
        """Return the bytes up to the next end of a line."""
        while (end := self._data.find(b"\n")) < 0:
            self._expect(len(self._data))
            self._wait()
        return self.read(end + 1)

    def _expect(self, size: int) -> None:
        """Raise Large where so many bytes more are more than may come."""
        if not 0 <= size <= self._most:
            raise Large

    def _wait_for_bytes(self) -> None:
        while True:
            self._look()
            if select.select([self._descriptor], [], [], _LOOK_SECONDS)[0]:
                return

    def _look(self) -> None:
        """Look at the clock and at the process's memory, if it is time to."""
        now = self._clock()
        if now < self._next_look:
            return
        self._next_look = now + _LOOK_SECONDS
        if self._is_large():
            raise Large
        if now > self._deadline:
            raise Late

    def _wait(self) -> None:
        self._wait_for_bytes()
        chunk = os.read(self._descriptor, _PIPE_BYTES)
        if not chunk:
            raise ProcessEnded(self._process.wait())
        self._data += chunk

    def flush(self) -> None:
        """Do nothing: what is read needs no flush."""

    def close(self) -> None:
        """Do nothing: the next answer comes through the same pipe."""
