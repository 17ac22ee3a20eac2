"""What a step's container is made of, without an engine.

Its name, its environment, its mounts, its limits.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.providers.docker.operators.docker import DockerOperator
from airflow.sdk import DAG
from perennial_airflow.dags.retrain import retrain
from perennial_airflow.places.docker import DockerStepOperator, container_name
from perennial_airflow.places.process import Process
from perennial_airflow.places.step_operator import StepOperator

from pipelines.steps.catalogue import STEPS
from tests.dags.places.worker_settings import settings
from tests.dags.specs import make_spec, spec_text

ROOT = Path(__file__).resolve().parents[3]
RESOURCES = "resources: {memory: 2g, cpus: 1.5, network: warehouse, serving: {memory: 256m}}\n"


def spec(more: str = ""):
    from pipelines.spec import parse_spec

    return parse_spec((spec_text("demo") + more).encode(), "models/demo/model.yaml")


@pytest.fixture
def dags(monkeypatch):
    """The same model's retrain DAG in both places."""
    one = retrain(make_spec("demo"))
    monkeypatch.setenv("PERENNIAL_PLACE", "docker")
    return one, retrain(spec(RESOURCES))


def test_the_setting_chooses_the_place_and_nothing_else_of_the_dag_changes(dags):
    one, other = dags
    assert all(issubclass(_class(task), DockerOperator) for task in other.tasks)
    assert not any(issubclass(_class(task), DockerOperator) for task in one.tasks)
    assert one.task_ids == other.task_ids
    for task in one.tasks:
        twin = other.get_task(task.task_id)
        for name in (
            "upstream_task_ids",
            "trigger_rule",
            "execution_timeout",
            "retries",
            "is_mapped",
            "is_teardown",
            "operator_extra_links",
        ):
            assert getattr(task, name) == getattr(twin, name), (task.task_id, name)
    assert other.get_task("train").execution_timeout == STEPS["train"].timeout
    assert other.get_task("package").skip_unless == one.get_task("package").skip_unless


def test_the_limits_of_the_spec_reach_every_task_the_mapped_ones_too(dags):
    limits = {"memory": "2g", "cpus": 1.5, "network": "warehouse"}
    for task in dags[1].tasks:
        assert (task.partial_kwargs["limits"] if task.is_mapped else task.limits) == limits, (
            task.task_id
        )
    task = dags[1].get_task("gate")
    assert (task.mem_limit, task.network_mode) == ("2g", "warehouse")


def test_what_airflow_keeps_of_the_dag_holds_no_setting_of_the_worker(monkeypatch):
    from airflow.serialization.serialized_objects import DagSerialization

    monkeypatch.setenv("PERENNIAL_PLACE", "docker")
    monkeypatch.setenv("PERENNIAL_LEDGER_URL", "postgresql://u:hunter2@db/ledger")
    assert "hunter2" not in json.dumps(DagSerialization.to_dict(retrain(make_spec("demo"))))


def test_no_field_is_a_template():
    assert tuple(DockerStepOperator.template_fields) == tuple(DockerStepOperator.template_ext) == ()


@pytest.mark.parametrize(("place", "found"), [("process", False), ("docker", True)])
def test_the_engines_library_is_loaded_only_where_it_is_needed(place, found):
    code = (
        "import sys\nfrom perennial_airflow.dags.retrain import retrain\nfrom tests.dags.specs"
        " import make_spec\nretrain(make_spec())\nprint('docker' in sys.modules)"
    )
    environ = {
        **os.environ,
        "PERENNIAL_PLACE": place,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'plugins'}",
    }
    process = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True
    )
    assert process.stdout.splitlines()[-1] == str(found)


def test_a_name_says_whose_it_is_and_shows_nothing_of_what_a_run_is_called():
    name = container_name(
        settings(), "demo", "train", "retrain_demo", 'x"; $(id) {{ 7 * 7 }} ../\n', 3
    )
    assert name.startswith("perennial-step-demo-train-")
    assert set(name.removeprefix("perennial-step-demo-train-")) <= set("0123456789abcdef")
    assert len(name) == len("perennial-step-demo-train-") + 12


def test_what_runs_beside_each_other_has_names_of_its_own():
    one = ("retrain_demo", "run 1", 0)
    told = [
        one,
        ("drift_demo", "run 1", 0),
        ("retrain_demo", "run 2", 0),
        ("retrain_demo", "run 1", 1),
    ]
    names = [container_name(settings(), "demo", "ingest", *run) for run in told]
    names.append(container_name(settings(docker_state="staging_state"), "demo", "ingest", *one))
    assert len(set(names)) == len(names)
    assert container_name(settings(), "demo", "ingest", *one) == names[0]


def test_the_step_part_is_the_same_in_any_place(command):
    """The operator of the place `docker`, with a process for its place."""
    task = DockerStepOperator(
        task_id="ingest",
        step="ingest",
        model="demo",
        place=Process(command("record(request)")),
        settings=settings(),
    )
    run = SimpleNamespace(
        conf={"reason": "x"},
        run_type="manual",
        run_after=datetime(2024, 5, 1, 12, tzinfo=UTC),
        data_interval_end=None,
    )
    assert task.execute({"run_id": "r", "dag_run": run}) == {
        "run": "r",
        "now": "2024-05-01T12:00:00Z",
        "conf": {"reason": "x"},
    }


def test_a_mapped_task_becomes_an_operator_with_its_candidate_and_limits():
    with DAG("demo", schedule=None):
        mapped = DockerStepOperator.partial(
            task_id="train", step="train", model="demo", limits={"memory": "1g"}
        ).expand(candidate=["a", "b"])
    task = mapped.unmap({"candidate": "b"})
    assert isinstance(task, StepOperator)
    assert (task.candidate, task.limits, task.mem_limit) == ("b", {"memory": "1g"}, "1g")


def _class(task):
    return task.operator_class if task.is_mapped else type(task)
