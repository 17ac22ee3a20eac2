"""kill -9 of whatever takes part in a run, while it runs, and of all other programs.

The run finishes, everything happens once, and every program comes back.
"""

import httpx
import psutil
import pytest

from pipelines.ports import ConfiguredPorts
from tests.e2e.live import MODEL, RETRAIN

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_steps_that_are_killed_are_tried_again(live, renewed):
    tries = {step: live.tries(RETRAIN, renewed.run_id, step) for step in renewed.killed_steps}
    assert tries == dict.fromkeys(renewed.killed_steps, 2)


def test_a_run_outlives_its_steps_the_scheduler_mlflow_and_the_server_and_decides_once(
    live, renewed
):
    assert live.api.state(RETRAIN, renewed.run_id) == "success"
    counts = {
        kind: len([e for e in live.ledger(MODEL, kind) if e.key == renewed.run_id])
        for kind in ("verdict", "release", "champion", "outcome")
    }
    assert counts == dict.fromkeys(counts, 1)
    assert len(renewed.champions) == 1, "ledger, registry and server agree"
    ports = ConfiguredPorts(live.settings)
    ports.ledger.verify()
    tagged = [v for v in ports.registry.versions(MODEL) if v.tags.get("run") == renewed.run_id]
    assert [v.version for v in tagged] == list(renewed.champions)


def test_the_programs_that_a_run_needs_come_back(live, renewed):
    for name, killed in renewed.killed_programs.items():
        live.until(lambda name=name, killed=killed: live.is_back(name, killed), f"{name} is back")
    assert httpx.get(f"{live.layout.serving_url}/ready").status_code == 200


def test_the_other_programs_come_back_too_all_killed_at_once(live):
    pids = live.pids()
    others = ("api-server", "dag-processor", "triggerer", "guard")
    for name in others:
        psutil.Process(pids[name]).kill()
    for name in others:
        live.until(lambda name=name: live.is_back(name, pids[name]), f"{name} is back")
    live.until(live.is_healthy, "all are healthy")
