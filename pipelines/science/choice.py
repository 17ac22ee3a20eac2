"""Which of several candidates is chosen, where their scores over the same folds are noisy.

The one-standard-error rule: the simplest candidate that is not clearly worse than the best. Folds
are hard or easy for all candidates alike, so what counts is the difference fold by fold, and its
standard error, not the spread of each candidate's scores.

Sources: Breiman, Friedman, Olshen & Stone (1984), "Classification and Regression Trees", section
3.4.3; Hastie, Tibshirani & Friedman (2009), "The Elements of Statistical Learning", section 7.10.
Where a snapshot is cut again and again, the fits share rows, and the variance of the mean
difference is widened as Nadeau & Bengio (2003) do: (1/J + tested/trained) times that of the J
differences.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[Any]

FEW = 5
"""With fewer folds the words say that the standard error is crude."""


@dataclass(frozen=True)
class Contender:
    """A candidate: its scores (J,) over the folds, and how simple it is (the least is simplest).

    `score` is their mean; a candidate of earlier versions has no scores by fold.
    """

    name: str
    score: float
    scores: tuple[float, ...]
    rank: int


@dataclass(frozen=True)
class Decision:
    """Which candidate was chosen, and why in words."""

    name: str
    words: str


def choose(
    metric: str,
    contenders: Sequence[Contender],
    *,
    greater_is_better: bool = True,
    tested: float,
    rule: str,
) -> Decision | None:
    """Return the chosen one of candidates with finite scores; None where there is none.

    `tested` is how many rows judge for each row that is learnt from, 0 for no correction. Of
    those that are equally simple the better wins, then the first. With the rule `best`, or without
    scores by fold, the best mean wins, then the first.
    """
    if not contenders:
        return None
    sign = 1.0 if greater_is_better else -1.0
    gains = [sign * each.score for each in contenders]
    best = contenders[int(np.argmax(gains))]
    alone = f"{best.name} has the best {metric} over the folds, {best.score:.4f}"
    if len(contenders) == 1:
        return Decision(best.name, "")
    if rule == "best":
        return Decision(best.name, f"{alone}; the best is chosen, whatever its noise")
    if not _comparable(contenders):
        why = "not all candidates have scores of the same folds, so their noise is not known"
        return Decision(best.name, f"{alone}; {why}")
    within = {each.name: _lies_lower(sign, best, each, tested) for each in contenders}
    equal = [each for each in contenders if within[each.name][0] <= within[each.name][1]]
    least = min(each.rank for each in equal)
    chosen = max(
        (each for each in equal if each.rank == least),
        key=lambda each: sign * each.score,
    )
    crude = f"; {len(best.scores)} folds make a crude standard error" if _few(best) else ""
    if chosen is best:
        simpler = ", ".join(
            f"{each.name} lies {within[each.name][0]:.4f} worse ({within[each.name][1]:.4f})"
            for each in contenders
            if each.rank < best.rank
        )
        why = f"beyond one standard error: {simpler}{crude}" if simpler else "none is simpler"
        return Decision(best.name, f"{alone}; {why}")
    difference, error = within[chosen.name]
    return Decision(
        chosen.name,
        f"{alone}; {chosen.name} lies {difference:.4f} worse, within one standard error"
        f" ({error:.4f}): the simplest of these, {chosen.name}, is chosen{crude}",
    )


def _comparable(contenders: Sequence[Contender]) -> bool:
    counts = {len(each.scores) for each in contenders}
    return len(counts) == 1 and counts.pop() > 1


def _few(contender: Contender) -> bool:
    return len(contender.scores) < FEW


def _lies_lower(
    sign: float, best: Contender, other: Contender, tested: float
) -> tuple[float, float]:
    """Return by how much the other is worse than the best on average, and the standard error."""
    worse = sign * (np.array(best.scores) - np.array(other.scores))
    error = np.sqrt((1 / len(worse) + tested) * worse.var(ddof=1))
    return float(worse.mean()), float(error)
