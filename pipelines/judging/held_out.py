"""The challenger on the held-out rows: its answers, and what they are worth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pipelines.judging.anomaly import anomaly_facts
from pipelines.judging.draws import draws_of
from pipelines.science.metrics import scores, why_undefined
from pipelines.science.promise import promise_on_rows
from pipelines.training import predictions
from pipelines.training.decision_threshold import threshold_of
from pipelines.training.own_metrics import measure_rows
from pipelines.training.targets import targets

if TYPE_CHECKING:
    import numpy as np

    from pipelines.context import Context
    from pipelines.messages import TrainResult
    from pipelines.science.gate.facts import GateFacts
    from pipelines.science.own_metrics import Measures
    from pipelines.science.promise import Promise
    from pipelines.spec import Spec

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Answers:
    """What the challenger answers to held-out rows, above which `threshold` it decides.

    `own` are its answers and `constant` those of the best constant, both (n,) or (n, k); `classes`
    name the k columns. `parts` are those of the rows that are answered by a fit each; 0 where one
    fit answers all.
    """

    rows: pa.Table
    own: Array
    constant: Array
    classes: list[str] | None
    threshold: float
    parts: int = 0

    def take(self, mask: Array) -> Answers:
        """Return the answers to some of the rows, by a mask (n,) of booleans."""
        return replace(
            self,
            rows=self.rows.filter(pa.array(mask)),
            own=self.own[mask],
            constant=self.constant[mask],
        )


def read_answers(context: Context, best: TrainResult, holdout: pa.Table) -> Answers:
    """Return what the challenger answered when it was trained.

    Raises Corrupted where its predictions are not of these rows.
    """
    found = predictions.read(context.ports.store, context.spec, best.predictions, holdout)
    return Answers(holdout, found.score, found.dummy, found.classes, threshold_of(best.threshold))


def measure_answers(
    context: Context, best: TrainResult, answers: Answers, facts: GateFacts
) -> GateFacts:
    """Return the facts with what the challenger scores on the rows, and what it promises of them.

    Measured anew: what `train` says of itself is not believed.
    """
    spec = context.spec
    truth = targets(answers.rows, spec, answers.classes)
    measures = measure_rows(context, answers.rows, truth, answers.classes)
    facts = replace(
        facts,
        metrics=scores(
            spec.task,
            truth,
            answers.own,
            also=spec.metrics,
            own=measures.own.values(),
            levels=spec.levels,
            threshold=answers.threshold,
        ),
        undefined=_find_undefined(spec, measures, truth, answers),
        promise=_measure_promise(spec, truth, answers),
    )
    of_anomalies = anomaly_facts(spec, answers.rows, truth, answers.own, best.threshold)
    return replace(facts, **of_anomalies)


def _find_undefined(
    spec: Spec, measures: Measures, truth: Array, answers: Answers
) -> dict[str, str]:
    """Return why each of the spec's metrics that has no value has none, in words."""
    reasons = {
        metric: why_undefined(
            measures.find(metric), truth, answers.own, threshold=answers.threshold
        )
        for metric in spec.metrics
    }
    return {metric: why for metric, why in reasons.items() if why}


def _measure_promise(spec: Spec, truth: Array, answers: Answers) -> Promise | None:
    """Return what the rows show of a promised coverage; None where none is promised."""
    if spec.quantiles is None:
        return None
    return promise_on_rows(spec.quantiles, truth, answers.own, **draws_of(answers.rows, spec))
