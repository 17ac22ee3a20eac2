"""How much each input alone says of the target, on held-out rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pipelines.data import labelled_rows
from pipelines.errors import BadData
from pipelines.science.gate.leak_check import LeakFacts, measure_columns
from pipelines.tasks import classifies
from pipelines.training.targets import targets

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.spec import Spec

MOST_ROWS = 20_000
"""Held-out rows that are looked at; of more as many, evenly spread."""
LEAST_ROWS = 100
"""Of fewer a column that says nothing may seem to say much."""


def measure_leaks(spec: Spec, rows: pa.Table, classes: list[str] | None) -> LeakFacts:
    """Return what the inputs say of the target on the rows (n,), each alone.

    Columns that Perennial makes of a series are left out: they never look closer than the horizon.
    Raises BadData where there are too few rows, one value of the target only, or no other inputs.
    """
    if rows.num_rows > MOST_ROWS:
        rows = rows.take(pa.array(np.linspace(0, rows.num_rows - 1, MOST_ROWS).astype(np.int64)))
    truth = targets(rows, spec, classes)
    if len(truth) < LEAST_ROWS:
        raise BadData(
            f"There are {len(truth)} held-out rows, and {LEAST_ROWS} are needed to tell.",
            remedy="hold more out (train.holdout).",
        )
    made = set(spec.series.names) if spec.series else set()
    columns = {
        name: _series_of(rows[name])
        for name in spec.inputs
        if name in rows.column_names and name not in made
    }
    if not columns:
        raise BadData(
            "Every input is made of the series' own past, which cannot leak.",
            remedy="take gate.leak out.",
        )
    classify = classifies(spec.task)
    # By their names, so that a reason names the class and not its number
    named = np.array(classes, dtype=object)[truth.astype(int)] if classify and classes else truth
    target = _series(named)
    if target.nunique() < 2:  # noqa: PLR2004 -- one value alone
        raise BadData(
            "The held-out rows show one value of the target only.",
            remedy="hold more out (train.holdout).",
        )
    event = None if spec.is_snapshot else _series(labelled_rows.times(rows, spec))
    found = measure_columns(columns, target, classes=classify, event=event)
    return LeakFacts(rows.num_rows, tuple(found))


def _series_of(column: pa.ChunkedArray) -> pd.Series[Any]:
    kind = column.type
    if pa.types.is_timestamp(kind):
        # Less than a microsecond is cut off: it says nothing of a target
        return _series(column.cast(pa.timestamp("us"), safe=False).to_numpy())
    if pa.types.is_boolean(kind) or pa.types.is_decimal(kind):
        column = column.cast(pa.float64()) if pa.types.is_decimal(kind) else column.cast(pa.int8())
    return _series(column.to_pandas())


def _series(values: Any) -> pd.Series[Any]:
    import pandas as pd

    return pd.Series(values)
