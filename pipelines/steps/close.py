"""End the run in the registry, whatever came of it.

What was decided is FINISHED, what broke on the way is FAILED.
"""

from __future__ import annotations

from pipelines.context import Context
from pipelines.deployment import orders
from pipelines.incidents import note_outcome
from pipelines.ledger import outcomes
from pipelines.messages import CloseRequest, CloseResult
from pipelines.run_ending import end, outcome_of
from pipelines.watch.situation import is_stopped

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
    _note(context, request.run)
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


def _note(context: Context, run: str) -> None:
    """Open or close incidents by what came of the run, as the ledger has it."""
    ledger, model = context.ports.ledger, context.spec.name
    entry = outcomes.newest(ledger, model, "outcome", run)
    if entry is not None:
        note_outcome(ledger, model, entry, stopped=is_stopped(context, entry.at))
