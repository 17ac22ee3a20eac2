"""What a test says of a column, on the scale of the distance that people read.

The test decides by several statistics of a column, of its own scale; the distance (Evidently's) is
what a page shows. So the distance is given the threshold that says the same: as many times below
(or above) it as the strongest statistic is beyond its critical value. Of p-values it is the
logarithm that is so many times as far.
"""

from __future__ import annotations

from dataclasses import replace
from math import exp, log
from typing import TYPE_CHECKING

from pipelines.spec.drift import P_VALUES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.science.changes.facts import ColumnChange, FamilyChange
    from pipelines.science.drift_facts import ColumnFact

_NEAR = 1e-4
"""A statistic that is so near to its critical value is put that far to its own side."""
_LEAST, _MOST = 1e-9, 1e9
"""Between these lies a threshold, and how many times beyond it anything is."""
_TINIEST = 1e-300


def with_test(
    fact: ColumnFact, found: Sequence[ColumnChange], family: FamilyChange | None
) -> ColumnFact:
    """Return the fact with what the statistics `found` of its column say, and with its threshold.

    Unchanged where the family says nothing.
    """
    if family is None or family.said == "cannot_be_said" or not found:
        return replace(fact, threshold=None)
    best = strongest(found)
    changed = any(c.changed for c in found)
    threshold = (
        None
        if fact.score is None or best.critical is None
        else threshold_of(fact.score, fact.method, times_beyond(found))
    )
    return replace(
        fact,
        threshold=threshold,
        drifted=fact.drifted or changed,
        p_value=best.p_value,
        seen_by=best.method,
    )


def strongest(found: Sequence[ColumnChange]) -> ColumnChange:
    """Return the statistic that is the least likely by chance."""

    def order(change: ColumnChange) -> tuple[float, float]:
        p_value = 1.0 if change.p_value is None else change.p_value
        return p_value, -_ratio(change)

    return min(found, key=order)


def times_beyond(found: Sequence[ColumnChange]) -> float:
    """Return how many times its critical value the strongest is: above 1 where one has changed."""
    ratio = _ratio(strongest(found))
    return max(ratio, 1 + _NEAR) if any(c.changed for c in found) else min(ratio, 1 - _NEAR)


def _ratio(change: ColumnChange) -> float:
    if change.critical is None:
        return 0.0
    return min(abs(change.statistic) / max(change.critical, _TINIEST), _MOST)


def threshold_of(score: float, method: str, times: float) -> float:
    """Return the threshold that the score is so many `times` beyond."""
    times = max(times, _LEAST)
    if method in P_VALUES:
        far = max(-log(max(score, _TINIEST)), _LEAST)
        return max(exp(-min(far / times, -log(_TINIEST))), _TINIEST)
    if score <= 0:
        return 0.0 if times > 1 else _LEAST
    return min(score / times, _MOST)
