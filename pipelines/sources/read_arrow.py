"""Arrow's own files (Feather) and streams to a table, batch by batch, within a limit of bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.columns.storable import check_names
from pipelines.errors import BadData
from pipelines.sources.nested import flatten

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from pipelines.spec.table_options import TableOptions

_FILE = b"ARROW1"


def table_of(data: bytes, subject: str, most: int, options: TableOptions) -> pa.Table:
    """Return the rows. Raises BadData where they take more than `most` bytes."""
    import pyarrow as pa

    if data.startswith(b"FEA1"):
        raise BadData(
            f"{subject} is of the first version of Feather.",
            remedy="write it anew: `frame.to_feather(path)` of today.",
        )
    source = pa.BufferReader(data)
    reader = pa.ipc.open_file(source) if data.startswith(_FILE) else pa.ipc.open_stream(source)
    check_names(reader.schema.names, subject)
    batches, size = [], 0
    for batch in _batches(reader):
        batch.validate(full=True)
        batches.append(batch)
        size += batch.nbytes
        if size > most:
            raise BadData(f"{subject} unpacks to more than {most} bytes.")
    table = pa.Table.from_batches(batches, schema=reader.schema)
    return flatten(table, subject) if options.flatten else table


def _batches(
    reader: pa.RecordBatchFileReader | pa.RecordBatchStreamReader,
) -> Iterator[pa.RecordBatch]:
    if hasattr(reader, "num_record_batches"):
        return (reader.get_batch(i) for i in range(reader.num_record_batches))
    return iter(reader)
