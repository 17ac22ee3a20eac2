"""End the run in the registry, whatever came of it: what was decided is FINISHED, what broke on the way is FAILED."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.steps import releases
from pipelines.steps.context import Context
from pipelines.steps.values import Closed, CloseRequest

if TYPE_CHECKING:
    from pipelines.registry.port import RunState

STEP = "close"
Request = CloseRequest

NOTHING = "NOTHING"
"""The state where no run was ever opened."""


def run(context: Context, request: CloseRequest) -> Closed:
    """Return how the parent run ended; the same again changes nothing, and a run that was mended after it failed is FINISHED."""
    if request.features is None:
        context.log.info("nothing to close: the run ended before its features were built")
        return Closed(state=NOTHING)
    outcome, state = _outcome(request)
    if state == "FAILED":
        # A release of this run that nobody crowned must not stay; where `deploy` is cleared later it makes the next one.
        releases.reconcile(context)
    registry, run_id = context.ports.registry, request.features.parent_run
    registry.log(run_id, params={}, metrics={}, tags={"outcome": outcome})
    if registry.state(run_id) != state:
        registry.close(run_id, state)
    context.log.info("run %s: %s (%s)", request.run, outcome, state)
    return Closed(state=state)


def _outcome(request: CloseRequest) -> tuple[str, RunState]:
    if request.deploy is not None:
        return "deployed", "FINISHED"
    if request.gate is not None and request.gate.verdict == "refuse":
        return "refused", "FINISHED"
    return "failed", "FAILED"
