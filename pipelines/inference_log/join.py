"""Join labels to answered rows: late, once, and honestly.

One row per identity is left. Of several predictions of one identity counts the last that was
answered before its feedback came, by the server's clock and then by place in the log: whoever asks
again after the outcome is known changes nothing. Rows whose identity was only answered after its
feedback stay, unlabelled.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.classes import class_names
from pipelines.errors import BadData
from pipelines.inference_log.request_labels import under_rows

if TYPE_CHECKING:
    from pipelines.inference_log.reader import Labels, Log

Array = np.ndarray[Any, Any]

AHEAD = timedelta(days=1)
"""An event that lies further than this after its answer is counted.

A forecast, or a clock that is wrong.
"""

NOTHING = timedelta(0)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Counts:
    """What the join counted.

    `predicted` are the log's rows; `rows` the distinct identities among them, one row each.

    `duplicates` = predicted - rows. `labelled` rows have a label. `after_label` predictions were
    answered after the feedback of their identity. `ahead` rows have an event time more than a day
    (and the horizon of a forecast) after their answer. In `contradicting` rows feedback and source
    disagree (feedback counts). `torn` and `damaged` count the log's and the labels' lines that
    could not be read.
    """

    predicted: int
    rows: int
    duplicates: int
    labelled: int
    after_label: int
    ahead: int
    contradicting: int
    torn: int
    damaged: int

    @property
    def coverage(self) -> float:
        """The share of rows that have a label, in [0, 1]; 0 without rows."""
        return self.labelled / self.rows if self.rows else 0.0


@dataclass(frozen=True)
class LabelledLog:
    """The log's columns, one row per identity in the log's order, with their labels.

    `label` is null where none counts; `label_from` says where it came from.
    """

    rows: pa.Table
    counts: Counts


def join_labels(
    log: Log,
    labels: Labels,
    *,
    source: pa.Table | None = None,
    known_by: datetime | None = None,
    known_after: timedelta = NOTHING,
    horizon: timedelta = NOTHING,
) -> LabelledLog:
    """Return the log's rows with their labels.

    `source` has the columns `identity` and `label`: what the model's own source says; of several
    rows of one identity the last one counts, null is no label, and it says nothing of rows that
    have feedback. With `known_by` only rows with event_time + known_after <= known_by get a label,
    from wherever. Of a forecast an event may lie as far as its `horizon` after the answer, and a
    day more, before it is counted as ahead. Raises BadData where a label is no number although the
    predictions are numbers.
    """
    labels = under_rows(labels, log.rows)
    identity_column = log.rows["identity"].combine_chunks().dictionary_encode()
    codes, at = identity_column.indices.to_numpy(), _microseconds(log.rows["at"])
    label_places = _places(identity_column.dictionary, labels.table["identity"])
    early = at <= np.append(_microseconds(labels.table["at"]), NEVER)[label_places][codes]
    picks = _choose_rows(codes, at, early, len(identity_column.dictionary))
    rows = log.rows if len(picks) == len(codes) else log.rows.take(pa.array(picks))
    event, identities = _microseconds(rows["event_time"]), codes[picks]
    is_known = (
        np.full(len(picks), fill_value=True)
        if known_by is None
        else event <= _micros(known_by - known_after - EPOCH)
    )

    kind = rows["prediction"].type
    feedback = _labels_at(
        labels.table["label"], label_places[identities], is_known & early[picks], kind
    )
    from_source = _from_source(source, identity_column.dictionary, identities, is_known, kind)
    label = pc.if_else(pa.array(label_places[identities] >= 0), feedback, from_source)
    says = pc.if_else(pa.array(label_places[identities] >= 0), "feedback", "source")
    label_from = pc.if_else(pc.is_valid(label), says, pa.scalar(None, pa.string()))
    counts = Counts(
        predicted=len(codes),
        rows=len(picks),
        duplicates=len(codes) - len(picks),
        labelled=len(label) - label.null_count,
        after_label=int(np.count_nonzero(~early)),
        ahead=int(np.count_nonzero(event - at[picks] > _micros(AHEAD + horizon))),
        contradicting=pc.sum(pc.not_equal(feedback, from_source)).as_py() or 0,
        torn=log.torn + labels.torn,
        damaged=len(log.damage) + len(labels.damage),
    )
    return LabelledLog(
        rows=rows.append_column("label", label).append_column("label_from", label_from),
        counts=counts,
    )


def _micros(span: timedelta) -> int:
    return span // timedelta(microseconds=1)


def _microseconds(times: pa.ChunkedArray) -> Array:
    numbers: Array = times.cast(pa.int64()).to_numpy()
    return numbers


def _places(identities: pa.Array, among: pa.ChunkedArray) -> Array:
    """Return where each identity first stands among others, or -1."""
    places: Array = pc.fill_null(
        pc.index_in(identities, value_set=among.combine_chunks()), -1
    ).to_numpy()
    return places


def _choose_rows(codes: Array, at: Array, early: Array, identities: int) -> Array:
    """Return the place of each identity's one row: the last early one, else the last.

    In the log's order.
    """
    if identities == len(codes):
        return np.arange(len(codes))
    order = np.lexsort((at, early, codes))  # stable: equal ones stay in the log's order
    return np.sort(order[np.flatnonzero(np.diff(codes[order], append=-1))])


def _labels_at(
    labels: pa.ChunkedArray, places: Array, counts: Array, kind: pa.DataType
) -> pa.Array:
    """Return the label at each place, in the predictions' type.

    It is null where the place is -1, or where it does not count.
    """
    values = labels.combine_chunks().take(pa.array(places, mask=(places < 0) | ~counts))
    if values.type == kind:
        return values
    if pa.types.is_string(kind):  # as a class is named in training
        return class_names(pa.chunked_array([values])).combine_chunks()
    try:
        return values.cast(kind)
    except pa.ArrowInvalid as error:
        raise BadData(
            f"A label is no number: {error}.",
            remedy="look at the model's task and at what was sent as feedback.",
        ) from error


def _from_source(
    source: pa.Table | None, identities: pa.Array, one: Array, counts: Array, kind: pa.DataType
) -> pa.Array:
    """Return what the source says of each row, null where it says nothing or it does not count."""
    if source is None:
        return pa.nulls(len(one), kind)
    with_label = source.filter(pc.is_valid(source["label"]))
    if pa.types.is_floating(with_label["label"].type):
        with_label = with_label.filter(pc.invert(pc.is_nan(with_label["label"])))
    newest = with_label.take(pa.array(np.arange(with_label.num_rows)[::-1]))
    return _labels_at(newest["label"], _places(identities, newest["identity"])[one], counts, kind)
