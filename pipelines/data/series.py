"""The columns that a forecast makes of its series, put to the rows that `build` returned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.errors import BadData
from pipelines.series.making import SECOND, History, make_columns

if TYPE_CHECKING:
    from pipelines.series.columns import SeriesColumns
    from pipelines.spec import Spec

    Array = np.ndarray[Any, Any]

SHOWN = 3
"""Irregular times that a refusal names."""


def add_series_columns(rows: pa.Table, spec: Spec, subject: str) -> pa.Table:
    """Return built rows with the made columns behind them; as they are where nothing is made.

    The rows reach back as far as `spec.lookback`, so that the oldest step that a column sees is
    among them. Raises BadData naming times that lie beside the grid.
    """
    declared = spec.series
    if declared is None or spec.event_time is None:
        return rows
    moments, series = _moments(rows, spec.event_time, subject), _series_of(rows, spec)
    _refuse_irregular(moments, series, declared, subject)
    values = _values(rows[spec.target.column], spec, subject)
    made = make_columns(declared, moments, series, History(moments, series, values))
    for name, column in made.items():
        floats = np.issubdtype(column.dtype, np.floating)
        array = pa.array(column, from_pandas=floats)  # NaN is null
        if name in rows.column_names:
            rows = rows.drop_columns([name])
        rows = rows.append_column(name, array)
    return rows


def _moments(rows: pa.Table, event_time: str, subject: str) -> Array:
    """Return the rows' times (n,) as microseconds since 1970. Raises BadData where one is null."""
    column = rows[event_time]
    if not pa.types.is_timestamp(column.type):
        raise BadData(
            f"{subject}: {event_time} is {column.type}, no time.", remedy="build a timestamp."
        )
    if column.null_count:
        raise BadData(
            f"{subject}: {event_time} is null in {column.null_count} rows.",
            remedy="let features.py drop rows without an event time.",
        )
    moments = column.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
    return np.asarray(moments.to_numpy(), dtype=np.int64)


def _series_of(rows: pa.Table, spec: Spec) -> Array:
    """Return the series of each row (n,) as 0..k-1."""
    codes = np.zeros(rows.num_rows, dtype=np.int64)
    for name in spec.forecast.series if spec.forecast else []:
        column = rows[name].combine_chunks()
        codes_of = pc.index_in(column, value_set=pc.unique(column)).to_numpy()
        _, codes = np.unique(
            codes * (int(codes_of.max(initial=0)) + 1) + codes_of, return_inverse=True
        )
    return np.asarray(codes, dtype=np.int64)


def _values(target: pa.ChunkedArray, spec: Spec, subject: str) -> Array:
    """Return the target (n,) as float64, NaN where it is null."""
    try:
        wide = target.cast(pa.float64(), safe=False)
    except pa.ArrowException as error:
        raise BadData(
            f"{subject}: the target {spec.target.column} holds {target.type}, of which no series"
            " can be made.",
            remedy="build a number.",
            at=("target", "column"),
        ) from error
    return np.asarray(wide.to_numpy(zero_copy_only=False), dtype=np.float64)


def _refuse_irregular(moments: Array, series: Array, declared: SeriesColumns, subject: str) -> None:
    """Raise BadData where the rows of a series do not lie whole steps apart."""
    if not len(moments):
        return
    step = declared.step * SECOND
    _, first, place = np.unique(series, return_index=True, return_inverse=True)
    beside = (moments - moments[first][place]) % step != 0
    if not beside.any():
        return
    times = moments[beside][:SHOWN].astype("datetime64[us]").astype("datetime64[s]")
    raise BadData(
        f"{subject}: {int(beside.sum()):,} of {len(moments):,} rows do not lie whole steps"
        f" ({declared.step:,} s) from the first row of their series, such as"
        f" {', '.join(f'{t}Z' for t in times)}.",
        remedy="round the event time in features.py, or write another forecast.step; days and"
        " weeks of local clocks must be built as dates in UTC.",
        at=("forecast", "step"),
    )
