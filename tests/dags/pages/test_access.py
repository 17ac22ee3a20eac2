"""Who gets into the pages, and the headers that guard every answer."""

from __future__ import annotations

import html
import re
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from pipelines.errors import Corrupted, Unreachable
from pipelines.ports import Ports
from pipelines.store.memory import MemoryStore
from tests.dags.pages.visits import RUN

# Airflow's own modules import FastAPI's test client, which would like another HTTP library
# (Starlette 1, FastAPI 0.13x).
pytestmark = pytest.mark.filterwarnings(
    "ignore:Using `httpx` with `starlette.testclient` is deprecated"
)


ROUTES = [
    "/",
    "/models/sales",
    f"/pages/sales/drift/{RUN}",
    "/mlflow/sales",
    "/mlflow/sales/ab12",
    "/why/sales/1",
    "/incidents/sales",
]
PROGRAMS = [
    "/api/sales/who-served",
    "/api/sales/why/1",
    "/api/sales/why-prediction/r1",
    "/api/sales/lineage?batch=2026-01-01T00",
    "/api/sales/export",
    "/api/sales/incidents",
]
"""What programs ask: they get JSON, whatever they accept."""


def test_every_route_that_there_is_asks_for_the_user(world):
    from airflow.api_fastapi.core_api.security import get_user

    def calls(dependant):
        return {dependant.call}.union(*(calls(each) for each in dependant.dependencies))

    paths = {route.path: route for route in world.app.routes}
    assert set(paths) == {
        "/",
        "/api/fleet",
        "/models/{model}",
        "/pages/{model}/{kind}/{run}",
        "/mlflow/{model}",
        "/mlflow/{model}/{run_id}",
        "/why/{model}/{version}",
        "/api/{model}/who-served",
        "/api/{model}/why/{version}",
        "/api/{model}/why-prediction/{request_id:path}",
        "/api/{model}/lineage",
        "/api/{model}/export",
        "/api/{model}/incidents",
        "/api/{model}/incidents/{number}",
        "/incidents/{model}",
        "/incidents/{model}/{number}",
    }
    for path, route in paths.items():
        assert get_user in calls(route.dependant), path


@pytest.mark.parametrize("path", [*ROUTES, *PROGRAMS])
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


@pytest.mark.parametrize("path", [*ROUTES[1:], *PROGRAMS, "/models/nobody", "/api/nobody/export"])
def test_a_model_that_the_user_may_not_read_is_forbidden_whether_or_not_it_is_there(world, path):
    world.log_in("cabs")
    assert world.get(path).status_code == 403


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
        pytest.param("/why/sales/9", id="no such version"),
        pytest.param("/why/sales/%3Cscript%3E", id="a script as version"),
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
