"""Links from the pages to MLflow."""

from __future__ import annotations

import http.server
import threading

import pytest

from pipelines.store.pages import publish_page
from tests.dags.pages.visits import OLD, RUN

# Airflow's own modules import FastAPI's test client, which would like another HTTP library
# (Starlette 1, FastAPI 0.13x).
pytestmark = pytest.mark.filterwarnings(
    "ignore:Using `httpx` with `starlette.testclient` is deprecated"
)


class Mlflow(http.server.BaseHTTPRequestHandler):
    """MLflow's answer to the one question that a link asks."""

    def do_GET(self):
        known = self.path == "/api/2.0/mlflow/experiments/get-by-name?experiment_name=sales"
        self.send_response(200 if known else 404)
        self.end_headers()
        self.wfile.write(b'{"experiment": {"experiment_id": "7"}}' if known else b"{}")

    def log_message(self, *_):
        pass


@pytest.fixture
def tracked(known):
    """The pages with a tracking server whose address for browsers is another one."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mlflow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    known.with_mlflow(f"http://ann:secret@127.0.0.1:{server.server_port}")
    yield known
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("/mlflow/sales", "/experiments/7/runs?"),
        ("/mlflow/sales/ab12", "/experiments/7/runs/ab12?"),
        ("/mlflow/cabs", "/experiments?"),
        ("/mlflow/cabs/ab12", "/experiments/_/runs/ab12?"),
        ("/mlflow/sales/a%3Fb", "/experiments/7/runs/a%3Fb?"),
    ],
)
def test_links_to_mlflow_lead_into_its_view_of_training(tracked, path, page):
    answer = tracked.get(path)
    assert answer.status_code == 307
    assert (
        answer.headers["location"] == f"https://mlflow.example/#{page}workflowType=machine_learning"
    )


def test_every_page_of_a_model_links_to_its_experiment_and_the_overview_to_them_all(tracked):
    publish_page(tracked.store, model="sales", kind="drift", run=RUN, page=OLD.encode())
    for path in ("/models/sales", f"/pages/sales/drift/{RUN}"):
        assert 'href="/perennial/mlflow/sales"' in tracked.get(path).text
    experiments = "https://mlflow.example/#/experiments?workflowType=machine_learning"
    assert f'href="{experiments}"' in tracked.get("/").text


def test_a_link_leads_less_far_where_mlflow_does_not_answer(known):
    known.with_mlflow("http://127.0.0.1:1")
    address = known.get("/mlflow/sales/ab12").headers["location"]
    assert address.startswith("https://mlflow.example/#/experiments/_/runs/ab12?")


def test_without_an_address_on_the_web_nothing_links_to_mlflow(known):
    assert "MLflow" not in known.get("/models/sales").text
    assert known.get("/mlflow/sales").status_code == 404
