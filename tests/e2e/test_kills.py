"""kill -9 of whatever takes part in a run, while it runs.

The run finishes, and everything happens once.
"""

import httpx
import psutil
import pytest

from pipelines.ports import ConfiguredPorts
from stack import control
from tests.worlds import DAYS, as_of, visits

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


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
    live.until(lambda: step_process(live, step), f"{step} begins", pause_seconds=0.02).kill()


def once(live, run_id: str, *, deployed: bool) -> None:
    """Every decision of the run stands in the ledger once (of a refused one, the verdict only), and
    all three agree on the champion."""
    counts = {
        kind: len([e for e in live.ledger("sales", kind) if e.key == run_id])
        for kind in ("verdict", "release", "champion")
    }
    assert counts == {"verdict": 1, "release": int(deployed), "champion": int(deployed)}
    ports = ConfiguredPorts(live.settings)
    assert (
        ports.ledger.champion("sales").version
        == ports.registry.alias("sales")
        == live.told("sales")["version"]
    )
    ports.ledger.verify()
    tagged = [v for v in ports.registry.versions("sales") if v.tags.get("run") == run_id]
    assert len(tagged) == 1


def test_steps_that_are_killed_are_tried_again_and_happen_once(live, first):
    for day in range(3, DAYS):  # the world turns over, so that a new version is worth deploying
        live.world.rewrite(day, visits(day, signal=-1.0))
    killed = ("features", "train", "package", "deploy")
    live.start("sales", "killed", as_of=as_of(DAYS), reason="a world turned over")
    for step in killed:
        kill_step(live, step)
    assert live.end("sales", "killed") == "success"
    tasks = live.api.tasks("retrain_sales", "killed")
    assert {
        step: max(t.tries for t in tasks if t.task == step) for step in killed
    } == dict.fromkeys(killed, 2)
    once(live, "killed", deployed=True)


def test_a_run_outlives_the_scheduler_mlflow_and_the_server(live, first):
    live.start("sales", "outlived", as_of="2024-01-04T00:00:00Z")
    for step, program in (("validate", "mlflow"), ("features", "serving"), ("train", "scheduler")):
        live.until(
            lambda step=step: (
                step_process(live, step) or live.api.state("retrain_sales", "outlived") != "running"
            ),
            f"{step} begins",
            pause_seconds=0.05,
        )
        [found] = [h for h in control.status(live.layout) if h.name == program]
        if found.pid:
            psutil.Process(found.pid).kill()
    assert live.end("sales", "outlived") == "success"
    once(live, "outlived", deployed=False)
    live.until(live.is_healthy, "all are healthy")
    assert httpx.get(f"{live.layout.serving_url}/ready").status_code == 200
