"""The replay DAG: that a person starts it, what it promises and what a trigger may say."""

from __future__ import annotations

import pytest
from airflow.sdk.exceptions import ParamValidationError
from perennial_airflow.dags.replay import replay
from perennial_airflow.trigger import refusal

from tests.dags.specs import make_spec


@pytest.fixture(scope="module")
def dag():
    return replay(make_spec("demo"))


def test_the_dag_is_started_by_a_person_and_explained(dag):
    assert dag.dag_id == "replay_demo"
    assert dag.tags == {"perennial", "replay", "demo", "binary"}
    assert dag.task_ids == ["plan_replay", "prepare_replay", "replay"]
    assert not dag.timetable.can_be_scheduled
    assert (dag.catchup, dag.max_active_runs, dag.is_paused_upon_creation) == (False, 1, False)
    for word in ["Is demo late?", "`policies`", "perennial replay demo", "not touched", "per part"]:
        assert word in dag.doc_md


def test_one_task_is_mapped_over_the_parts_that_the_plan_gives_and_shows_their_names(dag):
    plan, prepare, replay = (dag.get_task(name) for name in dag.task_ids)
    assert (plan.gives, prepare.is_mapped) == ("parts", True)
    assert list(prepare.expand_input.value) == ["part"]
    assert prepare.upstream_task_ids == {"plan_replay"}
    assert replay.upstream_task_ids == {"prepare_replay"}
    assert prepare.partial_kwargs["map_index_template"] == "{{ task.part.name }}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("start", None),
        ("end", "2024-01-05T00:00:00Z"),
        ("policies", [{"name": "yearly", "every": 12}]),
        ("reason", "x"),
    ],
)
def test_a_trigger_may_say(dag, name, value):
    assert dag.params.get_param(name).resolve(value) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [("start", "soon"), ("policies", "never"), ("policies", ["never"]), ("reason", 7)],
)
def test_a_trigger_may_not_say(dag, name, value):
    with pytest.raises(ParamValidationError):
        dag.params.get_param(name).resolve(value)


def test_an_unknown_key_is_refused_at_the_trigger():
    words = refusal("replay_demo", {"policy": []}, lambda: ["demo"])
    assert "did you mean 'policies'?" in words
