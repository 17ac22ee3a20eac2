"""The folds over which settings are searched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.data import labelled_rows
from pipelines.data.sides import groups_of
from pipelines.science.refits import row_folds
from pipelines.science.splits import time_folds

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from pipelines.spec import Spec

    Array = np.ndarray[Any, Any]


def search_folds(spec: Spec, rows: pa.Table, y: Array) -> list[tuple[Array, Array]]:
    """Return (train, test) positions over the rows to learn from, whose targets are y (n,).

    In time; of a snapshot, which has none, by chance. Raises BadData where there are too few rows.
    """
    if not spec.is_snapshot:
        times = labelled_rows.times(rows, spec)
        return time_folds(times, spec.train.folds, spec.target.known_after)
    groups = groups_of(rows, spec) if spec.train.group else None
    classify = spec.task != "regression"
    return row_folds(y, groups, spec.train.folds, classify=classify, seed=spec.train.seed)
