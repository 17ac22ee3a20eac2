"""A table that is too large to be held: counted by the engine in its file, and a sample of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pyarrow.parquet as pq
from pyarrow import types

from pipelines.building.quoting import quote_name
from pipelines.engine import configuration, engine_of, work_folder
from pipelines.profiling.columns import ColumnFigures, kind_of, sample_places, with_sample
from pipelines.profiling.tables import BatchSummary, looked_at, summarise
from pipelines.tables import from_parquet, is_read_alike, rows_at

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from pipelines.context import Context
    from pipelines.profiling.tables import Roles

LARGE = 20_000_000
"""Values of a table from which on it is not read whole."""


def summarise_file(
    context: Context, path: Path, roles: Roles, *, most: int = LARGE
) -> BatchSummary:
    """Return the summary of the rows in a file, which is the same however they are counted.

    Of more than `most` values the engine counts them.
    """
    metadata, schema = pq.read_metadata(path), pq.read_schema(path)
    alike = all(is_read_alike(kind) for kind in schema.types)
    if metadata.num_rows * metadata.num_columns <= most or not alike:
        return summarise(from_parquet(path), roles)
    sample = rows_at(path, sample_places(metadata.num_rows).tolist())
    engine = engine_of(context.spec.resources, context.settings)
    with (
        work_folder(context.settings.spill) as folder,
        duckdb.connect(config=configuration(engine, folder)) as connection,
    ):
        figures = {
            name: with_sample(_count(connection, path, name, sample[name]), sample[name])
            for name in looked_at(schema.names, roles)
        }
    return BatchSummary(metadata.num_rows, sample, figures)


def _count(
    connection: duckdb.DuckDBPyConnection, path: Path, name: str, sample: pa.ChunkedArray
) -> ColumnFigures:
    column = quote_name(name)
    value = f"CASE WHEN NOT isnan({column}) THEN {column} END"
    value = value if types.is_floating(sample.type) else column
    unique = "NULL" if kind_of(sample) == "other" else f"count(DISTINCT {value})"
    query = f"SELECT count(*), count({value}), {unique} FROM read_parquet(?)"  # noqa: S608
    found = connection.execute(query, [str(path)]).fetchone()
    assert found is not None  # noqa: S101 -- an aggregate always has a row
    rows, there, different = found
    return ColumnFigures(rows, (rows - there) / rows if rows else 0.0, different)
