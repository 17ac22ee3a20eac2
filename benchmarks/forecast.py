"""How often a forecast that is no better than the seasonal naive one is "proven" better.

`python -m benchmarks.forecast` from the checkout.

The truth is a week that repeats itself, and an error of which each hour is like the one before it:
autoregressive, from independent hours to errors that outlast days. The opponent is the value of one
week ago, as in the gate; the challenger that of two weeks ago, which is as good on the mean. At a
confidence of 95 % one of twenty such challengers may be promoted. How much of an error is left
after a day says from where on the gate is bolder than that. A challenger that is truly better shows
that the gate still tells.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from scipy.signal import lfilter

from benchmarks.report import Measure, is_tiny, show, write
from pipelines.science.bootstrap import compare

WORLDS = 600
CONFIDENCE = 0.95
HOURS, WEEK = 31 * 24, 168
HELD = {0.0: True, 0.8: True, 0.9: True, 0.97: False, 0.99: False}
"""What is left of an error after an hour, and whether the stated rate is promised there."""

Array = np.ndarray[Any, Any]


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where something is not as asked."""
    tiny = is_tiny(__doc__, argv)
    rows = rates(2 if tiny else WORLDS)
    show("Forecast", rows)
    if tiny:
        return 0
    write("forecast", rows)
    return 0 if all(_holds(row) for row in rows) else 1


def _holds(row: Measure) -> bool:
    return not row["asked"] or row["value"] <= float(row["asked"].removeprefix("<= "))


def rates(worlds: int) -> list[Measure]:
    """Return the shares of worlds in which the challenger is proven better."""
    limit = round(1 - CONFIDENCE + 3 * (CONFIDENCE * (1 - CONFIDENCE) / worlds) ** 0.5, 3)
    measures: list[Measure] = []
    for metric in ("mae", "rmse"):
        for memory, promised in HELD.items():
            wins = sum(_wins(metric, memory, seed, better=False) for seed in range(worlds))
            measures.append(
                {
                    "measure": f"{metric}: as good as the seasonal naive, proven better at 95 %;"
                    f" {memory:g} of an error is left after an hour, {memory**24:.2f} after a day",
                    "value": round(wins / worlds, 4),
                    "unit": "share",
                    "asked": f"<= {limit}" if promised else "",
                }
            )
    wins = sum(_wins("mae", 0.9, seed, better=True) for seed in range(worlds))
    measures.append(
        {
            "measure": "mae: the true season, better by nearly a third, proven better at 95 %",
            "value": round(wins / worlds, 4),
            "unit": "share",
            "asked": "",
        }
    )
    return measures


def _wins(metric: str, memory: float, seed: int, *, better: bool) -> bool:
    """Tell whether the challenger is proven better in one world."""
    rng = np.random.default_rng([seed, round(memory * 100)])
    steps = np.arange(HOURS + 2 * WEEK)
    season = 1_000 + 500 * np.sin(steps * 2 * np.pi / 24) + 200 * np.sin(steps * 2 * np.pi / WEEK)
    burn = 1_000
    noise = lfilter([1.0], [1.0, -memory], rng.normal(0, 50, len(steps) + burn))[burn:]
    truth = season + noise
    held = slice(2 * WEEK, None)
    times = np.datetime64("2024-01-01", "us") + steps[:HOURS] * np.timedelta64(1, "h")
    return (
        compare(
            metric,
            truth[held],
            challenger=season[held] if better else truth[:HOURS],
            opponent=truth[WEEK : WEEK + HOURS],
            event_times=times,
            confidence=CONFIDENCE,
            seed=seed,
        ).lower
        > 0
    )


if __name__ == "__main__":
    sys.exit(main())
