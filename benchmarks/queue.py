"""A fleet retrained by its schedule at one moment, on two workers: who waits how long for a turn?

`python -m benchmarks.queue [--tiny] [--models 100] [--at-once 4]`.

A stack of its own runs with a broker and two workers of two tasks each (PERENNIAL_EXECUTOR=celery),
and lets so many retrainings be under way at once (PERENNIAL_RETRAININGS_AT_ONCE). All models are
small and alike; five owners have two fifths of them, three tenths and so on down to a few. All are
due in the same minute. A retraining's wait is what the ledger says: from the schedule's strike to
its turn. Its fair wait is that of `pipelines.turns.fairness`. The scheduler's overhead is the time
from when a task could begin (those before it had ended, and one of the four slots was free) to its
begin, of all tasks but `wait`, which takes no slot.
"""

from __future__ import annotations

import argparse
import heapq
import shutil
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.celery_stack import celery_environ
from benchmarks.report import Measure, show, write
from pipelines.ledger import Outcome, Turn
from pipelines.ports import ConfiguredPorts
from pipelines.settings import load_settings, quiet
from pipelines.spec import load_all
from pipelines.turns.fairness import fair_wait, longest_against_fair
from stack import control
from stack.airflow_api import AirflowApi
from stack.celery import SLOTS
from stack.dags import await_dags
from stack.keys import USER, password
from stack.layout import Layout
from tests.worlds import make_world

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stack.airflow_api import TaskRun

WORKERS = 2
OWNERS = ("sales", "sales", "sales", "sales", "flights", "flights", "flights", "bikes", "bikes")
OWNERS += ("hotels",)
"""Who owns which of ten models, again and again; beside them one owner has one model."""
AHEAD_SECONDS = 120
"""The schedule strikes so long after the specs are written, and a second later per model."""
WAIT_SECONDS = 4 * 3_600
BEFORE = {
    "ingest": ("wait",),
    "validate": ("ingest",),
    "features": ("validate",),
    "train": ("features",),
    "gate": ("train",),
    "package": ("gate",),
    "deploy": ("package",),
    "close": ("deploy", "gate", "train"),
}
"""Of each task those whose end it waits for."""
ENDS = {"success", "failed"}


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where less was reached than was asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="two models; judges and writes nothing")
    parser.add_argument("--models", type=int, default=100, help="how many are due at once")
    parser.add_argument("--at-once", type=int, default=4, help="how many may be under way")
    chosen = parser.parse_args(argv)
    quiet()
    models, at_once = (2, 1) if chosen.tiny else (chosen.models, chosen.at_once)
    with tempfile.TemporaryDirectory(prefix="pq-") as folder:
        strike = _strike(models)
        environ = _environ(Path(folder), models, at_once, strike)
        layout = Layout(load_settings(environ))
        control.up(layout, environ, say=lambda _: None, timeout_seconds=240)
        try:
            with AirflowApi(layout.airflow_url, USER, password(layout.secrets), tries=20) as api:
                specs = load_all(layout.settings.models)[0]
                missing = await_dags(api, specs.values(), timeout_seconds=240)
                if missing or datetime.now(UTC) > strike:
                    raise SystemExit(f"The DAGs are not there before the strike: {missing}")
                runs = _await_runs(api, list(specs), strike)
                rows = measures(layout, api, runs, strike, at_once)
        finally:
            control.down(layout, say=lambda _: None)
    show(f"{models} models due at once, {at_once} under way, {WORKERS} workers", rows)
    if not chosen.tiny and models == parser.get_default("models"):
        write("queue", rows)
    return 0 if chosen.tiny else int(any(_is_missed(row) for row in rows))


def _strike(models: int) -> datetime:
    """Return the whole minute at which all are due."""
    soon = datetime.now(UTC) + timedelta(seconds=AHEAD_SECONDS + models)
    return (soon + timedelta(minutes=1)).replace(second=0, microsecond=0)


def _environ(folder: Path, models: int, at_once: int, strike: datetime) -> dict[str, str]:
    """Return the environment of a stack with so many models, all alike and due at one moment."""
    home = folder / "home"
    world = make_world(home)
    world.respec("  - {name: baseline, estimator: sklearn.dummy.DummyClassifier}\n", "")
    world.respec("seed: 3, folds: 2}", f'seed: 3, folds: 2, schedule: "{strike:%M %H %d %m} *"}}')
    text = (home / "models/sales/model.yaml").read_text()
    suite = (home / "expectations/sales.json").read_text()
    owners = ["alone", *islice(cycle(OWNERS), models - 1)]
    for number, owner in enumerate(owners):
        name = f"sales_{number:03d}"
        shutil.copytree(home / "models/sales", home / "models" / name)
        spec = text.replace("name: sales\n", f"name: {name}\n")
        spec = spec.replace("owner: shop\n", f"owner: {owner}\n")
        (home / "models" / name / "model.yaml").write_text(spec)
        (home / f"expectations/{name}.json").write_text(
            suite.replace('"name": "sales"', f'"name": "{name}"')
        )
    shutil.rmtree(home / "models/sales")
    return celery_environ(
        folder,
        home,
        PERENNIAL_CELERY_WORKERS=str(WORKERS),
        PERENNIAL_RETRAININGS_AT_ONCE=str(at_once),
    )


def _await_runs(api: AirflowApi, models: list[str], strike: datetime) -> dict[str, str]:
    """Return each model's run, once all have ended."""
    runs: dict[str, str] = {}
    ended: set[str] = set()
    end = time.monotonic() + WAIT_SECONDS
    while len(ended) < len(models):
        if time.monotonic() > end:
            raise SystemExit(f"Only {len(ended)} of {len(models)} retrainings have ended.")
        time.sleep(5)
        if datetime.now(UTC) < strike:
            continue
        for model in models:
            if model not in runs:
                for run in api.runs(f"retrain_{model}"):
                    runs[model] = run
            if model in runs and model not in ended:
                ended |= {model} if api.state(f"retrain_{model}", runs[model]) in ENDS else set()
        print(f"{len(ended)} of {len(models)} have ended", flush=True)
    return runs


def measures(
    layout: Layout, api: AirflowApi, runs: dict[str, str], strike: datetime, at_once: int
) -> list[Measure]:
    """Return what the ledger says of the waits, and Airflow of its tasks."""
    ledger = ConfiguredPorts(layout.settings).ledger
    ledger.verify()
    begins = sorted(
        (e for m in runs for e in ledger.entries(m, "turn") if e.read(Turn).event == "begins"),
        key=lambda e: e.seq,
    )
    outcomes = {e.model: e for m in runs for e in ledger.entries(m, "outcome")}
    done = sum(e.read(Outcome).outcome != "failed" for e in outcomes.values())
    took = [(outcomes[e.model].at - e.at).total_seconds() for e in begins if e.model in outcomes]
    seconds = statistics.mean(took)
    waited = [(e.read(Turn).owner, (e.at - strike).total_seconds()) for e in begins]
    longest, part = longest_against_fair(waited, at_once, seconds)
    loads: dict[str, int] = {}
    for owner, _ in waited:
        loads[owner] = loads.get(owner, 0) + 1
    fair = fair_wait(loads, max(loads.values()), at_once, seconds)
    tasks = {model: api.tasks(f"retrain_{model}", run) for model, run in runs.items()}
    late = overheads(list(tasks.values()), WORKERS * SLOTS)
    p95 = sorted(late)[int(0.95 * (len(late) - 1))]
    return [
        _measure("retrainings that did not end well", len(runs) - done, "retrainings", "<= 0"),
        _measure("most under way at once", _most(begins, outcomes), "retrainings", f"<= {at_once}"),
        _measure("turns that began twice or never", abs(len(begins) - len(runs)), "turns", "<= 0"),
        _measure("one retraining, once its turn came (mean)", round(seconds, 1), "s"),
        _measure("from the strike to the last end", _span(outcomes, strike), "s"),
        _measure("longest wait for a turn", round(longest, 1), "s"),
        _measure("longest wait against the fair one", round(longest / fair, 2), "times", "<= 1.5"),
        _measure("largest part of its fair wait that one waited", round(part, 2), "times"),
        _measure(f"overhead of a task (mean of {len(late)})", _mean(late), "s", "<= 1"),
        _measure("overhead of a task (median)", round(statistics.median(late), 2), "s"),
        _measure("overhead of a task (95 of 100)", round(p95, 2), "s"),
    ]


def overheads(runs: Sequence[Sequence[TaskRun]], slots: int) -> list[float]:
    """Return how long each task waited although it could have begun, in seconds.

    It could where those before it had ended, and a slot was free. Each slot that becomes free is
    one task's, of those that wait the next to begin.
    """
    work = []
    for tasks in runs:
        ends: dict[str, float] = {}
        for task in tasks:
            if task.end:
                ends[task.task] = max(ends.get(task.task, 0.0), _at(task.end))
        for task in tasks:
            if task.task == "wait" or task.start is None or task.state == "skipped":
                continue
            ready = max(ends.get(before, 0.0) for before in BEFORE[task.task])
            end = _at(task.end) if task.end else float("inf")
            work.append((_at(task.start), ready, end))
    free_from = [0.0] * slots
    late = []
    for begin, ready, end in sorted(work):
        late.append(max(0.0, begin - max(ready, heapq.heappop(free_from))))
        heapq.heappush(free_from, end)
    return late


def _at(text: str | None) -> float:
    return datetime.fromisoformat(text or "").timestamp()


def _most(begins: list, outcomes: dict) -> int:  # type: ignore[type-arg]
    """Return how many turns had begun and were not over, at most, by the ledger's order."""
    events = [(e.seq, 1) for e in begins] + [(e.seq, -1) for e in outcomes.values()]
    most = now = 0
    for _, change in sorted(events):
        now += change
        most = max(most, now)
    return most


def _span(outcomes: dict, strike: datetime) -> float:  # type: ignore[type-arg]
    return round((max(e.at for e in outcomes.values()) - strike).total_seconds(), 1)


def _mean(values: list[float]) -> float:
    return round(statistics.mean(values), 2)


def _is_missed(row: Measure) -> bool:
    return bool(row["asked"]) and row["value"] > float(row["asked"].removeprefix("<= "))


def _measure(name: str, value: float, unit: str, asked: str = "") -> Measure:
    return {"measure": name, "value": value, "unit": unit, "asked": asked}


if __name__ == "__main__":
    raise SystemExit(main())
