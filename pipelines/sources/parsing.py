"""The bytes of files to one Arrow table, whatever their format: with a schema in its types, without
in the types that the values themselves have.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from pipelines.columns.contract import in_schema, localise
from pipelines.columns.storable import check_names
from pipelines.errors import BadData
from pipelines.sources.archives import first_line
from pipelines.sources.memory_limit import most_bytes
from pipelines.spec.schema import Column
from pipelines.spec.table_options import TableOptions
from pipelines.tables import normalise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pyarrow as pa

    from pipelines.spec.sources import FilesSource, HttpSource
    from pipelines.spec.table_options import Format


@dataclass(frozen=True)
class Reading:
    """How files are read: their options, the zone of times without one, and the columns' types.

    `schema` are the columns of the model's schema.yaml; None where there is none, so that the
    values decide. `most` are the bytes that the files may unpack to.

    What is too large for memory is read in parts: a CSV in blocks of so many bytes, Parquet in so
    many rows.
    """

    options: TableOptions = field(default_factory=TableOptions)
    zone: str = "UTC"
    schema: Mapping[str, Column] | None = None
    most: int = field(default_factory=most_bytes)
    block: int = 2**22
    part_rows: int = 65_536

    @property
    def stated(self) -> Mapping[str, Column]:
        """The columns whose types are stated: by the schema, else by `types` and `dates`."""
        if self.schema is not None:
            return self.schema
        dates = self.options.dates
        by_date = {} if isinstance(dates, str) else dict.fromkeys(dates, Column(type="time"))
        return by_date | {n: Column(type=t) for n, t in self.options.types.items()}


@dataclass(frozen=True)
class File:
    """One file: its name in messages, its bytes, and the columns that its folders are named for."""

    name: str
    data: bytes
    folders: Mapping[str, str | None] = field(default_factory=dict)


def reading_of(
    source: FilesSource | HttpSource, schema: Mapping[str, Column] | None, most: int
) -> Reading:
    """Return how a source's files are read."""
    return Reading(source, source.timezone, schema, most)


def parse(data: bytes, kind: Format, subject: str, reading: Reading | None = None) -> pa.Table:
    """Return the rows in the bytes.

    Raises BadData where they cannot be parsed, naming line or row, and column, where those are
    known.
    """
    return parse_all([File(subject, data)], kind, subject, reading or Reading())


def parse_all(files: list[File], kind: Format, subject: str, reading: Reading) -> pa.Table:
    """Return the rows of several files of one format, as one table.

    Without a schema the files of a CSV table decide its types together.
    """
    read = _csv_table if kind == "csv" else partial(_table, _reader_of(kind, reading))
    parts = []
    for file in files:
        with guard(file.name, kind):
            parts.append(read(file, reading))
    texts = {name for part in parts for name in part.texts} if reading.schema is None else set()
    with guard(subject, kind):
        table = together([p.table for p in parts], subject)
        return _in_own_types(table, sorted(texts), subject, reading)


@dataclass(frozen=True)
class _Part:
    """The rows of one file, and the columns whose texts stand for values of any type."""

    table: pa.Table
    texts: frozenset[str]


def _in_own_types(table: pa.Table, texts: list[str], subject: str, reading: Reading) -> pa.Table:
    """Return the table as it is kept, the columns of texts in the types that their texts have."""
    from pipelines.sources import literals

    if texts:
        typed = literals.in_own_types(table.select(texts), subject, reading.options, reading.zone)
        for name in texts:
            table = table.set_column(table.column_names.index(name), name, typed[name])
    return normalise(table, subject)


def _csv_table(file: File, reading: Reading) -> _Part:
    """Return a CSV's rows: stated columns in their types, the others as texts."""
    from pipelines.sources.read_csv import Csv

    options, stated = reading.options, reading.stated
    content = Csv(file.data, file.name, options)
    table = content.values(stated) if stated else None
    table = with_folders(content.texts() if table is None else table, file.folders)
    table = in_schema(table, stated, options, reading.zone, content.place)
    return _Part(table, frozenset(table.column_names) - set(stated))


def _table(read: Callable[[bytes, str], pa.Table], file: File, reading: Reading) -> _Part:
    """Return a file's rows, stated columns in their types."""
    stated = reading.stated
    own = normalise(localise(read(file.data, file.name), stated, reading.zone), file.name)
    table = in_schema(
        with_folders(own, file.folders),
        stated,
        reading.options,
        reading.zone,
        lambda row: f"{file.name}, row {row + 1}",
    )
    return _Part(table, frozenset(file.folders) - set(own.column_names) - set(stated))


def with_folders(table: pa.Table, folders: Mapping[str, str | None]) -> pa.Table:
    """Return the table with a column for each `key=value` of its file's folders.

    A column of the file itself goes before one of its folders.
    """
    import pyarrow as pa

    for name, value in folders.items():
        if name not in table.column_names:
            column = pa.repeat(pa.scalar(value, pa.string()), table.num_rows)
            table = table.append_column(pa.field(name, pa.string()), column)
    return table


def _reader_of(kind: Format, reading: Reading) -> Callable[[bytes, str], pa.Table]:
    from pipelines.sources import read_arrow, read_excel, read_json, read_parquet

    options = reading.options
    if kind == "json":
        return partial(read_json.table_of, options=options)
    if kind == "parquet":
        return partial(read_parquet.table_of, most=reading.most, options=options)
    if kind == "arrow":
        return partial(read_arrow.table_of, most=reading.most, options=options)
    return partial(read_excel.table_of, options=options, stated=reading.stated)


class ReadWhole(Exception):
    """The file cannot be read part by part."""


@contextlib.contextmanager
def guard(subject: str, kind: Format) -> Iterator[None]:
    """Make BadData of whatever a parser raises on the bytes of a file."""
    try:
        yield
    except (BadData, ReadWhole):
        raise
    except MemoryError as error:
        raise BadData(
            f"{subject} takes more memory than there is.",
            remedy="split the file, or give the step more memory.",
        ) from error
    # Parsers raise what they like on foreign bytes, and the bytes alone can be their cause.
    except Exception as error:
        raise BadData(
            f"{subject} is not readable as {kind}: {first_line(error)}.",
            remedy="the file may be damaged, or of another format.",
        ) from error


def together(tables: list[pa.Table], subject: str) -> pa.Table:
    """Return the rows of several tables.

    Raises BadData where their types do not go together without changing a value.
    """
    import pyarrow as pa

    names = dict.fromkeys(name for table in tables for name in table.column_names)
    check_names(names, subject)
    if len(tables) == 1:
        return tables[0]
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
            f"The files of {subject} do not fit together: {first_line(error)}.",
            remedy="give each column one type.",
        ) from error
