"""Early stopping on the newest part of the training rows."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.errors import SpecError
from pipelines.training.early_stopping import fit_and_stop
from pipelines.training.fitting import fit_pipeline
from tests.unit.training.search.worlds import LINEAR, LOG, ground_of, rows, searched, spec_with

STOP = "early_stopping: {share: 0.25, rounds: 5}"
HIST = (
    "estimator: sklearn.ensemble.HistGradientBoostingClassifier,"
    " params: {max_iter: 200, learning_rate: 0.3, min_samples_leaf: 5}"
)
OLD = (
    "estimator: sklearn.ensemble.GradientBoostingClassifier,"
    " params: {n_estimators: 60, learning_rate: 0.5}"
)

XGBOOST = "estimator: xgboost.XGBClassifier, params: {n_estimators: 200, learning_rate: 0.5}"
LIGHTGBM = (
    "estimator: lightgbm.LGBMClassifier,"
    " params: {n_estimators: 200, learning_rate: 0.5, min_child_samples: 5}"
)


def stopped(line, y=None, seed=None):
    spec = spec_with(f"{line}, {STOP}")
    inputs, truth = rows()
    y = truth if y is None else y
    return fit_and_stop(
        ground_of(spec, inputs, y).pipeline, inputs, y, spec.candidates[-1], LOG, seed=seed
    )


@pytest.mark.parametrize(
    ("line", "most"), [(HIST, 200), (OLD, 60), (XGBOOST, 200), (LIGHTGBM, 200)]
)
def test_it_stops_where_rounds_do_not_help_any_more(line, most):
    _, rounds = stopped(line)
    assert 1 <= rounds < most / 2


@pytest.mark.parametrize("line", [HIST, OLD, XGBOOST, LIGHTGBM])
def test_the_newest_rows_say_when_to_stop(line):
    """What is held back is what decides: newest rows that follow no rule end it at once."""
    _, y = rows()
    noise = y.copy()
    noise[-60:] = 1 - noise[-60:]
    assert stopped(line, noise)[1] == 1
    old = y.copy()
    old[:60] = 1 - old[:60]
    assert stopped(line, old)[1] > 1


def test_the_number_found_is_a_parameter_of_the_final_fit():
    found = searched(f"{HIST}, {STOP}")
    assert found.params["max_iter"] == stopped(HIST)[1]
    assert found.params["early_stopping"] is False


@pytest.mark.parametrize("line", [XGBOOST, LIGHTGBM])
def test_of_a_booster_too_whose_final_fit_has_so_many_rounds_and_all_rows(line):
    found = searched(f"{line}, {STOP}")
    assert found.params["n_estimators"] == stopped(line)[1]
    spec = spec_with(f"{line}, {STOP}")
    inputs, y = rows()
    pipeline = ground_of(spec, inputs, y).pipeline.set_params(
        **{f"estimator__{name}": value for name, value in found.params.items()}
    )
    model = fit_pipeline(pipeline, inputs, y, spec.candidates[-1], LOG).named_steps["estimator"]
    booster = model.get_booster() if hasattr(model, "get_booster") else model.booster_
    trees = getattr(booster, "num_boosted_rounds", None) or booster.num_trees
    assert trees() == found.params["n_estimators"]


def test_rows_that_show_one_class_only_cannot_say_when_to_stop():
    _, y = rows()
    last = y.copy()
    last[-60:] = 1
    assert stopped(HIST, last)[1] is None


def test_of_a_snapshot_the_rows_are_drawn_by_the_seed():
    _, y = rows()
    last = np.sort(y)
    assert stopped(HIST, last)[1] is None
    assert stopped(HIST, last, seed=1)[1] == stopped(HIST, last, seed=1)[1] is not None


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (f"{LINEAR}, {STOP}", "cannot stop on rows that are held back"),
        (f"{HIST}, {STOP}, search: {{max_iter: [5, 10]}}", "max_iter"),
        (f"{HIST}, early_stopping: {{share: 0.6}}", "share"),
    ],
)
def test_what_cannot_stop_early_is_refused_at_load(line, why):
    with pytest.raises(SpecError, match=why):
        spec_with(line)
