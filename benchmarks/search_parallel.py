"""What a search gains by a second worker, and whether it ends as in one process.

`python -m benchmarks.search_parallel` from the checkout.

Optuna searches a boosting in rounds of two (`search: {parallel: 2}`): by the training alone, and by
the training with one helper, each a process of its own with one thread, as tasks on workers are.
They share a store in a folder and a ledger in SQLite and nothing else. The runs take turns, and
their medians are divided. Then the helper is killed (SIGKILL) at moments drawn at random. Every
time the trials must be those of one process without a board.
"""

from __future__ import annotations

import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks.report import Measure, is_tiny, show, write
from pipelines.bundle.rows import schema_of
from pipelines.ledger.sql import SqlLedger
from pipelines.spec import parse_spec
from pipelines.store.local import LocalStore
from pipelines.training import estimators
from pipelines.training.search import Board, Ground, search
from pipelines.training.search.outcome import Outcome
from pipelines.training.search.run import try_settings
from pipelines.training.threads import limit_threads

RUNS, KILLS, NOTHINGS = 3, 4, 200
SIZE = {"rows": 12_000, "rounds": 50, "trials": 24}
TINY = {"rows": 400, "rounds": 5, "trials": 4}
FOLDS = 4
SPEC = """
name: shared
owner: benchmarks
description: A search by several workers.
task: binary
source: {{kind: files, uri: "raw.csv", first: 2024-01-01T00:00:00Z}}
batch: day
event_time: at
key: [row]
target: {{column: y}}
features: {{inputs: [x0, x1, x2, x3, x4, x5, x6, x7]}}
train: {{metric: roc_auc, seed: 5, folds: {folds}}}
search: {{parallel: 2}}
candidates:
  - name: boosted
    estimator: sklearn.ensemble.HistGradientBoostingClassifier
    params: {{max_iter: {rounds}}}
    method: optuna
    budget: {trials}
    search:
      learning_rate: {{low: 0.01, high: 1, log: true}}
      max_leaf_nodes: {{low: 3, high: 63, whole: true}}
      l2_regularization: [0.0, 0.1, 1.0]
gate: {{at_least: {{roc_auc: 0.5}}, versus_champion: {{metric: roc_auc}}}}
"""


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where something is not as asked."""
    tiny = is_tiny(__doc__, argv)
    size, runs, kills = (TINY, 1, 1) if tiny else (SIZE, RUNS, KILLS)
    wanted = _facts(search(make_ground(size)))
    alone, helped, same = [], [], []
    for _ in range(runs):
        for seconds, helpers in ((alone, 0), (helped, 1)):
            took, found = _run(size, helpers)
            seconds.append(took)
            same.append(found == wanted)
    rng = np.random.default_rng(7)
    points = rng.integers(1, size["trials"] - 2, kills).tolist()
    ends = [_run(size, 1, kill_at=point)[1] == wanted for point in points]
    slow, fast = statistics.median(alone), statistics.median(helped)
    rows: list[Measure] = [
        _measure("the training alone", round(slow, 2), "s"),
        _measure("with one helper", round(fast, 2), "s"),
        _measure("gain by one helper", round(slow / fast, 2), "times"),
        _measure("a trial's share, claim and record", round(_cost_of_a_trial(), 1), "ms"),
        _measure(
            "searches with the same trials as one process", float(np.mean(same)), "share", "1"
        ),
        _measure("the same where the helper was killed", float(np.mean(ends)), "share", "1"),
    ]
    show("Searches by several workers", rows)
    if not tiny:
        write("search_parallel", rows)
    return int(any(r["asked"] and r["value"] != float(r["asked"]) for r in rows))


def work(root: str, worker: int, size: dict[str, int]) -> None:
    """Be one worker: print what the training came to, or help it."""
    board = _board(Path(root), worker)
    with limit_threads(1):
        if worker:
            try_settings(make_ground(size), board=board)
        else:
            print(json.dumps(_facts(search(make_ground(size), board=board))))


def make_ground(size: dict[str, int]) -> Ground:
    """Return what the trials stand on."""
    rng = np.random.default_rng(3)
    values = rng.normal(size=(size["rows"], 8)).astype(np.float32)
    noise = rng.normal(0, 0.7, size["rows"])
    y = (values[:, 0] * values[:, 1] + 0.5 * values[:, 2] + noise > 0).astype(np.int64)
    inputs = pd.DataFrame(values, columns=[f"x{i}" for i in range(8)])
    text = SPEC.format(trials=size["trials"], folds=FOLDS, rounds=size["rounds"])
    spec = parse_spec(text.encode(), "model.yaml")
    (candidate,) = spec.candidates
    schema = schema_of(pa.Table.from_pandas(inputs), list(inputs.columns), "binary", None)
    edges = np.linspace(0, size["rows"], FOLDS + 2).astype(int)
    return Ground(
        estimators.build_pipeline(candidate, schema, spec.train.seed, candidate.params),
        candidate,
        spec,
        inputs,
        y,
        [(np.arange(edges[i]), np.arange(edges[i], edges[i + 1])) for i in range(1, FOLDS + 1)],
        logging.getLogger("perennial.benchmarks"),
        schema,
    )


def _run(size: dict[str, int], helpers: int, kill_at: int | None = None) -> tuple[float, Any]:
    """Search by processes of their own; return the seconds of the training, and what it found.

    The helper is killed once so many trials are there.
    """
    with tempfile.TemporaryDirectory() as folder:
        board = _board(Path(folder), 0)
        with board.ledger.turn("first"):  # the ledger is there before any retraining
            began = time.monotonic()
        helping = [_start(folder, n + 1, size) for n in range(helpers)]
        training = _start(folder, 0, size)
        while kill_at is not None and training.poll() is None:
            if len(board.store.keys("searches/key")) >= kill_at:
                helping[0].kill()
                break
            time.sleep(0.01)
        said, _ = training.communicate()
        seconds = time.monotonic() - began
        for process in helping:
            process.wait()
    return seconds, json.loads(said)


def _start(folder: str, worker: int, size: dict[str, int]) -> subprocess.Popen[str]:
    program = "import sys, json; from benchmarks.search_parallel import work;"
    program += "work(sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3]))"
    command = [sys.executable, "-c", program, folder, str(worker), json.dumps(size)]
    return subprocess.Popen(command, env=dict(os.environ), stdout=subprocess.PIPE, text=True)


def _board(root: Path, worker: int) -> Board:
    ledger = SqlLedger(f"sqlite:///{root / 'ledger.db'}")
    return Board(LocalStore(root / "store"), ledger, "searches/key", "trial", worker)


def _facts(found: Any) -> Any:
    """Return the best parameters with their scores, and all trials, as JSON has them."""
    trials = [[t.number, t.params, t.scores, t.state] for t in found.trials]
    return json.loads(json.dumps([found.params, found.fold_scores, trials]))


def _cost_of_a_trial() -> float:
    """Return the milliseconds that a trial costs beside its fits, once the ledger is there."""
    nothing = Outcome(worker=0, scores=[0.5], seconds=[0.0], state="complete")
    with tempfile.TemporaryDirectory() as folder:
        board = _board(Path(folder), 0)
        list(board.spread({0: ({}, 1.0)}, lambda _: nothing))
        other = replace(board, folder="searches/other")
        began = time.perf_counter()
        list(other.spread({n: ({}, 1.0) for n in range(NOTHINGS)}, lambda _: nothing))
        return 1_000 * (time.perf_counter() - began) / NOTHINGS


def _measure(measure: str, value: float, unit: str, asked: str = "") -> Measure:
    return {"measure": measure, "value": value, "unit": unit, "asked": asked}


if __name__ == "__main__":
    sys.exit(main())
