"""Ends of intervals are corrected for bias and acceleration, and by Student's t."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from pipelines.science.draws import Draws, acceleration, draw, expand, leave_out
from pipelines.science.metrics import resample


def draws_of(values, seed=1):
    """The draws of the mean of some numbers, each its own block; smaller is better."""
    rows = len(values)
    scorers = [resample("mae", values, np.zeros(rows), np.arange(rows), rows)]
    without = leave_out(scorers, smaller, rows)
    return draw(scorers, smaller, rows, seed, without=without)


def smaller(found):
    return -found[0]


def test_ends_are_those_of_scipy_s_bca():
    values = np.random.default_rng(3).exponential(1, 400)
    draws = draws_of(values)
    theirs = stats.bootstrap(
        (values,), np.mean, confidence_level=0.9, n_resamples=20_000, method="BCa", rng=1
    ).confidence_interval
    ours = -draws.good_end(0.95), -draws.bad_end(0.95)
    assert ours == pytest.approx(tuple(theirs), abs=0.1 * (theirs.high - theirs.low))


def test_the_truth_lies_beyond_each_end_about_as_often():
    """Of the mean of a skewed number, plain percentiles miss it on one side four times as often."""
    beyond = {"corrected": [], "plain": []}
    for seed in range(300):
        draws = draws_of(np.random.default_rng(seed).exponential(1, 40), seed)
        plain = Draws(draws.whole, draws.resamples, None, draws.blocks)
        for name, each in (("corrected", draws), ("plain", plain)):
            beyond[name].append((each.bad_end(0.95) > -1, each.good_end(0.95) < -1))
    rates = {name: np.mean(sides, axis=0) for name, sides in beyond.items()}
    assert (rates["corrected"] < 0.09).all()
    assert rates["corrected"][0] < rates["plain"][0]
    gap = {name: abs(high - low) for name, (high, low) in rates.items()}
    assert gap["corrected"] < gap["plain"] / 2


def test_what_never_changes_has_ends_without_width():
    draws = draws_of(np.full(30, 2.0))
    assert (draws.bad_end(0.95), draws.good_end(0.95)) == (-2.0, -2.0)


def test_a_block_without_which_there_is_no_metric_leaves_the_acceleration_out():
    assert acceleration(np.array([1.0, np.nan, 2.0])) == 0
    assert acceleration(np.array([1.0, 1.0])) == 0
    # One block that is all of the spread is the most that there can be.
    assert abs(acceleration(np.append(np.zeros(10_000), 1.0))) == pytest.approx(1 / 6, rel=1e-3)


def test_a_value_at_the_end_of_what_it_can_be_has_an_interval_all_the_same():
    """No resample is better: the bias would be infinite."""
    draws = Draws(1.0, np.linspace(0.5, 1.0, 1_000, endpoint=False), np.full(50, 1.0), 50)
    assert 0.5 < draws.bad_end(0.95) < draws.good_end(0.95) < 1.0


def test_fewer_blocks_ask_for_more():
    assert expand(0.95, 20) < expand(0.95, 200) < 0.05 < expand(0.94, 10_000)
    assert expand(0.95, 1) == 0


def test_likeness_of_neighbours_widens_an_interval_from_its_middle():
    draws = draws_of(np.random.default_rng(3).exponential(1, 60))
    wide = replace(draws, widening=2.0)
    assert wide.bad_end(0.9) - wide.whole == pytest.approx(2 * (draws.bad_end(0.9) - draws.whole))
    assert wide.good_end(0.9) > draws.good_end(0.9) > draws.whole
