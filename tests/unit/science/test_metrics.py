"""Every metric of the catalogue is computed, and is NaN, with a reason, where it has no meaning."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.errors import RequestError
from pipelines.science.formulas.levels import NAMES as LEVEL_NAMES
from pipelines.science.metrics import FAMILIES as FORMULA_FAMILIES
from pipelines.science.metrics import (
    FORMULAS,
    better_by,
    resample,
    score,
    scores,
    why_undefined,
)
from pipelines.science.usable_rows import UNLABELLED
from pipelines.spec.metrics import FAMILIES, METRICS, find_metric, metrics_for
from pipelines.training.estimators import constant

RNG = np.random.default_rng(3)
N = 500
Y = RNG.integers(0, 2, N)
P = np.round(np.clip(0.3 * Y + RNG.uniform(0, 0.7, N), 0, 1), 2)  # rounded: many ties
CLASS = RNG.integers(0, 4, N)
PROBA = RNG.dirichlet([1, 1, 1, 1], N)
VALUE = 1e6 + RNG.normal(0, 3, N)
GUESS = VALUE + RNG.normal(0, 1, N)
LEVELS = (0.1, 0.5, 0.9)
SPANS = GUESS[:, None] + np.array([-4.0, 0.0, 4.0])


@pytest.mark.parametrize("weights", [np.zeros(N), np.full(N, -1.0), np.full(N, np.nan), np.ones(3)])
def test_weights_that_weigh_nothing_give_no_score(weights):
    assert np.isnan(score("accuracy", Y, P, weights=weights))


def test_a_probability_above_the_threshold_is_class_1_and_at_it_class_0():
    y, p = np.array([0, 1, 1]), np.array([0.3, 0.3, 0.4])
    assert score("accuracy", y, p, threshold=0.3) == pytest.approx(2 / 3)
    assert score("accuracy", y, p, threshold=0.2) == pytest.approx(2 / 3)
    assert score("accuracy", y, p) == pytest.approx(1 / 3)
    assert scores("binary", y, p, threshold=0.3)["accuracy"] == pytest.approx(2 / 3)


LABELS = np.where(RNG.random(N) < 0.4, Y, UNLABELLED)
STRANGE = 5 * P - 2
ROWS = {
    "binary": (Y, P),
    "multiclass": (CLASS, PROBA),
    "regression": (VALUE, GUESS),
    "forecast": (VALUE, GUESS),
    "quantiles": (VALUE, SPANS),
    "anomaly": (LABELS, STRANGE),
}


def on_task(name, task):
    """The metric as it is asked of a task's answers."""
    if task == "quantiles":
        return find_metric(name).of_levels(LEVELS)
    return find_metric(name).of_scores() if task == "anomaly" else name


EXAMPLES = [family.example for family in FAMILIES]
OF_ANSWERS = [name for name, metric in METRICS.items() if metric.sees != "rows"]
"""The metrics that look at answers: those of clusters look at the rows themselves."""
WEIGHTS = RNG.uniform(0, 3, N)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize("metric", [*OF_ANSWERS, *EXAMPLES])
def test_each_declared_metric_is_computed_for_each_of_its_tasks(metric, weights):
    declared = find_metric(metric)
    assert declared.tasks
    assert declared.means
    for task in declared.tasks:
        y, p = ROWS[task]
        levels = LEVELS if task == "quantiles" else ()
        value = scores(task, y, p, also=[metric], levels=levels, weights=weights)[metric]
        asked = on_task(metric, task)
        drawn = resample(asked, y, p, np.arange(N) // 25, 20, weights=weights)
        assert value is not None
        assert declared.bounds[0] <= value <= declared.bounds[1]
        assert value == pytest.approx(drawn.of(np.ones((1, 20)))[0], rel=1e-9)


@pytest.mark.parametrize("metric", [*OF_ANSWERS, *EXAMPLES])
def test_rows_of_weight_zero_are_not_there(metric):
    for task in find_metric(metric).tasks:
        y, p = ROWS[task]
        part = np.arange(N) % 3 > 0
        asked = on_task(metric, task)
        weighted = score(asked, y, p, weights=part.astype(np.int64))
        assert weighted == pytest.approx(score(asked, y[part], p[part]), rel=1e-12)


def test_there_is_no_formula_without_a_declaration():
    assert set(FORMULAS) | LEVEL_NAMES == set(OF_ANSWERS)
    families = {family.metric.family for family in FAMILIES}
    assert set(FORMULA_FAMILIES) | LEVEL_NAMES == families | {"pinball"}


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
    with pytest.raises(RequestError, match=r"no metric 'r3'.*did you mean r2\?.*roc_auc.*wape"):
        compute()


@pytest.mark.parametrize("metric", metrics_for("binary"))
def test_only_of_anomaly_models_are_answers_taken_that_are_no_probabilities(metric):
    y, p = ROWS["binary"]
    assert np.isnan(score(metric, y, p + 0.5))
    if "anomaly" in find_metric(metric).tasks:
        assert np.isfinite(score(find_metric(metric).of_scores(), y, p + 0.5))


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
    if p.max(initial=0) > 1 and np.isfinite(p).all() and "anomaly" in find_metric(metric).tasks:
        return  # scores may be of any size
    assert np.isnan(score(metric, y, p))
    assert scores("binary", y, p)[metric] is None


@pytest.mark.parametrize(
    ("metric", "y", "p", "why"),
    [
        ("roc_auc", [1, 1], [0.1, 0.9], "the rows show one class only"),
        ("roc_auc", [0, 0], [0.1, 0.9], "the rows show one class only"),
        ("average_precision", [0, 0], [0.1, 0.9], "no true value is positive"),
        ("precision", [0, 1], [0.1, 0.5], "the model calls no row positive"),
        ("recall", [0, 0], [0.1, 0.9], "no true value is positive"),
        ("f1", [0, 0], [0.1, 0.5], "no true value is positive and the model calls no row positive"),
        ("matthews", [1, 1], [0.1, 0.9], "the rows show one class only"),
        ("balanced_accuracy", [1, 1], [0.1, 0.9], "the rows show one class only"),
        ("kappa", [1, 1], [0.8, 0.9], "the rows and the answers show one class only, the same"),
        ("precision_at_3", [0, 1], [0.1, 0.9], "there are fewer rows than it looks at"),
        ("r2", [2.0, 2.0], [1.0, 2.0], "the true values are all the same"),
        ("wape", [0.0, 0.0], [1.0, 2.0], "all true values are 0"),
        ("mape", [0.0, 2.0], [1.0, 2.0], "1 of 2 true values are equal to 0"),
        ("rmsle", [0.0, 2.0], [1.0, -2.0], "1 of 2 predicted values are not above -1"),
        ("poisson_deviance", [-1.0, -2.0], [1.0, 2.0], "2 of 2 true values are below 0"),
        ("gamma_deviance", [0.0, 2.0], [1.0, 2.0], "1 of 2 true values are not above 0"),
        ("tweedie_1.5", [0.0, 2.0], [0.0, 2.0], "1 of 2 predicted values are not above 0"),
        ("tweedie_-1", [0.0, 2.0], [0.0, 2.0], "1 of 2 predicted values are not above 0"),
        ("mae", [1.0, np.nan], [0.0, 2.0], "1 of 2 true values are missing or infinite"),
        ("mae", [], [], "there are 0 true values and 0 answers"),
        ("brier", [0, 1], [0.1, 1.5], "1 of 2 answers are no probabilities"),
        ("brier", [0, 2], [0.1, 0.5], "1 of 2 true values are neither 0 nor 1"),
        ("mse", [1e200, 0.0], [0.0, 2.0], "its sums are no finite numbers"),
    ],
)
def test_a_metric_without_meaning_on_the_rows_is_nan_and_says_why(metric, y, p, why):
    y, p = np.array(y), np.array(p)
    assert not np.isfinite(score(metric, y, p))
    assert why_undefined(metric, y, p) == why


def test_several_classes_of_which_the_rows_show_one_have_no_ranking():
    y, p = np.zeros(3, dtype=int), PROBA[:3]
    for metric in ("roc_auc_ovr", "average_precision_macro", "top_4_accuracy"):
        assert np.isnan(score(metric, y, p))
        assert why_undefined(metric, y, p) == find_metric(metric).undefined
    assert why_undefined("accuracy", y, p) == ""


def test_weights_that_are_none_are_named():
    for weights, why in [
        (np.zeros(N), "all weights are 0"),
        (np.full(N, -1.0), "a weight is missing, infinite or below 0"),
        (np.ones(3), "there are 3 weights for 500 rows"),
    ]:
        assert why_undefined("accuracy", Y, P, weights=weights) == why


def test_a_constant_answer_agrees_by_chance_only():
    for metric in ("matthews", "kappa", "f1", "recall"):
        assert score(metric, Y, np.full(N, 0.3)) == 0


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


@pytest.mark.parametrize("metric", ["roc_auc", "average_precision", "precision", "recall_at_20"])
def test_rows_without_a_label_do_not_count(metric):
    known = LABELS != UNLABELLED
    asked = find_metric(metric).of_scores()
    got = score(asked, LABELS, STRANGE, threshold=0.4)
    assert got == pytest.approx(score(asked, LABELS[known], STRANGE[known], threshold=0.4))
    drawn = resample(asked, LABELS, STRANGE, np.arange(N) // 25, 20, threshold=0.4)
    assert drawn.of(np.ones((1, 20)))[0] == pytest.approx(got)


def test_without_any_label_what_needs_the_truth_says_so_and_the_flagged_share_is_known():
    y = np.full(N, UNLABELLED)
    asked = find_metric("roc_auc").of_scores()
    assert why_undefined(asked, y, STRANGE) == "no row has a label"
    promise = "flag_rate_error_at_10_percent"
    flagged = float((STRANGE > 0.4).mean())
    assert scores("anomaly", y, STRANGE, also=[promise], threshold=0.4) == {
        promise: pytest.approx(abs(flagged - 0.1))
    }
    assert why_undefined(promise, y, np.full(N, np.nan)).endswith("missing or infinite")
