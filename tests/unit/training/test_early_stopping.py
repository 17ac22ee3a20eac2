"""Early stopping is turned off where too few rows can be held back for it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pipelines.training import estimators
from tests.unit.training.fits import BOOSTED, fit, small_candidate


@pytest.mark.parametrize(
    ("name", "params", "rows_"),
    [
        pytest.param(BOOSTED, {}, 10_050, id="by itself above 10,000 rows"),
        pytest.param(BOOSTED, {"early_stopping": True}, 300, id="asked for"),
        pytest.param(
            "sklearn.neural_network.MLPClassifier", {"early_stopping": True}, 300, id="MLP"
        ),
        pytest.param(
            "sklearn.ensemble.GradientBoostingClassifier",
            {"n_iter_no_change": 2},
            300,
            id="GradientBoosting",
        ),
    ],
)
def test_a_class_with_one_row_turns_early_stopping_off(name, params, rows_, caplog):
    x = np.random.default_rng(0).normal(size=rows_)
    y = (x > 0).astype(int)
    y[0] = 2
    model, schema = fit(small_candidate(name, **params), pa.table({"x": x}), y, "multiclass")
    assert (
        "early stopping is off in this fit: the rarest of 3 classes has one row only" in caplog.text
    )
    assert estimators.answers(
        model, estimators.frame(schema, pa.table({"x": x})), "multiclass", schema.classes
    ).shape == (rows_, 3)


def test_early_stopping_stays_where_each_class_can_be_held_back(caplog):
    x = np.random.default_rng(0).normal(size=400)
    model, _ = fit(
        small_candidate(BOOSTED, early_stopping=True, max_iter=50),
        pa.table({"x": x}),
        (x > 0).astype(int),
    )
    assert "early stopping is off" not in caplog.text
    assert model.named_steps["estimator"].do_early_stopping_


@pytest.mark.parametrize(
    "name",
    ["sklearn.neural_network.MLPRegressor", "sklearn.ensemble.HistGradientBoostingRegressor"],
)
def test_too_few_rows_to_hold_back_turn_early_stopping_off(name, caplog):
    x = np.arange(9.0)
    fit(small_candidate(name, early_stopping=True), pa.table({"x": x}), x, "regression")
    assert "early stopping is off in this fit: 1 of 9 rows held back are too few" in caplog.text


def test_values_that_early_stopping_may_all_hold_back_are_too_few(caplog):
    """Were all of them held back, there would be none to bin, and the fit would end."""
    x, rare = np.random.default_rng(0).normal(size=400), np.full(400, np.nan)
    rare[:3] = [1.0, 2.0, 3.0]
    table = pa.table({"x": x, "rare": pa.array(rare, from_pandas=True)})
    for seed in range(12):
        candidate = small_candidate(
            BOOSTED, early_stopping=True, validation_fraction=0.8, random_state=seed
        )
        fit(candidate, table, (x > 0).astype(int))
    assert "rare has 3 values only, too few to be binned" in caplog.text
