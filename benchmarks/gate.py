"""What the gate's comparison costs and whether its rates hold.

`python -m benchmarks.gate` from the checkout.

Cost: the comparison of two models' scores by their ranking, from ten thousand rows to ten million,
in days of 30 blocks; for roc_auc also with as many blocks as there may be. Rates: two equally good
models on rows of one day that are alike, on few blocks, and on days of which each is like the one
before; how often one is "proven" better.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np

from benchmarks.report import Measure, is_tiny, show, write
from pipelines.science.bootstrap import compare

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
TINY = (1_000, 10_000)
WORLDS = 600
CONFIDENCE = 0.95
DAY = 86_400_000_000
"""Microseconds."""

Array = np.ndarray[Any, Any]


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where something is not as asked."""
    tiny = is_tiny(__doc__, argv)
    rows = [*costs(TINY if tiny else SIZES), *rates(2 if tiny else WORLDS)]
    show("Gate", rows)
    if tiny:
        return 0
    write("gate", rows)
    return (
        0
        if all(
            row["value"] <= float(row["asked"].removeprefix("<= ")) for row in rows if row["asked"]
        )
        else 1
    )


def costs(sizes: tuple[int, ...]) -> list[Measure]:
    """Return the processor seconds of each comparison, and how they grow where the rows grow
    tenfold.
    """
    measures: list[Measure] = []
    for metric, days in (("roc_auc", 30), ("roc_auc", 500), ("average_precision", 30)):
        seconds = [_seconds(metric, size, days) for size in sizes]
        title = f"{metric} of two models, {days} days"
        measures += [
            {
                "measure": f"{title}, {size:,} rows",
                "value": round(value, 2),
                "unit": "CPU s",
                "asked": "",
            }
            for size, value in zip(sizes, seconds, strict=True)
        ]
        growth = round(seconds[-1] / seconds[-2], 1)
        asked = "<= 15" if len(sizes) == len(SIZES) else ""
        measures.append(
            {
                "measure": f"{title}, ten times the rows cost",
                "value": growth,
                "unit": "times",
                "asked": asked,
            }
        )
    return measures


def _seconds(metric: str, size: int, days: int) -> float:
    rng = np.random.default_rng(size)
    y = (rng.random(size) < 0.2).astype(np.int64)
    logit = y + rng.normal(size=size)
    first, second = (1 / (1 + np.exp(-logit - rng.normal(0, 0.3, size))) for _ in range(2))
    times = _times(size, days)
    began = time.process_time()
    compare(
        metric,
        y,
        challenger=first,
        opponent=second,
        event_times=times,
        confidence=CONFIDENCE,
        seed=1,
    )
    return time.process_time() - began


def _times(size: int, days: float) -> Array:
    return np.datetime64("2026-01-01", "us") + (np.arange(size) * int(days * DAY / size)).astype(
        "timedelta64[us]"
    )


def rates(worlds: int) -> list[Measure]:
    """Return how often one of two equally good models is proven better."""
    asked = f"<= {round(1 - CONFIDENCE + 3 * (CONFIDENCE * (1 - CONFIDENCE) / worlds) ** 0.5, 3)}"
    settings = {
        "30 days of 40 rows, alike within the day": (1_200, 30, 0.0),
        "20 days of 10 rows, alike within the day": (200, 20, 0.0),
        "2,000 rows within a day, each for itself": (2_000, 0.5, 0.0),
        "30 days, each half like the one before": (1_200, 30, 0.5),
    }
    measures: list[Measure] = []
    for metric in ("roc_auc", "average_precision", "rmse"):
        for words, (size, days, memory) in settings.items():
            wins = sum(_wins(metric, size, days, memory, seed) for seed in range(worlds))
            measures.append(
                {
                    "measure": f"{metric}: equal models, proven better at 95 %; {words}",
                    "value": round(wins / worlds, 4),
                    "unit": "share",
                    "asked": "" if memory else asked,
                }
            )
    return measures


def _wins(metric: str, size: int, days: float, memory: float, seed: int) -> bool:
    """Tell whether the first of two equally good models is proven better in one world."""
    rng = np.random.default_rng([seed, size])
    times = _times(size, days)
    day = (times - times[0]).astype(np.int64) // DAY
    truth = rng.normal(0, 1, size)
    first, second = (truth + rng.normal(0, 1, size) + _level(rng, day, memory) for _ in range(2))
    if metric != "rmse":
        truth = (truth > 0.5).astype(np.int64)  # three in ten are positive
        first, second = 1 / (1 + np.exp(-first)), 1 / (1 + np.exp(-second))
    return (
        compare(
            metric,
            truth,
            challenger=first,
            opponent=second,
            event_times=times,
            confidence=CONFIDENCE,
            seed=seed,
        ).lower
        > 0
    )


def _level(rng: np.random.Generator, day: Array, memory: float) -> Array:
    """Return a model's error that all rows of a day share (n,).

    `memory` is how much of it stays from day to day.

    Within a single day there is none: it would be a difference of the two models.
    """
    levels = rng.normal(0, 0.5, int(day.max()) + 1) if day.any() else np.zeros(1)
    for today in range(1, len(levels)):
        levels[today] = memory * levels[today - 1] + (1 - memory**2) ** 0.5 * levels[today]
    return levels[day]


if __name__ == "__main__":
    sys.exit(main())
