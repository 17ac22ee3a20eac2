"""Neighbours that are alike say less than as many independent ones; few cannot be told."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from pipelines.science.bootstrap import compare, spread
from pipelines.science.dependence import are_alike, slow_variance, widening, without_rise
from tests.unit.science.test_pieces import times_of


def series(count, memory, seed=1):
    steps = np.random.default_rng(seed).normal(size=count)
    steps[1:] *= (1 - memory**2) ** 0.5
    return lfilter([1.0], [1.0, -memory], steps)


@pytest.mark.parametrize(("count", "memory"), [(30, 0.5), (90, 0.7), (365, 0.9)])
def test_the_slow_variance_is_that_of_the_mean_of_the_series(count, memory):
    """Measured over many series; the plain variance would be a third of it or less."""
    many = [series(count, memory, seed) for seed in range(2_000)]
    true = np.var([one.mean() for one in many])
    slow = np.mean([slow_variance(one)[0] for one in many])
    assert slow == pytest.approx(true, rel=0.25)
    assert np.mean([one.var() / count for one in many]) < true / 2.5


def test_the_longer_the_likeness_the_fewer_the_degrees_of_freedom():
    short, long = (slow_variance(series(365, memory))[1] for memory in (0.3, 0.9))
    assert 2 <= long < short <= 0.4 * 365 ** (2 / 3)


def test_what_rises_and_falls_within_a_week_is_no_doubt_about_the_whole():
    week = np.tile([5.0, 4.0, 3.0, 2.0, 3.0, 4.0, 5.0], 8)
    plain = week.var() / len(week)
    assert are_alike(week)
    assert slow_variance(week)[0] < plain / 20


def test_values_that_are_independent_are_seldom_taken_for_alike():
    found = [are_alike(series(60, 0.0, seed)) for seed in range(400)]
    assert 0.05 < np.mean(found) < 0.2
    assert np.mean([are_alike(series(60, 0.5, seed)) for seed in range(400)]) > 0.98


def test_of_four_values_no_likeness_is_measured():
    assert not are_alike(np.linspace(0, 1, 4))
    assert are_alike(np.linspace(0, 1, 9))


def test_what_differs_by_rounding_alone_does_not_vary():
    assert not are_alike(1.0 + 1e-15 * np.repeat([1.0, 2.0], 20))
    assert widening(1.0 + 1e-15 * np.repeat([1.0, 2.0], 20)) < 1.1


def test_likeness_of_neighbours_widens_and_their_opposition_does_not():
    assert widening(series(200, 0.5)) > 1.2
    assert widening(np.tile([1.0, -1.0], 20)) == 1
    assert widening(np.ones(20)) <= widening(series(20, 0.9)) <= 2**0.5


def _worlds(days, memory, worlds=150):
    """How often one of two equal models is proven better, and how often it cannot be told."""
    proven = untold = 0
    times = times_of(days * 20, days)
    day = np.arange(days * 20) // 20
    for world in range(worlds):
        rng = np.random.default_rng([world, days])
        levels = (series(days, memory, [world, side]) for side in (1, 2))
        y = rng.normal(size=len(day))
        one, other = (y + rng.normal(size=len(day)) + level[day] for level in levels)
        found = compare(
            "mae", y, challenger=one, opponent=other, event_times=times, confidence=0.95, seed=1
        )
        untold += bool(found.untold)
        proven += found.lower > 0
    return proven / worlds, untold / worlds


def test_of_a_week_of_days_that_differ_one_in_twenty_equal_models_is_taken_for_better():
    proven, untold = _worlds(7, 0.0)
    assert untold == 0
    assert 0 < proven <= 0.05 + 3 * (0.05 * 0.95 / 150) ** 0.5


def test_of_days_that_are_like_the_ones_before_few_equal_models_are_taken_for_better():
    """Plain days would prove one in four."""
    proven, untold = _worlds(60, 0.8)
    assert untold == 0
    assert proven <= 0.05 + 3 * (0.05 * 0.95 / 150) ** 0.5


def test_a_great_difference_is_proven_by_days_that_are_alike_and_it_says_what_they_are_worth():
    y = np.random.default_rng(1).normal(size=600)
    level = series(30, 0.9)[np.arange(600) // 20]
    rows = {"event_times": times_of(600, 30), "confidence": 0.95, "seed": 1}
    found = compare("mae", y, challenger=y + 0.1 * level, opponent=y + 5, **rows)
    assert found.lower > 4
    assert (found.blocks, found.as_many, found.is_drawn) == (30, 3, False)


def test_of_one_day_nobody_can_tell_and_it_says_what_is_needed():
    y = np.random.default_rng(1).normal(size=200)
    rows = {"event_times": times_of(200, 1), "confidence": 0.95, "seed": 1}
    found = compare("mae", y, challenger=y, opponent=y + 1, **rows)
    assert (found.lower, found.p_better) == (-np.inf, 0)
    assert found.untold == "of 1 day nobody can tell, 5 are needed"
    one = spread("mae", y, y + 0.1, **rows)
    assert np.isnan([one.bad_end, one.good_end]).all()
    assert one.untold == "of 1 day nobody can tell, 10 are needed"
    assert compare("mae", y, challenger=y, opponent=y + 1, span="hour", **rows).lower > 0


def test_rows_of_one_customer_are_one_piece_of_evidence():
    """Forty customers of whom each has a level of its own: by days alone it looks proven."""
    rng = np.random.default_rng(3)
    customer = np.tile(np.arange(40), 50)
    y = rng.normal(size=2_000)
    helps = np.where(rng.random(40) < 0.5, 0.0, 1.0)[customer]
    rows = {"event_times": times_of(2_000, 50), "confidence": 0.95, "seed": 1}
    sides = {"challenger": y + 0.45, "opponent": y + helps}
    by_days = compare("mae", y, **sides, **rows)
    by_both = compare("mae", y, **sides, groups=customer, **rows)
    assert by_both.lower < by_days.lower
    assert by_both.unit == "groups"


def test_only_a_rise_is_taken_out():
    rises = np.arange(30.0) + np.random.default_rng(1).normal(size=30)
    assert np.ptp(without_rise(rises)) < np.ptp(rises) / 3
    assert without_rise(rises).mean() == pytest.approx(rises.mean())
    falls = rises[::-1]
    assert without_rise(falls) is falls
