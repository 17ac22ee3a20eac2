"""Requests of a forecast: the caller sends the series' recent values, the server makes the columns.

It makes them by the code that made the rows that were learnt from, so that both are the same. A row
that holds the made columns already is answered as it is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import msgspec
import numpy as np
from msgspec import Meta

from pipelines.bundle.rows import FLOAT32_MAX
from pipelines.series.making import SECOND, History, make_columns
from serving.body_problems import TIME, describe_value
from serving.decode import (
    EARLIEST,
    LATEST,
    PredictionRequest,
    RequestDecoder,
    Time,
    make_json_problem,
    refuse_repeated_keys,
    to_microseconds,
)
from serving.problems import Problem

if TYPE_CHECKING:
    from datetime import datetime

    from pipelines.bundle.schema import InputSchema
    from pipelines.series.columns import SeriesColumns

    Array = np.ndarray[Any, Any]

FIELD = "history"
PAIR = '[["2024-05-01T10:00:00Z", 1.5], …]'
_Value = Annotated[float, Meta(ge=-FLOAT32_MAX, le=FLOAT32_MAX)]
_decode_pairs = msgspec.json.Decoder(list[tuple[Time, _Value | None]]).decode
_decode_parts = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_PLACE = re.compile(r" - at `\$\[(\d+)\]")


class SeriesDecoder(RequestDecoder):
    """Decodes bodies with a `history` beside the rows, and all others as `RequestDecoder` does."""

    def __init__(self, schema: InputSchema, series: SeriesColumns, max_rows: int) -> None:
        """Make a decoder for whole rows, and one for rows without the made columns."""
        super().__init__(schema, max_rows)
        self._series = series
        self._made = set(series.names)
        self._names = [c.name for c in schema.columns]
        own = [c for c in schema.columns if c.name not in self._made]
        self._own = [c.name for c in own]
        self._of_own = RequestDecoder(schema.model_copy(update={"columns": own}), max_rows)

    def decode(self, body: bytes) -> PredictionRequest:
        """Return what is asked, with the made columns. Raises Problem (400, 413, 422) naming the
        field, and the place in the history.
        """
        parts = _parts(body) if b'"history"' in body else {}
        if FIELD not in parts:
            return super().decode(body)
        refuse_repeated_keys(body)
        pairs = _read_pairs(bytes(parts.pop(FIELD)))
        request = self._of_own.decode(msgspec.json.encode(parts))
        if request.event_times is None:
            _refuse(
                "Where a history is sent, each row needs its time: send event_time beside a row, or"
                " event_times beside rows."
            )
        times = np.array(request.event_times, dtype=np.int64)
        moments = np.array([to_microseconds(moment) for moment, _ in pairs], dtype=np.int64)
        self._check(moments, times)
        values = np.array([np.nan if v is None else v for _, v in pairs], dtype=np.float64)
        return request._replace(rows=self._complete(request.rows, times, moments, values))

    def _complete(
        self, rows: list[tuple[Any, ...]], times: Array, moments: Array, values: Array
    ) -> list[tuple[Any, ...]]:
        """Return the rows with the made columns, in the schema's order."""
        one = np.zeros(len(moments), dtype=np.int64)
        columns: dict[str, list[Any]] = {
            name: [None if v != v else v for v in column.tolist()]  # noqa: PLR0124 -- NaN
            for name, column in make_columns(
                self._series, times, np.zeros(len(times), np.int64), History(moments, one, values)
            ).items()
        }
        by_own = zip(*rows, strict=True) if self._own else ()
        columns |= dict(zip(self._own, map(list, by_own), strict=True))
        return list(zip(*(columns[name] for name in self._names), strict=True))

    def _check(self, moments: Array, times: Array) -> None:
        """Raise Problem where a history is none of these rows."""
        step = self._series.step * SECOND
        if not len(moments):
            _refuse(f"history is empty; send what is known of the series: {PAIR}.")
        back = np.flatnonzero(np.diff(moments) <= 0)
        if len(back):
            place = int(back[0]) + 1
            _refuse(f"history[{place}] is not later than history[{place - 1}]; sort it by time.")
        if len(beside := np.flatnonzero((times - times[0]) % step)):
            _refuse(
                f"The event time of row {beside[0]} does not lie whole steps of {self._series.step}"
                " s from that of row 0; send another series in a request of its own."
            )
        if len(beside := np.flatnonzero((moments - times[0]) % step)):
            _refuse(
                f"history[{beside[0]}] ({_iso(moments[beside[0]])}) does not lie whole steps of"
                f" {self._series.step} s from the event time."
            )
        if len(ahead := np.flatnonzero(moments >= times.min())):
            _refuse(
                f"history[{ahead[0]}] ({_iso(moments[ahead[0]])}) is ahead of time: it is not"
                f" before the first event time, {_iso(times.min())}."
            )
        oldest = times.min() - self._series.reach * step
        if moments[0] > oldest:
            _refuse(
                f"history is too short: it begins at {_iso(moments[0])}, and is needed from"
                f" {_iso(oldest)} on; send null for a value that is not known."
            )
        newest = times.max() - self._series.gap * step
        if moments[-1] < newest:
            _refuse(
                f"history is too short: it ends at {_iso(moments[-1])}, and a forecast of"
                f" {_iso(times.max())} needs it up to {_iso(newest)}, which is what the horizon"
                " leaves; send null for a value that is not known."
            )

    def _wrong_field(self, requirement: str, field: str, *, in_row: bool) -> str:
        words = super()._wrong_field(requirement, field, in_row=in_row)
        if requirement == "missing required" and field in self._made:
            return f"{words} Send `history` beside the rows, and it is made: {PAIR}."
        return words


def _parts(body: bytes) -> dict[str, msgspec.Raw]:
    """Return the parts of a body, undecoded; none where it is no object, which is refused later."""
    try:
        return _decode_parts(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def _read_pairs(data: bytes) -> list[tuple[datetime, float | None]]:
    try:
        pairs = _decode_pairs(data)
    except msgspec.ValidationError as error:
        place = _PLACE.search(str(error))
        where = f"history[{place[1]}]" if place else "history"
        _refuse(
            f"{where} must be like {PAIR}: times with a zone, numbers or null"
            f"{describe_value(str(error))}."
        )
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise make_json_problem(error, data) from None
    far = next((i for i, (t, _) in enumerate(pairs) if not EARLIEST <= t < LATEST), None)
    if far is not None:
        _refuse(f"The time of history[{far}] must be {TIME}.")
    return pairs


def _refuse(message: str) -> NoReturn:
    raise Problem(422, "invalid_input", message, field=FIELD)


def _iso(moment: int) -> str:
    return f"{np.datetime64(int(moment), 'us').astype('datetime64[s]')}Z"
