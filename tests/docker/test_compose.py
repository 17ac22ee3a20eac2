"""`docker compose up`: refuses without secrets, comes up healthy, lets nobody in without a
password, and the loop runs in it."""

from __future__ import annotations

import httpx
import pytest

from tests.docker.composed import PORTS, SERVICES, as_json, composed, published

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture
def new(engine, tmp_path):
    """A stack that is not up; what it may have begun is gone at the end."""
    stack = composed(engine, tmp_path)
    yield stack
    stack.file.chmod(0o600)
    stack.down(engine)


def test_it_refuses_to_start_without_a_secret(engine, new):
    whole = new.file.read_text()
    for name in new.secrets:
        new.file.write_text(
            "".join(
                line for line in whole.splitlines(keepends=True) if not line.startswith(f"{name}=")
            )
        )
        done = new.compose("up", "-d")
        assert done.returncode != 0
        assert name in done.stderr
        assert "make secrets" in done.stderr
    new.file.write_text(whole)
    assert new.states(engine) == {}


def test_it_refuses_to_start_with_secrets_that_others_may_read(engine, new):
    new.file.chmod(0o644)
    done = new.compose("up", "-d", "postgres", "gateway", "door", "mlflow")
    assert done.returncode != 0
    assert 'service "secrets" didn\'t complete successfully' in done.stderr
    assert f"Run: chmod 600 {new.file}" in new.compose("logs", "secrets").stdout
    assert {
        service for service, state in new.states(engine).items() if state.startswith("Up")
    } == set()


def test_every_part_is_healthy(engine, up):
    states = up.states(engine)
    assert {service: "healthy" in states[service] for service in SERVICES} == dict.fromkeys(
        SERVICES, True
    )
    assert {states[service].split(" ", 2)[1] for service in ("init", "secrets")} == {"(0)"}


def test_three_ports_are_published_and_only_here(engine, up):
    assert published(engine, up.project) == {
        (service, port, "127.0.0.1") for service, port in PORTS.items()
    }


def test_no_part_holds_privileges_and_only_the_door_has_the_socket(engine, up):
    for found in engine.containers(
        all=True, filters={"label": f"com.docker.compose.project={up.project}"}
    ):
        service, whole = (
            found["Labels"]["com.docker.compose.service"],
            engine.inspect_container(found["Id"]),
        )
        host = whole["HostConfig"]
        assert host["CapDrop"] == ["ALL"]
        assert not host["CapAdd"] or service == "postgres"
        assert host["ReadonlyRootfs"]
        assert "no-new-privileges:true" in host["SecurityOpt"]
        assert host["Memory"] > 0
        assert not host["Privileged"]
        assert any("docker.sock" in mount["Source"] for mount in whole["Mounts"]) == (
            service == "door"
        )


def test_airflow_lets_in_who_knows_the_password(up):
    with httpx.Client(base_url=up.url("airflow"), trust_env=False, timeout=30) as client:
        login = {"username": "admin", "password": up.secrets["PERENNIAL_SECRET_AIRFLOW"]}
        token = client.post("/auth/token", json=login)
        assert token.status_code == 201
        assert client.get("/api/v2/dags").status_code == 401
        for password in ("admin", "airflow", "", login["password"][:-1]):
            assert client.post("/auth/token", json={**login, "password": password}).status_code in {
                400,
                401,
            }
        dags = client.get(
            "/api/v2/dags", headers={"authorization": f"Bearer {token.json()['access_token']}"}
        ).json()["dags"]
        assert {"retrain_flight_delays", "drift_flight_delays"} <= {dag["dag_id"] for dag in dags}


def test_mlflow_lets_in_who_knows_the_password(up):
    path, body = "/api/2.0/mlflow/experiments/search", {"max_results": 1}
    with httpx.Client(base_url=up.url("mlflow"), trust_env=False, timeout=30) as client:
        assert client.post(path, json=body).status_code == 401
        assert client.post(path, json=body, auth=("admin", "password1234")).status_code == 401
        assert client.get("/").status_code == 401
        own = ("admin", up.secrets["PERENNIAL_SECRET_MLFLOW"])
        assert client.post(path, json=body, auth=own).status_code == 200
        assert (
            client.post(path, json=body, auth=own, headers={"host": "elsewhere"}).status_code == 403
        )


def test_the_loop_runs_in_it_and_answers_through_the_gateway(engine, up):
    tasks = up.first_release()
    assert {task.state for task in tasks} == {"success"}
    answer = up.predict("first")
    assert answer.status_code == 200, answer.text
    assert answer.json()["release"] == 1
    entries = as_json(up.perennial("history", "sales", "--json"))
    assert [entry["kind"] for entry in entries].count("champion") == 1
    assert "chain checked" in up.perennial("history", "sales")
    assert "first" in up.perennial("log", "sales", "--json")
    left = engine.containers(
        all=True, filters={"label": [f"perennial.stack={up.project}", "perennial.kind=step"]}
    )
    assert left == []


def test_airflow_answers_why_a_prediction_was_given(up):
    up.first_release()
    assert up.predict("asked-by-rest").status_code == 200
    with up.airflow() as api:
        answer = api._get("/perennial/api/sales/why-prediction/asked-by-rest")
    (row,) = answer["rows"]
    assert row["release"] >= 1
    assert [origin["version"] for origin in answer["why"]] == [row["version"]]
    assert answer == as_json(up.perennial("why-prediction", "sales", "asked-by-rest", "--json"))


def test_traces_looks_into_the_databases_of_mlflow_and_airflow(up):
    up.first_release()
    found = as_json(up.perennial("traces", "nobody-of-this-name", "--json"))
    assert found["traces"] == []
    assert [words.split()[0] for words in found["unseen"]] == ["backups", "the"]


def test_what_serves_in_it_is_signed_and_no_release_has_the_key(engine, up):
    up.first_release()
    listing = as_json(up.perennial("keys", "list", "--json"))
    (key,) = listing["keys"]
    assert (listing["required"], listing["signs"], key["state"]) == (True, key["id"], "trusted")
    assert up.predict().status_code == 200
    containers = engine.containers(
        filters={"label": [f"perennial.stack={up.project}", "perennial.kind=release"]}
    )
    assert containers
    for container in containers:
        body = engine.inspect_container(container["Id"])
        environment = dict(line.split("=", 1) for line in body["Config"]["Env"])
        assert environment["PERENNIAL_REQUIRE_SIGNATURE"].lower() == "true"
        assert up.secrets["PERENNIAL_SECRET_SIGNING"] not in environment.values()
        (trust,) = (mount for mount in body["Mounts"] if mount["Destination"] == "/trust")
        assert (trust["Name"], trust["RW"]) == (f"{up.project}_trust", False)


@pytest.mark.long
def test_the_shipped_flights_go_the_same_way(up):
    tasks = up.retrain(dag="retrain_flight_delays", as_of="2013-03-01T00:00:00Z")
    assert {task.state for task in tasks} == {"success"}


@pytest.mark.long
def test_it_comes_up_again_with_what_it_knew(engine, up):
    before = up.perennial("history", "sales", "--json")
    assert up.compose("stop", "--timeout", "20").returncode == 0
    print(f"\nhealthy again after {up.up():.0f} s")  # noqa: T201 -- the measured value
    assert up.perennial("history", "sales", "--json") == before
    assert engine.containers(filters={"label": f"com.docker.compose.project={up.project}"})
