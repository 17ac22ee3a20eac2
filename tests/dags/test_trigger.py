"""A key that none of our DAGs takes is refused at the trigger.

Everything else goes on as it came.
"""

import asyncio
import json

import pytest
from perennial_airflow.trigger import LONGEST, RefuseUnknownKeys, known_keys, refusal

from benchmarks import kills, loop
from pipelines.trigger_conf import DriftConf, ProveConf, ReplayConf, RetrainConf, RollbackConf


class Api:
    """Airflow's API: knows who may read what, and remembers what reached it."""

    def __init__(self, *, may_read: bool = True) -> None:
        self.heard: list[tuple[str, str, bytes]] = []
        self._status = 200 if may_read else 403

    async def __call__(self, scope, receive, send):
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.heard.append((scope["method"], scope["path"], body))
        await send(
            {
                "type": "http.response.start",
                "status": self._status if scope["method"] == "GET" else 201,
                "headers": [],
            }
        )
        await send({"type": "http.response.body", "body": b"{}"})


def post(api, path, body, *, method="POST", pieces=2):
    """Send a body in pieces; return status and answer."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    step = max(1, -(-len(data) // pieces))
    parts = [data[i : i + step] for i in range(0, len(data), step)] or [b""]
    messages = [
        {"type": "http.request", "body": part, "more_body": n + 1 < len(parts)}
        for n, part in enumerate(parts)
    ]
    sent = []

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": [(b"content-length", b"1"), (b"authorization", b"Bearer x")],
    }
    asyncio.run(RefuseUnknownKeys(api, lambda: ["sales"])(scope, receive, send))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:]).decode()


RUNS = "/api/v2/dags/{}/dagRuns"


@pytest.mark.parametrize(
    ("kind", "conf"),
    [
        ("retrain", RetrainConf),
        ("drift", DriftConf),
        ("rollback", RollbackConf),
        ("prove", ProveConf),
        ("replay", ReplayConf),
    ],
)
def test_the_keys_are_those_that_the_first_task_takes(kind, conf):
    assert known_keys(kind) == set(conf.model_fields)


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        (
            RUNS.format("retrain_sales"),
            {"logical_date": None, "conf": {"as_off": "x"}},
            "unknown key 'as_off'; did you mean 'as_of'?",
        ),
        (
            RUNS.format("drift_sales") + "/",
            {"conf": {"force": True}},
            "unknown key 'force'; drift_sales takes reason, window_end.",
        ),
        (
            "/airflow" + RUNS.format("rollback_sales"),
            {"conf": {"image": "evil"}},
            "unknown key 'image'; rollback_sales takes reason, to.",
        ),
        (
            RUNS.format("prove_sales"),
            {"conf": {"from_folder": True}},
            "unknown key 'from_folder'; prove_sales takes reason, version.",
        ),
        (RUNS.format("retrain%5Fsales"), {"conf": {"x" * 500: 1}}, "unknown key 'xxx"),
        (
            "/api/v2/backfills",
            {"dag_id": "retrain_sales", "dag_run_conf": {"as_off": 1}},
            "did you mean 'as_of'?",
        ),
    ],
)
def test_an_unknown_key_is_a_bad_request(path, body, words):
    api = Api()
    status, text = post(api, path, body)
    assert (status, words in json.loads(text)["detail"]) == (400, True), text
    assert [method for method, _, _ in api.heard] == ["GET"], (
        "nothing was started; Airflow was asked who may read the DAG"
    )


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param(
            RUNS.format("retrain_sales"),
            {"logical_date": None, "conf": {"reason": "by hand"}},
            id="known keys",
        ),
        pytest.param(RUNS.format("retrain_sales"), {"logical_date": None}, id="no conf"),
        pytest.param(RUNS.format("retrain_other"), {"conf": {"x": 1}}, id="no model of ours"),
        pytest.param(RUNS.format("nightly"), {"conf": {"x": 1}}, id="another DAG"),
        pytest.param(RUNS.format("retrain_sales"), b"{", id="no JSON"),
        pytest.param(RUNS.format("retrain_sales"), b"[" * 100_000, id="brackets"),
        pytest.param(RUNS.format("retrain_sales"), [1], id="no object"),
        pytest.param(RUNS.format("retrain_sales"), {"conf": [1]}, id="a conf that is none"),
        pytest.param(
            RUNS.format("retrain_sales"),
            {"conf": {"x": "y" * LONGEST}},
            id="longer than is looked at",
        ),
        pytest.param("/api/v2/variables", {"conf": {"x": 1}}, id="another path"),
        pytest.param(
            "/api/v2/backfills", {"dag_id": 3, "dag_run_conf": {"x": 1}}, id="no DAG's name"
        ),
    ],
)
def test_everything_else_reaches_airflow_as_it_came(path, body):
    api = Api()
    assert post(api, path, body)[0] == 201
    assert api.heard == [
        ("POST", path, body if isinstance(body, bytes) else json.dumps(body).encode())
    ]


def test_who_may_not_read_a_dag_learns_nothing_of_its_model():
    api = Api(may_read=False)
    body = {"conf": {"as_off": 1}}
    assert (
        post(api, RUNS.format("retrain_sales"), body)[0] == 201
    )  # this API's own answer to a POST, whatever it is
    assert [method for method, _, _ in api.heard] == ["GET", "POST"]


@pytest.mark.parametrize(
    ("dag_id", "conf"),
    [
        pytest.param(loop.DAG, loop.WARM_UP, id="loop"),
        pytest.param(kills.UNDER_WAY, kills.CONF, id="kills, under way"),
        pytest.param(kills.ASKED_FOR, kills.CONF, id="kills, asked for"),
    ],
)
def test_the_runs_of_the_benchmarks_are_taken(dag_id, conf):
    models = ["bike_demand", "flight_delays"]
    assert refusal(dag_id, {"warm_up": True}, lambda: models), "a DAG of ours"
    assert refusal(dag_id, conf, lambda: models) is None
