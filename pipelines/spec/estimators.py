"""The estimators that a spec may name, known without importing scikit-learn (a DAG file must parse
lightly).

To add one, declare it here; `pipelines/training/estimators.py` makes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from pipelines.spec.tasks import CLASSIFY, REGRESS, Task

Encoding = Literal["onehot", "ordinal"]


class Rank(IntEnum):
    """How simple an estimator is: of equals the one with the lowest rank wins."""

    DUMMY = 0
    LINEAR = 1
    SINGLE = 2
    """A single tree, naive Bayes, neighbours."""
    FOREST = 3
    BOOSTING = 4
    NETWORK = 5
    """Networks, kernels, and whatever is not known."""


RANKS = {
    "dummy": Rank.DUMMY,
    "linear_model": Rank.LINEAR,
    "tree": Rank.SINGLE,
    "neighbors": Rank.SINGLE,
    "naive_bayes": Rank.SINGLE,
}


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
