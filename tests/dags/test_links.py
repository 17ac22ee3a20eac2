"""The links of tasks: where they lead, and that Airflow keeps them for mapped tasks too."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from airflow.serialization.serialized_objects import DagSerialization
from perennial_airflow.dags.drift import drift
from perennial_airflow.dags.retrain import retrain
from perennial_airflow.places.step_operator import StepOperator
from perennial_airflow.retraining_operators import StartRetraining

from tests.dags.specs import make_spec

RUN = "scheduled__2024-01-04T00:00:00+00:00"
QUOTED = "scheduled__2024-01-04T00%3A00%3A00%2B00%3A00"


def kept(dag) -> dict[str, set[str]]:
    """The names of the links by task, as Airflow's server knows them."""
    tasks = DagSerialization.to_dict(dag)["dag"]["tasks"]
    return {
        task["__var"]["task_id"]: set(task["__var"].get("_operator_extra_links") or {})
        for task in tasks
    }


def link(task, name: str, dag: str = "retrain_demo") -> str | None:
    [page_link] = [each for each in task.operator_extra_links if each.name == name]
    return page_link.get_link(task, ti_key=SimpleNamespace(run_id=RUN, dag_id=dag))


def step(name: str, *, result: dict | None = None, fields: dict | None = None) -> StepOperator:
    task = StepOperator(task_id=name, step=name, model="demo")
    task.result, task.fields = result or {}, fields or {}
    return task


@pytest.fixture
def tracked(monkeypatch):
    """A tracking server with a web address, as the stack says it in the environment of every
    task."""
    monkeypatch.setenv("PERENNIAL_MLFLOW_URI", "http://127.0.0.1:5000/")


def test_every_task_that_has_something_to_show_links_to_it():
    assert kept(retrain(make_spec("demo"))) == {
        "ingest": set(),
        "validate": {"Page"},
        "features": {"Profile", "MLflow run"},
        "train": {"MLflow run"},
        "gate": {"Page", "Model card", "Comparison", "MLflow run"},
        "package": {"Against the champion", "MLflow run"},
        "deploy": {"MLflow run", "Model's history"},
        "close": {"MLflow run", "Model's history"},
    }
    spec = make_spec("demo", drift="daily")
    assert kept(drift(spec, spec.drift)) == {
        "ingest": set(),
        "validate": {"Page"},
        "drift": {"Page", "Evidently", "MLflow run"},
        "decide": {"Model's history"},
        "start": {"Retraining run", "Model's history"},
        "await": {"Retraining run", "Model's history"},
        "report": {"Page", "Retraining run", "Model's history"},
    }


@pytest.mark.parametrize(
    ("name", "title", "kind"),
    [
        ("validate", "Page", "validation"),
        ("gate", "Page", "verdict"),
        ("drift", "Page", "drift"),
        ("drift", "Evidently", "evidently"),
        ("features", "Profile", "profile"),
        ("gate", "Comparison", "comparison"),
        ("package", "Against the champion", "versions"),
    ],
)
def test_a_page_is_linked_even_when_the_task_failed(name, title, kind):
    assert link(step(name), title) == f"/perennial/pages/demo/{kind}/{QUOTED}"


def test_a_card_is_linked_where_a_version_was_registered():
    card = f"/perennial/pages/demo/card/{QUOTED}"
    assert link(step("gate", result={"version": "3"}), "Model card") == card
    assert link(step("approve", fields={"gate": {"version": "3"}}), "Model card") == card
    for task in (step("gate"), step("gate", result={"version": ""}), step("approve")):
        assert link(task, "Model card") is None


def test_the_validation_of_a_drift_run_is_another_page_than_that_of_a_retraining_of_the_same_name():
    assert (
        link(step("validate"), "Page", "drift_demo")
        == f"/perennial/pages/demo/validation/drift%3A{QUOTED}"
    )
    assert link(step("drift"), "Page", "drift_demo") == f"/perennial/pages/demo/drift/{QUOTED}"


@pytest.mark.parametrize(
    ("task", "run"),
    [
        pytest.param(step("features", result={"parent_run": "aa"}), "aa", id="features"),
        pytest.param(step("train", result={"run_id": "bb"}), "bb", id="train"),
        pytest.param(step("drift", result={"run_id": "cc"}), "cc", id="drift"),
        pytest.param(
            step("deploy", fields={"gate": {"run_id": "dd"}}), "dd", id="deploy: the challenger's"
        ),
        pytest.param(
            step("close", fields={"features": {"parent_run": "ee"}}), "ee", id="close: the run's"
        ),
    ],
)
def test_the_mlflow_run_is_the_one_that_the_step_names(tracked, task, run):
    assert link(task, "MLflow run") == f"/perennial/mlflow/demo/{run}"


@pytest.mark.parametrize(
    "task",
    [
        step("gate"),
        step("gate", result={"run_id": ""}),
        step("close"),
        step("close", fields={"features": None}),
    ],
)
def test_a_step_that_got_to_no_mlflow_run_links_to_none(tracked, task):
    assert link(task, "MLflow run") is None


def test_a_tracking_database_without_a_server_has_no_pages(monkeypatch):
    monkeypatch.setenv("PERENNIAL_MLFLOW_URI", "sqlite:////somewhere/mlflow.db")
    assert link(step("train", result={"run_id": "aa"}), "MLflow run") is None


def test_the_retraining_is_linked_where_there_is_one():
    task = StartRetraining(task_id="start", model="demo", decision={})
    assert link(task, "Retraining run") is None
    task.retraining = "drift__demo__2024-01-04T00:00:00Z"
    there = "/dags/retrain_demo/runs/drift__demo__2024-01-04T00%3A00%3A00Z"
    assert link(task, "Retraining run") == there
    assert (
        link(
            step("report", fields={"decide": {"start": True, "run_id": task.retraining}}),
            "Retraining run",
        )
        == there
    )
    assert (
        link(step("report", fields={"decide": {"start": False, "run_id": ""}}), "Retraining run")
        is None
    )


def test_links_hold_where_airflow_is_served_below_a_path(monkeypatch):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://mlops.example.org/airflow/")
    assert link(step("deploy"), "Model's history") == "/airflow/perennial/models/demo"
