"""Evidently's page of a look in a real browser: from Airflow, from MLflow, and after it went."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipelines.ledger import DriftCheck, PageRemoval
from pipelines.ports import ConfiguredPorts
from tests.e2e.browsing import logged_in
from tests.e2e.live import DRIFT, MODEL, Live

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

WAIT_MS = 60_000


@pytest.fixture
def page(live: Live) -> Iterator[Page]:
    """A page of a real browser that is logged in to Airflow."""
    with logged_in(live.layout) as context:
        yield context.new_page()


def follow(page: Page, link: str) -> Page:
    """Click a link, and return the page that shows Evidently's, in whichever tab it is."""
    page.get_by_role("link", name=link, exact=True).first.click(timeout=2 * WAIT_MS)
    for _ in range(WAIT_MS // 250):
        found = [p for p in page.context.pages if f"/pages/{MODEL}/evidently/" in p.url]
        if found:
            return found[-1]
        page.wait_for_timeout(250)
    pytest.fail(f"{link} leads to {[p.url for p in page.context.pages]}")


def expect_drawn(shown: Page) -> None:
    """See that Evidently's program has drawn the page, below the verdict."""
    shown.get_by_text("is the verdict on this window").wait_for(timeout=WAIT_MS)
    shown.get_by_text("Column by column", exact=True).first.wait_for(timeout=WAIT_MS)
    assert shown.evaluate("self.origin") == "null"


def check_of(live: Live, run: str) -> DriftCheck:
    [entry] = [e for e in live.ledger(MODEL, "drift") if e.run == run]
    return entry.read(DriftCheck)


def test_it_is_found_from_airflows_task(live, refused, page):
    page.goto(
        f"{live.layout.airflow_url}/dags/{DRIFT}/runs/{refused.drift_run}/tasks/drift/details"
    )
    expect_drawn(follow(page, "Evidently"))


def test_it_is_found_from_mlflows_run_which_has_no_copy(live, refused, page):
    run_id = check_of(live, refused.drift_run).run_id
    page.goto(f"{live.layout.airflow_url}/perennial/mlflow/{MODEL}/{run_id}")
    page.get_by_text("About this run").wait_for(timeout=WAIT_MS)
    expect_drawn(follow(page, "Evidently's page"))
    registry = ConfiguredPorts(live.settings).registry
    assert registry.find_artifact(run_id, "drift/drift.html")
    assert registry.find_artifact(run_id, "drift/evidently.html") is None


def test_one_that_was_removed_says_so_and_is_made_again_by_its_command(live, refused, page):
    run, ports = refused.drift_run, ConfiguredPorts(live.settings)
    address = f"{live.layout.airflow_url}/perennial/pages/{MODEL}/evidently/{run}"
    checks = len(live.ledger(MODEL, "drift"))
    # As `prune` does it, months later
    ports.ledger.append(MODEL, f"gone {run}", PageRemoval(runs=[run], days=90))
    ports.store.remove("objects", check_of(live, run).evidently.uri)
    for key in ports.store.keys(f"pages/{MODEL}/evidently/{run}"):
        ports.store.remove("entries", key)
    answer = page.goto(address)
    assert answer.status == 410
    command = page.locator("pre").inner_text()
    assert command.startswith(f"perennial drift {MODEL} --page-of ")
    page.get_by_role("link", name="the page of the check").click()
    page.get_by_text("The window", exact=True).wait_for(timeout=WAIT_MS)
    done = live.perennial(*command.split()[1:])
    assert done.returncode == 0, done.stderr
    assert address in done.stdout
    page.goto(address)
    expect_drawn(page)
    assert len(live.ledger(MODEL, "drift")) == checks, "nothing was looked at anew"
