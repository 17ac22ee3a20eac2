"""Makes the tasks of a model's steps, so that a DAG reads like the sentence one would say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perennial_airflow.events import outlets_of
from perennial_airflow.kept_settings import current_settings
from perennial_airflow.places.choice import operator_for
from pipelines.errors import SpecError
from pipelines.spec.resources import say_unknown_pool
from pipelines.steps.catalogue import STEPS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.sdk import BaseOperator
    from airflow.sdk.definitions.mappedoperator import MappedOperator

    from perennial_airflow.places.step_operator import StepOperator
    from pipelines.spec import Spec


class Steps:
    """Makes a model's tasks.

    `step("validate", ingest=ingest)` runs that step on that task's result, and after it.
    """

    def __init__(self, spec: Spec) -> None:
        """Make tasks of this model, in the DAG whose context is open."""
        self._model, self._resources = spec.name, spec.resources
        settings = current_settings()
        self._known_pools = settings.pool_slots
        # Of many runs under way, those that began first also end first
        self._weight_rule = {"weight_rule": "upstream"} if settings.has_line else {}
        self._operator, self._place = operator_for(settings.place, spec, settings.memory)

    def __call__(
        self,
        step: str,
        *,
        constants: Mapping[str, Any] | None = None,
        skip_unless: dict[str, dict[str, Any]] | None = None,
        trigger_rule: str = "all_success",
        gives: str | None = None,
        **needs: BaseOperator | MappedOperator,
    ) -> StepOperator:
        """Return the step's task, which runs after the tasks whose results it needs, by request
        field.

        `constants` are fields of the request that are the same in every run. The task returns its
        result, or the field of it that it `gives`.
        """
        arguments = self._arguments(step, needs)
        request = {**(constants or {}), **arguments.pop("request")}
        task = self._operator(
            **arguments,
            request=request,
            skip_unless=skip_unless,
            trigger_rule=trigger_rule,
            gives=gives,
        )
        if needs:
            task.set_upstream(list(needs.values()))
        return task

    def each(self, step: str, candidates: Sequence[str], **needs: StepOperator) -> MappedOperator:
        """Return the step's task, mapped: one for each candidate, shown under its name."""
        tasks = self._operator.partial(
            **self._arguments(step, needs), map_index_template="{{ task.candidate }}"
        ).expand(candidate=list(candidates))
        tasks.set_upstream(list(needs.values()))
        return tasks

    def each_helper(
        self, step: str, helpers: Sequence[tuple[str, int]], **needs: StepOperator
    ) -> MappedOperator:
        """Return the step's task, mapped: one for each helper of a candidate, shown under both.

        It waits where training does, unless the spec says another queue or pool. Nothing comes
        after it, and where it fails for good it is skipped.
        """
        tasks = self._operator.partial(
            **self._arguments(step, needs, like="train"),
            map_index_template="{{ task.part.candidate }} {{ task.part.worker }}",
        ).expand(part=[{"candidate": name, "worker": number} for name, number in helpers])
        tasks.set_upstream(list(needs.values()))
        return tasks

    def each_part(self, step: str, parts: StepOperator) -> MappedOperator:
        """Return the step's task, mapped: one for each part that a task gives, under its name."""
        return self._operator.partial(
            **self._arguments(step, {}), map_index_template="{{ task.part.name }}"
        ).expand(part=parts.output)

    def _arguments(
        self, step: str, needs: Mapping[str, Any], like: str | None = None
    ) -> dict[str, Any]:
        """Return what makes the step's task; it waits where the step `like` does."""
        request = {field: task.output for field, task in needs.items()}
        return {
            "task_id": step,
            "step": step,
            "model": self._model,
            "request": request,
            "execution_timeout": STEPS[step].timeout,
            "outlets": outlets_of(step, self._model),
            **self._queue(step, like or step),
            **self._pool(step, like or step),
            "priority_weight": 1 + self._resources.priority,
            **self._weight_rule,
            **self._place,
        }

    def _queue(self, step: str, like: str) -> dict[str, str]:
        queues: Mapping[Any, str] = self._resources.queues
        queue = queues.get(step, queues.get(like, self._resources.queue))
        return {"queue": queue} if queue else {}

    def _pool(self, step: str, like: str) -> dict[str, str]:
        """Return the pool of a step's task. Raises SpecError for one that nobody would make: in it
        a task would wait for ever.
        """
        pools: Mapping[Any, str] = self._resources.pools
        pool = pools.get(step, pools.get(like, self._resources.pool))
        if pool and pool not in self._known_pools:
            raise SpecError(say_unknown_pool(pool, self._known_pools))
        return {"pool": pool} if pool else {}
