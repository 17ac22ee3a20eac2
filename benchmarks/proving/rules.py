"""Decision rules that well-known projects show, restated, to stand beside the gate.

Each is a function of two models' metrics on the held-out rows; `champion` is None where there is
none, or it cannot be loaded. What these rules do not look at (spans of fitting, slices, size …) no
rule can refuse. An error in computing a metric counts as a refusal: the run ends without a
promotion.
"""

from __future__ import annotations

import warnings
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import roc_auc_score

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np

    Array = np.ndarray[Any, Any]
    Metrics = Mapping[str, float]
    Rule = Callable[[Metrics, Metrics | None], bool]

FLOOR = 0.6
"""The floor that the gate has too."""


def metrics_of(truth: Array, answers: Array) -> Metrics:
    """Return what such a project measures on the held-out rows: with scikit-learn, as it is.

    Raises ValueError where that does, as of NaN; of one class the curve's area is NaN.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        return {"roc_auc": roc_auc_score(truth, answers)}


def any_better(challenger: Metrics, champion: Metrics | None) -> bool:
    """Promote what scores better than the champion, however little.

    As in Microsoft's MLOpsPython (`evaluate_model.py`) and many courses: the first model is
    promoted.
    """
    return champion is None or challenger["roc_auc"] > champion["roc_auc"]


def better_by_one_percent(challenger: Metrics, champion: Metrics | None) -> bool:
    """Promote what scores better than the champion by a hundredth of the champion's score."""
    return champion is None or challenger["roc_auc"] > 1.01 * champion["roc_auc"]


def floor_alone(challenger: Metrics, champion: Metrics | None) -> bool:  # noqa: ARG001
    """Promote what reaches a floor.

    As the `ConditionStep` of the SageMaker Pipelines example does, before a model is registered.
    """
    return challenger["roc_auc"] >= FLOOR


def mlflow_thresholds(challenger: Metrics, champion: Metrics | None) -> bool:
    """Promote what `mlflow.validate_evaluation_results` lets pass: MLflow's own code.

    A floor, and better than the baseline by a hundredth of it; without a baseline the floor alone.
    """
    from mlflow.models.evaluation.validation import (
        MetricThreshold,
        ModelValidationFailedException,
        validate_evaluation_results,
    )

    change = None if champion is None else 0.01
    thresholds = {
        "roc_auc": MetricThreshold(
            threshold=FLOOR, min_relative_change=change, greater_is_better=True
        )
    }
    results: list[Any] = [
        None if found is None else SimpleNamespace(metrics=dict(found))
        for found in (challenger, champion)
    ]
    try:
        validate_evaluation_results(thresholds, *results)
    except ModelValidationFailedException:
        return False
    return True


def tfx_evaluator(challenger: Metrics, champion: Metrics | None) -> bool:
    """Bless what TFX's Evaluator blesses with the thresholds of its tutorial.

    A value threshold (`lower_bound`), and a change threshold (`HIGHER_IS_BETTER`, absolute
    -1e-10) that is left out where there is no blessed model yet.
    """
    if not challenger["roc_auc"] >= FLOOR:
        return False
    return champion is None or challenger["roc_auc"] - champion["roc_auc"] >= -1e-10


RULES: Mapping[str, Rule] = {
    "any better metric": any_better,
    "better by 1 %": better_by_one_percent,
    "a floor alone (SageMaker's example)": floor_alone,
    "MLflow: floor and 1 % better": mlflow_thresholds,
    "TFX Evaluator: floor and not worse": tfx_evaluator,
}
