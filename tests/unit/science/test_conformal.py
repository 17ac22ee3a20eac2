"""Shifts that make levels hold: the ranks that they take, few rows, and groups."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.science.conformal import conformal_shifts

LEVELS = (0.05, 0.5, 0.95)


def shifts(scores, levels=LEVELS, groups=None):
    return conformal_shifts(np.column_stack([scores] * len(levels)), levels, groups).tolist()


@pytest.mark.parametrize(
    ("rows", "low", "high"),
    [(19, 1, 19), (20, 1, 20), (38, 1, 38), (39, 2, 38), (99, 5, 95), (199, 10, 190)],
)
def test_a_level_takes_the_rank_that_holds_for_one_row_more(rows, low, high):
    scores = np.random.default_rng(0).permutation(np.arange(1.0, rows + 1))
    found = shifts(scores)
    assert found[0] == low
    assert found[2] == high
    assert found[1] == (rows + 1) / 2


def test_too_few_rows_hold_nothing():
    assert shifts(np.arange(18.0))[::2] == [-np.inf, np.inf]


def test_a_group_counts_once_however_many_rows_it_has():
    scores = np.concatenate([np.arange(1.0, 20), np.full(1_000, 100.0)])
    alone = np.arange(19)
    groups = np.concatenate([alone, np.full(1_000, 19)])
    assert shifts(scores, (0.05, 0.9), groups) == [1.0, 19.0]
    assert shifts(scores[:19], (0.1, 0.9), alone) == shifts(scores[:19], (0.1, 0.9))


def test_coverage_is_what_was_promised_whatever_the_scores_are():
    """800 times 49 rows and one more: 3 standard errors around the exact 0.92."""
    rng = np.random.default_rng(5)
    inside = 0
    for _ in range(800):
        scores = rng.gamma(0.5, 1, 50) ** 2
        low, _, high = shifts(scores[:49])
        inside += low <= scores[49] <= high
    expected = 1 - 2 * 2 / 50
    assert abs(inside / 800 - expected) < 3 * np.sqrt(expected * (1 - expected) / 800)
