"""The metrics of the probabilities that a model gives. Definitions are scikit-learn's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.formulas.kinds import OfSums, mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.science.formulas.kinds import Formula

    Array = NDArray[Any]


def squared_errors(y: Array, p: Array) -> tuple[Array]:
    """Return the squared error of class 1 (n,), or the sum of those of all classes (n, k).

    Source: Brier (1950), Monthly Weather Review 78; of two classes half of it, as is usual.
    """
    p = np.asarray(p, dtype=np.float64)
    if p.ndim == 1:
        return ((y - p) ** 2,)
    own = np.where(y < 0, 0.0, _of_true_class(y, p))
    return ((p**2).sum(axis=1) - 2 * own + 1,)


def surprise(y: Array, p: Array) -> tuple[Array]:
    """Return -log of the probability that each row's own class was given, clipped as scikit-learn
    clips it.
    """
    p = np.asarray(p, dtype=np.float64)
    by_class = np.column_stack([1 - p, p]) if p.ndim == 1 else p
    truth = np.where(y < 0, 0.0, _of_true_class(y, by_class))
    eps = np.finfo(np.float64).eps
    return (-np.log(np.clip(truth, eps, 1 - eps)),)


def _of_true_class(y: Array, p: Array) -> Array:
    return np.asarray(p[np.arange(len(y)), np.maximum(y, 0).astype(np.int64)])


FORMULAS: dict[str, Formula] = {
    "brier": OfSums(squared_errors, mean),
    "log_loss": OfSums(surprise, mean),
}
