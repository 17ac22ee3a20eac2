"""How often decisions are said to turn where none does, and how often intervals hold the truth.

`python -m benchmarks.decisions` from the checkout; `--worlds 100` asks for less than 200.

A window is like its past, or its answers are all greater by a part of their spread; the share that
is decided for the positive class is known in the long run, and so is by how much it differs.
Nothing differs: at most 5 % of the windows of which something is told may be said to have decisions
that turn, and three standard errors. Something differs: 95 % of the intervals less three standard
errors must hold by how much. In how many worlds nothing can be said is told beside it. And in how
many decisions turned by the rule of before: two standard errors of days as the past's differ.

Worlds are those of `benchmarks.false_alarms`: independent rows, rows that are each like the one
before (0.9), days whose levels are (0.9) and make half of the answers' variance.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import norm

from benchmarks.report import Measure, asked_worlds, show, write
from benchmarks.watching.worlds import Shape, make
from pipelines.plurals import how_many
from pipelines.science.causes.blocks import block_rows
from pipelines.science.causes.shift import measure_shift
from pipelines.science.effects.decisions import Decisions, least_turned, measure_decisions

if TYPE_CHECKING:
    from pipelines.science.changes.facts import Sample

Array = np.ndarray[Any, Any]
WORLDS, LEVEL = 200, 0.05
COLUMNS = 3
SPREAD = COLUMNS**0.5
"""The standard deviation of the answers, which are the sum of so many columns."""
MOVED = 0.5
SHAPES = [
    *(Shape("independent", rows, COLUMNS, 1, 20) for rows in (50, 200, 1_000)),
    Shape("independent", 5_000, COLUMNS, 1, 5),
    *(Shape("rows", 50 * days, COLUMNS, days, past) for days, past in ((1, 30), (4, 30), (10, 30))),
    *(Shape("rows", 50 * days, COLUMNS, days, 250) for days in (1, 4, 20)),
    *(Shape("days", rows, COLUMNS, 1, 30) for rows in (50, 1_000)),
    *(Shape("days", rows, COLUMNS, 10, 30) for rows in (50, 1_000)),
    Shape("days", 5_000, COLUMNS, 30, 60),
    *(Shape("days", 1_000, COLUMNS, days, 250) for days in (1, 10, 30)),
]
SELDOM = [
    Shape("independent", 50, COLUMNS, 1, 20),
    Shape("independent", 1_000, COLUMNS, 1, 20),
    Shape("rows", 200, COLUMNS, 4, 30),
    Shape("rows", 1_000, COLUMNS, 20, 250),
    Shape("days", 1_000, COLUMNS, 1, 250),
    Shape("days", 1_000, COLUMNS, 10, 30),
    Shape("days", 1_000, COLUMNS, 30, 250),
]
LONG = [Shape("rows", 5_000, COLUMNS, 100, 500), Shape("days", 5_000, COLUMNS, 100, 500)]
CELLS = [
    *((shape, 0.2) for shape in SHAPES),
    *((shape, 0.05) for shape in SELDOM),
    *((shape, 0.2) for shape in LONG),
]
"""Worlds, and which share of their rows is decided for the positive class."""
UNASKED = ("days", 30, 0.05)
"""Few days, much alike, of which few hold a positive decision at all: that their interval holds a
true change is not asked."""
KINDS = {
    "independent": "independent rows",
    "rows": "rows much like the one before",
    "days": "days much like the one before",
}
QUIET = "nothing turns, and decisions are said to turn"
BEFORE = "the same by two standard errors of days"
HOLD, UNTOLD, REACH = "95 % intervals that hold a change", "cannot be said", "reach (median)"


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where a rate is not what is asked."""
    tiny, worlds = asked_worlds(__doc__, argv, WORLDS)
    worlds = 3 if tiny else worlds
    measures: list[Measure] = []
    for shape, share in CELLS[: 1 if tiny else None]:
        measures += measure(shape, share, worlds)
        if not tiny:
            write("decisions", measures)
    show("Decisions", measures)
    return 0 if tiny else int(any(_misses(row) for row in measures))


def title(shape: Shape, share: float) -> str:
    """Return the words that a line of such worlds begins with."""
    days = ""
    if shape.alike != "independent":
        days = f" in {how_many(shape.days, 'day')} beside {shape.past:,}"
    return f"{shape.rows:,} rows{days}: {KINDS[shape.alike]}: {share:.0%} positive"


def measure(shape: Shape, share: float, worlds: int) -> list[Measure]:
    """Return how often decisions are said to turn, and how often intervals hold the truth."""
    threshold = float(norm.isf(share)) * SPREAD
    truth = float(norm.sf(threshold / SPREAD - MOVED)) - share
    turned, before, held, reach = [], [], [], []
    for seed in range(worlds):
        window, past = make(shape, seed)
        before.append(_turns_by_two_errors(window, past, threshold))
        quiet = measure_decisions(Decisions(window, past, threshold))
        assert quiet is not None
        if not quiet.untold:
            turned.append(bool(least_turned(quiet)))
            reach.append((quiet.high - quiet.low) / 2)
        assert window.predictions is not None
        moved = replace(window, predictions=window.predictions + MOVED * SPREAD)
        changed = measure_decisions(Decisions(moved, past, threshold))
        assert changed is not None
        if not changed.untold:
            held.append(changed.low <= truth <= changed.high)
    line, measures = title(shape, share), []
    if turned:
        most = LEVEL + _three_errors(len(turned))
        measures.append(_tell(f"{line}, {QUIET}", turned, f"<= {most:.3f}"))
    measures.append(_tell(f"{line}, {BEFORE}", before))
    if held:
        least = 1 - LEVEL - _three_errors(len(held))
        asked = "" if (shape.alike, shape.past, share) == UNASKED else f">= {least:.3f}"
        measures.append(_tell(f"{line}, {HOLD}", held, asked))
        middle = round(float(np.median(reach)), 4)
        measures.append(
            {"measure": f"{line}, {REACH}", "value": middle, "unit": "share of rows", "asked": ""}
        )
    silent = round(1 - len(turned) / worlds, 4)
    measures.append({"measure": f"{line}, {UNTOLD}", "value": silent, "unit": "share", "asked": ""})
    return measures


def _three_errors(count: int) -> float:
    return 3 * float((LEVEL * (1 - LEVEL) / count) ** 0.5)


def _tell(line: str, found: list[bool], asked: str = "") -> Measure:
    return {
        "measure": line,
        "value": round(float(np.mean(found)), 4),
        "unit": "share",
        "asked": asked,
    }


def _misses(row: Measure) -> bool:
    if not row["asked"]:
        return False
    sign, bound = row["asked"].split()
    return row["value"] > float(bound) if sign == "<=" else row["value"] < float(bound)


def _turns_by_two_errors(window: Sample, past: Sample, threshold: float) -> bool:
    """Return whether the shares differ by more than two standard errors of days of the past."""
    now, then = window.predictions, past.predictions
    assert now is not None
    assert then is not None
    shift = measure_shift(
        (now >= threshold).astype(np.int64),
        (then >= threshold).astype(np.int64),
        2,
        blocks=(block_rows(window.times, window.rows), block_rows(past.times, past.rows)),
    )
    # 0.4 of the errors of both cells, which are equal, are the noise.
    return shift.distance > 2 * shift.noise / 0.8


if __name__ == "__main__":
    sys.exit(main())
