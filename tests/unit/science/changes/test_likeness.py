"""How alike neighbours are, and by how much that widens what chance does."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import norm, t

from pipelines.science.changes.likeness import (
    choose_reach,
    correlate_neighbours,
    count_rivals,
    find_near,
    learn_from_others,
    measure_inflation,
    worth,
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


def near(correlation, count, apart):
    """Return which windows are left out for each of `count` and for the newest."""
    found = find_near(np.array([0.0, correlation]), count, apart)
    return [list(range(*ends)) for ends in zip(found.first, found.end, strict=True)]


def test_a_window_is_not_held_against_those_that_follow_it_as_long_as_they_are_alike():
    """Of 0.6 the third has 0.22 and the fourth 0.13."""
    found = near(0.6, 40, 0)
    assert found[:2] == [[0, 1, 2, 3], [1, 2, 3, 4]]
    assert found[39:] == [[39, 40], [40]]


def test_where_the_newest_is_apart_from_the_past_as_many_before_a_window_are_left_out():
    found = near(0.6, 40, 2)
    assert found[10] == [8, 9, 10, 11, 12, 13]
    # The newest counts as the third after the last of the past.
    assert found[38:] == [[36, 37, 38, 39], [37, 38, 39, 40], [40]]


def test_windows_that_are_not_alike_are_held_against_all_others():
    assert near(0.1, 20, 5) == [[place] for place in range(21)]


def test_of_a_short_past_a_quarter_follows_at_most():
    assert [len(held) for held in near(0.97, 12, 0)[:2]] == [4, 4]


def test_sums_over_stretches_are_those_of_their_rows():
    values = np.random.default_rng(9).normal(size=(21, 3))
    found = find_near(np.array([0.6]), 20, 2)
    expected = [values[a:b].sum(axis=0) for a, b in zip(found.first, found.end, strict=True)]
    assert found.sum(values) == pytest.approx(np.array(expected))


def test_the_newest_of_windows_that_are_alike_is_the_greatest_as_often_as_one_of_fewer():
    rng = np.random.default_rng(10)
    drawn = np.abs(remember(rng, 101, 0.9, 4_000))
    newest = float((drawn[-1] == drawn.max(axis=0)).mean())
    _, freedom = worth(np.array([0.9]), 100)
    assert 1.3 / 101 < newest <= 1 / (count_rivals(freedom, 100) + 1)
