"""The threshold that keeps a promised rate, the check that it is kept, and agreement."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.science.anomaly import (
    agreement,
    chance_of_share,
    exact_interval,
    flag_rate,
    threshold_at_rate,
)


def test_the_threshold_is_the_score_of_the_stated_rank():
    scores = np.random.default_rng(0).permutation(99).astype(float)
    # ceil(0.95 * 100) = 95th smallest of 0..98
    assert threshold_at_rate(scores, 0.05) == 94.0
    assert (scores > threshold_at_rate(scores, 0.07)).sum() == 6


@pytest.mark.parametrize(("rows", "rate"), [(98, 0.01), (8, 0.1), (0, 0.5)])
def test_too_few_scores_allow_no_threshold(rows, rate):
    assert threshold_at_rate(np.arange(rows, dtype=float), rate) is None
    assert threshold_at_rate(np.arange(rows + 1, dtype=float), rate) is not None


def test_scores_that_are_no_numbers_allow_no_threshold():
    assert threshold_at_rate(np.array([1.0, np.nan, 3.0]), 0.5) is None


@pytest.mark.parametrize("rows", [19, 30, 100])
def test_a_fresh_row_is_flagged_as_often_as_promised(rows):
    rate, rng, worlds = 0.1, np.random.default_rng(rows), 4_000
    flagged = 0
    for _ in range(worlds):
        scores = rng.exponential(size=rows + 1)
        flagged += scores[-1] > threshold_at_rate(scores[:-1], rate)
    promised = np.floor(rate * (rows + 1) + 1e-9) / (rows + 1)
    assert abs(flagged / worlds - promised) < 3 * np.sqrt(promised * (1 - promised) / worlds)


def test_equal_scores_flag_fewer_rows_than_promised_and_never_more():
    scores = np.repeat([0.0, 1.0], [80, 20])
    assert (scores > threshold_at_rate(scores, 0.1)).sum() == 0


def test_a_kept_promise_is_seldom_called_broken():
    rng, alarms, worlds = np.random.default_rng(1), 0, 1_000
    for _ in range(worlds):
        scores = rng.normal(size=699)
        threshold = threshold_at_rate(scores[:199], 0.05)
        flagged = int((scores[199:] > threshold).sum())
        alarms += chance_of_share(flagged, 500, 199, 0.05) < 0.05
    assert alarms / worlds < 0.05 + 3 * np.sqrt(0.05 * 0.95 / worlds)


def test_a_broken_promise_is_found_and_told_in_words():
    flags = np.zeros(1_000, dtype=bool)
    flags[::10] = True
    found = flag_rate(flags, 0.01, calibrated_on=5_000, confidence=0.95, seed=0)
    assert not found.is_kept
    assert found.low > 0.05
    assert "100 of 1,000 rows (10.00%) are flagged" in found.in_words
    kept = flag_rate(flags, 0.1, calibrated_on=5_000, confidence=0.95, seed=0)
    assert kept.is_kept


def test_rows_of_one_day_that_are_flagged_together_prove_less():
    times = np.datetime64("2024-01-01", "us") + np.arange(3_000) * np.timedelta64(14, "m")
    flags = np.zeros(3_000, dtype=bool)
    flags[300:380] = True  # one bad day
    alone = flag_rate(flags, 0.01, calibrated_on=5_000, confidence=0.95, seed=0)
    by_day = flag_rate(flags, 0.01, calibrated_on=5_000, confidence=0.95, seed=0, event_times=times)
    assert not alone.is_kept
    assert by_day.is_kept
    assert by_day.low < alone.low


def test_without_rows_nothing_is_broken():
    found = flag_rate(np.zeros(0, dtype=bool), 0.1, calibrated_on=99, confidence=0.9, seed=0)
    assert found.is_kept
    assert np.isnan(found.share)


def test_the_exact_interval_is_that_of_clopper_and_pearson():
    # Table of Clopper & Pearson: 0 of 10 and 3 of 10 at 95 %.
    assert exact_interval(0, 10, 0.95) == pytest.approx((0, 0.3085), abs=1e-4)
    assert exact_interval(3, 10, 0.95) == pytest.approx((0.0667, 0.6525), abs=1e-4)
    assert exact_interval(10, 10, 0.95)[1] == 1


def test_two_models_agree_by_the_rows_that_both_flag():
    ours, theirs = np.array([1.0, 2, 3, 4]), np.array([1.0, 3, 2, 9])
    found = agreement(ours, theirs, 2.5, 2.5)
    assert (found.ours, found.theirs, found.both) == (2, 2, 1)
    assert found.overlap == pytest.approx(1 / 3)
    assert found.correlation == pytest.approx(0.8)
    assert "an overlap of 33%" in found.in_words


def test_a_constant_has_no_ranks():
    found = agreement(np.ones(3), np.arange(3.0), 2, 5)
    assert np.isnan(found.correlation)
    assert found.overlap == 1
    assert "scores all rows alike" in found.in_words
