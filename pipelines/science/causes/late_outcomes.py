"""A clock that is off by an hour or so, seen at the answers: they are wrong where the day changes.

The rhythm of inputs may be too weak to show an hour, while a model that knows the hour is wrong in
a pattern of its own: where its answers rise or fall within the day, and not elsewhere. A row whose
time is late by s was answered for another hour. With d the difference between the past's mean
answers of the two hours, and a past error of e to either side, an error of max(e, |d|) is to be
expected of it, since (|e + d| + |e - d|) / 2 is that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.causes.cause import Break
from pipelines.science.causes.following import outcomes_of
from pipelines.science.causes.seasons import is_weekend
from pipelines.science.causes.summer import is_of_other_season

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.science.causes.view import View
    from pipelines.science.changes.facts import Sample

    Array = NDArray[Any]
    _Fit = tuple[int, float]
    """By how many hours the window's times are late, and what part of the difference that leaves.
    """

_HOURS = 24
_MOST = 2
"""Hours up to which a clock is looked for here; a greater shift shows in the inputs' rhythm."""
_LEAST_CELLS = 24
_LEAST_ROWS = 5
"""Rows of an hour of working days or of weekends on both sides without which it is left out."""
_OF_SAME, _OF_MORE = 0.9, 0.9
"""The part of the squared difference in errors that a shift leaves at most: of what is there
without it, and of what is left where every error is but greater by one factor and one amount."""


def find_late_outcomes(view: View, strength: float) -> Break | None:
    """Return the sign that the window's answers are wrong as those of another hour are; else None.

    Both sides need times, and of each row a number as the answer and an absolute or a squared loss:
    errors of probabilities are of another form.
    """
    sides = view.window, view.reference
    if any(s.times is None or s.predictions is None or s.losses is None for s in sides):
        return None
    found = [fit for fit in (_fit(*errors) for errors in _all_errors(*sides)) if fit is not None]
    if not found:
        return None
    hours, left = min(found, key=lambda fit: fit[1])
    if abs(hours) == 1 and is_of_other_season(*(b.days for b in view.blocks)):
        return None  # Summer time, of answers that know the hour in UTC
    words = (
        "answers are as wrong in each hour of the day as those of another hour would be, once the"
        f" times are set {abs(hours)} hour{'s' * (abs(hours) > 1)}"
        f" {'back' if hours > 0 else 'forward'}; {left:.0%} of the difference is left then"
    )
    return Break("clock", [], words, strength)


def _all_errors(window: Sample, past: Sample) -> list[tuple[Array, ...]]:
    """Return what `_fit` needs; again for losses that are squares."""
    sides = []
    for sample in (window, past):
        assert sample.losses is not None  # noqa: S101 -- asked before
        assert sample.predictions is not None  # noqa: S101
        if sample.predictions.dtype == object or outcomes_of(sample) is not None:
            return []
        known = np.isfinite(sample.losses) & np.isfinite(sample.predictions)
        hours = _cells(sample.times)
        sides.append((hours[known], sample.predictions[known], sample.losses[known]))
    (now, _, errors), (then, answers, before) = sides
    roots = (np.sqrt(np.maximum(e, 0.0)) for e in (errors, before))
    return [(now, e, then, answers, f) for e, f in ((errors, before), roots)]


def _cells(times: Any) -> Array:
    """Return the hour (n,) of the day, that of a weekend beyond those of working days."""
    hours = (times - times.astype("datetime64[D]")).astype("timedelta64[h]").astype(np.int64)
    return np.asarray(hours + _HOURS * is_weekend(times))


def _fit(now: Array, errors: Array, then: Array, answers: Array, before: Array) -> _Fit | None:
    """Return the shift that explains the errors best; None without one.

    `now` are the cells (n,) of the window's rows and `errors` theirs; `then` (m,), `answers` and
    `before` the cells, answers and errors of the past.
    """
    cells = 2 * _HOURS
    mine, theirs = (np.bincount(c, minlength=cells) for c in (now, then))
    used = (mine >= _LEAST_ROWS) & (theirs >= _LEAST_ROWS)
    if used.sum() < _LEAST_CELLS:
        return None
    seen = np.bincount(now, weights=errors, minlength=cells) / np.maximum(mine, 1)
    spread = np.bincount(now, weights=(errors - seen[now]) ** 2, minlength=cells)
    weight = np.where(used, mine**2 / np.maximum(spread, 1e-12), 0.0)
    level = np.bincount(then, weights=answers, minlength=cells) / np.maximum(theirs, 1)
    costs = {}
    for shift in range(-_MOST, _MOST + 1):
        # Of a row that says h the true hour is h - shift.
        true = (np.arange(cells) % _HOURS - shift) % _HOURS + _HOURS * (np.arange(cells) // _HOURS)
        at = (then % _HOURS + shift) % _HOURS + _HOURS * (then // _HOURS)
        away = np.abs(level[true] - level)[at]
        sums = np.bincount(at, weights=np.maximum(before, away), minlength=cells)
        expected = sums / np.maximum(np.bincount(at, minlength=cells), 1)
        costs[shift] = float((weight * (seen - expected) ** 2).sum())
        if shift == 0:
            same = expected
    best = min(costs, key=lambda s: costs[s])
    left = costs[best] / max(costs[0], 1e-12)
    of_more = costs[best] / max(_more(seen, same, weight), 1e-12)
    return None if best == 0 or left > _OF_SAME or of_more > _OF_MORE else (best, left)


def _more(seen: Array, same: Array, weight: Array) -> float:
    """Return the squared difference that a factor and an amount for all hours leave."""
    root = np.sqrt(weight)
    both = np.column_stack([same, np.ones(len(same))]) * root[:, None]
    solved, *_ = np.linalg.lstsq(both, seen * root, rcond=None)
    return float(((seen * root - both @ solved) ** 2).sum())
