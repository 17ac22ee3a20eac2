"""Which column's shift matters: importance times shift, and the decisions that it turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.effects.effect import ColumnEffect

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from pipelines.science.causes.view import View

    Array = NDArray[Any]
    Answer = Callable[[Mapping[str, Array]], Array]
    """Answers (n,) of rows whose columns are given by name."""

_ASKED = 2_000
"""Rows that are answered again for a column."""
_MOST_COLUMNS = 10
"""Columns, of those that moved most, for which rows are answered again."""


def rank_columns(
    view: View,
    importances: Mapping[str, float] | None,
    *,
    answer: Answer | None,
    threshold: float | None,
    seed: int,
) -> list[ColumnEffect]:
    """Return the columns, the one that matters most first.

    `importances` are what the metric loses without each column, as much as nothing where it gains;
    one that is not among them weighs like the mean of those. Without any the shift alone is the
    weight. With `answer` rows of the window are answered again, with one column's values
    drawn from the reference: how often a decision at `threshold` turns, or for answers that are no
    decisions how far they move in standard deviations of the reference's.
    """
    given = importances or {}
    known = {n: max(given[n], 0.0) for n in view.names if n in given}
    total = sum(known.values())
    moved = {n: max(s.distance - s.noise, 0.0) for n, s in view.shifts.items()}
    effects = []
    for name in view.names:
        importance = known[name] / total if total > 0 and name in known else None
        untold = 1 / len(known) if total > 0 else 1.0
        weight = moved[name] * (untold if importance is None else importance)
        effects.append(ColumnEffect(name, moved[name], importance, weight))
    effects.sort(key=lambda e: (-e.weight, -e.shift, e.name))
    if answer is None or threshold is None:
        return effects
    rng = np.random.default_rng(seed)
    rows = rng.choice(view.window.rows, min(_ASKED, view.window.rows), replace=False)
    asked = {n: v[rows] for n, v in view.window.columns.items()}
    donors = rng.integers(view.reference.rows, size=len(rows))
    decided = answer(asked) >= threshold
    found = []
    for place, each in enumerate(effects):
        flips = None
        if place < _MOST_COLUMNS and each.shift > 0:
            # Only how often decisions turn beyond what the column's usual spread turns anyway.
            set_back = answer({**asked, each.name: view.reference.columns[each.name][donors]})
            flips = _net(decided, set_back >= threshold)
        found.append(ColumnEffect(each.name, each.shift, each.importance, each.weight, flips))
    return found


def _net(now: Array, then: Array) -> float:
    """Return by how much the share of positive decisions differs between two answers to the same
    rows: turns in both directions come from drawing alone.
    """
    return float(abs(now.mean() - then.mean()))
