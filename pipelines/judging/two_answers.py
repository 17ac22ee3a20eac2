"""Two models' answers to the same rows, with all that scores them on some of these."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.judging.draws import draws_of
from pipelines.science.gate.answers import TwoAnswers
from pipelines.training.own_metrics import measure_rows
from pipelines.training.scoring import constants_threshold
from pipelines.training.targets import targets

if TYPE_CHECKING:
    from pipelines.context import Context
    from pipelines.judging.pairs import Pair


def two_answers(context: Context, pair: Pair, metric: str) -> TwoAnswers:
    """Return a pair's answers; where the opponent is a constant it decides as is best by the
    metric.
    """
    spec = context.spec
    truth = targets(pair.rows, spec, pair.classes)
    measures = measure_rows(context, pair.rows, truth, pair.classes)
    draws = draws_of(pair.rows, spec)
    threshold = pair.their_threshold
    if threshold is None:
        threshold = constants_threshold(measures.find(metric), truth, pair.theirs, spec)
    return TwoAnswers(
        measures=measures,
        truth=truth,
        ours=pair.ours,
        theirs=pair.theirs,
        event_times=draws["event_times"],
        groups=draws["groups"],
        span=draws["span"],
        our_threshold=pair.threshold,
        their_threshold=threshold,
    )
