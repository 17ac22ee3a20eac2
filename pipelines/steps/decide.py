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
    spec, ledger, drift_result = context.spec, context.ports.ledger, request.drift
    rules, verdict = rules_of(spec), _read_verdict(context, request)
    if drift_result.verdict != "drift":
        return _log_decision(
            context,
            DecideResult(start=False, why=NO_RETRAINING[drift_result.verdict], run_id="", conf={}),
        )
    retrain_request = retrain_requests.request_for(
        spec.name, drift_result, request.run, newest=spec.is_snapshot
    )
    entry, why = retrain_requests.ask(ledger, spec.name, retrain_request, rules, verdict.at)
    if entry is None:
        hold = RetrainHold(
            run_id=retrain_request.run_id,
            window=retrain_request.window,
            why=why,
            reasons=retrain_request.reasons,
        )
        outcomes.append_changed(ledger, spec.name, request.run, hold)
        return _log_decision(context, DecideResult(start=False, why=why, run_id="", conf={}))
    request_in_ledger = entry.read(RetrainRequest)
    because = (
        f"the window until {iso(retrain_request.window.end)} has drifted (request {entry.key})"
    )
    conf = request_in_ledger.conf.model_dump(mode="json", exclude_none=True)
    return _log_decision(
        context, DecideResult(start=True, why=because, run_id=request_in_ledger.run_id, conf=conf)
    )


def _read_verdict(context: Context, request: DecideRequest) -> Entry:
    """Return the run's newest verdict in the ledger, which must be the one in the request."""
    model, drift_result = context.spec.name, request.drift
    entry = outcomes.newest(context.ports.ledger, model, "drift", request.run)
    check = entry.read(DriftCheck) if entry is not None else None
    if (
        entry is None
        or check is None
        or (check.verdict, check.window) != (drift_result.verdict, drift_result.window)
    ):
        raise RequestError(
            f"The ledger holds no verdict {drift_result.verdict!r} of the run {request.run} on"
            f" {model}.",
            remedy="run `drift` of this run first.",
        )
    return entry


def _log_decision(context: Context, result: DecideResult) -> DecideResult:
    if result.start:
        context.log.info("a retraining starts, %s: %s", result.run_id, result.why)
    else:
        context.log.info("no retraining: %s", result.why)
    return result
