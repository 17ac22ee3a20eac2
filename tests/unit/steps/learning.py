"""A small world after `features`.

A features version and a plan in memory, for the steps that learn, judge and deploy.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pipelines.bundle.manifest import Release, release_key
from pipelines.context import Context
from pipelines.data.manifests import BatchRef, Plan
from pipelines.intervals import Interval
from pipelines.ledger import MemoryLedger, ReleaseIntent
from pipelines.messages import FeaturesResult, GateRequest, TrainRequest, TrainResult
from pipelines.ports import Ports
from pipelines.refs import canonical, sha256
from pipelines.registry.memory import MemoryRegistry
from pipelines.settings import Settings
from pipelines.spec import parse_spec
from pipelines.steps import train
from pipelines.store.memory import MemoryStore
from pipelines.tables import to_parquet
from pipelines.versions.memory import MemoryVersions
from pipelines.versions.port import FeatureFile
from tests.decisions import crown

if TYPE_CHECKING:
    from pathlib import Path

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
ROWS = 150
DAYS = 6
RUN = "manual__1"

GATES = {
    "binary": (
        "gate: {at_least: {roc_auc: 0.6}, versus_champion: {metric: roc_auc, confidence: 0.9},"
        " min_rows: 50}"
    ),
    "multiclass": (
        "gate: {at_most: {log_loss: 1.05}, versus_champion: {metric: log_loss, confidence: 0.9},"
        " min_rows: 50}"
    ),
    "regression": (
        "gate: {at_least: {r2: 0.2}, versus_champion: {metric: rmse, confidence: 0.9},"
        " min_rows: 50}"
    ),
}
METRIC = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}
DUMMY = {"regression": "sklearn.dummy.DummyRegressor"}

SPEC = """
name: visits
owner: shop
description: What becomes of a visit?
task: {task}
source: {{kind: files, uri: "raw.csv", first: 2024-01-01T00:00:00Z}}
batch: day
event_time: at
alike: {{span: hour}}
key: [visit]
target: {{column: y, known_after: {known_after}}}
features: {{inputs: [a, b, count, flag, channel, place]}}
train: {{window: 4 batches, holdout: 2 batches, metric: {metric}, seed: 3, folds: 2}}
candidates:
  - {{name: baseline, estimator: {dummy}}}
{candidates}
{gate}
"""

LINEAR = "  - {name: linear, estimator: sklearn.linear_model.LogisticRegression}"
RIDGE = "  - {name: ridge, estimator: sklearn.linear_model.Ridge}"


def spec_text(
    task: str = "binary",
    candidates: str | None = None,
    known_after: str = "1h",
    gate: str | None = None,
) -> str:
    chosen = candidates or (RIDGE if task == "regression" else LINEAR)
    dummy = DUMMY.get(task, "sklearn.dummy.DummyClassifier")
    return SPEC.format(
        task=task,
        metric=METRIC[task],
        candidates=chosen,
        gate=gate or GATES[task],
        known_after=known_after,
        dummy=dummy,
    )


def spec_of_candidate(line: str) -> str:
    """Return a spec with one candidate, `tried`, of these fields."""
    return spec_text(candidates=f"  - {{name: tried, {line}}}")


def rows(day: int, task: str = "binary", *, signal: float = 1.0, count: int = ROWS) -> pa.Table:
    """Seeded features of a day, with nulls.

    `signal` says how much the inputs tell of the target.
    """
    rng = np.random.default_rng([5, day])
    at = [
        FIRST + timedelta(days=day, seconds=int(s)) for s in np.sort(rng.integers(0, 86_400, count))
    ]
    a, b = rng.normal(size=count), rng.normal(size=count)
    channel = rng.choice(["mail", "search", "direct"], count)
    score = signal * (a + 0.5 * b + (channel == "mail")) + rng.normal(0, 0.7, count)
    target: Any = {
        "binary": score > 0.3,
        "multiclass": np.array(["high", "low", "middle"])[
            np.where(score > 0.8, 0, np.where(score < -0.2, 1, 2))
        ],
        "regression": score,
    }[task]
    return pa.table(
        {
            "visit": [f"{day}-{i}" for i in range(count)],
            "at": pa.array(at, pa.timestamp("us", tz="UTC")),
            "a": pa.array(np.where(rng.random(count) < 0.1, np.nan, a), from_pandas=True),
            "b": b,
            "count": rng.integers(0, 9, count),
            "flag": rng.random(count) < 0.5,
            "channel": pa.array([None if i % 17 == 0 else str(c) for i, c in enumerate(channel)]),
            "place": [f"p{i}" for i in rng.integers(0, 5, count)],
            "y": target,
        }
    )


@dataclass(frozen=True)
class Learning:
    """A context with memory ports, and what `features` answered."""

    context: Context
    built: FeaturesResult

    def train(self, candidate: str) -> TrainResult:
        return train.run(
            self.context, TrainRequest(run=RUN, candidate=candidate, features=self.built)
        )

    def train_all(self) -> list[TrainResult]:
        return [self.train(c.name) for c in self.context.spec.candidates]

    def gate_request(self, trained: list[TrainResult], run: str = RUN) -> GateRequest:
        return GateRequest(run=run, features=self.built, train=trained)

    def with_settings(self, **settings: Any) -> Learning:
        changed = self.context.settings.replace(**settings)
        return replace(self, context=replace(self.context, settings=changed))

    def with_ports(self, **ports: Any) -> Learning:
        return replace(
            self, context=replace(self.context, ports=replace(self.context.ports, **ports))
        )


def day(number: int) -> Interval:
    return Interval(start=FIRST + timedelta(days=number), end=FIRST + timedelta(days=number + 1))


def ports() -> Ports:
    return Ports(
        store=MemoryStore(),
        versions=MemoryVersions(),
        registry=MemoryRegistry(),
        ledger=MemoryLedger(),
    )


def context(home: Path, text: str, outside: Ports | None = None) -> Context:
    settings = Settings(
        home=home,
        serving_poll_seconds=0.01,
        deploy_timeout_seconds=0.2,
        comparison_seconds=0,
        plots=False,
    )
    return Context(
        parse_spec(text.encode(), "model.yaml"),
        settings,
        outside or ports(),
        logging.getLogger("perennial.tests"),
    )


def learning(
    home: Path,
    text: str | None = None,
    *,
    tables: list[pa.Table] | None = None,
    outside: Ports | None = None,
    run: str = RUN,
    first: int = 0,
) -> Learning:
    """Commit the days' features (the last two are held out), and plan to learn from them.

    `first` is the first day's number.
    """
    made = context(home, text or spec_text(), outside)
    spec = made.spec
    days = tables or [rows(d, spec.task) for d in range(first, first + DAYS)]
    intervals = [day(first + i) for i in range(len(days))]
    manifest = made.ports.store.put(b"{}", ".json")
    files = {}
    for interval, table in zip(intervals, days, strict=True):
        data = to_parquet(table)
        files[interval.name] = (
            FeatureFile(key=sha256(data), sha256=sha256(data), rows=table.num_rows),
            data,
        )
    version = made.ports.versions.commit(spec.name, files, "features")
    batches = [BatchRef(interval=i, version=1, manifest=manifest) for i in intervals]
    as_of = intervals[-1].end
    plan = Plan(model=spec.name, as_of=as_of, lookback=[], train=batches[:-2], holdout=batches[-2:])
    parent = made.ports.registry.parent(spec.name, run, {})
    count = sum(t.num_rows for t in days)
    built = FeaturesResult(
        version=version,
        plan=made.ports.store.put(canonical(plan), ".json"),
        as_of=as_of,
        reason="a test",
        force=False,
        rebuilt=len(days),
        reused=0,
        rows=count,
        parent_run=parent,
    )
    return Learning(made, built)


def half_deployed(made: Context) -> None:
    """Leave behind what a run leaves that died between its release and the crown.

    Version 1 is champion, version 2 serves.
    """
    outside, model = made.ports, made.spec.name
    for number in (1, 2):
        bundle = outside.store.put(f"bundle {number}".encode(), ".json")
        release = Release(
            model=model, number=number, version=str(number), bundle=bundle, reason="a test"
        )
        outside.store.publish(release_key(model, number), canonical(release))
        intent = ReleaseIntent(
            number=number, version=str(number), bundle=bundle, reason=release.reason
        )
        outside.ledger.append(model, f"run-{number}", intent)
        if number == 1:
            before = outside.registry.parent(model, "run-1", {})
            outside.registry.register(model, before, "run-1", outside.store.path(bundle), {})
            outside.ledger.crown(model, expected=None, champion=crown("1", bundle), key="run-1")
