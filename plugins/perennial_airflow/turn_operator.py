"""The task `wait` of the retrain DAG, where a fleet lets only so many retrainings be under way.

It begins in the triggerer and ends there, so that neither a worker nor a slot is held by who waits:
a hundred that wait cost as much as one.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.triggers.base import StartTriggerArgs

from perennial_airflow.links import ModelLink

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from pipelines.spec import Spec

TRIGGER = "perennial_airflow.turn_trigger.TurnTrigger"


class WaitForTurn(BaseOperator):
    """Waits in line until the run's turn comes; declined, it is skipped with all after it.

    Nothing here goes through Jinja.
    """

    template_fields: Sequence[str] = ()
    operator_extra_links = (ModelLink(),)
    ui_color = "#f3f0ff"
    start_from_trigger = True

    def __init__(
        self, *, model: str, model_owner: str, priority: int, asks: bool, **kwargs: Any
    ) -> None:
        """Remember as what the model's runs stand in line.

        `asks` tells that a person is asked before a version deploys: then the turn ends before.
        """
        super().__init__(**kwargs)
        self.model = model
        self._kwargs: dict[str, Any] = {
            "model": model,
            "owner": model_owner,
            "priority": priority,
            "asks": asks,
        }
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls=TRIGGER,
            trigger_kwargs=self._kwargs,
            next_method="execute",
            # The line itself declines who waits for too long, and says so in the ledger
            timeout=None,
        )

    def execute(self, context: Context, event: Any = None) -> None:  # noqa: ARG002
        """Go to the triggerer; where Airflow itself has not, as in a test of the DAG."""
        from perennial_airflow.turn_trigger import TurnTrigger

        conf = dict(context["dag_run"].conf or {})
        self.defer(trigger=TurnTrigger(**self._kwargs, conf=conf), method_name="execute")


def wait_for_turn(spec: Spec) -> WaitForTurn:
    """Return the model's task, in the DAG whose context is open."""
    return WaitForTurn(
        task_id="wait",
        model=spec.name,
        model_owner=spec.owner,
        priority=spec.resources.priority,
        asks=spec.gate.asks,
        # A trigger that could not reach the ledger tries again; one that waits is no failure
        execution_timeout=timedelta(hours=48),
    )
