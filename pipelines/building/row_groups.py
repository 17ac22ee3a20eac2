"""Parquet written group by group, with the bytes that `to_parquet` gives the whole table."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TYPE_CHECKING

from pipelines.tables import COMPRESSION, GROUP_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Future
    from pathlib import Path

    import pyarrow as pa


def groups(reader: pa.RecordBatchReader, rows: int) -> Iterator[list[pa.RecordBatch]]:
    """Yield the reader's batches in groups of exactly so many rows, the last one of fewer.

    There is always a first group, for the columns' sake.
    """
    import pyarrow as pa

    group: list[pa.RecordBatch] = []
    count, any_group = 0, False
    for whole in reader:
        batch = whole
        while count + batch.num_rows >= rows:
            group.append(batch.slice(0, rows - count))
            batch = batch.slice(rows - count)
            yield group
            group, count, any_group = [], 0, True
        if batch.num_rows:
            group.append(batch)
            count += batch.num_rows
    if group or not any_group:
        yield group or [pa.RecordBatch.from_pylist([], schema=reader.schema)]


def write_groups(path: Path, tables: Iterable[pa.Table]) -> int:
    """Write the groups, of which there is at least one, to a file; return how many rows there were.

    Each but the last one has GROUP_ROWS rows, and each column is of one piece.
    """
    import pyarrow.parquet as pq

    following = iter(tables)
    first = next(following)
    rows = 0
    writing: Future[None] | None = None
    with (
        pq.ParquetWriter(path, first.schema, compression=COMPRESSION) as writer,
        ThreadPoolExecutor(1) as other,
    ):
        for table in chain([first], following):
            rows += table.num_rows
            if writing is not None:
                writing.result()
            if table.num_rows:
                # One group is written while the next one is made.
                writing = other.submit(writer.write_table, table, row_group_size=GROUP_ROWS)
        if writing is not None:
            writing.result()
    return rows
