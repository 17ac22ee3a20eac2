"""The threshold of a binary model: fixed by the spec, or chosen on out-of-fold predictions.

Each row's probability comes from a fit that has not seen the row: of the winning setting, on the
folds on which the search has tried it. Of folds in time the first part of the window judges
nothing, so it has no such prediction and no part in the choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.errors import BadData
from pipelines.messages import Threshold
from pipelines.science.anomaly import threshold_at_rate
from pipelines.science.decision_threshold import Curve, choose_threshold
from pipelines.science.metrics import THRESHOLD
from pipelines.spec.threshold import ThresholdAtRate, ThresholdFor
from pipelines.tasks import learns_nothing
from pipelines.training.estimators import answers, build_pipeline
from pipelines.training.fitting import fit_pipeline, label_errors

if TYPE_CHECKING:
    import logging
    from collections.abc import Sequence

    import pandas as pd

    from pipelines.bundle.schema import InputSchema
    from pipelines.science.own_metrics import Measures
    from pipelines.spec import Candidate, Spec
    from pipelines.training.own.process import CodeProcess
    from pipelines.training.search.result import OutOfFold

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Chosen:
    """A model's threshold, None where the spec names none, and the curve that it was chosen on."""

    threshold: Threshold | None = None
    curve: Curve | None = None

    @property
    def value(self) -> float:
        """Above which probability the model decides for the positive class."""
        return threshold_of(self.threshold)


@dataclass(frozen=True)
class FoldedRows:
    """The rows to learn from: `inputs` and y (n,), and the folds as positions among them.

    `measures` are what answers to these rows are scored by.
    """

    schema: InputSchema
    inputs: pd.DataFrame
    y: Array
    folds: Sequence[tuple[Array, Array]]
    measures: Measures
    own: CodeProcess | None = None
    """Where a pipeline of the model's own is made and fitted."""
    given: OutOfFold | None = None
    """What the search has answered out of fold already; without it each fold is fitted."""


def choose(
    spec: Spec,
    candidate: Candidate,
    params: dict[str, Any],
    rows: FoldedRows,
    log: logging.Logger,
) -> Chosen:
    """Return the threshold of a candidate with these parameters.

    Raises BadData where the metric that it is chosen for is defined at no threshold.
    """
    if spec.threshold is None:
        return Chosen()
    if isinstance(spec.threshold, ThresholdAtRate):
        return _choose_at_rate(spec, candidate, params, rows, spec.threshold.rate, log)
    if not isinstance(spec.threshold, ThresholdFor):
        return Chosen(Threshold(value=spec.threshold))
    places, p = _out_of_fold(spec, candidate, params, rows, log)
    y, metric = rows.y, spec.threshold.metric
    curve = choose_threshold(rows.measures.on(metric, places), y[places], p)
    if curve is None:
        raise BadData(
            f"threshold: {metric} is defined at no threshold on the {len(places):,} rows of the"
            f" folds, where {candidate.name} was judged on rows that it had not seen.",
            remedy="widen train.window, lower train.folds, or write a fixed `threshold`.",
            at=("threshold", "for"),
        )
    threshold = Threshold(
        value=curve.threshold,
        chosen_for=metric,
        rows=len(places),
        positives=int((y[places] == 1).sum()),
        score=_finite(curve.scores[curve.best]),
        default_score=_finite(curve.scores[curve.default]),
    )
    log.info("%s: %s", candidate.name, in_words(threshold, spec.unit_of(metric)))
    return Chosen(threshold, curve)


def _choose_at_rate(
    spec: Spec,
    candidate: Candidate,
    params: dict[str, Any],
    rows: FoldedRows,
    rate: float,
    log: logging.Logger,
) -> Chosen:
    """Return the threshold above which the promised share of fresh rows lies."""
    places, p = _out_of_fold(spec, candidate, params, rows, log)
    # Where the folds are cut several times, each row counts once.
    places, first = np.unique(places, return_index=True)
    p = p[first]
    value = threshold_at_rate(p, rate)
    if value is None:
        lacks = f"{len(p):,} rows were judged unseen"
        if not np.isfinite(p).all():
            lacks = "a score of a row that was judged unseen is no finite number"
        raise BadData(
            f"threshold.rate: {candidate.name}: {lacks}, and a threshold for {rate:g} needs"
            f" {int(np.ceil(1 / rate)) - 1:,} finite scores.",
            remedy="promise a greater rate, widen train.window, or lower train.folds.",
            at=("threshold", "rate"),
        )
    known = int((rows.y[places] == 1).sum())
    threshold = Threshold(value=value, rate=rate, rows=len(p), positives=known)
    log.info("%s: %s", candidate.name, in_words(threshold))
    return Chosen(threshold)


def _out_of_fold(
    spec: Spec,
    candidate: Candidate,
    params: dict[str, Any],
    rows: FoldedRows,
    log: logging.Logger,
) -> tuple[Array, Array]:
    """Return the positions of rows that were judged unseen, and the answers to them, (m,) each."""
    if rows.given is not None:
        return rows.given.positions, rows.given.answers
    inputs, y = rows.inputs, rows.y
    usable = [
        (train, test)
        for train, test in rows.folds
        if learns_nothing(spec.task) or len(np.unique(y[train])) > 1
    ]
    parts = []
    for train, test in usable:
        pipeline = build_pipeline(candidate, rows.schema, spec.train.seed, params, rows.own)
        model = fit_pipeline(pipeline, inputs.iloc[train], y[train], candidate, log)
        with label_errors(candidate, "asked"):
            parts.append(answers(model, inputs.iloc[test], spec.task, None))
    places = np.concatenate([test for _, test in usable]) if usable else np.empty(0, np.int64)
    p = np.concatenate(parts) if parts else np.empty(0)
    return places, p


def threshold_of(threshold: Threshold | None) -> float:
    """Return above which probability a model decides; 0.5 where it has no threshold."""
    return threshold.value if threshold else THRESHOLD


def in_words(threshold: Threshold, unit: str = "") -> str:
    """Return how a threshold came to be."""
    if threshold.rate is not None:
        return (
            f"threshold {threshold.value:.6g}, above which {threshold.rate:.4g} of the rows are to"
            f" lie, set on {threshold.rows:,} out-of-fold rows"
        )
    if not threshold.chosen_for:
        return f"threshold {threshold.value:g}, fixed by the spec"
    behind = f" {unit}" if unit else ""
    default = "not defined" if threshold.default_score is None else f"{threshold.default_score:.4g}"
    return (
        f"threshold {threshold.value:g}, chosen for {threshold.chosen_for} on"
        f" {threshold.rows:,} out-of-fold rows ({threshold.positives:,} positive), where it is"
        f" {threshold.score:.4g}{behind} and would be {default} at 0.5"
    )


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
