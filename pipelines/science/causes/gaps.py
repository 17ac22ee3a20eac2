"""Values that went missing: in one column, or in several of the same rows at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.causes.blocks import draw_like
from pipelines.science.causes.cause import Break
from pipelines.science.causes.cells import MISSING
from pipelines.science.causes.shift import measure_shift

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pipelines.science.causes.view import View

    Array = NDArray[Any]

_MORE = 0.04
_SURE = 1e-4
_DRAWS, _TIMES = 40, 1.5
_TOGETHER = 0.8
"""The share of the rows that miss one value or the other which must miss both."""


def find_gaps(view: View) -> Iterator[Break]:
    """Give what shows that values are gone: a burst of nulls, or a source that gives nothing."""
    gone = {}
    drawn: list[Array] = []
    for name in view.names:
        missing = view.codes[name][0] == MISSING
        before = view.codes[name][1] == MISSING
        shift = measure_shift(
            missing.astype(np.int64), before.astype(np.int64), 2, blocks=view.blocks
        )
        more = float(missing.mean() - before.mean())
        if more > _MORE and shift.p_value < _SURE:
            # Gaps come in heaps: as many days of the past, drawn several times, must have less.
            drawn = drawn or draw_like(*view.blocks, _DRAWS, 0)
            if missing.mean() < _TIMES * max(before[rows].mean() for rows in drawn):
                continue
            gone[name] = (missing, more, float(before.mean()))
    for group in _groups(gone):
        more = max(gone[n][1] for n in group)
        shares = ", ".join(
            f"{n} {gone[n][0].mean():.1%} (in training {gone[n][2]:.1%})" for n in group
        )
        if len(group) > 1:
            words = f"the same rows miss {len(group)} columns at once: {shares}"
            # Several columns that fail as one are one fault, and the stronger sign of it.
            yield Break("source_gone", group, words, min(1.0, more + 0.1))
        else:
            yield Break("nulls", group, f"values are missing: {shares}", more)


def _groups(gone: dict[str, tuple[Array, float, float]]) -> list[list[str]]:
    """Return the columns that miss values in the same rows, the largest group first."""
    groups: list[list[str]] = []
    for name, (missing, _, _) in gone.items():
        for group in groups:
            other = gone[group[0]][0]
            either = int((missing | other).sum())
            if either and int((missing & other).sum()) >= _TOGETHER * either:
                group.append(name)
                break
        else:
            groups.append([name])
    return sorted(groups, key=len, reverse=True)
