"""Rows in their order, more of them than fit into memory: sorted in runs, which are merged.

Arrow sorts, as it sorts a table in memory: the order is that of `sorted_rows`, and rows that are
equal in what they are sorted by stay as they came.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    import pyarrow as pa

    Key = tuple[tuple[int, Any], ...]
    """What a row is sorted by, as Python compares it."""

_SHARE = 16
"""A run takes a part (a sixteenth) of the memory, three times that while it is sorted, and the rows
of the next one take as much meanwhile.
"""
_LARGEST = 2**26
"""The most bytes of a run, whatever memory there is: few enough to stay near the processor."""
_PARTS = 64
"""How many batches a run has, at least. Of each run that is merged two are in memory."""
_MOST_RUNS = 128
"""So many runs are merged at once."""
_MERGED_ROWS = 2**18
"""So many rows are merged at once where a run is made of runs."""
_MERGED_SHARE = 4
"""Rows that take a part (a fourth) of the memory are merged, whatever their number."""


class SortedRuns:
    """Sorts tables of one schema by some of its columns, of which there is at least one."""

    def __init__(self, schema: pa.Schema, order: Sequence[str], memory: int, folder: Path) -> None:
        """Remember what to sort by; `memory` are the bytes to use, `folder` takes the runs."""
        self._schema = schema
        self._order = list(order)
        self._run_bytes = min(memory // _SHARE, _LARGEST)
        self._folder = folder
        self._most_bytes = memory // _MERGED_SHARE
        self._numbers = count()
        self._levels: list[list[Path]] = []
        """The runs' files. Those of a level were merged from those of the level before it."""

    def sorted(self, tables: Iterable[pa.Table], rows: int) -> Iterator[pa.RecordBatch]:
        """Yield all rows in their order, once all of them have come, so many at once.

        Where these take much memory, fewer are yielded. Raises what the tables raise; OSError and
        Arrow's errors where there is no room.
        """
        with ThreadPoolExecutor(1) as other:
            writing: Future[None] | None = None
            for gathered in self._gather(tables):
                if writing is not None:
                    writing.result()
                # One run is sorted while the rows of the next one come.
                writing = other.submit(self._keep_run, gathered)
            if writing is not None:
                writing.result()
        # What was merged before came before.
        yield from self._merge([path for level in reversed(self._levels) for path in level], rows)

    def _gather(self, tables: Iterable[pa.Table]) -> Iterator[list[pa.Table]]:
        """Yield the tables in lists that make a run."""
        gathered: list[pa.Table] = []
        size = 0
        for table in tables:
            gathered.append(table)
            size += table.nbytes
            if size >= self._run_bytes:
                yield gathered
                gathered, size = [], 0
        if gathered:
            yield gathered

    def _keep_run(self, tables: list[pa.Table]) -> None:
        """Write the rows of the tables as a run; the list is empty afterwards."""
        import pyarrow as pa

        rows = pa.concat_tables(tables)
        tables.clear()
        if not rows.num_rows:
            return
        path = self._write(self._in_order(rows, rows.num_rows))
        del rows
        for number in count():
            if number == len(self._levels):
                self._levels.append([])
            level = self._levels[number]
            level.append(path)
            if len(level) < _MOST_RUNS:
                return
            path = self._write(self._merge(level, _MERGED_ROWS))
            level.clear()

    def _in_order(self, rows: pa.Table, at_once: int) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a table in their order, so many at once."""
        import numpy as np
        import pyarrow.compute as pc

        rows = rows.combine_chunks()  # to pick from one piece is faster
        keys: Any = [(name, "ascending") for name in self._order]
        places = pc.sort_indices(rows.select(self._order), sort_keys=keys)
        is_ordered = np.array_equal(places, np.arange(rows.num_rows, dtype=np.uint64))
        for start in range(0, rows.num_rows, at_once):
            if is_ordered:
                part = rows.slice(start, at_once)
            else:
                part = rows.take(places.slice(start, at_once))
            yield from part.to_batches()

    def _write(self, batches: Iterable[pa.RecordBatch]) -> Path:
        """Write a run to a new file, in batches of few bytes."""
        import pyarrow as pa

        path = self._folder / f"run-{next(self._numbers)}.arrow"
        most = self._run_bytes // _PARTS
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, self._schema) as run:
            for batch in batches:
                for part in _in_parts(batch, most):
                    run.write_batch(part)
        return path

    def _merge(self, paths: list[Path], at_once: int) -> Iterator[pa.RecordBatch]:
        """Yield the rows of the runs in their order, and remove the files."""
        import pyarrow as pa

        batches: list[pa.RecordBatch] = []
        rows = size = 0
        for read in self._rounds([_Run(path, self._order) for path in paths]):
            batches += read
            rows += sum(batch.num_rows for batch in read)
            size += sum(batch.nbytes for batch in read)
            if rows < at_once and size < self._most_bytes:
                continue
            table, batches = pa.Table.from_batches(batches), []
            for batch in self._in_order(table, at_once):
                if batch.num_rows == at_once or size >= self._most_bytes:
                    yield batch
                else:
                    batches.append(batch)  # these come before all that is not read yet
            del table
            rows = sum(batch.num_rows for batch in batches)
            size = sum(batch.nbytes for batch in batches)
        if batches:
            yield from self._in_order(pa.Table.from_batches(batches), at_once)

    def _rounds(self, runs: list[_Run]) -> Iterator[list[pa.RecordBatch]]:
        """Yield rows of the runs, whose files are removed: those of a list before the next one's.

        Rows that are equal stand in the order of their runs.
        """
        while runs:
            for run in runs:
                run.read_on()
            # Up to the least end of what was read, no row is missing. Of rows that are equal to
            # it, more may follow in its run: those of later runs wait for them.
            ends = [(run.end, place) for place, run in enumerate(runs) if not run.is_read]
            if ends:
                end, last = min(ends)
                pieces = [run.until(end, also=at <= last) for at, run in enumerate(runs)]
            else:
                pieces = [run.rest() for run in runs]
            yield [batch for piece in pieces for batch in piece]
            for run in runs:
                if run.is_taken:
                    run.remove()
            runs = [run for run in runs if not run.is_taken]


class _Run:
    """A run's file, and those of its rows that were read and not taken."""

    def __init__(self, path: Path, order: Sequence[str]) -> None:
        import pyarrow as pa

        self._path = path
        self._order = order
        self._file = pa.OSFile(str(path), "rb")
        self._reader = pa.ipc.open_file(self._file)
        self._next = 0
        self._batches: list[pa.RecordBatch] = []

    @property
    def is_read(self) -> bool:
        """Whether all of the file was read."""
        return bool(self._next == self._reader.num_record_batches)

    @property
    def is_taken(self) -> bool:
        """Whether all rows were taken."""
        return self.is_read and not self._batches

    def remove(self) -> None:
        """Remove the file."""
        self._file.close()
        self._path.unlink(missing_ok=True)

    @property
    def end(self) -> Key:
        """The key of the last row that was read."""
        batch = self._batches[-1]
        return tuple(_comparable(batch.column(name)[batch.num_rows - 1]) for name in self._order)

    def read_on(self) -> None:
        """Read until there are two batches: then at least one is taken next."""
        while len(self._batches) < 2 and not self.is_read:  # noqa: PLR2004
            self._batches.append(self._reader.get_batch(self._next))
            self._next += 1

    def rest(self) -> list[pa.RecordBatch]:
        """Take all rows that were read."""
        taken, self._batches = self._batches, []
        return taken

    def until(self, end: Key, *, also: bool) -> list[pa.RecordBatch]:
        """Take the rows before a key; `also` those that are equal to it."""
        taken = []
        while self._batches:
            batch = self._batches[0]
            rows = self._rows_until(batch, end, also=also)
            if rows:
                taken.append(batch.slice(0, rows))
            if rows < batch.num_rows:
                self._batches[0] = batch.slice(rows)
                break
            del self._batches[0]
        return taken

    def _rows_until(self, batch: pa.RecordBatch, end: Key, *, also: bool) -> int:
        columns = [batch.column(name) for name in self._order]

        def belongs(row: int) -> bool:
            for column, limit in zip(columns, end, strict=True):
                value = _comparable(column[row])
                if value != limit:
                    return value < limit
            return also

        low, high = 0, int(batch.num_rows)
        if belongs(high - 1):
            return high
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if belongs(middle) else (low, middle)
        return low


def _in_parts(batch: pa.RecordBatch, most: int) -> Iterator[pa.RecordBatch]:
    """Yield the batch in parts of so many bytes at most, or of one row."""
    if batch.nbytes <= most or batch.num_rows == 1:
        yield batch
        return
    middle = batch.num_rows // 2
    yield from _in_parts(batch.slice(0, middle), most)
    yield from _in_parts(batch.slice(middle), most)


def _comparable(value: Any) -> tuple[int, Any]:
    """Return a value as Python compares it in Arrow's order: numbers, what is none, null."""
    import pyarrow as pa

    if not value.is_valid:
        return 2, 0
    if isinstance(value, pa.StringScalar | pa.BinaryScalar):
        return 0, value.as_buffer().to_pybytes()
    plain = value.value if isinstance(value, pa.TimestampScalar) else value.as_py()
    return (0, plain) if plain == plain else (1, 0)  # noqa: PLR0124 -- NaN differs from itself
