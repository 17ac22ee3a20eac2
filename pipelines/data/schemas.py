"""A model's schema: found in what its source holds, and compared with the one that it has."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipelines.columns.contract import in_type, type_of
from pipelines.columns.text_times import ISO_TIME
from pipelines.columns.widening import agree, without_values
from pipelines.columns.writing import Misfit, Writing
from pipelines.errors import BadData
from pipelines.intervals import SNAPSHOT, complete_before, containing
from pipelines.plurals import how_many
from pipelines.sources import open_source
from pipelines.spec.schema import Column, Schema
from pipelines.spec.table_options import TableOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from pipelines.context import Context
    from pipelines.intervals import Interval
    from pipelines.sources import Raw
    from pipelines.spec import Spec

MOST_BATCHES = 24
"""Batches that a schema is found in at most: the newest, and the first."""


@dataclass(frozen=True)
class SourceColumns:
    """What a source holds: by table and column, the column of each batch, named by the batch.

    `batches` are the names of all that were read, by table.
    """

    tables: dict[str, dict[str, dict[str, pa.ChunkedArray]]]
    batches: dict[str, list[str]] = field(default_factory=dict)


def read_columns(context: Context, *, now: datetime | None = None) -> SourceColumns:
    """Return the columns of a source's batches as they are without a schema.

    Raises BadData where a batch cannot be read.
    """
    spec = context.spec
    source = open_source(spec, context.settings, with_schema=False, paths=context.paths)
    columns = SourceColumns({})
    for interval in _intervals(spec, now or datetime.now(UTC)):
        raw = source.read(interval)
        if raw.problem:
            raise BadData(
                f"The source of {spec.name}: {raw.problem}.",
                remedy="mend the source, or `source` in the spec.",
            )
        _add(columns, interval.name, raw)
    return columns


def _intervals(spec: Spec, now: datetime) -> list[Interval]:
    if spec.is_snapshot:
        return [SNAPSHOT]
    timing = spec.timing
    until = min(now, timing.until) if timing.until else now
    newest = complete_before(until, timing.batch, MOST_BATCHES - 1, timing.first)
    first = containing(timing.first, timing.batch)
    return newest if not newest or first.end > newest[0].start else [first, *newest]


def _add(columns: SourceColumns, batch: str, raw: Raw) -> None:
    for name, table in raw.tables.items():
        if not table.num_rows:
            continue
        columns.batches.setdefault(name, []).append(batch)
        of_table = columns.tables.setdefault(name, {})
        for column in table.column_names:
            of_table.setdefault(column, {})[batch] = table[column]


def find_schema(
    columns: SourceColumns, never_null: Mapping[str, set[str]], *, times: bool = False
) -> Schema:
    """Return the schema of what a source holds: for each column the type that holds all values.

    A column that some batches lack is `optional`. `never_null` names columns that must have a
    value, by table. With `times`, texts that are all ISO 8601 are times. Raises BadData where the
    values of a column go together in no type.
    """
    return Schema(
        tables={
            table: {
                name: _find_column(
                    f"{table}.{name}",
                    parts,
                    Column(
                        type="text",
                        nullable=name not in never_null.get(table, set()),
                        optional=len(parts) < len(columns.batches[table]),
                    ),
                    times=times,
                )
                for name, parts in of_table.items()
            }
            for table, of_table in columns.tables.items()
        }
    )


def _find_column(
    where: str, parts: Mapping[str, pa.ChunkedArray], column: Column, *, times: bool
) -> Column:
    import pyarrow as pa

    agreement = agree(parts)
    with_values = [part for part in parts.values() if not without_values(part)]
    kind = type_of(agreement.kind)
    if agreement.faults:
        texts = [part for part in with_values if pa.types.is_string(part.type)]
        if not texts:
            batch, why = next(iter(agreement.faults.items()))
            raise BadData(
                f"{where}: {why} (in {batch}).", remedy="give the column one type in every batch."
            )
        kind = "text"
    if times and kind == "text" and with_values and all(map(_is_iso, with_values)):
        kind = "time"
    return column.model_copy(update={"type": kind})


def _is_iso(texts: pa.ChunkedArray) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    return (
        pa.types.is_string(texts.type)
        and pc.all(pc.match_substring_regex(texts, ISO_TIME)).as_py() is True
    )


def agree_schema(
    known: Schema | None, columns: SourceColumns, spec: Spec
) -> tuple[Schema, list[str]]:
    """Return the schema that what the source holds asks for, and what changes, a line for each.

    What the known schema says stays wherever the values are of it.
    """
    main = {spec.source.main: {*([spec.raw_event_time] if spec.raw_event_time else []), *spec.key}}
    new = find_schema(columns, main)
    if known is None:
        count = sum(map(len, new.tables.values()))
        return new, [f"{how_many(count, 'column')} in {', '.join(new.tables)}: the first schema"]
    options = spec.source if isinstance(spec.source, TableOptions) else TableOptions()
    tables: dict[str, dict[str, Column]] = {}
    changes: list[str] = []
    for table in dict.fromkeys([*known.tables, *new.tables]):
        old_columns, new_columns = known.tables.get(table, {}), new.tables.get(table, {})
        agreed = tables.setdefault(table, {})
        for name in dict.fromkeys([*old_columns, *new_columns]):
            old, found = old_columns.get(name), new_columns.get(name)
            if found is None:
                if old is not None and old.optional:
                    agreed[name] = old
                else:
                    changes.append(f"{table}.{name}: gone")
            elif old is None:
                agreed[name] = found
                changes.append(f"{table}.{name}: new ({found.type})")
            else:
                parts = columns.tables[table][name]
                agreed[name], change = _agree_column(old, found, parts, name, options, spec)
                changes += [f"{table}.{name}: {change}"] if change else []
    return Schema(tables={t: c for t, c in tables.items() if c}), changes


def _agree_column(
    old: Column,
    found: Column,
    parts: Mapping[str, pa.ChunkedArray],
    name: str,
    options: TableOptions,
    spec: Spec,
) -> tuple[Column, str]:
    """Return a column's declaration, and its change in words, empty where there is none."""
    optional = old.optional or found.optional
    column = old.model_copy(update={"optional": optional})
    change = "optional" if optional != old.optional else ""
    if not old.nullable and any(part.null_count for part in parts.values()):
        column, change = column.model_copy(update={"nullable": True}), "may be null"
    writing = Writing(name, old, options, spec.source.timezone)
    if all(_fits(part, old, writing) for part in parts.values()):
        return column, change
    changed = found.model_copy(update={"optional": optional, "nullable": column.nullable})
    return changed, f"{old.type} becomes {found.type}"


def _fits(values: pa.ChunkedArray, column: Column, writing: Writing) -> bool:
    """Tell whether the values are of a column's type, as a file of texts may write them too."""
    import pyarrow as pa

    if column.type == "text" and not pa.types.is_nested(values.type):
        # A CSV's texts look like numbers or times where nobody says that they are texts.
        return True
    try:
        in_type(values, column, writing)
    except Misfit:
        return False
    return True
