"""Starting a retraining, once, and waiting for it.

What Airflow is asked for, by what the retrain DAG is found to be.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowRuntimeError,
    AirflowSkipException,
    DagRunTriggerException,
    ErrorType,
    TaskDeferralError,
    TaskDeferred,
)
from airflow.sdk.execution_time.comms import ErrorResponse
from perennial_airflow.retraining_operators import WAIT, AwaitRetraining, StartRetraining

RUN = "drift__demo__2024-01-04T00:00:00Z"
YES = {
    "start": True,
    "why": "the window drifted",
    "run_id": RUN,
    "conf": {"as_of": "2024-01-04T00:00:00Z", "reason": "{{ 7 * 7 }}"},
}
NO = {"start": False, "why": "cooldown: 7 days must lie between them", "run_id": "", "conf": {}}


def refusal(status: int | None) -> AirflowRuntimeError:
    return AirflowRuntimeError(
        ErrorResponse(
            error=ErrorType.API_SERVER_ERROR, detail={"status_code": status, "message": "no"}
        )
    )


class Instance:
    """A task instance before an Airflow with these DAGs (by id: paused) and runs (by DAG and id:
    state)."""

    def __init__(
        self,
        dags: dict[str, bool],
        runs: dict[tuple[str, str], str] | None = None,
        *,
        away: bool = False,
    ) -> None:
        self.dags = dags
        self.runs = runs or {}
        self.away = away

    def get_dag(self, dag_id: str) -> SimpleNamespace:
        if dag_id not in self.dags:
            raise refusal(404)
        return SimpleNamespace(is_paused=self.dags[dag_id])

    def get_dagrun_state(self, dag_id: str, run_id: str) -> str:
        if self.away:
            raise refusal(None)
        if (dag_id, run_id) not in self.runs:
            raise refusal(404)
        return self.runs[dag_id, run_id]


def context(instance: Instance) -> dict:
    return {
        "ti": instance,
        "run_id": "w",
        "dag_run": SimpleNamespace(
            dag_id="drift_demo", run_id="scheduled__2024-01-04T00:00:00+00:00"
        ),
    }


def start(decided: dict, instance: Instance) -> StartRetraining:
    task = StartRetraining(task_id="start", model="demo", decision=decided)
    task.execute(context(instance))
    return task


def wait(decided: dict, instance: Instance) -> dict:
    return AwaitRetraining(task_id="await", model="demo", decision=decided).execute(
        context(instance)
    )


AWAKE = {"retrain_demo": False}


def test_a_run_is_asked_for_under_the_name_that_decide_gave_it():
    with pytest.raises(DagRunTriggerException) as raised:
        start(YES, Instance(AWAKE))
    exception = raised.value
    assert (exception.trigger_dag_id, exception.dag_run_id, exception.conf) == (
        "retrain_demo",
        RUN,
        YES["conf"],
    )
    assert exception.skip_when_already_exists, "a copy of the task that was faster is no failure"
    assert not exception.reset_dag_run, "a run that is there is never cleared by machine"
    assert not exception.wait_for_completion
    there = "/dags/drift_demo/runs/scheduled__2024-01-04T00%3A00%3A00%2B00%3A00"
    assert (
        exception.note
        == f"Started by [drift_demo, run scheduled__2024-01-04T00:00:00+00:00]({there})."
    )


@pytest.mark.parametrize("state", ["queued", "running", "success", "failed"])
def test_a_run_that_is_there_is_fine_and_no_second_one_is_asked_for(state):
    assert start(YES, Instance(AWAKE, {("retrain_demo", RUN): state})).retraining == RUN


def test_where_decide_says_no_start_is_skipped_with_the_reason():
    with pytest.raises(AirflowSkipException, match="cooldown: 7 days"):
        start(NO, Instance({}))


@pytest.mark.parametrize(
    ("dags", "runs", "words"),
    [
        pytest.param(
            {"retrain_demo": True},
            {},
            r"The DAG retrain_demo is paused.*unpause retrain_demo.*clear this task",
            id="paused",
        ),
        pytest.param(
            {"retrain_demo": True},
            {("retrain_demo", RUN): "queued"},
            "is paused",
            id="paused, with the run queued for ever",
        ),
        pytest.param(
            {}, {}, r"There is no DAG retrain_demo.*models/demo/model\.yaml", id="missing"
        ),
    ],
)
def test_a_dag_that_cannot_run_is_an_error_with_its_remedy_that_no_retry_repeats(dags, runs, words):
    with pytest.raises(AirflowFailException, match=words):
        start(YES, Instance(dags, runs))


def test_a_retraining_that_has_ended_needs_no_dag_that_is_awake():
    assert (
        start(YES, Instance({"retrain_demo": True}, {("retrain_demo", RUN): "success"})).retraining
        == RUN
    )


@pytest.mark.parametrize("task", [start, wait])
def test_an_airflow_that_is_away_is_tried_again(task):
    with pytest.raises(AirflowRuntimeError):
        task(YES, Instance(AWAKE, away=True))


@pytest.mark.parametrize("state", ["success", "failed"])
def test_waiting_ends_with_the_runs_state(state):
    assert wait(YES, Instance(AWAKE, {("retrain_demo", RUN): state})) == {
        "run_id": RUN,
        "state": state,
    }


def test_waiting_holds_no_worker_and_ends_some_day():
    with pytest.raises(TaskDeferred) as deferred:
        wait(YES, Instance(AWAKE, {("retrain_demo", RUN): "queued"}))
    name, state = deferred.value.trigger.serialize()
    assert name.endswith("DagStateTrigger")
    assert (state["dag_id"], state["run_ids"], state["states"]) == (
        "retrain_demo",
        [RUN],
        ["success", "failed"],
    )
    assert (deferred.value.method_name, deferred.value.timeout) == ("execute", WAIT)


def test_when_the_trigger_fires_the_run_is_looked_at_again():
    task = AwaitRetraining(task_id="await", model="demo", decision=YES)
    ended = Instance(AWAKE, {("retrain_demo", RUN): "failed"})
    assert task.resume_execution("execute", {"event": ["...", {}]}, context(ended)) == {
        "run_id": RUN,
        "state": "failed",
    }


def test_where_decide_says_no_nothing_is_waited_for():
    with pytest.raises(AirflowSkipException, match="cooldown"):
        wait(NO, Instance({}))


def test_a_run_that_was_deleted_is_not_waited_for():
    with pytest.raises(
        AirflowFailException, match=rf"{RUN} of retrain_demo is not there.*clear `start`"
    ):
        wait(YES, Instance(AWAKE))


def test_a_retraining_that_does_not_end_is_given_up_for_good_and_a_lost_trigger_is_not():
    task = AwaitRetraining(task_id="await", model="demo", decision=YES)
    with pytest.raises(AirflowFailException, match=r"did not end within 1 day.*retrain_demo"):
        task.resume_execution("__fail__", {"error": "Trigger timeout"}, context(Instance(AWAKE)))
    with pytest.raises(TaskDeferralError):
        task.resume_execution("__fail__", {"error": "Trigger failure"}, context(Instance(AWAKE)))
