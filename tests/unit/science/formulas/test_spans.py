"""Intervals: how many rows they hold, how wide they are, and the score of both."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as theirs

from pipelines.science.formulas.spans import coverage, interval_score, mean_width

Y = np.array([1.0, 2.0, 3.0, 10.0])
LOWER, UPPER = np.zeros(4), np.array([1.0, 1.0, 4.0, 4.0])


def test_the_ends_belong_to_the_interval_and_rows_count_by_weight():
    assert coverage(Y, LOWER, UPPER) == 0.5
    assert coverage(Y, LOWER, UPPER, np.array([3.0, 1.0, 0.0, 0.0])) == 0.75
    assert mean_width(Y, LOWER, UPPER) == 2.5


def test_the_interval_score_is_the_pinball_loss_of_both_ends():
    """Gneiting & Raftery: 2 / (1 - coverage) times the sum of the losses of the two quantiles."""
    rng = np.random.default_rng(3)
    for _ in range(200):
        y, lower, width = rng.normal(size=30), rng.normal(size=30), rng.gamma(2, 1, 30)
        weights, alpha = rng.uniform(0.1, 3, 30), rng.uniform(0.02, 0.5)
        upper = lower + width
        losses = sum(
            theirs.mean_pinball_loss(y, end, alpha=quantile, sample_weight=weights)
            for end, quantile in ((lower, alpha / 2), (upper, 1 - alpha / 2))
        )
        found = interval_score(y, lower, upper, 1 - alpha, weights)
        assert found == pytest.approx(2 / alpha * losses, rel=1e-12)


@pytest.mark.parametrize("metric", [coverage, mean_width])
def test_an_end_that_is_missing_gives_no_score(metric):
    assert np.isnan(metric(Y, LOWER, np.array([1.0, np.nan, 1.0, 1.0])))
    assert np.isnan(metric(Y[:0], LOWER[:0], UPPER[:0]))
    assert np.isnan(metric(Y, LOWER, UPPER, np.zeros(4)))
