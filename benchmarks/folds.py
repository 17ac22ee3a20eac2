"""How often the gate calls one of two equal models better where the data have no time.

`python -m benchmarks.folds` from the checkout.

Small tables are judged over folds (`science.refits`), larger ones on held-out rows or groups
(`science.bootstrap`). In every world two inputs tell equally much of the target, and each model
sees one of them: on average over worlds they are equal. Groups share their inputs and a part of
the target, so that rows of one group are alike. With a search the challenger is the best of many
inputs that tell nothing, chosen anew within each fold, against one of them. Beside the rates: how
often a model whose input weighs twice as much is proven better. Of fewer than 30 groups the rates
do not hold, and the gate refuses.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.report import Measure, is_tiny, show, write
from pipelines.science.bootstrap import compare
from pipelines.science.gate.rows import LEAST_ROWS
from pipelines.science.metrics import better_by, score
from pipelines.science.refits import FOLDS, REPEATS, compare_over_folds, row_folds

WORLDS = 400
CONFIDENCE = 0.95
ROWS = (30, 60, 150, 400)
IN_A_GROUP = 5
HELD_OUT = 120
CHOICES = 10
SEARCH_REPEATS = 2
METRICS = ("roc_auc", "log_loss", "rmse")

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class World:
    """Inputs (n, inputs), target (n,) and groups (n,) of one table, and the metric to judge by."""

    x: Array
    y: Array
    groups: Array | None
    metric: str


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where something is not as asked."""
    tiny = is_tiny(__doc__, argv)
    worlds, sizes = (2, ROWS[:1]) if tiny else (WORLDS, ROWS)
    asked = f"<= {round(1 - CONFIDENCE + 3 * (CONFIDENCE * (1 - CONFIDENCE) / worlds) ** 0.5, 3)}"
    rows: list[Measure] = []
    for metric in METRICS:
        for size, grouped in [(s, g) for s in sizes for g in (False, True)]:
            name = f"{metric}, folds, {size} rows"
            groups = size // IN_A_GROUP
            refused = grouped and groups < LEAST_ROWS
            name += f" in {groups} groups" + " (refused)" * refused if grouped else ""
            rate = np.mean([_judge_folds(metric, size, grouped, s) for s in range(worlds)])
            rows.append(_measure(f"{name}: equal, better", rate, "" if refused else asked))
            if metric == "roc_auc":
                power = np.mean(
                    [_judge_folds(metric, size, grouped, s, edge=2.0) for s in range(worlds // 2)]
                )
                rows.append(_measure(f"{name}: twice as good, better", power, ""))
        for grouped in (False, True):
            groups = f" in {HELD_OUT // IN_A_GROUP} groups" if grouped else ""
            rate = np.mean([_judge_holdout(metric, grouped, s) for s in range(worlds)])
            rows.append(
                _measure(f"{metric}, {HELD_OUT} held out{groups}: equal, better", rate, asked)
            )
    for size in sizes:
        rate = np.mean([_judge_search(size, s) for s in range(worlds)])
        name = f"roc_auc, folds, {size} rows, best of {CHOICES} that tell nothing: better"
        rows.append(_measure(name, rate, asked))
    show("Folds", rows)
    if tiny:
        return 0
    write("folds", rows)
    failed = [r for r in rows if r["asked"] and r["value"] > float(r["asked"].split()[1])]
    return int(bool(failed))


def _measure(measure: str, value: float | np.floating[Any], asked: str) -> Measure:
    return {"measure": measure, "value": round(float(value), 3), "unit": "share", "asked": asked}


def _world(metric: str, size: int, seed: int, *, grouped: bool, edge: float, inputs: int) -> World:
    """Return a table in which all inputs tell equally much, but the first `edge` times more.

    With an edge of 0 none tells anything.
    """
    rng = np.random.default_rng([seed, size, int(grouped), inputs])
    groups = np.arange(size) // IN_A_GROUP if grouped else None
    x = rng.normal(size=(size, inputs))
    noise = rng.normal(0, 1.5, size)
    if groups is not None:
        x = 0.5 * x + rng.normal(0, 0.87, (groups[-1] + 1, inputs))[groups]
        noise = 0.5 * noise + rng.normal(0, 1.3, groups[-1] + 1)[groups]
    weights = np.full(inputs, 1.0 if edge else 0.0)
    weights[0] = edge
    target = x @ weights + noise
    y = target if metric == "rmse" else (target > np.median(target)).astype(np.int64)
    return World(x, y, groups, metric)


def _fit(world: World, column: int, train: Array, test: Array) -> float:
    """Return the score on `test` of a model that sees one input of `train`."""
    x, y = world.x[train, column], world.y[train]
    if world.metric == "rmse":
        slope = np.cov(x, y)[0, 1] / x.var(ddof=1)
        answers = y.mean() + slope * (world.x[test, column] - x.mean())
    else:  # linear discriminant analysis of one input
        ones, zeros = x[y == 1], x[y == 0]
        spread = max((ones.var() * len(ones) + zeros.var() * len(zeros)) / len(x), 1e-9)
        slope = (ones.mean() - zeros.mean()) / spread
        middle = (ones.mean() + zeros.mean()) / 2
        logit = slope * (world.x[test, column] - middle) + np.log(len(ones) / len(zeros))
        answers = 1 / (1 + np.exp(-np.clip(logit, -30, 30)))
    return score(world.metric, world.y[test], answers)


def _folds(world: World, folds: int, seed: int) -> list[tuple[Array, Array]]:
    return row_folds(world.y, world.groups, folds, classify=world.metric != "rmse", seed=seed)


def _judge_folds(
    metric: str,
    size: int,
    grouped: bool,  # noqa: FBT001
    seed: int,
    edge: float = 1.0,
) -> bool:
    world = _world(metric, size, seed, grouped=grouped, edge=edge, inputs=2)
    cuts = [cut for repeat in range(REPEATS) for cut in _folds(world, FOLDS, repeat)]
    ours, theirs = (np.array([_fit(world, c, *cut) for cut in cuts]) for c in (0, 1))
    tested = 1 / (FOLDS - 1)
    return compare_over_folds(metric, ours, theirs, tested=tested, confidence=CONFIDENCE).lower > 0


def _judge_search(size: int, seed: int) -> bool:
    """Judge the best of many equal inputs, chosen within each fold, against the last of them."""
    world = _world("roc_auc", size, seed, grouped=False, edge=0.0, inputs=CHOICES + 1)
    ours, theirs = [], []
    for repeat in range(SEARCH_REPEATS):
        for train, test in _folds(world, FOLDS, repeat):
            part = World(world.x[train], world.y[train], None, world.metric)
            inner = _folds(part, 3, repeat)
            means = [
                np.mean([better_by("roc_auc", _fit(part, c, *cut), 0.0) for cut in inner])
                for c in range(CHOICES)
            ]
            ours.append(_fit(world, int(np.argmax(means)), train, test))
            theirs.append(_fit(world, CHOICES, train, test))
    comparison = compare_over_folds(
        "roc_auc",
        np.array(ours),
        np.array(theirs),
        tested=1 / (FOLDS - 1),
        confidence=CONFIDENCE,
        freedom=FOLDS - 1,
    )
    return comparison.lower > 0


def _judge_holdout(metric: str, grouped: bool, seed: int) -> bool:  # noqa: FBT001
    """Judge two equal fits on held-out rows, drawn as rows or as groups."""
    world = _world(metric, 5 * HELD_OUT, seed, grouped=grouped, edge=1.0, inputs=2)
    held = np.arange(HELD_OUT)
    y = world.y[held]
    answers = [world.x[held, c] for c in (0, 1)]
    if metric != "rmse":
        answers = [1 / (1 + np.exp(-a)) for a in answers]
    groups = held if world.groups is None else world.groups[held]
    return (
        compare(
            metric,
            y,
            challenger=answers[0],
            opponent=answers[1],
            groups=groups,
            confidence=CONFIDENCE,
            seed=seed,
        ).lower
        > 0
    )


if __name__ == "__main__":
    sys.exit(main())
