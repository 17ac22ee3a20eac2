"""What the gate is told for the further checks that its spec asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.comparison.judged import judged_rows
from pipelines.errors import BadData
from pipelines.judging.baselines import measure_baselines
from pipelines.judging.fairness import measure_fairness
from pipelines.judging.flips import measure_flip_facts
from pipelines.judging.held_out import read_answers
from pipelines.judging.leak import measure_leaks
from pipelines.judging.opponents import pair_with_opponent
from pipelines.judging.refit_comparison import fair_rows
from pipelines.judging.served import measure_served
from pipelines.judging.slices import measure_slices
from pipelines.science.gate.flips import FlipFacts
from pipelines.science.gate.further import CheckFacts
from pipelines.science.gate.leak_check import LeakFacts
from pipelines.science.gate.slice_check import SliceFacts

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.context import Context
    from pipelines.judging.held_out import Answers
    from pipelines.judging.pairs import Pair
    from pipelines.judging.trial_server import Servers
    from pipelines.ledger import Champion
    from pipelines.messages import FeaturesResult, TrainResult
    from pipelines.science.gate.baselines import BaselineFacts
    from pipelines.spec import Spec


NO_ROWS = "no held-out row is new to both"


def measure_checks(
    context: Context,
    features: FeaturesResult,
    best: TrainResult,
    champion: Champion | None,
    holdout: pa.Table,
    servers: Servers,
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
    opponent, pair = _pair(context, fair, champion)
    return CheckFacts(
        slices=_slices(context, opponent, pair),
        leak=_leak(context, answers),
        fairness=measure_fairness(context.spec, answers) if gate.fairness else None,
        flips=_flips(context.spec, opponent, pair),
        baselines=_baselines(context, features, answers),
        **measure_served(context, features, best, servers),
    )


def _pair(context: Context, fair: Answers, champion: Champion | None) -> tuple[str, Pair | None]:
    """Return the opponent and both models' answers; None where there are no rows, or no check
    looks at them.
    """
    gate = context.spec.gate
    if not (gate.slices or gate.flips) or not fair.rows.num_rows:
        return "", None
    return pair_with_opponent(context, fair, champion)


def _slices(context: Context, opponent: str, pair: Pair | None) -> SliceFacts | None:
    if context.spec.gate.slices is None:
        return None
    if pair is None:
        return SliceFacts(error=NO_ROWS)
    try:
        return measure_slices(context, opponent, pair)
    except BadData as error:
        return SliceFacts(error=str(error))


def _flips(spec: Spec, opponent: str, pair: Pair | None) -> FlipFacts | None:
    if spec.gate.flips is None:
        return None
    if pair is None:
        return FlipFacts(error=NO_ROWS)
    try:
        return measure_flip_facts(spec, opponent, pair)
    except BadData as error:
        return FlipFacts(error=str(error))


def _baselines(
    context: Context, features: FeaturesResult, answers: Answers
) -> BaselineFacts | None:
    if context.spec.gate.baselines is None:
        return None
    return measure_baselines(context, answers, judged_rows(context, features))


def _leak(context: Context, answers: Answers) -> LeakFacts | None:
    if context.spec.gate.leak is None:
        return None
    try:
        return measure_leaks(context.spec, answers.rows, answers.classes)
    except BadData as error:
        return LeakFacts(error=str(error))
