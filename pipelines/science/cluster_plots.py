"""What is drawn of clusters, as numbers: silhouettes in order, rows on two components."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


def sorted_silhouettes(found: Array, cluster: Array, most: int) -> tuple[Array, Array]:
    """Return silhouettes and clusters (m,) of at most `most` rows, cluster by cluster, the
    greatest first. Rows that were not looked at (NaN) are left out.
    """
    seen = np.flatnonzero(np.isfinite(found))
    order = seen[np.lexsort((-found[seen], cluster[seen]))]
    at = np.unique(np.linspace(0, len(order) - 1, min(most, len(order))).astype(np.int64))
    return found[order[at]], cluster[order[at]]


def principal_components(space: Array) -> tuple[Array, float]:
    """Return the rows (n, 2) on the two directions in which they vary most, and the share of their
    variance that these hold. The sign of a direction is that of its greatest weight.
    """
    centred = space - space.mean(axis=0)
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    two = np.zeros((2, space.shape[1]))
    two[: min(2, len(directions))] = directions[:2]
    greatest = two[np.arange(2), np.abs(two).argmax(axis=1)]
    two *= np.where(greatest < 0, -1.0, 1.0)[:, None]
    whole = float((sizes**2).sum())
    return centred @ two.T, float((sizes[:2] ** 2).sum() / whole) if whole else 0.0
