"""A person in every part of the composed stack: erased by one command, and found nowhere."""

from __future__ import annotations

import contextlib
import json

import httpx
import pytest

from tests.docker.composed import FIRST_RUN, RETRAIN, as_json
from tests.docker.sales import ROW

pytestmark = [pytest.mark.engine, pytest.mark.long, pytest.mark.timeout(1200)]

PERSON = "0-17"
"""A visit of the first day: the rows that other tests of this stack learn from later lack it."""
TOLD = (
    "INSERT INTO xcom (dag_run_id, task_id, map_index, key, dag_id, run_id, value, timestamp)"
    " SELECT dag_run_id, task_id, map_index, 'slices', dag_id, run_id,"
    f" '[\"visit = {PERSON}\"]', timestamp FROM xcom WHERE dag_id = '{RETRAIN}'"
    f" AND run_id = '{FIRST_RUN}' AND task_id = 'gate' AND key = 'return_value'"
)
"""By SQL: Airflow's REST would note the request in its own journal."""
PSQL = (
    'PGPASSWORD="$POSTGRES_PASSWORD" psql -h 127.0.0.1 -U postgres -d airflow -v ON_ERROR_STOP=1'
    ' -c "$0"'
)
LOGS = f"/airflow/logs/dag_id={RETRAIN}/run_id={FIRST_RUN}/task_id=gate"
APPEND = (  # a stack that was lost and restored has no logs of before
    f"mkdir -p '{LOGS}' &&"
    f" echo '{{\"event\": \"slice visit = {PERSON}\"}}' >> '{LOGS}/attempt=1.log'"
)


def ask_as(up):
    """Let the person be asked about: the inference log holds their key."""
    body = {"row": ROW, "key": PERSON}
    with up.client() as client:
        assert client.post("/models/sales/predict", json=body).status_code == 200


def tell_airflow(up):
    """Let a result of a task and a line of its log name the person."""
    for service, *command in (
        ("postgres", "sh", "-c", PSQL, TOLD),
        ("scheduler", "sh", "-c", APPEND),
    ):
        done = up.compose("exec", "-T", service, *command)
        assert done.returncode == 0, done.stderr


def tell_mlflow(up):
    """Let a tag and an artifact of a run name the person."""
    own = ("admin", up.secrets["PERENNIAL_SECRET_MLFLOW"])
    with httpx.Client(base_url=up.url("mlflow"), auth=own, trust_env=False, timeout=30) as client:
        found = client.get(
            "/api/2.0/mlflow/experiments/get-by-name", params={"experiment_name": "sales"}
        )
        experiment = found.json()["experiment"]["experiment_id"]
        runs = client.post(
            "/api/2.0/mlflow/runs/search", json={"experiment_ids": [experiment], "max_results": 1}
        )
        run = runs.json()["runs"][0]["info"]["run_id"]
        tag = {"run_id": run, "key": "reasons", "value": f"visit = {PERSON}: worse"}
        assert client.post("/api/2.0/mlflow/runs/set-tag", json=tag).is_success
        address = f"/api/2.0/mlflow-artifacts/artifacts/{experiment}/{run}/artifacts/slices.json"
        body = json.dumps({"visit": PERSON}).encode()
        assert client.put(address, content=body).is_success


def places(up):
    """Where `traces` finds the person, each place once."""
    done = up.compose("run", "--rm", "perennial", "traces", PERSON, "--json")
    found = as_json(done.stdout)["traces"]
    assert done.returncode == (1 if found else 0), done.stderr[-3000:]
    return {trace["place"] for trace in found}


def erased(up):
    """What `erase` says that it did."""
    done = up.compose("run", "--rm", "perennial", "erase", "sales", PERSON, "--yes", "--json")
    assert done.returncode in {0, 65}, done.stderr[-3000:]
    return as_json(done.stdout)


@contextlib.contextmanager
def without_server(engine, up):
    """What serves is stopped meanwhile, so that it holds no part of the log open."""
    label = [f"perennial.stack={up.project}", "perennial.kind=release"]
    releases = [found["Id"] for found in engine.containers(filters={"label": label})]
    for release in releases:
        engine.stop(release, timeout=20)
    try:
        yield
    finally:
        for release in releases:
            engine.start(release)


def test_a_person_is_erased_from_every_part(engine, up):
    up.first_release()
    ask_as(up)
    tell_airflow(up)
    tell_mlflow(up)
    with without_server(engine, up):
        assert {"objects", "features", "segments", "mlflow", "airflow"} <= places(up)
        done = erased(up)
        assert done["left"] == [], done
        assert places(up) == set()
    assert done["rows"] == 1
    assert done["versions"]
