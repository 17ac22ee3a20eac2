"""How far chance moves a mean of days."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.science.before_labels.interval import cut_days, measure_noise, reach

HOURS = np.datetime64("2026-01-01T00", "h")


def times(days, a_day):
    day = np.repeat(np.arange(days), a_day)
    return (HOURS + (24 * day + np.arange(days * a_day) % a_day)).astype("datetime64[us]")


def days(past, own, a_day=10, own_a_day=10):
    one, other = times(past, a_day), times(own, own_a_day)
    return cut_days(one, other, (len(one), len(other)), "day")


def test_independent_days_are_students_prediction_interval():
    rng = np.random.default_rng(2)
    covered = []
    for _ in range(1_500):
        past, own = rng.normal(size=20), rng.normal(size=5)
        noise = measure_noise(past - past.mean(), days(20, 5))
        covered.append(abs(own.mean() - past.mean()) <= reach(noise, 0.95))
    assert 0.935 <= np.mean(covered) <= 0.99


def test_fewer_rows_of_a_day_scatter_more_and_more_rows_no_less():
    influences = np.array([1.0, -1.0] * 10)
    usual = measure_noise(influences, days(20, 5)).window
    assert measure_noise(influences, days(20, 5, own_a_day=5)).window == pytest.approx(2 * usual)
    assert measure_noise(influences, days(20, 5, own_a_day=20)).window == pytest.approx(usual)


def test_days_that_are_like_the_days_before_widen_the_interval():
    rng = np.random.default_rng(1)
    level = np.cumsum(rng.normal(size=60))
    influences = level - level.mean()
    mixed = rng.permutation(influences)
    alike, apart = (measure_noise(each, days(60, 20)) for each in (influences, mixed))
    assert alike.freedom < apart.freedom
    assert reach(alike, 0.95) > 2 * reach(apart, 0.95)


def test_without_times_rows_are_counted():
    found = cut_days(None, times(5, 10), (300, 50), "day")
    assert (found.past.count, found.window, found.smaller) == (300, 50, 6.0)
