"""What answers claim, of probabilities or intervals: how often it is called changed where it is
not, and how often a claim that fails is seen.

`python -m benchmarks.claims` from the checkout; `--windows 1000` asks for more windows than 300 in
each cell, and says so in each line.

The losses and the claims of a model are tested together, as the family `performance`, here at a
level of 5 % by itself: in worlds whose rows are independent, each like the one before, and whose
days are each like the one before. The failures are those of `benchmarks.power`, where the family
has its share of the level beside ten inputs.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

import numpy as np

from benchmarks import power
from benchmarks.report import Measure, show, write
from benchmarks.watching.claiming import LATENT, TASKS, make_claims
from benchmarks.watching.shifts import CLAIM_SHIFTS
from benchmarks.watching.worlds import Shape
from pipelines.science.changes.find import find_changes

if TYPE_CHECKING:
    from benchmarks.watching.claiming import Kind

LEVEL = 0.05
WINDOWS, POWER_WINDOWS = 300, 100
LEAST = 20
UNTOLD = "cannot_be_said"
SHAPES = {
    "independent rows": [
        Shape("independent", rows, LATENT, 1, past)
        for rows, past in ((50, 20), (200, 20), (1_000, 20), (5_000, 5))
    ],
    "each row like the one before": [
        Shape("rows", rows, LATENT, days, past)
        for rows, days, past in ((50, 1, 250), (200, 4, 250), (1_000, 20, 500))
    ],
    "each day like the one before": [
        Shape("days", rows, LATENT, 1, 250) for rows in (50, 200, 1_000)
    ],
}


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write after every cell; 1 where a figure is not what is asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="small, to see that it runs")
    parser.add_argument("--windows", type=int, default=WINDOWS, help="windows in each cell")
    options = parser.parse_args(argv)
    tiny: bool = options.tiny
    windows = 2 if tiny else options.windows
    measures: list[Measure] = []
    for words, shapes in SHAPES.items():
        for shape in shapes[: 1 if tiny else None]:
            for kind in TASKS:
                measures += _measure_rate(words, kind, shape, windows)
                _write(measures, tiny=tiny)
    for scene in power.SCENES[: 1 if tiny else None]:
        for shift in CLAIM_SHIFTS[: 1 if tiny else None]:
            measures.append(power.measure(scene, shift, 2 if tiny else POWER_WINDOWS))
            print(measures[-1], flush=True)
            _write(measures, tiny=tiny)
    show("Claims", measures)
    return 0 if tiny else int(any(_is_missed(row) for row in measures))


def _write(measures: list[Measure], *, tiny: bool) -> None:
    if not tiny:
        write("claims", measures)


def _is_missed(row: Measure) -> bool:
    asked = row["asked"]
    if not asked:
        return False
    limit = float(asked[3:])
    return row["value"] > limit if asked.startswith("<=") else row["value"] < limit


def _measure_rate(words: str, kind: Kind, shape: Shape, windows: int) -> list[Measure]:
    """Return how often quiet claims are called changed, and how often nothing can be said."""
    said = []
    began = time.process_time()
    for seed in range(windows):
        window, reference = make_claims(kind, shape, seed)
        span = "row" if shape.alike == "independent" else "day"
        found = find_changes(window, reference, level=LEVEL, span=span, seed=seed, least=LEAST)
        said.append(found.said)
    most = LEVEL + 3 * (LEVEL * (1 - LEVEL) / windows) ** 0.5
    title = f"{kind}, {words}: {shape.rows:,} rows, {windows:,} windows"
    shares = [float(np.mean([each == what for each in said])) for what in ("changed", UNTOLD)]
    print(f"{title}: {shares}, {time.process_time() - began:.0f} CPU s", flush=True)
    return [
        Measure(
            measure=f"{title}: called changed",
            value=round(shares[0], 4),
            unit="share",
            asked=f"<= {most:.4f}",
        ),
        Measure(
            measure=f"{title}: nothing can be said",
            value=round(shares[1], 4),
            unit="share",
            asked="",
        ),
    ]


if __name__ == "__main__":
    sys.exit(main())
