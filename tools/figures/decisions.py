"""The table of docs/causes.md: how often decisions are said to turn, and what intervals hold."""

from __future__ import annotations

from benchmarks.decisions import BEFORE, CELLS, HOLD, KINDS, QUIET, REACH, UNTOLD, title
from pipelines.plurals import how_many
from tools.figures.results import ABSENT, read, table


def decisions() -> list[str]:
    """Return of each world in how many windows decisions are said to turn, now and before, how many
    intervals hold a change, how many windows are untold, and how far intervals reach.
    """
    rows = []
    for shape, share in CELLS:
        days = ""
        if shape.alike != "independent":
            days = f", {how_many(shape.days, 'day')} beside {shape.past:,}"
        seldom = ", seldom" if share < CELLS[0][1] else ""
        line = title(shape, share)
        values = (_percent(f"{line}, {of}") for of in (QUIET, BEFORE, HOLD, UNTOLD, REACH))
        words = KINDS[shape.alike].removesuffix(" much like the one before")
        rows.append([f"{words}: {shape.rows:,}{days}{seldom}", *values])
    return table(["alike, rows", "said to turn", "before", "hold", "untold", "reach"], rows)


def _percent(key: str) -> str:
    figures = read("decisions")
    return f"{100 * figures[key]:.0f}%" if key in figures else ABSENT
