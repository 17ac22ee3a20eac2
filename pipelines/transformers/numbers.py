"""Numbers that return after a period, and numbers over many magnitudes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]


class _Numbers(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """What both have in common: they learn nothing but the number of their columns."""

    def fit(self, X: Any, y: Any = None) -> Any:  # noqa: ARG002, N803 -- scikit-learn's names
        """Learn how many columns there are. Raises ValueError for what is no number."""
        validate_data(self, X, ensure_all_finite="allow-nan", dtype=(np.float64, np.float32))
        return self

    def _validate(self, values: Any) -> Array:
        check_is_fitted(self)
        checked: Array = validate_data(
            self,
            values,
            reset=False,
            ensure_all_finite="allow-nan",
            dtype=(np.float64, np.float32),
        )
        return checked

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "n_features_in_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class SignedLog(OneToOneFeatureMixin, _Numbers):  # type: ignore[misc]
    """sign(x) · log(1 + |x|) of each number: (n, k) to (n, k); NaN stays NaN."""

    def transform(self, X: Any) -> Array:  # noqa: N803 -- scikit-learn's name
        """Return the logarithms, in the type of X."""
        values = self._validate(X)
        logs: Array = np.sign(values) * np.log1p(np.abs(values))
        return logs


class Cycles(_Numbers):
    """Sine and cosine of 2π x / period of each number: (n, k) to (n, 2k); NaN stays NaN."""

    def __init__(self, period: float = 1.0) -> None:
        """Keep after how much a number returns."""
        self.period = period

    def transform(self, X: Any) -> Array:  # noqa: N803 -- scikit-learn's name
        """Return the sines and cosines, side by side for each column, in the type of X."""
        values = self._validate(X)
        angles = values * values.dtype.type(2 * np.pi / self.period)
        waves: Array = np.stack([np.sin(angles), np.cos(angles)], axis=2)
        return waves.reshape(len(values), -1)

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """Return the names: hour_sin, hour_cos."""
        names = input_features if input_features is not None else _names_of(self)
        return np.array([f"{n}_{wave}" for n in names for wave in ("sin", "cos")], dtype=object)


def _names_of(transformer: Any) -> Any:
    known = getattr(transformer, "feature_names_in_", None)
    return known if known is not None else [f"x{i}" for i in range(transformer.n_features_in_)]
