"""How far apart two samples of a column are: Evidently 0.7's scores, by its own definitions.

They are computed over all rows, by numpy and scipy: Evidently gives the same numbers to 1e-9 (a
test sees to that), but takes ten times as long and 2 GB for a million rows. All but the p-values
grow with the distance; a p-value falls.

Definitions: Evidently's `legacy/calculations/stattests`. Histograms have Sturges' number of bins
over both samples; a reference of at most `FEW` different numbers is compared value by value.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any
from warnings import catch_warnings, simplefilter

import numpy as np
from scipy import stats
from scipy.spatial.distance import jensenshannon

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Array = NDArray[Any]

FEW = 20
"""Numbers are compared value by value where the reference has no more than this many."""
_LEAST_NORM = 0.001
"""The least standard deviation by which a Wasserstein distance is divided."""
_EMPTY_SHARE = 0.0001
"""What an empty bin counts where a logarithm is taken, unless others hold as little."""


def distance(method: str, reference: Array, window: Array, *, text: bool) -> float:
    """Return the score of a method (`spec.drift.Rule`) for a column's two samples.

    Numbers are float64, texts object arrays; NaN, None and infinity are left out. NaN where a
    sample is empty or the method is not defined on the two.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"), catch_warnings():
        # Of equal values, and of p-values at the ends of a table: the score says it.
        simplefilter("ignore")
        if text:
            return _of_counts(method, *_count_texts(reference, window))
        reference, window = _present(reference), _present(window)
        if not len(reference) or not len(window):
            return float("nan")
        if method in _OF_VALUES:
            return float(_OF_VALUES[method](reference, window))
        if method == "hellinger":
            return _hellinger_of_numbers(reference, window)
        return _of_counts(method, *_count_numbers(reference, window))


def _present(values: Array) -> Array:
    """Return the numbers that are there."""
    present: Array = values[np.isfinite(values)]
    return present


def _wasserstein(reference: Array, window: Array) -> float:
    norm = max(float(np.std(reference)), _LEAST_NORM)
    return float(stats.wasserstein_distance(reference, window)) / norm


_OF_VALUES: dict[str, Callable[[Array, Array], float]] = {
    "wasserstein": _wasserstein,
    "ks": lambda reference, window: float(stats.ks_2samp(reference, window).pvalue),
    "ed": lambda reference, window: float(stats.energy_distance(reference, window)),
    "anderson": lambda reference, window: float(stats.anderson_ksamp([reference, window]).pvalue),
    "cramer_von_mises": lambda reference, window: float(
        stats.cramervonmises_2samp(reference, window).pvalue
    ),
    "t_test": lambda reference, window: float(stats.ttest_ind(reference, window).pvalue),
}


def _hellinger_of_numbers(reference: Array, window: Array) -> float:
    """Return the distance of two histograms, whose bins follow from the different values."""
    edges = np.histogram_bin_edges(np.union1d(reference, window), bins="sturges")
    one, other = (np.histogram(side, bins=edges, density=True)[0] for side in (reference, window))
    width = (edges[-1] - edges[0]) / (len(edges) - 1)
    return float(np.sqrt(1 - np.clip(float(np.sqrt(one * other).sum()) * width, 0, 1)))


def _of_counts(method: str, reference: Array, window: Array) -> float:
    """Return the score of how often either side has each value or bin; NaN where one has none."""
    rows, others = reference.sum(), window.sum()
    if not rows or not others:
        return float("nan")
    if method == "chisquare":
        return _chisquare(reference, window)
    shares = reference / rows, window / others
    if method in {"psi", "kl_div"}:
        shares = _filled(shares[0]), _filled(shares[1])
    return float(_OF_SHARES[method](*shares))


def _count_texts(reference: Array, window: Array) -> tuple[Array, Array]:
    one, other = Counter(reference.tolist()), Counter(window.tolist())
    kinds = sorted((one.keys() | other.keys()) - {None})
    first, second = (np.array([side[kind] for kind in kinds], float) for side in (one, other))
    return first, second


def _count_numbers(reference: Array, window: Array) -> tuple[Array, Array]:
    if len(np.unique(reference)) > FEW:
        edges = np.histogram_bin_edges(np.concatenate([reference, window]), bins="sturges")
        return np.histogram(reference, edges)[0], np.histogram(window, edges)[0]
    kinds, of_row = np.unique(np.concatenate([reference, window]), return_inverse=True)
    sides = of_row[: len(reference)], of_row[len(reference) :]
    one, other = (np.bincount(side, minlength=len(kinds)) for side in sides)
    return one, other


def _filled(shares: Array) -> Array:
    """Return the shares, those of 0 as the little that Evidently puts in their place."""
    least = float(shares[shares > 0].min())
    little = least / 10**6 if least <= _EMPTY_SHARE else _EMPTY_SHARE
    return np.where(shares == 0, little, shares)


def _psi(reference: Array, window: Array) -> float:
    return float(np.sum((reference - window) * np.log(reference / window)))


def _hellinger_of_shares(reference: Array, window: Array) -> float:
    return float(np.sqrt(1 - np.clip(float(np.sqrt(reference * window).sum()), 0, 1)))


def _chisquare(reference: Array, window: Array) -> float:
    expected = reference * (window.sum() / reference.sum())
    return float(stats.chisquare(window, expected).pvalue)


_OF_SHARES: dict[str, Callable[[Array, Array], float]] = {
    "psi": _psi,
    "kl_div": lambda reference, window: float(stats.entropy(reference, window)),
    "jensenshannon": lambda reference, window: float(jensenshannon(reference, window)),
    "hellinger": _hellinger_of_shares,
}
