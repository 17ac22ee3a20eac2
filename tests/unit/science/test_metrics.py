"""Every metric of the catalogue is scikit-learn's, and is NaN where it has no meaning."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as theirs

from pipelines.errors import RequestError
from pipelines.science.metrics import FORMULAS, better_by, resample, score, scores, unfit
from pipelines.spec.metrics import METRICS, metrics_for
from pipelines.training.estimators import constant

RNG = np.random.default_rng(3)
N = 500
Y = RNG.integers(0, 2, N)
P = np.round(np.clip(0.3 * Y + RNG.uniform(0, 0.7, N), 0, 1), 2)  # rounded: many ties
CLASS = RNG.integers(0, 3, N)
PROBA = RNG.dirichlet([1, 1, 1], N)
VALUE = 1e6 + RNG.normal(0, 3, N)
GUESS = VALUE + RNG.normal(0, 1, N)


@pytest.mark.parametrize(
    ("metric", "y", "p", "expected"),
    [
        ("roc_auc", Y, P, theirs.roc_auc_score(Y, P)),
        ("average_precision", Y, P, theirs.average_precision_score(Y, P)),
        ("brier", Y, P, theirs.brier_score_loss(Y, P)),
        ("log_loss", Y, P, theirs.log_loss(Y, P)),
        ("accuracy", Y, P, theirs.accuracy_score(Y, P > 0.5)),
        ("log_loss", CLASS, PROBA, theirs.log_loss(CLASS, PROBA)),
        ("accuracy", CLASS, PROBA, theirs.accuracy_score(CLASS, PROBA.argmax(axis=1))),
        ("mae", VALUE, GUESS, theirs.mean_absolute_error(VALUE, GUESS)),
        ("rmse", VALUE, GUESS, theirs.root_mean_squared_error(VALUE, GUESS)),
        ("r2", VALUE, GUESS, theirs.r2_score(VALUE, GUESS)),
        ("wape", VALUE, GUESS, np.abs(VALUE - GUESS).sum() / np.abs(VALUE).sum()),
    ],
)
def test_a_metric_is_scikit_learns(metric, y, p, expected):
    assert score(metric, y, p) == pytest.approx(expected, rel=1e-9)


def test_rows_count_as_their_weights_say():
    weights = RNG.uniform(0, 3, N)
    for metric, y, p, expected in [
        ("roc_auc", Y, P, theirs.roc_auc_score(Y, P, sample_weight=weights)),
        ("accuracy", Y, P, theirs.accuracy_score(Y, P > 0.5, sample_weight=weights)),
        ("r2", VALUE, GUESS, theirs.r2_score(VALUE, GUESS, sample_weight=weights)),
    ]:
        assert score(metric, y, p, weights=weights) == pytest.approx(expected, rel=1e-9)
        drawn = resample(metric, y, p, np.arange(N) // 25, 20, weights=weights)
        assert drawn.of(np.ones((1, 20)))[0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("weights", [np.zeros(N), np.full(N, -1.0), np.full(N, np.nan), np.ones(3)])
def test_weights_that_weigh_nothing_give_no_score(weights):
    assert np.isnan(score("accuracy", Y, P, weights=weights))


def test_a_probability_above_the_threshold_is_class_1_and_at_it_class_0():
    y, p = np.array([0, 1, 1]), np.array([0.3, 0.3, 0.4])
    assert score("accuracy", y, p, threshold=0.3) == pytest.approx(2 / 3)
    assert score("accuracy", y, p, threshold=0.2) == pytest.approx(2 / 3)
    assert score("accuracy", y, p) == pytest.approx(1 / 3)
    assert scores("binary", y, p, threshold=0.3)["accuracy"] == pytest.approx(2 / 3)


ROWS = {"binary": (Y, P), "multiclass": (CLASS, PROBA), "regression": (VALUE, GUESS)}


@pytest.mark.parametrize("metric", METRICS)
def test_each_declared_metric_is_computed_for_each_of_its_tasks(metric):
    assert METRICS[metric].tasks
    for task in METRICS[metric].tasks:
        y, p = ROWS[task]
        value = scores(task, y, p)[metric]
        drawn = resample(metric, y, p, np.arange(N) // 25, 20).of(np.ones((1, 20)))
        assert value is not None
        assert value == pytest.approx(drawn[0], rel=1e-9)


def test_there_is_no_formula_without_a_declaration():
    assert set(FORMULAS) == set(METRICS)


@pytest.mark.parametrize(
    "compute",
    [
        lambda: score("r3", VALUE, GUESS),
        lambda: score("r3", VALUE[:0], GUESS[:0]),
        lambda: resample("r3", VALUE, GUESS, np.arange(N) // 25, 20),
        lambda: better_by("r3", 0.7, 0.6),
        lambda: constant(VALUE, "regression", "r3", 3, None),
    ],
)
def test_an_unknown_metric_is_an_error_that_names_the_known_ones(compute):
    with pytest.raises(RequestError, match=r"no metric 'r3'.*roc_auc.*wape"):
        compute()


@pytest.mark.parametrize("metric", metrics_for("binary"))
@pytest.mark.parametrize(
    ("y", "p"),
    [
        pytest.param([], [], id="no rows"),
        pytest.param([0, 1], [0.1, np.nan], id="a prediction is NaN"),
        pytest.param([0, 1], [0.1, np.inf], id="a prediction is infinite"),
        pytest.param([0, 1], [0.1], id="lengths differ"),
        pytest.param([0, 1], [0.1, 1.5], id="no probability"),
        pytest.param([0, 2], [0.1, 0.5], id="no label"),
        pytest.param([0, np.nan], [0.1, 0.5], id="a label is NaN"),
    ],
)
def test_what_cannot_be_scored_is_nan_and_in_a_result_none(metric, y, p):
    y, p = np.array(y, dtype=float), np.array(p, dtype=float)
    assert np.isnan(score(metric, y, p))
    assert scores("binary", y, p)[metric] is None


@pytest.mark.parametrize(
    ("metric", "y", "p"),
    [
        ("roc_auc", [1, 1], [0.1, 0.9]),
        ("roc_auc", [0, 0], [0.1, 0.9]),
        ("average_precision", [0, 0], [0.1, 0.9]),
        ("r2", [2.0, 2.0], [1.0, 2.0]),
        ("wape", [0.0, 0.0], [1.0, 2.0]),
    ],
)
def test_a_metric_without_meaning_on_the_rows_is_nan(metric, y, p):
    assert np.isnan(score(metric, np.array(y), np.array(p)))


def test_a_class_that_the_model_does_not_know_counts_as_given_no_chance():
    y, p = np.array([0, -1]), np.array([[0.9, 0.1], [0.5, 0.5]])
    assert score("accuracy", y, p) == 0.5
    assert score("log_loss", y, p) > 15


def test_better_points_the_metrics_way():
    assert better_by("roc_auc", 0.7, 0.6) == pytest.approx(0.1)
    assert better_by("rmse", 0.7, 0.6) == pytest.approx(-0.1)


def test_a_constant_ranks_nothing():
    assert score("roc_auc", Y, np.full(N, 0.3)) == 0.5
    assert score("average_precision", Y, np.full(N, 0.3)) == pytest.approx(Y.mean())


def test_answers_that_nobody_may_be_served_are_counted_by_row():
    answers = np.array([[0.2, 0.8], [np.nan, 0.1], [0.5, np.inf], [1.2, -0.2], [1 + 1e-8, -1e-8]])
    assert unfit(answers, "multiclass") == 3
    assert unfit(answers, "regression") == 2
