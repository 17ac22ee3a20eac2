"""Which place the steps of a model run in: the one place to which a new place is added."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perennial_airflow.places.kubernetes import KubernetesStepOperator
from perennial_airflow.places.step_operator import StepOperator

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.spec import Spec

    Operator = tuple[type[StepOperator], dict[str, Any]]


def _process(_: Spec, __: str | None) -> Operator:
    return StepOperator, {}


def _docker(spec: Spec, memory: str | None) -> Operator:
    # It imports the engine's library, for whoever has their steps run in containers alone.
    from perennial_airflow.places.docker import DockerStepOperator

    return DockerStepOperator, {"limits": _limits(spec, memory, set())}


def _limits(spec: Spec, memory: str | None, others: set[str]) -> dict[str, Any]:
    """Return the limits of a step, without `others`, which the place does not know."""
    of_tasks = {"serving", "queue", "queues", "pool", "pools", "priority", "engine", "engines"}
    limits = spec.resources.model_dump(mode="json", exclude=of_tasks | others, exclude_none=True)
    return ({"memory": memory} if memory else {}) | limits


def _kubernetes(spec: Spec, memory: str | None) -> Operator:
    return KubernetesStepOperator, {"limits": _limits(spec, memory, {"network"})}


PLACES: dict[str, Callable[[Spec, str | None], Operator]] = {
    "process": _process,
    "docker": _docker,
    "kubernetes": _kubernetes,
}
"""How the operator of a place is found, by the value of PERENNIAL_PLACE."""


def operator_for(place: str, spec: Spec, memory: str | None = None) -> Operator:
    """Return the operator of the place, and what it must know of the model.

    `memory` is that of a step where the spec names none.
    """
    return PLACES[place](spec, memory)
