"""The challenger of a snapshot: on the held-out rows that no version was fitted on, or over folds.

The rows of a snapshot have no time, so that the sides on which a version was fitted say which rows
are new to it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pipelines.data import labelled_rows
from pipelines.data.sides import sides_of
from pipelines.errors import BadData
from pipelines.judging.anomaly import anomaly_facts_over_folds
from pipelines.judging.held_out import measure_answers, read_answers
from pipelines.judging.opponents import compare_with_opponent
from pipelines.judging.refit_comparison import fair_rows, opponent_over_folds, why_folds
from pipelines.science.gate.facts import SnapshotFacts
from pipelines.training.own.process import own_code_of
from pipelines.training.refits import Refits
from pipelines.training.threads import limit_threads

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.context import Context
    from pipelines.judging.refit_comparison import FairRows
    from pipelines.ledger import Champion
    from pipelines.messages import GateRequest, TrainResult
    from pipelines.science.gate.facts import GateFacts


def measure_snapshot(
    context: Context,
    request: GateRequest,
    best: TrainResult,
    champion: Champion | None,
    holdout: pa.Table,
    facts: GateFacts,
) -> GateFacts:
    """Return the facts with what the held-out rows say that are new to both models.

    Where these are too few, with what both score over folds of all rows.
    """
    fair = fair_rows(context, champion, holdout)
    whole = labelled_rows.whole_snapshot(context, request.features)
    snapshot = SnapshotFacts(
        held=holdout.num_rows,
        fair=fair.count,
        challenger_sides=best.sides == sides_of(context.spec),
        champion_sides=fair.champion_sides,
        why_folds=why_folds(context.spec, holdout, fair, whole.num_rows),
    )
    facts = replace(facts, rows=fair.count, snapshot=snapshot)
    if not snapshot.why_folds:
        return _measure_fair_rows(context, best, champion, holdout, fair, facts)
    context.log.info("%s: all %d rows are judged over folds", snapshot.why_folds, whole.num_rows)
    return _measure_over_folds(context, request.train, best, champion, whole, facts)


def _measure_fair_rows(
    context: Context,
    best: TrainResult,
    champion: Champion | None,
    holdout: pa.Table,
    fair: FairRows,
    facts: GateFacts,
) -> GateFacts:
    """Return the facts from the held-out rows: measured on all, compared on those new to both."""
    answers = read_answers(context, best, holdout)
    facts = measure_answers(context, best, answers, facts)
    if not fair.count:
        error = "no held-out row is new to both"
        return replace(facts, opponent=replace(facts.opponent, error=error))
    opponent = compare_with_opponent(context, answers.take(fair.mask), champion, facts.judging)
    return replace(facts, opponent=opponent)


def _measure_over_folds(
    context: Context,
    trained: list[TrainResult],
    best: TrainResult,
    champion: Champion | None,
    whole: pa.Table,
    facts: GateFacts,
) -> GateFacts:
    """Return the facts with what both models score when they are fitted again, fold by fold.

    What cannot be cut into folds is refused, in words.
    """
    facts = replace(facts, rows=whole.num_rows)
    try:
        with (
            limit_threads(context.settings.threads),
            own_code_of(context) as own,
        ):
            refits = Refits(context, whole, trained, own)
            challenger = refits.challenger(best)
            opponent = opponent_over_folds(context, refits, champion, challenger, facts.judging)
    except BadData as error:
        return replace(facts, opponent=replace(facts.opponent, error=str(error)))
    return replace(
        facts,
        metrics=challenger.means,
        promise=refits.promise(challenger),
        opponent=opponent,
        snapshot=(
            replace(facts.snapshot, folds=refits.text, groups=refits.groups)
            if facts.snapshot
            else None
        ),
        **anomaly_facts_over_folds(
            context.spec, whole, challenger.flags, learnt_from=refits.learnt_from
        ),
    )
