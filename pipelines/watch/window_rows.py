"""The rows of a window, with or without labels, and where they come from.

A model is one with traffic as soon as its inference log holds anything at all: a window without
traffic is then an empty one, and is never filled with batches in silence.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.building.quoting import quote_name
from pipelines.columns.widening import together, with_types
from pipelines.data.batches import read_manifest
from pipelines.data.feature_files import build_file
from pipelines.data.feature_rows import build_batch
from pipelines.data.plan_types import plan_types
from pipelines.data.row_limit import most_rows, states_memory
from pipelines.data.row_parts import RowFiles, RowParts
from pipelines.engine import configuration, engine_of, work_folder
from pipelines.inference_log.rotated_entries import segments_of
from pipelines.spark.place import spark_of

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from pipelines.context import Context
    from pipelines.data.manifests import Plan
    from pipelines.inference_log.join import Counts
    from pipelines.store.port import Store
    from pipelines.watch.sides import Labelled, Rows

    Array = np.ndarray[Any, Any]


WindowSource = Literal["traffic", "batches"]


ARROW = {
    "number": pa.float64(),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
    "string": pa.string(),
}
"""The types in which the log holds an input of a kind."""


@dataclass(frozen=True)
class WindowRows:
    """A window's rows, its labelled ones, what was counted on the way, and what a reader must know.

    `problem` says why the champion could not answer the rows; then `window` has no predictions.
    """

    window: Rows
    labelled: Labelled | None
    counts: Counts
    notes: list[str] = field(default_factory=list)
    problem: str = ""
    of: int | None = None
    """How many rows the window has, where `window` is a sample of them."""


def source_of(store: Store, model: str, *, snapshot: bool = False) -> WindowSource:
    """Return where a model's windows come from.

    Its traffic if its inference log holds anything, else its batches. A snapshot has no batches in
    time, so there it is the traffic, if any.
    """
    return (
        "traffic"
        if snapshot
        or segments_of(store, model, "predictions")
        or store.keys(f"inference/{model}/rotated")
        else "batches"
    )


def build_table(context: Context, plan: Plan) -> pa.Table:
    """Return the features of the window's batches, all of them."""
    spec = context.spec
    types = plan_types(context.ports.store, spec, plan)
    tables = {b.interval.name: build_batch(context, plan, b, types) for b in plan.holdout}
    return with_types(together(tables, "The features of the window", whole=spec.key))


class WindowSample(NamedTuple):
    """Rows of a window, of how many, and by column which share of all of these has no value.

    No shares where the rows are all there are.
    """

    rows: pa.Table
    of: int
    missing: dict[str, float]


def sample_table(context: Context, plan: Plan) -> WindowSample:
    """Return features of the window's batches, and how many rows there are.

    Where these are more than the stated memory holds, or Spark computes for the step, they are
    built into files. Of more rows than memory holds a sample is returned: of each batch the same
    share, drawn by the rows' keys alone. So the rows of a day are fewer and no others, which the
    tests of a change see as a day with fewer rows.
    """
    spark = spark_of(context.spec.resources, context.settings, "drift")
    if spark is None and not _is_large(context, plan):
        table = build_table(context, plan)
        return WindowSample(table, table.num_rows, {})
    types = plan_types(context.ports.store, context.spec, plan)
    with work_folder(context.settings.spill) as folder:
        built = {
            b.interval.name: build_file(context, plan, b, types, folder, "drift")
            for b in plan.holdout
        }
        by = ", ".join(sorted({b.engine for b in built.values()}))
        context.log.info("the window's rows: built by %s", by)
        parts = RowParts(RowFiles(context.spec, {n: b.path for n, b in built.items()}), by=None)
        most = most_rows(context, parts.files.schema.types) or parts.count
        rows = with_types(parts.sample(most))
        is_sample = rows.num_rows < parts.count
        missing = _missing_shares(context, parts.files, folder) if is_sample else {}
        return WindowSample(rows, parts.count, missing)


def _missing_shares(context: Context, files: RowFiles, folder: Path) -> dict[str, float]:
    """Return by column which share of all rows of the files is null or not a number.

    A sample overlooks what is rare. Counting is a scan, which the engine here does sooner than
    Spark is asked.
    """
    import duckdb

    engine = engine_of(context.spec.resources, context.settings)
    counts = [
        f"count(*) FILTER ({quote_name(f.name)} IS NULL"
        + (f" OR isnan({quote_name(f.name)}))" if pa.types.is_floating(f.type) else ")")
        for f in files.schema
    ]
    query = (
        f"SELECT count(*), {', '.join(counts)}"  # noqa: S608 -- names are quoted
        " FROM read_parquet(?, union_by_name = true, hive_partitioning = false)"
    )
    with duckdb.connect(config=configuration(engine, folder)) as connection:
        # DuckDB 2.0 believes that what Parquet's statistics do not tell, `isnan`, is false.
        connection.execute("SET disabled_optimizers = 'statistics_propagation'")
        paths = [str(path) for path in files.paths.values()]
        rows, *found = connection.execute(query, [paths]).fetchone() or (0,)
    return {f.name: count / rows for f, count in zip(files.schema, found, strict=True)}


def _is_large(context: Context, plan: Plan) -> bool:
    """Tell whether the raw rows of a window are more than the stated memory holds at once."""
    store, main = context.ports.store, context.spec.source.main
    if not states_memory(context):
        return False
    tables = [read_manifest(store, b).tables.get(main) for b in plan.holdout]
    found = [t for t in tables if t is not None and t.rows]
    if not found:
        return False
    most = most_rows(context, pq.read_schema(store.path(found[0].data)).types)
    return most is not None and sum(t.rows for t in found) > most
