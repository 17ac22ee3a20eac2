"""The estimators and metrics that a spec may name, known without importing scikit-learn (a DAG file
must parse lightly).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Task = Literal["binary", "multiclass", "regression"]
Encoding = Literal["onehot", "ordinal"]

CLASSIFY: frozenset[Task] = frozenset({"binary", "multiclass"})
REGRESS: frozenset[Task] = frozenset({"regression"})


@dataclass(frozen=True)
class Estimator:
    """What is known of one estimator.

    The tasks it can do and how its inputs are encoded unless the spec says otherwise.
    """

    tasks: frozenset[Task]
    encode: Encoding
    dummy: bool = False


def _pair(module: str, stem: str, encode: Encoding, *, dummy: bool = False) -> dict[str, Estimator]:
    return {
        f"sklearn.{module}.{stem}Classifier": Estimator(CLASSIFY, encode, dummy),
        f"sklearn.{module}.{stem}Regressor": Estimator(REGRESS, encode, dummy),
    }


ESTIMATORS: dict[str, Estimator] = {
    **_pair("dummy", "Dummy", "ordinal", dummy=True),
    **_pair("ensemble", "HistGradientBoosting", "ordinal"),
    **_pair("ensemble", "GradientBoosting", "ordinal"),
    **_pair("ensemble", "RandomForest", "ordinal"),
    **_pair("ensemble", "ExtraTrees", "ordinal"),
    **_pair("tree", "DecisionTree", "ordinal"),
    **_pair("neighbors", "KNeighbors", "onehot"),
    **_pair("neural_network", "MLP", "onehot"),
    "sklearn.linear_model.LogisticRegression": Estimator(CLASSIFY, "onehot"),
    "sklearn.linear_model.LinearRegression": Estimator(REGRESS, "onehot"),
    "sklearn.linear_model.Ridge": Estimator(REGRESS, "onehot"),
    "sklearn.linear_model.Lasso": Estimator(REGRESS, "onehot"),
    "sklearn.linear_model.ElasticNet": Estimator(REGRESS, "onehot"),
    "sklearn.linear_model.PoissonRegressor": Estimator(REGRESS, "onehot"),
    "sklearn.naive_bayes.GaussianNB": Estimator(CLASSIFY, "onehot"),
}


@dataclass(frozen=True)
class Metric:
    """What is known of one metric: the tasks it fits, and which way is better."""

    tasks: frozenset[Task]
    greater_is_better: bool


_BINARY: frozenset[Task] = frozenset({"binary"})

METRICS: dict[str, Metric] = {
    "roc_auc": Metric(_BINARY, greater_is_better=True),
    "average_precision": Metric(_BINARY, greater_is_better=True),
    "brier": Metric(_BINARY, greater_is_better=False),
    "log_loss": Metric(CLASSIFY, greater_is_better=False),
    "accuracy": Metric(CLASSIFY, greater_is_better=True),
    "mae": Metric(REGRESS, greater_is_better=False),
    "rmse": Metric(REGRESS, greater_is_better=False),
    "r2": Metric(REGRESS, greater_is_better=True),
    "wape": Metric(REGRESS, greater_is_better=False),
}


def metrics_for(task: Task) -> tuple[str, ...]:
    """Return the names of the metrics that fit the task, in the catalogue's order."""
    return tuple(name for name, metric in METRICS.items() if task in metric.tasks)
