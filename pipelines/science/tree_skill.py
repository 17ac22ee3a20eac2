"""How much columns say of a target together, by small boosted trees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pipelines.science.single_columns import gini, r2

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Array = NDArray[Any]

MOST_ROWS = 4_000
TREES: dict[str, Any] = {
    "max_iter": 25,
    "learning_rate": 0.2,
    "max_leaf_nodes": 12,
    "max_bins": 64,
    "random_state": 0,
    "early_stopping": False,
}
"""Small trees: they are to say whether much is left, not how much exactly."""


def codes_of(column: pd.Series[Any]) -> Array:
    """Return a column as numbers (n,): times as such, texts by the order in which they appear."""
    if pd.api.types.is_datetime64_any_dtype(column):
        column = column.astype("int64").where(column.notna())
    elif not pd.api.types.is_numeric_dtype(column):
        column = pd.Series(pd.factorize(column)[0], index=column.index)
    numbers: Array = column.to_numpy(dtype=float, na_value=np.nan)
    return numbers


def measure_skill(
    columns: Mapping[str, Array], outcomes: list[Array], folds: Array, *, classes: bool
) -> float:
    """Return the skill of boosted trees on all columns, over at most `MOST_ROWS` rows.

    On one thread: so small fits wait for one another longer than they work.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(limits=1):
        return _skill_on_one_thread(columns, outcomes, folds, classes=classes)


def _skill_on_one_thread(
    columns: Mapping[str, Array], outcomes: list[Array], folds: Array, *, classes: bool
) -> float:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    if not columns:
        return 0.0
    rows = np.arange(len(folds))[:: max(1, len(folds) // MOST_ROWS)]
    x, parts = np.column_stack(list(columns.values()))[rows], folds[rows] % 3
    scores, weights = [], []
    for outcome in outcomes[:5]:
        y, answers = outcome[rows], np.zeros(len(rows))
        kind: Any = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
        for part in range(3):
            learn, judge = parts != part, parts == part
            if classes and len(np.unique(y[learn])) < 2:  # noqa: PLR2004 -- one class only
                continue
            model = kind(**TREES).fit(x[learn], y[learn])
            answers[judge] = (
                model.predict_proba(x[judge])[:, 1] if classes else model.predict(x[judge])
            )
        scores.append(gini(y, answers) if classes else r2(y, answers))
        weights.append(y.sum() if classes else 1.0)
    return float(np.dot(scores, weights) / np.sum(weights)) if np.sum(weights) else 0.0
