"""A model of hourly batches: its folder, its raw files, and the history that it has had."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pipelines.context import Context
from pipelines.data.batches import manifest_of, publish, read_source
from pipelines.intervals import Interval, covering
from pipelines.ledger import DriftCheck
from pipelines.ports import ConfiguredPorts
from pipelines.refs import Ref
from pipelines.settings import load_settings
from pipelines.sources import open_source
from pipelines.spec import load_spec

if TYPE_CHECKING:
    from pathlib import Path

MODEL = "hours"
FIRST = datetime(2024, 1, 1, tzinfo=UTC)
A_HOUR = 60
"""Rows of an hour."""
LEARN, HOLD_OUT, LOOK = 72, 168, 24
"""Hours that a retraining learns from and judges on, and that a look sees."""
NOTHING = Ref(uri="objects/aa/" + "a" * 64 + ".json", sha256="a" * 64)

SPEC = """
name: hours
owner: nobody
description: Will it happen? A batch each hour.
task: binary
source: {{kind: files, uri: "raw/{{start:%Y-%m-%dT%H}}.csv", first: {first}, until: {until}}}
batch: hour
event_time: at
key: [id]
target: {{column: happened, known_after: 0h}}
features: {{inputs: [x0, x1, x2, x3, x4, kind]}}
train: {{window: {learn} batches, holdout: {hold_out} batches, metric: log_loss, seed: 1, folds: 2}}
candidates:
  - {{name: linear, estimator: sklearn.linear_model.LogisticRegression}}
gate:
  at_most: {{log_loss: 5}}
  versus_champion: {{metric: log_loss, rule: not_worse, margin: 0.1}}
drift: {{schedule: daily, window: {window}, min_rows: 100}}
"""
BUILD = """
def build(tables):
    return tables["events"]
"""
SUITE = {
    "name": MODEL,
    "expectations": [
        {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "happened"}}
    ],
}


def end_of(hours: int) -> datetime:
    """Return the moment behind so many hours."""
    return FIRST + timedelta(hours=hours)


def lay_model(home: Path, hours: int, window: str = f"{LOOK} batches") -> None:
    """Write the model's folder, its suite, and the raw file of each hour."""
    folder = home / "models" / MODEL
    for path in (folder, home / "expectations", home / "raw"):
        path.mkdir(parents=True, exist_ok=True)
    text = SPEC.format(
        first=f"{FIRST:%Y-%m-%dT%H:%M:%SZ}",
        until=f"{end_of(hours):%Y-%m-%dT%H:%M:%SZ}",
        learn=LEARN,
        hold_out=HOLD_OUT,
        window=window,
    )
    (folder / "model.yaml").write_text(text, encoding="utf-8")
    (folder / "features.py").write_text(BUILD, encoding="utf-8")
    (home / "expectations" / f"{MODEL}.json").write_text(json.dumps(SUITE), encoding="utf-8")
    (home / "requirements.txt").write_text("# locked\n", encoding="utf-8")
    for hour in range(hours):
        # counted from the end, so that the newest hours are the same however many there were
        rows = draw_hour(hours - hour, end_of(hour), seed=hour - hours)
        rows.to_csv(home / "raw" / f"{end_of(hour):%Y-%m-%dT%H}.csv", index=False)


def draw_hour(number: int, start: datetime, seed: int) -> pd.DataFrame:
    """Return the rows of an hour: five numbers, a text, and a truth that follows two of them."""
    rng = np.random.default_rng(abs(seed))
    numbers = rng.normal(size=(A_HOUR, 5))
    seconds = np.sort(rng.integers(0, 3_600, A_HOUR))
    rows = pd.DataFrame({"id": [f"{number}-{place}" for place in range(A_HOUR)]})
    at = pd.Timestamp(start) + pd.to_timedelta(seconds, unit="s")
    rows["at"] = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    for place in range(5):
        rows[f"x{place}"] = numbers[:, place].round(6)
    rows["kind"] = rng.choice(["a", "b", "c"], A_HOUR)
    chance = 1 / (1 + np.exp(numbers[:, 1] - numbers[:, 0]))
    rows["happened"] = (rng.random(A_HOUR) < chance).astype(int)
    return rows


def live_through(home: Path, state: Path, hours: int) -> None:
    """Ingest each hour as the product does, and look at each day but the last two."""
    environ = {"PERENNIAL_HOME": str(home), "PERENNIAL_STATE": str(state)}
    settings = load_settings(environ)
    spec = load_spec(settings.models, MODEL)
    context = Context(spec=spec, settings=settings, ports=ConfiguredPorts(settings))
    source = open_source(spec, settings, paths=context.paths)
    for interval in covering(FIRST, end_of(hours), spec.timing.batch, FIRST):
        raw = read_source(context, source, interval)
        publish(context.ports.store, manifest_of(context.ports.store, spec, interval, raw))
    looks = [quiet_look(day) for day in range(hours // 24 - 2)]
    context.ports.ledger.append_many(MODEL, [(look.run, look) for look in looks])


def quiet_look(day: int) -> DriftCheck:
    """Return what a look at a day says in which nothing has changed."""
    start = FIRST + timedelta(days=day)
    return DriftCheck(
        run=f"day {day}",
        verdict="no_drift",
        reasons=["nothing has drifted"],
        window=Interval(start=start, end=start + timedelta(days=1)),
        source="batches",
        rows=24 * A_HOUR,
        labelled=24 * A_HOUR,
        champion="1",
        metric="log_loss",
        live=0.6,
        expected=0.6,
        columns=6,
        drifted=[],
        figures=NOTHING,
        page=NOTHING,
        run_id="a" * 32,
    )
