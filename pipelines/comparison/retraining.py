"""The candidates of a retraining side by side: figures for its page. Nothing is decided by them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from pipelines.comparison.attribution import Attribution, NoAttribution, attribute
from pipelines.comparison.error_slices import (
    ErrorSlices,
    WorstRows,
    error_slices,
    worst_rows,
)
from pipelines.comparison.fitted_models import own_code_of_run, read_model
from pipelines.comparison.judged import Judged, judged_rows
from pipelines.comparison.learning import LearningCurve, learning_curve
from pipelines.comparison.permutation import Importance, importance
from pipelines.comparison.trials import Trial, read_trials
from pipelines.science.bootstrap import Spread, spread
from pipelines.science.metrics import constant_threshold, scores
from pipelines.tasks import finds_classes
from pipelines.training import predictions
from pipelines.training.backtest import read_origins
from pipelines.training.decision_threshold import threshold_of
from pipelines.training.estimators import answers
from pipelines.training.threads import limit_threads

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.context import Context
    from pipelines.messages import FeaturesResult, GateResult, TrainResult
    from pipelines.training.backtest import Origin
    from pipelines.training.own.process import CodeProcess

    Array = np.ndarray[Any, Any]

T = TypeVar("T")

CONFIDENCE = 0.95
"""Of each end of an interval, so that both ends together hold 90 %."""
_SHARES = {"learning": 0.5, "importance": 0.5}
"""How the chosen candidate's time is shared out."""
_CHOSEN = 0.6
"""The chosen candidate's share of the time; the others share the rest."""
BEESWARM_ROWS = 300


@dataclass(frozen=True)
class CandidateLook:
    """What one candidate did; `failed` says what could not be made, with the reason in words."""

    result: TrainResult
    trials: list[Trial]
    dummy: bool
    metrics: dict[str, float | None]
    intervals: dict[str, Spread] = field(default_factory=dict)
    answers: Array | None = None
    learning: LearningCurve | None = None
    importance: Importance | None = None
    attribution: Attribution | NoAttribution | None = None
    attribution_rows: Any = None
    slices: ErrorSlices | None = None
    worst: WorstRows | None = None
    origins: list[Origin] = field(default_factory=list)
    """Of a forecast: its back-test."""
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What it is called."""
        return self.result.candidate


@dataclass(frozen=True)
class Retraining:
    """All candidates of a run, the chosen one first, the dummies last.

    `seconds` were allowed for refits and shufflings.
    """

    judged: Judged
    run: str
    verdict: GateResult
    candidates: list[CandidateLook]
    seconds: float
    skipped: dict[str, str] = field(default_factory=dict)
    """Why a proposed candidate was not trained, by its name."""

    @property
    def chosen(self) -> str:
        """The name of the challenger; empty where there is none."""
        return self.verdict.candidate


def compare_candidates(
    context: Context,
    features: FeaturesResult,
    trained: list[TrainResult],
    verdict: GateResult,
    run: str,
) -> Retraining:
    """Return the candidates of a run side by side. Raises what reading their rows raises."""
    began, spec = time.perf_counter(), context.spec
    judged = judged_rows(context, features)
    looks = [_numbers(context, judged, result) for result in trained if not result.skipped]
    looks.sort(key=lambda c: (c.dummy, c.name != verdict.candidate))
    allowed = context.settings.comparison_seconds
    others = max(1, sum(not c.dummy and c.name != verdict.candidate for c in looks))
    with limit_threads(context.settings.threads), own_code_of_run(context, trained) as own:
        looks = [
            _look_closely(
                context,
                judged,
                look,
                allowed * (_CHOSEN if look.name == verdict.candidate else (1 - _CHOSEN) / others),
                own,
            )
            for look in looks
        ]
    took = time.perf_counter() - began
    context.log.info("%s: the candidates were compared in %.1f s", spec.name, took)
    skipped = {result.candidate: result.skipped for result in trained if result.skipped}
    return Retraining(judged, run, verdict, looks, allowed, skipped)


def _numbers(context: Context, judged: Judged, result: TrainResult) -> CandidateLook:
    """Return a candidate with its answers to the holdout, its metrics and their intervals."""
    spec, store = context.spec, context.ports.store
    said = predictions.read(store, spec, result.predictions, judged.raw_holdout).score
    dummy = spec.candidate(result.candidate).declaration.dummy
    threshold = threshold_of(result.threshold)
    look = CandidateLook(
        result=result,
        trials=read_trials(store, result),
        dummy=dummy,
        metrics=scores(
            spec.task,
            judged.truth,
            said,
            also=spec.metrics,
            own=judged.measures.own.values(),
            levels=spec.levels,
            threshold=threshold,
            of_constant=dummy,
        ),
        answers=said,
        origins=read_origins(store, result.backtest),
    )
    return replace(
        look,
        intervals={
            metric: spread(
                judged.measures.find(metric),
                judged.truth,
                said,
                event_times=judged.times,
                groups=judged.groups,
                span=spec.alike.span,
                confidence=CONFIDENCE,
                seed=spec.train.seed,
                threshold=(
                    constant_threshold(metric)
                    if dummy and metric not in judged.measures.own
                    else threshold
                ),
            )
            for metric in look.metrics
        },
    )


def _look_closely(
    context: Context,
    judged: Judged,
    look: CandidateLook,
    seconds: float,
    own: CodeProcess | None,
) -> CandidateLook:
    """Return a candidate with its curve, importances, slices and worst rows; a dummy as it is.

    What cannot be made of one (an estimator may be odd) is left out with its reason.
    """
    said = look.answers
    if look.dummy or said is None or not np.isfinite(said).all():
        return look
    spec, failed = context.spec, dict[str, str]()
    attempt = partial(_attempt, context, failed)
    model = attempt("the fitted model", lambda: read_model(context, judged, look.result, own))
    if model is not None:
        look = _ask_model(context, judged, look, model, seconds, attempt, own)
    if not spec.has_target:  # without a truth there are no errors
        return replace(look, failed=failed)
    found = look.importance
    telling = list(found.losses)[:8] if found else spec.inputs[:8]
    return replace(
        look,
        slices=attempt(
            "errors by slice",
            lambda: error_slices(judged, said, threshold_of(look.result.threshold)),
        ),
        worst=attempt("the worst rows", lambda: worst_rows(judged, said, telling)),
        failed=failed,
    )


def _ask_model(
    context: Context,
    judged: Judged,
    look: CandidateLook,
    model: Any,
    seconds: float,
    attempt: Callable[..., Any],
    own: CodeProcess | None,
) -> CandidateLook:
    """Return a candidate with all that its fitted model must be asked or fitted again for."""
    spec, said = context.spec, look.answers
    if said is None:
        return look
    rows = judged.held_inputs.iloc[_spread_out(len(said), BEESWARM_ROWS)]
    fits = [t.seconds for t in look.trials if t.chosen]
    return replace(
        look,
        importance=attempt(
            "importance",
            lambda: importance(
                lambda inputs: answers(model, inputs, spec.task, judged.classes),
                judged.held_inputs,
                judged.truth,
                metric=judged.measures.find(spec.train.metric),
                threshold=threshold_of(look.result.threshold),
                seed=spec.train.seed,
                seconds=seconds * _SHARES["importance"],
                evidence=None if finds_classes(spec.task) else judged.pieces,
                confidence=CONFIDENCE,
            ),
        ),
        learning=attempt(
            "the learning curve",
            lambda: learning_curve(
                judged,
                look.result,
                model,
                said,
                fit_seconds=fits[0] if fits else 0.0,
                seconds=seconds * _SHARES["learning"],
                log=context.log,
                own=own,
            ),
        ),
        attribution=attempt("attributions", lambda: attribute(model, rows)),
        attribution_rows=rows,
    )


def _attempt(
    context: Context, failed: dict[str, str], what: str, make: Callable[[], T]
) -> T | None:
    try:
        return make()
    except Exception as error:  # an estimator may do anything; the run and the other looks go on
        context.log.warning("%s could not be made", what, exc_info=True)
        failed[what] = f"{type(error).__name__}: {error}"[:300]
        return None


def _spread_out(count: int, most: int) -> Array:
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))
