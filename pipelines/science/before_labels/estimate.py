"""What a model's metric is expected to be on rows whose outcome nobody knows yet."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Array = NDArray[Any]

Method = Literal["confidence", "weighting"]
CONFIDENCE = 0.95
"""In how many windows the truth is to lie within the interval, where the concept is what it was and
days are not much like the day before."""
MOST_ROWS = 50_000
"""Rows of a side that are looked at."""


@dataclass(frozen=True)
class Judged:
    """Held-out rows with their outcomes (shapes as in `science.metrics`).

    `times` (n,) are datetime64; None where the data have none. `columns` holds the rows' inputs
    (n,) by name, float64 with NaN or an object array of texts; empty where they are not at hand.
    """

    y: Array
    p: Array
    times: Array | None
    columns: Mapping[str, Array]

    def take(self, rows: Array) -> Judged:
        """Return some of the rows, by their places (m,)."""
        return Judged(
            self.y[rows],
            self.p[rows],
            None if self.times is None else self.times[rows],
            {name: values[rows] for name, values in self.columns.items()},
        )


@dataclass(frozen=True)
class Answered:
    """Rows of a window with their answers and without outcomes; otherwise as `Judged`."""

    p: Array
    times: Array | None
    columns: Mapping[str, Array]

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.p)

    def take(self, rows: Array) -> Answered:
        """Return some of the rows, by their places (m,)."""
        return Answered(
            self.p[rows],
            None if self.times is None else self.times[rows],
            {name: values[rows] for name, values in self.columns.items()},
        )


@dataclass(frozen=True)
class Estimate:
    """The metric that is expected of `rows` rows, between `low` and `high`.

    Where `untold` is not "", nothing can be said, and it says why; the numbers are None then.
    """

    method: Method
    rows: int
    value: float | None = None
    low: float | None = None
    high: float | None = None
    confidence: float = CONFIDENCE
    untold: str = ""

    def without(self, why: str) -> Estimate:
        """Return that nothing can be said, and why."""
        return replace(self, value=None, low=None, high=None, untold=why)


def thin(count: int, most: int, seed: int) -> Array:
    """Return the places of so many of `count` rows at most, drawn at random, in their order."""
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, most, replace=False))
