"""The two tasks by which a drift run has a retraining.

`start` asks for it, `await` waits until it has ended.

Both go by what `decide` said, under the run id that it named. So however often `start` is tried
again, and whatever died in between, there is one retraining; and `await` waits for it whether this
or an earlier try of `start` asked for it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import DagRunState
from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowRuntimeError,
    AirflowSkipException,
    DagRunTriggerException,
    TaskDeferralTimeout,
)

from perennial_airflow.dag_names import RETRAIN, dag_name
from perennial_airflow.light_operator import LightOperator
from perennial_airflow.links import ModelLink, RetrainingLink, airflow_path, run_path
from perennial_airflow.places.step_operator import resolve

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.sdk import Context

ENDED = ("success", "failed")
"""The states of a run that has ended."""

WAIT = timedelta(hours=24)
"""The longest that a retraining is waited for."""

NOT_FOUND = 404

LONGEST_NOTE = 1_000
"""Characters that Airflow takes for a run's note."""


class _RetrainingOperator(LightOperator):
    """What both tasks know: the model's retrain DAG, and what `decide` said.

    Nothing here goes through Jinja.
    """

    template_fields: Sequence[str] = ()
    operator_extra_links = (RetrainingLink(), ModelLink())
    retraining: str | None = None

    def __init__(self, *, model: str, decision: Any, **kwargs: Any) -> None:
        """Remember the model and where `decide` puts its result.

        That task's `output`, or the result itself.
        """
        super().__init__(**kwargs)
        self.model = model
        self.decision = decision

    @property
    def retrain_dag(self) -> str:
        """The id of the retrain DAG."""
        return dag_name(RETRAIN, self.model)

    def _decision(self, context: Context) -> Mapping[str, Any]:
        """Return what `decide` said where a retraining starts.

        Raises AirflowSkipException with its reason where none does.
        """
        decision: Mapping[str, Any] = resolve(self.decision, context)
        if not decision["start"]:
            raise AirflowSkipException(decision["why"])
        self.retraining = str(decision["run_id"])
        return decision

    def _state(self, context: Context, run: str) -> str | None:
        """Return the state of the retrain DAG's run; None where there is none of this id."""
        try:
            return DagRunState(context["ti"].get_dagrun_state(self.retrain_dag, run)).value
        except AirflowRuntimeError as error:
            if _is_missing(error):
                return None
            raise


class StartRetraining(_RetrainingOperator):
    """Starts the retraining that `decide` asked for, once.

    Is skipped, with the reason, where it asked for none.
    """

    ui_color = "#ffefeb"

    def execute(self, context: Context) -> None:
        """Have Airflow make the run. A run of that id is there already: fine.

        Raises AirflowFailException where the retrain DAG is missing or paused (there the run would
        stay queued for ever).
        """
        decision = self._decision(context)
        run = str(decision["run_id"])
        state = self._state(context, run)
        if state in ENDED:
            self.log.info("The run %s of %s is there already: %s.", run, self.retrain_dag, state)
            return
        self._expect_awake(context)
        if state is not None:
            self.log.info("The run %s of %s is there already: %s.", run, self.retrain_dag, state)
            return
        self.log.info("Starting the run %s of %s: %s", run, self.retrain_dag, decision["why"])
        self._trigger(run, dict(decision["conf"]), _note(context))

    def _expect_awake(self, context: Context) -> None:
        try:
            dag = context["ti"].get_dag(self.retrain_dag)
        except AirflowRuntimeError as error:
            if _is_missing(error):
                raise AirflowFailException(
                    f"There is no DAG {self.retrain_dag}. Remedy: mend"
                    f" models/{self.model}/model.yaml (the DAG broken_specs names what is wrong"
                    " with it), then clear this task."
                ) from error
            raise
        if dag.is_paused:
            raise AirflowFailException(
                f"The DAG {self.retrain_dag} is paused, so that its runs would wait for ever."
                f" Remedy: unpause {self.retrain_dag} in Airflow's UI (or `airflow dags unpause"
                f" {self.retrain_dag}`), then clear this task."
            )

    def _trigger(self, run: str, conf: dict[str, Any], note: str) -> NoReturn:
        raise DagRunTriggerException(
            trigger_dag_id=self.retrain_dag,
            dag_run_id=run,
            conf=conf,
            reset_dag_run=False,
            # Another copy of this task was faster: `await` goes by the run, not by this task
            skip_when_already_exists=True,
            wait_for_completion=False,
            allowed_states=[],
            failed_states=[],
            poke_interval=0,
            deferrable=False,
            note=note,
        )


class AwaitRetraining(_RetrainingOperator):
    """Waits, without holding a worker, until the retraining has ended, and gives {"run_id",
    "state"}: success or failed.
    """

    ui_color = "#ffefeb"

    def __init__(self, *, longest: timedelta = WAIT, **kwargs: Any) -> None:
        """Wait for at most `longest`."""
        super().__init__(**{"execution_timeout": longest, **kwargs})
        self.longest = longest

    # The trigger says no more than «look again».
    def execute(self, context: Context, event: Any = None) -> dict[str, str]:  # noqa: ARG002
        """Look at the run; come back when it has ended.

        Raises AirflowFailException where it is not there.
        """
        run = str(self._decision(context)["run_id"])
        state = self._state(context, run)
        if state is None:
            raise AirflowFailException(
                f"The run {run} of {self.retrain_dag} is not there: somebody deleted it. Remedy:"
                " clear `start`, which starts it anew."
            )
        if state in ENDED:
            self.log.info("The run %s of %s has ended: %s.", run, self.retrain_dag, state)
            return {"run_id": run, "state": state}
        from airflow.providers.standard.triggers.external_task import DagStateTrigger

        self.log.info("Waiting for the run %s of %s, which is %s.", run, self.retrain_dag, state)
        trigger = DagStateTrigger(
            dag_id=self.retrain_dag,
            states=list(ENDED),  # type: ignore[arg-type]  # texts: Airflow has two DagRunState
            run_ids=[run],
        )
        return self.defer(trigger=trigger, method_name="execute", timeout=self.longest)

    def resume_execution(
        self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context
    ) -> Any:
        """Go on when the trigger fired.

        Waiting once more for as long would not help: a timeout is final.
        """
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except TaskDeferralTimeout as error:
            raise AirflowFailException(
                f"The retraining did not end within {self.longest}. Remedy: look at the runs of"
                f" {self.retrain_dag}; when the retraining has ended, clear this task."
            ) from error


def _is_missing(error: AirflowRuntimeError) -> bool:
    return (error.error.detail or {}).get("status_code") == NOT_FOUND


def _note(context: Context) -> str:
    """Return the note that the retraining bears in Airflow's UI.

    Which drift run started it (Markdown).
    """
    run = context["dag_run"]
    path = airflow_path() + run_path(run.dag_id, run.run_id)
    return f"Started by [{run.dag_id}, run {run.run_id}]({path})."[:LONGEST_NOTE]
