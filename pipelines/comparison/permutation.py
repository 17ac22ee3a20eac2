"""How much a metric loses when one input is shuffled (Breiman 2001, permutation importance)."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.importance import MOST_PIECES, Shuffling, loss_by_shuffling
from pipelines.science.metrics import THRESHOLD, better_by, score
from pipelines.science.own_metrics import RowMetric

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from pipelines.science.importance import Loss
    from pipelines.science.own_metrics import AnyMetric
    from pipelines.science.pieces import Pieces

    Array = np.ndarray[Any, Any]

ROWS = 1_000
REPEATS = 5
_SHUFFLING = 0.7
"""The share of the time for shuffling; the rest is for intervals."""
NO_TIME = "time was up"
NO_RATE = "nobody has measured how often it would hold the truth for this metric"


@dataclass(frozen=True)
class Importance:
    """The metric's loss by input, in its own unit: the mean over the repeats and their spread.

    `left_out` inputs were not shuffled, for want of time. `ends` are those of the intervals by
    input, `evidence` the pieces that were left out in turn, and `untold` says why an input has no
    interval.
    """

    losses: dict[str, tuple[float, float]]
    rows: int
    repeats: int
    left_out: int = 0
    ends: dict[str, tuple[float, float]] = field(default_factory=dict)
    evidence: str = ""
    untold: dict[str, str] = field(default_factory=dict)


def importance(  # noqa: PLR0913 -- a model, its rows, and how they are measured
    answer: Callable[[pd.DataFrame], Array],
    inputs: pd.DataFrame,
    y: Array,
    *,
    metric: AnyMetric,
    threshold: float = THRESHOLD,
    seed: int,
    seconds: float,
    evidence: Pieces | None = None,
    confidence: float = 0.95,
) -> Importance:
    """Return the importance of each input on at most 1,000 of the rows, the greatest first.

    All inputs are shuffled once before any is shuffled again; no further round is begun that would
    end after seven tenths of so many seconds, and no input is begun after them. `evidence` says
    which rows are one piece of it; the other seconds are for the intervals, each end of which has
    the `confidence`. Without it there are none.
    """
    rng, began = np.random.default_rng(seed), time.perf_counter()
    sample = np.sort(rng.permutation(len(y))[:ROWS])
    rows, truth = inputs.iloc[sample], y[sample]
    if isinstance(metric, RowMetric):
        metric = metric.take(sample)
    whole = answer(rows)
    base = score(metric, truth, whole, threshold=threshold)
    shufflings = {name: list[Shuffling]() for name in rows.columns}
    lost = {name: list[float]() for name in rows.columns}
    limit, repeats = seconds * _SHUFFLING, 0
    for repeats in range(1, REPEATS + 1):
        round_began = time.perf_counter()
        for name, losses in lost.items():
            if repeats > 1 or time.perf_counter() - began < limit:
                shuffling = _shuffle(answer, rows, name, rng)
                without = score(metric, truth, shuffling.answers, threshold=threshold)
                losses.append(float(better_by(metric, base, without)))
                shufflings[name].append(shuffling)
        if time.perf_counter() * 2 - round_began - began > limit:
            break
    found = {
        name: (float(np.mean(losses)), float(np.std(losses)))
        for name, losses in lost.items()
        if losses and np.isfinite(losses).all()
    }
    in_order = dict(sorted(found.items(), key=lambda item: -item[1][0]))
    left_out = sum(not losses for losses in lost.values())
    simple = Importance(in_order, len(truth), repeats, left_out)
    if evidence is None:
        return replace(simple, untold=dict.fromkeys(in_order, NO_RATE))
    pieces = evidence.take(sample)

    def measure(name: str) -> Loss:
        return loss_by_shuffling(
            metric, truth, whole, shufflings[name], pieces,
            threshold=threshold, confidence=confidence,
        )  # fmt: skip

    return _with_ends(simple, measure, pieces, began + seconds)


def _with_ends(
    found: Importance, measure: Callable[[str], Loss], pieces: Pieces, until: float
) -> Importance:
    """Return the importance with the intervals for which there is time, the greatest loss first."""
    ends, untold = dict[str, tuple[float, float]](), dict[str, str]()
    took = 0.0
    for name in found.losses:
        began = time.perf_counter()
        if began + took > until:
            untold[name] = NO_TIME
            continue
        loss = measure(name)
        took = time.perf_counter() - began
        if loss.untold:
            untold[name] = loss.untold
        else:
            ends[name] = (loss.low, loss.high)
    evidence = pieces.join(MOST_PIECES).words
    return replace(found, ends=ends, untold=untold, evidence=evidence)


def _shuffle(
    answer: Callable[[pd.DataFrame], Array], rows: pd.DataFrame, name: Any, rng: np.random.Generator
) -> Shuffling:
    donors = rng.permutation(len(rows))
    shuffled = rows.copy()
    shuffled[name] = rows[name].to_numpy()[donors]
    return Shuffling(answer(shuffled), donors)
