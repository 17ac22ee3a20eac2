"""What incidents are made of: checks of windows, and what came of runs, entered and noted."""

from __future__ import annotations

from pipelines.incidents import note_check, note_outcome
from pipelines.ledger import DriftCheck, Outcome, outcomes
from tests.unit.steps.verdicts import drifted

MODEL = "sales"


def check(ledger, day, verdict="alarm", run=None, **more):
    """Enter a drift check of a day's window, and note it."""
    found = drifted(day, verdict=verdict, **more)
    decision = DriftCheck(**found.model_dump(), run=run or f"run-{day}")
    entry = ledger.append(MODEL, run or f"run-{day}", decision)
    return note_check(ledger, MODEL, entry)


def ended(ledger, run, outcome, version="", **more):
    outcomes.record(ledger, MODEL, run, Outcome(outcome=outcome, version=version, reasons=["so"]))
    entry = outcomes.newest(ledger, MODEL, "outcome", run)
    return note_outcome(ledger, MODEL, entry, **more)
