"""Intervals by the jackknife and Student's t, of pieces that are few or alike."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pipelines.science.student import by_student, scale_between


def of_mean(values, **more):
    values = np.asarray(values, dtype=np.float64)
    without = (values.sum() - values) / (len(values) - 1)
    return by_student(float(values.mean()), without, **more)


def test_of_a_mean_it_is_the_t_interval():
    values = np.random.default_rng(1).normal(size=7)
    ours = of_mean(values)
    theirs = stats.ttest_1samp(values, 0)
    low, high = theirs.confidence_interval(0.9)
    assert (ours.bad_end(0.95), ours.good_end(0.95)) == pytest.approx((low, high))
    assert ours.p_better == pytest.approx(
        stats.ttest_1samp(values, 0, alternative="greater").pvalue * -1 + 1
    )


@pytest.mark.parametrize(
    ("low", "high", "value"), [(0, 1, 0.97), (0, np.inf, 0.02), (-np.inf, 1, 0.9), (-1, 1, 0.9)]
)
def test_ends_lie_within_the_bounds_of_a_metric(low, high, value):
    spread = 0.02 * np.array([-1.0, 1.0, 0.5, -0.5, 0.0])
    ours = by_student(value, value + spread / 2, scale_between(low, high))
    assert low < ours.bad_end(0.99) < value < ours.good_end(0.99) < high


def test_ends_are_wider_where_neighbours_are_alike():
    values = [1.0, 2.0, 3.0, 2.0, 1.5]
    plain, wide = of_mean(values), of_mean(values, wider=1.5)
    assert wide.bad_end(0.9) - 1.9 == pytest.approx(1.5 * (plain.bad_end(0.9) - 1.9))


def test_what_is_not_defined_without_a_piece_has_no_ends():
    ours = by_student(0.5, np.array([0.5, np.nan, 0.4]))
    assert np.isnan([ours.bad_end(0.9), ours.good_end(0.9)]).all()
    assert ours.p_better == 0


def test_what_never_changes_is_sure():
    assert of_mean([2.0] * 6).bad_end(0.95) == 2
    assert of_mean([2.0] * 6).p_better == 1
    assert of_mean([0.0] * 6).p_better == 0


def test_of_pieces_that_are_alike_the_slow_part_counts():
    rising = np.linspace(1.0, 2.0, 30)
    plain, alike = of_mean(rising), of_mean(rising, alike=True)
    assert plain.freedom == 29
    assert alike.freedom < 5
    assert alike.bad_end(0.95) < plain.bad_end(0.95)
