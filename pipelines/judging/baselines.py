"""Baselines on the held-out rows: the best constant, and a linear model fitted on the same rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.errors import PerennialError, TryAgain
from pipelines.judging.pairs import Pair
from pipelines.judging.two_answers import two_answers
from pipelines.science.bootstrap import compare
from pipelines.science.gate.baselines import BaselineFacts
from pipelines.science.metrics import THRESHOLD
from pipelines.spec.candidates import Candidate
from pipelines.tasks import classifies
from pipelines.training import estimators
from pipelines.training.fitting import fit_pipeline
from pipelines.training.threads import limit_threads

if TYPE_CHECKING:
    from pipelines.comparison.judged import Judged
    from pipelines.context import Context
    from pipelines.judging.held_out import Answers
    from pipelines.science.bootstrap import Comparison

    Array = np.ndarray[Any, Any]

MOST_ROWS = 100_000
"""Rows to learn from that a linear baseline is fitted on; of more as many, the newest."""


def measure_baselines(context: Context, answers: Answers, judged: Judged) -> BaselineFacts:
    """Return how the challenger does against each baseline that the gate names."""
    comparisons: dict[str, Comparison] = {}
    errors: dict[str, str] = {}
    asked = context.spec.gate.baselines
    for name in asked.margins if asked else ():
        try:
            theirs = answers.constant if name == "dummy" else _fit_linear(context, judged)
            comparisons[name] = _compare(context, answers, theirs, constant=name == "dummy")
        except TryAgain:
            raise
        except (PerennialError, ValueError) as error:
            errors[name] = str(error)[:300]
    return BaselineFacts(comparisons, errors)


def _compare(context: Context, answers: Answers, theirs: Array, *, constant: bool) -> Comparison:
    gate = context.spec.gate
    metric = gate.versus_champion.metric
    pair = Pair(
        rows=answers.rows,
        ours=answers.own,
        theirs=theirs,
        classes=answers.classes,
        threshold=answers.threshold,
        # A model decides at a probability of one half; a constant as is best for it.
        their_threshold=None if constant else THRESHOLD,
    )
    both = two_answers(context, pair, metric)
    return compare(
        both.measure(metric),
        both.truth,
        challenger=both.ours,
        opponent=both.theirs,
        challenger_threshold=both.our_threshold,
        opponent_threshold=both.their_threshold,
        event_times=both.event_times,
        groups=both.groups,
        span=both.span,
        confidence=gate.versus_champion.confidence_by("better"),
        seed=context.spec.train.seed,
    )


def _fit_linear(context: Context, judged: Judged) -> Array:
    """Return what a linear model, fitted on the rows to learn from, answers to the held-out ones:
    (n,) or (n, k).
    """
    spec = context.spec
    kind = "LogisticRegression" if classifies(spec.task) else "Ridge"
    candidate = Candidate.model_validate(
        {"name": "linear_baseline", "estimator": f"sklearn.linear_model.{kind}"}
    )
    candidate.place([candidate], in_time=not spec.is_snapshot)
    rows = np.sort(judged.newest_first()[:MOST_ROWS])
    weights = judged.prepared.weights
    with limit_threads(context.settings.threads):
        model = fit_pipeline(
            estimators.build_pipeline(candidate, judged.schema, spec.train.seed, {}),
            judged.inputs.iloc[rows],
            judged.y[rows],
            candidate,
            context.log,
            weights=None if weights is None else weights[rows],
        )
        return estimators.answers(model, judged.held_inputs, spec.task, judged.classes)
