"""How much a metric loses when one input is shuffled (Breiman 2001, permutation importance)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.metrics import THRESHOLD, better_by, score
from pipelines.science.own_metrics import RowMetric

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from pipelines.science.own_metrics import AnyMetric

    Array = np.ndarray[Any, Any]

ROWS = 1_000
REPEATS = 5


@dataclass(frozen=True)
class Importance:
    """The metric's loss by input, in its own unit: the mean over the repeats and their spread.

    `left_out` inputs were not shuffled, for want of time.
    """

    losses: dict[str, tuple[float, float]]
    rows: int
    repeats: int
    left_out: int = 0


def importance(
    answer: Callable[[pd.DataFrame], Array],
    inputs: pd.DataFrame,
    y: Array,
    *,
    metric: AnyMetric,
    threshold: float = THRESHOLD,
    seed: int,
    seconds: float,
) -> Importance:
    """Return the importance of each input on at most 1,000 of the rows, the greatest first.

    All inputs are shuffled once before any is shuffled again; no further round is begun that would
    end after so many seconds, and no input is begun after them.
    """
    rng, began = np.random.default_rng(seed), time.perf_counter()
    sample = np.sort(rng.permutation(len(y))[:ROWS])
    rows, truth = inputs.iloc[sample], y[sample]
    if isinstance(metric, RowMetric):
        metric = metric.take(sample)
    base = score(metric, truth, answer(rows), threshold=threshold)
    lost = {name: list[float]() for name in rows.columns}
    repeats = 0
    for repeats in range(1, REPEATS + 1):
        round_began = time.perf_counter()
        for name, losses in lost.items():
            if repeats > 1 or time.perf_counter() - began < seconds:
                found_loss = score(
                    metric, truth, answer(_shuffle(rows, name, rng)), threshold=threshold
                )
                losses.append(float(better_by(metric, base, found_loss)))
        if time.perf_counter() * 2 - round_began - began > seconds:
            break
    found = {
        str(name): (float(np.mean(losses)), float(np.std(losses)))
        for name, losses in lost.items()
        if losses and np.isfinite(losses).all()
    }
    in_order = dict(sorted(found.items(), key=lambda item: -item[1][0]))
    left_out = sum(not losses for losses in lost.values())
    return Importance(in_order, len(truth), repeats, left_out)


def _shuffle(rows: pd.DataFrame, name: Any, rng: np.random.Generator) -> pd.DataFrame:
    shuffled = rows.copy()
    shuffled[name] = rows[name].to_numpy()[rng.permutation(len(rows))]
    return shuffled
