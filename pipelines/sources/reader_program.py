"""The process that reads a source; its argument is a file descriptor, FD.

`pipelines.sources.reader_process` starts it and ends it.

On stdin come lines of JSON: first what to read from, then one question after another, each with its
interval. To FD go, for each, lines of JSON (log messages, then the answer or the error), and behind
an answer its tables as Arrow streams and the unread bytes. Of rows that are read part by part the
answer comes before the last of them is known to be readable: one more line behind them says so.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import json
import logging
import os
import resource
import sys
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pydantic import TypeAdapter

from pipelines.ahead import iterate_ahead
from pipelines.collector import paused_collection
from pipelines.errors import PerennialError
from pipelines.intervals import Interval
from pipelines.sources.catalogue import open_reader
from pipelines.sources.files import Files
from pipelines.sources.port import UnreadableRows
from pipelines.spec.schema import Column
from pipelines.spec.sources import Source as SourceSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipelines.sources.port import Raw, Source, Stream

_TIMES, _SLACK = 4, 256 * 2**20
"""The kernel's bound in bytes.

So many times what one file may unpack to, and what threads and libraries ask for besides.
"""


def main(arguments: list[str]) -> None:
    """Serve until stdin ends."""
    with paused_collection(for_good=True):
        # before the memory is measured from which the limit counts
        _load_arrow()

    with os.fdopen(int(arguments[0]), "wb") as answers:
        request = json.loads(sys.stdin.readline())
        sender = _LogSender(answers)
        logging.getLogger().addHandler(sender)
        logging.getLogger("perennial").setLevel(request["level"])
        source = open_reader(
            TypeAdapter(SourceSpec).validate_python(request["source"]),
            request["event_time"],
            Path(request["home"]),
            Path(request["cache"]),
            (request["seconds"], request["most"]),
            TypeAdapter(dict[str, Column] | None).validate_python(request["schema"]),
        )
        _bound_memory(request["most"])
        _send(answers, {"ready": True})
        for line in sys.stdin:
            failure = _failure_of(partial(_read, answers, sender, source, json.loads(line)))
            if failure is not None:
                _send(answers, failure)


class _NoPandas(importlib.abc.MetaPathFinder):
    """Finds no pandas."""

    def find_spec(self, fullname: str, *_: Any) -> None:
        """Raise ModuleNotFoundError for pandas, know nothing of other modules."""
        if fullname == "pandas":
            raise ModuleNotFoundError(name=fullname)


def _load_arrow() -> None:
    """Load Arrow without pandas, which would be more than half of this process's start.

    With its first list Arrow looks for pandas, whose series it could be, and loads it where it is
    found. Who makes a series later, of times that are written oddly, loads pandas for Arrow too.
    """
    import pyarrow as pa

    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.array([])
    finally:
        sys.meta_path.remove(finder)


def _read(answers: IO[bytes], sender: _LogSender, source: Source, question: dict[str, Any]) -> None:
    """Answer one question."""
    interval = Interval.model_validate(question["interval"])
    folder = question.get("folder")
    stream = None
    if folder is not None and isinstance(source, Files):
        stream = source.stream(interval, Path(folder))
    if stream is None:
        _answer(answers, source.read(interval))
    else:
        _send_parts(answers, sender, stream)


def _failure_of(work: Callable[[], None]) -> dict[str, Any] | None:
    """Do the work; return what tells the one who asked that it failed, None where it did not."""
    try:
        work()
    except PerennialError as error:
        kind = type(error).__name__
        return {"error": kind, "message": error.message, "remedy": error.remedy}
    except UnreadableRows as error:
        unread = None if error.unread is None else str(error.unread)
        return {"problem": error.problem, "tables": [], "unread": None, "unread_file": unread}
    except MemoryError:
        return {"memory": True}
    # What no reader expected must reach the one who asked.
    except Exception as error:  # noqa: BLE001
        return {"unexpected": f"{type(error).__name__}: {error}"[:500]}
    return None


def _bound_memory(most: int) -> None:
    """Let the kernel refuse memory far beyond what a read may take.

    The process that asked looks at the memory now and then; on a busy machine a bomb unpacks much
    between two looks.
    """
    import psutil

    bound = psutil.Process().memory_info().data + _TIMES * most + _SLACK
    resource.setrlimit(resource.RLIMIT_DATA, (bound, bound))


class _LogSender(logging.Handler):
    """Sends what is logged to the process that asked."""

    def __init__(self, answers: IO[bytes]) -> None:
        super().__init__()
        self._answers = answers
        self._held: list[dict[str, Any]] | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Send the message, or hold it back."""
        message = {"log": record.getMessage(), "level": record.levelno, "logger": record.name}
        if self._held is None:
            _send(self._answers, message)
        else:
            self._held.append(message)

    @contextlib.contextmanager
    def held_back(self) -> Iterator[None]:
        """Hold back all messages within: rows are on their way."""
        self._held = []
        try:
            yield
        finally:
            held, self._held = self._held, None
            for message in held:
                _send(self._answers, message)


def _answer(answers: IO[bytes], raw: Raw) -> None:
    import pyarrow as pa

    unread = None if raw.unread is None else len(raw.unread)
    _send(answers, {"tables": list(raw.tables), "problem": raw.problem, "unread": unread})
    for table in raw.tables.values():
        with pa.ipc.new_stream(pa.PythonFile(answers, mode="w"), table.schema) as stream:
            stream.write_table(table, max_chunksize=65_536)
    answers.write(raw.unread or b"")
    answers.flush()


def _send_parts(answers: IO[bytes], sender: _LogSender, stream: Stream) -> None:
    """Send the rows as they are read, and behind them whether all could be."""
    import pyarrow as pa

    def send() -> None:
        # One part is sent while the next ones are parsed.
        for table in iterate_ahead(iter(stream.tables)):
            rows.write_table(table, max_chunksize=65_536)

    _send(answers, {"stream": stream.name})
    with (
        sender.held_back(),
        pa.ipc.new_stream(pa.PythonFile(answers, mode="w"), stream.schema) as rows,
    ):
        failure = _failure_of(send)
    _send(answers, failure or {"end": True})


def _send(answers: IO[bytes], record: dict[str, Any]) -> None:
    answers.write(json.dumps(record).encode() + b"\n")
    answers.flush()
