"""The estimators that most models use: what is costly to test is tested with them."""

from __future__ import annotations

from pipelines.spec.estimators import ESTIMATORS

PAIRS = (
    "sklearn.dummy.Dummy",
    "sklearn.ensemble.HistGradientBoosting",
    "sklearn.ensemble.GradientBoosting",
    "sklearn.ensemble.RandomForest",
    "sklearn.ensemble.ExtraTrees",
    "sklearn.tree.DecisionTree",
    "sklearn.neighbors.KNeighbors",
    "sklearn.neural_network.MLP",
)
ONES = (
    "sklearn.linear_model.LogisticRegression",
    "sklearn.linear_model.LinearRegression",
    "sklearn.linear_model.Ridge",
    "sklearn.linear_model.Lasso",
    "sklearn.linear_model.ElasticNet",
    "sklearn.linear_model.PoissonRegressor",
    "sklearn.naive_bayes.GaussianNB",
)
USUAL = {
    name: ESTIMATORS[name]
    for name in (*(f"{p}{kind}" for p in PAIRS for kind in ("Classifier", "Regressor")), *ONES)
}
CASES = [
    (task, name)
    for name, known in sorted(USUAL.items())
    for task in sorted(known.tasks & {"binary", "multiclass", "regression"})
]
"""Task and estimator. A forecast is fitted and compiled as a regression is."""
LEARNERS = [(task, name) for task, name in CASES if not USUAL[name].dummy]
"""Those that learn."""
