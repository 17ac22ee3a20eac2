"""The engine's *every batch* against a plain script of scikit-learn, on a small model."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from benchmarks.plain_replay import replay_plainly
from pipelines.context import Context
from pipelines.ports import ConfiguredPorts
from pipelines.replay.contenders import ALWAYS, NEVER
from pipelines.replay.replaying import Manner, replay
from pipelines.settings import load_settings
from pipelines.spec import load_spec

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
DAYS, ROWS = 5, 120
SPEC = """
name: heat
owner: plant
description: How warm will it be?
task: regression
source: {kind: files, uri: "raw/{start:%Y-%m-%d}.csv", first: 2024-01-01T00:00:00Z,
  until: 2024-01-06T00:00:00Z}
batch: day
event_time: at
key: [number]
target: {column: y, known_after: 2h}
features: {inputs: [a, b]}
train: {window: 2 batches, holdout: 1 batch, metric: mae, seed: 5, folds: 2}
candidates:
  - name: boosted
    estimator: sklearn.ensemble.HistGradientBoostingRegressor
    params: {max_iter: 12, min_samples_leaf: 5}
gate: {at_most: {mae: 9}, versus_champion: {metric: mae, confidence: 0.9}, min_rows: 20}
"""
BUILD = "def build(tables):\n    return tables['events'].select('number', 'at', 'a', 'b', 'y')\n"


def rows_of(day):
    rng = np.random.default_rng([5, day])
    times = FIRST + timedelta(days=day)
    seconds = np.sort(rng.choice(86_400, ROWS, replace=False))
    a, b = rng.normal(0, 1, ROWS), rng.normal(0, 1, ROWS)
    a[::17] = np.nan
    y = (1 + day) * np.nan_to_num(a) + b**2 + rng.normal(0, 0.1, ROWS)
    at = [times + timedelta(seconds=int(s)) for s in seconds]
    return pd.DataFrame(
        {"number": [f"{day}-{i:03}" for i in range(ROWS)], "at": at, "a": a, "b": b, "y": y}
    )


@pytest.mark.slow
def test_the_engine_and_a_plain_script_give_the_same_figures(tmp_path):
    folder = tmp_path / "models" / "heat"
    for path in (folder, tmp_path / "expectations", tmp_path / "raw"):
        path.mkdir(parents=True)
    (folder / "model.yaml").write_text(SPEC)
    (folder / "features.py").write_text(BUILD)
    (tmp_path / "requirements.txt").write_text("# locked\n")
    suite = '{"name": "heat", "expectations": []}'
    (tmp_path / "expectations" / "heat.json").write_text(suite)
    frames = [rows_of(day) for day in range(DAYS)]
    for day, frame in enumerate(frames):
        text = frame.assign(at=frame["at"].dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
        text.to_csv(tmp_path / "raw" / f"2024-01-{day + 1:02}.csv", index=False)
    settings = load_settings(
        {"PERENNIAL_HOME": str(tmp_path), "PERENNIAL_STATE": str(tmp_path / "var")}
    )
    spec = load_spec(settings.models, "heat")
    context = Context(spec, settings, ConfiguredPorts(settings))
    found = replay(
        context,
        (ALWAYS, NEVER),
        now=datetime(2026, 1, 1, tzinfo=UTC),
        manner=Manner(workers=1),
    ).outcome
    rows = pd.concat(frames, ignore_index=True).rename(columns={"at": "time"})
    plain = replay_plainly(
        rows[["time", "a", "b", "y"]],
        list(pd.date_range("2024-01-01", periods=DAYS + 1, tz="UTC")),
        3,
        lambda: HistGradientBoostingRegressor(max_iter=12, min_samples_leaf=5, random_state=5),
        wait=pd.Timedelta(hours=2),
    )
    ours = [[batch.score for batch in policy.batches] for policy in found.policies]
    assert len(ours[0]) == DAYS - 2
    assert np.abs(np.array(ours) - np.array(plain)).max() <= 1e-9
    assert ours[0] != ours[1]
