"""Bins of calibration and the interval of a share."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.science.calibration import calibration, wilson


def test_wilsons_interval_is_that_of_the_literature():
    """8 of 10: 0.490 to 0.943 (Newcombe 1998 gives the method's figures)."""
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 20)[0] == 0.0
    assert wilson(20, 20)[1] == 1.0


def test_true_probabilities_lie_within_their_intervals():
    rng = np.random.default_rng(3)
    p = rng.random(5_000)
    bins = calibration((rng.random(5_000) < p).astype(int), p)
    assert len(bins) == 10
    assert sum(b.rows for b in bins) == 5_000
    assert sum(b.low <= b.predicted <= b.high for b in bins) >= 8


def test_equal_probabilities_are_one_bin():
    [only] = calibration(np.array([0, 1, 1, 1]), np.full(4, 0.5))
    assert (only.rows, only.observed) == (4, 0.75)
    assert calibration(np.array([]), np.array([])) == []
