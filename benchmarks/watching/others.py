"""What the usual rules say of two samples: PSI, Kolmogorov-Smirnov, and Evidently's defaults.

Evidently 0.7 takes, of more than 1,000 reference rows, Wasserstein's distance in standard
deviations of a number and Jensen-Shannon's of a text, each at 0.1; of fewer the Kolmogorov-Smirnov
and the chi-square test at 0.05. It calls the data drifted where half of the columns are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.spatial.distance import jensenshannon
from scipy.stats import chisquare, ks_2samp, wasserstein_distance

if TYPE_CHECKING:
    from pipelines.science.changes.facts import Sample

Array = np.ndarray[Any, Any]
MOST_REFERENCE = 10_000
"""A bundle keeps as many rows of what its model learnt from."""
_SMALL = 1_000


def judge(window: Sample, reference: Sample, seed: int) -> dict[str, bool]:
    """Return by each rule whether the window has changed."""
    rng = np.random.default_rng(seed)
    kept = rng.permutation(reference.rows)[:MOST_REFERENCE]
    psi, ks, evidently = [], [], []
    for name, values in window.columns.items():
        first, second = (v[~pd.isna(v)] for v in (values, reference.columns[name][kept]))
        number = first.dtype.kind == "f"
        a, b = _shares(first, second)
        psi.append(float(((a - b) * np.log(a / b)).sum()) > 0.1)
        if number:
            ks.append(ks_2samp(first, second, method="asymp").pvalue < 0.05)
        evidently.append(_evidently(first, second, number=number))
    return {
        "PSI above 0.1 in a column": any(psi),
        "Kolmogorov-Smirnov below 0.05 in a column": any(ks),
        "Evidently's defaults, a column": any(evidently),
        "Evidently's defaults, half of the columns": float(np.mean(evidently)) >= 0.5,
    }


def _shares(first: Array, second: Array) -> tuple[Array, Array]:
    """Return the shares of ten bins of the reference, or of the categories."""
    if first.dtype.kind == "f":
        edges = np.quantile(second, np.linspace(0.1, 0.9, 9))
        codes = [np.searchsorted(edges, side) for side in (first, second)]
        counts = [np.bincount(code, minlength=10) for code in codes]
    else:
        names = sorted(set(first) | set(second))
        counts = [np.array([(side == name).sum() for name in names]) for side in (first, second)]
    a, b = (np.maximum(count / max(count.sum(), 1), 1e-4) for count in counts)
    return a, b


def _evidently(first: Array, second: Array, *, number: bool) -> bool:
    small = len(second) <= _SMALL
    if number:
        if small:
            return bool(ks_2samp(first, second, method="asymp").pvalue <= 0.05)
        return bool(wasserstein_distance(first, second) / max(second.std(), 1e-3) >= 0.1)
    a, b = _shares(first, second)
    if small:
        expected = b / b.sum() * len(first)
        return bool(chisquare(a / a.sum() * len(first), expected).pvalue <= 0.05)
    return bool(jensenshannon(a, b, base=2) >= 0.1)
