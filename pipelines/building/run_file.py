"""A file of rows in their order, from which they are taken up to a key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa

    Key = tuple[tuple[int, Any], ...]
    """What a row is sorted by, as Python compares it."""


class RunFile:
    """A run's file, and those of its rows that were read and not taken."""

    def __init__(self, path: Path, order: Sequence[str]) -> None:
        """Open the file; `order` are the columns that its rows are sorted by."""
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
        return key_of(batch, batch.num_rows - 1, self._order)

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


def key_of(rows: pa.Table | pa.RecordBatch, row: int, order: Sequence[str]) -> Key:
    """Return what a row is sorted by."""
    return tuple(_comparable(rows.column(name)[row]) for name in order)


def _comparable(value: Any) -> tuple[int, Any]:
    """Return a value as Python compares it in Arrow's order: numbers, what is none, null."""
    import pyarrow as pa

    if not value.is_valid:
        return 2, 0
    if isinstance(value, pa.StringScalar | pa.BinaryScalar):
        return 0, value.as_buffer().to_pybytes()
    plain = value.value if isinstance(value, pa.TimestampScalar) else value.as_py()
    return (0, plain) if plain == plain else (1, 0)  # noqa: PLR0124 -- NaN differs from itself
