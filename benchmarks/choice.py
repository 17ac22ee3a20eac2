"""What the one-standard-error rule costs and gains, against taking the best.

`python -m benchmarks.choice` from the checkout.

Two models, a simple and a complex one, each see one input of a table in time. In one world both
inputs tell equally much, in others the complex model's tells more, or less. Both are scored by
roc_auc on fresh rows: that is the truth. Rows are independent, or hang together in time (what the
inputs leave open is 0.8 like in the row before). Measured: how often each rule takes the simple
model, and how much roc_auc it loses on average against the truly better one.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

import numpy as np

from benchmarks.report import Measure, is_tiny, show, write
from pipelines.science.choice import Contender, choose
from pipelines.science.metrics import score
from pipelines.science.splits import time_folds

WORLDS = 150
ROWS = 600
FRESH = 20_000
EDGES = {"worse": 0.7, "equal": 1.0, "a little better": 1.15, "better": 1.5, "much better": 2.5}
FOLDS = (3, 5, 10)
LIKE_BEFORE = 0.8
RULES = {
    "one standard error": ("one_standard_error", 1.0),
    "one standard error, uncorrected": ("one_standard_error", 0.0),
    "best": ("best", 1.0),
}
"""By name: the rule, and how much of the correction for shared rows it has."""

Array = np.ndarray[Any, Any]


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; always 0: nothing is asked, the figures inform the default."""
    tiny = is_tiny(__doc__, argv)
    worlds, fold_counts = (2, FOLDS[:1]) if tiny else (WORLDS, FOLDS)
    rows: list[Measure] = []
    for dependent in (False, True):
        for folds in fold_counts:
            for name, edge in EDGES.items():
                rows += _measure(worlds, folds, name, edge, dependent=dependent)
    show("The choice among candidates", rows)
    if not tiny:
        write("choice", rows)
    return 0


def _measure(worlds: int, folds: int, name: str, edge: float, *, dependent: bool) -> list[Measure]:
    """Return how both rules do where the complex model's input weighs `edge` times as much."""
    picks: dict[str, list[tuple[bool, float]]] = {said: [] for said in RULES}
    for seed in range(worlds):
        x, y = _table(ROWS, edge, seed, dependent=dependent)
        fresh_x, fresh_y = _table(FRESH, edge, 1_000_000 + seed, dependent=False)
        times = np.datetime64("2024-01-01", "us") + np.arange(ROWS) * np.timedelta64(1, "m")
        cuts = time_folds(times, folds, timedelta(0))
        truth = [score("roc_auc", fresh_y, _fit(x, y, fresh_x, c)) for c in (0, 1)]
        contenders = [
            _contender(x, y, cuts, column, name)
            for column, name in enumerate(("simple", "complex"))
        ]
        tested = sum(len(test) for _, test in cuts) / sum(len(train) for train, _ in cuts)
        for said, (rule, corrected) in RULES.items():
            decision = choose("roc_auc", contenders, tested=corrected * tested, rule=rule)
            simple = decision is not None and decision.name == "simple"
            picks[said].append((simple, max(truth) - truth[0 if simple else 1]))
    world = f"{'dependent' if dependent else 'independent'} rows, {folds} folds, complex {name}"
    measures: list[Measure] = []
    for said, found in picks.items():
        share, loss = (float(np.mean([each[i] for each in found])) for i in (0, 1))
        measures += [
            _row(f"{world}: {said} takes the simple one", round(share, 3), "share"),
            _row(f"{world}: {said} loses", round(loss, 4), "roc_auc"),
        ]
    return measures


def _row(measure: str, value: float, unit: str) -> Measure:
    return {"measure": measure, "value": value, "unit": unit, "asked": ""}


def _table(rows: int, edge: float, seed: int, *, dependent: bool) -> tuple[Array, Array]:
    """Return inputs (n, 2) and a target (n,) of 0 and 1."""
    rng = np.random.default_rng(seed)
    x, noise = rng.normal(size=(rows, 2)), rng.normal(size=rows)
    if dependent:
        fresh = np.sqrt(1 - LIKE_BEFORE**2)
        for i in range(1, rows):
            noise[i] = LIKE_BEFORE * noise[i - 1] + fresh * noise[i]
            x[i] = LIKE_BEFORE * x[i - 1] + fresh * x[i]
    target = x @ np.array([1.0, edge]) + 2.0 * noise
    return x, (target > 0).astype(np.int64)


def _contender(
    x: Array, y: Array, cuts: list[tuple[Array, Array]], column: int, name: str
) -> Contender:
    scores = [
        score("roc_auc", y[test], _fit(x[train], y[train], x[test], column)) for train, test in cuts
    ]
    return Contender(name, float(np.mean(scores)), tuple(scores), column)


def _fit(x: Array, y: Array, asked: Array, column: int) -> Array:
    """Return the answers of a model of one input: linear discriminant analysis, as a share."""
    ones, zeros = x[y == 1, column], x[y == 0, column]
    slope = ones.mean() - zeros.mean()
    return 1 / (1 + np.exp(-np.clip(slope * asked[:, column], -30, 30)))


if __name__ == "__main__":
    sys.exit(main())
