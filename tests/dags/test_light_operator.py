"""A task that was made fast is the one that Airflow's own way makes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.sdk import DAG, BaseOperator
from perennial_airflow.light_operator import LightOperator
from perennial_airflow.places.step_operator import StepOperator
from perennial_airflow.retraining_operators import AwaitRetraining, StartRetraining


class Templated(LightOperator):
    """Has what none of ours has: a field that Airflow fills in."""

    template_fields = ("text",)

    def __init__(self, *, text: object = "", **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.text = text


GIVEN = {
    StepOperator: {"step": "train", "model": "sales", "request": {"n": 1}, "candidate": "linear"},
    StartRetraining: {"model": "sales", "decision": {"start": False}},
    AwaitRetraining: {"model": "sales", "decision": {}, "longest": timedelta(hours=3)},
    Templated: {"text": "{{ ds }}"},
}
COMMON = {
    "retries": "3",
    "retry_delay": 10,
    "max_retry_delay": 60.0,
    "resources": {"cpus": 2},
    "weight_rule": "upstream",
    "priority_weight": 7,
    "pool": "narrow",
    "execution_timeout": timedelta(minutes=5),
    "trigger_rule": "none_failed",
    "doc_md": "what it does",
}
TIED = {"_dag", "task_group", "_BaseOperator__init_kwargs"}
"""Values that are of the one DAG, which the other task has not."""


def in_airflows_way(kind: type[LightOperator]) -> type[LightOperator]:
    """Return the same class, whose values are all set as Airflow sets them."""
    return type(kind.__name__, (kind,), {"__setattr__": BaseOperator.__setattr__})


def made(kind: type[LightOperator], name: str, **given: object) -> LightOperator:
    with DAG(name, schedule=None, auto_register=False):
        return kind(task_id="one", **GIVEN.get(kind, GIVEN.get(kind.__base__)), **given)


def values(task: LightOperator) -> dict[str, object]:
    """The task's values as texts, but for those of its DAG; with what it was made with."""
    given = {k: v for k, v in vars(task)["_BaseOperator__init_kwargs"].items() if k != "dag"}
    own = {k: v for k, v in vars(task).items() if k not in TIED}
    given.pop("task_group")
    return {name: repr(value) for name, value in {**own, "given": given}.items()}


@pytest.mark.parametrize("kind", GIVEN)
def test_every_value_is_the_one_that_airflow_would_have_set(kind):
    ours = made(kind, "ours", **COMMON)
    theirs = made(in_airflows_way(kind), "theirs", **COMMON)
    assert values(ours) == values(theirs)
    assert (ours.retries, ours.retry_delay) == (3, timedelta(seconds=10)), "they were converted"
    assert ours.dag.get_task("one") is ours


@pytest.mark.parametrize("kind", GIVEN)
def test_what_is_set_later_is_kept_among_what_the_task_was_made_with(kind):
    ours, theirs = made(kind, "ours"), made(in_airflows_way(kind), "theirs")
    for task in (ours, theirs):
        task.pool = "wide"
        task.retries = "5"
        task.task_display_name_of_nobody = 1
    assert values(ours) == values(theirs)


def test_a_field_that_is_set_later_brings_its_task_before():
    with DAG("later", schedule=None, auto_register=False):
        before = StepOperator(task_id="before", step="ingest", model="sales")
        after = Templated(task_id="after")
        assert after.upstream_task_ids == set()
        after.text = before.output
    assert after.upstream_task_ids == {"before"}


def test_a_value_that_airflow_takes_not_is_refused_as_ever():
    with pytest.raises(TypeError, match="retries"):
        made(StepOperator, "wrong", retries="many")
    with DAG("one", schedule=None, auto_register=False):
        task = StepOperator(task_id="one", step="ingest", model="sales")
    with pytest.raises(ValueError, match="can not be changed"):
        task.dag = DAG("other", schedule=None, auto_register=False)
