"""The pages in Airflow's server.

Who gets in, what they show, and that nothing hostile comes through.
"""

from __future__ import annotations

import html
import http.server
import re
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from pipelines.errors import Corrupted, Unreachable
from pipelines.ledger import MemoryLedger, Outcome, Reconciliation, RequestConf, RetrainRequest
from pipelines.ports import Ports
from pipelines.settings import load_settings
from pipelines.store.memory import MemoryStore
from pipelines.store.pages import KINDS, publish_page
from tests.dags.specs import spec_text, write_models
from tests.decisions import NOTHING, crown, drift_check, gate_verdict, raw

# Airflow's own modules import FastAPI's test client, which would like another HTTP library
# (Starlette 1, FastAPI 0.13x).
pytestmark = pytest.mark.filterwarnings(
    "ignore:Using `httpx` with `starlette.testclient` is deprecated"
)

RUN = "scheduled__2024-01-04T00:00:00+00:00"
HOSTILE = "<script>alert(1)</script>"
NOW = datetime(2024, 1, 5, tzinfo=UTC)


class World:
    """The app over records in memory, for a user who may read some models."""

    def __init__(self, home) -> None:
        from perennial_airflow.pages.app import make_app
        from perennial_airflow.pages.records import Records, records

        self.home = home
        self.store, self.ledger = MemoryStore(), MemoryLedger(now=lambda: NOW)
        ports = Ports(store=self.store, ledger=self.ledger, versions=None, registry=None)
        self.records = Records(
            load_settings({"PERENNIAL_HOME": str(home)}),
            ports,
            now=lambda: NOW + timedelta(hours=1),
        )
        self.app = make_app()
        self.app.dependency_overrides[records] = lambda: self.records

    def with_mlflow(self, uri: str) -> None:
        """Give the settings a tracking server, which browsers reach under another address."""
        environment = {
            "PERENNIAL_HOME": str(self.home),
            "PERENNIAL_MLFLOW_URI": uri,
            "PERENNIAL_MLFLOW_PUBLIC_URL": "https://mlflow.example/",
        }
        self.records = replace(self.records, settings=load_settings(environment))

    def log_in(self, *models: str) -> None:
        """Let a user in who may read these models."""
        from airflow.api_fastapi.core_api.security import get_user
        from fastapi import HTTPException
        from perennial_airflow.pages.access import Reader

        class Known(Reader):
            def expect(self, model: str) -> None:
                if model not in models:
                    raise HTTPException(403, "Forbidden")

        self.app.dependency_overrides[get_user] = lambda: SimpleNamespace(get_name=lambda: "ann")
        self.app.dependency_overrides[Reader] = lambda: Known(None, None)

    def get(self, path: str, accept: str = "*/*"):
        from starlette.testclient import TestClient

        return TestClient(self.app, follow_redirects=False).get(path, headers={"Accept": accept})


@pytest.fixture
def world(tmp_path):
    return World(write_models(tmp_path, "sales", "cabs", drift="daily"))


@pytest.fixture
def known(world):
    world.log_in("sales", "cabs", "gone")
    return world


ROUTES = ["/", "/models/sales", f"/pages/sales/drift/{RUN}", "/mlflow/sales", "/mlflow/sales/ab12"]


def test_every_route_that_there_is_asks_for_the_user(world):
    from airflow.api_fastapi.core_api.security import get_user

    def calls(dependant):
        return {dependant.call}.union(*(calls(each) for each in dependant.dependencies))

    paths = {route.path: route for route in world.app.routes}
    assert set(paths) == {
        "/",
        "/models/{model}",
        "/pages/{model}/{kind}/{run}",
        "/mlflow/{model}",
        "/mlflow/{model}/{run_id}",
    }
    for path, route in paths.items():
        assert get_user in calls(route.dependant), path


@pytest.mark.parametrize("path", ROUTES)
def test_nobody_gets_in_without_a_log_in(world, path):
    answer = world.get(path)
    assert answer.status_code == 401
    assert "sales" not in answer.text
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", ROUTES)
def test_a_browser_without_a_log_in_gets_the_way_there_and_back(world, path):
    answer = world.get(path, accept="text/html,application/xhtml+xml,*/*;q=0.8")
    assert (answer.status_code, answer.headers["content-type"]) == (401, "text/html; charset=utf-8")
    link = re.search(r'href="([^"]*/auth/login[^"]*)"', answer.text)
    assert link
    asked = urlsplit(html.unescape(link[1]))
    assert asked.path == "/api/v2/auth/login"
    assert parse_qs(asked.query) == {"next": ["/perennial" + quote(path)]}


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
def test_the_app_describes_itself_to_nobody(world, path):
    assert world.get(path).status_code == 404


@pytest.mark.parametrize("path", [*ROUTES[1:], "/models/nobody"])
def test_a_model_that_the_user_may_not_read_is_forbidden_whether_or_not_it_is_there(world, path):
    world.log_in("cabs")
    assert world.get(path).status_code == 403


def test_the_overview_shows_the_models_that_the_user_may_read_and_no_others(world):
    world.log_in("cabs")
    answer = world.get("/")
    assert answer.status_code == 200
    assert "cabs" in answer.text
    assert "sales" not in answer.text


def test_the_overview_says_what_serves_since_when_and_what_was_last_found(known):
    known.ledger.append("sales", "first", gate_verdict())
    known.ledger.crown("sales", expected=None, champion=crown("1"), key="first")
    check = drift_check()
    known.ledger.append("sales", RUN, check)
    request = RetrainRequest(
        run_id="drift__sales__2024-01-04T00:00:00Z",
        window=check.window,
        reasons=["drift"],
        conf=RequestConf(as_of=check.window.end, reason="drift"),
    )
    known.ledger.append("sales", "000001", request)
    text = known.get("/").text
    for words in [
        "version 1",
        "since 2024-01-05 00:00 UTC",
        "3 of 4 inputs have drifted",
        "promote",
        ">under way<",
        "drift_sales",
    ]:
        assert words in text
    outcome = Outcome(run=request.run_id, outcome="deployed", version="2", reasons=[])
    known.ledger.append("sales", request.run_id, outcome)
    assert ">under way<" not in known.get("/").text


def test_a_broken_spec_says_what_is_wrong_and_what_still_serves(known):
    (known.home / "models" / "cabs" / "model.yaml").write_text(spec_text("cabs") + "colour: red\n")
    known.ledger.crown("cabs", expected=None, champion=crown("7"), key="first")
    for path in ("/", "/models/cabs"):
        text = known.get(path).text
        assert "colour: unknown key" in text
        assert "version 7" in text


def test_without_any_model_the_overview_says_so(tmp_path):
    empty = World(tmp_path)
    empty.log_in()
    assert "There is no model that you may read" in empty.get("/").text


def test_a_models_page_tells_every_decision_newest_first_with_links(known):
    refused = gate_verdict(verdict="refuse", reasons=["too weak"])
    known.ledger.append("sales", "first", refused)
    known.ledger.append("sales", RUN, drift_check(evidently=NOTHING))
    text = known.get("/models/sales").text
    assert text.index("3 of 4 inputs have drifted", text.index("newest first")) < text.index(
        "too weak", text.index("newest first")
    )
    run = RUN.replace(":", "%3A").replace("+", "%2B")
    for path in (
        f"/perennial/pages/sales/drift/{run}",
        f"/perennial/pages/sales/evidently/{run}",
        f"/perennial/pages/sales/validation/drift%3A{run}",
        f"/dags/drift_sales/runs/{run}",
        "/perennial/pages/sales/verdict/first",
        "/dags/retrain_sales/runs/first",
    ):
        assert f'href="{path}"' in text


def test_a_model_whose_folder_is_gone_keeps_its_record_and_one_that_never_was_is_not_found(known):
    assert known.get("/models/gone").status_code == 404
    known.ledger.append("gone", "x", Reconciliation(reason="the champion is 1"))
    answer = known.get("/models/gone")
    assert answer.status_code == 200
    assert "the champion is 1" in answer.text


def test_an_entry_of_a_newer_version_is_shown_as_it_is(known):
    known.ledger.append("sales", RUN, drift_check())
    known.ledger.append("sales", "newer", raw("drift", {"verdict": "quiet", "rows": 12}))
    text = known.get("/models/sales").text
    assert "rows 12, verdict quiet" in text
    assert "3 of 4 inputs have drifted" in text
    assert "quiet" in known.get("/").text


def test_everything_that_was_written_down_is_escaped(known):
    check = drift_check(reasons=[HOSTILE], drifted=[HOSTILE], metric=HOSTILE, champion=HOSTILE)
    known.ledger.append("sales", f'"><img src=x>{HOSTILE}', check)
    verdict = gate_verdict(reasons=[HOSTILE], candidate=HOSTILE, version=HOSTILE)
    known.ledger.append("sales", HOSTILE, verdict)
    known.ledger.append("sales", "x", Reconciliation(reason=HOSTILE))
    for kind in ("drift", "verdict"):
        odd = raw(kind, {"verdict": HOSTILE, "window": {"start": HOSTILE}, "reason": HOSTILE})
        known.ledger.append("sales", f"odd {HOSTILE}", odd)
    for path in ("/", "/models/sales"):
        answer = known.get(path)
        assert answer.status_code == 200
        assert "<script" not in answer.text
        assert "<img" not in answer.text


@pytest.mark.parametrize("kind", KINDS)
def test_a_runs_page_is_shown_as_nobodys(known, kind):
    publish_page(known.store, model="sales", kind=kind, run=RUN, page=b"<h1>old</h1>")
    publish_page(known.store, model="sales", kind=kind, run=RUN, page=b"<h1>new</h1>")
    answer = known.get(f"/pages/sales/{kind}/{RUN}")
    assert answer.status_code == 200
    assert answer.text.endswith("<h1>new</h1>")
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts; default-src 'none'")
    assert "allow-same-origin" not in policy
    assert "http" not in policy, "nothing is fetched from anywhere"


OLD = """<!doctype html>
<html lang="en"><head><title>Verdict on sales</title></head><body class="old">
<h1>Verdict on sales</h1></body></html>"""
"""A page as the version before has stored it."""


@pytest.mark.parametrize("kind", KINDS)
def test_a_stored_page_has_the_frame_which_leads_back_to_the_model(known, kind):
    publish_page(known.store, model="sales", kind=kind, run="<script>alert(1)", page=OLD.encode())
    text = known.get(f"/pages/sales/{kind}/{quote('<script>alert(1)')}").text
    head, body = text.split('<body class="old">')
    frame = body[: body.index("<h1>Verdict on sales</h1>")]
    assert head in OLD
    for path in ("/perennial/", "/perennial/models/sales", "/"):
        assert f'href="{path}"' in frame
    assert f"{kind} of &lt;script&gt;" in frame
    assert "<script" not in text
    assert ("h1 {" in frame) == (kind != "evidently"), "Evidently's page keeps its own looks"
    assert "{#" not in frame


def test_the_frame_is_the_same_around_every_page(known):
    publish_page(known.store, model="sales", kind="verdict", run=RUN, page=OLD.encode())
    navs = [
        re.sub(r"\s+", " ", known.get(path).text.split("<nav")[1].split("</nav>")[0])
        for path in ("/models/sales", f"/pages/sales/verdict/{RUN}")
    ]
    here = re.compile(r"&#32;· verdict of [^<]*(?=</span>)")
    assert here.sub("", navs[1]) == navs[0]


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


@pytest.mark.parametrize("path", [*ROUTES[:3], "/nowhere"])
def test_every_answer_is_guarded(known, path):
    answer = known.get(path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(f"/pages/sales/drift/{RUN}", id="a run without a page"),
        pytest.param(f"/pages/sales/secret/{RUN}", id="no such kind"),
        pytest.param("/pages/sales/drift/..%2f..%2fledger", id="a path"),
        pytest.param("/pages/sales/drift/..", id="dots"),
        pytest.param("/pages/sales/drift/%00", id="a zero byte"),
        pytest.param(f"/pages/sales/drift/{'a' * 300}", id="too long"),
        pytest.param(f"/pages/sales/drift/%3Cscript%3E{'a' * 9}", id="a script as run"),
        pytest.param("/pages/..%2fsales/drift/x", id="a path as model"),
        pytest.param("/pages/SALES/drift/x", id="no model's name"),
        pytest.param("/models/%3Cscript%3E", id="a script as model"),
        pytest.param("/models/nobody%0a", id="a line's end"),
        pytest.param("/nowhere", id="no route"),
    ],
)
def test_what_is_not_there_is_not_found_in_words(known, path):
    answer = known.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "<script" not in answer.text


class Broken(MemoryStore):
    """A store that fails as it is told to."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def keys(self, prefix: str) -> list[str]:  # noqa: ARG002
        raise self.error


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Corrupted("The object objects/x was changed."), 500),
        (Unreachable("The store is away.", remedy="wait"), 503),
    ],
)
def test_our_errors_are_shown_in_their_own_words(known, error, status):
    known.records = type(known.records)(
        known.records.settings, Ports(Broken(error), None, None, known.ledger)
    )
    answer = known.get(f"/pages/sales/drift/{RUN}")
    assert answer.status_code == status
    assert str(error).split(".")[0] in answer.text


def test_the_plugin_brings_the_app_and_the_way_to_it():
    import perennial_plugin

    plugin = perennial_plugin.PerennialPlugin()
    [app] = plugin.fastapi_apps
    assert (app["url_prefix"], app["app"].title) == ("/perennial", "Perennial")
    assert plugin.fastapi_apps[0]["app"] is app["app"], "Airflow asks more than once"
    [view] = plugin.external_views
    assert (view["destination"], view["href"]) == ("nav", "/perennial/")
