"""What the loss is expected to be on the window's rows, before a label of theirs is known.

The reference's labelled rows are weighted by the odds of a domain classifier (importance weighting:
Shimodaira, 2000, Journal of Statistical Planning and Inference 90; Sugiyama, Krauledat & Müller,
2007, "Covariate Shift Adaptation by Importance Weighted Cross Validation", Journal of Machine
Learning Research 8). That holds as long as the same rows have the same outcomes: a changed concept
is not seen before labels arrive. The interval is by whole days of the reference, left out one by
one, which may be alike. The classifier is held back, and sees a part of a shift only: half of what
the weights may make of the loss counts as their error, on the side where the rest of it lies.
`benchmarks/effects.py` measures how often it holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from pipelines.science.causes.weights import effective_rows
from pipelines.science.effects.alike_days import (
    Days,
    exponent_of,
    reach_of_means,
)
from pipelines.science.effects.effect import Expected

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.science.causes.view import View

    Array = NDArray[Any]

LEAST_ROWS, LEAST_DAYS = 50, 5
"""Labelled rows, weighted, and days of them, without which nothing is said."""
DOUBT = 0.5
"""As so large a part of what the weights make of the loss their own error is taken."""
_UNKNOWN = 0.1
"""The share of the window's rows that are beyond all that the reference has, at most."""


def expect_loss(view: View, weights: Array, *, confidence: float = 0.95) -> Expected | None:
    """Return the loss that is expected of the window's rows; None where no loss is known.

    `weights` (reference rows,) are those by which they resemble the window's.
    """
    losses = view.reference.losses
    if losses is None or not np.isfinite(losses).any():
        return None
    known = np.isfinite(losses)
    exponent = exponent_of(losses[known])
    loss, weight = np.ldexp(losses[known], -exponent), weights[known]
    before, now = float(loss.mean()), float((weight * loss).sum() / weight.sum())
    rows = effective_rows(weight)
    change = now - before
    days = _influences(loss, weight, view, known)
    untold = why_untold(view, rows, len(days.values))
    if len(days.values) < LEAST_DAYS:
        ends = -float("inf"), float("inf")
        return Expected(before, now, change, *ends, rows, untold).scale(exponent)
    chance = reach_of_means(days, confidence=confidence)
    untold = untold or chance.untold
    far = float(stats.t.ppf((1 + confidence) / 2, len(days.values) - 1))
    inwards = chance.reach
    outwards = float(np.hypot(inwards, DOUBT * (far * abs(change) + inwards)))
    below, above = (inwards, outwards) if change > 0 else (outwards, inwards)
    ends = change - below, change + above
    return Expected(before, now, change, *ends, rows, untold).scale(exponent)


def _influences(loss: Array, weight: Array, view: View, known: Array) -> Days:
    """Return what each day of the past makes of the change, by leaving it out (the jackknife)."""
    blocks = view.blocks[1]

    def by_day(values: Array) -> Array:
        return np.bincount(blocks.ids[known], weights=values, minlength=blocks.count)

    weighted, weights = by_day(weight * loss), by_day(weight)
    plain, counts = by_day(loss), by_day(np.ones(len(loss)))
    with np.errstate(invalid="ignore", divide="ignore"):
        without = (weighted.sum() - weighted) / (weights.sum() - weights) - (
            plain.sum() - plain
        ) / (counts.sum() - counts)
    there = (counts > 0) & np.isfinite(without)
    without = without[there]
    gaps = None
    if view.reference.times is not None:
        gaps = np.diff(blocks.days[there].astype(np.int64))
    return Days((len(without) - 1) * (without.mean() - without), gaps)


def why_untold(view: View, rows: float, days: int) -> str:
    """Return why rows of the reference tell nothing of the window's; "" where they do.

    `rows` are as many as the weighted ones tell, `days` those that they are of.
    """
    if rows < LEAST_ROWS:
        return (
            f"rows like the window's are rare in the reference: its labelled ones tell as much as"
            f" {rows:.0f}, and {LEAST_ROWS} are needed"
        )
    if days < LEAST_DAYS:
        return f"the reference's labels are of {days} days, and {LEAST_DAYS} are needed"
    share, name = beyond(view)
    if share > _UNKNOWN:
        return (
            f"{share:.1%} of the window's rows are, in {name}, beyond all that the reference has:"
            " no row of it tells how wrong they are"
        )
    return ""


def beyond(view: View) -> tuple[float, str]:
    """Return the greatest share of the window's rows that no reference row resembles in a column,
    and that column.
    """
    shares = {}
    for name in view.names:
        cells = view.cells[name]
        places = [cells.unseen] if cells.edges is None else [1, cells.count - 1]
        if not (view.codes[name][1] == 0).any():
            places.append(0)
        shares[name] = float(np.isin(view.codes[name][0], places).mean())
    name = max(shares, key=lambda n: shares[n], default="")
    return (shares[name], name) if name else (0.0, "")
