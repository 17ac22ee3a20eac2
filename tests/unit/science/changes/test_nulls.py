"""What windows of the past say of one more: it counts as one of them."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.science.changes.likeness import find_near
from pipelines.science.changes.nulls import judge_by_windows

ALONE = np.zeros(1)
"""Neither alike from window to window, nor with a least deviation."""


def judge(past, window, level):
    found = np.append(past, window)[:, None]
    return judge_by_windows(found, level, ALONE, ALONE, find_near(ALONE, len(past)))


@pytest.mark.parametrize(
    ("level", "changed"),
    [
        pytest.param(0.01, False, id="of 101 two are more than 1 %"),
        pytest.param(0.02, True, id="of 101 two are less than 2 %"),
    ],
)
def test_a_window_that_one_of_a_hundred_outdid_is_one_of_two(level, changed):
    past = np.append(np.linspace(0.5, 1.5, 99), 100.0)
    judged = judge(past, 99.0, level)
    assert judged.p_values[0] == pytest.approx(2 / 101)
    assert (judged.p_values[0] <= level) == changed
    assert (judged.critical[0] < 99.0) == changed


def test_a_window_beyond_a_short_past_is_judged_by_the_fitted_distribution():
    past = np.linspace(0.5, 1.5, 20)
    assert judge(past, 20.0, 0.01).p_values[0] < 0.01
    assert judge(past, 1.6, 0.01).p_values[0] > 0.01


@pytest.mark.parametrize(("count", "level"), [(80, 0.0125), (150, 0.0125)])
def test_windows_with_long_tails_are_called_changed_no_more_often_than_stated(count, level):
    """Of these a fitted distribution alone says too little: their place among others decides."""
    rng = np.random.default_rng(count)
    drawn = rng.standard_t(2, (3_000, count + 1))
    called = np.mean([judge(row[:-1], row[-1], level).p_values[0] <= level for row in drawn])
    assert called <= level + 3 * (level * (1 - level) / 3_000) ** 0.5


def test_windows_that_are_alike_must_be_outdone_all():
    """Of a hundred that are worth ten, being second is nothing strange."""
    alike = np.array([0.9])
    past = np.append(np.linspace(0.5, 1.5, 99), 100.0)
    found = np.append(past, 99.0)[:, None]
    judged = judge_by_windows(found, 0.02, alike, ALONE, find_near(alike, 100))
    assert judged.p_values[0] > 0.04
    assert judge(past, 99.0, 0.02).p_values[0] < 0.02


def test_what_follows_a_window_does_not_hide_what_is_strange_in_it():
    """Ten days wander off together: each but the first is judged with those before it alone."""
    past = np.random.default_rng(3).normal(1, 0.1, 100)
    past[40:50] = np.linspace(1.5, 3, 10)
    alike, window = np.array([0.8]), 1.0
    found = np.append(past, window)[:, None]
    hidden = judge_by_windows(found, 0.05, alike, ALONE, find_near(ALONE, 100))
    seen = judge_by_windows(found, 0.05, alike, ALONE, find_near(alike, 100))
    assert seen.critical[0] > hidden.critical[0]
