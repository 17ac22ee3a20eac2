"""What is known of the rows' labels, and when: which rows may be learnt from at a moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.errors import BadData
from pipelines.intervals import Interval, iso
from pipelines.plurals import how_many
from pipelines.spec.units import duration_text
from pipelines.tasks import learns_nothing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pipelines.spec import Spec

Array = np.ndarray[Any, Any]


class Dated(Protocol):
    """What belongs to an interval, as a batch does."""

    @property
    def interval(self) -> Interval:
        """The span of its rows."""
        ...


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


_LONGER = (
    "these batches must outlast target.known_after: use more of them (train.holdout, train.window),"
    " or a shorter known_after."
)


def known_rows(table: pa.Table, spec: Spec, batches: Sequence[Dated], *, by: datetime) -> pa.Table:
    """Return the rows of the batches whose label was known at the moment `by`.

    Raises BadData where there are none.
    """
    rows = known_among(table, spec, by)
    if not rows.num_rows:
        refuse_unknown(count_labels(table, spec, by), spec, batches, by)
    return rows


def refuse_unknown(
    counts: LabelCounts, spec: Spec, batches: Sequence[Dated], by: datetime
) -> NoReturn:
    """Raise BadData: no row of the batches has a label that was known at the moment `by`."""
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


def known_among(table: pa.Table, spec: Spec, by: datetime) -> pa.Table:
    """Return the rows whose label was known at the moment `by`; there may be none."""
    rows = table.filter(pa.array(visible(table, spec, by)))
    if learns_nothing(spec.task) and spec.has_target:
        rows = _hide_unknown(rows, spec, by)
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
    return span_of(moments.min(), moments.max())


def span_of(first: Any, last: Any) -> Interval:
    """Return the span from one event time to another, the last one included."""
    return Interval(start=first.item(), end=last.item() + timedelta(microseconds=1))


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
