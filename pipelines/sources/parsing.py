"""Bytes to Arrow tables: CSV, JSON, Parquet and members of archives, all with limits.

Also picks the rows of an interval by their event times.
"""

from __future__ import annotations

import io
import zipfile
from functools import partial
from typing import IO, TYPE_CHECKING, Any

from pipelines.columns.storable import check_names, say_once, storable_column
from pipelines.errors import BadData
from pipelines.sources.memory_limit import most_bytes
from pipelines.tables import normalise

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from pipelines.intervals import Interval
    from pipelines.spec.table_options import Format

_CHUNK = 2**20
_ZIP = b"PK\x03\x04"
_FINE = r"(\.[0-9]{6})[0-9]+"
"""The digits of a time behind its microseconds."""


def content_of(file: IO[bytes], subject: str, most: int) -> bytes:
    """Return the file's bytes.

    Raises BadData beyond `most` of them; what the file itself raises goes through.
    """
    data = io.BytesIO()
    while chunk := file.read(min(_CHUNK, most + 1 - data.tell())):
        data.write(chunk)
        if data.tell() > most:
            raise too_large(subject, most)
    return data.getvalue()


def too_large(subject: str, most: int) -> BadData:
    """Return the error of a file that takes more memory than reading may take."""
    return BadData(
        f"{subject} unpacks to more than {most} bytes.",
        remedy=(
            "split the file, or give the step more memory (resources.memory in model.yaml, or the"
            " machine)."
        ),
    )


def unpack(data: bytes, name: str, most: int) -> bytes:
    """Return what a compressed file holds, by the ending of its name; other files as they are.

    Raises BadData beyond `most` bytes, where they cannot be decompressed, and for a zip archive.
    """
    import pyarrow as pa
    from fsspec.compression import compr
    from fsspec.utils import infer_compression

    if data.startswith(_ZIP) and not name.lower().endswith(".parquet"):
        raise BadData(
            f"{name} is a zip archive.", remedy="name the file in it: `member: …` in the source."
        )
    kind = "zstd" if name.lower().endswith(".zst") else infer_compression(name)
    if kind is None or kind == "zip":
        return data
    try:
        with (
            pa.CompressedInputStream(pa.BufferReader(data), kind)
            if kind == "zstd"
            else compr[kind](io.BytesIO(data), mode="rb")
        ) as stream:
            return content_of(stream, name, most)
    except BadData:
        raise
    # Each of the libraries has errors of its own, and the bytes alone can be their cause.
    except Exception as error:
        raise BadData(
            f"{name} is no readable compressed file: {_first_line(error)}.",
            remedy="the file may be cut short.",
        ) from error


def _first_line(error: Exception) -> str:
    """Return the first line of a library's message, with its type where it says nothing."""
    return (str(error).splitlines() or [""])[0][:300].removesuffix(".") or type(error).__name__


def format_of(name: str, choice: Format | None) -> Format:
    """Return the format that is given, or the one that the file's name tells.

    Raises BadData where neither does.
    """
    if choice is not None:
        return choice
    plain = (
        name.lower()
        .split("?")[0]
        .removesuffix(".gz")
        .removesuffix(".zip")
        .removesuffix(".bz2")
        .removesuffix(".xz")
        .removesuffix(".zst")
    )
    for ending, kind in (
        (".csv", "csv"),
        (".parquet", "parquet"),
        (".json", "json"),
        (".jsonl", "json"),
        (".ndjson", "json"),
    ):
        if plain.endswith(ending):
            return kind  # type: ignore[return-value] # the tuple's second elements are Formats
    raise BadData(
        f"The format of {name!r} is not known from its name.",
        remedy="write `format: csv` (or parquet, json) in the source.",
    )


def member_of(archive: bytes, member: str, subject: str, most: int) -> bytes:
    """Return one member of a zip archive.

    Raises BadData naming the archive's members where it is missing or too large.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as zip_file:
            info = _member(zip_file, member, subject, most)
            return unpack(zip_file.read(info), member, most)
    except BadData:
        raise
    # Zipfile raises eight kinds of errors on bytes that are no archive.
    # These alone can be their cause.
    except Exception as error:
        raise BadData(
            f"{subject} is no readable zip archive: {_first_line(error)}.",
            remedy="the file may be cut short.",
        ) from error


def _member(archive: zipfile.ZipFile, member: str, subject: str, most: int) -> zipfile.ZipInfo:
    names = archive.namelist()
    if member not in names:
        listing = ", ".join(names[:20])
        raise BadData(f"{subject} has no member {member!r}.", remedy=f"it has: {listing}.")
    info = archive.getinfo(member)
    if info.file_size > most:
        raise too_large(f"{subject}: member {member!r} ({info.file_size} bytes)", most)
    return info


def parse(data: bytes, kind: Format, subject: str, most: int | None = None) -> pa.Table:
    """Return the rows in the bytes.

    They may unpack to `most` bytes, by default to what the machine's memory allows.

    Raises BadData where they cannot be parsed, naming row or column where that is known.
    """
    return parse_all([(subject, data)], kind, subject, most or most_bytes())


def parse_all(files: list[tuple[str, bytes]], kind: Format, subject: str, most: int) -> pa.Table:
    """Return the rows of several files of one format, as one table.

    The files of a CSV table decide its types together.
    """
    from pipelines.sources import literals, read_csv, read_json, read_parquet

    if kind == "csv":
        texts = [
            _parse_or_bad_data(name, kind, partial(read_csv.texts_of, data, name))
            for name, data in files
        ]
        return _parse_or_bad_data(
            subject,
            kind,
            lambda: normalise(literals.in_own_types(together(texts, subject), subject), subject),
        )
    read_table = read_json.table_of if kind == "json" else partial(read_parquet.table_of, most=most)
    return together(
        [
            _parse_or_bad_data(name, kind, partial(_read, read_table, data, name))
            for name, data in files
        ],
        subject,
    )


def _read(read: Callable[[bytes, str], pa.Table], data: bytes, subject: str) -> pa.Table:
    return normalise(read(data, subject), subject)


def _parse_or_bad_data(subject: str, kind: Format, parse_table: Callable[[], pa.Table]) -> pa.Table:
    try:
        return parse_table()
    except BadData:
        raise
    except MemoryError as error:
        raise BadData(
            f"{subject} takes more memory than there is.",
            remedy="split the file, or give the step more memory.",
        ) from error
    # Parsers raise what they like on foreign bytes, and the bytes alone can be their cause.
    except Exception as error:
        raise BadData(
            f"{subject} is not readable as {kind}: {_first_line(error)}.",
            remedy="the file may be damaged, or of another format.",
        ) from error


def together(tables: list[pa.Table], subject: str) -> pa.Table:
    """Return the rows of several tables.

    Raises BadData where their types do not go together without changing a value.
    """
    import pyarrow as pa

    names = dict.fromkeys(name for table in tables for name in table.column_names)
    check_names(names, subject)
    for name in names:
        kinds = {table.schema.field(name).type for table in tables if name in table.column_names}
        # Arrow would make floats of decimals, and lose digits.
        if any(map(pa.types.is_decimal, kinds)) and any(map(pa.types.is_floating, kinds)):
            raise BadData(
                f"{subject}: the column {name!r} holds decimals in one file and floats in another.",
                remedy="give it one type.",
            )
    try:
        return pa.concat_tables(tables, promote_options="permissive").combine_chunks()
    except pa.ArrowException as error:
        raise BadData(
            f"The files of {subject} do not fit together: {_first_line(error)}.",
            remedy="give each column one type.",
        ) from error


def with_times(table: pa.Table, column: str | None, subject: str = "The source") -> pa.Table:
    """Return the table with `column`, where there is one, as times in UTC where its texts are ISO
    8601.

    What is no time becomes null, and is said.

    A table without the column, or where no text is a time, comes back as it was: `validate` says
    so.
    """
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    if column is None or column not in table.column_names:
        return table
    if not pa.types.is_string(table.schema.field(column).type):
        return table
    texts = table.column(column)
    coarse = pc.replace_substring_regex(texts, pattern=_FINE, replacement=r"\1")
    # Without this, pandas reads `now` and `today` as times too.
    date_texts = pc.if_else(
        pc.match_substring_regex(coarse, "^[ ]*[0-9]{4}"), coarse, pa.scalar(None, pa.string())
    )
    times = pd.to_datetime(date_texts.to_pandas(), errors="coerce", utc=True, format="ISO8601")
    if times.isna().all():
        return table
    losses = int(times.isna().sum()) - texts.null_count
    if losses:
        say_once(f"{subject}: {losses} values of {column!r} are no times and are read as missing.")
    if not coarse.equals(texts):
        say_once(
            f"{subject}: the column {column!r} has times finer than a microsecond; they are cut to"
            " microseconds."
        )
    index = table.column_names.index(column)
    array = pa.chunked_array([pa.Array.from_pandas(times)])
    return table.set_column(index, column, storable_column(array, column, subject))


def pick_rows(table: pa.Table, column: str | None, interval: Interval) -> pa.Table:
    """Return the rows of the interval, and those without a time; all rows of data without time.

    The latter belong nowhere, and `validate` must see them.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if column is None or column not in table.column_names:
        return table
    if not pa.types.is_timestamp(table.schema.field(column).type):
        return table
    times: Any = table.column(column)
    inside = pc.and_(
        pc.greater_equal(times, _scalar(interval.start)), pc.less(times, _scalar(interval.end))
    )
    return table.filter(pc.or_kleene(pc.is_null(times), inside))


def _scalar(moment: Any) -> Any:
    import pyarrow as pa

    return pa.scalar(moment, type=pa.timestamp("us", tz="UTC"))
