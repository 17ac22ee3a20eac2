"""Bytes to Arrow tables: CSV, JSON and Parquet, members of archives, all with limits, and rows picked by event time."""

from __future__ import annotations

import io
import warnings
import zipfile
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadData
from pipelines.tables import normalised

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.intervals import Interval
    from pipelines.spec.sources import Format

MAX_BYTES = 4 * 2**30
"""A file may unpack to this many bytes; bombs end here instead of in the machine's memory."""


def format_of(name: str, given: Format | None) -> Format:
    """Return the format that is given, or the one that the file's name tells. Raises BadData where neither does."""
    if given is not None:
        return given
    plain = name.lower().split("?")[0].removesuffix(".gz").removesuffix(".zip").removesuffix(".bz2").removesuffix(".xz")
    for ending, found in ((".csv", "csv"), (".parquet", "parquet"), (".json", "json"), (".jsonl", "json"), (".ndjson", "json")):
        if plain.endswith(ending):
            return found  # type: ignore[return-value] # the tuple's second elements are Formats
    raise BadData(f"The format of {name!r} is not known from its name.", remedy="write `format: csv` (or parquet, json) in the source.")


def member_of(archive: bytes, member: str, shown: str) -> bytes:
    """Return one member of a zip archive. Raises BadData naming the archive's members where it is missing or too large."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as packed:
            info = packed.getinfo(member)
            if info.file_size > MAX_BYTES:
                raise BadData(f"{shown}: member {member!r} unpacks to {info.file_size} bytes, more than {MAX_BYTES}.")
            return packed.read(info)
    except KeyError as error:
        names = ", ".join(packed.namelist()[:20])
        raise BadData(f"{shown} has no member {member!r}.", remedy=f"it has: {names}.") from error
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise BadData(f"{shown} is no readable zip archive: {error}.") from error


def parse(data: bytes, kind: Format, shown: str) -> pa.Table:
    """Return the rows in the bytes. Raises BadData where they cannot be parsed."""
    import pandas as pd
    import pyarrow as pa

    try:
        if kind == "parquet":
            return normalised(_parquet(data, shown))
        if kind == "csv":
            with warnings.catch_warnings():  # without this, fields beyond the header are dropped with a mere warning
                warnings.simplefilter("error", pd.errors.ParserWarning)
                frame = pd.read_csv(io.BytesIO(data), dtype_backend="pyarrow", low_memory=False, index_col=False)
        else:
            lines = not data.lstrip()[:1].startswith(b"[")
            frame = pd.read_json(io.BytesIO(data), dtype_backend="pyarrow", lines=lines, convert_dates=False)
        return normalised(frame)
    except pd.errors.EmptyDataError as error:
        raise BadData(f"{shown} is empty: not even a header.") from error
    except (pd.errors.ParserError, pd.errors.ParserWarning, pa.ArrowException, UnicodeDecodeError, ValueError) as error:
        raise BadData(f"{shown} is not readable as {kind}: {str(error)[:300]}.") from error


def _parquet(data: bytes, shown: str) -> pa.Table:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(io.BytesIO(data))
    size = sum(file.metadata.row_group(i).total_byte_size for i in range(file.metadata.num_row_groups))
    if size > MAX_BYTES:
        raise BadData(f"{shown} unpacks to {size} bytes, more than {MAX_BYTES}.")
    return file.read()


def with_times(table: pa.Table, column: str) -> pa.Table:
    """Return the table with `column` as times in UTC where its texts are ISO 8601; what is no time becomes null.

    A table without the column, or where no text is a time, comes back as it was: `validate` says so.
    """
    import pandas as pd
    import pyarrow as pa

    if column not in table.column_names or not pa.types.is_string(table.schema.field(column).type):
        return table
    texts = table.column(column).to_pandas()
    times = pd.to_datetime(texts, errors="coerce", utc=True, format="ISO8601")
    if times.isna().all():
        return table
    index = table.column_names.index(column)
    return table.set_column(index, column, pa.Array.from_pandas(times).cast(pa.timestamp("us", tz="UTC")))


def picked(table: pa.Table, column: str, interval: Interval) -> pa.Table:
    """Return the rows of the interval, and those without a time, which belong nowhere and must be seen by `validate`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if column not in table.column_names or not pa.types.is_timestamp(table.schema.field(column).type):
        return table
    times: Any = table.column(column)
    inside = pc.and_(pc.greater_equal(times, _scalar(interval.start)), pc.less(times, _scalar(interval.end)))
    return table.filter(pc.or_kleene(pc.is_null(times), inside))


def _scalar(moment: Any) -> Any:
    import pyarrow as pa

    return pa.scalar(moment, type=pa.timestamp("us", tz="UTC"))
