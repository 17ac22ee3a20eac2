"""Workers killed at random moments while retrainings are under way: is each effect there once?

`python -m benchmarks.worker_kills [--tiny]`. KILLS=30 is the default.

A stack of its own runs with a broker and two workers (PERENNIAL_EXECUTOR=celery). Four small models
are retrained again and again, side by side. At random moments a worker is killed with `kill -9`:
the program itself, or one of the processes that it does tasks in. In the end each run's effects are
counted in the ledger and in the registry: a verdict, an outcome, and a release and a champion where
the gate promoted. A task that was hit begins again when its heartbeats are missed.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import statistics
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from benchmarks.celery_stack import celery_environ
from benchmarks.report import Measure, is_tiny, show, write
from pipelines.errors import PerennialError
from pipelines.ports import ConfiguredPorts
from pipelines.settings import load_settings, quiet
from pipelines.spec import load_all
from stack import control
from stack.airflow_api import AirflowApi
from stack.dags import await_dags
from stack.keys import USER, password
from stack.layout import Layout
from tests.worlds import as_of, make_world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stack.airflow_api import TaskRun

KILLS = int(os.environ.get("KILLS", "30"))
MODELS = ("sales", "sales_b", "sales_c", "sales_d")
SEED = 23
FIRST_DAY = 6
"""The first retraining learns from the days before."""
PAUSES = (10.0, 40.0)
"""Seconds between two kills, drawn evenly."""
WAIT_SECONDS = 1_800
ENDS = {"success", "failed"}


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where an effect is missing or there twice."""
    tiny = is_tiny(__doc__, argv)
    quiet()
    kills, models = (1, MODELS[:1]) if tiny else (KILLS, MODELS)
    with tempfile.TemporaryDirectory(prefix="pb-") as folder:
        environ = _environ(Path(folder), models)
        layout = Layout(load_settings(environ))
        control.up(layout, environ, say=lambda _: None, timeout_seconds=240)
        try:
            with AirflowApi(layout.airflow_url, USER, password(layout.secrets), tries=20) as api:
                await_dags(api, load_all(layout.settings.models)[0].values(), timeout_seconds=120)
                runs = live(layout, api, models, kills)
                rows = measures(layout, api, runs, kills)
        finally:
            control.down(layout, say=lambda _: None)
    show(f"{kills} kills of workers", rows)
    if not tiny:
        write("worker_kills", rows)
    wrong = [row for row in rows if row["asked"] == "<= 0" and row["value"]]
    return int(bool(wrong))


def _environ(folder: Path, models: tuple[str, ...]) -> dict[str, str]:
    """Return the environment of a stack with these models, all alike."""
    home = folder / "home"
    world = make_world(home, days=FIRST_DAY + 60)
    world.respec("until: 2024-01-09T00:00:00Z", f"until: {as_of(FIRST_DAY + 60)}")
    for name in models[1:]:
        shutil.copytree(home / "models/sales", home / "models" / name)
        spec = home / "models" / name / "model.yaml"
        spec.write_text(spec.read_text().replace("name: sales\n", f"name: {name}\n"))
        shutil.copy(home / "expectations/sales.json", home / f"expectations/{name}.json")
        suite = home / f"expectations/{name}.json"
        suite.write_text(suite.read_text().replace('"name": "sales"', f'"name": "{name}"'))
    return celery_environ(folder, home)


def live(
    layout: Layout, api: AirflowApi, models: tuple[str, ...], kills: int
) -> list[tuple[str, str]]:
    """Kill so often while each model is retrained again and again; return the runs."""
    chance = random.Random(SEED)
    runs: list[tuple[str, str]] = []
    days = dict.fromkeys(models, FIRST_DAY)
    done = 0
    next_kill = time.monotonic() + chance.uniform(*PAUSES)
    while done < kills:
        for model in models:
            mine = [run for name, run in runs if name == model]
            if not mine or _state(api, model, mine[-1]) in ENDS:
                run = f"day-{days[model]}"
                api.trigger(f"retrain_{model}", {"as_of": as_of(days[model])}, run)
                runs.append((model, run))
                days[model] += 1
        if time.monotonic() >= next_kill and (victims := list(_victims(layout))):
            victim = chance.choice(victims)
            try:
                victim.kill()
            except psutil.NoSuchProcess:
                continue
            done += 1
            next_kill = time.monotonic() + chance.uniform(*PAUSES)
            print(f"kill {done} of {kills}; {len(runs)} runs so far", flush=True)
        time.sleep(0.5)
    end = time.monotonic() + WAIT_SECONDS
    while any(_state(api, model, run) not in ENDS for model, run in runs):
        if time.monotonic() > end:
            raise SystemExit(f"The runs have not ended {WAIT_SECONDS} s after the last kill.")
        time.sleep(1)
    return runs


def _state(api: AirflowApi, model: str, run: str) -> str | None:
    try:
        return api.state(f"retrain_{model}", run)
    except PerennialError:  # the API is away for a moment: ask again
        return None


def _victims(layout: Layout) -> Iterator[psutil.Process]:
    """Yield each worker, and the processes in which it does tasks."""
    for health in control.status(layout):
        if health.name.startswith("worker") and health.pid:
            with contextlib.suppress(psutil.Error):
                worker = psutil.Process(health.pid)
                yield from (worker, *worker.children())


def measures(
    layout: Layout, api: AirflowApi, runs: list[tuple[str, str]], kills: int
) -> list[Measure]:
    """Count each run's effects, and how much longer the runs took that were hit."""
    ports = ConfiguredPorts(layout.settings)
    ports.ledger.verify()
    missing = twice = failed = tasks_hit = 0
    hit: list[float] = []
    undisturbed: list[float] = []
    for model, run in runs:
        entries = [e for e in ports.ledger.entries(model) if e.key == run]
        count = {kind: sum(e.kind == kind for e in entries) for kind in _EFFECTS}
        versions = [v for v in ports.registry.versions(model) if v.tags.get("run") == run]
        twice += sum(n > 1 for n in (*count.values(), len(versions)))
        tasks = api.tasks(f"retrain_{model}", run)
        if _state(api, model, run) == "failed":
            failed += 1
        else:
            missing += sum(count[kind] == 0 for kind in ("verdict", "outcome"))
        again = [task for task in tasks if task.tries > 1]
        tasks_hit += len(again)
        (hit if again else undisturbed).append(_seconds(tasks))
    usual = statistics.median(undisturbed) if undisturbed else float("nan")
    gaps = [seconds - usual for seconds in hit]
    return [
        _measure(f"effects that are there twice, in {len(runs)} runs", twice, "effects", "<= 0"),
        _measure("effects that are missing", missing, "effects", "<= 0"),
        _measure("runs that failed: a task was hit in each of its three tries", failed, "runs"),
        _measure(f"tasks that were tried again after {kills} kills", tasks_hit, "tasks"),
        _measure("a run that was not hit (median)", round(usual, 1), "s"),
        _measure("longest delay of a run that was hit", round(max(gaps, default=0.0), 1), "s"),
        _measure(
            "median delay of a run that was hit", round(statistics.median(gaps or [0.0]), 1), "s"
        ),
    ]


_EFFECTS = ("verdict", "release", "champion", "outcome")


def _seconds(tasks: list[TaskRun]) -> float:
    """Return the seconds from the first task's begin to the last one's end."""
    begins = [datetime.fromisoformat(task.start) for task in tasks if task.start]
    ends = [datetime.fromisoformat(task.end) for task in tasks if task.end]
    return (max(ends) - min(begins)).total_seconds()


def _measure(name: str, value: float, unit: str, asked: str = "") -> Measure:
    return {"measure": name, "value": value, "unit": unit, "asked": asked}


if __name__ == "__main__":
    raise SystemExit(main())
