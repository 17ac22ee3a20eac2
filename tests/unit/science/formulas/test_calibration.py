"""The expected calibration error by direct counts, and that a draw is the score of its rows."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.science.formulas.calibration import OfCalibration
from pipelines.science.metrics import resample, score


def test_true_probabilities_have_a_small_error_and_too_sure_ones_a_great_one():
    rng = np.random.default_rng(1)
    p = rng.uniform(0.02, 0.98, 20_000)
    y = (rng.random(20_000) < p).astype(int)
    sure = np.where(p > 0.5, 0.99, 0.01)
    assert score("calibration_error", y, p) < 0.015
    assert score("calibration_error", y, sure) > 0.2


def test_ten_rows_are_ten_bins():
    p = np.linspace(0.05, 0.95, 10)
    y = np.array([0, 1] * 5)
    assert score("calibration_error", y, p) == pytest.approx(np.mean(np.abs(y - p)))


def test_equal_probabilities_are_one_bin():
    y = np.array([0, 0, 0, 1])
    assert score("calibration_error", y, np.full(4, 0.25)) == 0.0
    assert score("calibration_error", y, np.full(4, 0.75)) == 0.5


def test_of_several_classes_the_likeliest_counts():
    p = np.array([[0.6, 0.3, 0.1]] * 10)
    y = np.array([0] * 6 + [1] * 4)
    assert score("calibration_error", y, p) == pytest.approx(0.0)
    assert score("calibration_error", np.full(10, 2), p) == pytest.approx(0.6)


@pytest.mark.parametrize("seed", range(5))
def test_a_draw_is_the_score_of_the_rows_that_it_draws(seed):
    rng = np.random.default_rng(seed)
    p, block = np.round(rng.random(300), 2), rng.integers(0, 12, 300)
    y = (rng.random(300) < p).astype(int)
    drawn = rng.integers(0, 4, (6, 12)).astype(float)
    found = resample("calibration_error", y, p, block, 12).of(drawn)
    for weights, value in zip(drawn, found, strict=True):
        rows = np.repeat(np.arange(300), weights[block].astype(int))
        assert value == pytest.approx(OfCalibration().score(y[rows], p[rows], None))


def test_many_probabilities_are_resampled_close_to_the_exact_error():
    rng = np.random.default_rng(7)
    p = rng.random(20_000)
    y = (rng.random(20_000) < p**1.5).astype(int)
    block = np.arange(20_000) % 20
    whole = resample("calibration_error", y, p, block, 20).of(np.ones((1, 20)))[0]
    assert whole == pytest.approx(score("calibration_error", y, p), abs=1e-3)


def test_equal_probabilities_are_one_bin_beside_more_values_than_levels_too():
    """Half of the rows say 0.5, of which the earlier ones came true and the later ones did not."""
    n = 12_000
    rng = np.random.default_rng(1)
    p = np.where(np.arange(n) % 2 == 0, 0.5, rng.random(n))
    y = np.where(p == 0.5, np.arange(n) < n / 2, rng.random(n) < p).astype(int)
    drawn = resample("calibration_error", y, p, np.zeros(n, np.int64), 1)
    whole = score("calibration_error", y, p)
    assert drawn.of(np.ones((1, 1)))[0] == pytest.approx(whole, abs=0.002)
