"""The estimator of quantiles: one fit for each level, or one fit whose errors make the levels.

A bundle that is served natively names this class, so it stays where it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, clone

Array = np.ndarray[Any, Any]

MEDIAN = 0.5


class QuantileFits(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Answers with the values at some levels: (n, m) inputs to (n, k), not falling along a row.

    Fits of several levels may cross. They are put in order row by row, which never makes the mean
    pinball loss greater (Chernozhukov, Fernández-Val & Galichon 2010, "Quantile and Probability
    Curves Without Crossing", Econometrica 78).

    `shifts_` (k,) are added to that; see `science.conformal`. What crosses then is widened away
    from the median, since an end that is drawn inwards would break what the shifts promise.
    """

    def __init__(
        self, estimator: Any = None, levels: tuple[float, ...] = (MEDIAN,), parameter: str = ""
    ) -> None:
        """Keep the estimator, the levels (increasing), and the parameter by which it takes one.

        Without a parameter it is fitted once, and only the shifts tell the levels apart.
        """
        self.estimator = estimator
        self.levels = levels
        self.parameter = parameter

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> QuantileFits:  # noqa: N803
        """Fit each level, or once."""
        named = {} if sample_weight is None else {"sample_weight": sample_weight}
        settings: list[dict[str, Any]] = (
            [{self.parameter: float(level)} for level in self.levels] if self.parameter else [{}]
        )
        self.estimators_ = [
            clone(self.estimator).set_params(**setting).fit(X, y, **named) for setting in settings
        ]
        self.shifts_ = np.zeros(len(self.levels))
        return self

    def predict(self, X: Any) -> Array:  # noqa: N803 -- scikit-learn's name
        """Return the values at the levels, a column for each."""
        columns = [np.asarray(e.predict(X), dtype=np.float64).ravel() for e in self.estimators_]
        learnt = np.sort(np.column_stack(columns), axis=1)
        # One fit has one column, which the shifts spread out.
        return widen(learnt + self.shifts_, self.levels)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        return tags


def widen(values: Array, levels: tuple[float, ...]) -> Array:
    """Return values (n, k) that do not fall along a row: lower ends only lower, upper ones higher.

    The level nearest to the median stays as it is.
    """
    start = int(np.argmin(np.abs(np.asarray(levels) - MEDIAN)))
    wide = np.array(values, dtype=np.float64)
    wide[:, start:] = np.maximum.accumulate(wide[:, start:], axis=1)
    wide[:, : start + 1] = np.minimum.accumulate(wide[:, start::-1], axis=1)[:, ::-1]
    return wide
