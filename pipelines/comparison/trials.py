"""The settings that a retraining's candidates tried, as they are compared."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.messages import TrainResult
    from pipelines.store.port import Store


@dataclass(frozen=True)
class Trial:
    """One setting of one candidate.

    `score` is the mean over the folds in the metric's own unit and `spread` its standard
    deviation, None where it was given up, failed, or saw a part of the rows only. `seconds` are
    those of one fit.
    """

    candidate: str
    params: dict[str, Any]
    score: float | None
    spread: float | None
    seconds: float
    state: str = "complete"
    chosen: bool = False
    worker: int = 0
    """Who fitted it: 0 is the training itself, the others helped it."""


def read_trials(store: Store, result: TrainResult) -> list[Trial]:
    """Return what a candidate tried; empty for results of earlier versions, which did not say."""
    if result.trials is None:
        return []
    record = json.loads(store.get(result.trials))
    trials = [_trial(result.candidate, row) for row in record["trials"]]
    for i, trial in enumerate(trials):
        won = {name: record["params"].get(name) for name in trial.params} == trial.params
        if won and trial.score is not None:
            trials[i] = replace(trial, chosen=True)
            break
    return trials


def _trial(candidate: str, row: dict[str, Any]) -> Trial:
    """Return a trial of the record.

    It has a score where it could have won: complete, and on all rows of the folds.
    """
    counts = row["state"] == "complete" and row["share"] == 1
    return Trial(
        candidate=candidate,
        params=row["params"],
        score=row["mean"] if counts else None,
        spread=row["spread"] if counts else None,
        seconds=float(row["seconds"]),
        state=row["state"],
        worker=row.get("worker", 0),
    )
