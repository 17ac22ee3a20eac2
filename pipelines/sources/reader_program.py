"""The process that reads a source: `python -m pipelines.sources.reader_program FD`.

`pipelines.sources.reader_process` starts it and ends it.

On stdin come lines of JSON: first what to read from, then one interval after another. To FD go, for
each interval, lines of JSON (log messages, then the answer or the error), and behind an answer its
tables as Arrow streams and the unread bytes.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pydantic import TypeAdapter

from pipelines.errors import PerennialError
from pipelines.intervals import Interval
from pipelines.sources.catalogue import open_reader
from pipelines.spec.schema import Column
from pipelines.spec.sources import Source as SourceSpec

if TYPE_CHECKING:
    from pipelines.sources.port import Raw

_TIMES, _SLACK = 4, 256 * 2**20
"""The kernel's bound in bytes.

So many times what one file may unpack to, and what threads and libraries ask for besides.
"""


def main(descriptor: int) -> None:
    """Serve until stdin ends."""
    import pandas as pd  # noqa: F401 -- before the memory is measured from which the limit counts
    import pyarrow as pa  # noqa: F401 -- likewise

    with os.fdopen(descriptor, "wb") as answers:
        request = json.loads(sys.stdin.readline())
        logging.getLogger().addHandler(_LogSender(answers))
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
            try:
                raw = source.read(Interval.model_validate_json(line))
            except PerennialError as error:
                _send(
                    answers,
                    {
                        "error": type(error).__name__,
                        "message": error.message,
                        "remedy": error.remedy,
                    },
                )
            except MemoryError:
                _send(answers, {"memory": True})
            # What no reader expected must reach the one who asked.
            except Exception as error:  # noqa: BLE001
                _send(answers, {"unexpected": f"{type(error).__name__}: {error}"[:500]})
            else:
                _answer(answers, raw)


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

    def emit(self, record: logging.LogRecord) -> None:
        """Send the message."""
        _send(
            self._answers,
            {"log": record.getMessage(), "level": record.levelno, "logger": record.name},
        )


def _answer(answers: IO[bytes], raw: Raw) -> None:
    import pyarrow as pa

    unread = None if raw.unread is None else len(raw.unread)
    _send(answers, {"tables": list(raw.tables), "problem": raw.problem, "unread": unread})
    for table in raw.tables.values():
        with pa.ipc.new_stream(pa.PythonFile(answers, mode="w"), table.schema) as stream:
            stream.write_table(table, max_chunksize=65_536)
    answers.write(raw.unread or b"")
    answers.flush()


def _send(answers: IO[bytes], record: dict[str, Any]) -> None:
    answers.write(json.dumps(record).encode() + b"\n")
    answers.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
