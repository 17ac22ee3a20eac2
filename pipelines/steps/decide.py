"""`decide`: whether a window starts a retraining, once per window, and in words why or why not.

The spec's policy says so (`retrain`, see `science.policy`). It asks no clock: how long ago a
request was made is counted from it to the moment at which the ledger took down this run's own
verdict.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pipelines.context import Context
from pipelines.errors import RequestError
from pipelines.incidents import note_check
from pipelines.ledger import DriftCheck, RetrainHold, RetrainRequest, outcomes
from pipelines.messages import DecideRequest, DecideResult
from pipelines.science.policy import why_held, wish_for_retraining
from pipelines.watch import retrain_requests
from pipelines.watch.situation import situation_of
from pipelines.watch.window import rules_of

if TYPE_CHECKING:
    from pipelines.ledger import Entry
    from pipelines.science.policy import Situation


def run(context: Context, request: DecideRequest) -> DecideResult:
    """Return whether to start a retraining; again for the same window it is the same one.

    What the policy asks for and something holds back is written down with the reason; an alarm
    opens an incident, and a sound window closes it. Raises RequestError where the ledger holds no
    such verdict.
    """
    rules_of(context.spec)
    model, policy, ledger = context.spec.name, context.spec.policy, context.ports.ledger
    verdict, drift_result = _read_verdict(context, request), request.drift
    note_check(ledger, model, verdict)
    asked = retrain_requests.find_request(
        ledger, model, retrain_requests.run_id(model, drift_result.window)
    )
    # What these went by has moved on since they asked: the clock, and what a fit would gain.
    if asked and policy.by in {"schedule", "value"} and drift_result.verdict != "alarm":
        return _start(context, asked, asked.read(RetrainRequest).conf.reason)
    situation = situation_of(context, drift_result, verdict.at)
    if policy.by == "value" and drift_result.verdict != "alarm":
        # A probe costs a fit, so that it is asked last.
        if held := why_held(policy, situation):
            if situation.broken:  # else nobody would learn why a model is never retrained
                return _hold(context, request, held, held)
            return _log_decision(context, _none(held))
        situation = _with_gain(context, situation)
    wish = wish_for_retraining(policy, situation)
    if not wish.start:
        return _log_decision(context, _none(wish.why))
    retrain_request = retrain_requests.request_for(
        model, drift_result, request.run, policy, wish.why, newest=context.spec.is_snapshot
    )
    entry, choice = retrain_requests.ask(ledger, model, retrain_request, policy, situation)
    if entry is not None:
        return _start(context, entry, wish.why)
    return _hold(context, request, wish.why, choice.why)


def _hold(context: Context, request: DecideRequest, wish: str, why: str) -> DecideResult:
    """Write down what holds a retraining back that is wished for, and return that none starts."""
    spec, ledger = context.spec, context.ports.ledger
    held = retrain_requests.request_for(
        spec.name, request.drift, request.run, spec.policy, wish, newest=spec.is_snapshot
    )
    entry = RetrainHold(run_id=held.run_id, window=held.window, why=why, reasons=held.reasons)
    outcomes.append_changed(ledger, spec.name, request.run, entry)
    return _log_decision(context, _none(why))


def _with_gain(context: Context, situation: Situation) -> Situation:
    from pipelines.judging.retraining_gain import measure_gain

    champion = context.ports.ledger.champion(context.spec.name)
    found = measure_gain(context, champion, situation.window_end)
    return replace(situation, gain=found.expected, gain_proven=found.proven, no_gain=found.why)


def _none(why: str) -> DecideResult:
    return DecideResult(start=False, why=why, run_id="", conf={})


def _start(context: Context, entry: Entry, why: str) -> DecideResult:
    request = entry.read(RetrainRequest)
    return _log_decision(
        context,
        DecideResult(
            start=True,
            why=f"{why} (request {entry.key})",
            run_id=request.run_id,
            conf=request.conf.model_dump(mode="json", exclude_none=True),
        ),
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
