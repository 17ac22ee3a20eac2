"""Samples that follow from keys and seed alone."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.science.sampling import hashes_of, limits_of, lowest, quotas_of, whole_units


def test_hashes_follow_from_key_and_seed_and_not_from_neighbours():
    texts = np.array([f"k{i}" for i in range(1000)], dtype=object)
    numbers = np.arange(1000)
    whole = hashes_of([texts, numbers], 3)
    assert np.array_equal(whole[400:], hashes_of([texts[400:], numbers[400:]], 3))
    assert not np.array_equal(whole, hashes_of([texts, numbers], 4))
    assert len(set(whole.tolist())) == 1000
    assert (whole < 2**63).mean() == pytest.approx(0.5, abs=0.06)


def test_hashes_are_the_same_in_every_version():
    # Whoever builds a version again must draw the rows that were drawn.
    found = hashes_of([np.array(["a", "b"], dtype=object), np.array([1, 2])], 17)
    assert found.tolist() == [12365096877314453091, 12876741709823794266]


def test_quotas_are_in_proportion_and_sum_to_the_sample():
    assert quotas_of(np.array([700, 200, 100]), 10).tolist() == [7, 2, 1]
    assert quotas_of(np.array([3, 3, 3]), 4).tolist() == [2, 1, 1]
    assert quotas_of(np.array([5, 2]), 100).tolist() == [5, 2]
    assert quotas_of(np.array([9_999, 1]), 10, least=1).tolist() == [10, 1]


def test_candidates_hold_all_that_is_drawn():
    hashes = np.random.default_rng(1).integers(0, 2**64 - 1, 50_000, dtype=np.uint64)
    strata = np.arange(50_000) % 3 // 2
    counts = np.bincount(strata)
    quotas = quotas_of(counts, 1_000)
    limits = limits_of(quotas, counts)
    near = np.flatnonzero(hashes <= limits[strata])
    drawn = near[lowest(hashes[near], strata[near], quotas)]
    assert np.array_equal(drawn, lowest(hashes, strata, quotas))
    assert np.bincount(strata[drawn]).tolist() == quotas.tolist()
    assert len(near) < 1_500


def test_a_smaller_sample_lies_within_a_larger_one():
    hashes = hashes_of([np.arange(2_000)], 1)
    strata = np.zeros(2_000, dtype=np.int64)
    small, large = (lowest(hashes, strata, np.array([n])) for n in (100, 400))
    assert set(small) < set(large)


def test_whole_units_are_taken_while_they_fit():
    hashes = np.array([30, 10, 20, 40], dtype=np.uint64)
    assert whole_units(hashes, np.array([5, 4, 9, 1]), 10).tolist() == [10, 30, 40]
    assert whole_units(hashes, np.array([50, 50, 50, 50]), 10).tolist() == []
