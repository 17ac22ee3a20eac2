"""Names of levels, the answer in the middle, and the answers at some of them."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.levels import level_names, middle, pick_levels

ANSWERS = np.array([[1.0, 2.0, 4.0], [10.0, 20.0, 40.0]])


def test_a_level_is_called_as_it_is_written():
    assert level_names([0.05, 0.5, 0.995]) == ["0.05", "0.5", "0.995"]


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ((0.1, 0.5, 0.9), [2.0, 20.0]),
        ((0.6, 0.7, 0.8), [1.0, 10.0]),
        ((0.1, 0.2, 0.3), [4.0, 40.0]),
        ((0.1, 0.4, 0.8), [2.5, 25.0]),
    ],
)
def test_the_middle_is_the_median_or_the_line_to_it(levels, expected):
    assert middle(ANSWERS, levels).tolist() == pytest.approx(expected)


def test_answers_are_picked_by_level_and_none_where_one_is_not_answered():
    assert pick_levels(ANSWERS, (0.1, 0.5, 0.9), (0.9, 0.1)).tolist() == [[4, 1], [40, 10]]
    assert pick_levels(ANSWERS, (0.1, 0.5, 0.9), (0.1, 0.8)) is None
