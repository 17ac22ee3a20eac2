"""One running stack for all end-to-end tests.

A small model that they may change, and the two shipped ones on a few batches.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from pipelines.ports import ConfiguredPorts
from pipelines.settings import load_settings
from pipelines.spec import load_all
from stack import control
from stack.airflow_api import AirflowApi
from stack.dags import await_dags
from stack.keys import USER, password
from stack.layout import Layout
from stack.patience import Patience
from stack.processes import cpu_seconds, stack_processes
from tests.conftest import ROOT
from tests.worlds import World, make_world
from tools.screenshots import QUIET, log_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Page

    from pipelines.ledger import Entry
    from pipelines.settings import Settings

SHIPPED = ("flight_delays", "bike_demand")
RUN_SECONDS = 480
WAIT_SECONDS = 120


@dataclass(frozen=True)
class Live:
    """A running stack: its world, its settings, Airflow's API, and short ways to what tests look
    at."""

    world: World
    watched: World
    settings: Settings
    layout: Layout
    api: AirflowApi

    def start(self, model: str, run_id: str, **conf: Any) -> str:
        return self.api.trigger(f"retrain_{model}", conf, run_id)

    def end(self, model: str, run_id: str) -> str:
        return self.api.wait(f"retrain_{model}", run_id, RUN_SECONDS)

    def run(self, model: str, run_id: str, **conf: Any) -> str:
        """Start a run, wait for its end, and return its state."""
        self.start(model, run_id, **conf)
        return self.end(model, run_id)

    def states(self, model: str, run_id: str) -> dict[str, str | None]:
        """The state of each task; of mapped ones, of each index."""
        return {
            t.task if t.index < 0 else f"{t.task} {t.label}": t.state
            for t in self.api.tasks(f"retrain_{model}", run_id)
        }

    def result(self, model: str, run_id: str, task: str, index: int = -1) -> Any:
        return self.api.result(f"retrain_{model}", run_id, task, index)

    def log(self, model: str, run_id: str, task: str) -> str:
        return self.api.log(f"retrain_{model}", run_id, task)

    def ledger(self, model: str, kind: Any = None) -> list[Entry]:
        return ConfiguredPorts(self.settings).ledger.entries(model, kind)

    def ask(self, model: str, rows: list[dict[str, Any]]) -> httpx.Response:
        return httpx.post(
            f"{self.layout.serving_url}/models/{model}/predict", json={"rows": rows}, timeout=30
        )

    def until(self, arrived: Callable[[], Any], what: str, *, pause_seconds: float = 0.3) -> Any:
        """Wait for what the stack works on, as long as it works: on a busy machine that is long.

        Return what `arrived` returns.
        """
        patience = Patience(
            WAIT_SECONDS,
            lambda: cpu_seconds(
                process.pid for process in stack_processes(str(self.settings.state))
            ),
        )
        while not (value := arrived()):
            assert not patience.is_over, f"{what}: not after {patience.seconds:.0f} s"
            time.sleep(pause_seconds)
        return value

    def is_healthy(self) -> bool:
        return all(health.is_healthy for health in control.status(self.layout))

    def told(self, model: str) -> dict[str, Any]:
        body: dict[str, Any] = httpx.get(
            f"{self.layout.serving_url}/models/{model}", timeout=30
        ).json()
        return body


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def _second(home: Path, model: str) -> World:
    """The small model once more, under another name and with raw data of its own and no end."""
    other, folder = make_world(home.parent / model), f"raw-{model}"
    shutil.copytree(other.home / "models" / other.model, home / "models" / model)
    shutil.copy(
        other.home / "expectations" / f"{other.model}.json", home / "expectations" / f"{model}.json"
    )
    shutil.copytree(other.home / "raw", home / folder)
    world = World(home, model, folder)
    world.respec(f"name: {other.model}", f"name: {model}")
    world.respec("raw/{start", f"{folder}/{{start")
    world.respec(", until: 2024-01-09T00:00:00Z", "")
    return world


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Start the stack with three models.

    It is stopped, and must leave nothing behind, at the end.
    """
    home = tmp_path_factory.mktemp("e2e") / "home"
    world = make_world(home)
    watched = _second(home, "watched")
    for model in SHIPPED:
        shutil.copytree(
            ROOT / "models" / model,
            home / "models" / model,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        for suite in (ROOT / "expectations").glob(f"{model}*.json"):
            shutil.copy(suite, home / "expectations")
    ports = {f"PERENNIAL_{name}_PORT": _free_port() for name in ("AIRFLOW", "MLFLOW", "SERVING")}
    environ = {k: v for k, v in os.environ.items() if not k.startswith("PERENNIAL_")}
    environ |= {
        **ports,
        "PERENNIAL_HOME": str(home),
        "PERENNIAL_STATE": str(home / "var"),
        "PERENNIAL_LOCK_TIMEOUT_SECONDS": "120",
    }
    settings = load_settings(environ)
    layout = Layout(settings)
    said: list[str] = []
    control.up(layout, environ, say=said.append, timeout_seconds=240)
    try:
        with AirflowApi(layout.airflow_url, USER, password(layout.secrets)) as api:
            assert await_dags(api, load_all(settings.models)[0].values(), timeout_seconds=120) == []
            yield Live(world, watched, settings, layout, api)
    finally:
        control.down(layout, say=said.append)


@pytest.fixture(scope="session")
def first(live: Live) -> dict[str, str]:
    """The first run of the small model, which deploys version 1; what comes after stands on it."""
    run_id = "first"
    assert live.run("sales", run_id, as_of="2024-01-04T00:00:00Z", reason="the first") == "success"
    return json.loads(json.dumps(live.result("sales", run_id, "deploy")))


@pytest.fixture
def page(live: Live) -> Iterator[Page]:
    """A page of a real browser, logged in to Airflow."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no Chromium (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=chromium, args=QUIET)
        opened = browser.new_page(viewport={"width": 1440, "height": 860})
        log_in(opened, live.layout)
        yield opened
        browser.close()
