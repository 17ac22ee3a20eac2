"""A classifier's metric from its own probabilities."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.watching.outcomes import Scene, make
from pipelines.science.before_labels.confidence import estimate_by_confidence, learn
from pipelines.science.before_labels.estimate import Answered, Judged
from pipelines.science.metrics import score

LARGE = Scene("binary", "nothing", rows=120, days=15, past=40)


def estimated(scene, metric, seed=1):
    world = make(scene, seed)
    window, y = world.windows[0]
    found = estimate_by_confidence(metric, world.held, window, threshold=0.5, seed=seed)
    return found, score(metric, y, window.p, threshold=0.5), world


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss", "brier", "accuracy", "f1"])
def test_the_truth_lies_within_where_nothing_changes(metric):
    found, truth, _ = estimated(LARGE, metric)
    assert found.untold == ""
    assert found.low < truth < found.high
    assert found.high - found.low < 0.2
    assert found.low < found.value < found.high


def test_other_rows_are_nearer_to_the_estimate_than_to_what_was_promised():
    found, truth, world = estimated(replace(LARGE, change="inputs"), "log_loss")
    promised = score("log_loss", world.held.y, world.held.p)
    assert abs(found.value - truth) < abs(promised - truth)
    assert found.low < truth < found.high


def test_a_changed_concept_is_not_seen():
    found, truth, _ = estimated(replace(LARGE, change="concept"), "roc_auc")
    assert found.low > truth + 0.2


def test_several_classes():
    found, truth, _ = estimated(Scene("multiclass", "nothing", 100, 10, 30), "accuracy")
    assert found.low < truth < found.high


def test_the_chances_are_true_where_the_probabilities_were_not():
    rng = np.random.default_rng(3)
    true = rng.random(40_000)
    y = (rng.random(40_000) < true).astype(int)
    told = true**3 / (true**3 + (1 - true) ** 3)
    chances = learn(y[:20_000], told[:20_000])(told[20_000:])
    assert np.abs(chances[:, 1] - true[20_000:]).max() < 0.02


def test_few_days_tell_nothing():
    found, _, _ = estimated(Scene("binary", "nothing", 50, 5, 9), "roc_auc")
    assert (found.value, found.low, found.high) == (None, None, None)
    assert "9 days, 10 are needed" in found.untold


def test_few_rows_of_a_class_tell_nothing():
    world = make(LARGE, 1)
    y = np.zeros_like(world.held.y)
    y[:9] = 1
    held = Judged(y, world.held.p, world.held.times, {})
    found = estimate_by_confidence("roc_auc", held, world.windows[0][0], threshold=0.5)
    assert "fewer than 10 of a class" in found.untold


def test_what_does_not_follow_from_probabilities_is_not_said():
    found, _, _ = estimated(LARGE, "calibration_error")
    assert "does not follow from probabilities" in found.untold


def test_rows_without_times_stand_for_themselves():
    world = make(LARGE, 2)
    window, y = world.windows[0]
    held = Judged(world.held.y, world.held.p, None, {})
    found = estimate_by_confidence(
        "brier", held, Answered(window.p, None, {}), span="row", threshold=0.5
    )
    assert found.low < score("brier", y, window.p) < found.high


def test_the_same_rows_give_the_same_estimate():
    assert estimated(LARGE, "roc_auc")[0] == estimated(LARGE, "roc_auc")[0]


def test_a_window_of_one_row_has_a_wide_interval():
    world = make(LARGE, 2)
    window = world.windows[0][0].take(np.array([0]))
    found = estimate_by_confidence("brier", world.held, window, threshold=0.5)
    assert found.high - found.low > 0.5
