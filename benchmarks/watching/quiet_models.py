"""Models that live in a world in which nothing changes: a folder, its suite and its raw data.

Weeks of rows with six inputs and a logistic truth. What differs is how alike the rows are.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from benchmarks.watching.worlds import CATEGORIES, remember

if TYPE_CHECKING:
    from pathlib import Path

Array = np.ndarray[Any, Any]
World = Literal["independent rows", "a rhythm by hour and weekday", "each day like the one before"]
FIRST = datetime(2024, 1, 1, tzinfo=UTC)
"""A Monday, as batches of a week begin."""
MODEL = "quiet"
INPUTS = 5
"""Numbers; beside them there is one text."""
WEEK = 7

SPEC = """
name: quiet
owner: nobody
description: Will it happen? Nothing ever changes.
task: binary
source: {{kind: files, uri: "raw/{{start:%Y-%m-%d}}.csv",
  first: 2024-01-01T00:00:00Z, until: {until:%Y-%m-%dT%H:%M:%SZ}}}
batch: week
event_time: at
key: [id]
target: {{column: happened, known_after: 1h}}
features: {{inputs: [{inputs}, kind]}}
train: {{window: {window} batches, holdout: {holdout} batches, metric: log_loss, seed: 1, folds: 2}}
candidates:
  - {{name: linear, estimator: sklearn.linear_model.LogisticRegression}}
gate:
  at_most: {{log_loss: 5}}
  versus_champion: {{metric: log_loss}}
drift: {{schedule: weekly, min_rows: 100}}
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


@dataclass(frozen=True)
class Size:
    """How many rows a day has, how many weeks are lived, learnt from and held out."""

    a_day: int = 60
    weeks: int = 40
    window: int = 12
    holdout: int = 4


def lay_quiet(home: Path, world: World, size: Size, seed: int) -> None:
    """Write the model's folder, its suite and its raw data below `home`."""
    folder = home / "models" / MODEL
    for path in (folder, home / "expectations", home / "raw"):
        path.mkdir(parents=True)
    (folder / "model.yaml").write_text(
        SPEC.format(
            until=FIRST + timedelta(weeks=size.weeks),
            inputs=", ".join(_names()),
            window=size.window,
            holdout=size.holdout,
        )
    )
    (folder / "features.py").write_text(BUILD)
    (home / "expectations" / f"{MODEL}.json").write_text(json.dumps(SUITE))
    (home / "requirements.txt").write_text("# locked\n")
    for week, rows in draw_weeks(world, size, seed).groupby("week"):
        start = FIRST + timedelta(weeks=int(str(week)))
        rows.drop(columns="week").to_csv(home / "raw" / f"{start:%Y-%m-%d}.csv", index=False)


def _names() -> list[str]:
    return [f"x{place}" for place in range(INPUTS)]


def draw_weeks(world: World, size: Size, seed: int) -> pd.DataFrame:
    """Return the rows of all weeks, with the number of the week that each is of."""
    rng = np.random.default_rng([seed, size.a_day])
    days = size.weeks * WEEK
    day = np.repeat(np.arange(days), size.a_day)
    seconds = np.sort(rng.integers(0, 86_400, (days, size.a_day)), axis=1).reshape(-1)
    latent = _add_likeness(rng.normal(size=(len(day), INPUTS + 2)), world, day, seconds, rng)
    chance = 1 / (1 + np.exp(-(latent[:, 0] - latent[:, 1] + 0.5 * latent[:, -2])))
    at = pd.Timestamp(FIRST) + pd.to_timedelta(day * 86_400 + seconds, unit="s")
    rows = pd.DataFrame({"week": day // WEEK, "id": np.arange(len(day)).astype(str)})
    rows["at"] = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    for place, name in enumerate(_names()):
        rows[name] = np.where(rng.random(len(day)) < 0.02, np.nan, latent[:, place])
    rows["kind"] = CATEGORIES[np.digitize(latent[:, -1], [-1.0, -0.4, 0.2, 0.8, 1.5])]
    rows["happened"] = (rng.random(len(day)) < chance).astype(int)
    return rows


def _add_likeness(
    latent: Array, world: World, day: Array, seconds: Array, rng: np.random.Generator
) -> Array:
    """Return the normal values (rows, columns) with what makes rows alike."""
    if world == "independent rows":
        return latent
    if world == "each day like the one before":
        levels = remember(rng, int(day[-1]) + 1, latent.shape[1])
        return np.asarray((levels[day] + latent) / 2**0.5)
    hour = np.sin(2 * np.pi * seconds / 86_400)[:, None]
    weekend = (day % WEEK >= 5).astype(float)[:, None]
    return np.asarray(latent + hour - weekend)
