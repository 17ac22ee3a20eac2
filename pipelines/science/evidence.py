"""What pieces of evidence say of a number, and how many independent ones they are worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.dependence import are_alike, widening, without_rise
from pipelines.science.draws import Draws, draw, leave_out
from pipelines.science.student import PLAIN, Scale, Student, by_student

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pipelines.science.formulas.kinds import Resampling
    from pipelines.science.pieces import Pieces

    Array = NDArray[Any]

FEW = 20
"""Fewer pieces than this are not drawn: Student's t tells of them."""


@dataclass(frozen=True)
class Evidence:
    """What pieces say of a number; `ends` is None where they cannot, and `untold` says why."""

    pieces: Pieces
    ends: Draws | Student | None
    as_many: int | None = None
    """How many independent pieces say as much, where neighbours are alike; else None."""
    untold: str = ""


@dataclass(frozen=True)
class Question:
    """A number of rows: how metrics follow from pieces, and what is made of them.

    The number is the better the greater it is. `least` pieces are needed; `scale` has no bounds.
    Where `skewed`, percentiles are corrected for it.
    """

    scorers: Callable[[Pieces], list[Resampling]]
    better: Callable[[list[Array]], Array]
    least: int
    seed: int
    scale: Scale = PLAIN
    skewed: bool = True
    rises: bool = False
    """Whether the number may rise with time, without a doubt about it (see `dependence`)."""

    def weigh(self, pieces: Pieces) -> Evidence:
        """Return what these pieces say; of those that are like their neighbours by Student's t."""
        if pieces.count < self.least:
            few = f"of {pieces.words} nobody can tell, {self.least} are needed"
            return Evidence(pieces, None, untold=few)
        scorers = self.scorers(pieces)
        without = leave_out(scorers, self.better, pieces.count)
        known = pieces.in_order and bool(np.isfinite(without).all())
        rises = known and self.rises
        series = -without_rise(-without) if rises else without
        alike = known and are_alike(series)
        wider = widening(series) if known and not alike else 1.0
        if pieces.count >= FEW and not alike and not rises:
            corrections = without if self.skewed else None
            drawn = draw(
                scorers, self.better, pieces.count, self.seed, without=corrections, widening=wider
            )
            return Evidence(pieces, drawn)
        whole = self.better([s.of(np.ones((1, pieces.count))) for s in scorers])
        found = by_student(
            float(whole[0]), without, self.scale, alike=alike, wider=wider, rises=rises
        )
        return Evidence(pieces, found, found.freedom + 1 if alike else None)
