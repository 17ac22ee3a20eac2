"""A value that stands for "not known": -999 among temperatures, -1 among distances.

Nobody has seen it before, it lies where no value can be, and many rows repeat it exactly. That no
mix of rows does, so a few rows are a sure sign.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.causes.cause import Break
from pipelines.science.causes.seasons import is_later_in_calendar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pipelines.science.causes.view import View

    Array = NDArray[Any]

_LEAST_SHARE, _LEAST_ROWS = 0.03, 20
"""Rows that must hold the value: this share of them, and so many."""
_FAR = 0.5
"""How far it lies beyond the reference's values, by their range..."""
_STEPS = 2.0
"""...and by the greatest step between two of them: after the seasons 1 and 2 comes 3, which nobody
filled in..."""
_ALONE = 0.9
"""...and this share of all rows beyond them must hold it: others would be other rows' values."""
_MOST_DAYS = 0.6
"""The share of the window's days on which it must be seen."""


def find_sentinels(view: View) -> Iterator[Break]:
    """Give each column in which a value is filled in that no row could have."""
    for name in view.numbers:
        found = _sentinel(view.window.columns[name], view.reference.columns[name])
        if found is None:
            continue
        value, rows, low, high = found
        if is_later_in_calendar(view, name, value):
            continue
        own = view.blocks[0]
        if len(np.unique(own.ids[rows])) < _MOST_DAYS * own.count:
            continue
        share = float(rows.mean())
        words = (
            f"{name}: {share:.1%} of the rows have the value {value:g}, which training never had:"
            f" its values lie between {low:g} and {high:g}"
        )
        yield Break("one_value", [name], words, share, is_sure=True)


def _sentinel(values: Array, past: Array) -> tuple[float, Array, float, float] | None:
    """Return the value, the rows (n,) that have it, and the ends of what training had."""
    known = past[np.isfinite(past)]
    if len(known) < _LEAST_ROWS:
        return None
    low, high = float(known.min()), float(known.max())
    reach = _FAR * (high - low)
    if len(steps := np.diff(np.unique(known))):
        reach = max(reach, _STEPS * float(steps.max()))
    for beyond in (values < low, values > high):
        distinct, counts = np.unique(values[beyond], return_counts=True)
        if not len(distinct):
            continue
        value, count = float(distinct[counts.argmax()]), int(counts.max())
        far = value < low - reach or value > high + reach or (value < 0 <= low)
        many = count >= max(_LEAST_ROWS, _LEAST_SHARE * len(values))
        if far and many and count >= _ALONE * int(beyond.sum()) and high > low:
            return value, values == value, low, high
    return None
