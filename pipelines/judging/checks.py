"""What the gate is told for the further checks that its spec asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.errors import BadData, ModelFailed, Refused, SpecError
from pipelines.judging.cost import measure_cost
from pipelines.judging.held_out import read_answers
from pipelines.judging.leak import measure_leaks
from pipelines.judging.opponents import pair_with_opponent
from pipelines.judging.refit_comparison import fair_rows
from pipelines.judging.served_model import served_model
from pipelines.judging.slices import measure_slices
from pipelines.science.gate.further import CheckFacts
from pipelines.science.gate.leak_check import LeakFacts
from pipelines.science.gate.served_check import ServedFacts
from pipelines.science.gate.slice_check import SliceFacts

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.context import Context
    from pipelines.judging.held_out import Answers
    from pipelines.ledger import Champion
    from pipelines.messages import FeaturesResult, TrainResult


def measure_checks(
    context: Context,
    features: FeaturesResult,
    best: TrainResult,
    champion: Champion | None,
    holdout: pa.Table,
) -> CheckFacts:
    """Return what is known for the checks; nothing is measured that the spec does not ask for.

    Two models are compared on the held-out rows that are new to both, of a snapshot too that is
    otherwise judged over folds.
    """
    gate = context.spec.gate
    if not gate.has_further_checks:
        return CheckFacts()
    answers = read_answers(context, best, holdout)
    if context.spec.is_snapshot:
        fair = answers.take(fair_rows(context, champion, holdout).mask)
    else:
        fair = answers
    return CheckFacts(
        slices=_slices(context, fair, champion),
        leak=_leak(context, answers),
        served=_served(context, features, best),
    )


def _slices(context: Context, answers: Answers, champion: Champion | None) -> SliceFacts | None:
    if context.spec.gate.slices is None:
        return None
    if not answers.rows.num_rows:
        return SliceFacts(error="no held-out row is new to both")
    try:
        return measure_slices(context, *pair_with_opponent(context, answers, champion))
    except BadData as error:
        return SliceFacts(error=str(error))


def _served(context: Context, features: FeaturesResult, best: TrainResult) -> ServedFacts | None:
    gate = context.spec.gate
    if not (gate.size or gate.latency or gate.golden):
        return None
    try:
        with served_model(context, features, best) as model:
            return measure_cost(model, gate)
    except (BadData, SpecError, Refused, ModelFailed) as error:
        return ServedFacts(error=str(error))


def _leak(context: Context, answers: Answers) -> LeakFacts | None:
    if context.spec.gate.leak is None:
        return None
    try:
        return measure_leaks(context.spec, answers.rows, answers.classes)
    except BadData as error:
        return LeakFacts(error=str(error))
