"""The drift DAG: what every task promises, how they hang together, what a trigger may say."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.sdk.exceptions import ParamValidationError
from perennial_airflow.dags.drift import drift
from perennial_airflow.dags.model_dag import FIRST_RUN_GRACE
from perennial_airflow.places.step_operator import StepOperator
from perennial_airflow.retraining_operators import AwaitRetraining, StartRetraining

from tests.dags.specs import make_spec


@pytest.fixture(scope="module")
def dag():
    spec = make_spec("demo", drift="monthly")
    return drift(spec, spec.drift)


def test_the_dag_is_found_owned_and_explained(dag):
    assert dag.dag_id == "drift_demo"
    assert dag.tags == {"perennial", "drift", "demo", "binary"}
    assert {task.owner for task in dag.tasks} == {"tests-team"}
    for word in [
        "Is demo late?",
        "`window_end`",
        "`reason`",
        "2 batches",
        "3 days",
        "monthly",
        "retrain_demo",
        *dag.task_ids,
    ]:
        assert word in dag.doc_md
    assert "cleared, not triggered anew" in dag.doc_md


def test_it_runs_by_its_schedule_one_run_at_a_time_and_never_catches_up(dag):
    assert dag.timetable.summary == "0 0 1 * *"
    assert dag.catchup is False
    assert dag.max_active_runs == 1
    assert dag.is_paused_upon_creation is False
    assert dag.start_date is None
    grace = FIRST_RUN_GRACE.total_seconds()
    assert dag.timetable.serialize()["run_immediately"] == grace < 3_600, (
        "a new DAG would run at once for the interval before it was there"
    )


def test_cron_fields_are_a_schedule_too():
    spec = make_spec(drift='"0 3 * * 1"')
    assert drift(spec, spec.drift).timetable.summary == "0 3 * * 1"


def test_every_task_is_retried_with_backoff_and_ends_in_time(dag):
    for task in dag.tasks:
        assert task.retries >= 2, task.task_id
        assert task.retry_exponential_backoff > 1
        assert timedelta(0) < task.execution_timeout <= timedelta(hours=24)
    assert dag.get_task("await").execution_timeout == timedelta(hours=24)


def test_the_tasks_hang_together_as_their_requests_say(dag):
    assert {task.task_id: task.upstream_task_ids for task in dag.tasks} == {
        "ingest": set(),
        "validate": {"ingest"},
        "drift": {"ingest", "validate"},
        "decide": {"drift"},
        "start": {"decide"},
        "await": {"decide", "start"},
        "report": {"drift", "decide", "await"},
    }


def test_await_and_report_run_after_a_skipped_start_and_not_after_a_failed_one(dag):
    rules = {task.task_id: str(task.trigger_rule.value) for task in dag.tasks}
    assert {name for name, rule in rules.items() if rule == "none_failed"} == {"await", "report"}
    assert {rule for name, rule in rules.items() if name not in {"await", "report"}} == {
        "all_success"
    }


def test_the_requests_have_the_fields_that_the_steps_know(dag):
    from pipelines import messages

    for step in ["validate", "drift", "decide", "report"]:
        fields = {
            field.alias or name
            for name, field in getattr(messages, f"{step.title()}Request").model_fields.items()
        }
        assert {"run", *dag.get_task(step).request} == fields, step
    assert {"run", "now", "conf", *dag.get_task("ingest").request} == set(
        messages.IngestRequest.model_fields
    )
    assert dag.get_task("ingest").request == {"purpose": "drift"}


def test_nothing_that_a_trigger_sends_reaches_a_template(dag):
    for task in dag.tasks:
        assert tuple(task.template_fields) == ()
        assert type(task) in {StepOperator, StartRetraining, AwaitRetraining}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("window_end", None),
        ("window_end", "2013-05-01T00:00:00Z"),
        ("window_end", "2013-05-01T00:00"),
        ("reason", "look"),
    ],
)
def test_a_trigger_may_say(dag, name, value):
    assert dag.params.get_param(name).resolve(value) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("window_end", 20130501),
        ("window_end", "yesterday"),
        ("window_end", "{{ ds }}"),
        ("reason", None),
        ("reason", "x" * 501),
    ],
)
def test_a_trigger_may_not_say(dag, name, value):
    with pytest.raises(ParamValidationError):
        dag.params.get_param(name).resolve(value)


def test_the_form_can_be_sent_as_it_opens_and_explains_each_param(dag):
    assert dag.params["reason"]
    for name in dag.params:
        param = dag.params.get_param(name)
        assert param.description
        assert param.schema["title"]
