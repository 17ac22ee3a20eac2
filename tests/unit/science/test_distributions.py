"""Where values stand, how far two samples lie apart, and what chance alone gives."""

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from pipelines.science.distributions import (
    LEAST_EXPECTED,
    bin_counts,
    bin_edges,
    chance,
    distance,
    merge_rare,
)


def test_few_whole_numbers_have_a_bin_each():
    edges = bin_edges(np.array([0.0, 1.0, 1.0, 3.0]))
    assert bin_counts(np.array([0, 1, 1, 3, np.nan]), edges).tolist() == [1, 2, 1]


def test_what_lies_beyond_the_ends_is_in_the_outermost_bins():
    edges = bin_edges(np.linspace(0, 1, 1001))
    assert len(edges) == 21
    counts = bin_counts(np.array([-1e9, 1e9, 0.5, np.inf]), edges)
    assert (counts[0], counts[-1], counts.sum()) == (1, 1, 3)


def test_a_constant_and_nothing_have_bins_too():
    assert bin_counts(np.full(5, 2.5), bin_edges(np.full(5, 2.5))).sum() == 5
    assert bin_counts(np.array([1.0]), bin_edges(np.array([np.nan]))).tolist() == []


def test_the_distance_is_jensen_and_shannons():
    one, other = np.array([10, 30, 60]), np.array([200, 300, 500])
    assert distance(one, other) == pytest.approx(jensenshannon(one, other, base=2))
    assert distance(one, one * 7) == pytest.approx(0)
    assert distance(np.array([5, 0]), np.array([0, 9])) == pytest.approx(1)
    assert distance(np.array([0, 0]), other[:2]) is None


def test_rare_bins_are_put_together_until_enough_rows_are_expected_in_each():
    one, other = merge_rare(np.array([0, 1, 50, 49, 0]), np.array([1, 2, 500, 497, 0]))
    assert (one.sum(), other.sum()) == (100, 1000)
    expected = (one + other) * 100 / 1100
    assert (expected >= LEAST_EXPECTED).all()


@pytest.mark.parametrize(("n", "m"), [(200, 2_000), (1_000, 5_000), (100, 100)])
def test_samples_of_one_distribution_stay_below_chance_nearly_as_often_as_it_says(n, m):
    rng = np.random.default_rng(1)
    beyond = 0
    for _ in range(400):
        reference = rng.exponential(size=m)
        edges = bin_edges(reference)
        counts = merge_rare(
            bin_counts(rng.exponential(size=n), edges), bin_counts(reference, edges)
        )
        beyond += distance(*counts) > chance(*counts)
    assert 0.02 <= beyond / 400 <= 0.11
    assert chance(np.array([0, 0]), np.array([1, 1])) is None
    assert chance(np.array([3]), np.array([5])) is None
