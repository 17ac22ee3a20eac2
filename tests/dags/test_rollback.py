"""The rollback DAG: what it promises and what a trigger may say."""

from __future__ import annotations

import pytest
from airflow.sdk.exceptions import ParamValidationError
from perennial_airflow.dags.rollback import rollback

from tests.dags.specs import make_spec


@pytest.fixture(scope="module")
def dag():
    return rollback(make_spec("demo"))


def test_the_dag_is_found_owned_and_explained(dag):
    assert dag.dag_id == "rollback_demo"
    assert dag.tags == {"perennial", "rollback", "demo", "binary"}
    assert dag.task_ids == ["rollback"]
    assert not dag.timetable.can_be_scheduled
    assert dag.max_active_runs == 1
    assert dag.is_paused_upon_creation is False
    for word in ["Is demo late?", "`to`", "`reason`", "perennial rollback demo", "retrain_demo"]:
        assert word in dag.doc_md


@pytest.mark.parametrize(
    ("name", "value"), [("to", None), ("to", 7), ("reason", "wrong prices; rm -rf / {{ ds }}")]
)
def test_a_trigger_may_say(dag, name, value):
    assert dag.params.get_param(name).resolve(value) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [("to", "1"), ("to", 0), ("to", 1.5), ("to", "../3"), ("reason", "x" * 501), ("reason", None)],
)
def test_a_trigger_may_not_say(dag, name, value):
    with pytest.raises(ParamValidationError):
        dag.params.get_param(name).resolve(value)
