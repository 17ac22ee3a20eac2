"""The prove DAG: when it runs, what it promises and what a trigger may say."""

from __future__ import annotations

import pytest
from airflow.sdk.exceptions import ParamValidationError
from perennial_airflow.dags.prove import prove

from pipelines.spec.prove import Prove
from tests.dags.specs import make_spec


@pytest.fixture(scope="module")
def dag():
    return prove(make_spec("demo"))


def test_the_dag_is_found_weekly_and_explained(dag):
    assert dag.dag_id == "prove_demo"
    assert dag.tags == {"perennial", "prove", "demo", "binary"}
    assert dag.task_ids == ["prove"]
    assert dag.timetable.summary == "0 0 * * 0"
    assert (dag.catchup, dag.max_active_runs, dag.is_paused_upon_creation) == (False, 1, False)
    for word in ["Is demo late?", "`version`", "`reason`", "perennial rebuild demo", "red"]:
        assert word in dag.doc_md


def test_a_spec_says_when_or_that_only_a_person_starts_it():
    spec = make_spec("demo")
    by_hand = prove(spec.model_copy(update={"prove": Prove(schedule=None)}))
    assert not by_hand.timetable.can_be_scheduled
    assert "without a schedule" in by_hand.doc_md
    daily = prove(spec.model_copy(update={"prove": Prove(schedule="30 4 * * *")}))
    assert daily.timetable.summary == "30 4 * * *"


@pytest.mark.parametrize(("name", "value"), [("version", None), ("version", "12"), ("reason", "x")])
def test_a_trigger_may_say(dag, name, value):
    assert dag.params.get_param(name).resolve(value) == value


@pytest.mark.parametrize(("name", "value"), [("version", 1), ("version", "x" * 51), ("reason", 7)])
def test_a_trigger_may_not_say(dag, name, value):
    with pytest.raises(ParamValidationError):
        dag.params.get_param(name).resolve(value)
