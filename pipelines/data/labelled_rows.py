"""The rows of a plan that may be learnt from and judged on.

Past, with a label that was known by then.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.columns.widening import together
from pipelines.data.batches import read_plan
from pipelines.data.sides import held_out, sides_of
from pipelines.errors import BadData
from pipelines.intervals import SNAPSHOT, Interval, iso
from pipelines.plurals import how_many
from pipelines.spec.units import duration_text
from pipelines.tables import from_parquet
from pipelines.tasks import learns_nothing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pipelines.context import Context
    from pipelines.data.manifests import BatchRef, Plan
    from pipelines.messages import FeaturesResult
    from pipelines.spec import Spec

Array = np.ndarray[Any, Any]


class Dated(Protocol):
    """What belongs to an interval, as a batch does."""

    @property
    def interval(self) -> Interval:
        """The span of its rows."""
        ...


@dataclass(frozen=True)
class Split:
    """Arrow tables with the key columns, the event time, the inputs and the target."""

    train: pa.Table
    holdout: pa.Table
    counts: LabelCounts


@dataclass(frozen=True)
class LabelCounts:
    """What is known of the labels of a run's rows when it lives.

    `known`: the label may be used. `waiting`: the outcome cannot be known yet (event_time +
    known_after > as_of). `missing`: it should be known, and is not there. `aside` are the known
    ones that are left out all the same, because nobody knew them when the held-out rows began.
    """

    known: int = 0
    waiting: int = 0
    missing: int = 0
    aside: int = 0

    def in_words(self, spec: Spec) -> str:
        """Return what is not learnt from and why; "" where every row is."""
        wait = duration_text(spec.target.known_after)
        if learns_nothing(spec.task):
            return self._unlabelled_in_words(wait) if spec.has_target else ""
        sentences = [
            (self.waiting, "wait", f"for their label, which is known {wait} after the event"),
            (self.missing, "have", "no label though it should be known by now"),
            (self.aside, "are", "left out: nobody knew their label when the held-out rows began"),
        ]
        one = {"wait": "waits", "have": "has", "are": "is"}
        return "; ".join(
            f"{how_many(n, f'row {one[verb]}', f'rows {verb}')} {words}"
            for n, verb, words in sentences
            if n
        )

    def _unlabelled_in_words(self, wait: str) -> str:
        """Return how many rows have no label, of a task that learns from them all the same."""
        total = self.known + self.waiting + self.missing
        if self.known == total:
            return ""
        return (
            f"{total - self.known:,} of {total:,} rows have no label ({self.waiting:,} wait for it,"
            f" which is known {wait} after the event): they are learnt from, and judge only what"
            " needs no label"
        )


def count_labels(table: pa.Table, spec: Spec, by: datetime) -> LabelCounts:
    """Count the rows by what is known of their label at the moment `by`."""
    happened, known = _by(table, spec, by, spec.target.known_after)
    if not spec.has_target:
        return LabelCounts(known=int(happened.sum()))
    labelled = is_there(table[spec.target.column])
    return LabelCounts(
        known=int((known & labelled).sum()),
        waiting=int((happened & ~known).sum()),
        missing=int((known & ~labelled).sum()),
    )


def split(context: Context, features: FeaturesResult) -> Split:
    """Return the rows to learn from and to judge on.

    A row is seen when its event lies before `as_of` and its label was known by then (event_time +
    known_after <= as_of). What is judged pretends to be the future, so a training row's label must
    have been known when the holdout starts; of a forecast, when its first row was forecast. Raises
    BadData where a column is missing or nothing is left.
    """
    plan, spec, as_of = _plan(context, features), context.spec, features.as_of
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
        return _side(context, whole_snapshot(context, features), held=True), SNAPSHOT
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
        return _side(context, whole_snapshot(context, features), held=False), SNAPSHOT
    batches = [*plan.train, *plan.holdout]
    if since is not None:
        batches = [b for b in batches if b.interval.start >= since]
    return read_known_rows(context, features, batches, by=features.as_of), _span(batches)


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


_LONGER = (
    "these batches must outlast target.known_after: use more of them (train.holdout, train.window),"
    " or a shorter known_after."
)


def known_rows(table: pa.Table, spec: Spec, batches: Sequence[Dated], *, by: datetime) -> pa.Table:
    """Return the rows of the batches whose label was known at the moment `by`.

    Raises BadData where there are none.
    """
    rows = table.filter(pa.array(visible(table, spec, by)))
    if learns_nothing(spec.task) and spec.has_target:
        rows = _hide_unknown(rows, spec, by)
    if not rows.num_rows:
        counts = count_labels(table, spec, by)
        why = f" ({said})" if (said := counts.in_words(spec)) else ""
        waits = counts.waiting > counts.missing
        raise BadData(
            f"No row of the snapshot has a {spec.target.column or 'value'}{why}."
            if spec.is_snapshot
            else f"No row of the batches {batches[0].interval.name} to {batches[-1].interval.name}"
            f" has a label that was known by {iso(by)}{why}.",
            remedy=_LONGER if waits else f"look at {spec.target.column!r} in the source.",
            at=("target", "known_after" if waits else "column"),
        )
    return rows


def _hide_unknown(table: pa.Table, spec: Spec, by: datetime) -> pa.Table:
    """Return the rows with null in place of each label that was not known at the moment `by`."""
    column = spec.target.column
    known = pa.array(label_known(table, spec, by))
    hidden = pc.if_else(known, table[column], pa.scalar(None, table[column].type))
    return table.set_column(table.column_names.index(column), column, hidden)


def label_known(table: pa.Table, spec: Spec, by: datetime) -> Array:
    """Return (n,) booleans: whether a row has a label that was known at the moment `by`.

    Also of a task that learns from rows without one.
    """
    if not spec.has_target:
        return np.full(table.num_rows, fill_value=False)
    _, known = _by(table, spec, by, spec.target.known_after)
    return np.asarray(known & is_there(table[spec.target.column]))


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

    Which rows have an event before the moment `by` and a label that was known by then; of a task
    that learns from rows without one, all whose event lies before it.
    """
    wait = timedelta() if learns_nothing(spec.task) else spec.target.known_after
    happened, known = _by(table, spec, by, wait)
    return np.asarray(happened & known & has_label(table, spec))


def _by(table: pa.Table, spec: Spec, by: datetime, known_after: timedelta) -> tuple[Array, Array]:
    """Return (n,) booleans: whether the event lies before `by`, and whether its outcome is known.

    A label that is not there may be known all the same.
    """
    event = times(table, spec)
    moment = np.datetime64(by.replace(tzinfo=None), "us")
    happened = event < moment
    return happened, happened & (event + np.timedelta64(known_after) <= moment)


def has_label(table: pa.Table, spec: Spec) -> Array:
    """Return (n,) booleans: whether a label is there; null and NaN are none.

    True everywhere for a task that learns from rows without one.
    """
    if learns_nothing(spec.task):
        return np.full(table.num_rows, fill_value=True)
    return is_there(table[spec.target.column])


def is_there(column: pa.ChunkedArray) -> Array:
    """Return (n,) booleans: whether a label is there; null and NaN are none."""
    there = pc.is_valid(column)
    if pa.types.is_floating(column.type):
        there = pc.and_(there, pc.invert(pc.fill_null(pc.is_nan(column), fill_value=False)))
    return np.asarray(there.to_numpy(zero_copy_only=False), dtype=bool)


def _span(batches: list[BatchRef]) -> Interval:
    return Interval(
        start=min(b.interval.start for b in batches), end=max(b.interval.end for b in batches)
    )
