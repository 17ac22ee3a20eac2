"""The metrics of quantiles: scikit-learn's pinball loss, spans, and the interval score."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as theirs

from pipelines.science.metrics import score
from pipelines.science.own_metrics import Measures
from pipelines.spec.metrics import find_metric

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
RNG = np.random.default_rng(3)
Y = RNG.normal(size=400)
P = np.sort(RNG.normal(size=(400, 5)), axis=1)
WEIGHTS = RNG.uniform(0.1, 3, 400)


def of(name, levels=LEVELS, p=P, y=Y, weights=None):
    return score(find_metric(name).of_levels(levels), y, p, weights=weights)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_pinball_is_the_mean_of_scikit_learns_over_the_levels(weights):
    each = [
        theirs.mean_pinball_loss(Y, P[:, i], alpha=level, sample_weight=weights)
        for i, level in enumerate(LEVELS)
    ]
    assert of("pinball", weights=weights) == pytest.approx(np.mean(each), rel=1e-12)
    for level, expected in zip(LEVELS, each, strict=True):
        found = of(f"pinball_{level:g}", weights=weights)
        assert found == pytest.approx(expected, rel=1e-12)


def test_the_metrics_of_a_value_are_the_medians():
    assert of("mae") == theirs.mean_absolute_error(Y, P[:, 2])
    assert of("median_error") == theirs.median_absolute_error(Y, P[:, 2])


def test_the_ends_belong_to_the_span_and_a_number_names_an_inner_one():
    y = np.array([1.0, 2.0, 3.0, 10.0])
    p = np.column_stack([np.zeros(4), [0.0, 0, 3, 3], [1.0, 1, 3, 3], [1.0, 1, 4, 4]])
    levels = (0.05, 0.25, 0.75, 0.95)
    assert of("coverage", levels, p, y) == 0.5
    assert of("coverage_0.5", levels, p, y) == 0.5
    assert of("coverage_0.9", levels, p, y, np.array([3.0, 1, 0, 0])) == 0.75
    assert of("width", levels, p, y) == 2.5
    assert of("width_0.5", levels, p, y) == 0.5


def test_one_level_covers_its_long_side():
    y = np.array([1.0, 2.0, 3.0, 4.0])
    answers = np.full((4, 1), 3.0)
    assert of("coverage", (0.75,), answers, y) == 0.75
    assert of("coverage", (0.25,), answers, y) == 0.5


def test_the_interval_score_is_the_pinball_loss_of_both_ends():
    """Gneiting & Raftery: 2 / (1 - coverage) times the sum of the losses of the two quantiles."""
    for alpha, first, last in ((0.1, 0, 4), (0.5, 1, 3)):
        losses = sum(
            theirs.mean_pinball_loss(Y, P[:, i], alpha=LEVELS[i], sample_weight=WEIGHTS)
            for i in (first, last)
        )
        found = of(f"interval_score_{1 - alpha:g}", weights=WEIGHTS)
        assert found == pytest.approx(2 / alpha * losses, rel=1e-12)


@pytest.mark.parametrize("name", ["pinball", "coverage", "width", "interval_score"])
def test_an_answer_that_is_missing_gives_no_score(name):
    broken = P.copy()
    broken[3, 0] = np.nan
    assert np.isnan(of(name, p=broken))
    assert np.isnan(of(name, p=P[:0], y=Y[:0]))


def test_measures_hand_the_levels_to_the_metrics_of_the_catalogue():
    metric = Measures(levels=LEVELS).on("pinball", np.arange(3))
    assert score(metric, Y[:3], P[:3]) == of("pinball", p=P[:3], y=Y[:3])
    assert Measures().find("mae") == "mae"


def test_levels_that_lack_what_a_metric_looks_at_are_no_silent_number():
    with pytest.raises(ValueError, match="mae needs levels"):
        of("mae", (0.1, 0.9), P[:, :2])
