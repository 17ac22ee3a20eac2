"""How often a window in which nothing has changed is called changed.

`python -m benchmarks.false_alarms` from the checkout; `--windows 200` asks for fewer windows than
1,000 in each cell, and says so in each line; `--resume` keeps the cells of the last run that had as
many windows, and goes on behind them.

Worlds whose truth is known: independent rows; rows that are each like the one before; days whose
levels are each like the one before. And real ones: days drawn at random from a year or more, which
are exchangeable with the rest by the draw. Beside each cell, on every fifth window: what the usual
fixed rules say.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.report import Measure, read, show, write
from benchmarks.watching.others import judge
from benchmarks.watching.real import SETS, draw_days, load
from benchmarks.watching.worlds import Shape, make
from pipelines.science.changes.find import find_changes

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.science.changes.facts import Sample
    from pipelines.science.pieces import Span

LEVEL = 0.05
WINDOWS = 1_000
LEAST = 20
OTHERS_EVERY = 5
COLUMNS = (1, 10, 50)
SHAPES = {
    "independent": [(50, 1, 20), (200, 1, 20), (1_000, 1, 20), (5_000, 1, 5), (20_000, 1, 5)],
    "rows": [
        *((50, 1, 250), (200, 4, 250), (1_000, 20, 500)),
        *((5_000, 100, 500), (20_000, 400, 1_200)),
    ],
    "days": [(rows, 1, 250) for rows in (50, 200, 1_000, 5_000, 20_000)],
}
"""Rows of the window, its days, and the days of the past (the times as many rows)."""
WORDS = {
    "independent": "independent rows",
    "rows": "each row like the one before",
    "days": "each day like the one before",
}
DAYS = (1, 7, 30)
"""Whole days drawn from real data."""


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write after every cell; 1 where a rate is above what is asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="small, to see that it runs")
    parser.add_argument("--windows", type=int, default=WINDOWS, help="windows in each cell")
    parser.add_argument(
        "--resume", action="store_true", help="keep cells of so many windows or more"
    )
    options = parser.parse_args(argv)
    windows = 2 if options.tiny else options.windows
    last = read("false_alarms") if options.resume else []
    measures: list[Measure] = []
    for title, draw, span in _cells(tiny=options.tiny):
        kept = [row for row in last if row["measure"].startswith(f"{title}, ")]
        last = [row for row in last if row not in kept]
        enough = _is_enough(kept, title, windows)
        measures += kept if enough else measure(title, draw, span, windows)
        if not options.tiny:
            write("false_alarms", measures + last)
    show("False alarms", measures)
    return 0 if options.tiny else int(any(_is_above(row) for row in measures))


def _is_enough(kept: list[Measure], title: str, windows: int) -> bool:
    """Return whether a cell was measured with so many windows at least."""
    counts = re.compile(rf"{re.escape(title)}, ([0-9,]+) windows: called changed")
    found = [counts.fullmatch(row["measure"]) for row in kept]
    return any(int(match[1].replace(",", "")) >= windows for match in found if match)


def _is_above(row: Measure) -> bool:
    return bool(row["asked"]) and row["value"] > float(row["asked"].removeprefix("<= "))


def _cells(*, tiny: bool) -> list[tuple[str, Callable[[int], tuple[Sample, Sample]], Span]]:
    """Return each cell's words, what draws its worlds, and how long rows are alike; cheap first."""
    cells: list[tuple[int, str, Any, Span]] = []
    for alike, shapes in SHAPES.items():
        for rows, days, past in shapes[: 1 if tiny else None]:
            for columns in COLUMNS[: 1 if tiny else None]:
                shape = Shape(alike, rows, columns, days, past)  # type: ignore[arg-type]
                title = f"{WORDS[alike]}: {rows:,} x {columns}"
                span: Span = "row" if alike == "independent" else "day"
                cells.append((shape.size, title, lambda seed, s=shape: make(s, seed), span))
    for name in () if tiny else SETS:
        everything = load(name)
        if everything is None:
            print(f"{name} is not at hand (see PERENNIAL_DATA) and is left out")
            continue
        size = everything.rows * len(everything.columns)
        cells += [
            (size, f"{name}: {days} days drawn", _draws(everything, days), "day") for days in DAYS
        ]
    return [cell[1:] for cell in sorted(cells, key=lambda cell: cell[0])]


def _draws(everything: Sample, days: int) -> Callable[[int], tuple[Sample, Sample]]:
    return lambda seed: draw_days(everything, days, seed)


def measure(
    title: str, draw: Callable[[int], tuple[Sample, Sample]], span: Span, windows: int
) -> list[Measure]:
    """Return the rates of one cell."""
    said: Counter[str] = Counter()
    others: Counter[str] = Counter()
    began = time.process_time()
    for seed in range(windows):
        window, reference = draw(seed)
        found = find_changes(window, reference, level=LEVEL, span=span, seed=seed, least=LEAST)
        said[found.said] += 1
        said["partly"] += any(
            family.said == "cannot_be_said"
            for family in found.families
            if family.family in {"inputs", "performance"}
        )
        if seed % OTHERS_EVERY == 0:
            others.update({k: int(v) for k, v in judge(window, reference, seed).items()})
    print(f"{title}: {dict(said)}, {time.process_time() - began:.0f} CPU s", flush=True)
    most = LEVEL + 3 * (LEVEL * (1 - LEVEL) / windows) ** 0.5
    words = f"{title}, {windows:,} windows"
    rates = [
        _share(f"{words}: called changed", said["changed"] / windows, f"<= {most:.4f}"),
        _share(f"{words}: nothing can be said", said["cannot_be_said"] / windows),
        _share(f"{words}: not of inputs or not of performance", said["partly"] / windows),
    ]
    looked = len(range(0, windows, OTHERS_EVERY))
    return rates + [
        _share(f"{title}, {looked:,} windows: {rule}", count / looked)
        for rule, count in sorted(others.items())
    ]


def _share(words: str, value: float, asked: str = "") -> Measure:
    return {"measure": words, "value": round(float(np.round(value, 4)), 4), "unit": "share"} | {
        "asked": asked
    }  # type: ignore[return-value]


if __name__ == "__main__":
    sys.exit(main())
