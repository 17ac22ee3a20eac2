"""The estimators and metrics that a spec may name, known without importing scikit-learn (a DAG file
must parse lightly).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipelines.errors import RequestError

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


Sees = Literal["order", "probabilities", "labels", "squares", "distances"]
"""What a metric sees of an answer.

- order: how the scores rank the rows, never what they say by themselves
- probabilities: whether they are true
- labels: the class that the model decides for, not how sure it is
- squares: errors by their squares, so great misses above all
- distances: errors by their size, all alike
"""


@dataclass(frozen=True)
class Metric:
    """The one declaration of a metric: the tasks it fits, what it sees, and which way is better.

    Its formula stands under the same name in `pipelines.science.metrics.FORMULAS`: a DAG file
    reads this catalogue at every parse and must not load NumPy for it.
    """

    tasks: frozenset[Task]
    sees: Sees
    greater_is_better: bool


_BINARY: frozenset[Task] = frozenset({"binary"})

METRICS: dict[str, Metric] = {
    "roc_auc": Metric(_BINARY, "order", greater_is_better=True),
    "average_precision": Metric(_BINARY, "order", greater_is_better=True),
    "brier": Metric(_BINARY, "probabilities", greater_is_better=False),
    "log_loss": Metric(CLASSIFY, "probabilities", greater_is_better=False),
    "accuracy": Metric(CLASSIFY, "labels", greater_is_better=True),
    "mae": Metric(REGRESS, "distances", greater_is_better=False),
    "rmse": Metric(REGRESS, "squares", greater_is_better=False),
    "r2": Metric(REGRESS, "squares", greater_is_better=True),
    "wape": Metric(REGRESS, "distances", greater_is_better=False),
}
"""Every metric, by name. To add one, declare it here and write its formula."""


def find_metric(name: str) -> Metric:
    """Return the declaration of a metric. Raises RequestError for an unknown name."""
    try:
        return METRICS[name]
    except KeyError as error:
        raise RequestError(
            f"There is no metric {name!r}.", remedy=f"use one of {', '.join(METRICS)}."
        ) from error


def metrics_for(task: Task) -> tuple[str, ...]:
    """Return the names of the metrics that fit the task, in the catalogue's order."""
    return tuple(name for name, metric in METRICS.items() if task in metric.tasks)
