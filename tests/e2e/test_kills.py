"""kill -9 of whatever takes part in a run, while it runs: the run finishes, and everything happens once."""

import time

import httpx
import psutil
import pytest

from pipelines.steps.context import EmbeddedPorts
from stack import control

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("e2e")]


def step_process(live, step: str):
    """The process of a step that is at work in this stack, or None."""
    for process in psutil.process_iter(["cmdline", "environ"]):
        command = process.info["cmdline"] or []
        if (
            "pipelines" in command
            and step in command
            and (process.info["environ"] or {}).get("PERENNIAL_STATE") == str(live.settings.state)
        ):
            return process
    return None


def kill_step(live, step: str) -> None:
    """Kill a step's process as soon as it is there."""
    deadline = time.monotonic() + 120
    while (process := step_process(live, step)) is None:
        assert time.monotonic() < deadline, f"{step} never began"
        time.sleep(0.02)
    process.kill()


def once(live, run_id: str) -> None:
    """Every decision of the run stands in the ledger at most once, and all three agree on the champion."""
    for kind in ("verdict", "release", "champion"):
        assert len([e for e in live.ledger("sales", kind) if e.key == run_id]) <= 1
    ports = EmbeddedPorts(live.settings)
    assert ports.ledger.champion("sales").version == ports.registry.alias("sales") == live.told("sales")["version"]
    ports.ledger.verify()
    tagged = [v for v in ports.registry.versions("sales") if v.tags.get("run") == run_id]
    assert len(tagged) == 1


def test_steps_that_are_killed_are_tried_again_and_happen_once(live, first):
    killed = ("ingest", "features", "train", "gate")
    live.start("sales", "killed", as_of="2024-01-05T00:00:00Z")
    for step in killed:
        kill_step(live, step)
    assert live.end("sales", "killed") == "success"
    tries = {
        t.task: max(u.tries for u in live.api.tasks("retrain_sales", "killed") if u.task == t.task)
        for t in live.api.tasks("retrain_sales", "killed")
    }
    assert {step: tries[step] for step in killed} == dict.fromkeys(killed, 2)
    once(live, "killed")


def test_a_run_outlives_the_scheduler_mlflow_and_the_server(live, first):
    live.start("sales", "outlived", as_of="2024-01-04T00:00:00Z")
    for step, program in (("validate", "mlflow"), ("features", "serving"), ("train", "scheduler")):
        deadline = time.monotonic() + 120
        while step_process(live, step) is None and live.api.state("retrain_sales", "outlived") == "running" and time.monotonic() < deadline:
            time.sleep(0.05)
        [found] = [h for h in control.status(live.layout) if h.name == program]
        if found.pid:
            psutil.Process(found.pid).kill()
    assert live.end("sales", "outlived") == "success"
    once(live, "outlived")
    deadline = time.monotonic() + 60
    while not all(h.is_healthy for h in control.status(live.layout)) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert all(h.is_healthy for h in control.status(live.layout))
    assert httpx.get(f"{live.layout.serving_url}/ready").status_code == 200
