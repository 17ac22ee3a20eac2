"""How well an anomaly model keeps its promised rate, and how often a kept promise is called broken.

`python -m benchmarks.anomaly` from the checkout.

The rule alone: the threshold of n scores, and the share of fresh scores of the same distribution
that lies above it. Estimators: out-of-fold scores of three folds set the threshold, a fit on all
rows answers fresh ones; there the folds learn from fewer rows than the model that serves. Alarms:
windows of rows like those that set the threshold, independent or with days that are alike; and
small snapshots, of which each fold is flagged at the threshold that the other rows have set.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.report import Measure, is_tiny, show, write
from pipelines.bundle.strangeness import strangeness
from pipelines.science.anomaly import flag_rate, rows_above, threshold_at_rate
from pipelines.science.refits import FOLDS, row_folds

if TYPE_CHECKING:
    from collections.abc import Callable

WORLDS = 4_000
FITS = {200: 60, 2_000: 12}
"""By rows: how many worlds each estimator is fitted in."""
WINDOWS = 400
SNAPSHOTS = (60, 200, 1_000)
"""Rows of a snapshot that is judged over folds."""
FRESH = 4_000
RATE = 0.05

Array = np.ndarray[Any, Any]


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where the rule's mean lies beyond three standard errors."""
    tiny = is_tiny(__doc__, argv)
    worlds, fits, windows = (40, {200: 2}, 5) if tiny else (WORLDS, FITS, WINDOWS)
    rows: list[Measure] = []
    missed = 0
    for count in (99, 150, 1_000, 10_000):
        for rate in (0.01, 0.05):
            found, off = _rule(count, rate, worlds)
            rows += found
            missed += off > 3 and not tiny
    for count, times in fits.items():
        for name, make in _estimators().items():
            rows.append(_estimator(name, make, count, times))
    for alike in (False, True):
        rows.append(_alarms(windows, alike=alike))
    for count in SNAPSHOTS:
        rows.append(_alarms_over_folds(count, windows))
    show("Promised rates", rows)
    if not tiny:
        write("anomaly", rows)
    return int(bool(missed))


def _rule(count: int, rate: float, worlds: int) -> tuple[list[Measure], float]:
    """Return the mean share of fresh rows flagged, and how many standard errors it is off.

    The promise is floor(rate * (n + 1)) / (n + 1): below `rate`, by less than 1 / (n + 1).
    """
    rng = np.random.default_rng(count)
    shares = np.empty(worlds)
    for world in range(worlds):
        threshold = threshold_at_rate(rng.exponential(size=count), rate)
        assert threshold is not None
        shares[world] = np.exp(-threshold)  # the exact share of fresh rows beyond it
    promised = rows_above(count, rate) / (count + 1)
    error = float(shares.std(ddof=1) / np.sqrt(worlds))
    off = abs(float(shares.mean()) - promised) / error
    label = f"{count:,} scores, rate {rate:g}"
    measures: list[Measure] = [
        {
            "measure": f"{label}: share of fresh rows flagged",
            "value": round(float(shares.mean()), 5),
            "unit": "share",
            "asked": f"{promised:.5f} within 3 standard errors ({3 * error:.5f})",
        }
    ]
    return measures, off


def _estimators() -> dict[str, Callable[[], Any]]:
    from sklearn.covariance import EllipticEnvelope
    from sklearn.decomposition import PCA
    from sklearn.ensemble import IsolationForest
    from sklearn.mixture import GaussianMixture
    from sklearn.neighbors import LocalOutlierFactor
    from sklearn.svm import OneClassSVM

    return {
        "IsolationForest": lambda: IsolationForest(n_estimators=50, random_state=0),
        "LocalOutlierFactor": lambda: LocalOutlierFactor(novelty=True),
        "OneClassSVM, nu 0.05": lambda: OneClassSVM(nu=0.05),
        "EllipticEnvelope": lambda: EllipticEnvelope(random_state=0, support_fraction=0.9),
        "PCA": lambda: PCA(2),
        "GaussianMixture": lambda: GaussianMixture(2, random_state=0),
    }


def _estimator(name: str, make: Callable[[], Any], count: int, worlds: int) -> Measure:
    """Return the mean share of fresh rows that a fit on `count` rows of five inputs flags."""
    shares = []
    for world in range(worlds):
        rng = np.random.default_rng([count, world])
        rows, fresh = rng.normal(size=(count, 5)), rng.normal(size=(FRESH, 5))
        scores = np.empty(count)
        for learn, judge in row_folds(np.zeros(count), None, 3, classify=False, seed=world):
            scores[judge] = strangeness(make().fit(rows[learn]), rows[judge])
        threshold = threshold_at_rate(scores, RATE)
        shares.append(float((strangeness(make().fit(rows), fresh) > threshold).mean()))
    error = float(np.std(shares, ddof=1) / np.sqrt(worlds)) if worlds > 1 else 0.0
    return {
        "measure": f"{name} on {count:,} rows, rate {RATE:g}: share of fresh rows flagged"
        f" (standard error {error:.4f})",
        "value": round(float(np.mean(shares)), 4),
        "unit": "share",
        "asked": "",
    }


def _alarms(windows: int, *, alike: bool) -> Measure:
    """Return how often a kept promise is called broken, at 5 % of false alarms.

    30 days of 40 rows; where days are `alike`, half of a score's variance is its day's.
    """
    rng, alarms = np.random.default_rng(7), 0
    days = np.repeat(np.arange(30), 40)
    times = np.datetime64("2026-01-01", "us") + days * np.timedelta64(1, "D")
    for window in range(windows):
        scores = rng.normal(size=(101, 1_200))
        if alike:
            day = rng.normal(size=(101, 30))
            scores = (scores + day[:, days]) / np.sqrt(2)
        threshold = threshold_at_rate(scores[:-1].ravel()[:5_000], RATE)
        found = flag_rate(
            scores[-1] > threshold,
            RATE,
            calibrated_on=5_000,
            confidence=0.95,
            seed=window,
            event_times=times,
        )
        alarms += not found.is_kept
    rows = "days that are alike" if alike else "independent rows"
    return {
        "measure": f"{rows}: kept promises called broken",
        "value": round(alarms / windows, 4),
        "unit": "share",
        "asked": "at most 0.05" if not alike else "",
    }


def _alarms_over_folds(count: int, windows: int) -> Measure:
    """Return how often a kept promise is called broken by the pooled flags of the gate's folds."""
    alarms = 0
    for world in range(windows):
        scores = np.random.default_rng([count, world]).normal(size=count)
        cuts = row_folds(np.zeros(count), None, FOLDS, classify=False, seed=world)
        flags = np.zeros(count, dtype=bool)
        for learn, judge in cuts:
            flags[judge] = scores[judge] > threshold_at_rate(scores[learn], RATE)
        found = flag_rate(
            flags,
            RATE,
            calibrated_on=min(len(learn) for learn, _ in cuts),
            confidence=0.95,
            seed=world,
            groups=np.arange(count),
        )
        alarms += not found.is_kept
    return {
        "measure": f"{count:,} rows over {FOLDS} folds: kept promises called broken",
        "value": round(alarms / windows, 4),
        "unit": "share",
        "asked": "at most 0.05",
    }


if __name__ == "__main__":
    sys.exit(main())
