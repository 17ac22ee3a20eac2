"""The retrain DAG: what every task promises, how they hang together, what a trigger may say."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.sdk.exceptions import ParamValidationError
from perennial_airflow.dags.retrain import retrain
from perennial_airflow.places.step_operator import StepOperator

from tests.dags.specs import make_spec


@pytest.fixture(scope="module")
def dag():
    return retrain(make_spec("demo"))


def test_the_dag_is_found_owned_and_explained(dag):
    assert dag.dag_id == "retrain_demo"
    assert dag.tags == {"perennial", "retrain", "demo", "binary"}
    assert {task.owner for task in dag.tasks} == {"tests-team"}
    for word in [
        "Is demo late?",
        "`as_of`",
        "`reason`",
        "`force`",
        "linear, baseline",
        "expectations/demo.json",
        *dag.task_ids,
    ]:
        assert word in dag.doc_md


def test_it_runs_when_asked_one_run_at_a_time_and_never_catches_up(dag):
    assert not dag.timetable.can_be_scheduled
    assert dag.catchup is False
    assert dag.max_active_runs == 1
    assert dag.is_paused_upon_creation is False, "a run of a paused DAG waits for ever"
    assert dag.start_date is None


@pytest.mark.parametrize(
    ("schedule", "cron"),
    [("hourly", "0 * * * *"), ("monthly", "0 0 1 * *"), ('"0 3 * * MON"', "0 3 * * MON")],
)
def test_it_runs_by_the_specs_schedule_where_there_is_one(schedule, cron):
    assert retrain(make_spec(schedule=schedule)).timetable.summary == cron


def test_every_task_is_retried_with_backoff_and_ends_in_time(dag):
    for task in dag.tasks:
        assert task.retries >= 2, task.task_id
        assert task.retry_exponential_backoff > 1
        assert timedelta(0) < task.retry_delay <= task.max_retry_delay <= timedelta(minutes=10)
        assert timedelta(0) < task.execution_timeout <= timedelta(hours=6)


def test_the_tasks_hang_together_as_their_requests_say(dag):
    upstream = {task.task_id: task.upstream_task_ids for task in dag.tasks}
    assert upstream == {
        "ingest": set(),
        "validate": {"ingest"},
        "features": {"ingest", "validate"},
        "train": {"features"},
        "gate": {"features", "train"},
        "package": {"features", "train", "gate"},
        "deploy": {"gate", "package"},
        "close": {"features", "train", "gate", "deploy"},
    }


def test_the_requests_have_the_fields_that_the_steps_know():
    from pipelines import messages

    dag = retrain(make_spec("demo", gate=", approval: required"))
    for step in ["validate", "features", "gate", "approve", "package", "deploy", "close"]:
        model = getattr(messages, f"{step.title()}Request")
        names = {field.alias or name for name, field in model.model_fields.items()}
        assert {"run", *dag.get_task(step).request} == names, step
    assert {"run", "candidate", *dag.get_task("train").partial_kwargs["request"]} == set(
        messages.TrainRequest.model_fields
    )


def test_one_task_is_mapped_over_the_candidates_and_shows_their_names(dag):
    train = dag.get_task("train")
    assert train.expand_input.value == {"candidate": ["linear", "baseline"]}
    assert train.partial_kwargs["map_index_template"] == "{{ task.candidate }}"


def test_only_a_promotion_is_packaged(dag):
    assert dag.get_task("package").skip_unless == {"gate": {"verdict": "promote"}}


def test_the_end_in_the_registry_runs_always_and_does_not_decide_how_the_run_ended(dag):
    close = dag.get_task("close")
    assert close.is_teardown
    assert close.on_failure_fail_dagrun is False
    assert close.trigger_rule.value == "all_done_setup_success"


def test_nothing_that_a_trigger_sends_reaches_a_template(dag):
    for task in dag.tasks:
        assert tuple(task.template_fields) == ()
        assert getattr(task, "operator_class", type(task)) is StepOperator


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("as_of", None),
        ("as_of", "2013-05-01T00:00:00Z"),
        ("as_of", "2013-05-01T00:00:00.000+02:00"),
        ("as_of", "2013-05-01T00:00"),
        ("reason", "drift: 3 columns"),
        ("force", True),
    ],
)
def test_a_trigger_may_say(dag, name, value):
    assert dag.params.get_param(name).resolve(value) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("as_of", 20130501),
        ("as_of", "yesterday"),
        ("as_of", "2013-05-01; rm -rf /"),
        ("as_of", "{{ ds }}"),
        ("reason", None),
        ("reason", "x" * 501),
        ("force", "True"),
        ("force", 1),
    ],
)
def test_a_trigger_may_not_say(dag, name, value):
    with pytest.raises(ParamValidationError):
        dag.params.get_param(name).resolve(value)


def test_the_form_explains_each_param(dag):
    for name in dag.params:
        param = dag.params.get_param(name)
        assert param.description
        assert param.schema["title"]


def test_the_form_can_be_sent_as_it_opens(dag):
    """Airflow's UI wants a value for a text, and lets no run start without."""
    assert dag.params["reason"]


def test_a_runs_params_do_not_leak_into_another_models_dag():
    first, second = retrain(make_spec("one")), retrain(make_spec("two"))
    first.params.get_param("reason").resolve("mine")
    assert second.params["reason"] != "mine"


def test_a_run_s_params_are_the_dag_s_and_no_task_has_a_copy():
    """Airflow checks the schema of each copy at every parse: it took most of a fleet's time."""
    dag = retrain(make_spec())
    assert set(dag.params) == {"as_of", "reason", "force", "first"}
    assert not any(task.params for task in dag.tasks)


def test_a_dag_has_the_tags_of_its_model():
    from pipelines.spec import parse_spec
    from tests.dags.specs import spec_text

    text = spec_text("demo") + "tags: [germany, binary]\n"
    found = retrain(parse_spec(text.encode(), "models/demo/model.yaml")).tags
    assert set(found) == {"perennial", "retrain", "demo", "binary", "germany"}
