"""The process that looks into Parquet and Arrow files, within a bound of memory.

Such a file may unpack to anything: a dictionary gives one long text to each of a million rows, a
page or a buffer of zeros is packed a thousandfold, and what the file says of its own sizes may be a
lie. So it is read a column at a time, few rows at a time, with each text of a dictionary once; and
while it is, the kernel lets the process take so much memory more and nothing beyond. `tables` asks
it.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from pipelines.fence.program import run
from pipelines.ops.traces.sought import Sought

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa
    import pyarrow.parquet as pq

    from pipelines.fence.own_code import OwnCode
    from pipelines.fence.program import Reply

PARQUET = b"PAR1"
"""How a Parquet file begins."""
MOST_ROWS = 65_536
"""Rows of a column that are in memory at a time."""
_NESTED_ROWS = 1_024
"""The same of lists and records, which are looked through as Python's values."""
_LEAST_WIDTH = 16
_SLACK = 64 * 2**20
"""Bytes that libraries ask for besides, such as for what they have learnt of the file."""


class TableProgram:
    """Looks into one file after another."""

    code: OwnCode | None = None

    def answer(self, request: Mapping[str, Any], tables: dict[str, pa.Table]) -> Reply:
        """Return whether the file, the only cell of the table, holds it.

        Raises MemoryError where that takes more memory than it may, and whatever a damaged file
        makes Arrow raise.
        """
        import pyarrow.compute
        import pyarrow.parquet  # noqa: F401 -- before memory is bounded

        data = tables["file"].column(0)[0].as_buffer()
        sought = [
            Sought(frozenset(values), frozenset(columns), tuple(key))
            for values, columns, key in request["sought"]
        ]
        most = max(request["most"], data.size)
        is_parquet = data[: len(PARQUET)].to_pybytes() == PARQUET
        with _bounded_memory(most + _SLACK):
            parts = _in_parquet(data, sought, most) if is_parquet else _in_arrow(data, sought)
            found = any(_part_holds(part, sought) for part in parts)
        return {"holds": found}, {}


def main(arguments: list[str]) -> None:
    """Answer until nobody asks any more."""
    run(TableProgram(), arguments)


def _in_parquet(data: pa.Buffer, sought: Sequence[Sought], most: int) -> Iterator[pa.RecordBatch]:
    """Yield the rows of each column, and those of the columns of each key together."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    whole = pq.ParquetFile(pa.BufferReader(data))
    names = whole.schema_arrow.names
    file = pq.ParquetFile(
        pa.BufferReader(data), metadata=whole.metadata, read_dictionary=_with_dictionaries(whole)
    )
    widths = [_widths(whole.metadata.row_group(n)) for n in range(file.num_row_groups)]
    for columns in _asked_together(names, sought):
        for group, width in enumerate(widths):
            rows = _rows_at_once(sum(width.get(name, 0) for name in columns), most)
            for part in file.iter_batches(
                rows, row_groups=[group], columns=columns, use_threads=False
            ):
                if not part.num_columns:  # its name is none that Arrow asks a file for
                    raise ValueError(columns)
                yield part


def _with_dictionaries(file: pq.ParquetFile) -> list[str]:
    """Return the columns of texts that say each of them once."""
    found: dict[str, None] = {}
    for group in range(file.metadata.num_row_groups):
        part = file.metadata.row_group(group)
        for number in range(part.num_columns):
            column = part.column(number)
            if column.physical_type == "BYTE_ARRAY" and column.has_dictionary_page:
                found[column.path_in_schema] = None
    return list(found)


def _widths(group: pq.RowGroupMetaData) -> dict[str, int]:
    """Return what a row of each column takes on average, in bytes, by what the file says.

    Of a record or list that is what all that is in it takes.
    """
    found: dict[str, int] = {}
    for number in range(group.num_columns):
        column = group.column(number)
        width = max(_LEAST_WIDTH, column.total_uncompressed_size // max(group.num_rows, 1))
        parts = column.path_in_schema.split(".")
        for end in range(1, len(parts) + 1):
            name = ".".join(parts[:end])
            found[name] = found.get(name, 0) + width
    return found


def _rows_at_once(width: int, most: int) -> int:
    """Return how many rows of that width take an eighth of the memory."""
    return max(1, min(MOST_ROWS, most // 8 // max(width, 1)))


def _in_arrow(data: pa.Buffer, sought: Sequence[Sought]) -> Iterator[pa.RecordBatch]:
    """The same of an Arrow file, whose batches can only be unpacked a whole column at a time."""
    import pyarrow as pa

    names = pa.ipc.open_file(pa.BufferReader(data)).schema.names
    for columns in _asked_together(names, sought):
        numbers = [number for number, name in enumerate(names) if name in columns]
        options = pa.ipc.IpcReadOptions(use_threads=False, included_fields=numbers)
        file = pa.ipc.open_file(pa.BufferReader(data), options=options)
        for number in range(file.num_record_batches):
            yield file.get_batch(number)


def _asked_together(names: Sequence[str], sought: Sequence[Sought]) -> list[list[str]]:
    """Return each column by itself, and together those of each key of several columns."""
    keys = {one.key for one in sought if one.key and set(one.key) <= set(names)}
    return [[name] for name in dict.fromkeys(names)] + [list(key) for key in sorted(keys)]


def _part_holds(part: pa.RecordBatch, sought: Sequence[Sought]) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    is_nested = any(pa.types.is_nested(kind) for kind in part.schema.types)
    step = _NESTED_ROWS if is_nested else max(part.num_rows, 1)
    for start in range(0, part.num_rows, step):
        table = pa.Table.from_batches([part.slice(start, step)])
        for one in sought:
            mask = one.rows(table)
            if mask is not None and pc.any(mask).as_py():
                return True
    return False


@contextlib.contextmanager
def _bounded_memory(most: int) -> Iterator[None]:
    """Let this process take so many bytes more within, no more: an allocation beyond them fails.

    Mapped files do not count (RLIMIT_DATA). Where a system knows no such limit, none holds.
    """
    import resource

    import psutil

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limits = [psutil.Process().memory_info().data + most]
    limits += [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(limits), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
