"""The settings that a retraining's candidates tried, as they are compared."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pipelines.messages import TrainResult
    from pipelines.store.port import Store


@dataclass(frozen=True)
class Trial:
    """One setting of one candidate.

    `score` is the mean over the folds in the metric's own unit and `spread` its standard
    deviation, None where not finite; `seconds` are those of one fit.
    """

    candidate: str
    params: dict[str, Any]
    score: float | None
    spread: float | None
    seconds: float
    state: str = "complete"
    chosen: bool = False


def read_trials(store: Store, result: TrainResult) -> list[Trial]:
    """Return what a candidate tried; empty for results of earlier versions, which did not say."""
    if result.trials is None:
        return []
    trials = [_trial(result.candidate, row) for row in json.loads(store.get(result.trials))]
    for i, trial in enumerate(trials):
        if all(result.params.get(name) == value for name, value in trial.params.items()):
            trials[i] = replace(trial, chosen=True)
            break
    return trials


def _trial(candidate: str, row: dict[str, Any]) -> Trial:
    scores = [s for s in row["scores"] if s is not None and isfinite(s)]
    whole = bool(scores) and len(scores) == len(row["scores"])
    return Trial(
        candidate=candidate,
        params=row["params"],
        score=float(np.mean(scores)) if whole else None,
        spread=float(np.std(scores)) if whole else None,
        seconds=float(row["seconds"]),
        state=str(row.get("state", "complete")),
    )
