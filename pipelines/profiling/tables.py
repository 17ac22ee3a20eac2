"""One table over its batches: each column's figures, its drift from a reference, its company."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.profiling.bins import bins_for
from pipelines.profiling.columns import (
    ColumnFigures,
    Kind,
    as_values,
    figures_of,
    kind_of,
    sample_rows,
    type_word,
)
from pipelines.profiling.personal import looks_personal
from pipelines.science.associations import Values, association, matrix
from pipelines.science.distributions import (
    BINS,
    chance,
    distance,
    merge_rare,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    Array = NDArray[Any]

MOST_COLUMNS = 500
"""Columns of a table that are looked at; what more there are is told."""

MOST_DETAILED = 40
"""Columns of a table that are drawn; the others are in the list alone."""

MATRIX = 16
"""Columns of a table whose associations with each other are shown."""

ASSOCIATED_ROWS = 5_000
"""Rows, evenly spread over the batches, from which associations are made."""

_TEXTS = 500
"""Texts of a column that are looked at for personal data."""

NOTICEABLE = 0.1
"""The distance from which a column is marked, where chance alone gives less; Evidently's own."""


def stands_out(distance: float | None, chance: float | None) -> bool:
    """Tell whether a distance is worth a look: of many rows every trifle is beyond chance."""
    return distance is not None and distance >= max(NOTICEABLE, chance or 0.0)


@dataclass(frozen=True)
class Shape:
    """Where the rows of the newest batch stand, and those of the reference (empty without one).

    `edges` of numbers and times, (b + 1,), or the `labels` of texts, (b,); counts are (b,).
    """

    edges: list[float]
    labels: list[str]
    newest: list[int]
    reference: list[int]


@dataclass(frozen=True)
class ColumnProfile:
    """A column over the batches, oldest first; None in a batch that lacks it.

    `role` is key, target, event time, input or empty. `distances` are Jensen-Shannon distances
    from the reference, `chances` what chance alone stays below in 95 of 100 samples.
    """

    name: str
    type: str
    kind: Kind
    role: str
    batches: list[ColumnFigures | None]
    shape: Shape | None
    distances: list[float | None]
    chances: list[float | None]
    with_target: float | None = None

    @property
    def newest(self) -> ColumnFigures | None:
        """The figures of the newest batch."""
        return self.batches[-1]

    @property
    def moved(self) -> float:
        """How far the newest batch is from the reference beyond what chance alone gives."""
        far, chance_alone = self.distances[-1], self.chances[-1]
        return 0.0 if far is None else max(0.0, far - (chance_alone or 0.0))


@dataclass(frozen=True)
class TableProfile:
    """A table: its columns, the most telling first, and what was left out with the reason."""

    title: str
    batches: list[str]
    rows: list[int]
    reference: str
    columns: list[ColumnProfile]
    left_out: dict[str, str]
    not_looked_at: int
    target: str | None
    together: list[str] = field(default_factory=list)
    associations: list[list[float | None]] = field(default_factory=list)


@dataclass(frozen=True)
class Roles:
    """What the spec says of columns: `classes`, whether the target's values are classes."""

    key: Sequence[str]
    event_time: str | None
    target: str
    classes: bool
    inputs: Sequence[str]
    personal: Mapping[str, str]

    def of(self, name: str) -> str:
        """Return the role of a column in a word."""
        if name == self.target:
            return "target"
        if name in self.key:
            return "key"
        if name == self.event_time:
            return "event time"
        return "input" if name in self.inputs else ""


@dataclass(frozen=True)
class BatchSummary:
    """What is kept of a batch while others are read: some of its rows, and the figures of all."""

    rows: int
    sample: pa.Table
    figures: dict[str, ColumnFigures]


def summarise(table: pa.Table, roles: Roles) -> BatchSummary:
    """Return the summary of a batch's rows."""
    sample = sample_rows(table)
    names = looked_at(table.column_names, roles)
    figures = {name: figures_of(table[name], sample[name]) for name in names}
    return BatchSummary(table.num_rows, sample, figures)


def looked_at(names: Iterable[str], roles: Roles) -> list[str]:
    """Return the columns that are looked at, those first that the spec names too."""
    return _in_order(names, roles)[:MOST_COLUMNS]


def _in_order(names: Iterable[str], roles: Roles) -> list[str]:
    """Return the names, those first that the spec names too."""
    return sorted(names, key=lambda name: not roles.of(name))


def profile_table(
    title: str,
    batches: Mapping[str, BatchSummary],
    roles: Roles,
    reference: tuple[str, pa.Table] | None = None,
) -> TableProfile:
    """Return the profile of a table from its batches by name, oldest first.

    `reference`: what the distances are from, with its name in words; without one the older half of
    the batches, whose own distances are then None.
    """
    samples = {name: batch.sample for name, batch in batches.items()}
    newest_first = reversed(list(samples.values()))
    names = _in_order(dict.fromkeys(c for t in newest_first for c in t.column_names), roles)
    looked_at = names[:MOST_COLUMNS]
    left_out = {
        name: why for name in looked_at if (why := _why_personal(name, samples, roles)) is not None
    }
    older = list(batches)[: len(batches) // 2] if reference is None else []
    words, rows = reference or (_words(older), None)
    pooled = _pool(list(samples.values()), ASSOCIATED_ROWS)
    target = _values(pooled, roles.target, roles) if roles.target not in left_out else None
    columns = []
    for name in looked_at:
        if name in left_out:
            continue
        base = (
            [rows[name]]
            if rows is not None and name in rows.column_names
            else [samples[b][name] for b in older if name in samples[b].column_names]
        )
        columns.append(_profile_column(name, batches, roles, base, set(older)))
    columns = [_with_target(c, pooled, target, roles) for c in columns]
    columns.sort(key=lambda c: (c.role != "target", -abs(c.with_target or 0.0), -c.moved))
    together = [c.name for c in columns if _values(pooled, c.name, roles) is not None][:MATRIX]
    pairs = [_values(pooled, name, roles) for name in together]
    return TableProfile(
        title,
        list(batches),
        [batch.rows for batch in batches.values()],
        words,
        columns,
        left_out,
        len(names) - len(looked_at),
        roles.target if target is not None else None,
        together,
        matrix([v for v in pairs if v is not None]),
    )


def _words(older: list[str]) -> str:
    if not older:
        return ""
    return f"the batch {older[0]}" if len(older) == 1 else f"the batches {older[0]} to {older[-1]}"


def _why_personal(name: str, samples: Mapping[str, pa.Table], roles: Roles) -> str | None:
    """Return why a column is not shown; None where it is."""
    if name in roles.personal:
        return "personal, as the spec says"
    newest = next(t for t in reversed(list(samples.values())) if name in t.column_names)[name]
    texts: list[str] = []
    if kind_of(newest) == "text":
        texts = [str(v) for v in newest.drop_null().slice(0, _TEXTS).to_pylist()]
    why = looks_personal(name, texts)
    return None if why is None else f"looks personal: {why}"


def _profile_column(
    name: str,
    batches: Mapping[str, BatchSummary],
    roles: Roles,
    base: list[pa.ChunkedArray],
    older: set[str],
) -> ColumnProfile:
    figures = [batch.figures.get(name) for batch in batches.values()]
    samples = {name: batch.sample for name, batch in batches.items()}
    parts = {b: t[name] for b, t in samples.items() if name in t.column_names}
    newest = next(reversed(parts.values()))
    kind, role = kind_of(newest), roles.of(name)
    blank: list[float | None] = [None] * len(batches)
    profile = ColumnProfile(name, type_word(newest.type), kind, role, figures, None, blank, blank)
    if role == "key" or kind == "other" or _is_identity(kind, figures[-1]):
        return profile
    # another kind than the newest batch's is another column: nothing to compare
    base = [b for b in base if kind_of(b) == kind] if kind != "time" else []
    bins = bins_for(kind, base or [newest])
    reference = sum((bins.counts(b) for b in base), np.zeros(bins.size, dtype=int))
    counts = {b: bins.counts(c) for b, c in parts.items() if kind_of(c) == kind}
    shape = Shape(
        bins.edges.tolist(), bins.labels, counts[list(parts)[-1]].tolist(), reference.tolist()
    )
    merged = {
        b: merge_rare(c, reference) for b, c in counts.items() if b not in older and len(base)
    }
    return ColumnProfile(
        name,
        type_word(newest.type),
        kind,
        role,
        figures,
        shape if bins.size else None,
        [distance(*merged[b]) if b in merged else None for b in batches],
        [chance(*merged[b]) if b in merged else None for b in batches],
    )


def _is_identity(kind: Kind, newest: ColumnFigures | None) -> bool:
    """Tell whether nearly every text is another one: its values say nothing of the whole."""
    if kind != "text" or newest is None or newest.unique is None:
        return False
    return newest.unique > max(BINS, newest.rows * (1 - newest.missing) / 2)


def _pool(samples: list[pa.Table], most: int) -> pa.Table:
    """Return rows of all batches; of the newest alone where their types do not go together."""
    import pyarrow as pa

    parts = [sample_rows(t, max(1, most // len(samples))) for t in samples]
    try:
        return pa.concat_tables(parts, promote_options="permissive")
    except pa.ArrowException:
        return sample_rows(samples[-1], most)


def _values(table: pa.Table, name: str, roles: Roles) -> Values | None:
    if name not in table.column_names or roles.of(name) in {"key", "event time"}:
        return None
    return as_values(table[name], groups=name == roles.target and roles.classes)


def _with_target(
    column: ColumnProfile, pooled: pa.Table, target: Values | None, roles: Roles
) -> ColumnProfile:
    values = _values(pooled, column.name, roles)
    if target is None or values is None or column.role == "target":
        return column
    return replace(column, with_target=association(values, target))
