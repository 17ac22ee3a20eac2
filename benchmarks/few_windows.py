"""How often a short past calls a quiet week changed, and what it sees, straight into the tests.

`python -m benchmarks.few_windows` from the checkout; some minutes of one processor.

Sums of days are given to the tests of one family, at a quarter of 5 %: means of days whose level is
like that of the day before (memory), whole or beside noise, of which every second one is squared
where there are several. Each week is held against 4 to 52 weeks that end a week before it.
Quiet weeks must not be called changed more often than stated; what a shift of the first mean does
is told of independent days.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.signal import lfilter

from benchmarks.report import Measure, is_tiny, show, write
from pipelines.science.changes.families import Question
from pipelines.science.changes.groups import Means
from pipelines.science.changes.layout import Layout
from pipelines.science.changes.summing import Sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

LEVEL = 0.05 / 4
WINDOWS, WEEK, ROWS = 400, 7, 60
WEEKS, STATISTICS = (4, 12, 20, 52), (1, 4, 10)
MEMORIES, SHARES = (0.5, 0.8, 0.9, 0.95), (1.0, 0.5, 0.2)
"""Correlation with the day before of what lasts, and its share of the variance of a day's mean."""
USUAL = 0.9
"""The memory of which is told how often nothing can be said."""
SHIFTS = (2.5, 1.5)
"""Standard deviations of a day's mean."""
MOST = LEVEL + 3 * (LEVEL * (1 - LEVEL) / WINDOWS) ** 0.5


@dataclass(frozen=True)
class World:
    """Days before a week: how many weeks, of how many means, and how alike they are."""

    weeks: int
    statistics: int
    memory: float = 0.0
    share: float = 1.0


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where a quiet week is called changed too often."""
    tiny = is_tiny(__doc__, argv)
    windows = 2 if tiny else WINDOWS
    rows: list[Measure] = []
    for weeks, statistics in product(WEEKS[:1] if tiny else WEEKS, STATISTICS):
        rows += measure(weeks, statistics, windows)
    show("Few windows of the past", rows)
    if tiny:
        return 0
    write("few_windows", rows)
    return int(any(row["asked"] and row["value"] > MOST for row in rows))


def measure(weeks: int, statistics: int, windows: int) -> list[Measure]:
    """Return the worst quiet rate of all kinds of days, and what is seen of independent ones."""
    title = f"{weeks} weeks, {statistics} statistic{'s' * (statistics > 1)}"
    rates = {
        world: ask(world, windows)
        for world in (
            World(weeks, statistics),
            *(World(weeks, statistics, m, s) for m, s in product(MEMORIES, SHARES)),
        )
    }
    above = sum(changed > MOST for changed, _ in rates.values())
    worst, (rate, _) = max(rates.items(), key=lambda one: one[1][0])
    how = f"memory {worst.memory:g}, {worst.share:.0%} of the variance"
    unsaid = {
        "independent days": World(weeks, statistics),
        "days half of a level like the one before": World(weeks, statistics, USUAL, 0.5),
        "days like the one before": World(weeks, statistics, USUAL),
    }
    return [
        _row(f"{title}: most quiet weeks called changed ({how})", rate, f"<= {MOST:.4f}"),
        {**_row(f"{title}: kinds of days above that, of {len(rates)}", above), "unit": "kinds"},
        *(
            _row(f"{title}: {words}, nothing can be said", rates[world][1])
            for words, world in unsaid.items()
        ),
        *(
            _row(
                f"{title}: independent days, shifted by {shift:g} deviations, called changed",
                ask(World(weeks, statistics), windows, shift)[0],
            )
            for shift in SHIFTS
        ),
    ]


def ask(world: World, windows: int, shift: float = 0.0) -> tuple[float, float]:
    """Return the shares of windows that are called changed, and of which nothing can be said."""
    rng = np.random.default_rng(
        [world.weeks, world.statistics, int(100 * world.memory), int(100 * world.share)]
    )
    answers = [_answer(rng, world, shift) for _ in range(windows)]
    return answers.count("changed") / windows, answers.count("cannot_be_said") / windows


def _answer(rng: np.random.Generator, world: World, shift: float) -> str:
    count = WEEK * world.weeks
    means = _draw(rng, world, shift)
    group = Means("inputs", [f"c{n}" for n in range(world.statistics)], "mean")
    sums = Sums(
        means * ROWS, np.full(count + WEEK, float(ROWS)), [(group, slice(0, world.statistics))]
    )
    no_days = np.zeros(0)
    layout = Layout(no_days, no_days, no_days, count, WEEK, "days", timed=True, apart=WEEK)
    return Question("inputs", sums, layout, LEVEL, slow=True, seed=1).answer().said


def _draw(rng: np.random.Generator, world: World, shift: float) -> Array:
    """Return means of the days of the past and of the week (days, statistics); a day between them
    is left out.
    """
    past, memory = WEEK * world.weeks, world.memory
    shape = (past + WEEK + WEEK, world.statistics)
    news = rng.normal(size=shape) * (1 - memory**2) ** 0.5
    news[0] /= (1 - memory**2) ** 0.5
    lasting = lfilter([1.0], [1.0, -memory], news, axis=0)
    means = world.share**0.5 * lasting + (1 - world.share) ** 0.5 * rng.normal(size=shape)
    means = np.vstack([means[:past], means[-WEEK:]])
    means[past:, 0] += shift
    if world.statistics > 1:
        means[:, 1::2] = means[:, 1::2] ** 2 / 2**0.5
    return np.asarray(means)


def _row(measure: str, value: float, asked: str = "") -> Measure:
    return {"measure": measure, "value": round(value, 4), "unit": "share", "asked": asked}


if __name__ == "__main__":
    sys.exit(main())
