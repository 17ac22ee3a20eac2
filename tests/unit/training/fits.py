"""Candidates with little to compute, fitted on small tables."""

from __future__ import annotations

import logging

import numpy as np

from pipelines.bundle.rows import schema_of
from pipelines.spec import Candidate
from pipelines.training import estimators
from pipelines.training.fitting import fit_pipeline

LOG = logging.getLogger("perennial.tests")
BOOSTED = "sklearn.ensemble.HistGradientBoostingClassifier"
FEW = {
    "HistGradientBoosting": {"max_iter": 5},
    "MLP": {"max_iter": 5},
    "GradientBoosting": {"n_estimators": 5},
}


def small_candidate(name, **params):
    leaf = name.rsplit(".", 1)[-1]
    few = next(
        (p for stem, p in FEW.items() if leaf.startswith(stem)),
        {"n_estimators": 5} if "ensemble" in name else {},
    )
    return Candidate.model_validate(
        {"name": "tried", "estimator": name, "params": {**few, **params}}
    )


def fit(candidate, table, y, task="binary"):
    schema = schema_of(
        table,
        table.column_names,
        task,
        [str(c) for c in np.unique(y)] if task == "multiclass" else None,
    )
    pipeline = estimators.build_pipeline(candidate, schema, 0, candidate.params)
    return fit_pipeline(pipeline, estimators.frame(schema, table), y, candidate, LOG), schema
