"""The rows of a plan that may be learnt from and judged on.

Past, with a label that was known by then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import pyarrow as pa

from pipelines.columns.widening import together
from pipelines.data.batches import read_plan
from pipelines.data.known_labels import (
    LabelCounts,
    count_labels,
    has_label,
    is_there,
    known_rows,
    label_known,
    refuse_unknown,
    span,
    span_of,
    times,
    visible,
)
from pipelines.data.row_parts import RowFiles, RowParts
from pipelines.data.sides import held_out, sides_of
from pipelines.errors import BadData
from pipelines.intervals import SNAPSHOT, Interval
from pipelines.tables import from_parquet
from pipelines.tasks import learns_nothing

if TYPE_CHECKING:
    from datetime import datetime

    from pipelines.context import Context
    from pipelines.data.manifests import BatchRef, Plan
    from pipelines.messages import FeaturesResult

__all__ = [
    "LabelCounts",
    "Split",
    "count_labels",
    "has_label",
    "holdout",
    "is_there",
    "known_rows",
    "label_known",
    "parts_to_fit",
    "read_known_rows",
    "rows_to_fit",
    "span",
    "span_of",
    "split",
    "times",
    "visible",
    "whole_snapshot",
]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Split:
    """Arrow tables with the key columns, the event time, the inputs and the target.

    Where these are more than memory holds, both are samples: `learnt` are all rows to learn from
    and `judged` all held-out ones, read part by part; None where the tables hold them all.
    """

    train: pa.Table
    holdout: pa.Table
    counts: LabelCounts
    learnt: RowParts | None = None
    judged: RowParts | None = None


def split(context: Context, features: FeaturesResult) -> Split:
    """Return the rows to learn from and to judge on.

    A row is seen when its event lies before `as_of` and its label was known by then (event_time +
    known_after <= as_of). What is judged pretends to be the future, so a training row's label must
    have been known when the holdout starts; of a forecast, when its first row was forecast. Raises
    BadData where a column is missing or nothing is left.
    """
    plan, spec, as_of = _plan(context, features), context.spec, features.as_of
    if features.most_rows is not None:
        return _split_in_parts(context, features, plan, features.most_rows)
    if plan.is_snapshot:
        return _split_snapshot(context, features, plan)
    held = _read_rows(context, features, plan.holdout)
    before = _read_rows(context, features, plan.train)
    rows = known_rows(held, spec, plan.holdout, by=as_of)
    by = min(_span(plan.holdout).start - spec.horizon, as_of)
    train = known_rows(before, spec, plan.train, by=by)
    one, other = count_labels(before, spec, as_of), count_labels(held, spec, as_of)
    counts = LabelCounts(
        known=one.known + other.known,
        waiting=one.waiting + other.waiting,
        missing=one.missing + other.missing,
        aside=0 if learns_nothing(spec.task) else one.known - train.num_rows,
    )
    return Split(train=train, holdout=rows, counts=counts)


def holdout(context: Context, features: FeaturesResult) -> tuple[pa.Table, Interval]:
    """Return the rows to judge on, and the span that they come from."""
    plan = _plan(context, features)
    if plan.is_snapshot:
        return _read_side(context, features, plan, held=True), SNAPSHOT
    return read_known_rows(context, features, plan.holdout, by=features.as_of), _span(plan.holdout)


def rows_to_fit(
    context: Context, features: FeaturesResult, *, since: datetime | None = None
) -> tuple[pa.Table, Interval]:
    """Return the rows of a version's final fit, and the span that they come from.

    All whose label is known by `as_of`; of a snapshot those that are not held out, so that a later
    version can be compared with this one on rows that neither has seen. Without `since` from the
    first batch on.
    """
    plan = _plan(context, features)
    if plan.is_snapshot:
        return _read_side(context, features, plan, held=False), SNAPSHOT
    batches = _to_fit(plan, since)
    return read_known_rows(context, features, batches, by=features.as_of), _span(batches)


def parts_to_fit(
    context: Context, features: FeaturesResult, *, since: datetime | None = None
) -> RowParts | None:
    """Return all rows of a version's final fit, part by part; None where `rows_to_fit` returns
    them all.
    """
    if features.most_rows is None:
        return None
    plan = _plan(context, features)
    batches = plan.train if plan.is_snapshot else _to_fit(plan, since)
    side = False if plan.is_snapshot else None
    parts = _parts(context, features, batches, by=features.as_of, held=side)
    return parts if parts.count > features.most_rows else None


def _to_fit(plan: Plan, since: datetime | None) -> list[BatchRef]:
    batches = [*plan.train, *plan.holdout]
    return [b for b in batches if since is None or b.interval.start >= since]


def _split_in_parts(context: Context, features: FeaturesResult, plan: Plan, most: int) -> Split:
    """Return what `split` does of more rows than memory holds: of each side a sample."""
    spec, as_of = context.spec, features.as_of
    if plan.is_snapshot:
        sides = {h: _parts(context, features, plan.train, by=as_of, held=h) for h in (False, True)}
        learnt, judged = sides[False], sides[True]
        counts = learnt.count_labels(as_of)
    else:
        by = min(_span(plan.holdout).start - spec.horizon, as_of)
        learnt = _parts(context, features, plan.train, by=by)
        judged = _parts(context, features, plan.holdout, by=as_of)
        one, other = learnt.count_labels(as_of), judged.count_labels(as_of)
        counts = LabelCounts(
            known=one.known + other.known,
            waiting=one.waiting + other.waiting,
            missing=one.missing + other.missing,
            aside=0 if learns_nothing(spec.task) else one.known - learnt.count,
        )
    held = _sample(judged, plan.holdout or plan.train, most)
    return Split(
        train=_sample(learnt, plan.train, most),
        holdout=held,
        counts=counts,
        learnt=learnt if learnt.count > most else None,
        judged=judged if judged.count > most else None,
    )


def _parts(
    context: Context,
    features: FeaturesResult,
    batches: list[BatchRef],
    *,
    by: datetime,
    held: bool | None = None,
) -> RowParts:
    names = [b.interval.name for b in batches]
    paths = context.ports.versions.fetch(context.spec.name, features.version, names)
    return RowParts(RowFiles(context.spec, dict(zip(names, paths, strict=True))), by, held)


def _sample(parts: RowParts, batches: list[BatchRef], most: int) -> pa.Table:
    """Return a sample of the rows. Raises BadData where there are none."""
    rows = parts.sample(most)
    if not rows.num_rows and parts.held is not None and parts.by is not None:
        known = RowParts(parts.files, parts.by).count
        if known:
            _refuse_side(parts.files.spec.target.column, known, held=parts.held)
    if not rows.num_rows and parts.by is not None:
        spec = parts.files.spec
        refuse_unknown(parts.count_labels(parts.by), spec, batches, parts.by)
    return rows


def _split_snapshot(context: Context, features: FeaturesResult, plan: Plan) -> Split:
    spec, as_of = context.spec, features.as_of
    everything = _read_rows(context, features, plan.train)
    whole = known_rows(everything, spec, plan.train, by=as_of)
    return Split(
        train=_side(context, whole, held=False),
        holdout=_side(context, whole, held=True),
        counts=count_labels(everything, spec, as_of),
    )


def whole_snapshot(context: Context, features: FeaturesResult) -> pa.Table:
    """Return all rows of a plan's snapshot that have a label, sorted by their key."""
    return read_known_rows(context, features, _plan(context, features).train, by=features.as_of)


def _read_side(context: Context, features: FeaturesResult, plan: Plan, *, held: bool) -> pa.Table:
    """Return the rows of one side of a plan's snapshot, sorted by their key."""
    if features.most_rows is None:
        return _side(context, whole_snapshot(context, features), held=held)
    parts = _parts(context, features, plan.train, by=features.as_of, held=held)
    return _sample(parts, plan.train, features.most_rows)


def _side(context: Context, whole: pa.Table, *, held: bool) -> pa.Table:
    spec = context.spec
    is_held = held_out(whole, sides_of(spec), spec.key)
    rows = whole.filter(pa.array(is_held if held else ~is_held))
    if not rows.num_rows:
        _refuse_side(spec.target.column, whole.num_rows, held=held)
    return rows


def _refuse_side(column: str, rows: int, *, held: bool) -> NoReturn:
    side = "held out" if held else "to learn from"
    raise BadData(
        f"None of the {rows} rows of the snapshot with a known {column}"
        f" is {side}: their hash decides, and all are on the other side.",
        remedy="take a larger snapshot, or another train.holdout or train.seed.",
    )


def read_known_rows(
    context: Context, features: FeaturesResult, batches: list[BatchRef], *, by: datetime
) -> pa.Table:
    """Return the batches' rows, in their order, whose label was known at the moment `by`; of more
    than memory holds a sample.
    """
    if features.most_rows is not None:
        parts = _parts(context, features, batches, by=by)
        return _sample(parts, batches, features.most_rows)
    table = _read_rows(context, features, batches)
    return known_rows(table, context.spec, batches, by=by)


def _read_rows(context: Context, features: FeaturesResult, batches: list[BatchRef]) -> pa.Table:
    """Return the batches' rows of features, in their order."""
    spec = context.spec
    columns = spec.feature_columns
    names = [b.interval.name for b in batches]
    tables = {}
    for name, path in zip(
        names, context.ports.versions.fetch(spec.name, features.version, names), strict=True
    ):
        table = from_parquet(path)
        absent = [c for c in columns if c not in table.column_names]
        if absent:
            raise BadData(
                f"The features of {name} lack {', '.join(absent)}.",
                remedy="let features.py build these columns.",
            )
        tables[name] = table.select(columns)
    return together(tables, f"The features of {names[0]} to {names[-1]}", whole=spec.key)


def _plan(context: Context, features: FeaturesResult) -> Plan:
    plan = read_plan(context.ports.store, features.plan)
    if not plan.train or (not plan.holdout and not plan.is_snapshot):
        raise BadData(
            "The plan has no batches to learn from or none to judge on.",
            remedy="wait for more batches or shorten train.holdout.",
        )
    return plan


def _span(batches: list[BatchRef]) -> Interval:
    return Interval(
        start=min(b.interval.start for b in batches), end=max(b.interval.end for b in batches)
    )
