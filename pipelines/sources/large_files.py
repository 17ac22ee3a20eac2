"""Files that are too large for memory: their rows as a stream, with the types, the values and the
errors that reading them whole would give.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.columns.contract import arrow_type
from pipelines.errors import BadData
from pipelines.sources import csv_parts
from pipelines.sources.event_times import (
    any_time,
    has_texts,
    pick_rows,
    require_times,
    say_lost,
    times_of,
)
from pipelines.sources.file_parts import FileParts, file_parts
from pipelines.sources.parsing import ReadWhole, together
from pipelines.sources.row_steps import exhaust, through
from pipelines.tables import sorts_alike

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

    from pipelines.intervals import Interval
    from pipelines.sources.parsing import Reading
    from pipelines.sources.row_steps import Step
    from pipelines.sources.stored_files import StoredFile

SHARE = 4
"""Files whose rows take more than a part (a fourth) of what one may unpack to are streamed."""
_SMALL_SHARE = 100
"""Files with less than a part (a hundredth) of that are not looked at."""


@dataclass(frozen=True)
class Parts:
    """The rows of an interval: their types, and what yields them."""

    schema: pa.Schema
    tables: Iterator[pa.Table]


def is_large(files: list[StoredFile], most: int) -> bool:
    """Tell whether the files are streamed, where `most` bytes may be unpacked in memory."""
    return sum(file.unpacked for file in files) * SHARE > most


def least_bytes(most: int) -> int:
    """Return the stored bytes below which no files are large."""
    return most // _SMALL_SHARE


def can_stream(files: list[StoredFile], reading: Reading) -> bool:
    """Tell whether the files' types are known before their rows are read.

    A CSV tells its types by all of its values, unless schema.yaml states them.
    """
    if any(arrow_type(column.type) is None for column in reading.stated.values()):
        return False
    if files[0].kind == "csv":
        return reading.schema is not None and csv_parts.streams(reading.options)
    return reading.schema is not None or not any(file.folders for file in files)


def large_parts(
    files: list[tuple[StoredFile, Path]],
    reading: Reading,
    event_time: str | None,
    interval: Interval | None,
    subject: str,
) -> Parts | None:
    """Return the rows of the files; None where they can only be read whole.

    Of an interval those of its time alone. Raises BadData as reading them whole does; what the rows
    themselves have wrong is raised by `tables`, after the last of them.
    """
    try:
        opened = _open_all(files, reading)
        empty = _together(opened, subject)
    except ReadWhole:
        return None
    if not all(sorts_alike(field.type) for field in empty.schema):
        return None
    rows = _Rows(opened, empty, subject)
    tables = _with_times(rows, event_time, reading.zone)
    schema = tables.schema
    if interval is not None:
        picked = (pick_rows(table, event_time, interval) for table in tables.tables)
        return Parts(schema, picked)
    return tables


def _open_all(files: list[tuple[StoredFile, Path]], reading: Reading) -> list[FileParts]:
    """Return the files' parts; where one cannot be opened, those before it are read first."""
    opened: list[FileParts] = []
    for file, path in files:
        try:
            opened.append(file_parts(file, path, reading))
        except BadData:
            for before in opened:
                exhaust(before.parts())
            raise
    return opened


def _together(opened: list[FileParts], subject: str) -> pa.Table:
    """Return an empty table of all files' columns. What is wrong in a file is said before."""
    try:
        return together([file.empty for file in opened], subject)
    except BadData:
        for file in opened:
            exhaust(file.parts())
        raise


@dataclass(frozen=True)
class _Rows:
    """All rows of the files, in one schema, as often as they are asked for."""

    files: list[FileParts]
    empty: pa.Table
    subject: str

    def through(self, steps: Sequence[Step] = ()) -> Iterator[pa.Table]:
        """Yield the rows as the steps leave them."""
        return (table for _, table in through(self._parts(), [self._unify, *steps]))

    def _parts(self) -> Iterator[tuple[int, pa.Table]]:
        before = 0
        for file in self.files:
            for _, table in file.parts():
                yield before, table
                before += table.num_rows

    def _unify(self, table: pa.Table, _: int) -> pa.Table:
        """Return a part in the types of all files."""
        if table.schema == self.empty.schema:
            return table
        return together([self.empty, table], self.subject)


def _with_times(rows: _Rows, column: str | None, zone: str) -> Parts:
    """Return the rows with their event time as times, as `event_times.with_times` makes them."""
    import pyarrow as pa

    schema = rows.empty.schema

    def require(table: pa.Table, _: int) -> pa.Table:
        require_times(table, column, rows.subject)
        return table

    if column is None or not has_texts(schema, column):
        return Parts(schema, rows.through([require]))
    if not any(any_time(table[column]) for table in rows.through()):
        return Parts(schema, rows.through([require]))
    place, lost = schema.names.index(column), [0]

    def read_times(table: pa.Table, _: int) -> pa.Table:
        times, losses = times_of(table[column], column, rows.subject, zone)
        lost[0] += losses
        return table.set_column(place, column, times)

    def tables() -> Iterator[pa.Table]:
        yield from rows.through([read_times])
        say_lost(lost[0], column, rows.subject)

    moment = pa.field(column, pa.timestamp("us", "UTC"))
    return Parts(schema.set(place, moment), tables())
