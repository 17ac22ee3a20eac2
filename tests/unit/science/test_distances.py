"""The distances of two samples are Evidently's own."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from pipelines.science.distances import distance
from pipelines.spec.drift import NUMBER_METHODS, TEXT_METHODS

NAN = float("nan")


def evidently(method, reference, window, *, text):
    """What the real Evidently says of one column."""
    import pandas as pd

    sides = [pd.Series(side).dropna() for side in (reference, window)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Evidently's own
        from evidently.legacy.calculations.stattests import get_stattest
        from evidently.legacy.core import ColumnType

        kind = ColumnType.Categorical if text else ColumnType.Numerical
        return get_stattest(*sides, kind, method)(*sides, kind, 0.1).drift_score


def sides_of_numbers(seed):
    """Numbers of many shapes and sizes, with ties and gaps."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(30, 900, 2)
    shapes = (
        lambda n: rng.normal(rng.normal(), 1, n),
        lambda n: rng.lognormal(0, 2, n),
        lambda n: rng.integers(0, 12, n).astype(float),
        lambda n: rng.integers(0, 60, n).astype(float),
        lambda n: np.where(rng.random(n) < 0.8, 0.0, rng.exponential(1e4, n)),
        lambda n: np.where(rng.random(n) < 0.2, NAN, rng.normal(1e6, 3, n)),
    )
    shape = shapes[seed % len(shapes)]
    return shape(rows[0]), shape(rows[1])


def sides_of_texts(seed):
    rng = np.random.default_rng(seed)
    names = np.array(["a", "b", "c", "d", "e"] * (1 + seed % 4), dtype=object)
    names = np.array([f"{n}{i}" for i, n in enumerate(names)], dtype=object)
    reference = rng.choice(names, 400)
    window = rng.choice(names[: rng.integers(2, len(names) + 1)], 250)
    window[:20] = None
    return reference, window


@pytest.mark.parametrize("method", NUMBER_METHODS)
def test_of_numbers_they_are_evidentlys(method):
    for seed in range(18):
        reference, window = sides_of_numbers(seed)
        ours = distance(method, reference, window, text=False)
        assert ours == pytest.approx(
            evidently(method, reference, window, text=False), rel=1e-9, abs=1e-9, nan_ok=True
        ), seed


@pytest.mark.parametrize("method", TEXT_METHODS)
def test_of_texts_they_are_evidentlys(method):
    for seed in range(18):
        reference, window = sides_of_texts(seed)
        ours = distance(method, reference, window, text=True)
        assert ours == pytest.approx(
            evidently(method, reference, window, text=True), rel=1e-9, abs=1e-9, nan_ok=True
        ), seed


@pytest.mark.parametrize("method", NUMBER_METHODS)
def test_a_side_without_values_has_no_distance(method):
    assert np.isnan(distance(method, np.array([NAN, NAN]), np.arange(9.0), text=False))
