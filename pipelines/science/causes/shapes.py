"""How the rows of a column lie on both sides: what a small plot shows."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from pipelines.science.causes.cells import MISSING, cut, shares

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipelines.science.changes.facts import Sample


@dataclass(frozen=True)
class Shape:
    """The shares of the rows by cell, of the window and of the reference, each cell with a name."""

    column: str
    cells: list[str]
    window: list[float]
    reference: list[float]


def draw_shapes(window: Sample, reference: Sample, names: Iterable[str]) -> list[Shape]:
    """Return the shapes of these columns, where both sides hold them in the same form."""
    found = []
    for name in names:
        own, past = window.columns.get(name), reference.columns.get(name)
        if own is None or past is None or (own.dtype == object) != (past.dtype == object):
            continue
        cells = cut(past)
        now, then = (shares(cells.place(v), cells.count) for v in (own, past))
        labels = ["missing"]
        if cells.edges is None:
            labels += [*cells.names, "rare values", "never seen before"]
        else:
            ends = [f"{e:.4g}" for e in cells.edges]
            between = [f"{a} to {b}" for a, b in pairwise(ends)]
            labels += [f"below {ends[0]}", *between, f"above {ends[-1]}"]
        kept = [i for i in range(cells.count) if i != MISSING or now[i] or then[i]]
        kept = [i for i in kept if now[i] or then[i] or cells.edges is not None]
        found.append(
            Shape(
                name,
                [labels[i] for i in kept],
                [float(now[i]) for i in kept],
                [float(then[i]) for i in kept],
            )
        )
    return found
