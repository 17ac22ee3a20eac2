"""How often a change of a stated size is seen, and by which family.

`python -m benchmarks.power` from the checkout; `--windows 100` asks for fewer windows than 200 in
each line, and says so in each.

One of ten inputs changes (two of them are correlated by 0.8, one is a text), against ten times as
many rows of before. Seen is what the family says that the change belongs to, at its share of a
level of 5 %. What is asked is of 1,000 independent rows; the other lines say how power goes with
the size of the change, with the rows, and with their dependence.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from benchmarks.report import Measure, read, show, write
from benchmarks.watching.shifts import ASKED, SHIFTS, make_shifted
from pipelines.science.changes.find import find_changes

if TYPE_CHECKING:
    from benchmarks.watching.shifts import Scene, Shift
    from pipelines.science.pieces import Span

LEVEL = 0.05
WINDOWS = 200
SCENES: tuple[Scene, ...] = (
    ("independent rows", 1_000),
    ("independent rows", 200),
    ("20 days, each row like the one before", 1_000),
    ("one day of 200, each day like the one before", 1_000),
    ("independent rows", 5_000),
)


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write after every line; 1 where less is seen than asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="small, to see that it runs")
    parser.add_argument("--windows", type=int, default=WINDOWS, help="windows in each line")
    parser.add_argument("--resume", action="store_true", help="keep the last run's lines")
    options = parser.parse_args(argv)
    windows = 2 if options.tiny else options.windows
    last = {row["measure"]: row for row in read("power")} if options.resume else {}
    measures: list[Measure] = []
    for scene in SCENES[: 1 if options.tiny else None]:
        for shift in SHIFTS[: 2 if options.tiny else None]:
            kept = last.get(_title(scene, shift, windows))
            measures.append(kept or measure(scene, shift, windows))
            print(measures[-1], flush=True)
            if not options.tiny:
                write("power", measures)
    show("Power", measures)
    if options.tiny:
        return 0
    return int(any(row["value"] < float(row["asked"][3:]) for row in measures if row["asked"]))


def measure(scene: Scene, shift: Shift, windows: int) -> Measure:
    """Return how often a change is seen."""
    seen = 0
    for seed in range(windows):
        window, reference = make_shifted(scene, shift, seed)
        span: Span = "row" if reference.times is None else "day"
        found = find_changes(window, reference, level=LEVEL, span=span, seed=seed, least=50)
        seen += any(f.family == shift.family and f.said == "changed" for f in found.families)
    asked = ASKED if shift.asked and scene == SCENES[0] else ""
    title = _title(scene, shift, windows)
    return {"measure": title, "value": round(seen / windows, 4), "unit": "share", "asked": asked}


def _title(scene: Scene, shift: Shift, windows: int) -> str:
    words, rows = scene
    return f"{words}, {rows:,} rows: {shift.words}, {windows:,} windows"


if __name__ == "__main__":
    sys.exit(main())
