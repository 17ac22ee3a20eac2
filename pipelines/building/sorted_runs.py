"""Rows in their order, more of them than fit into memory: sorted in runs, which are merged.

Runs that come in order are passed on as they are, until one does not continue it.
Arrow sorts, as it sorts a table in memory: the order is that of `sorted_rows`, and rows that are
equal in what they are sorted by stay as they came.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import chain, count
from typing import TYPE_CHECKING, Any

from pipelines.ahead import iterate_ahead
from pipelines.building.run_file import RunFile, key_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    import pyarrow as pa

    from pipelines.building.run_file import Key

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
_MERGED_BYTES = 2**25
"""So many bytes, about, are merged at once: few enough for their memory to be used again."""


class SortedRuns:
    """Sorts tables of one schema by some of its columns, of which there is at least one."""

    def __init__(self, schema: pa.Schema, order: Sequence[str], memory: int, folder: Path) -> None:
        """Remember what to sort by; `memory` are the bytes to use, `folder` takes the runs."""
        self._schema = schema
        self._order = list(order)
        self._run_bytes = min(memory // _SHARE, _LARGEST)
        self._folder = folder
        self._numbers = count()
        self._levels: list[list[Path]] = []
        """The runs' files. Those of a level were merged from those of the level before it."""
        self._left: pa.Table | None = None

    @property
    def has_left(self) -> bool:
        """Whether rows came that did not continue the order."""
        return self._left is not None

    def pass_ordered(self, tables: Iterator[pa.Table]) -> Iterator[pa.RecordBatch]:
        """Yield the rows of the first runs as they come, as long as they are in order.

        Raises what the tables raise.
        """
        import pyarrow as pa

        end: Key | None = None
        for gathered in self._gather(tables):
            rows = pa.concat_tables(gathered).combine_chunks()
            gathered.clear()
            if not rows.num_rows:
                continue
            if self._places(rows) is not None or (end and key_of(rows, 0, self._order) < end):
                self._left = rows
                return
            end = key_of(rows, rows.num_rows - 1, self._order)
            yield from rows.to_batches()

    def sort(
        self, before: Iterable[pa.RecordBatch], tables: Iterable[pa.Table]
    ) -> Iterator[pa.RecordBatch]:
        """Yield all rows in their order, once all of them have come; `before` are those passed.

        Raises what the tables raise; OSError and Arrow's errors where there is no room.
        """
        first = [self._write(before)]
        with ThreadPoolExecutor(1) as other:
            writing: Future[None] | None = None
            for gathered in self._gather(chain(self._take_left(), tables)):
                if writing is not None:
                    writing.result()
                # One run is sorted while the rows of the next one come.
                writing = other.submit(self._keep_run, gathered)
            if writing is not None:
                writing.result()
        # What was merged before came before.
        runs = [path for level in reversed(self._levels) for path in level]
        yield from iterate_ahead(self._merge([*first, *runs]))

    def _take_left(self) -> Iterator[pa.Table]:
        left, self._left = self._left, None
        if left is not None:
            yield left

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
        path = self._write(self._in_order(rows))
        del rows
        for number in count():
            if number == len(self._levels):
                self._levels.append([])
            level = self._levels[number]
            level.append(path)
            if len(level) < _MOST_RUNS:
                return
            path = self._write(self._merge(level))
            level.clear()

    def _places(self, rows: pa.Table) -> pa.Array | None:
        """Return which row stands where in the order; None where each stands where it is."""
        import numpy as np
        import pyarrow.compute as pc

        keys: Any = [(name, "ascending") for name in self._order]
        places = pc.sort_indices(rows.select(self._order), sort_keys=keys)
        is_ordered = np.array_equal(places, np.arange(rows.num_rows, dtype=np.uint64))
        return None if is_ordered else places

    def _in_order(self, rows: pa.Table) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a table in their order."""
        rows = rows.combine_chunks()  # to pick from one piece is faster
        places = self._places(rows)
        yield from (rows if places is None else rows.take(places)).to_batches()

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

    def _merge(self, paths: list[Path]) -> Iterator[pa.RecordBatch]:
        """Yield the rows of the runs in their order, and remove the files."""
        import pyarrow as pa

        batches: list[pa.RecordBatch] = []
        size = 0
        for read in self._rounds([RunFile(path, self._order) for path in paths]):
            batches += read
            size += sum(batch.nbytes for batch in read)
            if size >= min(self._run_bytes, _MERGED_BYTES):
                yield from self._in_order(pa.Table.from_batches(batches))
                batches, size = [], 0
        if batches:
            yield from self._in_order(pa.Table.from_batches(batches))

    def _rounds(self, runs: list[RunFile]) -> Iterator[list[pa.RecordBatch]]:
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


def _in_parts(batch: pa.RecordBatch, most: int) -> Iterator[pa.RecordBatch]:
    """Yield the batch in parts of so many bytes at most, or of one row."""
    if batch.nbytes <= most or batch.num_rows <= 1:
        yield batch
        return
    middle = batch.num_rows // 2
    yield from _in_parts(batch.slice(0, middle), most)
    yield from _in_parts(batch.slice(middle), most)
