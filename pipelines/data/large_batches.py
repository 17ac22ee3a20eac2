"""A batch from its source into the store, whatever its size.

What fits into memory is read, sorted and written there. What does not comes part by part from the
reader's process, is sorted in runs on the disk, and written group by group: with the same bytes,
findings and errors. See docs/decisions/0098-large-batches-stream.md.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pipelines.building.sorted_file import SortedFile
from pipelines.columns.contract import (
    in_schema,
    news_of,
    nulls_of,
    refuse_gone,
    refuse_nulls,
    select_known,
)
from pipelines.data.batches import in_model_terms, manifest_of, read_source
from pipelines.data.manifests import BatchManifest, TableRef
from pipelines.data.row_keys import content_names, refuse_taken
from pipelines.engine import engine_of, work_folder
from pipelines.errors import BadData
from pipelines.sources import Raw
from pipelines.sources.port import Streaming, UnreadableRows
from pipelines.sources.row_steps import through
from pipelines.spec.facts import ROW_KEY
from pipelines.spec.schema import load_schema
from pipelines.spec.table_options import TableOptions
from pipelines.tables import columns_of, problem_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa

    from pipelines.context import Context
    from pipelines.intervals import Interval
    from pipelines.sources import Source
    from pipelines.sources.port import Stream
    from pipelines.spec.schema import Column


def keep_batch(context: Context, source: Source, interval: Interval) -> BatchManifest:
    """Store what the source has of an interval, and return the batch's manifest."""
    spec, store = context.spec, context.ports.store
    if spec.source.kind != "files" or not isinstance(source, Streaming):
        return manifest_of(store, spec, interval, read_source(context, source, interval))
    with work_folder(context.settings.spill) as folder:
        answer = source.stream(interval, folder)
        if isinstance(answer, Raw):
            raw = in_model_terms(context, answer, interval)
            return manifest_of(store, spec, interval, raw)
        context.log.info("batch %s: large: read part by part", interval.name)
        return _Large(context, interval, folder).keep(answer)


class _Large:
    """One batch that is too large for memory."""

    def __init__(self, context: Context, interval: Interval, folder: Path) -> None:
        self._context = context
        self._interval = interval
        self._folder = folder

    def keep(self, stream: Stream) -> BatchManifest:
        """Store the rows of the stream. What they have wrong is the batch's problem."""
        spec, store = self._context.spec, self._context.ports.store
        try:
            return self._keep(stream)
        except UnreadableRows as error:
            raw = Raw(problem=error.problem, unread_file=error.unread)
        except _OfSource as error:
            raise error.error from error.error.__cause__
        except BadData as error:
            raw = Raw(problem=problem_of(error))
        return manifest_of(store, spec, self._interval, raw)

    def _keep(self, stream: Stream) -> BatchManifest:
        spec = self._context.spec
        schema = load_schema(self._context.folder)
        columns = schema.tables.get(stream.name) if schema is not None else None
        where = f"{self._interval.name}: {stream.name}"
        tables, notices = _of_source(stream.tables), []
        empty = stream.schema.empty_table()
        if columns is not None:
            held = _Held(columns, where, spec.source.timezone)
            tables, empty = held.through(tables), select_known(empty, columns)
            notices = news_of(stream.schema, columns, where)
        elif schema is not None:
            notices = [f"{where}: schema.yaml does not know this table"]
        if spec.makes_key:
            refuse_taken(empty.column_names, f"The table {stream.name!r}")
            tables, empty = map(_with_content, tables), _with_content(empty)
        return self._write(stream.name, tables, empty.schema, notices)

    def _write(
        self, name: str, tables: Iterable[pa.Table], schema: pa.Schema, notices: list[str]
    ) -> BatchManifest:
        context, spec = self._context, self._context.spec
        order = [*([spec.raw_event_time] if spec.raw_event_time else []), *spec.key]
        sorting = SortedFile(schema, order, engine_of(spec.resources, context.settings))
        path = self._folder / "sorted.parquet"
        numbered = ROW_KEY if spec.makes_key else None
        rows = sorting.write(tables, path, self._folder, numbered)
        data = context.ports.store.put_file(path, ".parquet")
        table = TableRef(data=data, rows=rows, columns=columns_of(schema.empty_table()))
        return BatchManifest(
            model=spec.name, interval=self._interval, tables={name: table}, notices=notices
        )


class _Held:
    """Parts of a table held against the columns of schema.yaml, as `batches.in_schema` does."""

    def __init__(self, columns: Mapping[str, Column], where: str, zone: str) -> None:
        self._columns = columns
        self._where = where
        self._zone = zone

    def through(self, tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """Yield the columns that the schema names. Raises BadData, after the last part."""
        steps = [
            partial(self._bring_into_type, name=name, column=column)
            for name, column in self._columns.items()
        ]
        rows, nulls = 0, dict[str, int]()
        names: list[str] = []
        for _, table in through(_count_before(tables), steps):
            rows, names = rows + table.num_rows, table.column_names
            for name, count in nulls_of(table, self._columns).items():
                nulls[name] = nulls.get(name, 0) + count
            yield select_known(table, self._columns)
        if rows:
            refuse_gone(names, self._columns, self._where)
        refuse_nulls(nulls, self._where)

    def _bring_into_type(self, table: pa.Table, before: int, *, name: str, column: Any) -> pa.Table:
        def place(row: int) -> str:
            return f"{self._where}, row {before + row}"

        return in_schema(table, {name: column}, TableOptions(), self._zone, place)


def _count_before(tables: Iterable[pa.Table]) -> Iterator[tuple[int, pa.Table]]:
    before = 0
    for table in tables:
        yield before, table
        before += table.num_rows


def _with_content(table: pa.Table) -> pa.Table:
    """Return the table with the hashes of its rows, which the engine makes keys of."""
    import pyarrow as pa

    return table.append_column(ROW_KEY, pa.array(content_names(table), pa.string()))


class _OfSource(Exception):
    """The source raised it: it is no problem of the batch."""

    def __init__(self, error: BadData) -> None:
        super().__init__(str(error))
        self.error = error


def _of_source(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    try:
        yield from tables
    except BadData as error:
        raise _OfSource(error) from error
