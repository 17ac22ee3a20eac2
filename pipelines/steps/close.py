"""End the run in the registry, whatever came of it: what was decided is FINISHED, what broke on the way is FAILED."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.steps import deployment, outcomes
from pipelines.steps.context import Context
from pipelines.steps.outcomes import Outcome
from pipelines.steps.values import Closed, CloseRequest

if TYPE_CHECKING:
    from pipelines.registry.port import RunState

STEP = "close"
Request = CloseRequest

NOTHING = "NOTHING"
"""The state where no run was ever opened."""


def run(context: Context, request: CloseRequest) -> Closed:
    """Return how the parent run ended; the same again changes nothing, and a run that was mended after it failed is FINISHED.

    What came of the run is written into the ledger, where whoever asked for it looks for it.
    """
    outcome, state = _outcome(request)
    outcomes.record(context.ports.ledger, context.spec.name, request.run, outcome)
    if request.features is None:
        context.log.info("nothing to close: the run ended before its features were built")
        return Closed(state=NOTHING)
    if state == "FAILED":
        # A release of this run that nobody crowned must not stay; where `deploy` is cleared later it makes the next one.
        deployment.reconcile(context)
    registry, run_id = context.ports.registry, request.features.parent_run
    registry.log(run_id, params={}, metrics={}, tags={"outcome": outcome.outcome})
    if registry.state(run_id) != state:
        registry.close(run_id, state)
    context.log.info("run %s: %s (%s)", request.run, outcome.outcome, state)
    return Closed(state=state)


def _outcome(request: CloseRequest) -> tuple[Outcome, RunState]:
    gate = request.gate
    if request.deploy is not None:
        return Outcome(outcome="deployed", version=request.deploy.version, reasons=[]), "FINISHED"
    if gate is not None and gate.verdict == "refuse":
        return Outcome(outcome="refused", version=gate.version, reasons=gate.reasons), "FINISHED"
    if gate is not None:
        why = f"version {gate.version} was promoted, but not deployed"
    elif request.features is not None:
        why = "the run ended before its challenger was judged"
    else:
        why = "the run ended before its features were built"
    return Outcome(outcome="failed", version=gate.version if gate else "", reasons=[why]), "FAILED"
