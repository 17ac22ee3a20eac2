"""Training, judging and watching of more rows than a step's memory holds.

`python -m benchmarks.large_training [--rows 10_000_000]`. The rows are made: 14 numbers, a key, a
time and a target, in four batches to learn from, one to judge on, and a window as large as all of
them. Each step runs in a process of its own, as it does in production.
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks.large import ROOT, memory_of
from benchmarks.report import Measure, show, write

if TYPE_CHECKING:
    from pipelines.context import Context
    from pipelines.data.manifests import BatchRef
    from pipelines.messages import FeaturesResult, IngestResult, TrainResult, ValidateResult

log = logging.getLogger("perennial.benchmarks")

MODEL, RUN, MEMORY, TINY_MEMORY = "readings", "benchmark", "2GB", "1MB"
ROWS, BATCHES, NUMBERS, ASKED_GB = 5_000_000, 5, 14, 2.5
CANDIDATES = ("boosted", "linear")
STEPS = ("features", *CANDIDATES, "gate", "package", "drift")
SPEC = """
name: readings
owner: benchmarks
description: Does a reading end in a fault?
task: binary
source: {{kind: files, uri: "readings.parquet", first: 2026-01-01T00:00:00Z}}
batch: month
event_time: at
key: [reading]
target: {{column: fault, known_after: 0s}}
features: {{inputs: [{inputs}]}}
train: {{window: 4 batches, holdout: 1 batch, metric: roc_auc, seed: 7, folds: 2}}
candidates:
  - name: boosted
    estimator: xgboost.XGBClassifier
    params: {{n_estimators: 20, max_depth: 6}}
  - {{name: linear, estimator: sklearn.linear_model.LogisticRegression}}
gate: {{at_least: {{roc_auc: 0.6}}, versus_champion: {{metric: roc_auc, confidence: 0.9}}}}
drift: {{schedule: monthly}}
resources: {{memory: {memory}}}
"""
BUILD = "def build(tables):\n    return tables['events']\n"


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where less was reached than asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="small, to see that it runs")
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of the features")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.child:
        step, folder = options.child
        return _run(step, Path(folder))
    count = 10_000 if options.tiny else options.rows
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    rows = [_row("rows of the features", count, "rows"), _row("columns", NUMBERS + 3, "columns")]
    peaks = {}
    with tempfile.TemporaryDirectory(prefix="perennial-benchmark-") as home:
        folder = Path(home)
        _make_world(folder, count, TINY_MEMORY if options.tiny else MEMORY)
        for step in STEPS:
            seconds, peaks[step] = _in_a_child(step, folder)
            rows.append(_row(f"{step}, seconds", seconds, "s"))
            asked = f"<= {ASKED_GB}"
            rows.append(_row(f"{step}, peak of all processes", peaks[step], "GiB", asked))
            log.info("%s: %.0f s, %.2f GiB", step, seconds, peaks[step])
        said = json.loads((folder / "said.json").read_text())
        rows += [_row(what, value, "rows") for what, value in said.items()]
    show("large_training", rows)
    if options.tiny:
        return 0
    write("large_training", rows)
    return int(max(peaks.values()) > ASKED_GB)


def _row(measure: str, value: float, unit: str, asked: str = "") -> Measure:
    return {"measure": measure, "value": round(value, 3), "unit": unit, "asked": asked}


def _in_a_child(step: str, folder: Path) -> tuple[float, float]:
    """Return the seconds of a step, and the peak of its processes' memory in GiB."""
    command = [sys.executable, "-m", "benchmarks.large_training", "--child", step, str(folder)]
    begin, peak = time.perf_counter(), 0
    with subprocess.Popen(command, cwd=ROOT) as child:
        process = psutil.Process(child.pid)
        while child.poll() is None:
            peak = max(peak, memory_of(process))
            time.sleep(0.1)
    if child.returncode:
        raise RuntimeError(f"{step} ended with {child.returncode}")
    return time.perf_counter() - begin, peak / 2**30


def _make_world(folder: Path, count: int, memory: str) -> None:
    """Write the model's folder, and its batches into the store."""
    model = folder / "models" / MODEL
    model.mkdir(parents=True)
    (folder / "expectations").mkdir()
    inputs = ", ".join(f"x{i}" for i in range(NUMBERS))
    (model / "model.yaml").write_text(SPEC.format(inputs=inputs, memory=memory))
    (model / "features.py").write_text(BUILD)
    context = _context(folder)
    months = [_batch(context, month, count // BATCHES) for month in range(1, BATCHES + 1)]
    _plan(context, folder, "train", months[:-1], months[-1:])
    _plan(context, folder, "window", [], [_batch(context, BATCHES + 1, count)])


def _plan(
    context: Context, folder: Path, name: str, train: list[BatchRef], holdout: list[BatchRef]
) -> None:
    from pipelines.data.manifests import Plan
    from pipelines.messages import IngestResult
    from pipelines.refs import canonical

    end = holdout[-1].interval.end
    plan = Plan(model=MODEL, as_of=end, lookback=[], train=train, holdout=holdout)
    result = IngestResult(
        plan=context.ports.store.put(canonical(plan), ".json"),
        as_of=end,
        reason="a benchmark",
        force=False,
        batches=len(plan.batches),
        rows=0,
        written=0,
        late=0,
        unreadable=0,
        window=None if train else holdout[0].interval,
    )
    (folder / f"{name}.json").write_bytes(canonical(result))


def _batch(context: Context, month: int, count: int) -> BatchRef:
    """Store one month of made rows."""
    import numpy as np
    import pyarrow as pa

    from pipelines.data.batches import manifest_of
    from pipelines.data.manifests import BatchRef
    from pipelines.intervals import Interval
    from pipelines.refs import canonical
    from pipelines.sources import Raw

    start, end = (datetime(2026, m, 1, tzinfo=UTC) for m in (month, month + 1))
    draws = np.random.default_rng(month)
    columns: dict[str, Any] = {f"x{i}": draws.normal(size=count) for i in range(NUMBERS)}
    signal = columns["x0"] + columns["x1"] * columns["x2"]
    span = int((end - start).total_seconds() * 1e6)
    # The step is whole, since a product of rows and microseconds would be beyond 64 bits.
    at = np.datetime64(start.replace(tzinfo=None), "us") + np.arange(count) * (span // count)
    columns |= {
        "reading": np.arange(count) + month * 10**9,
        "at": pa.array(at.astype("datetime64[us]"), pa.timestamp("us", tz="UTC")),
        "fault": signal + draws.normal(size=count) > 1,
    }
    interval = Interval(start=start, end=end)
    raw = Raw({context.spec.source.main: pa.table(columns)})
    store = context.ports.store
    manifest = manifest_of(store, context.spec, interval, raw)
    return BatchRef(interval=interval, version=1, manifest=store.put(canonical(manifest), ".json"))


def _context(folder: Path) -> Context:
    from pipelines.context import Context
    from pipelines.ports import ConfiguredPorts
    from pipelines.settings import Settings
    from pipelines.spec import load_spec

    settings = Settings(home=folder, state=folder / "var", comparison_seconds=0)
    return Context(load_spec(settings.models, MODEL), settings, ConfiguredPorts(settings))


def _run(step: str, folder: Path) -> int:
    """Run one step on what the steps before it have left in the folder."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    context = _context(folder)
    if step in CANDIDATES:
        _train(context, folder, step)
    else:
        steps = {"features": _features, "gate": _gate, "package": _package, "drift": _drift}
        steps[step](context, folder)
    return 0


def _read_ingest(folder: Path, name: str) -> IngestResult:
    from pipelines.messages import IngestResult

    return IngestResult.model_validate_json((folder / f"{name}.json").read_text())


def _empty_validation(context: Context) -> ValidateResult:
    from pipelines.messages import ValidateResult

    page = context.ports.store.put(b"<html></html>", ".html")
    return ValidateResult(batches=0, rows=0, expectations=0, warnings=[], page=page)


def _read_features(folder: Path) -> FeaturesResult:
    from pipelines.messages import FeaturesResult

    return FeaturesResult.model_validate_json((folder / "features.json").read_text())


def _read_trainings(folder: Path) -> list[TrainResult]:
    from pipelines.messages import TrainResult

    return [
        TrainResult.model_validate_json((folder / f"{name}.json").read_text())
        for name in CANDIDATES
    ]


def _features(context: Context, folder: Path) -> None:
    from pipelines.messages import FeaturesRequest
    from pipelines.refs import canonical
    from pipelines.steps import features

    request = FeaturesRequest(
        run=RUN, ingest=_read_ingest(folder, "train"), validate=_empty_validation(context)
    )
    (folder / "features.json").write_bytes(canonical(features.run(context, request)))


def _train(context: Context, folder: Path, step: str) -> None:
    from pipelines.messages import TrainRequest
    from pipelines.refs import canonical
    from pipelines.steps import train

    request = TrainRequest(run=RUN, candidate=step, features=_read_features(folder))
    (folder / f"{step}.json").write_bytes(canonical(train.run(context, request)))


def _gate(context: Context, folder: Path) -> None:
    from pipelines.messages import GateRequest
    from pipelines.refs import canonical
    from pipelines.steps import gate

    request = GateRequest(run=RUN, features=_read_features(folder), train=_read_trainings(folder))
    result = gate.run(context, request)
    (folder / "gate.json").write_bytes(canonical(result))
    sampled = result.sampled
    said = {
        "rows learnt from in parts": sampled.of if sampled and sampled.in_parts else 0,
        "rows of the sample": sampled.learnt if sampled else 0,
        "held-out rows judged": sampled.judged if sampled else 0,
    }
    (folder / "said.json").write_text(json.dumps(said))


def _package(context: Context, folder: Path) -> None:
    from pipelines.ledger import Crown
    from pipelines.messages import GateResult, PackageRequest
    from pipelines.steps import package

    judged = GateResult.model_validate_json((folder / "gate.json").read_text())
    request = PackageRequest(
        run=RUN, features=_read_features(folder), train=_read_trainings(folder), gate=judged
    )
    made = package.run(context, request)
    crown = Crown(version=made.version, bundle=made.bundle, release=1)
    context.ports.ledger.crown(MODEL, expected=None, champion=crown, key=RUN)


def _drift(context: Context, folder: Path) -> None:
    from pipelines.messages import DriftRequest
    from pipelines.steps import drift

    request = DriftRequest(
        run=f"{RUN}-drift",
        ingest=_read_ingest(folder, "window"),
        validate=_empty_validation(context),
    )
    result = drift.run(context, request)
    if result.verdict == "alarm":
        raise RuntimeError("; ".join(result.reasons))
    said = json.loads((folder / "said.json").read_text())
    said |= {"rows of the window": result.of or result.rows, "of them looked at": result.rows}
    (folder / "said.json").write_text(json.dumps(said))


if __name__ == "__main__":
    sys.exit(main())
