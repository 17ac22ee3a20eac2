"""Times that are set wrong: the rhythm of the day came earlier or later than before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.causes.blocks import block_rows
from pipelines.science.causes.cause import Break
from pipelines.science.causes.seasons import how_far_season, same_season
from pipelines.science.causes.view import pick

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pipelines.science.causes.blocks import Blocks
    from pipelines.science.causes.view import View
    from pipelines.science.changes.facts import Sample

    Array = NDArray[Any]
    _Side = tuple[Sample, Array, Blocks]

_SLOTS = 48
"""Half hours of a day."""
_PER_HOUR = 2
_LEAST_DAYS = 4
_GAIN = 30.0
"""How much less the squared standard errors over the day must be at the better shift..."""
_LEFT = 0.6
_OF_TIME = 0.02
"""A column of which the time of day leaves this part of the variance at most is made from it."""
_SEASONAL = 0.3
_DRAWS, _TIMES = 20, 2.0
"""How often days of the reference are drawn, and how many times their gain is not enough."""
_STRENGTH = 0.05
"""A rhythm may move by what else is broken: any other sign comes before this one."""
"""...and which part of them may be left."""


def find_clock(view: View, seed: int) -> Iterator[Break]:
    """Give what shows that the clock or the time zone of the window is another one.

    For every shift by half hours the window's rhythm of the day, of the number of rows and of each
    column's mean, is held against that of the reference's days of the same season; each half hour's
    error is that of whole days. As the hours of a day are alike, the gain must be greater than that
    of as many days of the reference itself, drawn several times.
    """
    if view.window.times is None or view.reference.times is None:
        return
    seasonal = same_season(view) if how_far_season(view) > _SEASONAL else None
    past = view.reference if seasonal is None else pick(view.reference, seasonal)
    days = block_rows(past.times, past.rows)
    if view.blocks[0].count < _LEAST_DAYS or days.count < 2 * _LEAST_DAYS:
        return
    found = _gain(view.window, past, view.numbers)
    if found is None or found.gain < _GAIN or found.left > _LEFT:
        return
    if abs(found.shift) == _PER_HOUR:
        return  # People set their clocks so in spring and autumn, and times in UTC show it
    rng = np.random.default_rng(seed)
    count = min(view.blocks[0].count, days.count // 2)
    for _ in range(_DRAWS):
        chosen = np.isin(days.ids, rng.choice(days.count, count, replace=False))
        usual = _gain(pick(past, chosen), pick(past, ~chosen), view.numbers)
        if usual is not None and _TIMES * usual.gain > found.gain:
            return
    name, hours = found.name, found.shift / _PER_HOUR
    what = f"the rhythm of {name} over the day" if name else "when in the day rows come"
    words = (
        f"{what} fits that of training once the times are set {abs(hours):g} hours"
        f" {'back' if hours > 0 else 'forward'}; {found.left:.0%} of the difference is left then"
    )
    yield Break("clock", [name] if name else [], words, _STRENGTH)


@dataclass(frozen=True)
class _Gain:
    """The shift in half hours that fits best, what it gains, what part of the difference it leaves,
    and the column ("" for the number of rows) that it gains most of.
    """

    shift: int
    gain: float
    left: float
    name: str


def _gain(window: Sample, past: Sample, names: list[str]) -> _Gain | None:
    """Return which shift of the window fits the past best; None where neither has a rhythm."""
    sides = [(s, _slots(s.times), block_rows(s.times, s.rows)) for s in (window, past)]
    if len(np.unique(sides[1][1])) <= 2:  # noqa: PLR2004 -- hours of which the data know nothing
        return None
    found = {n: _costs(n, *sides) for n in ["", *names]}
    costs = {n: c for n, c in found.items() if c is not None}
    total = sum(costs.values(), np.zeros(_SLOTS))
    here, best = float(total[_SLOTS // 2]), int(np.argmin(total))
    gain = here - float(total[best])
    if not costs or not np.isfinite(gain):
        return None
    name = min(costs, key=lambda n: costs[n][best] - costs[n][_SLOTS // 2])
    return _Gain(best - _SLOTS // 2, gain, float(total[best]) / max(here, 1e-12), name)


def _slots(times: Any) -> Array:
    within = (times - times.astype("datetime64[D]")).astype("timedelta64[m]").astype(np.int64)
    return np.asarray(within * _SLOTS // 1440)


def _costs(name: str, window: _Side, reference: _Side) -> Array | None:
    """Return how far the rhythms are apart (48,) for each shift by half hours from -12 hours on, in
    squared standard errors; None of a column that is made from the time itself.
    """
    (now, mine), (then, theirs) = (
        _profile(sample.columns[name], slots, blocks) if name else _count_rows(slots, blocks)
        for sample, slots, blocks in (window, reference)
    )
    if name and _is_of_time(reference[0].columns[name], reference[1]):
        return None
    costs = np.full(_SLOTS, np.inf)
    for place, shift in enumerate(range(-_SLOTS // 2, _SLOTS // 2)):
        moved = np.roll(now, -shift)
        error = np.roll(mine, -shift) + theirs
        both = np.isfinite(moved) & np.isfinite(then) & (error > 0)
        if name and both.sum() < 0.5 * np.isfinite(then).sum():
            continue
        away = (moved - then)[both]
        if name:
            weight = 1 / error[both]
            away = away - (away * weight).sum() / weight.sum()
        costs[place] = float((away**2 / error[both]).mean() * 24) if both.any() else np.inf
    return costs if np.isfinite(costs[_SLOTS // 2]) else None


def _is_of_time(values: Array, slots: Array) -> bool:
    """Tell whether a column hardly varies but with the time of day: it moves with the clock."""
    known = np.isfinite(values)
    total = float(np.var(values[known])) if known.any() else 0.0
    sums = np.bincount(slots[known], weights=values[known], minlength=_SLOTS)
    level = sums / np.maximum(np.bincount(slots[known], minlength=_SLOTS), 1)
    left = float(np.mean((values[known] - level[slots[known]]) ** 2)) if known.any() else 0.0
    return left <= _OF_TIME * total


def _profile(values: Array, slots: Array, blocks: Blocks) -> tuple[Array, Array]:
    """Return the mean of a column in each half hour (48,), without its day's level, and its squared
    standard error; NaN where no row is.
    """
    known = np.isfinite(values)
    ids, values, slots = blocks.ids[known], values[known], slots[known]
    rows = np.bincount(ids, minlength=blocks.count)
    level = np.bincount(ids, weights=values, minlength=blocks.count) / np.maximum(rows, 1)
    away = values - level[ids]
    count = np.bincount(slots, minlength=_SLOTS).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(slots, weights=away, minlength=_SLOTS) / count
        left = (away - mean[slots]) ** 2
        variance = np.bincount(slots, weights=left, minlength=_SLOTS) / count
        # Rows of one half hour of one day are taken for one: they are alike.
        error = variance / np.minimum(count, blocks.count)
    return mean, np.where(count > 1, error, np.nan)


def _count_rows(slots: Array, blocks: Blocks) -> tuple[Array, Array]:
    """Return the share of rows in each half hour (48,), and its squared standard error."""
    tally = blocks.tally(slots, _SLOTS)
    sizes = tally.sum(axis=1)
    share = tally.sum(axis=0) / sizes.sum()
    residuals = (tally - share * sizes[:, None]) / sizes.mean()
    floor = (share * (1 - share) + 1e-6) / sizes.mean()
    return share, np.maximum((residuals**2).mean(axis=0), floor) / blocks.count
