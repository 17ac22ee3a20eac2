"""Two models' answers to the same rows, compared by all that the gate compares."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from pipelines.judging.draws import Draws, draws_of
from pipelines.science.bootstrap import compare
from pipelines.science.gate.facts import compare_by
from pipelines.science.metrics import THRESHOLD, better_by, score
from pipelines.spec.rule_problems import why_only_better
from pipelines.training.own_metrics import measure_rows
from pipelines.training.scoring import constants_threshold
from pipelines.training.targets import targets

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from pipelines.context import Context
    from pipelines.science.bootstrap import Comparison
    from pipelines.science.gate.facts import Opponent

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Pair:
    """The answers of challenger (`ours`) and opponent (`theirs`), both (n,) or (n, k).

    `classes` name the k columns. Above their thresholds each decides; the opponent's is None where
    it is a constant, which may decide as is best for it.
    """

    rows: pa.Table
    ours: Array
    theirs: Array
    classes: list[str] | None
    threshold: float
    their_threshold: float | None = None
    rises: bool = False
    """Whether `ours` are of fits that know more from part to part."""


def compare_pair(context: Context, name: str, pair: Pair, confidence: float) -> Opponent:
    """Return the opponent of that name, compared by the gate's metric and by each of its guards,
    as sure as `confidence` says.
    """
    spec = context.spec
    truth = targets(pair.rows, spec, pair.classes)
    draws: Draws = {**draws_of(pair.rows, spec), "confidence": confidence}
    measures = measure_rows(context, pair.rows, truth, pair.classes)

    def by(metric: str) -> Comparison:
        measure = measures.find(metric)
        return compare(
            measure,
            truth,
            challenger=pair.ours,
            opponent=pair.theirs,
            challenger_threshold=pair.threshold,
            opponent_threshold=(
                constants_threshold(measure, truth, pair.theirs, spec)
                if pair.their_threshold is None
                else pair.their_threshold
            ),
            rises=pair.rises,
            **draws,
        )

    return compare_by(spec.gate, name, by)


def measure_lead(context: Context, pair: Pair, constant: Array) -> float | None:
    """Return by how much the opponent is better than a constant (n,) or (n, k) in the metric that
    decides; None where one of both has no value.
    """
    spec = context.spec
    decides = spec.gate.versus_champion.metric
    if why_only_better(decides, spec.task):
        return None
    truth = targets(pair.rows, spec, pair.classes)
    measure = measure_rows(context, pair.rows, truth, pair.classes).find(decides)
    threshold = constants_threshold(measure, truth, constant, spec)
    decides_at = THRESHOLD if pair.their_threshold is None else pair.their_threshold
    theirs = score(measure, truth, pair.theirs, threshold=decides_at)
    lead = float(better_by(measure, theirs, score(measure, truth, constant, threshold=threshold)))
    return lead if isfinite(lead) else None
