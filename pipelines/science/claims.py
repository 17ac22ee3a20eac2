"""What answers claim of their outcomes, row by row, so that two samples can be compared in it.

A loss says how wrong answers are; it hardly moves where a model becomes too sure of itself. So
beside the losses stand what an answer claims, each by its mean:

- a probability claims a share: `bias` is the outcome less the probability, of each class its own;
  `high` and `low` are the same among the probabilities above their mean and below it; `surest`
  is whether the likeliest class came, less its probability
- probabilities claim to be as extreme as outcomes are: `confidence` is the score of the slope of
  outcomes on log odds (Cox, 1958, "Two Further Applications of a Model for Binary Regression",
  Biometrika 45), over its information: 0 where the slope is 1, below it where answers are too sure
- quantiles claim shares: `level` is whether the outcome lies at most at a level's answer,
  `coverage` whether it lies in the interval between two levels
- a value claims to be right on average: `error` is the outcome less the answer

Centres (a mean probability) are those of both samples together, so that a row has the same values
whichever side it is put on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.levels import level_name
from pipelines.science.changes.facts import Claim
from pipelines.tasks import answers_scores, finds_classes, learns_named_classes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipelines.science.changes.facts import Claimed
    from pipelines.tasks import Task

    Array = NDArray[Any]

MOST_CLASSES = 20
"""So many of the classes with the greatest mean probability are looked at each by itself."""
_SURE = 1e-3
"""Probabilities nearer to 0 or 1 claim no more than this by their log odds."""
_ROUNDING = 1e-9
_LEAST = 1e-12
Labelled = tuple["Array", "Array"]
"""Outcomes and answers, with shapes as in `science.metrics`."""


def find_claims(
    task: Task,
    window: Labelled,
    reference: Labelled,
    *,
    classes: Sequence[str] = (),
    levels: Sequence[float] = (),
) -> tuple[tuple[Claim, ...], tuple[Claim, ...]]:
    """Return what the answers of the window, and of the reference, claim.

    `classes` name the columns of several probabilities, `levels` those of quantiles. Nothing of a
    task whose answers claim nothing of an outcome: scores and clusters.
    """
    if answers_scores(task) or finds_classes(task):
        return (), ()
    y = np.concatenate([window[0], reference[0]])
    p = np.concatenate([window[1], reference[1]]).astype(np.float64)
    if learns_named_classes(task):
        found = _of_classes(y, p, classes)
    elif task == "binary":
        found = _of_probability(np.asarray(y, dtype=np.float64), p)
    elif levels:
        found = _of_levels(np.asarray(y, dtype=np.float64), p, levels)
    else:
        found = [Claim("error", "answers", np.asarray(y, dtype=np.float64) - p)]
    mine = np.arange(len(y)) < len(window[0])
    return tuple(c.take(mine) for c in found), tuple(c.take(~mine) for c in found)


def _of_probability(y: Array, p: Array) -> list[Claim]:
    off = y - p
    middle = float(p.mean()) if len(p) else 0.5
    sides: list[tuple[Claimed, Array]] = [("high", p > middle), ("low", p <= middle)]
    groups = [Claim(m, "", off * rows, rows.astype(float)) for m, rows in sides if rows.any()]
    both = np.column_stack([1 - p, p])
    return [
        Claim("bias", "", off),
        *(groups if len(groups) == len(sides) else []),
        *_confidence(np.column_stack([1 - y, y]), both),
    ]


def _of_classes(y: Array, p: Array, classes: Sequence[str]) -> list[Claim]:
    names = list(classes) or [str(i) for i in range(p.shape[1])]
    came = (y[:, None] == np.arange(p.shape[1])).astype(float)
    shown = np.argsort(-p.sum(axis=0), kind="stable")[:MOST_CLASSES]
    best = p.argmax(axis=1)
    rows = np.arange(len(p))
    return [
        *(Claim("bias", names[i], came[:, i] - p[:, i]) for i in sorted(shown)),
        Claim("surest", "", came[rows, best] - p[rows, best]),
        *_confidence(came, p),
    ]


def _confidence(came: Array, p: Array) -> list[Claim]:
    """Return the score of the slope; nothing where all probabilities are alike.

    Of outcomes `came` (n, k), 0 or 1, and probabilities (n, k). Log odds are taken from their mean,
    weighted by how much each outcome may vary: so a base rate that moves is no other slope (to the
    first order; the efficient score of the slope beside an intercept).
    """
    odds = np.log(np.clip(p, _SURE, 1 - _SURE))
    varies = np.maximum(p * (1 - p), _LEAST)
    odds = odds - (varies * odds).sum(axis=0) / np.maximum(varies.sum(axis=0), _LEAST)
    mean = (p * odds).sum(axis=1)
    told = np.maximum((p * odds**2).sum(axis=1) - mean**2, 0.0)
    if told.sum() <= _ROUNDING * max(len(told), 1):
        return []
    return [Claim("confidence", "", ((came - p) * odds).sum(axis=1), told)]


def _of_levels(y: Array, p: Array, levels: Sequence[float]) -> list[Claim]:
    below = [
        Claim("level", level_name(u), (y <= p[:, i]).astype(float), nominal=float(u))
        for i, u in enumerate(levels)
    ]
    return [*(_interval(y, p, levels, i, j) for i, j in _pairs(levels)), *below]


def _pairs(levels: Sequence[float]) -> list[tuple[int, int]]:
    """Return which levels are the ends of an interval: each with that as far from the other end, or
    where there are no such, the outermost two.
    """
    count = len(levels)
    found = [
        (i, j)
        for i in range(count)
        for j in range(i + 1, count)
        if abs(levels[i] + levels[j] - 1) < _ROUNDING
    ]
    return found or ([(0, count - 1)] if count > 1 else [])


def _interval(y: Array, p: Array, levels: Sequence[float], low: int, high: int) -> Claim:
    inside = (y >= p[:, low]) & (y <= p[:, high])
    share = round(float(levels[high] - levels[low]), 12)
    name = f"{level_name(levels[low])} to {level_name(levels[high])}"
    return Claim("coverage", name, inside.astype(float), nominal=share)
