"""How well clusters are apart: scikit-learn's silhouette, of a sample where there are many rows.

Source: Rousseeuw (1987), "Silhouettes", Journal of Computational and Applied Mathematics 20.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

MOST_ROWS = 5_000
"""Every pair of rows is looked at: beyond so many a sample is drawn."""


def silhouette(inputs: Array, cluster: Array, *, seed: int) -> float:
    """Return the mean silhouette, -1 to 1, of rows (n, m) in their clusters (n,).

    Of more than `MOST_ROWS` rows, so many are drawn by the seed. NaN where the rows that are looked
    at are of one cluster only, or each is one of its own.
    """
    from sklearn.metrics import silhouette_score

    if len(cluster) > MOST_ROWS:
        drawn = np.random.default_rng(seed).choice(len(cluster), MOST_ROWS, replace=False)
        inputs, cluster = inputs[drawn], cluster[drawn]
    clusters = len(np.unique(cluster))
    if not 1 < clusters < len(cluster) or not np.isfinite(inputs).all():
        return float("nan")
    return float(silhouette_score(inputs, cluster))
