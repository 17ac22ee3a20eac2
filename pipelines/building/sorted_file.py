"""Rows to a Parquet file in their order, more of them than fit into memory.

DuckDB sorts them and spills what does not fit. The bytes are those of `to_parquet(sorted_rows(…))`,
whatever the number of threads: rows that are equal in what they are sorted by stay in the order in
which they came.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.building.quoting import quote_name
from pipelines.building.row_groups import groups, write_groups
from pipelines.engine import configuration
from pipelines.errors import GiveUp
from pipelines.tables import GROUP_ROWS, to_parquet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

    from pipelines.engine import Engine

_READ_ROWS = 65_536
"""Rows that are taken from the engine at once."""
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

        settings = configuration(self._engine, folder)
        with duckdb.connect(config=settings) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            ahead = self._engine.memory // _AHEAD_SHARE
            connection.execute(f"SET streaming_buffer_size = '{ahead}B'")
            number = self._free_name()
            kept = [f for f in self._schema if not pa.types.is_null(f.type)]
            numbered_schema = pa.schema([*kept, pa.field(number, pa.int64())])
            reader = pa.RecordBatchReader.from_batches(
                numbered_schema, self._number_rows(tables, numbered_schema)
            )
            connection.register("perennial_rows", reader)
            try:
                query = self._query([f.name for f in kept], number, numbered)
                rows = connection.sql(query).to_arrow_reader(_READ_ROWS)
                count = write_groups(path, map(self._as_kept, groups(rows, GROUP_ROWS)))
            except (duckdb.Error, pa.ArrowException) as error:
                if self._failure is not None:
                    raise self._failure from None
                raise _no_room(error) from error
        if not count:
            path.write_bytes(to_parquet(self._schema.empty_table()))
        return count

    def _free_name(self) -> str:
        name = "row"
        while name in {n.lower() for n in self._schema.names}:
            name += "_"
        return name

    def _query(self, names: list[str], number: str, numbered: str | None) -> str:
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

    def _number_rows(
        self, tables: Iterable[pa.Table], schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows with their numbers, which are those of the order in which they came."""
        import numpy as np
        import pyarrow as pa

        before = 0
        try:
            for table in tables:
                for batch in table.to_batches():
                    numbers = pa.array(np.arange(before, before + batch.num_rows))
                    before += batch.num_rows
                    columns = [batch.column(name) for name in schema.names[:-1]]
                    yield pa.RecordBatch.from_arrays([*columns, numbers], schema=schema)
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
