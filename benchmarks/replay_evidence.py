"""How often a replay's interval holds the truth: two policies that differ by a known amount.

`python -m benchmarks.replay_evidence [--tiny]` from the checkout.

Differences from batch to batch are drawn: independent, or like their neighbours (AR(1)), and with
half of the batches served alike, where they are 0. The interval is that of the recommendation, two-
sided at 95 %. Asked is 95 % less four points, which a dozen batches cost, and less three standard
errors of the simulation, wherever neighbours are alike by 0.5 at most. Stronger likeness is
measured, and nothing is claimed of it.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from benchmarks.report import Measure, is_tiny, show, write
from pipelines.science.policy_worth import compare_losses

DRAWS, TINY_DRAWS = 2_000, 100
BATCHES = (12, 24, 60)
ALIKE = (0.0, 0.5, 0.9)
CLAIMED_TO = 0.5
GAP, ALLOWED = 0.3, 0.04


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where an interval holds the truth less often than asked."""
    tiny = is_tiny(__doc__, argv)
    draws = TINY_DRAWS if tiny else DRAWS
    limit = 0.95 - ALLOWED - 3 * (0.95 * 0.05 / draws) ** 0.5
    rows: list[Measure] = []
    for batches in BATCHES:
        for alike in ALIKE:
            for half in (False, True):
                held, told = cover(batches, alike, draws, half=half)
                name = (
                    f"{batches} batches, alike by {alike:g}{', half served alike' if half else ''}"
                )
                claimed = alike <= CLAIMED_TO and not tiny
                asked = f">= {limit:.3f}" if claimed else ""
                rows.append(_row(f"{name}: truth held", held, asked))
                rows.append(_row(f"{name}: told", told))
    show("Evidence of a replay", rows)
    if tiny:
        return 0
    write("replay_evidence", rows)
    return int(any(row["value"] < limit for row in rows if row["asked"]))


def cover(batches: int, alike: float, draws: int, *, half: bool) -> tuple[float, float]:
    """Return the share of intervals that hold the truth, and the share of replays that have one."""
    rng = np.random.default_rng([batches, int(10 * alike), half])
    held = told = 0
    for _ in range(draws):
        gaps = GAP + _series(rng, batches, alike)
        if half:
            gaps = np.where(rng.random(batches) < 0.5, gaps, 0.0)
        found = compare_losses(gaps, np.zeros(batches))
        if found.low is None or found.high is None:
            continue
        told += 1
        held += found.low <= (GAP / 2 if half else GAP) <= found.high
    return held / max(told, 1), told / draws


def _series(rng: np.random.Generator, count: int, alike: float) -> Any:
    """Return a series (count,) of variance 1, each value like the one before."""
    values = rng.normal(0, 1, count)
    for place in range(1, count):
        values[place] = alike * values[place - 1] + (1 - alike**2) ** 0.5 * values[place]
    return values


def _row(measure: str, value: float, asked: str = "") -> Measure:
    return {"measure": measure, "value": round(value, 4), "unit": "share", "asked": asked}


if __name__ == "__main__":
    sys.exit(main())
