"""One value where many were: a sensor that froze, or a default that was filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.causes.blocks import block_rows, draw_like
from pipelines.science.causes.cause import Break
from pipelines.science.causes.seasons import is_later_in_calendar, is_of_calendar, same_kind_of_day
from pipelines.science.causes.shift import measure_shift

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pipelines.science.causes.view import View

    Array = NDArray[Any]

_MORE = 0.08
"""One value has this much more of the window's rows than of the reference's..."""
_MUCH_MORE = 0.25
"""...or by this much where the reference knows the value, as a price of the season is known..."""
_MORE_OF_RARE, _HARDLY_KNOWN = 0.12, 50.0
"""...or by this much where it was rarer by this factor, as one value of thousands is..."""
_RARER = 4.0
"""...and then it was rarer by this factor before, or all rows have it..."""
_SURE = 1e-4
"""...which by the spread of days has this probability at most."""
_USUAL = 0.4
"""A value that had this share of the rows before is no sign where it has more."""
_MOST_DAYS = 0.6
"""The share of the window's days on which a value that is filled in must be seen."""
_ALL = 0.97
"""The share of rows in a stretch that one value must hold to be called frozen."""
_LEAST_RUN = 20
_DRAWS = 12


def find_stuck(view: View) -> Iterator[Break]:
    """Give what shows that one value stands where many were."""
    for name in view.numbers:
        found = _spike(view, name)
        if found is None:
            continue
        value, now, before = found
        if is_later_in_calendar(view, name, value) or _is_of_own_times(view, name):
            continue
        start = _frozen_from(view, name, value)
        if start is not None:
            moment, share = start
            words = (
                f"{name}: every value is {value:g}{moment}, in {share:.0%} of the window's rows;"
                f" {before:.1%} of the rows of training have it, and in no stretch"
            )
            yield Break("frozen", [name], words, now - before)
            continue
        if _days_with(view, name, value) < _MOST_DAYS:
            continue  # a heap of a few days
        words = (
            f"{name}: {now:.1%} of the rows have the value {value:g}, and {before:.1%} in training;"
            " the others are as spread as ever"
        )
        # A value that was known before may come of rounding or of other rows: a weaker sign.
        yield Break("one_value", [name], words, (now - before) * (0.5 if before else 1.0))


def _spike(view: View, name: str) -> tuple[float, float, float] | None:
    """Return the value that has gained most, with its shares now and before; None without one."""
    values, past = view.window.columns[name], view.reference.columns[name]
    known, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    if not len(known):
        return None
    old, often = np.unique(past[~np.isnan(past)], return_counts=True)
    before = np.zeros(len(known))
    place = np.searchsorted(old, known)
    same = (place < len(old)) & (old[np.minimum(place, len(old) - 1)] == known)
    before[same] = often[place[same]] / len(past)
    gained = counts / len(values) - before
    best = int(np.argmax(gained))
    value = float(known[best])
    least = _MUCH_MORE if before[best] > 0 else _MORE
    if 0 < before[best] * _HARDLY_KNOWN <= counts[best] / len(values):
        least = _MORE_OF_RARE
    if gained[best] < least or before[best] > _USUAL:
        return None
    is_rare = before[best] * _RARER <= counts[best] / len(values)
    whole = counts[best] >= _ALL * np.isfinite(values).sum()
    if not is_rare and not whole:
        return None
    has = (values == value).astype(np.int64), (past == value).astype(np.int64)
    if measure_shift(*has, 2, blocks=view.blocks).p_value > _SURE:
        return None
    if gained[best] < _usual_gain(view, past, is_new=before[best] == 0) + _MORE:
        return None
    # Of a column of few values more of one is a mix of rows, unless nobody has seen the value.
    few = len(old) < 20 and before[best] > 0  # noqa: PLR2004
    return None if few and gained[best] < 1 - before[best] - 0.02 else (
        value, float(counts[best] / len(values)), float(before[best])
    )  # fmt: skip


def _usual_gain(view: View, past: Array, *, is_new: bool) -> float:
    """Return by how much a value has more of as many days of the reference, drawn several times,
    than of all of it: a column that is the same for hours or days has a great gain, one of which a
    third is always the same value has none. `is_new`: a value that no other day has.
    """
    gains = [0.0]
    values, place = np.unique(past, return_inverse=True)
    is_known = ~np.isnan(values)
    overall = np.bincount(place, minlength=len(values))[is_known]
    days = view.blocks[1]
    if view.window.times is not None and view.reference.times is not None:
        # On weekends alone a column of working days is one value, and so it was before.
        alike = same_kind_of_day(view.window.times, view.reference.times)
        place, days = place[alike], block_rows(view.reference.times[alike], int(alike.sum()))
    for rows in draw_like(view.blocks[0], days, _DRAWS, 0):
        drawn = np.bincount(place[rows], minlength=len(values))[is_known]
        if drawn.sum() < _LEAST_RUN:
            continue
        share = drawn / drawn.sum()
        if is_new:
            no_other_day_has = drawn == overall
            gains.append(float(share[no_other_day_has].max(initial=0.0)))
        else:
            gains.append(float((share - overall / overall.sum()).max()))
    return max(gains)


def _is_of_own_times(view: View, name: str) -> bool:
    """Tell whether the window's times make a column, as the hour of a wrong clock: it is not stuck,
    whatever hours those are.
    """
    values, times = view.window.columns[name], view.window.times
    return times is not None and np.nanmax(values) > np.nanmin(values) and is_of_calendar(
        values, times
    )  # fmt: skip


def _days_with(view: View, name: str, value: float) -> float:
    """Return the share of the window's days on which a value is seen."""
    own = view.blocks[0]
    return len(np.unique(own.ids[view.window.columns[name] == value])) / own.count


def _frozen_from(view: View, name: str, value: float) -> tuple[str, float] | None:
    """Return from when on a column holds one value only, in words, and the share of rows."""
    times = view.window.times
    if times is None:
        return None
    values = view.window.columns[name]
    order = np.argsort(times, kind="stable")
    ordered = values[order]
    has = ordered == value
    there = np.flatnonzero(has)
    known = np.flatnonzero(~np.isnan(ordered))
    # The longest stretch in which hardly another value is seen, from its ends inwards.
    first, last = there[0], there[-1]
    while first < last:
        inside = known[(known >= first) & (known <= last)]
        if has[inside].mean() >= _ALL:
            break
        later = there[there > first]
        middle = later[len(later) // 8] if len(later) > 8 else last  # noqa: PLR2004
        first = int(middle) if middle > first else last
    count = int(has[first : last + 1].sum())
    if count < _LEAST_RUN or count < 0.5 * len(there):
        return None
    distinct = np.unique(times[order[first : last + 1]])
    if len(distinct) < _LEAST_RUN // 4:
        return None
    moment = str(times[order[first]].astype("datetime64[m]")).replace("T", " ")
    return (f" from {moment} on" if first else ""), count / len(values)
