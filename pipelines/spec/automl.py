"""The candidates that `automl` proposes: a fixed list by the task, known without any data.

A DAG has one task for each candidate, so their names cannot wait for the data. What the data
decide, a candidate decides when it is trained: `most_cells` says how much it is made for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pipelines.refs import Value
from pipelines.spec.estimators import ESTIMATORS
from pipelines.spec.search import Minutes, Trials
from pipelines.tasks import classifies, traits_of

if TYPE_CHECKING:
    from pipelines.tasks import Task

TRIALS = 40
"""Trials in all where the spec does not say."""
SHARES = {"linear": 0.2, "forest": 0.1, "boosted": 0.4, "lightgbm": 0.3}
"""How the budget is shared out: most to those whose parameters matter most."""
FOREST_CELLS = 20_000_000
"""Rows times inputs above which no forest is grown: its trees would take minutes each."""


MOST_CELLS = {"forest": FOREST_CELLS}
REASONS: Final = {
    "baseline": "what the others must beat: the best constant",
    "linear": "simple, fast and hard to fool; regularised, since inputs may be many",
    "forest": "few parameters to get wrong; for data that are not large",
    "boosted": "the best guess for tables: steps, interactions and nulls as they are",
    "lightgbm": "another boosting, which grows its trees leaf by leaf",
}
"""Why each is proposed, by its name."""


class AutoML(Value):
    """Candidates that Perennial proposes, within a budget."""

    trials: Trials = TRIALS
    """How many settings are tried at most, in all candidates together."""
    minutes: Minutes | None = None
    """How many minutes the searches take at most, in all candidates together."""


def propose(task: Task, budget: AutoML) -> list[dict[str, Any]]:
    """Return the proposed candidates as a spec would write them; the same for the same spec.

    None for a task that learns nothing from a target: nothing would tell which is better.
    """
    if traits_of(task).learns == "nothing":
        return []
    classify = classifies(task)
    kind = "Classifier" if classify else "Regressor"
    linear: dict[str, Any] = (
        {
            "estimator": "sklearn.linear_model.LogisticRegression",
            "params": {"max_iter": 300},
            "search": {"C": {"low": 1e-3, "high": 100, "log": True}},
        }
        if classify
        else {
            "estimator": "sklearn.linear_model.Ridge",
            "search": {"alpha": {"low": 1e-3, "high": 1e3, "log": True}},
        }
    )
    searched = {
        "linear": linear,
        "forest": {
            "estimator": f"sklearn.ensemble.RandomForest{kind}",
            "params": {"n_estimators": 200},
            "search": {
                "min_samples_leaf": {"low": 1, "high": 50, "log": True, "whole": True},
                "max_features": {"low": 0.2, "high": 1.0},
            },
        },
        "boosted": {
            "estimator": f"sklearn.ensemble.HistGradientBoosting{kind}",
            "params": {"max_iter": 500},
            "search": {
                "learning_rate": {"low": 0.02, "high": 0.3, "log": True},
                "max_leaf_nodes": {"low": 7, "high": 63, "log": True, "whole": True},
                "min_samples_leaf": {"low": 5, "high": 200, "log": True, "whole": True},
                "l2_regularization": {"low": 1e-3, "high": 10, "log": True},
            },
            "early_stopping": {},
        },
        "lightgbm": {
            "estimator": f"lightgbm.LGBM{kind}",
            "params": {"n_estimators": 500, "verbosity": -1},
            "search": {
                "learning_rate": {"low": 0.02, "high": 0.3, "log": True},
                "num_leaves": {"low": 7, "high": 63, "log": True, "whole": True},
                "min_child_samples": {"low": 5, "high": 200, "log": True, "whole": True},
                "colsample_bytree": {"low": 0.3, "high": 1.0},
            },
            "early_stopping": {},
        },
    }
    searched = {
        name: fields for name, fields in searched.items() if fields["estimator"] in ESTIMATORS
    }
    dummy = {"name": "baseline", "estimator": f"sklearn.dummy.Dummy{kind}"}
    whole = sum(SHARES[name] for name in searched)
    return [
        dummy,
        *(
            _with_budget(name, fields, budget, SHARES[name] / whole)
            for name, fields in searched.items()
        ),
    ]


def why_skipped(name: str, rows: int, inputs: int) -> str:
    """Return why a proposed candidate is not trained on so many data; empty where it is."""
    most = MOST_CELLS.get(name)
    if most is None or rows * inputs <= most:
        return ""
    return (
        f"{rows:,} rows of {inputs} inputs are too many for it: automl tries it up to {most:,}"
        " values"
    )


def _with_budget(name: str, fields: dict[str, Any], budget: AutoML, share: float) -> dict[str, Any]:
    limits: dict[str, Any] = {"trials": max(round(budget.trials * share), 1)}
    if budget.minutes is not None:
        limits["minutes"] = budget.minutes * share
    return {"name": name, "method": "optuna", **fields, "budget": limits}
