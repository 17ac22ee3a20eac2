"""The shape of a column, and how far it lies from that of a reference."""

from __future__ import annotations

from math import log, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

BINS = 20
LEAST_EXPECTED = 5


def bin_edges(reference: Array, bins: int = BINS) -> Array:
    """Return the edges, (b + 1,), of bins of one width between the 1st and the 99th percentile.

    The outermost bins take whatever lies beyond them. Few values that are all whole numbers have a
    bin each. Without any value there are no bins.
    """
    values = reference[np.isfinite(reference)]
    if not len(values):
        return np.array([])
    distinct = np.unique(values)
    if len(distinct) <= bins and (distinct == np.round(distinct)).all():
        steps = np.concatenate([distinct[:1] - 0.5, (distinct[1:] + distinct[:-1]) / 2])
        return np.append(steps, distinct[-1] + 0.5)
    low, high = np.percentile(values, [1, 99])
    if low == high:  # but for a hundredth of the values it is constant
        low, high = values.min(), values.max()
    return np.linspace(low, high, bins + 1)


def bin_counts(values: Array, edges: Array) -> Array:
    """Return how many of the values, (n,), stand in each bin, (b,)."""
    if len(edges) < 2:  # noqa: PLR2004 -- no bins
        return np.zeros(0, dtype=int)
    finite = values[np.isfinite(values)]
    places = np.searchsorted(edges[1:-1], finite, side="right")
    return np.bincount(places, minlength=len(edges) - 1)


def merge_rare(counts: Array, reference: Array) -> tuple[Array, Array]:
    """Return both counts with neighbouring bins put together until each is common enough.

    Enough is that `LEAST_EXPECTED` rows of the smaller side are expected in it (Cochran 1954);
    what is rarer says more of chance than of the shape.
    """
    n, m = counts.sum(), reference.sum()
    if not n or not m:
        return counts, reference
    expected = (counts + reference) * min(n, m) / (n + m)
    places, place, gathered = np.zeros(len(counts), dtype=int), 0, 0.0
    for i, rows in enumerate(expected):
        places[i] = place
        gathered += rows
        if gathered >= LEAST_EXPECTED:
            place, gathered = place + 1, 0.0
    places = np.minimum(places, max(0, place - 1))  # what is left at the end goes to the last one
    return np.bincount(places, counts), np.bincount(places, reference)


def distance(counts: Array, reference: Array) -> float | None:
    """Return the Jensen-Shannon distance of two counts (b,), to base 2: 0 (equal) to 1 (apart).

    Source: Endres and Schindelin 2003. None where one of them is empty.
    """
    n, m = counts.sum(), reference.sum()
    if not n or not m:
        return None
    p, q = counts / n, reference / m
    middle = (p + q) / 2
    divergence = (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2
    return sqrt(max(0.0, divergence))


def _relative_entropy(p: Array, q: Array) -> float:
    some = p > 0
    return float((p[some] * np.log2(p[some] / q[some])).sum())


def chance(counts: Array, reference: Array, confidence: float = 0.95) -> float | None:
    """Return the distance that two samples of one distribution stay below, so often.

    The rows must be independent; where they hang together in time, chance alone gives more. Source:
    8 ln 2 · n m / (n + m) times the divergence is chi-squared with b - 1 degrees of freedom for
    large samples (Grosse et al. 2002). None where one of them is empty, or there is one bin only.
    """
    from scipy.special import gammaincinv  # of scipy.stats, which takes long to load

    n, m = float(counts.sum()), float(reference.sum())
    used = int(((counts + reference) > 0).sum())
    if not n or not m or used <= 1:
        return None
    most = 2 * float(gammaincinv((used - 1) / 2, confidence))
    """The quantile of chi-squared with so many degrees of freedom."""
    return sqrt(most * (n + m) / (n * m) / (8 * log(2)))
