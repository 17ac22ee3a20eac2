"""How alike neighbours are, and by how much that widens what chance does."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import norm, t

from pipelines.science.changes.likeness import (
    choose_reach,
    correlate_neighbours,
    learn_from_others,
    measure_inflation,
)


def remember(rng, count, memory, width=1):
    shocks = rng.normal(size=(count + 200, width))
    return lfilter([1.0], [1.0, -memory], shocks, axis=0)[200:]


def test_an_inflation_is_the_sum_of_correlations_up_to_the_reach():
    values = remember(np.random.default_rng(1), 60, 0.8, 3)
    away = values - values.mean(axis=0)
    lags = [(1 - lag / 7) * (away[lag:] * away[:-lag]).sum() for lag in range(1, 7)]
    added = 1 + 2 * sum(lags) / (away * away).sum()
    found = measure_inflation([values], 7)
    assert found.times[0] == pytest.approx(added / (1 - 7 / 60 + added / 60))
    assert found.times[0] > 2
    assert found.freedom[0] == pytest.approx(1.5 * 60 / 7)


@pytest.mark.parametrize("memory", [0.5, 0.8])
def test_an_inflation_is_about_that_of_a_mean_of_a_week(memory):
    rng = np.random.default_rng(2)
    found = [measure_inflation([remember(rng, 365, memory)], 7).times[0] for _ in range(200)]
    lags = np.arange(1, 7)
    true = 1 + 2 * ((1 - lags / 7) * memory**lags).sum()
    assert np.mean(found) == pytest.approx(true, rel=0.15)


def test_what_does_not_vary_is_not_inflated():
    found = measure_inflation([np.ones((40, 2))], 7)
    assert list(found.times) == [1.0]
    assert list(found.widen(0.01)) == [1.0]


def test_what_does_not_vary_says_nothing_of_the_others():
    rng = np.random.default_rng(3)
    series = [remember(rng, 84, 0.8) for _ in range(5)]
    alone = measure_inflation(series, 7)
    beside = measure_inflation([*series, np.zeros((84, 1))], 7)
    assert list(beside.times[:5]) == list(alone.times)


def test_one_short_series_is_widened_as_student_does_and_ten_hardly():
    rng = np.random.default_rng(4)
    series = [rng.normal(size=(28, 1)) for _ in range(10)]
    one = measure_inflation(series[:1], 7)
    wider = t.ppf(0.005, 6) / norm.ppf(0.005)
    assert one.widen(0.01)[0] == pytest.approx(wider * one.times[0] ** 0.5)
    assert wider > 1.4
    many = measure_inflation(series, 7)
    assert many.independent > 5
    assert many.freedom.min() > 20
    assert many.widen(0.01).max() < 1.3


def test_the_same_series_ten_times_is_worth_one():
    values = np.random.default_rng(5).normal(size=(28, 1))
    found = measure_inflation([values] * 10, 7)
    assert found.independent == pytest.approx(1)
    assert found.freedom == pytest.approx(6)


def test_a_series_that_wanders_stands_out_beside_nine_that_do_not():
    rng = np.random.default_rng(6)
    series = [remember(rng, 84, memory) for memory in (0.9, *[0.0] * 9)]
    found = measure_inflation(series, 7).times
    assert found[0] > 3
    assert found[1:].mean() < 1.5


def test_likeness_is_added_up_over_the_window_and_a_week_at_most():
    assert [choose_reach(7, count) for count in (5, 10, 28, 84)] == [2, 5, 7, 7]
    assert choose_reach(3, 28) == 3
    assert choose_reach(30, 180) == 7
    assert [choose_reach(15, 30, length) for length in (2, 4, 8)] == [4, 2, 1]


def test_of_many_series_that_are_alike_none_is_taken_for_independent():
    """Twenty windows, each like the one before: chance makes a few look as if they were not."""
    rng = np.random.default_rng(7)
    measured = correlate_neighbours([remember(rng, 20, 0.9) for _ in range(50)])
    learnt = learn_from_others(measured, 20)
    assert measured.min() < 0.4
    assert learnt.min() > measured.mean() - 0.1
    assert (learnt >= measured).all()


def test_one_series_that_is_alike_leaves_the_others_as_they_are():
    rng = np.random.default_rng(8)
    series = [remember(rng, 200, memory) for memory in (0.95, *[0.0] * 20)]
    measured = correlate_neighbours(series)
    learnt = learn_from_others(measured, 200)
    assert learnt[0] == pytest.approx(measured[0], abs=0.1)
    assert learnt[1:].max() < 0.25


def test_of_three_series_none_says_anything_of_another():
    measured = np.array([0.1, 0.5, 0.9])
    assert list(learn_from_others(measured, 20)) == list(measured)
