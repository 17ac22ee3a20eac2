"""What is measured on labels: by how much the mean loss, and the mean of a claim, has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from pipelines.science.causes.blocks import spread_of_means
from pipelines.science.changes.facts import ColumnChange
from pipelines.science.claim_words import tell_claim
from pipelines.science.effects.effect import Expected

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.science.causes.view import View
    from pipelines.science.changes.facts import Claim

    Array = NDArray[Any]

_LEAST_ROWS = 30
_OF_SHARES = frozenset({"bias", "surest", "coverage"})
"""Claims whose change is one of a share, which can be held against what is tolerated of it."""


def measure_loss(view: View) -> Expected | None:
    """Return the loss of the window's labelled rows; None where it has too few."""
    own, past = view.window.losses, view.reference.losses
    return None if own is None or past is None else _measure(view, own, past)


def measure_claims(view: View, tolerated: float) -> list[tuple[str, str]]:
    """Return of each claim of a share what follows from its change, and that in words.

    It matters where the interval of the change, by whole days, lies beyond `tolerated` as a share.
    """
    past = {(c.method, c.name): c for c in view.reference.claims}
    found = []
    for claim in view.window.claims:
        other = past.get((claim.method, claim.name))
        if claim.method not in _OF_SHARES or other is None:
            continue
        change = _measure(view, claim.values, other.values)
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
            changed=beyond,
            now=change.now,
            before=change.before,
            nominal=claim.nominal,
        )
    )
    ends = f"from {change.low:+.1%} to {change.high:+.1%} (95% interval, days taken as independent)"
    words = f"{told}: a change {ends}, where {tolerated:.0%} is tolerated"
    return ("matters" if beyond else "nothing_follows" if within else "cannot_be_said"), words


def _measure(view: View, own: Array, past: Array) -> Expected | None:
    """Return how the mean has changed, by whole days; None where too few rows are known."""
    rows, others = np.isfinite(own), np.isfinite(past)
    days = len(np.unique(view.blocks[0].ids[rows]))
    if rows.sum() < _LEAST_ROWS or others.sum() < _LEAST_ROWS or days < 2:  # noqa: PLR2004
        return None
    before, now = float(past[others].mean()), float(own[rows].mean())
    error = 0.0
    for values, known, blocks in ((own, rows, view.blocks[0]), (past, others, view.blocks[1])):
        mean = float(values[known].mean())
        sums = np.bincount(blocks.ids[known], weights=values[known] - mean, minlength=blocks.count)
        there = np.bincount(blocks.ids[known], minlength=blocks.count)
        each = sums[there > 0] / there[there > 0].mean()
        count = len(each)
        spread = spread_of_means(
            each[:, None], max(1, count), stretch=False, weights=np.ones(count)
        )[0]
        error += float(spread) * count / max(count - 1, 1)
    reach = float(stats.t.ppf(0.975, days - 1)) * error**0.5
    change = now - before
    return Expected(before, now, change, change - reach, change + reach, float(rows.sum()))
