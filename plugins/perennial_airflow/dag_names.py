"""What a model's DAGs are called."""

from __future__ import annotations

RETRAIN, DRIFT, ROLLBACK, PROVE, REPLAY = "retrain", "drift", "rollback", "prove", "replay"
"""The kinds of DAGs that a model has."""

ALERTS = "alerts"
"""The one DAG that is of no model."""


def dag_name(kind: str, model: str) -> str:
    """Return the id of a model's DAG of this kind."""
    return f"{kind}_{model}"
