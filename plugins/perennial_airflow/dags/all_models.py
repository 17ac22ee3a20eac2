"""The DAGs of all models.

What one model's spec or DAG does wrong is kept apart, and harms no other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from perennial_airflow.dag_names import DRIFT, PROVE, REPLAY, RETRAIN, ROLLBACK, dag_name
from perennial_airflow.dags.drift import drift
from perennial_airflow.dags.prove import prove
from perennial_airflow.dags.replay import replay
from perennial_airflow.dags.retrain import retrain
from perennial_airflow.dags.rollback import rollback
from pipelines.errors import SpecError
from pipelines.settings import load_settings
from pipelines.spec import load_all, load_spec

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.sdk import DAG

    from pipelines.spec import Spec

KINDS = (RETRAIN, DRIFT, ROLLBACK, PROVE, REPLAY)


def dags(kind: str, dag_id: str | None) -> dict[str, DAG]:
    """Return the DAGs of a kind by their ids, of every model of which one can be made.

    `dag_id` is the one that a worker asks for; whoever parses for the UI asks for all (None).
    """
    models = load_settings().models
    specs = load_all(models)[0] if dag_id is None else _load_one(models, kind, dag_id)
    made = {dag_name(kind, model): _make(kind, spec) for model, spec in specs.items()}
    return {name: dag for name, dag in made.items() if dag is not None and not isinstance(dag, str)}


def _load_one(models: Path, kind: str, dag_id: str) -> dict[str, Spec]:
    """Return the spec of the one model whose DAG of this kind is asked for, by its name.

    Each task begins with this: it must not cost more where there are a thousand models.
    """
    model = dag_id.removeprefix(dag_name(kind, ""))
    if model == dag_id:
        return {}
    try:
        return {model: load_spec(models, model)}
    except SpecError:
        return {}


def problems() -> list[str]:
    """Return in words what is wrong with the models that lack their DAGs."""
    good, errors = load_all(load_settings().models)
    attempts = [_make(kind, spec) for spec in good.values() for kind in KINDS]
    return [
        *(str(error) for error in errors.values()),
        *(problem for problem in attempts if isinstance(problem, str)),
    ]


def _make(kind: str, spec: Spec) -> DAG | str | None:
    """Return a model's DAG of a kind, None where it has none, or in words why it cannot be made."""
    try:
        if kind == DRIFT:
            return drift(spec, spec.drift) if spec.drift is not None else None
        if kind == REPLAY:
            return replay(spec) if spec.batch is not None and spec.has_target else None
        return {RETRAIN: retrain, ROLLBACK: rollback, PROVE: prove}[kind](spec)
    # What Airflow refuses of one model must not take away the DAGs of the others.
    except Exception as error:  # noqa: BLE001
        return (
            f"models/{spec.name}/model.yaml: Airflow takes no {dag_name(kind, spec.name)}:"
            f" {type(error).__name__}: {error}."
        )
