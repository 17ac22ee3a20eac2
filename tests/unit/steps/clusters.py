"""Days of rows in three groups, and the spec of a model that looks for them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pipelines.messages import PackageRequest
from pipelines.steps import gate, package
from tests.decisions import crown
from tests.unit.steps.learning import DAYS, FIRST, RUN, learning

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.messages import GateResult, PackageResult
    from pipelines.ports import Ports
    from tests.unit.steps.learning import Learning

GROUPS = np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 6.0]])

SPEC = """
name: visits
owner: shop
description: Which kind of visit is it?
task: cluster
source: {kind: files, uri: "raw.csv", first: 2024-01-01T00:00:00Z}
batch: day
event_time: at
alike: {span: hour}
key: [visit]
features: {inputs: [a, b, channel]}
train: {window: 4 batches, holdout: 2 batches, metric: silhouette, seed: 3, folds: 2}
candidates:
  - CANDIDATE
gate:
  at_least: {silhouette: 0.3}
  versus_champion: {metric: silhouette, confidence: 0.9}
  min_rows: 50
drift: {schedule: weekly, min_rows: 50}
"""
KMEANS = "{name: kmeans, estimator: sklearn.cluster.KMeans, params: {n_clusters: 3}}"


def cluster_spec(candidate: str = KMEANS) -> str:
    return SPEC.replace("CANDIDATE", candidate)


def rows(day: int, groups: Any = GROUPS, count: int = 90, spread: float = 1.0) -> pa.Table:
    """Seeded rows of a day, as many of each group, with a null and a text that tells nothing."""
    rng = np.random.default_rng([5, day])
    group = rng.permutation(np.arange(count) % len(groups))
    points = groups[group] + spread * rng.normal(size=(count, 2))
    seconds = np.sort(rng.integers(0, 86_400, count))
    at = [FIRST + timedelta(days=day, seconds=int(s)) for s in seconds]
    a = np.where(np.arange(count) == 4, np.nan, points[:, 0])
    return pa.table(
        {
            "visit": [f"{day}-{i}" for i in range(count)],
            "at": pa.array(at, pa.timestamp("us", tz="UTC")),
            "a": pa.array(a, from_pandas=True),
            "b": points[:, 1],
            "channel": ["mail"] * (count - 2) + ["search"] * 2,
        }
    )


def days(first: int = 0, **more: Any) -> list[pa.Table]:
    return [rows(day, **more) for day in range(first, first + DAYS)]


def world(home: Path, candidate: str = KMEANS, **more: Any) -> Learning:
    """The first days, and a plan to learn from them."""
    return learning(home, cluster_spec(candidate), tables=days(**more))


def later(
    home: Path, outside: Ports, candidate: str = KMEANS, tables: list[pa.Table] | None = None
) -> Learning:
    """The days after the first ones, and a plan to learn from them; the champion knows none."""
    text = cluster_spec(candidate)
    tables = tables or days(DAYS)
    return learning(home, text, tables=tables, outside=outside, run="later", first=DAYS)


def judge(made: Learning, run: str = RUN) -> tuple[GateResult, PackageResult | None]:
    """The verdict on the challenger, and its bundle where it is promoted."""
    trained = made.train_all()
    judged = gate.run(made.context, made.gate_request(trained, run))
    if judged.verdict != "promote":
        return judged, None
    request = PackageRequest(run=run, features=made.built, train=trained, gate=judged)
    return judged, package.run(made.context, request)


def crowned(made: Learning) -> PackageResult:
    """Make the world's challenger champion and return its bundle."""
    judged, packaged = judge(made)
    assert packaged is not None, judged.reasons
    champion = crown(packaged.version, packaged.bundle)
    made.context.ports.ledger.crown("visits", expected=None, champion=champion, key=RUN)
    return packaged
