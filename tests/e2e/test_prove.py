"""The champion is built again through a started Airflow; nothing that serves is touched."""

from __future__ import annotations

import pytest

from pipelines.ledger import Proof
from pipelines.ports import ConfiguredPorts
from pipelines.store.pages import find_page
from tests.e2e.live import MODEL, RUN_SECONDS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]

PROVE = f"prove_{MODEL}"


def folders(live):
    """The folders of rebuilds, at work or left."""
    root = live.settings.state / "rebuilds"
    return [path for path in root.iterdir() if path.is_dir()] if root.is_dir() else []


def test_a_killed_rebuild_is_tried_again_comes_out_equal_and_the_ledger_and_a_page_say_so(
    live, first
):
    before, releases = live.describe(MODEL), live.ledger(MODEL, "release")
    live.api.trigger(PROVE, {"reason": "end to end"}, "proof")
    step = live.await_step("prove")
    live.until(lambda: folders(live), "the rebuild has its folder", pause_seconds=0.05)
    step.kill()
    assert live.api.wait(PROVE, "proof", RUN_SECONDS) == "success"
    assert live.tries(PROVE, "proof", "prove") == 2
    found = live.api.result(PROVE, "proof", "prove")
    assert (found["verdict"], {found["version"]}) == ("equal", live.champions())
    assert found["rows"] > 0
    [entry] = [e for e in live.ledger(MODEL, "proof") if e.key == "proof"]
    assert entry.read(Proof).differences == []
    assert (live.describe(MODEL), live.ledger(MODEL, "release")) == (before, releases)
    assert folders(live) == []
    store = ConfiguredPorts(live.settings).store
    assert b"Equal" in find_page(store, model=MODEL, kind="proof", run="proof")
    path = f"/api/v2/dags/{PROVE}/dagRuns/proof/taskInstances/prove/links"
    links = live.api._get(path, map_index=-1)["extra_links"]
    assert links["Page"] == f"/perennial/pages/{MODEL}/proof/proof"


def test_a_version_that_is_not_there_fails_once_and_names_those_that_are(live, first):
    live.api.trigger(PROVE, {"version": "999"}, "no-version")
    assert live.api.wait(PROVE, "no-version", RUN_SECONDS) == "failed"
    assert live.tries(PROVE, "no-version", "prove") == 1, "a retry cannot help"
    assert "has no version '999'" in live.last_log(PROVE, "no-version", "prove")
