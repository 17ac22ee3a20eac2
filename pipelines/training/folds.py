"""The folds over which settings are searched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.data import labelled_rows
from pipelines.data.sides import groups_of
from pipelines.science.refits import row_folds
from pipelines.science.splits import time_folds

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import pyarrow as pa

    from pipelines.spec import Spec

    Array = np.ndarray[Any, Any]


CALIBRATE = 0.2
"""The share of the rows, the latest ones, on which probabilities are corrected."""


class LaterRows:
    """One fold: the earlier rows to learn from, the later ones to correct on.

    A splitter as scikit-learn takes it, of rows in the order of time.
    """

    def get_n_splits(self, *_: Any) -> int:
        """Return how many folds there are."""
        return 1

    def split(self, rows: Any, *_: Any) -> Iterator[tuple[Array, Array]]:
        """Yield the positions of both sides."""
        import numpy as np

        count = rows.shape[0]
        cut = count - max(int(count * CALIBRATE), 1)
        yield np.arange(cut), np.arange(cut, count)


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
