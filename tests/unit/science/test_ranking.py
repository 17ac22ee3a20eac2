"""Ranking metrics: exact for the rows, exact in resamples of few different scores, and near enough
beyond."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as theirs

from pipelines.science.metrics import score
from pipelines.science.ranking import LEVELS, Ranking, average_precision, roc_auc

RNG = np.random.default_rng(3)
N = 500
Y = RNG.integers(0, 2, N)
P = np.round(np.clip(0.3 * Y + RNG.uniform(0, 0.7, N), 0, 1), 2)  # rounded: many ties
BLOCK = np.arange(N) // 25
SKLEARN = {roc_auc: theirs.roc_auc_score, average_precision: theirs.average_precision_score}


@pytest.mark.parametrize("formula", SKLEARN)
def test_weights_count_as_repeated_blocks(formula):
    weights = RNG.integers(0, 4, (3, 20))
    values = Ranking(Y, P).resample(formula, BLOCK, 20)(weights.astype(float))
    for draw, value in zip(weights, values, strict=True):
        times = draw[BLOCK]
        assert value == pytest.approx(
            score(formula.__name__, np.repeat(Y, times), np.repeat(P, times)), rel=1e-12
        )


@pytest.mark.parametrize("formula", SKLEARN)
@pytest.mark.parametrize("rate", [0.002, 0.3, 0.999])
def test_beyond_the_levels_rows_are_exact_and_resamples_near(formula, rate):
    """Twenty times as many different scores as levels.

    No resample is off by a fiftieth of what chance does.
    """
    n, count = 20 * LEVELS, 30
    rng = np.random.default_rng(5)
    y = (rng.random(n) < rate).astype(int)
    p = 1 / (1 + np.exp(-rng.normal(size=n) - y))
    ranking, block = Ranking(y, p), np.arange(n) * count // n
    assert ranking.levels <= LEVELS
    assert ranking.score(formula) == pytest.approx(SKLEARN[formula](y, p), rel=1e-9)
    weights = np.array(
        [np.bincount(rng.integers(0, count, count), minlength=count) for _ in range(40)],
        dtype=float,
    )
    exact = Ranking(y, p, levels=n).resample(formula, block, count)(weights)
    near = ranking.resample(formula, block, count)(weights)
    assert np.abs(near - exact).max() < exact.std() / 50


def test_a_level_holds_few_of_the_positives_and_few_of_all_rows():
    n = 10 * LEVELS
    y = (RNG.random(n) < 0.01).astype(int)
    ranking = Ranking(y, RNG.random(n))
    for part in (y == 1, y >= 0):
        assert (
            np.bincount(ranking._level[part], minlength=ranking.levels).max() / part.sum()
            < 3 / LEVELS + 1 / part.sum()
        )


@pytest.mark.parametrize("formula", SKLEARN)
def test_a_draw_without_a_class_is_not_defined(formula):
    y = np.array([1, 1, 0, 0])
    values = Ranking(y, np.array([0.9, 0.8, 0.2, 0.1])).resample(formula, np.array([0, 0, 1, 1]), 2)
    both, none = values(np.array([[1.0, 1.0], [0.0, 2.0]]))
    assert (both, np.isnan(none)) == (1.0, True)
