"""Does the interval of a loss by shuffling hold the truth as often as it says?

`python -m benchmarks.importance` from the checkout.

A model whose coefficients are known, on rows of days with an effect of their own. The input that is
shuffled differs from row to row, or from day to day only; it helps, or the model uses it in vain.
The truth is the loss on 200,000 rows of as many days as that takes.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

import numpy as np

from benchmarks.report import Measure, is_tiny, show, write
from pipelines.science.bootstrap import compare
from pipelines.science.importance import Shuffling, loss_by_shuffling
from pipelines.science.metrics import better_by, score
from pipelines.science.pieces import pieces_of_times

WORLDS = 400
CONFIDENCE = 0.95
"""Of each end: both together hold 90 %."""
SHUFFLINGS = 5
SHAPES = {10: 100, 30: 33, 90: 11}
"""Days, and rows of each: about 1,000, as many as are looked at."""
LEAST = 0.87
FIRST = np.datetime64("2026-01-01", "us")

Array = np.ndarray[Any, Any]


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where an interval holds the truth more seldom than asked."""
    tiny = is_tiny(__doc__, argv)
    cells = [
        (metric, kind, weight, days)
        for metric in ("rmse", "log_loss", "roc_auc")
        for kind, weight in (("row", 1.0), ("day", 1.0), ("row", 0.0))
        for days in SHAPES
    ]
    worlds = 2 if tiny else WORLDS
    rows = [_coverage(*cell, worlds=worlds) for cell in cells]
    rows += [_coverage_of_receivers(days, worlds=worlds) for days in SHAPES]
    show("Importance", rows)
    if tiny:
        return 0
    write("importance", rows)
    return 0 if all(row["value"] >= LEAST for row in rows if row["asked"]) else 1


def _coverage(metric: str, kind: str, weight: float, days: int, *, worlds: int) -> Measure:
    """Return how often the interval holds the truth in so many worlds."""
    truth = _truth(metric, kind, weight)
    held = 0
    for seed in range(worlds):
        y, times, whole, shufflings = _shuffled(metric, kind, weight, days, seed)
        pieces = pieces_of_times(times)
        found = loss_by_shuffling(metric, y, whole, shufflings, pieces, confidence=CONFIDENCE)
        held += found.low <= truth <= found.high
    what = "an input" if weight else "an input used in vain"
    return {
        "measure": f"{metric}: {what} that differs by {kind}, {days} days; 90 % intervals hold",
        "value": round(held / worlds, 3),
        "unit": "share",
        "asked": f">= {LEAST}",
    }


def _coverage_of_receivers(days: int, *, worlds: int) -> Measure:
    """Return how often an interval holds the truth that draws only the days of the rows that get
    values, of an input that differs by day.
    """
    truth = _truth("rmse", "day", 1.0)
    held = 0
    for seed in range(worlds):
        y, times, whole, shufflings = _shuffled("rmse", "day", 1.0, days, seed)
        pair = (np.tile(whole, SHUFFLINGS), np.concatenate([s.answers for s in shufflings]))
        low, high = (
            compare(
                "rmse",
                np.tile(y, SHUFFLINGS),
                challenger=one,
                opponent=other,
                event_times=np.tile(times, SHUFFLINGS),
                confidence=CONFIDENCE,
                seed=seed,
            ).lower
            for one, other in (pair, pair[::-1])
        )
        held += low <= truth <= -high
    return {
        "measure": f"rmse: the same by day, {days} days; receiving days alone drawn again hold",
        "value": round(held / worlds, 3),
        "unit": "share",
        "asked": "",
    }


def _shuffled(
    metric: str, kind: str, weight: float, days: int, seed: int
) -> tuple[Array, Array, Array, list[Shuffling]]:
    """Return a world's truth, times and answers, and the answers after each shuffling."""
    rng = np.random.default_rng([29, seed])
    day, answer, y = _rows(rng, metric, kind, weight, days, SHAPES[days])
    donors = [rng.permutation(len(y)) for _ in range(SHUFFLINGS)]
    shufflings = [Shuffling(answer(places), places) for places in donors]
    return y, FIRST + day.astype("timedelta64[D]"), answer(np.arange(len(y))), shufflings


@cache
def _truth(metric: str, kind: str, weight: float) -> float:
    """Return the loss on many rows of many days."""
    rng = np.random.default_rng(1)
    lost = []
    for _ in range(3):
        _, answer, y = _rows(rng, metric, kind, weight, 20_000, 10)
        whole, without = answer(np.arange(len(y))), answer(rng.permutation(len(y)))
        lost.append(better_by(metric, score(metric, y, whole), score(metric, y, without)))
    return float(np.mean(lost))


def _rows(
    rng: np.random.Generator, metric: str, kind: str, weight: float, days: int, per_day: int
) -> tuple[Array, Any, Array]:
    """Return each row's day, the model's answers by the places that the input is taken from, and
    the truth.

    The model takes the input by 1, or by 0.3 where it is of no weight.
    """
    count = days * per_day
    day = np.repeat(np.arange(days), per_day)
    other = 0.7 * rng.normal(size=count)
    values = rng.normal(size=count) if kind == "row" else rng.normal(size=days)[day]
    level = weight * values + other + rng.normal(0, 0.5, size=days)[day]
    taken = weight or 0.3
    if metric == "rmse":
        return day, lambda places: taken * values[places] + other, level + rng.normal(size=count)
    y = (rng.random(count) < 1 / (1 + np.exp(-level))).astype(np.int64)
    return day, lambda places: 1 / (1 + np.exp(-taken * values[places] - other)), y


if __name__ == "__main__":
    sys.exit(main())
