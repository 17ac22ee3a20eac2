"""A clustering in the form of a classifier, whose classes are its clusters.

So all that is done with a fitted model of several classes is done with it: it is stored, compiled,
packaged, asked and watched as these are. There is no target to learn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, clone

if TYPE_CHECKING:
    from collections.abc import Sequence

    Array = np.ndarray[Any, Any]


class Clusters(BaseEstimator):  # type: ignore[misc]
    """Answers how much a row (n, k) is of each cluster: 1 for its own, or a mixture's probability.

    The clusters stand in the order of their places within the estimator, until `arrange` gives
    another one. Distances are taken in float64, so that rounding moves no row.
    """

    def __init__(self, estimator: Any = None) -> None:
        """Keep the unfitted estimator, which has `fit` and `predict`."""
        self.estimator = estimator

    def fit(self, inputs: Any, y: Array | None = None, sample_weight: Array | None = None) -> Any:
        """Find the clusters of the rows (n, m). Raises ValueError where they are no clustering."""
        del y
        rows = inputs.astype(np.float64)
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        self.estimator_ = clone(self.estimator).fit(rows, **weights)
        sizes = np.bincount(self.estimator_.predict(rows), minlength=self._count())
        if (sizes > 0).sum() < 2:  # noqa: PLR2004 -- one cluster tells nothing
            msg = f"all {len(sizes) and sizes.sum()} rows are of one cluster"
            raise ValueError(msg)
        if not (sizes > 0).all() and not self.is_mixture:
            msg = (
                f"{(sizes == 0).sum()} of {len(sizes)} clusters hold no row: the rows have no more"
                " groups; ask for fewer clusters"
            )
            raise ValueError(msg)
        self.order_ = np.arange(len(sizes))
        self.classes_ = np.arange(len(sizes))
        return self

    def arrange(self, order: Sequence[int] | Array) -> None:
        """Let the clusters stand in another order (k): which of the present places comes where."""
        self.order_ = self.order_[np.asarray(order, dtype=np.int64)]

    def predict_proba(self, inputs: Any) -> Array:
        """Return how much each row is of each cluster (n, k)."""
        rows = inputs.astype(np.float64)
        if self.is_mixture:
            found: Array = self.estimator_.predict_proba(rows)
        else:
            found = np.eye(len(self.order_))[self.estimator_.predict(rows)]
        return found[:, self.order_]

    def predict(self, inputs: Any) -> Array:
        """Return the place of each row's cluster (n,)."""
        best: Array = self.predict_proba(inputs).argmax(axis=1)
        return best

    @property
    def is_mixture(self) -> bool:
        """Whether it answers with probabilities of its own."""
        return hasattr(self.estimator_, "predict_proba")

    def centres(self) -> tuple[Array, Array] | None:
        """Return points (c, m) and the place of the cluster (c,) that each belongs to.

        A row is of the cluster of its nearest point; None where the estimator decides otherwise.
        """
        fitted = self.estimator_
        if self.is_mixture or type(fitted).__name__ == "BisectingKMeans":
            return None
        if hasattr(fitted, "subcluster_centers_"):
            return fitted.subcluster_centers_, fitted.subcluster_labels_
        return fitted.cluster_centers_, np.arange(len(fitted.cluster_centers_))

    def margins(self, inputs: Any) -> Array:
        """Return how far each row (n,) is from the border of its cluster: 0 at it, at most 1.

        It is by how much the nearest point of another cluster is further away, as a share of that
        distance. Raises ValueError where there are no points.
        """
        from sklearn.metrics import pairwise_distances

        found = self.centres()
        if found is None:
            msg = f"{type(self.estimator_).__name__} has no points to which a row is nearest"
            raise ValueError(msg)
        points, places = found
        far = pairwise_distances(inputs.astype(np.float64), points)
        nearest = np.column_stack([far[:, places == c].min(axis=1) for c in np.unique(places)])
        nearest.sort(axis=1)
        size = np.maximum(nearest[:, 1], np.finfo(np.float64).tiny)
        return np.asarray((nearest[:, 1] - nearest[:, 0]) / size)

    def _count(self) -> int:
        fitted = self.estimator_
        if hasattr(fitted, "subcluster_labels_"):
            return len(np.unique(fitted.subcluster_labels_))
        for name in ("n_components", "n_clusters"):
            if name in fitted.get_params():
                return int(getattr(fitted, name))
        return len(fitted.cluster_centers_)
