"""Parquet to a table, group by group, so that what unpacks beyond the limit ends early."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.columns.storable import check_names, say_once
from pipelines.errors import BadData
from pipelines.sources.nested import flatten

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import parquet

    from pipelines.spec.table_options import TableOptions

ROWS = 65_536
"""Rows that are read at once."""


def table_of(data: bytes, subject: str, most: int, options: TableOptions) -> pa.Table:
    """Return the rows.

    Raises BadData where they take more than `most` bytes: the file's own word on that may be a lie.
    """
    import pyarrow as pa

    file = open_file(pa.BufferReader(data), subject)
    size = unpacked_size(file)
    batches = []
    if size <= most:
        size = 0
        for batch in file.iter_batches(batch_size=ROWS, use_threads=False):
            batches.append(batch)
            size += batch.nbytes
            if size > most:
                break
    if size > most:
        raise BadData(f"{subject} unpacks to {size} bytes, more than {most}.")
    table = pa.Table.from_batches(batches, schema=file.schema_arrow)
    return flatten(table, subject) if options.flatten else table


def open_file(source: Any, subject: str, buffer: int = 0) -> parquet.ParquetFile:
    """Return the file, nothing of whose rows is read yet.

    `buffer`: the bytes of a column that are read at once, 0 for all of a group. Raises BadData for
    names of columns.
    """
    from pyarrow import parquet

    # Times of 96 bits are nanoseconds, which wrap around beyond 2262; in microseconds they do not.
    file = parquet.ParquetFile(
        source,
        coerce_int96_timestamp_unit="us",
        page_checksum_verification=True,
        buffer_size=buffer,
    )
    check_names(file.schema_arrow.names, subject)
    columns = [file.schema.column(i) for i in range(len(file.schema))]
    if any(column.physical_type == "INT96" for column in columns):
        names = ", ".join(
            repr(column.path) for column in columns if column.physical_type == "INT96"
        )
        say_once(f"{subject}: the times of 96 bits in {names} are cut to microseconds.")
    return file


def unpacked_size(file: parquet.ParquetFile) -> int:
    """Return the bytes that the file says it unpacks to."""
    groups = range(file.metadata.num_row_groups)
    return sum(file.metadata.row_group(i).total_byte_size for i in groups)
