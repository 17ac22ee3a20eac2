"""How far apart two samples of a column are: Evidently 0.7's scores, by its own definitions.

They are computed over all rows, by numpy and scipy: Evidently gives the same numbers to 1e-9 (a
test sees to that), but takes ten times as long and 2 GB for a million rows. All but the p-values
grow with the distance; a p-value falls.

Definitions: Evidently's `legacy/calculations/stattests`. Histograms have Sturges' number of bins
over both samples; a reference of at most `FEW` different numbers is compared value by value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    reference, window = (_present(values, text=text) for values in (reference, window))
    if not len(reference) or not len(window):
        return float("nan")
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if method in _OF_VALUES:
            return float(_OF_VALUES[method](reference, window))
        if method == "hellinger" and not text:
            return _hellinger_of_numbers(reference, window)
        shares = _shares(method, reference, window, text=text)
        return float(_OF_SHARES[method](*shares))


def _present(values: Array, *, text: bool) -> Array:
    """Return the values that are there; texts as an array that can be sorted."""
    if text:
        there = np.array([v is not None for v in values], dtype=bool)
        return np.asarray(values[there].astype(str))
    present: Array = values[np.isfinite(values)]
    return present


def _wasserstein(reference: Array, window: Array) -> float:
    norm = max(float(np.std(reference)), _LEAST_NORM)
    return float(stats.wasserstein_distance(reference, window)) / norm


def _anderson(reference: Array, window: Array) -> float:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the p-value ends at those of scipy's table
        return float(stats.anderson_ksamp([reference, window]).pvalue)


_OF_VALUES: dict[str, Callable[[Array, Array], float]] = {
    "wasserstein": _wasserstein,
    "ks": lambda reference, window: float(stats.ks_2samp(reference, window).pvalue),
    "ed": lambda reference, window: float(stats.energy_distance(reference, window)),
    "anderson": _anderson,
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


def _shares(method: str, reference: Array, window: Array, *, text: bool) -> tuple[Array, Array]:
    """Return what either side has of each value or bin: shares, or counts for a test of them."""
    counts = _counts(reference, window, text=text)
    if method == "chisquare":
        return counts
    one, other = counts[0] / len(reference), counts[1] / len(window)
    return (_filled(one), _filled(other)) if method in {"psi", "kl_div"} else (one, other)


def _counts(reference: Array, window: Array, *, text: bool) -> tuple[Array, Array]:
    if not text and len(np.unique(reference)) > FEW:
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
    "chisquare": _chisquare,
}
