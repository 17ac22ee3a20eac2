"""Requests for a retraining, in the ledger.

One per window, and when one may be entered is up to the policy (see `science.policy`).

A request is an entry `retrain_request` under the next number. Of two that are written at once one
finds the other's entry under its number, because the ledger holds a key once; so neither a repeat,
nor a second scheduler, nor a kill makes two.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pipelines.intervals import iso
from pipelines.ledger import Outcome, RequestConf, RetrainRequest, outcomes
from pipelines.science.policy import (
    OPEN_FOR,
    Choice,
    PastRequest,
    Situation,
    decide_retraining,
)
from pipelines.turns.line import LineReader, find_decline
from pipelines.verdicts.words import join

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pipelines.intervals import Interval
    from pipelines.ledger import Entry, Ledger
    from pipelines.messages import DriftResult
    from pipelines.spec.retrain import Retrain

REASON = 500
"""Characters that the reason of a run may have (see `trigger_conf.RetrainConf`)."""


def run_id(model: str, window: Interval) -> str:
    """Return the name of the retraining that a window starts.

    The same window always names the same one.
    """
    return f"drift__{model}__{iso(window.end)}"


def request_for(
    model: str, result: DriftResult, asked_by: str, policy: Retrain, why: str, *, newest: bool
) -> RetrainRequest:
    """Return what a window's request says; `asked_by` is the drift run, `why` the policy's word.

    With `newest` the retraining reads what there is when it runs, as a snapshot has it.
    """
    by_change = policy.by == "change"
    reason = f"drift: {join(result.reasons)}" if by_change else f"{policy.by}: {why}"
    return RetrainRequest(
        run_id=run_id(model, result.window),
        window=result.window,
        reasons=[r[: outcomes.WORDS] for r in result.reasons[: outcomes.REASONS]],
        conf=RequestConf(
            **({} if newest else {"as_of": result.window.end}),
            reason=reason if len(reason) <= REASON else reason[: REASON - 1] + "…",
        ),
        asked_by=asked_by,
        **({} if by_change else {"policy": policy.by}),
    )


def find_request(ledger: Ledger, model: str, run: str) -> Entry | None:
    """Return the request that names a retraining; None where no window has asked for it."""
    entries = ledger.entries(model, "retrain_request")
    return next((e for e in entries if e.read(RetrainRequest).run_id == run), None)


def ask(
    ledger: Ledger, model: str, request: RetrainRequest, policy: Retrain, situation: Situation
) -> tuple[Entry | None, Choice]:
    """Return the window's request, entering it where it is new, and what the policy decided.

    None where it starts none. The past of the situation is read anew each time: between a look and
    an entry somebody else may have asked.
    """
    while True:
        entries = ledger.entries(model, "retrain_request")
        own = [e for e in entries if e.read(RetrainRequest).run_id == request.run_id]
        if own:
            return own[0], Choice(start=True, why=request.conf.reason)
        known = replace(situation, past=past_requests(ledger, model, entries))
        choice = decide_retraining(policy, known)
        if not choice.start:
            return None, choice
        # Whoever is faster takes the number; the next look finds the own request there, or another
        # one.

        ledger.append(model, f"{len(entries) + 1:06d}", request)


def past_requests(
    ledger: Ledger, model: str, entries: Sequence[Entry] | None = None
) -> list[PastRequest]:
    """Return what windows have asked for, oldest first, each with what came of it.

    Those that the fleet's budget declined have asked for nothing: a later window may.
    """
    ended = {
        str(entry.body.get("run", entry.key)): entry
        for entry in ledger.entries(model, "outcome")  # the newest one of a run stays
    }
    turns, past = LineReader(ledger.entries(model, "turn")), []
    for entry in ledger.entries(model, "retrain_request") if entries is None else entries:
        request = entry.read(RetrainRequest)
        outcome, turn = ended.get(request.run_id), turns.last(model, request.run_id)
        if outcome is None and turn is not None and turn.event == "declined":
            continue
        past.append(
            PastRequest(
                run_id=request.run_id,
                moment=entry.at,
                window_end=request.window.end,
                ended=outcome.read(Outcome).outcome if outcome is not None else None,
            )
        )
    return past


def find_open_request(ledger: Ledger, model: str, now: datetime) -> Entry | None:
    """Return the newest request that is open.

    Nothing came of it yet, and it is younger than a day by the ledger's clock.
    """
    for entry in reversed(ledger.entries(model, "retrain_request")):
        request = entry.decision
        if (
            now - entry.at < OPEN_FOR
            and isinstance(request, RetrainRequest)
            and outcomes.find_outcome(ledger, model, request.run_id) is None
            and find_decline(ledger, model, request.run_id) is None
        ):
            return entry
    return None
