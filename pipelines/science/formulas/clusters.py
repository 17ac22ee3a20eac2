"""How well clusters are apart, and how alike two ways to cluster the same rows are.

Shapes: `inputs` (n, m) are the rows in a space in which distances mean something, `cluster` (n,)
the place of each row's cluster, 0..k-1.

Sources: Rousseeuw (1987), "Silhouettes", Journal of Computational and Applied Mathematics 20;
Calinski & Harabasz (1974), "A dendrite method for cluster analysis", Communications in Statistics
3; Hubert & Arabie (1985), "Comparing partitions", Journal of Classification 2 (the adjusted Rand
index).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

MOST_ROWS = 5_000
"""Every pair of rows is looked at: beyond so many a sample is drawn."""


def silhouettes(inputs: Array, cluster: Array, *, seed: int) -> Array:
    """Return the silhouette of each row (n,), -1 to 1; NaN where a row is not looked at.

    Of more than `MOST_ROWS` rows so many are drawn by the seed, the same for every clustering of as
    many rows. All are NaN where those that are looked at are of one cluster only, or each is one of
    its own.
    """
    from sklearn.metrics import silhouette_samples

    found = np.full(len(cluster), np.nan)
    seen = np.arange(len(cluster))
    if len(cluster) > MOST_ROWS:
        drawn = np.random.default_rng(seed).choice(len(cluster), MOST_ROWS, replace=False)
        seen = np.sort(drawn)
    inputs, cluster = inputs[seen], cluster[seen]
    clusters = len(np.unique(cluster))
    if not 1 < clusters < len(cluster) or not np.isfinite(inputs).all():
        return found
    found[seen] = silhouette_samples(inputs, cluster)
    return found


def silhouette(inputs: Array, cluster: Array, *, seed: int) -> float:
    """Return the mean silhouette, -1 to 1, of the rows that are looked at; NaN where none is."""
    found = silhouettes(inputs, cluster, seed=seed)
    looked_at = np.isfinite(found)
    return float(found[looked_at].mean()) if looked_at.any() else float("nan")


def calinski_harabasz(sizes: Array, sums: Array, squares: Array) -> Array:
    """Return the ratio of the spread between clusters to that within them (b,).

    `sizes` (b, k) are the clusters' rows, `sums` (b, k, m) the sums of their rows, `squares` (b,)
    the sum of all rows' squared lengths. NaN where fewer than two clusters have a row, or each row
    is one of its own.
    """
    count, clusters = sizes.sum(axis=1), (sizes > 0).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        of_means = np.where(sizes > 0, (sums**2).sum(axis=2) / sizes, 0.0).sum(axis=1)
        whole = (sums.sum(axis=1) ** 2).sum(axis=1) / count
        between, within = of_means - whole, squares - of_means
        ratio = (between / (clusters - 1)) / (within / (count - clusters))
    defined = (clusters > 1) & (count > clusters) & (within > 0)
    return np.where(defined, ratio, np.nan)


def adjusted_rand(tables: Array) -> Array:
    """Return how alike two clusterings are (b,): 1 the same, about 0 by chance.

    `tables` (b, k, l) count the rows by the cluster that each of the two gives them. NaN where
    there are fewer than two rows.
    """
    together = _pairs(tables).sum(axis=(1, 2))
    one, other = (_pairs(tables.sum(axis=axis)).sum(axis=1) for axis in (2, 1))
    count = tables.sum(axis=(1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        by_chance = one * other / _pairs(count)
        most = (one + other) / 2
        # Both have one cluster only, or one for each row: then they are the same.
        index = np.where(most == by_chance, 1.0, (together - by_chance) / (most - by_chance))
    return np.where(count > 1, index, np.nan)


def _pairs(counts: Array) -> Array:
    pairs: Array = counts * (counts - 1) / 2
    return pairs


def contingency(one: Array, other: Array, shape: tuple[int, int]) -> Array:
    """Return how many rows (k, l) are of each cluster of one (n,) and of the other clustering."""
    cells = np.bincount(one * shape[1] + other, minlength=shape[0] * shape[1])
    table: Array = cells.reshape(shape)
    return table
