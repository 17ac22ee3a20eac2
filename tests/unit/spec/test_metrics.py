"""The names of metrics: with numbers in them, and what is answered to one that there is not."""

from __future__ import annotations

import re

import pytest

from pipelines.errors import RequestError
from pipelines.registry.port import check_keys
from pipelines.spec.metrics import FAMILIES, METRICS, find_metric, fits, metrics_for, names_for
from tools.metric_table import PAGE, page

TASKS = ("binary", "multiclass", "regression")


@pytest.mark.parametrize(
    ("name", "formula", "number"),
    [
        ("fbeta_0.5", "fbeta", 0.5),
        ("fbeta_2_macro", "fbeta_macro", 2),
        ("top_3_accuracy", "top_accuracy", 3),
        ("precision_at_100", "precision_at", 100),
        ("recall_at_0.5_percent", "recall_at_percent", 0.5),
        ("pinball_0.9", "pinball", 0.9),
        ("tweedie_-1.5", "tweedie", -1.5),
        ("mae", "mae", None),
    ],
)
def test_a_name_may_hold_a_number(name, formula, number):
    found = find_metric(name)
    assert (found.name, found.formula, found.number) == (name, formula, number)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("auc", "did you mean roc_auc"),
        ("f1-macro", "did you mean f1_macro"),
        ("mean_absolute_error", r"did you mean mae\?"),
        ("neg_root_mean_squared_error", r"did you mean rmse\?"),
        ("matthews_corrcoef", r"did you mean matthews\?"),
        ("precision_at_5%", "precision_at_5_percent"),
        ("fbeta_0", "'0' is no number.*above 0 and at most 100, as in fbeta_0.5"),
        ("fbeta_x", "'x' is no number"),
        ("pinball_1", "the quantile is above 0 and below 1"),
        ("tweedie_0.5", "from -10 to 0 or from 1 to 10"),
        ("top_0_accuracy", "a whole number from 1"),
        ("precision_at_1.5", "a whole number of rows"),
        ("recall_at_100_percent", "above 0 and below 100"),
        ("fbeta_nan", "'nan' is no number"),
        ("fbeta_0.50", "write fbeta_0.5"),
        ("fbeta_1e3", "'1e3' is no number"),
        ("roc_auc\n", "There is no metric"),
        ("x" * 10_000, "There is no metric 'x{80}'"),
        ("", "There is no metric ''"),
    ],
)
def test_an_unknown_name_is_answered_with_the_closest_and_a_wrong_number_with_the_range(
    name, answer
):
    with pytest.raises(RequestError) as error:
        find_metric(name)
    assert re.search(answer, str(error.value))


def test_one_name_works_everywhere():
    """In YAML as a plain key, in MLflow, as a label's value and as a file's name."""
    names = [*METRICS, *(family.example for family in FAMILIES), "tweedie_-1.5"]
    check_keys(names)
    assert all(re.fullmatch(r"[a-z][a-z0-9_.-]*", name) for name in names)


@pytest.mark.parametrize("task", TASKS)
def test_what_is_always_computed_fits_and_needs_no_number(task):
    shown = metrics_for(task)
    assert 5 <= len(shown) <= 12
    assert set(shown) <= set(names_for(task))
    assert all(fits(name, task) for name in names_for(task))
    assert not fits("nonsense", task)


def test_a_metric_of_values_fits_no_classes():
    assert not fits("pinball_0.9", "binary")
    assert not fits("top_3_accuracy", "binary")
    assert fits("precision_at_5_percent", "binary")


def test_the_page_of_metrics_is_in_step_with_the_declarations():
    assert PAGE.read_text() == page(), "run python -m tools.metric_table"
