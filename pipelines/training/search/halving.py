"""Successive halving: all settings on few rows, the better third of them on three times as many.

Jamieson & Talwalkar (2016), "Non-stochastic Best Arm Identification and Hyperparameter
Optimization", AISTATS; scikit-learn's HalvingRandomSearchCV has the same schedule, but draws the
rows by chance, which would mix what was before with what came after. Here the rows are the newest
ones of each fold; what judges is the same on every rung.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.training.search.trials import Try

if TYPE_CHECKING:
    from pipelines.training.search.trials import Trials

FACTOR = 3
"""So many times fewer settings and more rows with each rung."""
LEAST_ROWS = 100
"""Rows of the smallest fold from which a setting is learnt at least."""


def rungs_of(settings: int, rows: int) -> list[tuple[int, float]]:
    """Return how many settings are tried on which share of the rows, rung by rung.

    The last rung has all rows. `rows` are those of the smallest fold: there are no more rungs than
    let it keep LEAST_ROWS.
    """
    by_settings = math.floor(math.log(max(settings, 1), FACTOR) + 1e-9)
    by_rows = math.floor(math.log(max(rows / LEAST_ROWS, 1), FACTOR) + 1e-9)
    count = min(by_settings, by_rows)
    return [
        (max(math.ceil(settings / FACTOR**rung), 1), 1 / FACTOR ** (count - rung))
        for rung in range(count + 1)
    ]


def halve(trials: Trials, settings: list[dict[str, Any]]) -> None:
    """Try the settings. Raises TimeIsUp where the minutes are over."""
    rows = min(len(train) for train, _ in trials.ground.folds)
    rungs = rungs_of(len(settings), rows)
    trials.planned = sum(count for count, _ in rungs)
    left = settings
    for count, share in rungs:
        rung = left[:count]
        done = trials.run([Try(setting, share) for setting in rung])
        gains = [trials.gain(trial) if trial.state == "complete" else -np.inf for trial in done]
        order = np.argsort(-np.array(gains), kind="stable")
        left = [rung[i] for i in order if np.isfinite(gains[i])]
