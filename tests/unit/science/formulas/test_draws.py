"""Resamples of what no sum gives: exact on few different numbers, and near enough beyond."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.science.metrics import resample, score
from pipelines.science.ranking import LEVELS

RNG = np.random.default_rng(3)
COUNT = 30


def _rows(metric, n):
    if metric == "median_error":
        y = RNG.gamma(2, 3, n)
        return y, y * RNG.uniform(0.5, 1.5, n)
    if "ovr" in metric or "macro" in metric:
        y = RNG.integers(0, 3, n)
        return y, RNG.dirichlet(np.ones(3), n) * 0.7 + 0.3 * np.eye(3)[y]
    y = (RNG.random(n) < 0.1).astype(int)
    return y, 1 / (1 + np.exp(-RNG.normal(size=n) - y))


METRICS = (
    "median_error",
    "precision_at_400",
    "recall_at_1_percent",
    "roc_auc_ovr",
    "average_precision_macro",
)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("n", [600, 10 * LEVELS])
def test_a_resample_is_the_score_of_the_rows_repeated(metric, n):
    """Blocks are of one size: a number of rows is the same share of every draw."""
    y, p = _rows(metric, n // COUNT * COUNT)
    block = np.arange(len(y)) * COUNT // len(y)
    draws = [np.bincount(RNG.integers(0, COUNT, COUNT), minlength=COUNT) for _ in range(20)]
    found = resample(metric, y, p, block, COUNT).of(np.array(draws, dtype=float))
    expected = np.array(
        [score(metric, np.repeat(y, d[block]), np.repeat(p, d[block], axis=0)) for d in draws]
    )
    exact = n == 600 and "macro" not in metric and "ovr" not in metric
    assert np.abs(found - expected).max() <= (1e-9 if exact else expected.std() / 20)


@pytest.mark.parametrize("metric", METRICS)
def test_all_draws_of_many_different_scores_fit_into_memory(metric):
    y, p = _rows(metric, 5 * LEVELS)
    scorer = resample(metric, y, p, np.arange(len(y)) * COUNT // len(y), COUNT)
    assert scorer.width <= LEVELS
