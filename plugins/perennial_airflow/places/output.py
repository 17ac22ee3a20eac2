"""What a step says: bytes cut into lines, its log at the level that a line names, and the one
record among its output.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

from pipelines.step_record import RECORD, last_record

if TYPE_CHECKING:
    from collections.abc import Callable

    from perennial_airflow.task_log import Log

_LEVEL = re.compile(r"\b(DEBUG|INFO|WARNING|ERROR|CRITICAL)\b[\s:\]|-]*")
_LEVEL_WITHIN = 60
"""Characters at a line's start in which a level is looked for.

A time and a logger's name stand before it, prose after it.
"""

CHUNK = 65_536
"""Bytes of output that are read at once."""

POLL_SECONDS = 0.2
"""How long to wait for output before a look whether the step has ended."""

_RECORDS_KEPT = 20

LONGEST_LINE = 1_000_000
"""Bytes of one line of output that are kept; what a step writes beyond is cut off."""


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

    def take_line(self, stream: str, line: str) -> None:
        """Take in one line.

        A record is kept and not logged; all else is logged, from whichever stream it came.
        """
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

        A line without a level is of INFO; but from `Traceback` on, and in indented lines, the level
        stays what it was.
        """
        match = _LEVEL.search(line[:_LEVEL_WITHIN])
        if match:
            self._level = logging.getLevelNamesMapping()[match[1]]
            return self._level, line[match.end() :].strip()
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


class Lines:
    """Cuts a stream of bytes into lines of bounded length."""

    def __init__(self, name: str, take_line: Callable[[str, str], None]) -> None:
        """Call `take_line(name, line)` for each line."""
        self._name = name
        self._take_line = take_line
        self._rest = bytearray()

    def feed(self, data: bytes) -> None:
        """Take in bytes; pass on the lines that are complete."""
        first, *others = data.split(b"\n")
        self._keep(first)
        for part in others:
            self._pass_on()
            self._keep(part)

    def close(self) -> None:
        """Pass on a last line without its end."""
        if self._rest:
            self._pass_on()

    def _keep(self, part: bytes) -> None:
        self._rest += part[: max(0, LONGEST_LINE - len(self._rest))]

    def _pass_on(self) -> None:
        self._take_line(self._name, self._rest.decode(errors="replace").rstrip("\r"))
        self._rest.clear()
