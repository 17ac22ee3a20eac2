"""The types in which a run reads its raw batches.

For each column the one that holds the values of every batch of the plan.

Only columns matter here that some batch holds in another type than the rest, or without any value.
A column that is empty in all batches of the plan takes the type that it had in the newest earlier
batch with values; where none had any, none is known, and the engine that runs `build` takes it for
text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pipelines.columns.widening import agree, describe_type, in_types
from pipelines.data.batches import manifests_before, read_manifest, read_table
from pipelines.errors import BadData
from pipelines.tables import columns_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from pipelines.data.manifests import BatchManifest, Plan
    from pipelines.intervals import Interval
    from pipelines.sources import Raw
    from pipelines.spec import Spec
    from pipelines.store.port import Store

MOST_EARLIER = 62
"""Earlier batches that are asked for the type of a column at most."""

NO_TYPE = str(pa.null())


@dataclass(frozen=True)
class Odd:
    """A column of one batch that is not as the others have it.

    `fits` tells whether it can be widened without loss.
    """

    batch: str
    table: str
    column: str
    why: str
    fits: bool


@dataclass(frozen=True)
class PlanTypes:
    """By table and column: the type in which a run reads the column.

    And what is odd about single batches.
    """

    types: dict[str, dict[str, pa.DataType]]
    odd: list[Odd]

    def read(self, name: str, batch: str, table: pa.Table) -> pa.Table:
        """Return a batch's table in the run's types.

        Raises BadData naming batch and column where a value would change.
        """
        try:
            return in_types(table, self._of(name, table.column_names, table.num_rows))
        except BadData as error:
            raise BadData(
                f"{batch}: {name}: {error.message}",
                remedy="give the column one type in every batch.",
            ) from error

    def changes(self, name: str, columns: Mapping[str, str], rows: int) -> dict[str, str]:
        """Return the columns of a batch's table that are read in another type, with that type."""
        types = self._of(name, columns, rows)
        return {c: str(kind) for c, kind in sorted(types.items()) if columns.get(c) != str(kind)}

    def _of(self, name: str, columns: Iterable[str], rows: int) -> dict[str, pa.DataType]:
        """Return the types for a table with these columns.

        A table without rows gets every column.
        """
        present = set(columns)
        return {c: kind for c, kind in self.types.get(name, {}).items() if c in present or not rows}


@dataclass(frozen=True)
class _BatchTable:
    """One table of one batch.

    Its types as text by column, its rows, and the way to read some of its columns.
    """

    batch: str
    columns: Mapping[str, str]
    rows: int
    read: Callable[[list[str]], pa.Table]
    schemas: dict[str, pa.DataType] = field(default_factory=dict)

    def kind(self, column: str) -> pa.DataType:
        """Return a column's type; the file is opened once."""
        if not self.schemas:
            self.schemas.update({f.name: f.type for f in self.read(list(self.columns)).schema})
        return self.schemas[column]

    def has_type(self, column: str) -> bool:
        """Tell whether the column is there with rows and a type."""
        return bool(self.rows) and self.columns.get(column, NO_TYPE) != NO_TYPE


def plan_types(store: Store, spec: Spec, plan: Plan) -> PlanTypes:
    """Return the types in which the plan's batches are read.

    Batches that could not be read have none and say nothing.
    """
    manifests = [read_manifest(store, batch) for batch in plan.batches]
    first = min(b.interval.start for b in plan.batches)
    return _types(
        [_of_manifest(store, m) for m in manifests if not m.problem],
        _earlier(store, spec, first),
        spec.key,
    )


def raw_types(store: Store, spec: Spec, raws: list[Raw], intervals: list[Interval]) -> PlanTypes:
    """Return the types in which what a source was just asked for is read, as `plan_types`.

    Nothing of it need be stored.
    """
    batch_tables = [
        _of_raw(interval.name, raw) for interval, raw in zip(intervals, raws, strict=True)
    ]
    return _types(batch_tables, _earlier(store, spec, intervals[0].start), spec.key)


def _earlier(
    store: Store, spec: Spec, before: datetime
) -> Callable[[], Iterator[dict[str, _BatchTable]]]:
    """Return the way to ask for the tables of earlier batches, newest first."""

    def read_tables() -> Iterator[dict[str, _BatchTable]]:
        manifests = manifests_before(store, spec, before, MOST_EARLIER)
        return (_of_manifest(store, m) for m in manifests if not m.problem)

    return read_tables


def _of_manifest(store: Store, manifest: BatchManifest) -> dict[str, _BatchTable]:
    return {
        name: _BatchTable(
            manifest.interval.name, ref.columns, ref.rows, partial(read_table, store, ref)
        )
        for name, ref in manifest.tables.items()
    }


def _of_raw(batch: str, raw: Raw) -> dict[str, _BatchTable]:
    return {
        name: _BatchTable(batch, columns_of(table), table.num_rows, table.select)
        for name, table in raw.tables.items()
    }


def _types(
    batches: list[dict[str, _BatchTable]],
    earlier: Callable[[], Iterator[dict[str, _BatchTable]]],
    key: list[str],
) -> PlanTypes:
    types: dict[str, dict[str, pa.DataType]] = {}
    odd: list[Odd] = []
    for name in dict.fromkeys(n for batch in batches for n in batch):
        tables = [batch[name] for batch in batches if name in batch]
        kinds = types.setdefault(name, {})
        for column in dict.fromkeys(c for h in tables for c in h.columns):
            kind, oddities = _column(name, column, tables, whole=column in key)
            odd += oddities
            if kind is not None:
                kinds[column] = kind
        unknown = {c for c, kind in kinds.items() if pa.types.is_null(kind)}
        kinds |= _from_earlier(name, unknown, earlier) if unknown else {}
        for column in [c for c, kind in kinds.items() if pa.types.is_null(kind)]:
            del kinds[column]
    return PlanTypes(types, odd)


def _column(
    name: str, column: str, tables: list[_BatchTable], *, whole: bool
) -> tuple[pa.DataType | None, list[Odd]]:
    """Return the type that a column is brought to, and what is odd about it.

    The type is None where every batch holds it already.
    """
    full = [h for h in tables if h.rows]
    without_column = [h for h in full if column not in h.columns]
    # a new column is none of the older batches' fault
    without_column = without_column if 2 * len(without_column) <= len(full) else []
    odd = [
        Odd(h.batch, name, column, "is missing here, other batches have it", fits=True)
        for h in without_column
    ]
    with_type = [h for h in full if h.has_type(column)]
    texts = {h.columns[column] for h in with_type}
    if len(texts) == 1 and len(with_type) == len(tables):
        return None, odd
    if len(texts) < 2:  # noqa: PLR2004 -- two types differ
        return (with_type[0].kind(column) if with_type else pa.null()), odd
    values = {h.batch: h.read([column])[column] for h in with_type}
    agreement = agree(values, whole=whole)
    for batch, why in agreement.faults.items():
        odd.append(Odd(batch, name, column, why, fits=False))
    for batch, kind in (
        (b, v.type)
        for b, v in values.items()
        if v.null_count < len(v) and b not in agreement.faults
    ):
        if kind != agreement.most:
            why = (
                f"holds {describe_type(kind)}, other batches hold {describe_type(agreement.most)};"
                f" all are read as {describe_type(agreement.kind)}"
            )
            odd.append(Odd(batch, name, column, why, fits=True))
    return agreement.kind, odd


def _from_earlier(
    name: str, columns: set[str], earlier: Callable[[], Iterator[dict[str, _BatchTable]]]
) -> dict[str, pa.DataType]:
    """Return the types that the columns had when they last had one."""
    types: dict[str, Any] = {}
    for batch in earlier():
        table = batch.get(name)
        if table is not None:
            types |= {c: table.kind(c) for c in columns - set(types) if table.has_type(c)}
        if columns <= set(types):
            break
    return types
