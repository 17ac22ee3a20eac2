"""Take the pictures of the documentation from the running stack, with headless Chromium.

.venv/bin/python tools/screenshots.py DAG_ID RUN_ID FOLDER
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from pipelines.settings import load_settings
from stack.keys import USER, password
from stack.layout import Layout

QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SETTLED_MS = 5_000
"""Airflow's pages go on loading after they are there."""


def log_in(page: Page, layout: Layout) -> None:
    """Log in to Airflow's UI."""
    page.goto(layout.airflow_url + "/")
    page.locator("input[name=username]").fill(USER)
    page.locator("input[name=password]").fill(password(layout.secrets))
    page.locator("button[type=submit], button:has-text('Sign in')").first.click()
    page.wait_for_timeout(SETTLED_MS)


def main(dag_id: str, run_id: str, folder: str) -> None:
    """Picture the run's graph and the trigger form."""
    layout, into = Layout(load_settings()), Path(folder)
    into.mkdir(parents=True, exist_ok=True)
    run = f"{layout.airflow_url}/dags/{dag_id}/runs/{run_id}"
    with sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET)
        page = browser.new_page(viewport={"width": 1440, "height": 860}, color_scheme="light")
        log_in(page, layout)
        page.goto(run)
        page.wait_for_timeout(SETTLED_MS)
        page.get_by_role("button", name="Graph").first.click()
        page.wait_for_timeout(SETTLED_MS)
        page.screenshot(path=into / "graph.png")
        page.goto(f"{layout.airflow_url}/dags/{dag_id}")
        page.wait_for_timeout(SETTLED_MS)
        page.get_by_role("button", name="Trigger").first.click()
        page.wait_for_timeout(SETTLED_MS)
        page.screenshot(path=into / "form.png")
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
