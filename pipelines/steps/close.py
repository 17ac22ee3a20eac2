"""End the run in the registry, whatever came of it.

What was decided is FINISHED, what broke on the way is FAILED.
"""

from __future__ import annotations

from pipelines.context import Context
from pipelines.deployment import orders
from pipelines.ledger import outcomes
from pipelines.messages import CloseRequest, CloseResult
from pipelines.run_ending import end, outcome_of

NOTHING = "NOTHING"
"""The state where no run was ever opened."""


def run(context: Context, request: CloseRequest) -> CloseResult:
    """Return how the parent run ended.

    The same again changes nothing, and a run that was mended after it failed is FINISHED.

    What came of the run is written into the ledger, where whoever asked for it looks for it.
    """
    verdict = request.approve or request.gate
    outcome, state = outcome_of(verdict, request.deploy, built=request.features is not None)
    outcomes.record(context.ports.ledger, context.spec.name, request.run, outcome)
    if request.features is None:
        context.log.info("nothing to close: the run ended before its features were built")
        return CloseResult(state=NOTHING)
    if state == "FAILED":
        # A release of this run that nobody crowned must not stay; where `deploy` is cleared later
        # it makes the next one.

        orders.reconcile(context)
    end(context, request.features.parent_run, outcome, state)
    context.log.info("run %s: %s (%s)", request.run, outcome.outcome, state)
    return CloseResult(state=state)
