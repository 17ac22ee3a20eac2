"""Do old rows mislead? Fits on all and on the newest, asked for what came after them.

The newest rows are put aside, and the candidates for the beginning of the window are tried on them:
the model that learnt from all rows is the one to beat.

Source: Klinkenberg & Joachims (2000), "Detecting Concept Drift with Support Vector Machines", ICML
(the window that is best on the newest rows).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.science.pieces import LEAST_TO_COMPARE, pieces_of_times

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pipelines.science.bootstrap import Comparison
    from pipelines.science.pieces import Span

    Array = NDArray[Any]

_MOST = 4
"""Beginnings that are tried, all rows among them: each costs a fit."""


@dataclass(frozen=True)
class Probe:
    """Rows from `asked_from` on are put aside, and judge; `starts` are the beginnings of what is
    learnt from, oldest first: the first one keeps all rows.
    """

    asked_from: np.datetime64
    starts: tuple[np.datetime64, ...]


def plan_probe(times: Array, edges: Array, span: Span) -> Probe | None:
    """Return how rows with these event times (n,) are probed; None where they are too few.

    `edges` (k,), sorted, are where the window may begin. The newest one that has days enough after
    it is halved: its newer half judges. Then each is twice as far back.
    """
    for place in range(len(edges) - 1, 0, -1):
        after = times[times >= edges[place]]
        pieces = pieces_of_times(after, span)
        if pieces.count >= 2 * LEAST_TO_COMPARE:
            asked_from = after[pieces.of_row >= pieces.count - pieces.count // 2].min()
            backs = [place - back for back in (0, 1, 3) if place - back > 0][: _MOST - 1]
            return Probe(asked_from, (edges[0], *(edges[p] for p in reversed(backs))))
    return None


def choose_start(
    starts: Sequence[np.datetime64],
    compare: Callable[[np.datetime64, float], Comparison],
    confidence: float,
) -> tuple[np.datetime64 | None, Comparison | None]:
    """Return the beginning that is proven better than all rows, and how; None where none is.

    `compare` tells a fit from a beginning from one on all rows, with a confidence: that all of them
    together are wrong about equal ones is no likelier than 1 - `confidence` (Bonferroni). Of
    several the one that gains most.
    """
    each = 1 - (1 - confidence) / max(len(starts) - 1, 1)
    found = [(start, compare(start, each)) for start in starts[1:]]
    proven = [(start, c) for start, c in found if c.lower > 0 and c.difference > 0]
    return max(proven, key=lambda pair: pair[1].difference, default=(None, None))
