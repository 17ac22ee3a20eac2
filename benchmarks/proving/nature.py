"""What happens on a day, and what a spec makes of it.

Two inputs, `a` and `b`, are twins: they tell equally much of the target, so that a model may be
asked of either. `c` tells as much again, `d` and `e` only together where the nature says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
REGIONS = ("north", "south", "east", "west")
LEARNT, HELD = range(25), range(25, 55)
"""The days that a challenger learns from, and the days that judge it and its champion."""
CHAMPIONS_HELD = 5
"""Of the days learnt from, those that judged the champion before it was fitted on all of them."""

GATE = (
    "{at_least: {roc_auc: 0.6}, at_most: {calibration_error: 0.07},"
    " versus_champion: {metric: roc_auc}, guards: {log_loss: 0.05},"
    " slices: {by: [{column: region}, {column: channel}]}, leak: {},"
    " size: {bundle: 1m}, latency: {milliseconds: 2}}"
)
"""What the proof declares; each of its checks is what some bad case is refused by."""
LINEAR = "sklearn.linear_model.LogisticRegression"

SPEC = """
name: offers
owner: shop
description: Will an offer be taken?
task: binary
source: {{kind: files, uri: "raw.csv", first: 2026-01-01T00:00:00Z}}
batch: day
event_time: at
key: [offer]
target: {{column: taken, known_after: 0h}}
features: {{inputs: [{inputs}]}}
train: {{window: 25 batches, holdout: 30 batches, metric: roc_auc, seed: 3, folds: 2}}
candidates:
  - {{name: tried, estimator: {estimator}}}
gate: {gate}
"""


@dataclass(frozen=True)
class Nature:
    """How much each input tells of the target (log odds for one standard deviation).

    `flipped` is the share of labels that are wrong; `level` how far days lie apart.
    """

    a: float = 0.9
    b: float = 0.9
    c: float = 0.9
    d: float = 0.25
    both: float = 0.0
    mail: float = 0.8
    level: float = 0.2
    flipped: float = 0.0


TODAY = Nature()


def offers(day: int, count: int, seed: int, nature: Nature = TODAY) -> pa.Table:
    """Return the seeded offers of a day as features, with the label `taken`.

    `settled` is a leak: it is known only once the offer was taken or not.
    """
    rng = np.random.default_rng([seed, day])
    at = np.datetime64(FIRST.replace(tzinfo=None), "us") + np.sort(
        (day * 86_400 + rng.random(count) * 86_399) * 1e6
    ).astype("timedelta64[us]")
    a, b, c, d, e = rng.normal(size=(5, count))
    channel = rng.choice(["mail", "search", "direct"], count)
    region = rng.choice(REGIONS, count, p=[0.4, 0.3, 0.2, 0.1])
    odds = (
        nature.a * a + nature.b * b + nature.c * c + nature.d * d + nature.both * d * e
        + nature.mail * (channel == "mail") + rng.normal(0, nature.level) - 0.6
    )  # fmt: skip
    taken = (odds + rng.logistic(size=count) > 0) ^ (rng.random(count) < nature.flipped)
    return pa.table(
        {
            "offer": [f"{day}-{i}" for i in range(count)],
            "at": pa.array(at, pa.timestamp("us", tz="UTC")),
            "a": a,
            "b": b,
            "c": c,
            "d": d,
            "e": e,
            "settled": taken + rng.normal(0, 0.3, count),
            "channel": channel,
            "region": region,
            "taken": taken,
        }
    )


@dataclass(frozen=True)
class Recipe:
    """What a spec says of a model: its inputs, its estimator, its gate."""

    inputs: str = "a, d, e, channel, region"
    estimator: str = LINEAR
    gate: str = GATE

    @property
    def text(self) -> str:
        """The spec."""
        return SPEC.format(inputs=self.inputs, estimator=self.estimator, gate=self.gate)
