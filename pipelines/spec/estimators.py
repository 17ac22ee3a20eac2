"""The estimators that a spec may name, known without importing scikit-learn (a DAG file must parse
lightly).

To add one, declare it here; `pipelines/training/estimators.py` makes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from pipelines.spec.tasks import CLASSIFY, REGRESS, Task

Encoding = Literal["onehot", "ordinal"]


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


FINISHED: Final = "onnx"
"""What stands for the estimator of a finished model, which a folder brings as a file."""
OF_FINISHED: Final = Estimator(CLASSIFY | REGRESS, "ordinal")
"""What is known of a finished model: it may do any task, and gets texts as they are."""
OWN = Estimator(CLASSIFY | REGRESS, "ordinal")
"""What is known of an own pipeline: it may do any task, and gets texts as they are."""

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
