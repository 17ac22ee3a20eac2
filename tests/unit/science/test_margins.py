"""Bounds for batches to come, from those that are there."""

import numpy as np
import pytest

from pipelines.science.margins import bounds_of, novelty, outward, share_bounds


def test_bounds_leave_as_much_room_as_the_batches_took():
    low, high = bounds_of(np.array([100.0] * 11 + [140.0]))
    assert (low, high) == pytest.approx((100 * 100 / 140, 180))


def test_few_batches_get_more_room_than_many():
    few, many = bounds_of(np.array([10.0, 12.0])), bounds_of(np.array([10.0, 12.0] * 10))
    assert few[0] < many[0] < 10
    assert few[1] > many[1] > 12


def test_chance_within_a_batch_gives_room_where_batches_agreed():
    low, high = bounds_of(np.array([5.0] * 12), spread=2.0, rows=400)
    assert (low, high) == pytest.approx((5 - 0.6, 5 + 0.6))


@pytest.mark.parametrize("factor", [100, 1000, 0.01])
def test_a_figure_in_another_unit_is_out_of_bounds(factor):
    figures = np.array([80.0, 95.0, 120.0, 150.0, 170.0, 110.0] * 2)
    low, high = bounds_of(figures, spread=40.0, rows=300)
    assert not low <= 120.0 * factor <= high


def test_nothing_known_bounds_nothing():
    assert bounds_of(np.array([np.nan])) == (float("-inf"), float("inf"))


def test_shares_stay_shares():
    assert share_bounds(np.array([0.0, 0.9] * 6), 50) == (0.0, 1.0)


def test_novelty_is_the_greatest_share_of_rows_with_values_that_are_new():
    counts = [{"a": 10}, {"a": 5, "b": 5}, {"a": 9, "b": 1}, {"a": 8, "c": 2}]
    assert novelty([set(c) for c in counts], counts) == 0.2
    assert novelty([{"a"}], [{"a": 3}]) == 1.0


def test_rounding_never_narrows():
    assert outward(1.23456, 6.54321) == (1.234, 6.544)
    assert outward(-1.23456, 0.0) == (-1.235, 0.0)
