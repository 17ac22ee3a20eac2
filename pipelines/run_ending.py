"""How a retraining ends, in the ledger and in the registry.

`close` says so when every task has ended. In Airflow a failed run may be cleared "only failed"
later: then the tasks that had failed run again and `close`, which had not failed, does not. So
whoever decides later (`gate`, `deploy`) amends what `close` said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.incidents import note_outcome
from pipelines.ledger import Outcome, outcomes
from pipelines.verdicts import words

if TYPE_CHECKING:
    from pipelines.context import Context
    from pipelines.messages import DeployResult, GateResult
    from pipelines.registry.port import RunState


def outcome_of(
    gate: GateResult | None, deploy: DeployResult | None, *, built: bool = True
) -> tuple[Outcome, RunState]:
    """Return what came of a run that got so far, and the state in which its run in the registry
    ends.
    """
    if deploy is not None:
        return Outcome(outcome="deployed", version=deploy.version, reasons=[]), "FINISHED"
    if gate is not None and gate.verdict == "refuse":
        return Outcome(outcome="refused", version=gate.version, reasons=gate.reasons), "FINISHED"
    version = gate.version if gate else None
    why = words.how_it_ended(version, built=built)
    return Outcome(outcome="failed", version=version or "", reasons=[why]), "FAILED"


def end(context: Context, parent_run: str, outcome: Outcome, state: RunState) -> None:
    """End the parent run in the registry; the same again changes nothing."""
    registry = context.ports.registry
    registry.log(parent_run, params={}, metrics={}, tags={"outcome": outcome.outcome})
    if registry.state(parent_run) != state:
        registry.close(parent_run, state)


def amend(context: Context, run: str, gate: GateResult, deploy: DeployResult | None = None) -> None:
    """Write down how far a run has come by now, where `close` called it failed already.

    Else `close` is yet to come.
    """
    ledger, model = context.ports.ledger, context.spec.name
    ending = outcomes.find_outcome(ledger, model, run)
    if ending is None or ending.outcome != "failed":
        return
    outcome, state = outcome_of(gate, deploy)
    outcomes.record(ledger, model, run, outcome)
    entry = outcomes.newest(ledger, model, "outcome", run)
    if entry is not None:
        note_outcome(ledger, model, entry)
    end(context, context.ports.registry.parent(model, run, {}), outcome, state)
    context.log.info("run %s, which had failed, goes on: %s", run, outcome.outcome)
