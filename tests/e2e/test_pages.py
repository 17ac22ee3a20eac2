"""Perennial's pages in a started Airflow.

Its own log-in guards them, tasks link to them, and Evidently's page lives in its cage.
"""

import subprocess
import sys

import httpx
import pytest

from pipelines.ports import ConfiguredPorts
from pipelines.store.pages import publish_page
from stack.keys import USER, password

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PATHS = ["/perennial/", "/perennial/models/sales", "/perennial/pages/sales/verdict/first"]


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
        f"version {live.told('sales')['version']}" in get(live, "/perennial/", headers=headers).text
    )
    history = get(live, "/perennial/models/sales", headers=headers).text
    assert "(started because: the first)" in history
    assert "/dags/retrain_sales/runs/first" in history
    assert get(live, "/perennial/models/nobody", headers=headers).status_code == 404
    assert get(live, "/perennial/pages/sales/verdict/never", headers=headers).status_code == 404


def test_each_task_links_to_its_pages_in_airflows_ui(live, first):
    def links(task: str, index: int = -1) -> dict[str, str]:
        path = f"/api/v2/dags/retrain_sales/dagRuns/first/taskInstances/{task}/links"
        found: dict[str, str] = live.api._get(path, map_index=index)["extra_links"]
        return found

    gate, trained = live.result("sales", "first", "gate"), live.result("sales", "first", "train", 1)
    runs = "/perennial/mlflow/sales"
    assert links("validate") == {"Page": "/perennial/pages/sales/validation/first"}
    assert links("gate") == {
        "Page": "/perennial/pages/sales/verdict/first",
        "MLflow run": f"{runs}/{gate['run_id']}",
    }
    assert links("train", 1) == {"MLflow run": f"{runs}/{trained['run_id']}"}
    assert live.api._get(
        "/api/v2/dags/retrain_sales/dagRuns/first/taskInstances/gate/xcomEntries/verdict"
    )["value"].startswith("Verdict on")


DRAW = """
import sys
import numpy as np
import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset
rng = np.random.default_rng(5)
channel = rng.choice(["mail", "search"], 300)
before = pd.DataFrame({"pages": rng.integers(1, 30, 300), "channel": channel})
after = before.assign(pages=before["pages"] + 20)
seen = Report([DataDriftPreset()]).run(current_data=after, reference_data=before)
seen.save_html(sys.argv[1])
"""


@pytest.fixture
def evidently(live, tmp_path) -> str:
    """Evidently's own page of a drifted column, published for a run; its path.

    It is made as steps are run: in a process of its own.
    """
    page = tmp_path / "evidently.html"
    subprocess.run([sys.executable, "-c", DRAW, str(page)], check=True, capture_output=True)
    publish_page(
        ConfiguredPorts(live.settings).store,
        model="sales",
        kind="evidently",
        run="drawn",
        page=page.read_bytes(),
    )
    return "/perennial/pages/sales/evidently/drawn"


def test_a_browser_goes_from_a_verdict_to_the_model_and_to_its_run_in_mlflows_view_of_training(
    live, first, page
):
    page.goto(f"{live.layout.airflow_url}/perennial/pages/sales/verdict/first")
    page.locator("nav").get_by_role("link", name="sales", exact=True).click()
    page.get_by_text("Every decision, newest first").wait_for(timeout=30_000)
    run_id = live.result("sales", "first", "gate")["run_id"]
    page.goto(f"{live.layout.airflow_url}/perennial/mlflow/sales/{run_id}")
    page.get_by_text("About this run").wait_for(timeout=60_000)
    assert page.url.startswith(f"{live.layout.mlflow_url}/#/experiments/")
    assert page.get_by_text("Evaluation runs").count() == 0, "the view for generative AI"


def test_a_browser_finds_the_pages_and_evidentlys_own_scripts_draw_it_and_reach_nothing_else(
    live, first, evidently, page
):
    page.get_by_text("Browse", exact=True).first.click()
    with page.context.expect_page() as opened:
        page.get_by_text("Perennial", exact=True).last.click()
    page = opened.value
    page.get_by_role("link", name="sales", exact=True).click()
    page.get_by_text("Every decision, newest first").wait_for(timeout=30_000)
    page.goto(live.layout.airflow_url + evidently)
    page.get_by_text("Dataset Drift", exact=True).first.wait_for(timeout=60_000)
    assert page.evaluate("self.origin") == "null"
    tried = page.evaluate("fetch('/api/v2/dags').then(() => 'reached', () => 'refused')")
    assert tried == "refused"
    with pytest.raises(Exception, match="sandboxed"):
        page.evaluate("document.cookie")
