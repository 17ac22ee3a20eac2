"""Slices are compared with the rest by blocks, and many of them by Holm's rule."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.science.slices import LEAST, compare_slices, holm


def test_holm_is_the_textbook_one():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_a_slice_that_is_worse_is_found_and_its_mean_lies_in_its_interval():
    rng = np.random.default_rng(1)
    loss = rng.exponential(1.0, 2_000)
    worse = rng.random(2_000) < 0.2
    loss[worse] += 0.5
    block = np.arange(2_000) // 20
    [found, other] = compare_slices(loss, [worse, rng.random(2_000) < 0.5], block)
    assert found.difference == pytest.approx(loss[worse].mean() - loss[~worse].mean())
    assert found.low < found.loss < found.high
    assert found.p_holm < 0.001
    assert other.p_holm > 0.05


def test_of_lists_of_40_slices_without_any_difference_at_most_5_in_100_mark_one():
    """Days of their own level, as in data: rows taken for independent would mark far more."""
    rng, marked, lists = np.random.default_rng(2), 0, 120
    block = np.repeat(np.arange(40), 15)
    for _ in range(lists):
        loss = rng.normal(size=600) + rng.normal(0, 0.7, 40)[block]
        masks = [rng.random(600) < 0.25 for _ in range(20)]
        masks += [rng.random(40)[block] < 0.25 for _ in range(20)]
        found = [f for f in compare_slices(loss, masks, block) if f is not None]
        marked += any(f.p_holm <= 0.05 for f in found)
    share, error = marked / lists, (0.05 * 0.95 / lists) ** 0.5
    assert share <= 0.05 + 3 * error


def test_too_few_rows_or_days_say_nothing():
    loss, block = np.ones(500), np.arange(500) // 5
    few, one_day = np.arange(500) < LEAST - 1, block < 9
    everything = np.ones(500, dtype=bool)
    assert compare_slices(loss, [few, one_day, everything], block) == [None, None, None]


def test_equal_losses_differ_in_nothing():
    [found] = compare_slices(np.ones(500), [np.arange(500) % 2 == 0], np.arange(500) // 5)
    assert (found.difference, found.p_holm) == (0.0, 1.0)
