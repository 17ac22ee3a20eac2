"""The estimators of quantiles: one fit for each level, one fit whose errors make the levels, or one
that answers at all of them; and the mean of several such.

A bundle that is served natively names these classes, so they stay where they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.ensemble import VotingRegressor

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

        Without a parameter it is fitted once: it answers with one value, and only the shifts tell
        the levels apart, or with one for each level.
        """
        self.estimator = estimator
        self.levels = levels
        self.parameter = parameter

    @classmethod
    def of_fitted(cls, fitted: list[Any], levels: tuple[float, ...]) -> QuantileFits:
        """Return the estimator of levels that are fitted already, each by an estimator."""
        made = cls(None, levels)
        made.estimators_ = list(fitted)
        made.shifts_ = np.zeros(len(levels))
        return made

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
        """Return the values at the levels, a column for each.

        Raises ValueError where the fits answer with more or fewer numbers.
        """
        columns = [np.asarray(e.predict(X), dtype=np.float64) for e in self.estimators_]
        learnt = np.sort(np.column_stack(columns), axis=1)
        if learnt.shape[1] not in {1, len(self.levels)}:
            msg = (
                f"the estimators answer with {learnt.shape[1]} numbers to a row at"
                f" {len(self.levels)} levels, wanted one for each"
            )
            raise ValueError(msg)
        # One fit of one value has one column, which the shifts spread out.
        return widen(learnt + self.shifts_, self.levels)

    def correct(self, shifts: Array) -> None:
        """Move the answers at the levels by `shifts` (k,)."""
        self.shifts_ = shifts

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        return tags


class QuantileVote(VotingRegressor):  # type: ignore[misc]
    """Answers at each level with the mean of what its members answer there, weighted if asked for.

    A mean of answers that do not fall along a row does not fall. `shifts_` are as above.
    """

    def __init__(
        self,
        estimators: Any = None,
        levels: tuple[float, ...] = (MEDIAN,),
        *,
        weights: list[float] | None = None,
    ) -> None:
        """Keep the members by name, each of which answers (n, k) at the levels, and the weights."""
        super().__init__(estimators, weights=weights)
        self.levels = levels

    def fit(self, X: Any, y: Any, **named: Any) -> QuantileVote:  # noqa: N803
        """Fit each member."""
        super().fit(X, y, **named)
        self.shifts_ = np.zeros(len(self.levels))
        return self

    def predict(self, X: Any) -> Array:  # noqa: N803 -- scikit-learn's name
        """Return the values at the levels, a column for each."""
        answers = [np.asarray(e.predict(X), dtype=np.float64) for e in self.estimators_]
        mean = np.average(answers, axis=0, weights=self._weights_not_none)
        return widen(mean + self.shifts_, self.levels)

    def correct(self, shifts: Array) -> None:
        """Move the answers at the levels by `shifts` (k,)."""
        self.shifts_ = shifts


def widen(values: Array, levels: tuple[float, ...]) -> Array:
    """Return values (n, k) that do not fall along a row: lower ends only lower, upper ones higher.

    The level nearest to the median stays as it is.
    """
    start = int(np.argmin(np.abs(np.asarray(levels) - MEDIAN)))
    wide = np.array(values, dtype=np.float64)
    wide[:, start:] = np.maximum.accumulate(wide[:, start:], axis=1)
    wide[:, : start + 1] = np.minimum.accumulate(wide[:, start::-1], axis=1)[:, ::-1]
    return wide
