"""Airflow's UI and our pages in a real browser."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pipelines.ports import ConfiguredPorts
from pipelines.store.pages import publish_page
from tests.e2e.browsing import logged_in, open_by_menu, open_trigger_form
from tests.e2e.live import DAYS, MODEL, RETRAIN, Live

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import BrowserContext, Page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def browser(live: Live) -> Iterator[BrowserContext]:
    """A real browser, logged in to Airflow."""
    with logged_in(live.layout) as context:
        yield context


@pytest.fixture
def page(browser: BrowserContext) -> Iterator[Page]:
    """A new page of the browser."""
    opened = browser.new_page()
    yield opened
    opened.close()


@pytest.fixture
def broken_batch(live):
    """The newest batch while it is broken."""
    day = DAYS - 1
    good = live.world.frame(day)
    live.world.rewrite(day, good.assign(pages=["many"] * len(good)))
    yield
    live.world.rewrite(day, good)


def runs(live) -> set[str]:
    return {r["dag_run_id"] for r in live.api._all(f"/api/v2/dags/{RETRAIN}/dagRuns", "dag_runs")}


def test_a_person_reads_the_verdict_and_starts_a_run_by_the_form(live, first, broken_batch, page):
    """The newest batch is broken by then: the run ends red at `validate`, touches nothing else, and
    is not tried again."""
    page.goto(f"{live.layout.airflow_url}/dags/{RETRAIN}/runs/{first.run_id}/tasks/gate")
    page.get_by_text("Verdict on linear (version 1): PROMOTE").first.wait_for(timeout=60_000)
    page.goto(f"{live.layout.airflow_url}/dags/{RETRAIN}")
    form = open_trigger_form(page)
    for label in ("As of", "Reason", "Force"):
        form.get_by_text(re.compile(f"^{label}")).first.wait_for(timeout=60_000)
    ports = ConfiguredPorts(live.settings)
    before, files, served = runs(live), ports.versions.files(MODEL), live.describe(MODEL)
    form.get_by_role("button", name="Trigger", exact=True).click()
    [by_form] = live.until(lambda: runs(live) - before, "the form starts a run")
    assert by_form.startswith("manual__")
    page.close()
    assert live.end(MODEL, by_form) == "failed"
    assert live.result(MODEL, by_form, "ingest")["reason"] == "by hand"
    states = live.states(RETRAIN, by_form)
    assert (states["ingest"], states["validate"]) == ("success", "failed")
    assert {states[t] for t in ("features", "gate", "package", "deploy")} == {"upstream_failed"}
    assert live.tries(RETRAIN, by_form, "validate") == 1, "broken data were tried again"
    assert "pages" in live.last_log(RETRAIN, by_form, "validate")
    assert ConfiguredPorts(live.settings).versions.files(MODEL) == files
    assert live.describe(MODEL) == served
    assert live.ledger(MODEL, "quarantine")


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
        model=MODEL,
        kind="evidently",
        run="drawn",
        page=page.read_bytes(),
    )
    return f"/perennial/pages/{MODEL}/evidently/drawn"


def test_a_browser_goes_from_a_verdict_to_the_model_and_to_its_run_in_mlflows_view_of_training(
    live, first, page
):
    page.goto(f"{live.layout.airflow_url}/perennial/pages/{MODEL}/verdict/{first.run_id}")
    page.locator("nav").get_by_role("link", name=MODEL, exact=True).click()
    page.get_by_text("Every decision, newest first").wait_for(timeout=30_000)
    run_id = live.result(MODEL, first.run_id, "gate")["run_id"]
    page.goto(f"{live.layout.airflow_url}/perennial/mlflow/{MODEL}/{run_id}")
    page.get_by_text("About this run").wait_for(timeout=60_000)
    assert page.url.startswith(f"{live.layout.mlflow_url}/#/experiments/")
    assert page.get_by_text("Evaluation runs").count() == 0, "the view for generative AI"


def test_a_browser_finds_the_pages_and_evidentlys_own_scripts_draw_it_and_reach_nothing_else(
    live, first, evidently, page
):
    page.goto(live.layout.airflow_url)
    overview = open_by_menu(page, "Browse", "Perennial")
    overview.get_by_role("link", name=MODEL, exact=True).click()
    overview.get_by_text("Every decision, newest first").wait_for(timeout=30_000)
    overview.goto(live.layout.airflow_url + evidently)
    overview.get_by_text("Dataset Drift", exact=True).first.wait_for(timeout=60_000)
    assert overview.evaluate("self.origin") == "null"
    answer = overview.evaluate("fetch('/api/v2/dags').then(() => 'reached', () => 'refused')")
    assert answer == "refused"
    with pytest.raises(Exception, match="sandboxed"):
        overview.evaluate("document.cookie")
