"""Distances between two distributions over the same bins, for many pairs at once.

`first` and `second` are shares (k, bins), `scores` (bins,) the bins' places; each function returns
the distances (k,), at least 0. Names are those of the spec's methods. Where those of Evidently are
of the values themselves, these are of the bins: they decide by their own null, not by a threshold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pipelines.spec.drift import Method

    Array = NDArray[Any]

_EMPTY = 1e-4
"""The share that an empty bin counts as, where a logarithm is taken of it."""


def _cumulate(first: Array, second: Array) -> Array:
    return np.cumsum(first - second, axis=1)[:, :-1]


def wasserstein(first: Array, second: Array, scores: Array) -> Array:
    """Return the Wasserstein-1 distance on the scale of the scores."""
    return np.abs(_cumulate(first, second)) @ np.abs(np.diff(scores))


def energy(first: Array, second: Array, scores: Array) -> Array:
    """Return the energy distance (Székely & Rizzo 2013) on the scale of the scores."""
    return (2 * _cumulate(first, second) ** 2 @ np.abs(np.diff(scores))) ** 0.5


def kolmogorov_smirnov(first: Array, second: Array, _: Array) -> Array:
    """Return the greatest difference of the cumulated shares."""
    away = np.abs(_cumulate(first, second))
    return away.max(axis=1) if away.shape[1] else np.zeros(len(first))


def cramer_von_mises(first: Array, second: Array, _: Array) -> Array:
    """Return the root of the mean squared difference of the cumulated shares."""
    middle = (first + second) / 2
    return np.asarray((_cumulate(first, second) ** 2 * middle[:, :-1]).sum(axis=1) ** 0.5)


def anderson(first: Array, second: Array, _: Array) -> Array:
    """Return the same, weighted by how uncertain each cumulated share is."""
    middle = (first + second) / 2
    below = np.cumsum(middle, axis=1)[:, :-1]
    weight = middle[:, :-1] / np.maximum(below * (1 - below), _EMPTY)
    return np.asarray((_cumulate(first, second) ** 2 * weight).sum(axis=1) ** 0.5)


def mean_difference(first: Array, second: Array, scores: Array) -> Array:
    """Return how far the means of the scores are apart."""
    return np.asarray(np.abs((first - second) @ scores))


def jensen_shannon(first: Array, second: Array, _: Array) -> Array:
    """Return the Jensen-Shannon distance to base 2."""
    middle = (first + second) / 2

    def entropy(shares: Array) -> Array:
        return np.asarray(-np.sum(shares * np.log2(np.where(shares > 0, shares, 1.0)), axis=1))

    divergence = entropy(middle) - (entropy(first) + entropy(second)) / 2
    return np.asarray(np.sqrt(np.maximum(divergence, 0.0)))


def hellinger(first: Array, second: Array, _: Array) -> Array:
    """Return the Hellinger distance."""
    return np.asarray((((first**0.5 - second**0.5) ** 2).sum(axis=1) / 2) ** 0.5)


def population_stability(first: Array, second: Array, _: Array) -> Array:
    """Return the root of the population stability index, which is a squared distance."""
    a, b = np.maximum(first, _EMPTY), np.maximum(second, _EMPTY)
    return np.asarray(((a - b) * np.log(a / b)).sum(axis=1).clip(0) ** 0.5)


def kullback_leibler(first: Array, second: Array, _: Array) -> Array:
    """Return the root of the divergence of the first from the second."""
    a, b = np.maximum(first, _EMPTY), np.maximum(second, _EMPTY)
    return np.asarray((a * np.log(a / b)).sum(axis=1).clip(0) ** 0.5)


def chi_square(first: Array, second: Array, _: Array) -> Array:
    """Return the root of the chi-square of the first against the second, for one row."""
    middle = np.maximum((first + second) / 2, _EMPTY)
    return np.asarray(((first - second) ** 2 / middle).sum(axis=1) ** 0.5)


DISTANCES: dict[Method, Callable[[Array, Array, Array], Array]] = {
    "wasserstein": wasserstein,
    "psi": population_stability,
    "ks": kolmogorov_smirnov,
    "jensenshannon": jensen_shannon,
    "kl_div": kullback_leibler,
    "hellinger": hellinger,
    "ed": energy,
    "anderson": anderson,
    "cramer_von_mises": cramer_von_mises,
    "t_test": mean_difference,
    "chisquare": chi_square,
}


def share_unseen(first: Array, second: Array) -> Array:
    """Return the share of the first in bins that the second has nothing in."""
    return np.asarray(np.where(second > 0, 0.0, first).sum(axis=1))


def share_outside(first: Array, second: Array) -> Array:
    """Return the share of the first beyond the outermost bins that the second has something in."""
    held = second > 0
    inside = np.logical_or.accumulate(held, axis=1)
    inside &= np.logical_or.accumulate(held[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(np.where(inside, 0.0, first).sum(axis=1))
