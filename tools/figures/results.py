"""What benchmarks measured, as documents quote it: read by name, with what chance leaves open."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

from benchmarks.report import RESULTS
from pipelines.science.calibration import wilson

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ABSENT = "-"
"""What stands in a table where nothing was measured."""


@cache
def read(name: str) -> dict[str, float]:
    """Return the values of a benchmark's last run by what was measured."""
    rows = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return {row["measure"]: float(row["value"]) for row in rows}


def percent(share: float) -> str:
    """Return a share as it stands in a table."""
    return f"{100 * share:.1f} %"


def reach(shares: Sequence[float]) -> str:
    """Return from where to where shares go, in whole per cent."""
    low, high = (f"{100 * end:.0f}" for end in (min(shares), max(shares)))
    return f"{low} %" if low == high else f"{low} to {high} %"


def pool(cells: Iterable[tuple[float, int]]) -> tuple[int, int]:
    """Return how many windows of how many several cells have, each a share of so many."""
    counts = [(round(share * windows), windows) for share, windows in cells]
    return sum(hits for hits, _ in counts), sum(windows for _, windows in counts)


def together(cells: Iterable[tuple[float, int]]) -> str:
    """Return the rate of several independent cells, with Wilson's interval of 95 %."""
    hits, windows = pool(cells)
    low, high = wilson(hits, windows)
    return f"{percent(hits / windows)} ({100 * low:.1f} to {100 * high:.1f})"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table."""
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]
