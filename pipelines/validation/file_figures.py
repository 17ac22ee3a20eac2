"""The figures of a Parquet file: from its footer, else from one column at a time."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor, wait
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pipelines.building.quoting import quote_name
from pipelines.engine import configuration
from pipelines.validation.footer import Footer
from pipelines.validation.proofs import distinct_in, ends_of, missing_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    import pyarrow as pa

    from pipelines.engine import Engine

_PART_ROWS = 262_144
_BUFFER = 2**20
_LOOK_SECONDS = 0.05
"""How often a query is told again that it must end: one that has not begun does not hear it."""
_HASH_BYTES = 24
"""Bytes that the hash of a row takes while hashes are sorted."""


class FileFigures:
    """The figures of a Parquet file, and its rows in parts."""

    def __init__(self, path: Path, engine: Engine, folder: Path) -> None:
        """Read the columns' names and types; `folder` takes what the engine spills."""
        import pyarrow.parquet as pq

        metadata = pq.read_metadata(path)
        self.schema: pa.Schema = pq.read_schema(path)
        self.rows = int(metadata.num_rows)
        self._path = path
        self._engine = engine
        self._folder = folder
        self._footer = Footer(metadata, self.schema)
        self._sums = lru_cache(maxsize=None)(self._sums_of)
        self._begun: dict[tuple[str, ...], Future[bool]] = {}
        self._has_failed = threading.Event()
        self._connections: list[Any] = []

    def missing(self, column: str) -> int:
        """Return how many values are null, or not a number."""
        known = self._footer.missing(column)
        return self._sums(column)[0] if known is None else known

    def ends(self, column: str) -> tuple[Any, Any]:
        """Return the least and the greatest value, None where there is none."""
        known = self._footer.ends(column)
        return self._sums(column)[1] if known is None else known

    def holds_only(self, column: str, values: set[Any]) -> bool:
        """Tell whether there are values, and all of them are among these."""
        there: set[Any] = set()
        for part in self.parts([column], _PART_ROWS, each_once=True):
            there |= distinct_in(part[column])
            if not there <= values:
                return False
        return bool(there)

    def all_differ(self, columns: list[str]) -> bool:
        """Tell whether no two rows are equal in these columns, which hold no null.

        Equal rows have equal hashes: where all hashes differ, so do the rows.
        """
        begun = self._begun.get(tuple(columns))
        return self._all_differ(columns) if begun is None else begun.result()

    @contextlib.contextmanager
    def looking_ahead(
        self, columns: Iterable[str], uniques: Iterable[Sequence[str]]
    ) -> Iterator[None]:
        """Find out, beside what is done within, the sums of some columns, and whether all rows
        differ in each of some lists of columns.

        Where what is done within fails, the work that was begun ends, and nothing waits for it.
        """
        with ThreadPoolExecutor(1) as other:
            begun: list[Future[Any]] = [other.submit(self.missing, column) for column in columns]
            for names in dict.fromkeys(map(tuple, uniques)):
                self._begun[names] = other.submit(self._all_differ, list(names))
            begun += self._begun.values()
            try:
                yield
            except BaseException:
                self._end(begun)
                raise

    def _end(self, begun: list[Future[Any]]) -> None:
        """Let work that nobody waits for any more end: between two parts, or in its query."""
        self._has_failed.set()
        for work in begun:
            work.cancel()
        while wait(begun, _LOOK_SECONDS).not_done:
            for connection in list(self._connections):
                with contextlib.suppress(Exception):  # it was closed meanwhile
                    connection.interrupt()

    def _all_differ(self, columns: list[str]) -> bool:
        passes = 1 + self.rows * _HASH_BYTES // self._engine.memory
        for number in range(passes):
            self._expect_use()
            if self._any_twice(columns, self._hashes_twice(columns, passes, number)):
                return False
        return True

    def twice(self, column: str, most: int) -> tuple[int, list[int]]:
        """Return how many rows have a value that another one has, and the first ones' positions."""
        name = quote_name(column)
        rows = "read_parquet(?, file_row_number = true)"
        values = (
            f"SELECT {name} FROM read_parquet(?) WHERE {name} IS NOT NULL"  # noqa: S608 -- quoted
            f" GROUP BY {name} HAVING count(*) > 1"
        )
        found = f"FROM {rows} WHERE {name} IN ({values})"
        files = [str(self._path)] * 2
        with self._connect() as connection:
            count = connection.execute(f"SELECT count(*) {found}", files).fetchone()
            query = f"SELECT file_row_number {found} ORDER BY 1 LIMIT {most}"
            positions = connection.execute(query, files).fetchall()
        return count[0] if count else 0, [row for (row,) in positions]

    def parts(
        self, columns: list[str], rows: int, *, each_once: bool = False
    ) -> Iterator[pa.Table]:
        """Yield some columns of the rows, so many at once.

        With `each_once` texts come as they lie in the file: each once, and where it stands.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        texts = [name for name in columns if pa.types.is_string(self.schema.field(name).type)]
        with pq.ParquetFile(
            self._path, buffer_size=_BUFFER, read_dictionary=texts if each_once else None
        ) as file:
            for batch in file.iter_batches(rows, columns=columns, use_threads=False):
                yield pa.Table.from_batches([batch])

    def some(self, columns: list[str] | None, step: int, most: int | None = None) -> pa.Table:
        """Return some columns (all for None) of every so manyth row, the first of them at most."""
        import pyarrow as pa

        names = self.schema.names if columns is None else columns
        tables, before, count = [], 0, 0
        for part in self.parts(names, _PART_ROWS):
            first = -before % step
            picked = part if step == 1 else part.take(pa.array(range(first, len(part), step)))
            tables.append(picked)
            before, count = before + part.num_rows, count + picked.num_rows
            if most is not None and count >= most:
                return pa.concat_tables(tables).slice(0, most)
        return pa.concat_tables(tables) if tables else self.schema.empty_table().select(names)

    def _sums_of(self, column: str) -> tuple[int, tuple[Any, Any]]:
        missing, lows, highs = 0, list[Any](), list[Any]()
        ordered = _has_ends(self.schema.field(column).type)
        for part in self.parts([column], _PART_ROWS):
            self._expect_use()
            missing += missing_in(part[column])
            low, high = ends_of(part[column]) if ordered else (None, None)
            if low is not None:
                lows, highs = [min([low, *lows])], [max([high, *highs])]
        return missing, (next(iter(lows), None), next(iter(highs), None))

    def _expect_use(self) -> None:
        """Raise CancelledError where nobody will use what is found out here."""
        if self._has_failed.is_set():
            raise CancelledError

    @contextlib.contextmanager
    def _connect(self) -> Iterator[Any]:
        import duckdb

        with duckdb.connect(config=configuration(self._engine, self._folder)) as connection:
            self._connections.append(connection)
            try:
                yield connection
            finally:
                self._connections.remove(connection)

    def _hashes_twice(self, columns: list[str], passes: int, number: int) -> Any:
        """Return the hashes that stand more than once, of those that belong to one pass."""
        import numpy as np

        hashed = f"hash({', '.join(map(quote_name, columns))})"
        query = f"SELECT {hashed} AS hashed FROM read_parquet(?)"  # noqa: S608 -- names are quoted
        if passes > 1:
            query += f" WHERE {hashed} % {passes} = {number}"
        with self._connect() as connection:
            connection.execute("SET preserve_insertion_order = false")  # they are sorted anyway
            reader = connection.sql(query, params=[str(self._path)]).to_arrow_reader(_PART_ROWS)
            parts = [batch.column(0).to_numpy(zero_copy_only=False) for batch in reader]
        hashes = np.concatenate(parts) if parts else np.empty(0, np.uint64)
        del parts
        hashes.sort()
        return np.unique(hashes[1:][hashes[1:] == hashes[:-1]])

    def _any_twice(self, columns: list[str], hashes: Any) -> bool:
        """Tell whether two rows with one of the hashes are equal."""
        import pyarrow as pa

        if not len(hashes):
            return False
        names = ", ".join(map(quote_name, columns))
        among = f"hash({names}) IN (SELECT hashed FROM hashes_twice)"  # noqa: S608
        more_than_one = f"GROUP BY {names} HAVING count(*) > 1 LIMIT 1"
        rows = f"read_parquet(?) WHERE {among}"
        query = f"SELECT 1 FROM {rows} {more_than_one}"  # noqa: S608 -- names are quoted
        with self._connect() as connection:
            connection.register("hashes_twice", pa.table({"hashed": hashes}))
            return connection.execute(query, [str(self._path)]).fetchone() is not None


def _has_ends(kind: pa.DataType) -> bool:
    """Tell whether Arrow finds the least and the greatest of values of this type."""
    import pyarrow as pa

    return bool(pa.types.is_primitive(kind) or pa.types.is_string(kind))
