"""The trials of a search as they are stored: one JSON object, which the pages read."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from pipelines.spec import Spec
    from pipelines.training.search.result import SearchResult

    Array = np.ndarray[Any, Any]

FORMAT = 1


def write(spec: Spec, folds: list[tuple[Array, Array]], result: SearchResult) -> bytes:
    """Return the record.

    `metric`, `greater_is_better`, `folds` (the rows that each learns from and judges on; of some
    the scores may be lacking, as the log says), `ended_by`, `params` (the winner's), and `trials`:
    number, params, scores by fold, mean, spread, seconds (of one fit), state, reason, share (of the
    rows learnt from), worker (0 is the training itself, others helped it). What is not finite is
    null.
    """
    trials = [
        {
            "number": trial.number,
            "params": trial.params,
            "scores": [_finite(value) for value in trial.scores],
            "mean": _finite(trial.mean),
            "spread": _finite(trial.spread),
            "seconds": round(trial.seconds, 4),
            "state": trial.state,
            "reason": trial.reason,
            "share": trial.share,
            "worker": trial.worker,
        }
        for trial in result.trials
    ]
    body = {
        "version": FORMAT,
        "metric": spec.train.metric,
        "greater_is_better": spec.metric_named(spec.train.metric).greater_is_better,
        "folds": [{"learn": len(train), "judge": len(test)} for train, test in folds],
        "ended_by": result.ended_by,
        "params": result.params,
        "trials": trials,
    }
    return json.dumps(body, sort_keys=True, allow_nan=False).encode()


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
