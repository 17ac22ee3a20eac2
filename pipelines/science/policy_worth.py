"""Which policy to take, by what each lost on the same batches; and when nobody can tell.

What two policies differ by from batch to batch is paired, and batches are alike: the interval is
Student's t on the differences, and on their slow part as soon as neighbours go together at all (see
`dependence`): there are too few batches to tell such a likeness from chance.
`benchmarks/replay_evidence.py` measures how often it holds the truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.dependence import widening
from pipelines.science.student import by_student

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[Any]

LEAST = 12
"""Of fewer batches nobody can tell which policy is better: a year of months."""
LEAST_APART = 5
"""Of fewer batches on which two policies served different versions nobody can tell either."""
MARGIN = 0.05
"""A policy that retrains less is as good if it loses at most this share more."""
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Difference:
    """By how much one policy loses more than another per batch, with its interval.

    `low` and `high` are None where it cannot be told; `untold` says why.
    """

    mean: float
    low: float | None
    high: float | None
    batches: int
    apart: int
    untold: str = ""


def compare_losses(ours: Array, theirs: Array, confidence: float = CONFIDENCE) -> Difference:
    """Return by how much we lose more than they do on the batches (n,) that both have a loss of.

    The interval is two-sided. Equal losses throughout differ by nothing, which is certain.
    """
    both = np.isfinite(ours) & np.isfinite(theirs)
    gaps = np.asarray(ours, dtype=np.float64)[both] - np.asarray(theirs, dtype=np.float64)[both]
    count, apart = len(gaps), int((gaps != 0).sum())
    mean = float(gaps.mean()) if count else float("nan")
    if count < LEAST:
        few = f"{count} batches are too few, {LEAST} are needed"
        return Difference(mean, None, None, count, apart, few)
    if not apart:
        return Difference(0.0, 0.0, 0.0, count, apart)
    if apart < LEAST_APART:
        few = f"they differ on {apart} batches only, {LEAST_APART} are needed"
        return Difference(mean, None, None, count, apart, few)
    without = (gaps.sum() - gaps) / (count - 1)
    found = by_student(mean, without, alike=widening(without) > 1)
    side = (1 + confidence) / 2
    return Difference(mean, found.bad_end(side), found.good_end(side), count, apart)


@dataclass(frozen=True)
class Tried:
    """What a policy lost on each batch (n,), NaN where it was not scored, and its retrainings."""

    name: str
    losses: Array
    retrainings: int

    @property
    def mean(self) -> float:
        """The mean loss of the batches that were scored."""
        return float(np.nanmean(self.losses)) if np.isfinite(self.losses).any() else float("inf")


@dataclass(frozen=True)
class Recommendation:
    """Which policy to take, and why; `name` is empty where that cannot be told.

    `against` compares it with the policy of the model as it is, where there is one among those that
    were tried and it is another one.
    """

    name: str
    why: str
    best: str
    margin: float
    over_best: Difference | None = None
    against: Difference | None = None


def recommend(
    tried: Sequence[Tried], own: str | None, *, scale: float | None = None
) -> Recommendation:
    """Return the policy with the fewest retrainings that is proven hardly worse than the best one.

    The best is the one with the least mean loss; hardly worse is at most `MARGIN` of `scale`, the
    mean error that is lost at best (default: the best one's mean loss). All intervals hold together
    (Bonferroni's, over the policies that are compared with the best).
    """
    best = min(tried, key=lambda each: (each.mean, each.retrainings, each.name))
    margin = MARGIN * abs(best.mean if scale is None else scale)
    others = [each for each in tried if each.name != best.name]
    sure = 1 - (1 - CONFIDENCE) / max(len(others), 1)
    gaps = {each.name: compare_losses(each.losses, best.losses, sure) for each in others}
    fewer = [
        each
        for each in others
        if each.retrainings < best.retrainings and _is_hardly_worse(gaps[each.name], margin)
    ]
    untold = [gap.untold for gap in gaps.values() if gap.untold]
    if others and len(untold) == len(others):
        why = f"it cannot be told which policy is better: {untold[0]}"
        return Recommendation("", why, best.name, margin)
    chosen = min(fewer, key=lambda each: (each.retrainings, each.mean), default=best)
    mine = next((each for each in tried if each.name == own), None)
    against = None
    if mine is not None and mine.name != chosen.name:
        against = compare_losses(chosen.losses, mine.losses, sure)
    why = (
        "it loses least"
        if chosen is best
        else f"it retrains {chosen.retrainings} times where {best.name} does {best.retrainings}"
        " times, and is proven to lose hardly more"
    )
    return Recommendation(chosen.name, why, best.name, margin, gaps.get(chosen.name), against)


def _is_hardly_worse(gap: Difference, margin: float) -> bool:
    return gap.high is not None and gap.high <= margin
