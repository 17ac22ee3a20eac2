"""Times that are set wrong: the rhythm of the day came earlier or later than before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.causes.blocks import block_rows
from pipelines.science.causes.cause import Break
from pipelines.science.causes.seasons import how_far_season, same_season
from pipelines.science.causes.summer import is_of_other_season
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
_NEAR_AN_HOUR = 3
"""Half hours that a shift by an hour may look like."""
_LEAST_DAYS = 4
_GAIN = 30.0
"""How much less the squared standard errors over the day must be at the better shift..."""
_LEFT, _LEFT_BY_AN_HOUR = 0.75, 0.5
"""...and which part of them may be left, the second of a shift by an hour or so."""
_GAIN_ALONE, _LEFT_ALONE = 10.0, 0.6
"""The same where nothing has moved but what is made from the time."""
_AGAINST = 0.6
"""The part of the difference that a shift may leave of what a rhythm as strong as fits best does:
in other weather the day is warmer by more, and at the same hours."""
_FEW_HOURS = 10
"""Half hours up to which a weaker rhythm may look like a shift."""
_WEAKEST = 0.5
"""A rhythm of the same hours is made as weak as this, or as strong as the opposite."""
_CHANCE = 24.0
"""The squared standard errors over the day that chance alone makes of a column."""
_RHYTHM = 4.0
"""The squared standard errors of a half hour from the day's mean that a rhythm has, on average."""
_BORROWED = 10.0
"""A half hour's variance is that of its rows and of so many of the whole day."""
_OF_A_DAY = 0.5
"""The part of the median day's rows without which a day is left out."""
_OF_TIME = 0.02
"""A column of which the time of day leaves this part of the variance at most is made from it."""
_SEASONAL = 0.3
_DRAWS, _TIMES = 20, 2.0
"""How often days of the reference are drawn, and how many times their gain is not enough."""
STRENGTH = 0.05
"""A rhythm may move by what else is broken: any other sign comes before this one."""


def find_clock(view: View, seed: int, *, is_alone: bool = False) -> Iterator[Break]:
    """Give what shows that the clock or the time zone of the window is another one.

    For every shift by half hours the window's rhythm of the day, of the number of rows and of each
    column's mean, is held against that of the reference's days of the same season; each half hour's
    error is that of whole days. As the hours of a day are alike, the gain must be greater than that
    of as many days of the reference itself, drawn several times.

    `is_alone` says that nothing else has moved, so that less of a gain is enough.
    """
    if view.window.times is None or view.reference.times is None:
        return
    seasonal = same_season(view) if how_far_season(view) > _SEASONAL else None
    past = view.reference if seasonal is None else pick(view.reference, seasonal)
    days = block_rows(past.times, past.rows)
    if view.blocks[0].count < _LEAST_DAYS or days.count < 2 * _LEAST_DAYS:
        return
    found = _gain(view.window, past, view.numbers)
    if found is None or not _explains(found, is_alone=is_alone):
        return
    if abs(found.shift) <= _NEAR_AN_HOUR and is_of_other_season(view.blocks[0].days, days.days):
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
        f"{what} fits that of training once the times are set {abs(hours):g}"
        f" hour{'s' * (abs(hours) != 1)} {'back' if hours > 0 else 'forward'}; {found.left:.0%} of"
        " the difference is left then"
    )
    yield Break("clock", [name] if name else [], words, STRENGTH)


@dataclass(frozen=True)
class _Gain:
    """The shift in half hours that fits best, what it gains, what part of the difference it leaves
    (`against` of what is left of a rhythm that is but stronger or weaker), and the column ("" for
    the number of rows) that it gains most of.
    """

    shift: int
    gain: float
    left: float
    against: float
    name: str


def _explains(found: _Gain, *, is_alone: bool) -> bool:
    """Tell whether a shift explains enough, and more than a stronger or weaker rhythm does."""
    left = _LEFT_BY_AN_HOUR if abs(found.shift) <= _NEAR_AN_HOUR else _LEFT
    least, most = (_GAIN_ALONE, _LEFT_ALONE) if is_alone else (_GAIN, left)
    is_beyond = abs(found.shift) > _FEW_HOURS or found.against <= _AGAINST
    return found.gain >= least and found.left <= most and is_beyond


def _gain(window: Sample, past: Sample, names: list[str]) -> _Gain | None:
    """Return which shift of the window fits the past best; None where neither has a rhythm."""
    sides = [(s, _slots(s.times), block_rows(s.times, s.rows)) for s in (window, past)]
    if len(np.unique(sides[1][1])) <= 2:  # noqa: PLR2004 -- hours of which the data know nothing
        return None
    found = {n: _costs(n, *sides) for n in ["", *names]}
    costs = {n: c[0] for n, c in found.items() if c is not None}
    stronger = sum(c[1] for c in found.values() if c is not None)
    total = sum(costs.values(), np.zeros(_SLOTS))
    here, best = float(total[_SLOTS // 2]), int(np.argmin(total))
    gain = here - float(total[best])
    if not costs or not np.isfinite(gain):
        return None
    name = min(costs, key=lambda n: costs[n][best] - costs[n][_SLOTS // 2])
    # The squared errors that chance alone leaves are no difference that a shift could take away.
    chance = _CHANCE * len(costs)
    left = max(float(total[best]) - chance, 0.0) / max(here - chance, 1e-12)
    against = float(total[best] / max(stronger, 1e-12))
    return _Gain(best - _SLOTS // 2, gain, left, against, name)


def _slots(times: Any) -> Array:
    within = (times - times.astype("datetime64[D]")).astype("timedelta64[m]").astype(np.int64)
    return np.asarray(within * _SLOTS // 1440)


def _costs(name: str, window: _Side, reference: _Side) -> tuple[Array, float] | None:
    """Return how far the rhythms are apart (48,) for each shift by half hours from -12 hours on, in
    squared standard errors, and how far without a shift where the past's rhythm may be stronger or
    weaker; None of a column without a rhythm, or made from the time itself.
    """
    (now, mine), (then, theirs) = (
        find_profile(sample.columns[name], slots, blocks) if name else _count_rows(slots, blocks)
        for sample, slots, blocks in (window, reference)
    )
    if name and _is_of_time(reference[0].columns[name], reference[1]):
        return None
    # What has no rhythm of its own says nothing of the clock, and is but noise.
    if name and not _has_rhythm(then, theirs):
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
        costs[place] = float((away**2 / error[both]).mean() * _CHANCE) if both.any() else np.inf
    here = float(costs[_SLOTS // 2])
    if not np.isfinite(here):
        return None
    return costs, _stronger(now, then, mine + theirs) if name else here


def _stronger(now: Array, then: Array, error: Array) -> float:
    """Return how far the rhythms are apart once the past's is made so much stronger or weaker that
    they fit best.
    """
    both = np.isfinite(now) & np.isfinite(then) & (error > 0)
    weight = 1 / error[both]
    a, b = (v[both] - (v[both] * weight).sum() / weight.sum() for v in (now, then))
    factor = float((a * b * weight).sum() / max((b * b * weight).sum(), 1e-12))
    factor = min(max(factor, _WEAKEST), 1 / _WEAKEST)
    return float(((a - factor * b) ** 2 * weight).mean() * _CHANCE)


def _has_rhythm(profile: Array, error: Array) -> bool:
    """Tell whether half hours (48,) differ by more than chance makes of them."""
    known = np.isfinite(profile) & (error > 0)
    return bool(known.any()) and float((profile[known] ** 2 / error[known]).mean()) > _RHYTHM


def _is_of_time(values: Array, slots: Array) -> bool:
    """Tell whether a column hardly varies but with the time of day: it moves with the clock."""
    known = np.isfinite(values)
    total = float(np.var(values[known])) if known.any() else 0.0
    sums = np.bincount(slots[known], weights=values[known], minlength=_SLOTS)
    level = sums / np.maximum(np.bincount(slots[known], minlength=_SLOTS), 1)
    left = float(np.mean((values[known] - level[slots[known]]) ** 2)) if known.any() else 0.0
    return left <= _OF_TIME * total


def find_profile(values: Array, slots: Array, blocks: Blocks) -> tuple[Array, Array]:
    """Return the mean of a column in each half hour (48,), without its day's level, and its squared
    standard error; NaN where no row is.
    """
    known = np.isfinite(values)
    rows = np.bincount(blocks.ids[known], minlength=blocks.count)
    # Of the first or the last hours of a day its level is not told.
    known &= (rows >= _OF_A_DAY * np.median(rows))[blocks.ids]
    ids, values, slots = blocks.ids[known], values[known], slots[known]
    rows = np.bincount(ids, minlength=blocks.count)
    level = np.bincount(ids, weights=values, minlength=blocks.count) / np.maximum(rows, 1)
    away = values - level[ids]
    count = np.bincount(slots, minlength=_SLOTS).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(slots, weights=away, minlength=_SLOTS) / count
        left = (away - mean[slots]) ** 2
        # A few rows that are alike by chance, at the ends of a day, are not known exactly.
        borrowed = _BORROWED * (left.mean() if len(left) else 0.0)
        variance = np.bincount(slots, weights=left, minlength=_SLOTS) + borrowed
        variance /= count + _BORROWED
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
