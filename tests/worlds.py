"""A small world to run the loop in.

One model over seeded daily sales, its suite, and a source that tests can change.
"""

from __future__ import annotations

import functools
import json
import textwrap
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pipelines.context import Context
from pipelines.ports import ConfiguredPorts, Ports
from pipelines.settings import Settings, load_settings
from pipelines.spec import load_spec

if TYPE_CHECKING:
    from pathlib import Path

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
DAYS = 8
ROWS = 240

SPEC = """
name: sales
owner: shop
description: Will a visit end in a purchase?
task: binary
source: {kind: files, uri: "raw/{start:%Y-%m-%d}.csv",
  first: 2024-01-01T00:00:00Z, until: 2024-01-09T00:00:00Z}
batch: day
event_time: at
key: [visit]
target: {column: bought, known_after: 1h}
features: {inputs: [pages, minutes, channel, trend], lookback: 1d}
train: {window: 5 batches, holdout: 1 batch, metric: roc_auc, seed: 3, folds: 2}
candidates:
  - {name: baseline, estimator: sklearn.dummy.DummyClassifier}
  - {name: linear, estimator: sklearn.linear_model.LogisticRegression, search: {C: [0.1, 1.0]}}
gate:
  at_least: {roc_auc: 0.6}
  versus_champion: {metric: roc_auc, confidence: 0.9}
  min_rows: 50
drift:
  schedule: weekly
  min_rows: 100
  cooldown: 1d
  numbers: {method: wasserstein, threshold: 1}
  texts: {method: jensenshannon, threshold: 0.3}
  predictions: {method: wasserstein, threshold: 0.5}
alike: {span: hour}
"""

BUILD = '''
"""Features of a visit."""
import ibis
from ibis import _

def build(tables):
    rows = tables["events"].mutate(hour=(_.at.epoch_seconds() // 3600).cast("int64"))
    hours = rows.group_by("hour").agg(visits=_.count(), sold=_.bought.sum())
    window = ibis.window(order_by="hour", range=(-24, -2))
    trend = hours.select("hour", trend=_.sold.sum().over(window) / _.visits.sum().over(window))
    return rows.left_join(trend, "hour").select(
        "visit", "at", "pages", "minutes", "channel", "trend", bought=_.bought == 1
    )
'''

SUITE = {
    "name": "sales",
    "expectations": [
        {
            "type": "expect_column_values_to_be_in_type_list",
            "kwargs": {"column": "pages", "type_list": ["int64", "float64"]},
        },
        {
            "type": "expect_column_values_to_be_between",
            "kwargs": {"column": "pages", "min_value": 0, "max_value": 100},
        },
        {
            "type": "expect_column_values_to_not_be_null",
            "kwargs": {"column": "minutes", "mostly": 0.8},
        },
        {
            "type": "expect_column_values_to_be_of_type",
            "kwargs": {"column": "channel", "type_": "str"},
        },
        {
            "type": "expect_column_values_to_be_in_set",
            "kwargs": {"column": "bought", "value_set": [0, 1]},
        },
        {
            "type": "expect_column_values_to_be_between",
            "kwargs": {"column": "minutes", "max_value": 55},
            "severity": "warning",
        },
    ],
}


FOR_NOBODY = {
    "PERENNIAL_COMPARISON_SECONDS": "0",
    "PERENNIAL_PLOTS": "false",
    "PERENNIAL_EVIDENTLY": "false",
}
"""Settings by which nothing is made that only people look at; tests that look at it ask for it."""


@dataclass(frozen=True)
class World:
    """A home folder with one model, and the means to look at and change its raw data."""

    home: Path
    model: str = "sales"
    folder: str = "raw"
    environ: dict[str, str] = field(default_factory=dict)
    """Settings of its own."""

    @property
    def settings(self) -> Settings:
        return load_settings(
            {
                "PERENNIAL_HOME": str(self.home),
                "PERENNIAL_STATE": str(self.home / "var"),
                **FOR_NOBODY,
                **self.environ,
            }
        )

    def raw(self, day: int) -> Path:
        """The CSV file of the day (0 is the first)."""
        return self.home / self.folder / f"{FIRST + timedelta(days=day):%Y-%m-%d}.csv"

    def frame(self, day: int) -> pd.DataFrame:
        return pd.read_csv(self.raw(day))

    def rewrite(self, day: int, frame: pd.DataFrame) -> None:
        frame.to_csv(self.raw(day), index=False)

    def respec(self, old: str, new: str) -> None:
        """Change the spec's text."""
        path = self.home / "models" / self.model / "model.yaml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def context(self, ports: Ports | ConfiguredPorts | None = None) -> Context:
        """A context of the model; with the embedded ports unless others are given."""
        return Context(
            load_spec(self.settings.models, self.model),
            self.settings,
            ports or ConfiguredPorts(self.settings),
        )


def as_of(day: int) -> str:
    """The moment at which the day begins, as a trigger sends it."""
    return f"{FIRST + timedelta(days=day):%Y-%m-%dT%H:%M:%SZ}"


def visits(day: int, rows: int = ROWS, *, signal: float = 1.0) -> pd.DataFrame:
    """Seeded raw rows of a day.

    `signal` says how much the inputs tell of the target (negative: the opposite).
    """
    rng = np.random.default_rng([7, day])
    start = FIRST + timedelta(days=day)
    at = [start + timedelta(seconds=int(s)) for s in np.sort(rng.integers(0, 86_400, rows))]
    pages = rng.integers(1, 30, rows)
    minutes = np.round(rng.gamma(2.0, 5.0, rows), 2).clip(max=50)
    channel = rng.choice(["mail", "search", "direct"], rows)
    score = signal * ((pages - 15) / 5 + (channel == "mail") * 1.5) + rng.normal(0, 1, rows)
    frame = pd.DataFrame(
        {
            "visit": [f"{day}-{i}" for i in range(rows)],
            "at": [f"{t:%Y-%m-%dT%H:%M:%SZ}" for t in at],
        }
    )
    frame = frame.assign(
        pages=pages, minutes=minutes, channel=channel, bought=(score > 0.5).astype(int)
    )
    frame.loc[::23, "minutes"] = np.nan
    return frame


def make_world(home: Path, days: int = DAYS) -> World:
    """Write the model's folder, its suite and its raw data below `home`."""
    world = World(home)
    folder = home / "models" / world.model
    for path in (folder, home / "expectations", home / "raw"):
        path.mkdir(parents=True)
    (folder / "model.yaml").write_text(textwrap.dedent(SPEC))
    (folder / "features.py").write_text(BUILD)
    (home / "expectations" / "sales.json").write_text(json.dumps(SUITE))
    (home / "requirements.txt").write_text("# locked\n")
    for day in range(days):
        world.raw(day).write_text(_usual(day))
    return world


@functools.cache
def _usual(day: int) -> str:
    """The usual rows of a day as CSV; hundreds of worlds have them."""
    return visits(day).to_csv(index=False)
