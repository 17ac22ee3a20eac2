"""The comparison over folds: what it proves, and what it does not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pipelines.errors import BadData
from pipelines.science.refits import compare_over_folds, row_folds


def test_the_bound_is_that_of_nadeau_and_bengio():
    rng = np.random.default_rng(1)
    ours, theirs = rng.normal(0.8, 0.05, 50), rng.normal(0.75, 0.05, 50)
    comparison = compare_over_folds("roc_auc", ours, theirs, tested=0.25, confidence=0.95)
    gains = ours - theirs
    error = np.sqrt((1 / 50 + 0.25) * gains.var(ddof=1))
    assert comparison.lower == pytest.approx(gains.mean() - stats.t.ppf(0.95, 49) * error)
    assert comparison.difference == pytest.approx(gains.mean())
    assert (comparison.blocks, comparison.unit) == (50, "folds")
    plain = gains.mean() - stats.t.ppf(0.95, 49) * gains.std(ddof=1) / np.sqrt(50)
    assert comparison.lower < plain


def test_smaller_is_better_for_a_loss():
    ours, theirs = np.full(10, 0.4) + np.arange(10) / 1_000, np.full(10, 0.6)
    assert compare_over_folds("log_loss", ours, theirs, tested=0.25, confidence=0.95).lower > 0
    assert compare_over_folds("log_loss", theirs, ours, tested=0.25, confidence=0.95).lower < 0


def test_equal_scores_prove_nothing_and_neither_does_one_that_is_not_finite():
    same = np.linspace(0.5, 0.9, 10)
    assert compare_over_folds("roc_auc", same, same, tested=0.25, confidence=0.95).lower == 0
    broken = np.where(np.arange(10) == 3, np.nan, same + 1)
    comparison = compare_over_folds("roc_auc", broken, same, tested=0.25, confidence=0.95)
    assert comparison.lower == -np.inf


def test_each_row_judges_once_and_classes_have_equal_shares():
    y = (np.arange(100) % 10 == 0).astype(np.int64)
    folds = row_folds(y, None, 5, classify=True, seed=3)
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(100))
    assert [int(y[test].sum()) for _, test in folds] == [2] * 5
    again = row_folds(y, None, 5, classify=True, seed=3)
    assert all((a[1] == b[1]).all() for a, b in zip(folds, again, strict=True))
    other = row_folds(y, None, 5, classify=True, seed=4)
    assert any((a[1] != b[1]).any() for a, b in zip(folds, other, strict=True))


@pytest.mark.parametrize("classify", [True, False])
def test_a_group_lies_in_one_fold(classify):
    groups = np.repeat(np.arange(20), 5)
    y = np.arange(100) % 2
    for train, test in row_folds(y, groups, 5, classify=classify, seed=0):
        assert set(groups[train]).isdisjoint(groups[test])


def test_too_few_rows_groups_or_rows_of_a_class_are_named():
    with pytest.raises(BadData, match="3 rows are too few for 5 folds"):
        row_folds(np.arange(3.0), None, 5, classify=False, seed=0)
    with pytest.raises(BadData, match="2 groups are too few for 5 folds"):
        row_folds(np.arange(10.0), np.arange(10) % 2, 5, classify=False, seed=0)


def test_fewer_degrees_of_freedom_are_the_safer_choice():
    rng = np.random.default_rng(1)
    ours, theirs = rng.normal(0.8, 0.05, 10), rng.normal(0.75, 0.05, 10)
    bounds = [
        compare_over_folds(
            "roc_auc", ours, theirs, tested=0.25, confidence=0.95, freedom=freedom
        ).lower
        for freedom in (None, 4)
    ]
    assert bounds[1] < bounds[0]
