"""A value that stays: the longest run of one value beside the longest that the reference knows.

Even where a sensor freezes late in the window, its run is longer than any before. What stays for
hours or days by nature, as a working day does, has such runs in the reference too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.causes.cause import Break
from pipelines.science.causes.seasons import is_of_calendar, same_kind_of_day

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pipelines.science.causes.view import View

    Array = NDArray[Any]

_TIMES = 2.0
"""How many times longer than the longest of the reference a run must be..."""
_LEAST_ROWS, _LEAST_MOMENTS = 20, 5
"""...and how many rows and moments it must last..."""
_MANY_ROWS, _FEW_MOMENTS = 100, 3
"""...or so many, where moments are days of many rows each."""
_LEAST_SHARE = 0.05
"""...and this share of the window's rows: of many short runs one is longer than any before."""
_USUAL = 0.4
"""A value that had this share of the rows before is no sign where it stays."""


@dataclass(frozen=True)
class Run:
    """`rows` and `moments` (distinct times) in turn that hold nothing but `value`."""

    value: float
    rows: int
    moments: int
    start: Any
    end: Any


def find_runs(view: View) -> Iterator[Break]:
    """Give each column of numbers that froze at one value."""
    if view.window.times is None or view.reference.times is None:
        return
    own, other = view.blocks
    # A reference that is a sample has fewer rows in a run than the rows it was drawn from.
    kept = min(1.0, (view.reference.rows / other.count) / max(view.window.rows / own.count, 1e-9))
    for name in view.numbers:
        now = longest_run(view.window.columns[name], view.window.times)
        if now is None or not _is_long(now, view.window.rows):
            continue
        past = view.reference.columns[name]
        before = float(np.mean(past == now.value))
        if before > _USUAL or is_of_calendar(past, view.reference.times):
            continue
        inside = (view.window.times >= now.start) & (view.window.times <= now.end)
        alike = same_kind_of_day(view.window.times[inside], view.reference.times)
        usual = longest_run(past[alike], view.reference.times[alike])
        longest = usual.rows / kept if usual else 0.0
        if not np.isfinite(past[alike]).any() or now.rows < _TIMES * longest:
            continue
        since, until = (
            str(moment.astype("datetime64[m]")).replace("T", " ") for moment in (now.start, now.end)
        )
        words = (
            f"{name}: every value is {now.value:g} from {since} to {until}, in {now.rows:,} rows in"
            f" turn ({now.rows / view.window.rows:.0%} of the window's); in training no value stays"
            f" for more than {longest:,.0f}"
        )
        yield Break("frozen", [name], words, now.rows / view.window.rows - before)


def _is_long(run: Run, rows: int) -> bool:
    return run.rows >= _LEAST_SHARE * rows and (
        (run.rows >= _LEAST_ROWS and run.moments >= _LEAST_MOMENTS)
        or (run.rows >= _MANY_ROWS and run.moments >= _FEW_MOMENTS)
    )


def longest_run(values: Array, times: Array) -> Run | None:
    """Return the longest run (by rows) of one value (n,); None where no moment has but one.

    A moment at which rows hold several values ends a run.
    """
    known = np.isfinite(values)
    order = np.argsort(times[known], kind="stable")
    values, times = values[known][order], times[known][order]
    if not len(values):
        return None
    moments, first, counts = np.unique(times, return_index=True, return_counts=True)
    low, high = np.minimum.reduceat(values, first), np.maximum.reduceat(values, first)
    same = low == high
    goes_on = same[1:] & same[:-1] & (low[1:] == low[:-1])
    run = np.concatenate([[0], np.cumsum(~goes_on)])
    rows = np.bincount(run, weights=np.where(same, counts, 0))
    best = int(np.argmax(rows))
    if not rows[best]:
        return None
    places = np.flatnonzero(run == best)
    return Run(
        float(low[places[0]]), int(rows[best]), len(places), moments[places[0]], moments[places[-1]]
    )
