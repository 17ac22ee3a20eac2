"""Bytes to Arrow tables: CSV, JSON and Parquet, members of archives, all with limits, and rows picked by event time."""

from __future__ import annotations

import gzip
import io
import lzma
import re
import warnings
import zipfile
import zlib
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from pipelines.errors import BadData
from pipelines.settings import without_password
from pipelines.tables import normalised

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.intervals import Interval
    from pipelines.spec.sources import Format

MAX_BYTES = 4 * 2**30
"""A file may unpack to this many bytes; bombs end here instead of in the machine's memory."""


_CHUNK = 2**20
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>]+")


def shown_url(url: str) -> str:
    """Return a URL (or fsspec's chain of them) fit for a message: without user, password, query and fragment."""
    return "::".join(_bare(part) for part in url.split("::"))


def _bare(url: str) -> str:
    if "://" not in url:
        return url
    try:
        return urlsplit(without_password(url))._replace(query="", fragment="").geturl()
    except ValueError:
        return f"{url.split('://', 1)[0]}://…"


def without_secrets(text: str, url: str) -> str:
    """Return a library's message with every URL in it made fit for a message.

    Libraries write URLs in forms of their own; where a password or a query of `url` is still in the text, it is dropped.
    """
    safe = _URL.sub(lambda found: shown_url(found[0]), text.replace(url, shown_url(url)))
    return "its message is left out, since it holds a password or a query" if any(s in safe for s in _secrets(url)) else safe


def _secrets(url: str) -> set[str]:
    found: set[str] = set()
    for part in url.split("::"):
        try:
            parts = urlsplit(part) if "://" in part else None
            if parts is not None:
                found |= {parts.password or "", parts.query, *(value for _, value in parse_qsl(parts.query) if len(value) > 3)}  # noqa: PLR2004
        except ValueError:  # no URL at all: nothing of it may be said
            found.add(part.split("://", 1)[-1])
    return {form for secret in found if secret for form in (secret, unquote(secret))}


def content_of(file: IO[bytes], shown: str) -> bytes:
    """Return the file's (decompressed) bytes. Raises BadData beyond MAX_BYTES, and where they cannot be decompressed."""
    data = io.BytesIO()
    try:
        while chunk := file.read(min(_CHUNK, MAX_BYTES + 1 - data.tell())):
            data.write(chunk)
            if data.tell() > MAX_BYTES:
                raise BadData(f"{shown} unpacks to more than {MAX_BYTES} bytes.")
    except (gzip.BadGzipFile, lzma.LZMAError, zlib.error, EOFError) as error:
        raise BadData(f"{shown} is no readable compressed file: {error}.") from error
    return data.getvalue()


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
