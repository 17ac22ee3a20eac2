"""What is measured on labels: by how much the mean loss, and the mean of a claim, has changed."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.plurals import how_many
from pipelines.science.changes.facts import ColumnChange
from pipelines.science.claim_words import tell_claim
from pipelines.science.effects.alike_days import (
    cut_days,
    exponent_of,
    reach_of_means,
)
from pipelines.science.effects.effect import Expected
from pipelines.verdicts.explanations import UNKNOWN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.science.causes.view import View
    from pipelines.science.changes.facts import Claim

    Array = NDArray[Any]

INTERVAL = "95% interval, by days as alike as they may be"
_CONFIDENCE = 0.95
_LEAST_ROWS, _LEAST_DAYS = 30, 2
_OF_SHARES = frozenset({"bias", "surest", "coverage"})
"""Claims whose change is one of a share, which can be held against what is tolerated of it."""


def measure_loss(view: View) -> Expected | None:
    """Return the loss of the window's labelled rows; None where it has too few."""
    own, past = view.window.losses, view.reference.losses
    return None if own is None or past is None else measure_change(view, own, past)


def measure_claims(view: View, tolerated: float) -> list[tuple[str, str]]:
    """Return of each claim of a share what follows from its change, and that in words.

    It matters where the interval of the change, by whole days, lies beyond `tolerated` as a share.
    "" follows where a side has too few days for an interval.
    """
    past = {(c.method, c.name): c for c in view.reference.claims}
    found = []
    for claim in view.window.claims:
        other = past.get((claim.method, claim.name))
        if claim.method not in _OF_SHARES or other is None:
            continue
        change = measure_change(view, claim.values, other.values)
        if change is not None:
            found.append(_tell(claim, change, tolerated))
    return found


def _tell(claim: Claim, change: Expected, tolerated: float) -> tuple[str, str]:
    beyond = change.low > tolerated or change.high < -tolerated
    within = max(abs(change.low), abs(change.high)) <= tolerated
    told = tell_claim(
        ColumnChange(
            claim.name,
            claim.method,
            change.change,
            None,
            None,
            changed=beyond and not change.untold,
            now=change.now,
            before=change.before,
            nominal=claim.nominal,
        )
    )
    if change.untold:
        words = f"{told}: {UNKNOWN}: {change.untold}"
        return "cannot_be_said" if has_interval(change) else "", words
    ends = f"from {change.low:+.1%} to {change.high:+.1%} ({INTERVAL})"
    words = f"{told}: a change {ends}, where {tolerated:.0%} is tolerated"
    return ("matters" if beyond else "nothing_follows" if within else "cannot_be_said"), words


def has_interval(change: Expected) -> bool:
    """Tell whether there are days enough for an interval, whatever it says."""
    return change.high < inf


def measure_change(view: View, own: Array, past: Array) -> Expected | None:
    """Return how the mean of rows' values has changed; None where too few rows are known.

    A side of one day does not say how days differ: `untold` says so, and the interval has no ends.

    `own` (window rows,) and `past` (reference rows,) are NaN where it is not known.
    """
    rows, others = np.isfinite(own), np.isfinite(past)
    if rows.sum() < _LEAST_ROWS or others.sum() < _LEAST_ROWS:
        return None
    exponent = exponent_of(own[rows], past[others])
    own, past = np.ldexp(own, -exponent), np.ldexp(past, -exponent)
    now_days, past_days = (
        cut_days(values, known, blocks, timed=side.times is not None)
        for values, known, blocks, side in (
            (own, rows, view.blocks[0], view.window),
            (past, others, view.blocks[1], view.reference),
        )
    )
    before, now = float(past[others].mean()), float(own[rows].mean())
    change, count = now - before, float(rows.sum())
    for days, side in ((now_days, "the window"), (past_days, "the past")):
        if len(days.values) < _LEAST_DAYS:
            few = how_many(len(days.values), "day")
            untold = f"labels of {side} are of {few}, which does not say how days differ"
            return Expected(before, now, change, -inf, inf, count, untold).scale(exponent)
    chance = reach_of_means(now_days, past_days, confidence=_CONFIDENCE)
    ends = change - chance.reach, change + chance.reach
    return Expected(before, now, change, *ends, count, chance.untold).scale(exponent)
