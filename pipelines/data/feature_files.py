"""From raw batches to a file of features, without holding all rows.

Where the rows cannot depend on the order in which an engine meets them, DuckDB reads the batches'
files and writes the features sorted, on all its threads and within its memory: with the bytes that
`build_batch`'s rows have. Else they are built in memory; and where the batches are too large for
that, from the files on one thread: alike every time, though sums of floats may differ in their last
digits from those in memory. See docs/decisions/0094-rows-stream-through-the-engine.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines import user_code
from pipelines.building.question import BuildQuestion, RawTable
from pipelines.building.quoting import quote_name
from pipelines.columns.widening import with_types
from pipelines.data.batches import read_manifest
from pipelines.data.feature_rows import (
    batches_behind,
    build_batch,
    build_timeout,
    derived_column,
    name_empty_columns,
    parts_of,
    refuse_absent,
    refuse_unusable,
    rows_of_interval,
    subject_of,
    time_of,
)
from pipelines.engine import Engine, configuration, engine_of
from pipelines.spark.place import spark_of
from pipelines.tables import COMPRESSION, from_parquet, is_read_alike, normalise, to_parquet

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from pipelines.building.question import BuildAnswer
    from pipelines.context import Context
    from pipelines.data.manifests import BatchManifest, BatchRef, Plan
    from pipelines.data.plan_types import PlanTypes
    from pipelines.spark.place import SparkPlace
    from pipelines.spec.resources import EngineStep

DUCKDB = "duckdb"
IN_MEMORY = 8
"""Bytes of memory that rows take while they are built in memory, by one byte of their columns: in
this process, on the way, and in that of the code."""
_PART_ROWS = 131_072
"""Rows of a batch that are brought to other types at once."""


@dataclass(frozen=True)
class BuiltFile:
    """A Parquet file of features and its rows, and the engine that built them, in words."""

    path: Path
    rows: int
    engine: str = DUCKDB


def build_file(
    context: Context,
    plan: Plan,
    batch: BatchRef,
    types: PlanTypes,
    folder: Path,
    step: EngineStep = "features",
) -> BuiltFile:
    """Build one batch's features into a file of the folder, by the engine of the step.

    Raises as `build_batch` does.
    """
    engine = engine_of(context.spec.resources, context.settings)
    spark = spark_of(context.spec.resources, context.settings, step)
    files = _RawFiles(context, types, folder, series_too=spark is not None)
    tables = files.tables(
        [read_manifest(context.ports.store, b) for b in batches_behind(context.spec, plan, batch)]
    )
    built = None
    if tables is not None:
        with name_empty_columns(files.empty_columns):
            built = _build_from_files(context, batch, tables, engine, files, spark)
    elif spark is not None:
        context.log.warning("features %s: not on Spark: %s", batch.interval.name, files.unlike)
    if built is not None:
        return built
    table = build_batch(context, plan, batch, types)
    return _keep_whole(table, folder / f"{batch.interval.name}.parquet", DUCKDB)


def _keep_whole(table: pa.Table, path: Path, engine: str) -> BuiltFile:
    path.write_bytes(to_parquet(table))
    return BuiltFile(path, table.num_rows, engine)


def _build_from_files(
    context: Context,
    batch: BatchRef,
    tables: dict[str, RawTable],
    engine: Engine,
    files: _RawFiles,
    spark: SparkPlace | None,
) -> BuiltFile | None:
    """Return what the engine wrote; None where the rows must be built in memory."""
    spec, interval, folder = context.spec, batch.interval, files.folder
    subject, path = subject_of(context.folder), folder / f"{interval.name}.parquet"
    in_order = spec.series is None  # else all rows, whose order is made with their columns
    question = BuildQuestion(
        tables=tables,
        since=interval.start - spec.lookback,
        start=interval.start,
        end=interval.end,
        event_time=spec.event_time if in_order else None,
        order=spec.row_order if in_order else [],
        columns=spec.feature_columns if in_order else spec.built_columns,
        inputs=spec.features.inputs if in_order else [],
        derived=derived_column(spec.target),
        memory=engine.memory,
        threads=engine.threads,
        folder=str(folder),
        target=str(path),
        any_order=files.size * IN_MEMORY > 2 * engine.memory,
        spark=spark,
    )
    answer = user_code.call_build_file(
        context.folder / "features.py", question, subject, build_timeout(context), context.paths
    )
    if answer.unfit:
        context.log.info("features %s: built in memory: %s", interval.name, answer.unfit)
        return None
    refuse_absent(answer.names, spec, subject)
    by = _say_engine(context, interval.name, answer)
    if not in_order:
        return _keep_whole(rows_of_interval(from_parquet(path), spec, interval, subject), path, by)
    if not answer.rows and spec.empty_batches == "allow":
        return None
    if answer.one_thread:
        context.log.info(
            "features %s: built on one thread, since the order of rows may matter to %s",
            interval.name,
            answer.one_thread,
        )
    repeated = bool(answer.rows) and _repeats_keys(path, spec.key, engine, folder)
    refuse_unusable(answer.rows, spec, subject, repeated=repeated, infinite=answer.infinite)
    return BuiltFile(path, answer.rows, by)


def _say_engine(context: Context, batch: str, answer: BuildAnswer) -> str:
    """Return which engine built the rows, and log what may have come out otherwise for it."""
    if answer.spark is None:
        return DUCKDB
    if answer.may_differ:
        context.log.warning(
            "features %s: built on Spark; some digits or rows may be other than DuckDB's: %s",
            batch,
            answer.may_differ,
        )
    return f"spark {answer.spark.spark}" + (" (may differ)" if answer.may_differ else "")


class _RawFiles:
    """The raw tables of one batch's features, as files that the engine can read."""

    def __init__(
        self, context: Context, types: PlanTypes, folder: Path, *, series_too: bool
    ) -> None:
        self.folder = folder
        self.unlike = ""
        """Why there are none, in words."""
        self.empty_columns: list[str] = []
        """The columns in which no batch has a value."""
        self.size = 0
        """Bytes of the tables in memory, as their files say."""
        self._context = context
        self._types = types
        self._series_too = series_too

    def tables(self, raw: list[BatchManifest]) -> dict[str, RawTable] | None:
        """Return the tables that `build` is given; None where a file's types are not read alike."""
        spec = self._context.spec
        if spec.series is not None and not self._series_too:
            return None  # its columns are made of all rows at once
        tables: dict[str, RawTable] = {}
        for name in (spec.source.main, *spec.source.side):
            table = self._table(name, parts_of(spec, name, raw))
            if table is None:
                self.unlike = f"{name} has no rows, or columns that engines read differently"
                return None
            tables[name] = table
        return tables

    def _table(self, name: str, batches: list[BatchManifest]) -> RawTable | None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        kinds: dict[str, pa.DataType] = {}
        paths = []
        for manifest in batches:
            ref = manifest.tables.get(name)
            if ref is None:
                return None
            if not ref.rows:
                continue
            path = self._context.ports.store.path(ref.data)
            metadata, schema = pq.read_metadata(path), pq.read_schema(path)
            self.size += sum(
                metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups)
            )
            changed = self._types.changes(name, ref.columns, ref.rows)
            if changed or any(pa.types.is_null(f.type) for f in schema):
                path = self._in_types(name, manifest.interval.name, path)
                schema = pq.read_schema(path)
            for field in schema:
                if not is_read_alike(field.type) or kinds.get(field.name, field.type) != field.type:
                    return None
                kinds[field.name] = field.type
            paths.append(str(path))
        time = time_of(self._context.spec, name)
        if not paths or (
            time is not None and not pa.types.is_timestamp(kinds.get(time, pa.null()))
        ):
            return None
        floats = [column for column, kind in kinds.items() if pa.types.is_floating(kind)]
        return RawTable(files=paths, columns=list(kinds), floats=floats, time=time)

    def _in_types(self, name: str, batch: str, path: Path) -> Path:
        """Return a copy of a batch's table in the run's types, written part by part.

        Columns that hold nothing anywhere are numbers, as `run_build` has them.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        target = self.folder / f"{batch}.{name}.raw.parquet"
        writer: Any = None
        with pq.ParquetFile(path) as file:
            for part in file.iter_batches(batch_size=_PART_ROWS):
                table = normalise(pa.Table.from_batches([part]), f"The table {name!r}")
                read = self._types.read(name, batch, table)
                if writer is None:
                    self.empty_columns += [
                        f"{name}.{f.name}" for f in read.schema if pa.types.is_null(f.type)
                    ]
                typed = with_types(read)
                writer = writer or pq.ParquetWriter(target, typed.schema, compression=COMPRESSION)
                writer.write_table(typed)
        writer.close()
        return target


def _repeats_keys(path: Path, key: list[str], engine: Engine, folder: Path) -> bool:
    """Tell whether two rows of a file have one key."""
    import duckdb

    keys = ", ".join(map(quote_name, key))
    more_than_one = f"GROUP BY {keys} HAVING count(*) > 1 LIMIT 1"
    query = f"SELECT 1 FROM read_parquet(?) {more_than_one}"  # noqa: S608
    with duckdb.connect(config=configuration(engine, folder)) as connection:
        return connection.execute(query, [str(path)]).fetchone() is not None
