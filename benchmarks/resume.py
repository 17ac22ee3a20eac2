"""Does a search that is killed end as an undisturbed one?

`python -m benchmarks.resume` from the checkout.

A process searches with Optuna, and is killed (SIGKILL) as soon as its journal holds a number of
lines that is drawn at random, again and again; then it is left to end. The best trial, and every
trial, must be those of a search that nobody disturbed.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks.report import Measure, is_tiny, show, write
from pipelines.bundle.rows import schema_of
from pipelines.spec import parse_spec
from pipelines.training import estimators
from pipelines.training.search import Ground, search
from pipelines.training.search.run import JOURNAL
from pipelines.training.threads import limit_threads

KILLS = 10
TRIALS = 30
ROWS = 600
FOLDS = 4
SPEC = """
name: killed
owner: benchmarks
description: A search that is killed.
task: binary
source: {{kind: files, uri: "raw.csv", first: 2024-01-01T00:00:00Z}}
batch: day
event_time: at
key: [row]
target: {{column: y}}
features: {{inputs: [x0, x1, x2, x3]}}
train: {{metric: roc_auc, seed: 5, folds: {folds}}}
candidates:
  - name: boosted
    estimator: sklearn.ensemble.HistGradientBoostingClassifier
    params: {{max_iter: 15}}
    method: optuna
    budget: {trials}
    search:
      learning_rate: {{low: 0.01, high: 1, log: true}}
      max_leaf_nodes: {{low: 3, high: 40, whole: true}}
      l2_regularization: [0.0, 0.1, 1.0]
gate: {{at_least: {{roc_auc: 0.5}}, versus_champion: {{metric: roc_auc}}}}
"""


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where something is not as asked."""
    tiny = is_tiny(__doc__, argv)
    kills, trials = (1, 4) if tiny else (KILLS, TRIALS)
    undisturbed = run_search(None, trials)
    rng = np.random.default_rng(7)
    points = sorted(rng.choice(np.arange(1, trials * 2), kills, replace=False).tolist())
    with tempfile.TemporaryDirectory() as folder:
        done = sum(_kill(Path(folder), trials, point) for point in points)
        resumed = run_search(Path(folder), trials)
    same = [a == b for a, b in zip(undisturbed["trials"], resumed["trials"], strict=True)]
    rows: list[Measure] = [
        _measure("kills that hit a search at work", done, "kills", ""),
        _measure(
            "same best trial as undisturbed",
            int(undisturbed["best"] == resumed["best"]),
            "1 = yes",
            "1",
        ),
        _measure("trials equal to the undisturbed ones", float(np.mean(same)), "share", "1"),
    ]
    show("Resumed searches", rows)
    if not tiny:
        write("resume", rows)
    return int(any(r["asked"] and r["value"] != float(r["asked"]) for r in rows))


def run_search(folder: Path | None, trials: int) -> dict[str, Any]:
    """Search, and return the best parameters with their scores, and all trials."""
    rng = np.random.default_rng(3)
    values = rng.normal(size=(ROWS, 4)).astype(np.float32)
    y = (values[:, 0] * values[:, 1] + rng.normal(0, 0.7, ROWS) > 0).astype(np.int64)
    inputs = pd.DataFrame(values, columns=[f"x{i}" for i in range(4)])
    spec = parse_spec(SPEC.format(trials=trials, folds=FOLDS).encode(), "model.yaml")
    (candidate,) = spec.candidates
    schema = schema_of(pa.Table.from_pandas(inputs), list(inputs.columns), "binary", None)
    edges = np.linspace(0, ROWS, FOLDS + 2).astype(int)
    ground = Ground(
        estimators.build_pipeline(candidate, schema, spec.train.seed, candidate.params),
        candidate,
        spec,
        inputs,
        y,
        [(np.arange(edges[i]), np.arange(edges[i], edges[i + 1])) for i in range(1, FOLDS + 1)],
        logging.getLogger("perennial.benchmarks"),
        schema,
    )
    with limit_threads(1):  # as `train` holds it: waiting threads spin where cores are shared
        found = search(ground, folder=folder)
    return {
        "best": [found.params, found.fold_scores],
        "trials": [[t.number, t.params, t.scores, t.state] for t in found.trials],
    }


def _kill(folder: Path, trials: int, lines: int) -> bool:
    """Search in a process and kill it once its journal has so many lines; false if it had ended."""
    program = "from pathlib import Path; from benchmarks.resume import run_search;"
    program += f"run_search(Path({json.dumps(str(folder))}), {trials})"
    process = subprocess.Popen([sys.executable, "-c", program], env=dict(os.environ))
    journal = folder / JOURNAL
    while process.poll() is None:
        if journal.exists() and journal.read_bytes().count(b"\n") >= lines:
            process.send_signal(signal.SIGKILL)
            process.wait()
            return True
        time.sleep(0.001)
    return False


def _measure(measure: str, value: float, unit: str, asked: str) -> Measure:
    return {"measure": measure, "value": value, "unit": unit, "asked": asked}


if __name__ == "__main__":
    sys.exit(main())
