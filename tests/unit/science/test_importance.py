"""The interval of a loss by shuffling leaves each piece out, as the receiver and as the source."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.science.importance import Shuffling, loss_by_shuffling
from pipelines.science.metrics import score
from pipelines.science.own_metrics import RowMetric
from pipelines.science.pieces import Pieces, pieces_of_times

DAYS, PER_DAY = 20, 15
DAY = np.repeat(np.arange(DAYS), PER_DAY)
TIMES = np.datetime64("2026-01-01", "us") + DAY.astype("timedelta64[D]")
PIECES = pieces_of_times(TIMES)


def world(kind="row", weight=1.0, seed=3, repeats=4):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=len(DAY)) if kind == "row" else rng.normal(size=DAYS)[DAY]
    y = weight * x + rng.normal(size=len(DAY))
    donors = [rng.permutation(len(DAY)) for _ in range(repeats)]
    return y, x, [Shuffling(x[d], d) for d in donors]


def loss(y, p, shufflings, pieces=PIECES, metric="rmse"):
    return loss_by_shuffling(metric, y, p, shufflings, pieces, confidence=0.95)


def test_the_loss_is_the_mean_of_the_shufflings_and_lies_within():
    y, x, shufflings = world()
    found = loss(y, x, shufflings)
    base = score("rmse", y, x)
    assert found.value == pytest.approx(
        np.mean([score("rmse", y, s.answers) - base for s in shufflings])
    )
    assert 0 < found.low < found.value < found.high
    assert found.untold == ""


def test_an_input_that_is_the_same_all_day_is_as_many_values_as_days():
    """Its interval is wider by far, although as many rows are shuffled."""
    by_row, by_day = (loss(*world(kind)) for kind in ("row", "day"))
    assert by_day.high - by_day.low > 2 * (by_row.high - by_row.low)


def test_each_piece_is_left_out_on_both_sides():
    """A value that one day alone has is lost with that day, whoever got it by shuffling."""
    y, x, shufflings = world()
    far = np.where(DAY == 7, 50.0, x)
    shufflings = [replace(s, answers=far[s.donors]) for s in shufflings]
    found = loss(np.where(DAY == 7, 50.0, y), far, shufflings)
    assert found.high - found.low > found.value, (
        "the loss hangs on one day, and the interval says so"
    )


def test_an_input_of_no_weight_is_not_told_from_nothing():
    y, x, shufflings = world(weight=0.0)
    p = 0.3 * x
    shufflings = [replace(s, answers=0.3 * s.answers) for s in shufflings]
    found = loss(y, p, shufflings)
    assert found.low < 0 < found.high


def test_an_input_that_the_model_does_not_use_loses_nothing():
    y, _, shufflings = world()
    p = np.zeros(len(y))
    found = loss(y, p, [replace(s, answers=p) for s in shufflings])
    assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)


def test_of_few_pieces_nobody_can_tell():
    y, x, shufflings = world()
    few = Pieces(DAY // 3, 7, "days", in_order=True)
    found = loss(y, x, shufflings, few)
    assert found.untold == "of 7 days nobody can tell, 10 are needed"
    assert np.isnan([found.low, found.high]).all()


def test_a_metric_that_is_not_defined_without_a_piece_has_no_interval():
    y = (DAY == 3).astype(int)
    p = np.random.default_rng(1).random(len(y))
    donors = np.random.default_rng(2).permutation(len(y))
    found = loss(y, p, [Shuffling(p[donors], donors)], metric="roc_auc")
    assert found.untold == "the metric is not defined without each piece"


def test_a_metric_of_the_models_own_is_asked_for_the_rows_that_are_left():
    y, x, shufflings = world()
    weight = np.arange(len(y), dtype=float)
    own = RowMetric(
        "cost", greater_is_better=False, positions=np.arange(len(y)),
        per_row=lambda at, p, _: weight[at] * np.abs(y[at] - p),
    )  # fmt: skip
    found = loss(y, x, shufflings, metric=own)
    assert found.low < found.value < found.high


def test_some_rows_keep_their_pieces():
    some = PIECES.take(np.flatnonzero((DAY == 2) | (DAY == 5)))
    assert (some.count, some.unit, set(some.of_row)) == (2, "days", {0, 1})
