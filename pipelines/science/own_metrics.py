"""Metrics that a model's folder brings: one number per row, of which the mean or the total counts.

The numbers come from the user's code, which runs elsewhere; here they are only summed. So an
interval, a comparison by blocks and a threshold follow from them exactly, as from a catalogue's
metric.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from pipelines.spec.metrics import find_metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.spec.metric import Metric

    Array = NDArray[Any]

PerRow = Callable[["Array", "Array", float], "Array"]
"""From the positions (n,) of the rows, the answers to them and a threshold to a number each (n,).
"""


@dataclass(frozen=True)
class RowMetric:
    """A metric of the model's own, bound to the rows that it was asked for.

    `positions` (n,) are the rows' places among those. `by_decision` (all rows, 2) holds what each
    row counts if a binary model decides for class 0 and for class 1; None where the metric does
    not follow from that decision. `unit` is what it is counted in; empty where it has none.
    """

    name: str
    greater_is_better: bool
    per_row: PerRow
    positions: Array
    total: bool = False
    unit: str = ""
    by_decision: Array | None = None

    @property
    def undefined(self) -> str:
        """Where it has no value, in words."""
        return "there are no rows, or answers that are no numbers"

    def take(self, positions: Array) -> RowMetric:
        """Return the metric of some of its rows, by their positions (m,) among them."""
        return replace(self, positions=self.positions[positions])

    def score(self, y: Array, p: Array, weights: Array | None, threshold: float) -> float:
        """Return the metric over the rows; NaN where there is none, or an answer is not finite."""
        values = self._values(y, p, threshold)
        if values is None:
            return float("nan")
        counts = np.ones(len(values)) if weights is None else np.asarray(weights, np.float64)
        size = float(counts.sum())
        total = float(counts @ values)
        return total if self.total else total / size if size > 0 else float("nan")

    def sums(
        self, y: Array, p: Array, weights: Array | None, threshold: float, block: Array, count: int
    ) -> Array:
        """Return by block what its rows add up to and how much they weigh: (count, 2)."""
        values = self._values(y, p, threshold)
        values = np.full(len(p), np.nan) if values is None else values
        counts = np.ones(len(values)) if weights is None else np.asarray(weights, np.float64)
        return np.column_stack(
            [np.bincount(block, part, minlength=count) for part in (values * counts, counts)]
        )

    def of_sums(self, sums: Array) -> Array:
        """Return the metric (b,) of sums and weights (b, 2)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            value = sums[:, 0] if self.total else sums[:, 0] / sums[:, 1]
        return np.asarray(np.where(sums[:, 1] > 0, value, np.nan))

    def _values(self, y: Array, p: Array, threshold: float) -> Array | None:
        """Return what each row counts; None where an answer is no number."""
        fits = len(p) == len(y) == len(self.positions)
        if not fits or not len(p) or not np.isfinite(p).all():
            return None
        return np.asarray(self.per_row(self.positions, p, threshold), dtype=np.float64)


AnyMetric: TypeAlias = "str | Metric | RowMetric"
"""A metric of the catalogue by its name, or by its declaration with the levels of the answers; or
one of the model's own."""


@dataclass(frozen=True)
class Measures:
    """What a model's answers to some rows are scored by: the catalogue and the model's own."""

    own: Mapping[str, RowMetric] = field(default_factory=dict)
    levels: tuple[float, ...] = ()
    """The levels of the answers, where these are quantiles."""
    of_scores: bool = False
    """Whether the answers are an anomaly model's scores."""

    def find(self, name: str) -> AnyMetric:
        """Return the own metric of that name, else the catalogue's.

        By its name; of quantiles its declaration with their levels, and of scores that which takes
        them.
        """
        if name in self.own:
            return self.own[name]
        if self.of_scores:
            return find_metric(name).of_scores()
        return find_metric(name).of_levels(self.levels) if self.levels else name

    def on(self, name: str, positions: Array) -> AnyMetric:
        """Return the metric of that name for some of the rows, by their positions."""
        metric = self.find(name)
        return metric.take(positions) if isinstance(metric, RowMetric) else metric

    def take(self, positions: Array) -> Measures:
        """Return the measures of some of the rows, by their positions."""
        own = {name: metric.take(positions) for name, metric in self.own.items()}
        return replace(self, own=own)


def by_decision(values: Array) -> PerRow:
    """Return what rows count by the decision that a threshold makes of probabilities (n,).

    `values` (all rows, 2) are what each counts for class 0 and for class 1.
    """

    def per_row(positions: Array, p: Array, threshold: float) -> Array:
        chosen: Array = np.where(p > threshold, values[positions, 1], values[positions, 0])
        return chosen

    return per_row
