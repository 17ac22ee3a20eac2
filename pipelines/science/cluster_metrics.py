"""The metrics of clusters, bound to the rows that they look at.

A metric of the catalogue knows the true values and the answers; of clusters there is no truth, and
the rows themselves must be looked at. Each follows from sums over rows, so that an interval and a
comparison follow from it by draws of blocks, as from any other.

The silhouette of a row is found once, among all rows: a draw weighs the rows, and does not look
for their neighbours anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.formulas.clusters import adjusted_rand, calinski_harabasz, silhouettes
from pipelines.science.own_metrics import RowMetric
from pipelines.spec.metrics import find_metric

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Array = NDArray[Any]

_NOTHING = np.empty((0, 0))
_KEPT = 4
"""Clusterings whose silhouettes are remembered: scoring, comparing and drawing ask for the same."""


def cluster_of(_positions: Array, p: Array, _threshold: float) -> Array:
    """Return the cluster of each row (n,) from the answers (n, k): of equals the first one."""
    found: Array = np.asarray(p).argmax(axis=1)
    return found


@dataclass(frozen=True)
class ClusterMetric(RowMetric):
    """A metric of clusters, bound to rows; `per_row` gives their clusters.

    `space` (all rows, m) is where distances are taken, the same for every model that is compared.
    """

    space: Array = field(default_factory=lambda: _NOTHING)
    seed: int = 0

    @property
    def undefined(self) -> str:
        """Where it has no value, in words."""
        return find_metric(self.name).undefined

    def score(self, y: Array, p: Array, weights: Array | None, threshold: float) -> float:
        """Return the metric over the rows; NaN where it is not defined on them."""
        sums = self.sums(y, p, weights, threshold, np.zeros(len(p), dtype=np.int64), 1)
        return float(self.of_sums(sums)[0])

    def _clusters(self, y: Array, p: Array, threshold: float) -> Array | None:
        """Return each row's cluster (n,); None where an answer is no number."""
        found = self._values(y, p, threshold)
        return None if found is None else found.astype(np.int64)


@dataclass(frozen=True)
class Silhouette(ClusterMetric):
    """The mean over the rows of how much nearer their own cluster is than the next one."""

    memory: dict[bytes, Array] = field(default_factory=dict, compare=False, repr=False)

    def take(self, positions: Array) -> RowMetric:
        """Return the metric of some of its rows."""
        return replace(self, positions=self.positions[positions], memory={})

    def sums(
        self, y: Array, p: Array, weights: Array | None, threshold: float, block: Array, count: int
    ) -> Array:
        """Return by block what its rows add up to and how much they weigh: (count, 2)."""
        clusters = self._clusters(y, p, threshold)
        if clusters is None:
            return np.full((count, 2), np.nan)
        values = self._find(clusters)
        heavy = np.ones(len(values)) if weights is None else np.asarray(weights, np.float64)
        counts = np.where(np.isfinite(values), heavy, 0.0)
        parts = (np.nan_to_num(values) * counts, counts)
        return np.column_stack([np.bincount(block, part, minlength=count) for part in parts])

    def of_rows(self, p: Array) -> Array:
        """Return each row's silhouette (n,) by answers (n, k); NaN where it was not looked for."""
        return self._find(np.asarray(p.argmax(axis=1)))

    def _find(self, clusters: Array) -> Array:
        key = clusters.tobytes()
        if key not in self.memory:
            if len(self.memory) >= _KEPT:
                self.memory.pop(next(iter(self.memory)))
            rows = self.space[self.positions]
            self.memory[key] = silhouettes(rows, clusters, seed=self.seed)
        return self.memory[key]


@dataclass(frozen=True)
class Separation(ClusterMetric):
    """The spread between the clusters by that within them (Calinski-Harabasz)."""

    def sums(
        self, y: Array, p: Array, weights: Array | None, threshold: float, block: Array, count: int
    ) -> Array:
        """Return by block and cluster rows and sums, and the squares at last."""
        clusters, width = self._clusters(y, p, threshold), self.space.shape[1]
        if clusters is None:
            return np.full((count, 1 + (1 + width)), np.nan)
        rows, k = self.space[self.positions], p.shape[1]
        heavy = np.ones(len(rows)) if weights is None else np.asarray(weights, np.float64)
        place = block * k + clusters
        columns = [heavy, *(heavy * column for column in rows.T)]
        by_cluster = np.stack(
            [np.bincount(place, c, minlength=count * k).reshape(count, k) for c in columns], axis=2
        )
        squares = np.bincount(block, heavy * (rows**2).sum(axis=1), minlength=count)
        return np.column_stack([by_cluster.reshape(count, -1), squares])

    def of_sums(self, sums: Array) -> Array:
        """Return the metric (b,) of the sums (b, k * (1 + m) + 1)."""
        parts = sums[:, :-1].reshape(len(sums), -1, 1 + self.space.shape[1])
        return calinski_harabasz(parts[:, :, 0], parts[:, :, 1:], sums[:, -1])


@dataclass(frozen=True)
class Stability(ClusterMetric):
    """How alike the clustering is to that of the champion on the same rows (adjusted Rand index).

    `other` (all rows,) are the champion's clusters.
    """

    other: Array = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def sums(
        self, y: Array, p: Array, weights: Array | None, threshold: float, block: Array, count: int
    ) -> Array:
        """Return by block how many rows are of each pair of clusters: (count, k * l)."""
        clusters, width = self._clusters(y, p, threshold), self._width
        if clusters is None:
            return np.full((count, width), np.nan)
        cells = p.shape[1] * width
        heavy = None if weights is None else np.asarray(weights, np.float64)
        place = block * cells + clusters * width + self.other[self.positions]
        found = np.bincount(place, heavy, minlength=count * cells).reshape(count, cells)
        return found.astype(np.float64)

    def of_sums(self, sums: Array) -> Array:
        """Return the metric (b,) of the counts (b, k * l)."""
        return adjusted_rand(sums.reshape(len(sums), -1, self._width))

    @property
    def _width(self) -> int:
        return int(self.other.max(initial=0)) + 1


def of_space(names: Iterable[str], space: Array, seed: int) -> dict[str, RowMetric]:
    """Return those of the named metrics that need the rows (n, m) only, bound to them."""
    kinds: dict[str, type[ClusterMetric]] = {
        "silhouette": Silhouette,
        "calinski_harabasz": Separation,
    }
    return {
        name: kinds[name](
            name=name,
            greater_is_better=find_metric(name).greater_is_better,
            per_row=cluster_of,
            positions=np.arange(len(space)),
            space=space,
            seed=seed,
        )
        for name in names
        if name in kinds
    }


def stability(champion: Array) -> Stability:
    """Return the stability bound to rows whose clusters by the champion are given (n,)."""
    return Stability(
        name="stability",
        greater_is_better=True,
        per_row=cluster_of,
        positions=np.arange(len(champion)),
        other=np.asarray(champion, dtype=np.int64),
    )


def random_assignment(rows: int, clusters: int, seed: int) -> Array:
    """Return what knows nothing of the rows: each (rows, clusters) in one cluster, by chance."""
    drawn = np.random.default_rng(seed).integers(0, clusters, rows)
    return np.eye(clusters)[drawn]
