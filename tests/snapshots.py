"""A small world without time: one model over a file of loans, with its folder and suite."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pipelines.context import Context
from pipelines.data.batches import read_plan
from pipelines.data.manifests import BatchRef, Plan
from pipelines.intervals import SNAPSHOT
from pipelines.ledger import Crown
from pipelines.messages import (
    FeaturesRequest,
    FeaturesResult,
    GateRequest,
    IngestRequest,
    PackageRequest,
    TrainRequest,
    ValidateRequest,
)
from pipelines.refs import canonical, sha256
from pipelines.settings import load_settings
from pipelines.spec import load_spec
from pipelines.steps import features, gate, ingest, package, train, validate
from pipelines.tables import to_parquet
from pipelines.versions.port import FeatureFile
from tests.worlds import FOR_NOBODY

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.messages import (
        GateResult,
        IngestResult,
        PackageResult,
        TrainResult,
    )
    from pipelines.ports import Ports

NOW = datetime(2026, 1, 1, tzinfo=UTC)

SPEC = """
name: loans
owner: risk
description: Will a loan default?
task: binary
source: {kind: files, uri: "loans.csv"}
key: [customer]
target: {column: fault}
features: {inputs: [income, late, region]}
train: {metric: roc_auc, seed: 1}
candidates:
  - {name: baseline, estimator: sklearn.dummy.DummyClassifier}
  - {name: linear, estimator: sklearn.linear_model.LogisticRegression}
gate: {at_least: {roc_auc: 0.6}, versus_champion: {metric: roc_auc}, guards: {log_loss: 0.1}}
drift: {schedule: daily, window: 2d, min_rows: 20}
"""

SUITE = {
    "name": "loans",
    "expectations": [
        {
            "type": "expect_column_values_to_be_between",
            "kwargs": {"column": "late", "min_value": 0, "max_value": 20},
        }
    ],
}


def loans(rows: int, *, first: int = 0, signal: float = 1.0) -> pd.DataFrame:
    """Seeded loans; the same number is always the same loan. Ten loans share a branch."""
    frames = np.random.default_rng(11).normal(size=(first + rows, 3))[first:]
    numbers = np.arange(first, first + rows)
    late = np.clip(np.round(2 + 1.5 * frames[:, 0]), 0, 20).astype(int)
    region = np.array(["north", "south", "east"])[numbers % 3]
    score = signal * (1.2 * frames[:, 0] + (region == "north")) + frames[:, 2]
    return pd.DataFrame(
        {
            "customer": [f"c{n}" for n in numbers],
            "income": np.round(20_000 + 5_000 * frames[:, 1], 2),
            "late": late,
            "region": region,
            "branch": [f"b{n // 10}" for n in numbers],
            "fault": (score > 0.3).astype(int),
        }
    )


@dataclass
class Snapshot:
    """A home with the model, its ports, and the loop step by step; runs are told apart by name."""

    home: Path
    ports: Ports
    now: datetime = NOW
    run: str = "r1"
    comparison_seconds: float = 0
    plots: bool = False
    """Whether they are drawn for the candidates' runs."""

    @property
    def context(self) -> Context:
        settings = load_settings(
            {
                "PERENNIAL_HOME": str(self.home),
                "PERENNIAL_STATE": str(self.home / "var"),
                **FOR_NOBODY,
                "PERENNIAL_COMPARISON_SECONDS": str(self.comparison_seconds),
                "PERENNIAL_PLOTS": str(self.plots),
            }
        )
        return Context(load_spec(settings.models, "loans"), settings, self.ports)

    def write(self, frame: pd.DataFrame) -> None:
        frame.to_csv(self.home / "loans.csv", index=False)

    def respec(self, old: str, new: str) -> None:
        path = self.home / "models" / "loans" / "model.yaml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def later(self, run: str) -> None:
        """Begin another run, a day later."""
        self.run, self.now = run, self.now + timedelta(days=1)

    def ingest(self, purpose: Any = "retrain", **conf: str) -> IngestResult:
        request = IngestRequest(run=self.run, now=self.now, purpose=purpose, conf=conf)
        return ingest.run(self.context, request)

    def plan(self, ingested: IngestResult) -> Plan:
        return read_plan(self.ports.store, ingested.plan)

    def build(self, frame: pd.DataFrame) -> FeaturesResult:
        """Commit the loans as features straight away, without the steps before."""
        data = to_parquet(pa.Table.from_pandas(frame.sort_values("customer"), preserve_index=False))
        file = FeatureFile(key=sha256(data), sha256=sha256(data), rows=len(frame))
        store = self.ports.store
        version = self.ports.versions.commit("loans", {SNAPSHOT.name: (file, data)}, "features")
        batch = BatchRef(interval=SNAPSHOT, version=1, manifest=store.put(b"{}", ".json"))
        plan = Plan(model="loans", as_of=self.now, lookback=[], train=[batch], holdout=[])
        return FeaturesResult(
            version=version,
            plan=store.put(canonical(plan), ".json"),
            as_of=self.now,
            reason="a test",
            force=False,
            rebuilt=1,
            reused=0,
            rows=len(frame),
            parent_run=self.ports.registry.parent("loans", self.run, {}),
        )

    def build_from_source(self, **conf: str) -> FeaturesResult:
        ingested = self.ingest(**conf)
        judged = validate.run(self.context, ValidateRequest(run=self.run, ingest=ingested))
        request = FeaturesRequest(run=self.run, ingest=ingested, validate=judged)
        return features.run(self.context, request)

    def train(self, built: FeaturesResult) -> list[TrainResult]:
        return [
            train.run(self.context, TrainRequest(run=self.run, candidate=c.name, features=built))
            for c in self.context.spec.candidates
        ]

    def judge(
        self, built: FeaturesResult | pd.DataFrame
    ) -> tuple[FeaturesResult, list[TrainResult], GateResult]:
        built = self.build(built) if isinstance(built, pd.DataFrame) else built
        trained = self.train(built)
        request = GateRequest(run=self.run, features=built, train=trained)
        return built, trained, gate.run(self.context, request)

    def package(
        self, built: FeaturesResult, trained: list[TrainResult], judged: GateResult
    ) -> PackageResult:
        request = PackageRequest(run=self.run, features=built, train=trained, gate=judged)
        return package.run(self.context, request)

    def crown(self, frame: pd.DataFrame) -> PackageResult:
        """Train, judge and package a snapshot, and make it champion."""
        built, trained, judged = self.judge(frame)
        assert judged.reasons == []
        packaged = self.package(built, trained, judged)
        champion = self.ports.ledger.champion("loans")
        expected = champion.version if champion else None
        crown = Crown(version=packaged.version, bundle=packaged.bundle, release=1)
        self.ports.ledger.crown("loans", expected=expected, champion=crown, key=self.run)
        return packaged


def make_snapshot(
    home: Path, ports: Ports, rows: int = 0, *, comparison_seconds: float = 0
) -> Snapshot:
    """Write the model's folder, its suite and its loans (if any) below `home`."""
    folder = home / "models" / "loans"
    for path in (folder, home / "expectations"):
        path.mkdir(parents=True)
    (folder / "model.yaml").write_text(textwrap.dedent(SPEC))
    (folder / "features.py").write_text("def build(tables):\n    return tables['events']\n")
    (home / "expectations" / "loans.json").write_text(json.dumps(SUITE))
    (home / "requirements.txt").write_text("# locked\n")
    world = Snapshot(home, ports, comparison_seconds=comparison_seconds)
    if rows:
        world.write(loans(rows))
    return world


def check(judged: GateResult, name: str) -> str:
    """Return what the gate says under a name."""
    return next(c.detail for c in judged.checks if c.name == name)
