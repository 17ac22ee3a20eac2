"""The learning curve of a candidate: its score over growing parts of what it may learn from."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.metrics import score
from pipelines.tasks import classifies
from pipelines.training.decision_threshold import threshold_of
from pipelines.training.estimators import answers, build_pipeline
from pipelines.training.fitting import fit_pipeline

if TYPE_CHECKING:
    import logging

    from pipelines.comparison.judged import Judged
    from pipelines.messages import TrainResult
    from pipelines.training.own.process import CodeProcess

    Array = np.ndarray[Any, Any]

PARTS = 8
"""The first part is an eighth of the rows; each further one is twice as large."""
MOST_ROWS = 50_000
"""Rows that the fits of the curve learn from at most; the last point is the candidate itself."""
_LEAST_ROWS = 20
_OWN_ROWS = 5_000
"""Rows learnt from on which the score is measured too, evenly spread."""


@dataclass(frozen=True)
class Point:
    """A fit on so many rows: its score on rows that it learnt from, and on the held-out ones."""

    rows: int
    learnt: float
    held: float


@dataclass(frozen=True)
class LearningCurve:
    """Points by growing number of rows; `note` says in words what is missing, "" for nothing."""

    points: list[Point]
    note: str = ""


def learning_curve(
    judged: Judged,
    result: TrainResult,
    model: Any,
    held: Array,
    *,
    fit_seconds: float,
    seconds: float,
    log: logging.Logger,
    own: CodeProcess | None = None,
) -> LearningCurve:
    """Return the curve; its last point is the fitted model with its answers `held` to the holdout.

    The setting is the candidate's chosen one. Each part are the newest rows (of a snapshot a seeded
    draw). No fit is begun that would, by the last one's time, end after `seconds`; `fit_seconds`
    is what a fit on all rows takes, 0 where that is not known. An own pipeline is made in `own`.
    """
    spec, count = judged.spec, len(judged.y)
    candidate, began, points = spec.candidate(result.candidate), time.perf_counter(), []
    order, expected, note = judged.newest_first(), fit_seconds, ""
    metric = judged.measures.find(spec.train.metric)
    threshold = threshold_of(result.threshold)
    for size in _sizes(count):
        if time.perf_counter() - began + expected * size / count > seconds:
            note = f"from {size:,} rows on the fits would take longer than {seconds:g} s"
            break
        part = np.sort(order[:size])
        if classifies(spec.task) and len(np.unique(judged.y[part])) < 2:  # noqa: PLR2004
            note = "the smallest parts hold one class only"
            continue
        fit_began = time.perf_counter()
        pipeline = build_pipeline(candidate, judged.schema, spec.train.seed, result.params, own)
        fitted = fit_pipeline(pipeline, judged.inputs.iloc[part], judged.y[part], candidate, log)
        expected = (time.perf_counter() - fit_began) * count / size
        said = answers(fitted, judged.held_inputs, spec.task, judged.classes)
        points.append(
            Point(
                size,
                _own(judged, fitted, part, threshold),
                score(metric, judged.truth, said, threshold=threshold),
            )
        )
    everything = np.arange(count)
    last = Point(
        count,
        _own(judged, model, everything, threshold),
        score(metric, judged.truth, held, threshold=threshold),
    )
    return LearningCurve([*points, last], note)


def _sizes(count: int) -> list[int]:
    """Return how many rows the fits learn from, the least first."""
    whole = min(count, 2 * MOST_ROWS)
    sizes = [whole * step // PARTS for step in (1, 2, 4)]
    return [s for s in sizes if s >= _LEAST_ROWS]


def _own(judged: Judged, model: Any, part: Array, threshold: float) -> float:
    """Return the model's score on rows that it learnt from."""
    step = max(1, len(part) // _OWN_ROWS)
    rows = part[::step]
    spec = judged.spec
    said = answers(model, judged.inputs.iloc[rows], spec.task, judged.classes)
    metric = judged.learnt_measures.on(spec.train.metric, rows)
    return score(metric, judged.y[rows], said, threshold=threshold)
