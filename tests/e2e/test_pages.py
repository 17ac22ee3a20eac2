"""Perennial's pages in a started Airflow.

Its own log-in guards them, and tasks link to them.
"""

import html

import httpx
import pytest

from stack.keys import USER, password
from tests.e2e.live import MODEL

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PATHS = [
    "/perennial/",
    f"/perennial/models/{MODEL}",
    f"/perennial/pages/{MODEL}/verdict/first",
    f"/perennial/pages/{MODEL}/profile/first",
    f"/perennial/pages/{MODEL}/comparison/first",
]


@pytest.fixture
def token(live) -> str:
    answer = httpx.post(
        f"{live.layout.airflow_url}/auth/token",
        json={"username": USER, "password": password(live.layout.secrets)},
    )
    return answer.json()["access_token"]


def get(live, path: str, **options) -> httpx.Response:
    return httpx.get(live.layout.airflow_url + path, timeout=60, **options)


@pytest.mark.parametrize("path", PATHS)
def test_nobody_reads_a_page_without_a_log_in(live, first, path):
    assert get(live, path).status_code == 401
    assert get(live, path, headers={"authorization": "Bearer x.y.z"}).status_code == 403
    assert get(live, path, cookies={"_token": "x.y.z"}).status_code in {401, 403}


@pytest.mark.parametrize("path", PATHS)
def test_whoever_is_logged_in_reads_it_by_token_and_by_cookie(live, first, token, path):
    for options in (
        {"headers": {"authorization": f"Bearer {token}"}},
        {"cookies": {"_token": token}},
    ):
        answer = get(live, path, **options)
        assert answer.status_code == 200, answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_the_pages_say_what_serves_and_what_is_not_there(live, first, token):
    headers = {"authorization": f"Bearer {token}"}
    assert (
        f"version {live.describe(MODEL)['version']}"
        in get(live, "/perennial/", headers=headers).text
    )
    history = get(live, f"/perennial/models/{MODEL}", headers=headers).text
    assert f"(started because: {first.reason})" in html.unescape(history)
    assert first.reason not in history, "a hostile text is escaped"
    assert f"/dags/retrain_{MODEL}/runs/first" in history
    assert get(live, "/perennial/models/nobody", headers=headers).status_code == 404
    assert get(live, f"/perennial/pages/{MODEL}/verdict/never", headers=headers).status_code == 404


def test_each_task_links_to_its_pages_in_airflows_ui(live, first):
    def links(task: str, index: int = -1) -> dict[str, str]:
        path = f"/api/v2/dags/retrain_{MODEL}/dagRuns/first/taskInstances/{task}/links"
        body: dict[str, dict[str, str]] = live.api._get(path, map_index=index)
        return body["extra_links"]

    gate, trained = (live.result(MODEL, "first", *task) for task in (("gate",), ("train", 0)))
    runs = f"/perennial/mlflow/{MODEL}"
    assert links("validate") == {"Page": f"/perennial/pages/{MODEL}/validation/first"}
    assert links("gate") == {
        "Page": f"/perennial/pages/{MODEL}/verdict/first",
        "Comparison": f"/perennial/pages/{MODEL}/comparison/first",
        "Model card": f"/perennial/pages/{MODEL}/card/first",
        "MLflow run": f"{runs}/{gate['run_id']}",
    }
    assert links("train", 0) == {"MLflow run": f"{runs}/{trained['run_id']}"}
    assert live.api._get(
        f"/api/v2/dags/retrain_{MODEL}/dagRuns/first/taskInstances/gate/xcomEntries/verdict"
    )["value"].startswith("Verdict on")
