"""What a step says: its log, line by line at the level that the line names, and the one record among its output."""

from __future__ import annotations

import logging
import re
from typing import Any, Protocol

from pipelines.refs import RECORD, last_record

_LEVEL = re.compile(r"\b(DEBUG|INFO|WARNING|ERROR|CRITICAL)\b[\s:\]|-]*")
_LEVEL_WITHIN = 60
"""Characters at a line's start in which a level is looked for: a time and a logger's name stand before it, prose after it."""

_RECORDS_KEPT = 20


class Log(Protocol):
    """The part of a logger that is used here (Airflow's task logger is one)."""

    def log(self, level: int, message: str, /, *arguments: object) -> None:
        """Write one line."""
        ...


class Output:
    """Hears a step: passes its log on, keeps its records and its last error."""

    def __init__(self, step: str, log: Log) -> None:
        """Hear the step of that name, and write into `log`."""
        self._step = step
        self._log = log
        self._level = logging.INFO
        self._records: list[str] = []
        self._last_error = ""
        self._last_line = ""

    def heard(self, stream: str, line: str) -> None:
        """Take in one line. A record is kept and not logged; all else is logged, from whichever stream it came."""
        if stream == "stdout" and RECORD in line:
            self._records = [*self._records[1 - _RECORDS_KEPT :], line]
        elif line.strip():
            self._log_line(line)

    def _log_line(self, line: str) -> None:
        level, text = self._read(line)
        self._log.log(level, "%s", line)
        self._last_line = text
        if level >= logging.ERROR:
            self._last_error = text

    def _read(self, line: str) -> tuple[int, str]:
        """Return the line's level and its text without what stands before.

        A line without a level is of INFO; but from `Traceback` on, and in indented lines, the level stays what it was.
        """
        found = _LEVEL.search(line[:_LEVEL_WITHIN])
        if found:
            self._level = logging.getLevelNamesMapping()[found[1]]
            return self._level, line[found.end() :].strip()
        if line.startswith("Traceback (most recent call last)"):
            self._level = logging.ERROR
        elif not line[0].isspace() and self._level < logging.ERROR:
            self._level = logging.INFO
        return self._level, line.strip()

    @property
    def result(self) -> dict[str, Any] | None:
        """The result in the last record, or None."""
        return last_record(self._records, self._step)

    @property
    def last_words(self) -> str:
        """What the step said last of what went wrong; empty where it said nothing."""
        return self._last_error or self._last_line
