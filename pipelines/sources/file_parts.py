"""The rows of one file on disk, part by part, as `parsing` gives them whole."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from pipelines.columns.contract import in_schema, localise
from pipelines.columns.storable import storable_column
from pipelines.sources.csv_parts import CsvParts
from pipelines.sources.nested import flatten
from pipelines.sources.parsing import guard, with_folders
from pipelines.sources.read_parquet import open_file
from pipelines.sources.row_steps import through

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa

    from pipelines.sources.parsing import Reading
    from pipelines.sources.row_steps import Step
    from pipelines.sources.stored_files import StoredFile

_BUFFER = 2**20
"""Bytes of a column of Parquet that are read at once."""


@dataclass(frozen=True)
class FileParts:
    """One file's rows: an empty table of their types, and what yields them from the beginning."""

    empty: pa.Table
    parts: Callable[[], Iterator[tuple[int, pa.Table]]]


def file_parts(file: StoredFile, path: Path, reading: Reading) -> FileParts:
    """Return a file's rows. Raises BadData where its beginning tells that it cannot be read."""
    with guard(file.name, file.kind):
        return (_csv if file.kind == "csv" else _parquet)(file, path, reading)


def _csv(file: StoredFile, path: Path, reading: Reading) -> FileParts:
    import pyarrow as pa

    content = CsvParts(path, file.name, reading.options, reading.block)
    empty = pa.table({name: pa.array([], pa.string()) for name in content.names})
    steps = _typing_steps(file.folders, reading, content.place)
    return _through(file, empty, lambda: content.parts(reading.stated), steps)


def _parquet(file: StoredFile, path: Path, reading: Reading) -> FileParts:
    import pyarrow as pa

    def first_steps(empty: pa.Table) -> list[Step]:
        return [
            lambda table, _: localise(
                table.replace_schema_metadata(None), reading.stated, reading.zone
            ),
            *(partial(_storable, name=name, subject=file.name) for name in empty.column_names),
        ]

    def flat(table: pa.Table) -> pa.Table:
        return flatten(table, file.name) if reading.options.flatten else table

    def parts() -> Iterator[tuple[int, pa.Table]]:
        before = 0
        with open_file(path, file.name, _BUFFER) as opened:
            for batch in opened.iter_batches(batch_size=reading.part_rows, use_threads=False):
                yield before, flat(pa.Table.from_batches([batch], schema=opened.schema_arrow))
                before += batch.num_rows

    with open_file(path, file.name, _BUFFER) as opened:
        empty = flat(opened.schema_arrow.empty_table())
    place: Callable[[int], str] = lambda row: f"{file.name}, row {row + 1}"  # noqa: E731
    typing = _typing_steps(file.folders, reading, place)
    return _through(file, empty, parts, [*first_steps(empty), *typing])


def _storable(table: pa.Table, _: int, *, name: str, subject: str) -> pa.Table:
    """Return the table with one column as it is kept, as `normalise` does with all."""
    import pyarrow as pa

    place = table.column_names.index(name)
    column = storable_column(table.column(place), name, subject)
    return table.set_column(place, pa.field(name, column.type), column)


def _typing_steps(
    folders: Mapping[str, str | None], reading: Reading, place: Callable[[int], str]
) -> list[Step]:
    """Return what brings a part into the stated types, one column after another."""

    def bring_into_type(table: pa.Table, before: int, *, name: str, column: Any) -> pa.Table:
        return in_schema(
            table, {name: column}, reading.options, reading.zone, lambda row: place(before + row)
        )

    return [
        lambda table, _: with_folders(table, folders),
        *(partial(bring_into_type, name=n, column=c) for n, c in reading.stated.items()),
    ]


def _through(
    file: StoredFile,
    empty: pa.Table,
    parts: Callable[[], Iterator[tuple[int, pa.Table]]],
    steps: list[Step],
) -> FileParts:
    def guard_parts() -> Iterator[tuple[int, pa.Table]]:
        with guard(file.name, file.kind):
            yield from through(parts(), steps)

    for step in steps:
        empty = step(empty, 0)
    return FileParts(empty, guard_parts)
