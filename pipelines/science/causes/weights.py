"""How much more often than in the reference rows like this one come in the window.

A domain classifier's odds (Bickel, Brückner & Scheffer, 2009, "Discriminative Learning Under
Covariate Shift", Journal of Machine Learning Research 10): logistic regression on the cells of all
columns, which cannot tell two sides apart by more than their shares do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.science.causes.view import View

    Array = NDArray[Any]

_ROWS = 10_000
"""Rows of a side that the classifier learns from."""
_HIGHEST = 20.0
"""A reference row counts for at most so many: more would be one row's word for all."""


def weigh_rows(view: View, seed: int) -> Array:
    """Return the weight (reference rows,) of each row, with mean 1."""
    if not view.names or not view.window.rows:
        return np.ones(view.reference.rows)
    rng = np.random.default_rng(seed)
    own = _some(view.window.rows, rng)
    other = _some(view.reference.rows, rng)
    sides = _one_hot(view, 0)[own], _one_hot(view, 1)
    rows = sparse.vstack([sides[0], sides[1][other]])
    is_window = np.concatenate([np.ones(len(own)), np.zeros(len(other))])
    classifier = LogisticRegression(C=0.3, max_iter=200).fit(rows, is_window)
    logit = np.clip(classifier.decision_function(sides[1]), -10, 10)
    weights: Array = np.exp(logit)
    weights = np.minimum(weights / weights.mean(), _HIGHEST)
    return np.asarray(weights / weights.mean())


def effective_rows(weights: Array) -> float:
    """Return how many rows of equal weight tell as much (Kish, 1965, "Survey Sampling")."""
    return float(weights.sum() ** 2 / (weights**2).sum())


def _some(rows: int, rng: np.random.Generator) -> Array:
    return rng.choice(rows, _ROWS, replace=False) if rows > _ROWS else np.arange(rows)


def _one_hot(view: View, side: int) -> Any:
    blocks = []
    for name in view.names:
        codes = view.codes[name][side]
        ones = np.ones(len(codes))
        shape = (len(codes), view.cells[name].count)
        blocks.append(sparse.csr_matrix((ones, (np.arange(len(codes)), codes)), shape=shape))
    return sparse.hstack(blocks, format="csr")
