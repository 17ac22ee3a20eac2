"""`decide`: whether a window starts a retraining, once per window, and in words why or why not.

It asks no clock: how long ago a request was made is counted from it to the moment at which the
ledger took down this run's own verdict.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.context import Context
from pipelines.errors import RequestError
from pipelines.intervals import iso
from pipelines.ledger import DriftCheck, RetrainHold, RetrainRequest, outcomes
from pipelines.messages import DecideRequest, DecideResult
from pipelines.verdicts.words import NO_RETRAINING
from pipelines.watch import retrain_requests
from pipelines.watch.window import rules_of

if TYPE_CHECKING:
    from pipelines.ledger import Entry


def run(context: Context, request: DecideRequest) -> DecideResult:
    """Return whether to start a retraining; again for the same window it is the same one.

    A drift that is held back is written down with the reason. Raises RequestError where the ledger
    holds no such verdict.
    """
    spec, ledger, drifted = context.spec, context.ports.ledger, request.drift
    rules, verdict = rules_of(spec), _read_verdict(context, request)
    if drifted.verdict != "drift":
        return _log_decision(
            context,
            DecideResult(start=False, why=NO_RETRAINING[drifted.verdict], run_id="", conf={}),
        )
    wanted = retrain_requests.request_for(spec.name, drifted, request.run)
    entry, why = retrain_requests.ask(ledger, spec.name, wanted, rules, verdict.at)
    if entry is None:
        hold = RetrainHold(
            run_id=wanted.run_id, window=wanted.window, why=why, reasons=wanted.reasons
        )
        outcomes.append_changed(ledger, spec.name, request.run, hold)
        return _log_decision(context, DecideResult(start=False, why=why, run_id="", conf={}))
    standing = entry.read(RetrainRequest)
    because = f"the window until {iso(wanted.conf.as_of)} has drifted (request {entry.key})"
    conf = standing.conf.model_dump(mode="json")
    return _log_decision(
        context, DecideResult(start=True, why=because, run_id=standing.run_id, conf=conf)
    )


def _read_verdict(context: Context, request: DecideRequest) -> Entry:
    """Return the run's newest verdict in the ledger, which must be the one in the request."""
    model, drifted = context.spec.name, request.drift
    entry = outcomes.newest(context.ports.ledger, model, "drift", request.run)
    check = entry.read(DriftCheck) if entry is not None else None
    if (
        entry is None
        or check is None
        or (check.verdict, check.window) != (drifted.verdict, drifted.window)
    ):
        raise RequestError(
            f"The ledger holds no verdict {drifted.verdict!r} of the run {request.run} on {model}.",
            remedy="run `drift` of this run first.",
        )
    return entry


def _log_decision(context: Context, decided: DecideResult) -> DecideResult:
    if decided.start:
        context.log.info("a retraining starts, %s: %s", decided.run_id, decided.why)
    else:
        context.log.info("no retraining: %s", decided.why)
    return decided
