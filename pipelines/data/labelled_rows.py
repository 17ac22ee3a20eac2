"""The rows of a plan that may be learnt from and judged on.

Past, with a label that was known by then.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.columns.widening import together
from pipelines.data.batches import read_plan
from pipelines.data.sides import held_out, sides_of
from pipelines.errors import BadData
from pipelines.intervals import SNAPSHOT, Interval, iso
from pipelines.tables import from_parquet

if TYPE_CHECKING:
    from datetime import datetime

    from pipelines.context import Context
    from pipelines.data.manifests import BatchRef, Plan
    from pipelines.messages import FeaturesResult
    from pipelines.spec import Spec

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Split:
    """Arrow tables with the key columns, the event time, the inputs and the target."""

    train: pa.Table
    holdout: pa.Table


def split(context: Context, features: FeaturesResult) -> Split:
    """Return the rows to learn from and to judge on.

    A row is seen when its event lies before `as_of` and its label was known by then (event_time +
    known_after <= as_of). What is judged pretends to be the future, so a training row's label must
    have been known when the holdout starts. Raises BadData where a column is missing or nothing is
    left.
    """
    plan = _plan(context, features)
    if plan.is_snapshot:
        whole = whole_snapshot(context, features)
        return Split(
            train=_side(context, whole, held=False), holdout=_side(context, whole, held=True)
        )
    rows, interval = holdout(context, features)
    train = read_known_rows(context, features, plan.train, by=min(interval.start, features.as_of))
    return Split(train=train, holdout=rows)


def holdout(context: Context, features: FeaturesResult) -> tuple[pa.Table, Interval]:
    """Return the rows to judge on, and the span that they come from."""
    plan = _plan(context, features)
    if plan.is_snapshot:
        return _side(context, whole_snapshot(context, features), held=True), SNAPSHOT
    return read_known_rows(context, features, plan.holdout, by=features.as_of), _span(plan.holdout)


def rows_to_fit(context: Context, features: FeaturesResult) -> tuple[pa.Table, Interval]:
    """Return the rows of a version's final fit, and the span that they come from.

    All whose label is known by `as_of`; of a snapshot those that are not held out, so that a later
    version can be compared with this one on rows that neither has seen.
    """
    plan = _plan(context, features)
    if plan.is_snapshot:
        return _side(context, whole_snapshot(context, features), held=False), SNAPSHOT
    batches = [*plan.train, *plan.holdout]
    return read_known_rows(context, features, batches, by=features.as_of), _span(batches)


def whole_snapshot(context: Context, features: FeaturesResult) -> pa.Table:
    """Return all rows of a plan's snapshot that have a label, sorted by their key."""
    return read_known_rows(context, features, _plan(context, features).train, by=features.as_of)


def _side(context: Context, whole: pa.Table, *, held: bool) -> pa.Table:
    spec = context.spec
    is_held = held_out(whole, sides_of(spec), spec.key)
    rows = whole.filter(pa.array(is_held if held else ~is_held))
    if not rows.num_rows:
        side = "held out" if held else "to learn from"
        raise BadData(
            f"None of the {whole.num_rows} rows of the snapshot with a known {spec.target.column}"
            f" is {side}: their hash decides, and all are on the other side.",
            remedy="take a larger snapshot, or another train.holdout or train.seed.",
        )
    return rows


def read_known_rows(
    context: Context, features: FeaturesResult, batches: list[BatchRef], *, by: datetime
) -> pa.Table:
    """Return the batches' rows, in their order, whose label was known at the moment `by`."""
    spec = context.spec
    columns = spec.built_columns
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
    table = together(tables, f"The features of {names[0]} to {names[-1]}", whole=spec.key)
    table = table.filter(pa.array(visible(table, spec, by)))
    if not table.num_rows:
        raise BadData(
            f"No row of the snapshot has a {spec.target.column}."
            if spec.is_snapshot
            else f"No row of the batches {names[0]} to {names[-1]} has a label that was known by"
            f" {iso(by)}.",
            remedy=f"look at {spec.target.column!r}"
            + ("." if spec.is_snapshot else " and at target.known_after."),
        )
    return table


def times(table: pa.Table, spec: Spec) -> Array:
    """Return the event times as datetime64[us] (UTC). Raises BadData where one is missing.

    Rows of a snapshot have none; all of them are of one moment.
    """
    if spec.event_time is None:
        return np.full(table.num_rows, np.datetime64(0, "us"))
    column = table[spec.event_time]
    if column.null_count:
        raise BadData(
            f"{spec.event_time} is null in {column.null_count} rows.",
            remedy="let features.py drop rows without an event time.",
        )
    try:
        moments: Array = (
            column.cast(pa.timestamp("us", tz="UTC")).to_numpy().astype("datetime64[us]")
        )
    except pa.ArrowException as error:
        raise BadData(
            f"{spec.event_time} is {column.type}, no time.", remedy="build a timestamp."
        ) from error
    return moments


def span(table: pa.Table, spec: Spec) -> Interval:
    """Return the span of the rows' event times, the last one included."""
    moments = times(table, spec)
    first, last = moments.min().item(), moments.max().item()
    return Interval(start=first, end=last + timedelta(microseconds=1))


def _plan(context: Context, features: FeaturesResult) -> Plan:
    plan = read_plan(context.ports.store, features.plan)
    if not plan.train or (not plan.holdout and not plan.is_snapshot):
        raise BadData(
            "The plan has no batches to learn from or none to judge on.",
            remedy="wait for more batches or shorten train.holdout.",
        )
    return plan


def visible(table: pa.Table, spec: Spec, by: datetime) -> Array:
    """Return (n,) booleans.

    Which rows have an event before the moment `by` and a label that was known by then.
    """
    event = times(table, spec)
    moment = np.datetime64(by.replace(tzinfo=None), "us")
    wait = np.timedelta64(spec.target.known_after)
    has_label = pc.is_valid(table[spec.target.column])
    if pa.types.is_floating(table[spec.target.column].type):
        has_label = pc.and_(
            has_label,
            pc.invert(pc.fill_null(pc.is_nan(table[spec.target.column]), fill_value=False)),
        )
    return np.asarray(
        (event < moment) & (event + wait <= moment) & has_label.to_numpy(zero_copy_only=False)
    )


def _span(batches: list[BatchRef]) -> Interval:
    return Interval(
        start=min(b.interval.start for b in batches), end=max(b.interval.end for b in batches)
    )
