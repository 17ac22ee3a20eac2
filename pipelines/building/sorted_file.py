"""Rows to a Parquet file in their order, more of them than fit into memory.

The bytes are those of `to_parquet(sorted_rows(…))`: rows that are equal in what they are sorted by
stay in the order in which they came. Arrow sorts them in runs, which are merged; where equal texts
are numbered too, DuckDB does both.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from pipelines.building.quoting import quote_name
from pipelines.building.row_groups import groups, write_groups
from pipelines.building.sorted_runs import SortedRuns
from pipelines.engine import configuration
from pipelines.errors import GiveUp
from pipelines.tables import GROUP_ROWS, to_parquet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

    from pipelines.engine import Engine

_READ_ROWS = 65_536
"""Rows that are taken from the engine, or from what was passed, at once."""
_AHEAD_SHARE = 32
"""A part (a thirty-second) of the engine's memory holds rows that nobody has taken yet. By default
it is a megabyte, and while that is full the engine's threads wait.
"""


class SortedFile:
    """Writes a stream of tables of one schema, sorted by some of its columns."""

    def __init__(self, schema: pa.Schema, order: Sequence[str], engine: Engine) -> None:
        """Remember the columns that are there to sort by."""
        self._schema = schema
        self._order = [name for name in dict.fromkeys(order) if name in schema.names]
        self._engine = engine
        self._failure: Exception | None = None

    def write(
        self, tables: Iterable[pa.Table], path: Path, folder: Path, numbered: str | None = None
    ) -> int:
        """Write the rows to a new file and return how many there are.

        `folder` takes what spills. The texts of the column `numbered` get the number of the row
        among those with the same text, in the order in which they came: `a-1`, `a-2`.

        Raises what the tables raise, and GiveUp where there is no room.
        """
        import duckdb
        import pyarrow as pa

        noted = self._note_failure(tables)
        try:
            with _reused_memory():
                if numbered is None:
                    count = self._sort(noted, path, folder)
                else:
                    count = self._sort_numbered(noted, path, folder, numbered)
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            if self._failure is not None:
                raise self._failure from None
            raise _no_room(error) from error
        if not count:
            path.write_bytes(to_parquet(self._schema.empty_table()))
        return count

    def _sort(self, tables: Iterable[pa.Table], path: Path, folder: Path) -> int:
        """Write the rows in their order, and return how many there are."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        names = self._schema.names
        alike = (
            pa.table([table.column(name) for name in names], schema=self._schema)
            for table in tables
        )
        order = [n for n in self._order if not pa.types.is_null(self._schema.field(n).type)]
        if not order:
            return self._write(path, (batch for table in alike for batch in table.to_batches()))
        runs = SortedRuns(self._schema, order, self._engine.memory, folder)
        count = self._write(path, runs.pass_ordered(alike))
        if not runs.has_left:
            return count
        passed = path.rename(folder / "passed.parquet")
        with pq.ParquetFile(passed) as file:
            before = map(self._alike, file.iter_batches(_READ_ROWS))
            count = self._write(path, runs.sort(before, alike))
        passed.unlink()
        return count

    def _alike(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return rows that were written in the types in which they came."""
        import pyarrow as pa

        return pa.RecordBatch.from_arrays(batch.columns, schema=self._schema)

    def _write(self, path: Path, batches: Iterable[pa.RecordBatch]) -> int:
        import pyarrow as pa

        rows = pa.RecordBatchReader.from_batches(self._schema, batches)
        return write_groups(path, map(self._as_kept, groups(rows, GROUP_ROWS)))

    def _sort_numbered(
        self, tables: Iterable[pa.Table], path: Path, folder: Path, numbered: str
    ) -> int:
        """Write the rows with numbered texts in their order, and return how many there are."""
        import duckdb
        import pyarrow as pa

        settings = configuration(self._engine, folder)
        with duckdb.connect(config=settings) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            ahead = self._engine.memory // _AHEAD_SHARE
            connection.execute(f"SET streaming_buffer_size = '{ahead}B'")
            number = self._free_name()
            kept = [f for f in self._schema if not pa.types.is_null(f.type)]
            schema = pa.schema([*kept, pa.field(number, pa.int64())])
            reader = pa.RecordBatchReader.from_batches(schema, _number_rows(tables, schema))
            connection.register("perennial_rows", reader)
            query = self._query([f.name for f in kept], number, numbered)
            rows = connection.sql(query).to_arrow_reader(_READ_ROWS)
            return write_groups(path, map(self._as_kept, groups(rows, GROUP_ROWS)))

    def _free_name(self) -> str:
        name = "row"
        while name in {n.lower() for n in self._schema.names}:
            name += "_"
        return name

    def _query(self, names: list[str], number: str, numbered: str) -> str:
        """Return the SQL of the rows in their order."""
        columns = ", ".join(
            f"{quote_name(name)} || '-' || row_number() OVER (PARTITION BY {quote_name(name)}"
            f" ORDER BY {quote_name(number)}) AS {quote_name(name)}"
            if name == numbered
            else quote_name(name)
            for name in names
        )
        kept = [name for name in self._order if name in names]
        by = [f"{quote_name(name)} ASC NULLS LAST" for name in kept]
        last = quote_name(number)
        order = ", ".join([*by, f"{last} ASC"])
        source = f"SELECT {columns}, {last} FROM perennial_rows"  # noqa: S608 -- quoted
        return f"SELECT * EXCLUDE ({last}) FROM ({source}) ORDER BY {order}"  # noqa: S608

    def _note_failure(self, tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
        try:
            yield from tables
        except Exception as error:
            self._failure = error  # the engine would make a text of it
            raise

    def _as_kept(self, batches: list[pa.RecordBatch]) -> pa.Table:
        """Return a group of rows in the types in which they came."""
        import pyarrow as pa

        rows = pa.Table.from_batches(batches)
        columns = [
            pa.nulls(rows.num_rows, field.type)
            if pa.types.is_null(field.type)
            else _in_type(rows.column(field.name), field.type)
            for field in self._schema
        ]
        return pa.table(columns, schema=self._schema).combine_chunks()


def _number_rows(tables: Iterable[pa.Table], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield the rows with their numbers, which are those of the order in which they came."""
    import numpy as np
    import pyarrow as pa

    before = 0
    for table in tables:
        for batch in table.to_batches():
            numbers = pa.array(np.arange(before, before + batch.num_rows))
            before += batch.num_rows
            columns = [batch.column(name) for name in schema.names[:-1]]
            yield pa.RecordBatch.from_arrays([*columns, numbers], schema=schema)


@contextlib.contextmanager
def _reused_memory() -> Iterator[None]:
    """Let Arrow take memory that the process used before.

    Its own allocator gives each large array back at once; to get the pages again takes a fourth of
    the sorting's time.
    """
    import pyarrow as pa

    before = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(before)


def _in_type(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    return column if column.type == kind else column.cast(kind)


def _no_room(error: Exception) -> GiveUp:
    message = (str(error).splitlines() or [""])[0][:300].removesuffix(".")
    return GiveUp(
        f"The rows could not be sorted: {message}.",
        remedy=(
            "raise `resources.memory` in model.yaml or PERENNIAL_MEMORY, or let PERENNIAL_SPILL be"
            " a folder with more room."
        ),
    )
