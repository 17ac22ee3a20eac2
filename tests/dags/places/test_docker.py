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
from airflow.sdk.exceptions import AirflowSkipException
from perennial_airflow.dags.retrain import retrain
from perennial_airflow.places.docker import (
    DockerStepOperator,
    container_environment,
    container_mounts,
    container_name,
)
from perennial_airflow.places.process import Process
from perennial_airflow.places.step_operator import StepOperator

from pipelines.errors import GiveUp
from pipelines.settings import load_settings
from pipelines.steps.catalogue import STEPS
from tests.dags.specs import make_spec, spec_text

ROOT = Path(__file__).resolve().parents[3]
RESOURCES = "resources: {memory: 2g, cpus: 1.5, network: warehouse, serving: {memory: 256m}}\n"


def settings(**given: str):
    return load_settings(
        {
            "PERENNIAL_HOME": "/home/x",
            **{f"PERENNIAL_{name.upper()}": value for name, value in given.items()},
        }
    )


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


WORKER = {
    "PERENNIAL_HOME": "/opt/perennial",
    "PERENNIAL_STATE": "/mnt/state",
    "PERENNIAL_PLACE": "docker",
    "PERENNIAL_GATEWAY": "/mnt/gateway",
    "PERENNIAL_DOCKER_HOST": "tcp://door:2375",
    "PERENNIAL_MLFLOW_URI": "http://mlflow:5000",
    "PERENNIAL_LEDGER_URL": "postgresql://u:p@db/ledger",
    "PERENNIAL_SQL_SHOP": "postgresql://u:p@db/shop",
    "MLFLOW_TRACKING_PASSWORD": "secret",
    "DO_NOT_TRACK": "true",
    "AIRFLOW__CORE__FERNET_KEY": "not theirs",
    "PATH": "/opt/airflow/bin",
}


@pytest.mark.parametrize(
    "name",
    [
        "PERENNIAL_SECRET_MLFLOW",
        "PERENNIAL_SECRET_AIRFLOW_FERNET",
        "PERENNIAL_SECRETS_FILE",
        "PERENNIAL_PROJECT",
        "PERENNIAL_BIND",
    ],
)
def test_what_only_compose_needs_is_not_handed_on(name):
    assert name not in container_environment(
        {**WORKER, name: "x"}, settings(docker_state="perennial_state"), "deploy"
    )


def test_a_step_gets_the_workers_settings_and_secrets_but_its_own_folders():
    environment = container_environment(WORKER, settings(docker_state="perennial_state"), "train")
    assert environment == {
        "HOME": "/tmp",
        "USER": "perennial",
        "LOGNAME": "perennial",
        "PERENNIAL_STATE": "/state",
        "PERENNIAL_DOCKER_STATE": "perennial_state",
        **{
            name: WORKER[name]
            for name in ("PERENNIAL_MLFLOW_URI", "PERENNIAL_LEDGER_URL", "PERENNIAL_SQL_SHOP")
        },
        "MLFLOW_TRACKING_PASSWORD": "secret",
        "DO_NOT_TRACK": "true",
    }


@pytest.mark.parametrize(
    ("step", "reaches"),
    [("gate", True), ("deploy", True), ("close", True), ("rollback", True), ("train", False)],
)
def test_only_what_deploys_reaches_the_engine_and_the_gateway(step, reaches):
    own_settings = settings(
        docker_state="perennial_state", target="docker", docker_host="tcp://door:2375"
    )
    environment = container_environment(WORKER, own_settings, step)
    assert (environment.get("PERENNIAL_DOCKER_HOST"), environment.get("PERENNIAL_GATEWAY")) == (
        ("tcp://door:2375", "/gateway") if reaches else (None, None)
    )
    targets = [
        (mount["Type"], mount["Source"], mount["Target"])
        for mount in container_mounts(own_settings, step)
    ]
    assert (
        targets
        == [("volume", "perennial_state", "/state"), ("volume", "perennial_gateway", "/gateway")][
            : 2 if reaches else 1
        ]
    )


def test_on_a_host_the_folders_are_bound():
    own_settings = settings(
        state="/srv/state",
        target="docker",
        docker_host="tcp://127.0.0.1:2375",
        gateway="/srv/gateway",
    )
    assert [(m["Type"], m["Source"]) for m in container_mounts(own_settings, "deploy")] == [
        ("bind", "/srv/state"),
        ("bind", "/srv/gateway"),
    ]
    assert (
        container_environment({}, own_settings, "deploy")["PERENNIAL_DOCKER_STATE"] == "/srv/state"
    )


def test_a_store_below_the_state_is_found_in_the_container_too():
    assert (
        container_environment(
            {}, settings(state="/srv/state", store="/srv/state/objects"), "train"
        )["PERENNIAL_STORE"]
        == "/state/objects"
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param(
            {"store": "/elsewhere"},
            "PERENNIAL_STORE=/elsewhere is not below the state folder",
            id="a store elsewhere",
        ),
        pytest.param(
            {"target": "docker"},
            "cannot deploy containers over the engine's own socket",
            id="the raw socket",
        ),
    ],
)
def test_what_a_container_cannot_reach_is_refused_at_the_first_step(given, words):
    with pytest.raises(GiveUp, match=words):
        container_environment(
            {},
            settings(state="/srv/state", docker_host="unix:///var/run/docker.sock", **given),
            "ingest",
        )


def test_a_container_is_not_even_made_for_a_step_that_is_skipped():
    task = DockerStepOperator(
        task_id="package",
        step="package",
        model="demo",
        request={"gate": {"verdict": "refuse", "reasons": ["too weak"]}},
        skip_unless={"gate": {"verdict": "promote"}},
        settings=settings(docker_host="unix:///no/engine"),
    )
    with pytest.raises(AirflowSkipException, match="too weak"):
        task.execute({"run_id": "r"})


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
