"""Texts that are dates or times, as numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

Array = np.ndarray[Any, Any]

_PERIODS = {"month": 12, "day": 31, "weekday": 7, "hour": 24, "minute": 60, "yearday": 366}
"""After how much a part returns; the others do not."""
PARTS = ("year", *_PERIODS, "days")


class DateParts(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """The parts of texts in ISO 8601: (n, k) texts to (n, …) float32.

    A zone is turned into UTC. NaN where a text is no date.
    """

    def __init__(self, parts: tuple[str, ...] = ("month", "hour"), *, cycles: bool = True) -> None:
        """Keep which parts, and whether those that return become sine and cosine."""
        self.parts = parts
        self.cycles = cycles

    def fit(self, X: Any, y: Any = None) -> DateParts:  # noqa: ARG002, N803 -- scikit-learn's names
        """Learn the columns' names. Raises ValueError for an unknown part."""
        if wrong := [part for part in self.parts if part not in PARTS]:
            msg = f"unknown part {wrong[0]!r}; known: {', '.join(PARTS)}"
            raise ValueError(msg)
        names = getattr(X, "columns", None)
        width = _texts(X).shape[1]
        self.names_ = [f"x{i}" for i in range(width)] if names is None else [str(n) for n in names]
        self.n_features_in_ = width
        return self

    def transform(self, X: Any) -> Array:  # noqa: N803 -- scikit-learn's name
        """Return the parts of each column, one after another."""
        check_is_fitted(self)
        texts = _texts(X)
        if texts.shape[1] != self.n_features_in_:
            msg = f"X has {texts.shape[1]} features, but DateParts expects {self.n_features_in_}"
            raise ValueError(msg)
        columns = []
        for column in texts.T:
            moments = _moments(column)
            for part in self.parts:
                columns += self._waves(part, _part(moments, part))
        return np.column_stack(columns).astype(np.float32)

    def _waves(self, part: str, values: Array) -> list[Array]:
        period = _PERIODS.get(part)
        if not self.cycles or period is None:
            return [values]
        angles = values * (2 * np.pi / period)
        return [np.sin(angles), np.cos(angles)]

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """Return the names: seen_month_sin, seen_month_cos, seen_year."""
        names = self.names_ if input_features is None else input_features
        return np.array([f"{n}_{leaf}" for n in names for leaf in self._leaves()], dtype=object)

    def _leaves(self) -> list[str]:
        return [
            leaf
            for part in self.parts
            for leaf in (
                (f"{part}_sin", f"{part}_cos") if self.cycles and part in _PERIODS else (part,)
            )
        ]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.allow_nan = True
        return tags


def _texts(values: Any) -> Array:
    texts = np.asarray(values, dtype=object)
    if texts.ndim != 2:  # noqa: PLR2004 -- rows and columns
        msg = f"Expected 2D array, got {texts.ndim}D array instead. Reshape your data"
        raise ValueError(msg)
    return texts


def _moments(texts: Array) -> Array:
    """Return the moments (n,) as datetime64[s], NaT where a text is none; each is read once."""
    distinct, places = np.unique(texts.astype(str), return_inverse=True)
    moments: Array = np.array([_moment(text) for text in distinct], dtype="datetime64[s]")
    return moments[places]


def _moment(text: str) -> np.datetime64:
    from datetime import UTC, datetime

    try:
        moment = datetime.fromisoformat(text.strip())
        moment = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        return np.datetime64("NaT", "s")
    return np.datetime64(moment, "s")


def _part(moments: Array, part: str) -> Array:
    """Return a part (n,) as float64, NaN where there is no moment."""
    days = moments.astype("datetime64[D]")
    month = moments.astype("datetime64[M]")
    whole: Array
    if part == "year":
        whole = moments.astype("datetime64[Y]").astype(np.int64) + 1970
    elif part == "month":
        whole = month.astype(np.int64) % 12 + 1
    elif part == "day":
        whole = (days - month).astype(np.int64) + 1
    elif part == "weekday":
        whole = (days.astype(np.int64) + 3) % 7
    elif part == "hour":
        whole = (moments - days).astype(np.int64) // 3600
    elif part == "minute":
        whole = (moments - days).astype(np.int64) // 60 % 60
    elif part == "yearday":
        whole = (days - moments.astype("datetime64[Y]")).astype(np.int64) + 1
    else:
        whole = days.astype(np.int64)
    return np.where(np.isnat(moments), np.nan, whole.astype(np.float64))
