"""The metric of any model from its held-out rows, weighted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.watching.outcomes import Scene, make
from pipelines.science.before_labels.estimate import Answered, Judged
from pipelines.science.before_labels.weighting import estimate_by_weighting
from pipelines.science.metrics import score

SCENE = Scene("regression", "nothing", rows=120, days=15, past=40)


def estimated(scene, metric, seed=1):
    world = make(scene, seed)
    window, y = world.windows[0]
    found = estimate_by_weighting(metric, world.held, window, threshold=0.5, seed=seed)
    return found, score(metric, y, window.p), world


@pytest.mark.parametrize("metric", ["mae", "rmse", "r2", "wape"])
def test_the_truth_lies_within_where_nothing_changes(metric):
    found, truth, _ = estimated(SCENE, metric)
    assert found.low < truth < found.high
    assert found.high - found.low < 0.3


def test_other_rows_are_nearer_to_the_estimate_than_to_what_was_promised():
    found, truth, world = estimated(replace(SCENE, change="inputs"), "mae")
    promised = score("mae", world.held.y, world.held.p)
    assert abs(found.value - truth) < abs(promised - truth)
    assert found.low < truth < found.high


def test_rows_of_a_kind_that_was_never_held_out_tell_nothing():
    world = make(SCENE, 1)
    window, _ = world.windows[0]
    far = Answered(window.p, window.times, {**window.columns, "x0": window.columns["x0"] + 50})
    found = estimate_by_weighting("mae", world.held, far, threshold=0.5)
    assert found.value is None
    assert found.untold


def test_without_inputs_nothing_is_said():
    world = make(SCENE, 1)
    held = Judged(world.held.y, world.held.p, world.held.times, {})
    found = estimate_by_weighting("mae", held, world.windows[0][0], threshold=0.5)
    assert "does not hold the inputs" in found.untold


def test_few_days_tell_nothing():
    found, _, _ = estimated(replace(SCENE, past=8), "mae")
    assert "10 are needed" in found.untold


def test_a_window_that_resembles_few_days_tells_little():
    world = make(replace(SCENE, past=20), 1)
    window, _ = world.windows[0]
    day = world.held.times.astype("datetime64[D]") == world.held.times.astype("datetime64[D]")[0]
    mark = np.where(day, 1.0, 0.0)
    held = Judged(
        world.held.y, world.held.p, world.held.times, {**world.held.columns, "mark": mark}
    )
    own = Answered(window.p, window.times, {**window.columns, "mark": np.ones(window.rows)})
    found = estimate_by_weighting("mae", held, own, threshold=0.5)
    assert "10 are needed" in found.untold
