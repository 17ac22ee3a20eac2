"""How much a metric loses when one input is shuffled (Breiman 2001, permutation importance)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.metrics import better_by, score

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

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
    metric: str,
    seed: int,
    seconds: float,
) -> Importance:
    """Return the importance of each input on at most 1,000 of the rows, the greatest first.

    No input is begun after so many seconds.
    """
    rng, began = np.random.default_rng(seed), time.perf_counter()
    sample = np.sort(rng.permutation(len(y))[:ROWS])
    rows, truth = inputs.iloc[sample], y[sample]
    base, losses, left_out = score(metric, truth, answer(rows)), {}, 0
    for name in rows.columns:
        if time.perf_counter() - began > seconds:
            left_out += 1
            continue
        lost = [_loss(answer, rows, truth, name, metric, base, rng) for _ in range(REPEATS)]
        if np.isfinite(lost).all():
            losses[str(name)] = (float(np.mean(lost)), float(np.std(lost)))
    in_order = dict(sorted(losses.items(), key=lambda item: -item[1][0]))
    return Importance(in_order, len(truth), REPEATS, left_out)


def _loss(
    answer: Callable[[pd.DataFrame], Array],
    rows: pd.DataFrame,
    truth: Array,
    name: Any,
    metric: str,
    base: float,
    rng: np.random.Generator,
) -> float:
    shuffled = rows.copy()
    shuffled[name] = rows[name].to_numpy()[rng.permutation(len(rows))]
    return float(better_by(metric, base, score(metric, truth, answer(shuffled))))
