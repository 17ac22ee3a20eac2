"""Do the gate's rate and the intervals hold where rows depend on each other, or do they say so?

`python -m benchmarks.dependence` from the checkout.

Size: two equally good models whose difference in AUC varies by day with a standard deviation of
0.02, on holdouts of 1, 7, 30 and 90 days; and of days of which each is like the one before: how
often one is "proven" better at 95 %, and how often nobody can tell. Coverage: intervals of 90 % of
AUC, log loss and RMSE in five worlds of 200 to 20,000 rows: how often they hold the truth, where
there is one, and how often there is none.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.signal import lfilter
from scipy.special import expit, ndtr

from benchmarks.report import Measure, is_tiny, show, write
from pipelines.science.bootstrap import compare, two_sided
from pipelines.science.metrics import score

if TYPE_CHECKING:
    from collections.abc import Iterable

    Array = np.ndarray[Any, Any]

DAY = 86_400_000_000
"""Microseconds."""
SIMULATIONS = 1_000
TRUTH_ROWS = 4_000_000
HOLDOUTS = (1, 7, 30, 90)
"""Days."""
ROWS_A_DAY = 200
SIZES = (200, 1_000, 5_000, 20_000)
CONFIDENCE, COVERAGE = 0.95, 0.9
WITHIN = 0.03
"""How far the coverage may lie from what is promised."""
SEPARATION = 1.2
"""By how much the scores of positives lie above those of negatives."""
SCORES = ("roc_auc", "log_loss", "rmse")


@dataclass(frozen=True)
class World:
    """Rows whose errors are alike: `rows_a_day` of them, of which each `alike` share a level that
    makes up `share` of the variance and keeps `memory` of itself from one to the next.
    """

    words: str
    rows_a_day: int
    alike: int = 1
    share: float = 0.0
    memory: float = 0.0
    positive: float = 0.3

    def errors(self, size: int, rng: np.random.Generator) -> Array:
        """Return errors (n,) of variance 1."""
        group = np.arange(size) // self.alike
        level = _remembering(rng, int(group[-1]) + 1, self.memory)[group]
        return self.share**0.5 * level + (1 - self.share) ** 0.5 * rng.normal(size=size)

    def times(self, size: int) -> Array:
        """Return the event times (n,), evenly spread over the days."""
        step = DAY // self.rows_a_day
        return np.datetime64("2026-01-01", "us") + (np.arange(size) * step).astype("m8[us]")


WORLDS = (
    World("independent rows", 100),
    World("levels by day", 40, alike=40, share=0.5),
    World("AR(1) 0.9 by row", 100, share=1.0, memory=0.9),
    World("AR(1) 0.9 by hour", 240, alike=10, share=0.7, memory=0.9),
    World("1 % positive", 100, positive=0.01),
)


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where a rate is not held and nobody says so."""
    tiny = is_tiny(__doc__, argv)
    simulations = 4 if tiny else SIMULATIONS
    rows = [*sizes(simulations), *coverages(SIZES[:2] if tiny else SIZES, simulations, tiny=tiny)]
    show("Dependence", rows)
    if tiny:
        return 0
    write("dependence", rows)
    return int(not all(_is_reached(row) for row in rows if row["asked"]))


def sizes(simulations: int) -> Iterable[Measure]:
    """Yield how often one of two equally good models is proven better, and untold."""
    bound = 1 - CONFIDENCE + 3 * (CONFIDENCE * (1 - CONFIDENCE) / simulations) ** 0.5
    for memory, words in ((0.0, "differs by day"), (0.9, "differs by day, AR(1) 0.9 of days")):
        for days in HOLDOUTS:
            found = [_is_proven(days, memory, seed) for seed in range(simulations)]
            told = [proven for proven in found if proven is not None]
            title = f"equal models, AUC {words}, {days} days"
            yield {
                "measure": f"{title}: proven better",
                "value": round(sum(told) / simulations, 4),
                "unit": "share",
                "asked": f"<= {bound:.4f}",
            }
            yield _untold(title, len(told), simulations)


def _is_proven(days: int, memory: float, seed: int) -> bool | None:
    """Tell whether the first of two equal models is proven better; None where nobody can tell.

    Each model's scores of a day's positives are raised or lowered by a level of that day. One of
    0.057 moves the AUC of that day by 0.014, so the difference of two by 0.02.
    """
    rng = np.random.default_rng([days, seed, int(memory * 10)])
    size = days * ROWS_A_DAY
    day = np.arange(size) // ROWS_A_DAY
    y = (rng.random(size) < 0.3).astype(np.int64)
    signal = SEPARATION * y + rng.normal(0, 0.9, size)
    first, second = (
        expit(
            signal + rng.normal(0, 0.44, size) + _LEVEL * y * _remembering(rng, days, memory)[day]
        )
        for _ in range(2)
    )
    times = np.datetime64("2026-01-01", "us") + (np.arange(size) * (DAY // ROWS_A_DAY)).astype(
        "m8[us]"
    )
    found = compare(
        "roc_auc",
        y,
        challenger=first,
        opponent=second,
        event_times=times,
        confidence=CONFIDENCE,
        seed=seed,
    )
    return None if found.untold else found.lower > 0


_LEVEL = 0.051
"""Moves the AUC of a day by 0.0141: 0.02 between two models (the derivative of
Phi(separation / sqrt 2) is 0.278)."""


def coverages(sizes: tuple[int, ...], simulations: int, *, tiny: bool) -> Iterable[Measure]:
    """Yield how often the intervals of each cell hold the truth, and how often there is none."""
    for size in sizes:
        for world in WORLDS:
            for metric in SCORES:
                if metric == "rmse" and world.positive < 0.1:
                    continue
                yield from _coverage(metric, world, size, simulations, tiny=tiny)


def _coverage(
    metric: str, world: World, size: int, simulations: int, *, tiny: bool
) -> Iterable[Measure]:
    truth, hits, told = _truth(metric, world.positive, 10_000 if tiny else TRUTH_ROWS), 0, 0
    for seed in range(simulations):
        rng = np.random.default_rng([seed, size])
        y, p = _rows(metric, world, size, rng)
        low, high = two_sided(
            metric, y, p, event_times=world.times(size), confidence=COVERAGE, seed=seed
        )
        if np.isfinite(low) and np.isfinite(high):
            told += 1
            hits += low <= truth <= high
    title = f"{metric}, {size:,} rows, {world.words}"
    if told > simulations / 2:
        yield {
            "measure": f"{title}: 90 % intervals that hold the truth",
            "value": round(hits / told, 4),
            "unit": "share",
            "asked": f"{COVERAGE - WITHIN:.2f} to {COVERAGE + WITHIN:.2f}",
        }
    yield _untold(title, told, simulations)


def _rows(metric: str, world: World, size: int, rng: np.random.Generator) -> tuple[Array, Array]:
    errors = world.errors(size, rng)
    if metric == "rmse":
        y = rng.normal(size=size)
        return y, y + errors
    y = (rng.random(size) < world.positive).astype(np.int64)
    return y, _probability(SEPARATION * y + errors, world.positive)


def _probability(values: Array, positive: float) -> Array:
    """Return the true probability (n,) of the positive class at these values."""
    prior = np.log(positive / (1 - positive))
    return np.asarray(expit(prior + SEPARATION * (values - SEPARATION / 2)))


@cache
def _truth(metric: str, positive: float, rows: int) -> float:
    if metric == "rmse":
        return 1.0
    if metric == "roc_auc":
        return float(ndtr(SEPARATION / 2**0.5))
    rng = np.random.default_rng(0)
    y = (rng.random(rows) < positive).astype(np.int64)
    return score(metric, y, _probability(SEPARATION * y + rng.normal(size=rows), positive))


def _remembering(rng: np.random.Generator, count: int, memory: float) -> Array:
    """Return levels (count,) of variance 1, each of which keeps `memory` of the one before."""
    steps = rng.normal(size=count)
    steps[1:] *= (1 - memory**2) ** 0.5
    return np.asarray(lfilter([1.0], [1.0, -memory], steps))


def _untold(title: str, told: int, simulations: int) -> Measure:
    return {
        "measure": f"{title}: cannot be told",
        "value": round(1 - told / simulations, 4),
        "unit": "share",
        "asked": "",
    }


def _is_reached(row: Measure) -> bool:
    value, asked = float(row["value"]), row["asked"]
    if asked.startswith("<= "):
        return value <= float(asked.removeprefix("<= "))
    low, high = (float(end) for end in asked.split(" to "))
    return low <= value <= high


if __name__ == "__main__":
    sys.exit(main())
