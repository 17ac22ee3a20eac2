"""Take the pictures of the documentation from the running stack, with headless Chromium.

.venv/bin/python tools/screenshots.py MODEL DRIFT_RUN_ID FOLDER (after `make demo`: flight_delays
demo__2013-06-01T00:00:00Z docs/images)
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from pipelines.ledger import GateVerdict
from pipelines.ports import ConfiguredPorts
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

LOG_IN_MS = 60_000


def log_in(page: Page, layout: Layout) -> None:
    """Log in to Airflow's UI."""
    page.goto(layout.airflow_url + "/")
    page.locator("input[name=username]").fill(USER)
    page.locator("input[name=password]").fill(password(layout.secrets))
    page.locator("button[type=submit], button:has-text('Sign in')").first.click()
    # The navigation is there once the log-in is.
    page.get_by_role("button", name="Browse", exact=True).wait_for(timeout=LOG_IN_MS)


def main(model: str, drift_run: str, folder: str) -> None:
    """Picture a drift run of the model, the retraining that it started, its pages, the newest
    promotion and the newest refusal, and the trigger form.
    """
    layout, into = Layout(load_settings()), Path(folder)
    into.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET)
        page = browser.new_page(viewport={"width": 1440, "height": 860}, color_scheme="light")
        log_in(page, layout)
        _graph(
            page,
            f"{layout.airflow_url}/dags/drift_{model}/runs/{drift_run}",
            into / "drift-graph.png",
        )
        retraining = f"drift__{model}__{drift_run.removeprefix('demo__')}"
        _graph(
            page, f"{layout.airflow_url}/dags/retrain_{model}/runs/{retraining}", into / "graph.png"
        )
        verdicts = _verdicts(model)
        for name, path in {
            **{name: f"pages/{model}/verdict/{run}" for name, run in verdicts.items()},
            "overview": "",
            "drift": f"pages/{model}/drift/{drift_run}",
            "evidently": f"pages/{model}/evidently/{drift_run}",
            "profile": f"pages/{model}/profile/{retraining}",
            "comparison": f"pages/{model}/comparison/{retraining}",
        }.items():
            page.goto(f"{layout.airflow_url}/perennial/{path}")
            page.wait_for_timeout(SETTLED_MS)
            page.screenshot(path=into / f"{name}.png", full_page=name in verdicts)
        page.goto(f"{layout.airflow_url}/dags/retrain_{model}")
        page.wait_for_timeout(SETTLED_MS)
        page.get_by_role("button", name="Trigger").first.click()
        page.wait_for_timeout(SETTLED_MS)
        page.screenshot(path=into / "form.png")
        browser.close()


def _verdicts(model: str) -> dict[str, str]:
    """Return the runs of the newest promotion over a champion and of the newest refusal."""
    found: dict[str, str] = {}
    for entry in ConfiguredPorts(load_settings()).ledger.entries(model, "verdict"):
        verdict = entry.decision
        if isinstance(verdict, GateVerdict) and verdict.champion:
            name = "promotion" if verdict.verdict == "promote" else "refusal"
            found[name] = entry.run
    return found


def _graph(page: Page, run: str, file: Path) -> None:
    page.goto(run)
    page.wait_for_timeout(SETTLED_MS)
    page.get_by_role("button", name="Graph").first.click()
    page.wait_for_timeout(SETTLED_MS)
    page.screenshot(path=file)


if __name__ == "__main__":
    main(*sys.argv[1:])
