"""One running stack for all end-to-end tests, and the few runs that they read.

A retraining costs half a minute of a processor. So each is made once, by a fixture that says what
happens in it, and several tests read from it what each of them promises. They follow each other:
`first`, `refused`, `renewed`, `mended`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from demo.traffic import Client
from pipelines.context import Context
from pipelines.intervals import Interval
from pipelines.ports import ConfiguredPorts
from pipelines.spec import load_spec
from stack.environment import environment
from tests.conftest import ROOT
from tests.e2e.live import (
    BACK,
    DAYS,
    DRIFT,
    MODEL,
    RETRAIN,
    TURNED,
    Live,
    free_ports,
    running,
    stack_environ,
)
from tests.unit.alerts.worlds import SECRET
from tests.worlds import as_of, make_world, visits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipelines.ledger import Entry

SHIPPED = ("flight_delays", "bike_demand")


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Start the stack with a small model that tests may change, and the two shipped ones.

    It is stopped, and must leave nothing behind, at the end.
    """
    home = tmp_path_factory.mktemp("e2e") / "home"
    world = make_world(home, days=DAYS)
    world.respec("until: 2024-01-09T00:00:00Z", f"until: {as_of(DAYS)}")
    # The shipped models have several candidates; of this one each run would train a second.
    world.respec("  - {name: baseline, estimator: sklearn.dummy.DummyClassifier}\n", "")
    for day in range(TURNED, BACK):
        world.rewrite(day, visits(day, signal=-1.0))
    for model in SHIPPED:
        shutil.copytree(
            ROOT / "models" / model,
            home / "models" / model,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        for suite in (ROOT / "expectations").glob(f"{model}*.json"):
            shutil.copy(suite, home / "expectations")
    environ = stack_environ(str(home), free_ports("AIRFLOW", "MLFLOW", "SERVING"))
    environ["PERENNIAL_ALERTS"] = str(home / "alerts.yaml")
    with running(world, environ) as live:
        _write_routes(home / "alerts.yaml", live.webhook.port)
        yield live


def _write_routes(file: Path, port: int) -> None:
    """Write the routes of alerts, of which the stack knows where they will stand."""
    file.touch(mode=0o600)
    file.write_text(f"routes: {{ops: {{to: 'json://me:{SECRET}@127.0.0.1:{port}/{SECRET}'}}}}")


@dataclass(frozen=True)
class FirstRun:
    """The run that deployed version 1, and what the ledger held of the model after it.

    `reason` is what its trigger said, `marks` what that text would make if anything executed it.
    """

    run_id: str
    version: str
    champions: set[str | None]
    entries: list[Entry]
    reason: str
    marks: tuple[Path, ...]


@pytest.fixture(scope="session")
def first(live: Live, tmp_path_factory: pytest.TempPathFactory) -> FirstRun:
    """The first run of the small model, before the world turns; its reason is a hostile text."""
    marks = tuple(
        tmp_path_factory.mktemp("marks") / name for name in ("shell", "backtick", "jinja")
    )
    reason = (
        f"'; touch {marks[0]}; `touch {marks[1]}` $(id) {{{{ 7 * 7 }}}} {{% import os %}}{{{{"
        f" os.system('touch {marks[2]}') }}}}"
    )
    assert live.run(MODEL, "first", as_of=as_of(TURNED), reason=reason) == "success"
    version = live.result(MODEL, "first", "deploy")["version"]
    return FirstRun("first", version, live.champions(), live.ledger(MODEL), reason, marks)


@pytest.fixture(scope="session")
def client(live: Live, first: FirstRun) -> Client:
    """A client that has traffic for the small model, and tells the outcomes later."""
    spec = load_spec(live.settings.models, MODEL)
    return Client(
        Context(spec, live.settings, ConfiguredPorts(live.settings)), live.layout.serving_url
    )


def live_day(client: Client, day: int) -> tuple[int, int]:
    """Send a day's rows to the server, and tell all that is known by its end.

    Return how many rows and labels.
    """
    interval = Interval(start=as_of(day), end=as_of(day + 1))
    answers = client.predict(client.rows(interval), lambda _: None)
    return answers.rows.num_rows, client.send_labels(interval.end)


@dataclass(frozen=True)
class RefusedRun:
    """A retraining that drift started and the gate refused, and the drift run that started it.

    `import_errors` is what Airflow said of a broken spec that lay beside the whole time.
    """

    run_id: str
    drift_run: str
    rows: int
    labelled: int
    retrainings: list[str]
    champions: set[str | None]
    import_errors: dict[str, str]
    dag_ids: list[str]


@pytest.fixture(scope="session")
def refused(live: Live, first: FirstRun, client: Client) -> RefusedRun:
    """The world turns over: the drift run of that day starts a retraining, which is refused.

    A broken spec lies beside.
    """
    folder = live.world.home / "models" / "mistaken"
    folder.mkdir()
    (folder / "model.yaml").write_text("name: mistaken\nowner: me\ntargte: x\n")
    try:
        rows, labelled = live_day(client, TURNED)
        import_errors = live.until(live.api.import_errors, "Airflow reads the broken spec")
        assert live.drift("turned", TURNED) == "success"
        return RefusedRun(
            run_id=f"drift__{MODEL}__{as_of(TURNED + 1)}",
            drift_run="turned",
            rows=rows,
            labelled=labelled,
            retrainings=live.retrainings(),
            champions=live.champions(),
            import_errors=import_errors,
            dag_ids=live.api.dag_ids(),
        )
    finally:
        shutil.rmtree(folder)


@dataclass(frozen=True)
class RenewedRun:
    """A retraining that drift started and that was deployed, through many kills.

    `killed_steps` were killed once each, `killed_programs` hold the pids that were killed.
    `next_run` was started while it was at work; its conf has an unknown key.
    """

    run_id: str
    drift_run: str
    next_run: str
    killed_steps: tuple[str, ...]
    killed_programs: dict[str, int | None]
    champions: set[str | None]


@pytest.fixture(scope="session")
def renewed(live: Live, refused: RefusedRun, client: Client) -> RenewedRun:
    """By now there is enough of the new world: what drift starts is deployed.

    Meanwhile steps, the server, the scheduler and MLflow are killed, and a second run is started.
    """
    for day in range(TURNED + 1, BACK):
        live_day(client, day)
    run_id = f"drift__{MODEL}__{as_of(BACK)}"
    live.start_drift("by-now", BACK - 1)
    live.until(lambda: run_id in live.retrainings(), "drift starts the retraining")
    pids = live.pids()
    with _trigger_by_command(live, "unknown", '{"as_off": "2024-01-05"}') as trigger:
        live.kill_step("features")
        live.kill_program("serving")
        live.kill_step("train")
        live.kill_program("scheduler")
        live.await_step("gate")
        live.kill_program("mlflow")
        live.kill_step("package")
        live.kill_step("deploy")
        assert live.end(MODEL, run_id) == "success"
        assert live.end_drift("by-now") == "success"
        assert trigger.wait(600) == 0
    live.api.wait(RETRAIN, "unknown", 300)
    return RenewedRun(
        run_id=run_id,
        drift_run="by-now",
        next_run="unknown",
        killed_steps=("features", "train", "package", "deploy"),
        killed_programs={name: pids[name] for name in ("serving", "scheduler", "mlflow")},
        champions=live.champions(),
    )


def _trigger_by_command(live: Live, run_id: str, conf: str) -> subprocess.Popen[bytes]:
    """Start a retraining by Airflow's command, which does not ask our layer in front of the API."""
    command = ("airflow", "dags", "trigger", RETRAIN, "--run-id", run_id, "--conf", conf)
    return subprocess.Popen(
        [sys.executable, "-m", *command],
        env=environment(live.layout, live.environ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@dataclass(frozen=True)
class MendedRun:
    """A drift run that a person mended twice, and the retraining that it started.

    `start_log` and `report_log` are what `start` said of the pause and `report` of the failure;
    `failed_states` are those of the retraining's tasks while a batch was broken.
    """

    run_id: str
    drift_run: str
    retrainings_while_paused: list[str]
    start_log: str
    report_log: str
    failed_states: dict[str, str | None]


@pytest.fixture(scope="session")
def mended(live: Live, renewed: RenewedRun, client: Client) -> MendedRun:
    """The world turns back while the retrain DAG is paused, and a batch that only the retraining
    reads is broken. Both are mended and cleared, one after the other.
    """
    for day in range(BACK, DAYS):
        live_day(client, day)
    drift_run, run_id, day = "mended", f"drift__{MODEL}__{as_of(DAYS)}", DAYS - 5
    good = live.world.frame(day)
    live.world.rewrite(day, good.assign(pages=["many"] * len(good)))
    live.pause(RETRAIN, paused=True)
    try:
        assert live.drift(drift_run, DAYS - 1) == "failed"
        start_log = live.last_log(DRIFT, drift_run, "start")
        retrainings = live.retrainings()
        live.pause(RETRAIN, paused=False)
        live.clear(DRIFT, drift_run, "start")
        assert live.end_drift(drift_run) == "failed"
        report_log = live.last_log(DRIFT, drift_run, "report")
        states = live.states(RETRAIN, run_id)
    finally:
        live.pause(RETRAIN, paused=False)
        live.world.rewrite(day, good)
    live.clear(RETRAIN, run_id, "ingest")
    assert live.end(MODEL, run_id) == "success"
    live.clear(DRIFT, drift_run, "await")
    assert live.end_drift(drift_run) == "success"
    return MendedRun(run_id, drift_run, retrainings, start_log, report_log, states)
