"""The loss of each row, by the errors that a metric looks at."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.science.metrics import score
from pipelines.science.row_losses import has_losses, row_losses, words_of
from pipelines.spec.metrics import find_metric

RNG = np.random.default_rng(5)
Y = RNG.integers(0, 2, 400)
P = RNG.random(400)
WIDE = RNG.dirichlet(np.ones(3), 400)
VALUES = RNG.normal(10, 3, 400)


@pytest.mark.parametrize(
    ("metric", "task", "y", "p", "mean_of"),
    [
        ("log_loss", "binary", Y, P, "log_loss"),
        ("roc_auc", "binary", Y, P, "brier"),
        ("accuracy", "multiclass", Y, WIDE, "brier"),
        ("log_loss", "multiclass", Y, WIDE, "log_loss"),
        ("mae", "regression", VALUES, VALUES + P, "mae"),
        ("rmse", "regression", VALUES, VALUES + P, "mse"),
        ("r2", "forecast", VALUES, VALUES + P, "mse"),
        ("the_models_own", "regression", VALUES, VALUES + P, "mae"),
    ],
)
def test_their_mean_is_the_metric_of_the_same_errors(metric, task, y, p, mean_of):
    assert row_losses(metric, task, y, p).mean() == pytest.approx(score(mean_of, y, p))


def test_of_quantiles_it_is_the_pinball_loss_over_the_levels():
    levels = (0.1, 0.5, 0.9)
    p = VALUES[:, None] + RNG.normal(size=(1, 3))
    metric = find_metric("pinball").of_levels(levels)
    found = row_losses("pinball", "quantiles", VALUES, p, levels)
    assert found.mean() == pytest.approx(score(metric, VALUES, p))


def test_an_unknown_class_is_as_wrong_as_can_be():
    sure = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    assert row_losses("accuracy", "multiclass", np.array([0, 1, -1]), sure).tolist() == [0, 2, 2]


def test_scores_without_a_unit_and_clusters_have_none():
    tasks = ["binary", "multiclass", "regression", "quantiles", "anomaly", "cluster", "forecast"]
    assert [t for t in tasks if not has_losses(t)] == ["anomaly", "cluster"]
    assert words_of("rmse", "regression") == "squared error"
    assert words_of("mae", "regression") == "absolute error"
