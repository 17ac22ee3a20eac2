"""What of the worker's settings and folders reaches a step's container."""

from __future__ import annotations

import pytest
from airflow.sdk.exceptions import AirflowSkipException
from perennial_airflow.places.docker import (
    DockerStepOperator,
    container_environment,
    container_mounts,
)

from pipelines.errors import GiveUp
from pipelines.steps.catalogue import STEPS
from tests.dags.places.worker_settings import settings

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
    "UV_DEFAULT_INDEX": "https://mirror.example/simple",
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
    got = container_environment(WORKER, settings(docker_state="perennial_state"), "train")
    assert got == {
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
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "DO_NOT_TRACK": "true",
    }


@pytest.mark.parametrize(
    ("step", "reaches"),
    [("gate", True), ("deploy", True), ("close", True), ("rollback", True), ("train", False)],
)
def test_only_what_deploys_reaches_the_engine_and_the_gateway(step, reaches):
    known = settings(docker_state="perennial_state", target="docker", docker_host="tcp://door:2375")
    got = container_environment(WORKER, known, step)
    assert (got.get("PERENNIAL_DOCKER_HOST"), got.get("PERENNIAL_GATEWAY")) == (
        ("tcp://door:2375", "/gateway") if reaches else (None, None)
    )
    targets = [
        (mount["Type"], mount["Source"], mount["Target"]) for mount in container_mounts(known, step)
    ]
    assert (
        targets
        == [("volume", "perennial_state", "/state"), ("volume", "perennial_gateway", "/gateway")][
            : 2 if reaches else 1
        ]
    )


@pytest.mark.parametrize("step", sorted(STEPS))
def test_only_the_packager_gets_the_key_that_signs(step):
    worker = {**WORKER, "PERENNIAL_SIGNING_KEY": "secret", "PERENNIAL_TRUST": "/mnt/trust"}
    known = settings(
        docker_state="perennial_state", docker_trust="perennial_trust", trust="/mnt/trust"
    )
    got = container_environment(worker, known, step)
    assert got.get("PERENNIAL_SIGNING_KEY") == ("secret" if step == "package" else None)
    assert got["PERENNIAL_TRUST"] == "/trust"
    (mount,) = (m for m in container_mounts(known, step) if m["Target"] == "/trust")
    assert (mount["Source"], mount["ReadOnly"]) == ("perennial_trust", True)


def test_without_a_volume_of_their_own_the_trusted_keys_are_in_the_state():
    known = settings(state="/srv/state", trust="/srv/state/keys")
    assert container_environment({}, known, "package")["PERENNIAL_TRUST"] == "/state/keys"
    assert [m["Target"] for m in container_mounts(known, "package")] == ["/state"]
    with pytest.raises(GiveUp, match="PERENNIAL_TRUST=/elsewhere is not below the state folder"):
        container_environment({}, settings(state="/srv/state", trust="/elsewhere"), "package")


def test_on_a_host_the_folders_are_bound():
    known = settings(
        state="/srv/state",
        target="docker",
        docker_host="tcp://127.0.0.1:2375",
        gateway="/srv/gateway",
    )
    assert [(m["Type"], m["Source"]) for m in container_mounts(known, "deploy")] == [
        ("bind", "/srv/state"),
        ("bind", "/srv/gateway"),
    ]
    assert container_environment({}, known, "deploy")["PERENNIAL_DOCKER_STATE"] == "/srv/state"


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
