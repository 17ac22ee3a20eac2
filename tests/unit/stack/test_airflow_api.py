"""The client of Airflow's API, against a small server that answers as Airflow does (and stumbles as
it may)."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipelines.errors import RequestError, Unreachable
from stack.airflow_api import AirflowApi


class Airflow:
    """What the server answers: a list of (status, body) for each "METHOD /path".

    The last one stays.
    """

    def __init__(self) -> None:
        self.answers: dict[str, list[tuple[int, object]]] = {
            "POST /auth/token": [(201, {"access_token": "t"})]
        }
        self.asked: list[tuple[str, object, str]] = []

    def answer(self, asked: str, body: object, token: str) -> tuple[int, object]:
        self.asked.append((asked, body, token))
        known = self.answers.get(asked, [(404, {"detail": "not found"})])
        return known.pop(0) if len(known) > 1 else known[0]


@pytest.fixture
def airflow():
    world = Airflow()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, answer = world.answer(
                f"{self.command} {self.path.partition('?')[0]}",
                body,
                self.headers.get("authorization", ""),
            )
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = _answer  # noqa: N815 -- the names that http.server calls

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    world.url = f"http://127.0.0.1:{server.server_port}"
    yield world
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def api(airflow):
    with AirflowApi(airflow.url, "admin", "secret", tries=2) as client:
        yield client


RUNS = "/api/v2/dags/retrain_demo/dagRuns"


def test_a_run_is_started_with_a_logical_date_of_null_and_its_conf(api, airflow):
    airflow.answers |= {
        "GET /api/v2/dags/retrain_demo": [(200, {"is_paused": False})],
        f"POST {RUNS}": [(200, {"dag_run_id": "mine"})],
    }
    assert api.trigger("retrain_demo", {"reason": "\ud83d {{ x }}"}, "mine") == "mine"
    assert airflow.asked[-1] == (
        f"POST {RUNS}",
        {"logical_date": None, "dag_run_id": "mine", "conf": {"reason": "\ud83d {{ x }}"}},
        "Bearer t",
    )


def test_a_run_id_that_is_there_already_is_success(api, airflow):
    airflow.answers |= {
        "GET /api/v2/dags/retrain_demo": [(200, {"is_paused": False})],
        f"POST {RUNS}": [(409, {"detail": "exists"})],
    }
    assert api.trigger("retrain_demo", {}, "drift__demo__2013-05-01") == "drift__demo__2013-05-01"


def test_a_stumbling_server_is_asked_again_under_the_same_run_id(api, airflow):
    airflow.answers |= {
        "GET /api/v2/dags/retrain_demo": [(200, {"is_paused": False})],
        f"POST {RUNS}": [(500, {}), (200, {})],
    }
    run_id = api.trigger("retrain_demo")
    sent = [body["dag_run_id"] for asked, body, _ in airflow.asked if asked == f"POST {RUNS}"]
    assert sent == [run_id, run_id]


def test_a_paused_dag_is_named_and_not_started(api, airflow):
    airflow.answers |= {"GET /api/v2/dags/retrain_demo": [(200, {"is_paused": True})]}
    with pytest.raises(RequestError, match="retrain_demo is paused"):
        api.trigger("retrain_demo")
    assert not [asked for asked, _, _ in airflow.asked if asked.startswith(f"POST {RUNS}")]


def test_what_airflow_refuses_is_told_in_its_words(api, airflow):
    airflow.answers |= {
        "GET /api/v2/dags/retrain_demo": [(200, {"is_paused": False})],
        f"POST {RUNS}": [(400, {"detail": "Invalid input for param force"})],
    }
    with pytest.raises(
        RequestError, match=r"starting retrain_demo \(400\).*Invalid input for param force"
    ):
        api.trigger("retrain_demo", {"force": "True"})


def test_a_wrong_password_is_told_without_showing_it(api, airflow):
    airflow.answers["POST /auth/token"] = [(401, {"detail": "Invalid credentials"})]
    with pytest.raises(RequestError, match="does not let 'admin' in") as caught:
        api.dag_ids()
    assert "secret" not in str(caught.value)


def test_an_expired_token_is_renewed(api, airflow):
    airflow.answers |= {
        "POST /auth/token": [(201, {"access_token": "old"}), (201, {"access_token": "new"})],
        "GET /api/v2/dags": [
            (401, {}),
            (200, {"dags": [{"dag_id": "b"}, {"dag_id": "a"}], "total_entries": 2}),
        ],
    }
    assert api.dag_ids() == ["a", "b"]
    assert [token for asked, _, token in airflow.asked if asked == "GET /api/v2/dags"] == [
        "Bearer old",
        "Bearer new",
    ]


def test_all_pages_are_read(api, airflow):
    pages = [(200, {"dags": [{"dag_id": name}], "total_entries": 3}) for name in "cab"]
    airflow.answers["GET /api/v2/dags"] = pages
    assert api.dag_ids() == ["a", "b", "c"]


def test_a_server_that_is_away_is_named():
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with AirflowApi(url, "admin", "x", tries=1) as away, pytest.raises(Unreachable, match=url):
        away.dag_ids()


def test_a_result_that_is_not_there_is_none(api):
    assert api.result("retrain_demo", "mine", "gate") is None


def test_a_log_shows_the_reasons_that_come_with_its_events(api, airflow):
    path = f"GET {RUNS}/mine/taskInstances/gate/logs/1"
    events = [
        {
            "event": "Task failed",
            "error_detail": [{"exc_type": "BadData", "exc_value": "column a"}],
        },
        {"event": "Skipped", "reason": "no"},
        "plain",
    ]
    airflow.answers[path] = [(200, {"content": events})]
    assert api.log("retrain_demo", "mine", "gate").splitlines() == [
        "Task failed | BadData: column a",
        "Skipped | no",
        "plain",
    ]
