"""All that the gate is told of a run: its challenger and its opponent, on rows new to both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from pipelines.data import labelled_rows
from pipelines.judging.causes import cause_of
from pipelines.judging.checks import measure_checks
from pipelines.judging.held_out import Answers, measure_answers, read_answers
from pipelines.judging.opponents import compare_with_opponent
from pipelines.judging.renewal import renew
from pipelines.judging.snapshots import measure_snapshot
from pipelines.judging.succession import compare_clusters
from pipelines.judging.trial_server import running_server
from pipelines.science.gate.facts import GateFacts, Opponent
from pipelines.science.gate.rules import choose_rule
from pipelines.spec.rule_problems import why_no_renewal
from pipelines.tasks import finds_classes, stand_in_of

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.context import Context
    from pipelines.judging.trial_server import Servers
    from pipelines.ledger import Champion
    from pipelines.messages import GateRequest, TrainResult
    from pipelines.science.gate.facts import Judging


Renewing = Callable[
    ["Context", "GateRequest", "TrainResult", Answers, "pa.Table", "Judging"],
    tuple[Answers, "Judging"],
]
"""What fits a challenger's recipe again: `renew`, or one that remembers what it answered."""


def measure_challenger(
    context: Context,
    request: GateRequest,
    best: TrainResult | None,
    champion: Champion | None,
    *,
    renewing: Renewing = renew,
    servers: Servers = running_server,
) -> GateFacts:
    """Return what the gate is told of the chosen candidate; `best` is None where there is none.

    `servers` gives the real server in which it is asked.
    """
    spec = context.spec
    holdout, interval = labelled_rows.holdout(context, request.features)
    cause = cause_of(context.ports.ledger, spec.name, request.run, request.features.as_of)
    judging = choose_rule(spec.gate, spec.task, cause)
    if champion is None:  # nobody is there whom the recipe could take over from
        judging = replace(judging, asks_renewal=False)
    facts = GateFacts(
        name=best.candidate if best else "",
        dummy=spec.candidate(best.candidate).declaration.dummy if best else False,
        metrics={},
        rows=holdout.num_rows,
        holdout=interval,
        fitted_on=best.fitted_on if best else None,
        opponent=Opponent("champion" if champion else stand_in_of(spec.task)),
        judging=judging,
    )
    if best is None:
        return replace(facts, opponent=replace(facts.opponent, error="there is no challenger"))
    if spec.is_snapshot:
        if judging.asks_renewal:
            why = why_no_renewal(spec.gate.versus_champion.metric, spec.task, is_snapshot=True)
            facts = replace(facts, judging=judging.without_renewal(why))
        facts = measure_snapshot(context, request, best, champion, holdout, facts)
    else:
        answers, judging = renewing(
            context, request, best, read_answers(context, best, holdout), holdout, judging
        )
        facts = replace(facts, judging=judging)
        facts = measure_answers(context, best, answers, facts)
        opponent = compare_with_opponent(context, answers, champion, judging)
        facts = replace(facts, opponent=opponent)
    if finds_classes(spec.task):
        answers = read_answers(context, best, holdout)
        facts = replace(facts, succession=compare_clusters(context, answers, champion))
    checks = measure_checks(context, request.features, best, champion, holdout, servers)
    return replace(facts, checks=checks)
