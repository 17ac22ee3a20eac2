"""Requests for a retraining, in the ledger.

One per window, one open at a time, and a cooldown between them.

A request is an entry `retrain_request` under the next number. Of two that are written at once one
finds the other's entry under its number, because the ledger holds a key once; so neither a repeat,
nor a second scheduler, nor a kill makes two.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pipelines.intervals import iso
from pipelines.ledger import RequestConf, RetrainRequest, outcomes
from pipelines.verdicts.words import join

if TYPE_CHECKING:
    from datetime import datetime

    from pipelines.intervals import Interval
    from pipelines.ledger import Entry, Ledger
    from pipelines.messages import DriftResult
    from pipelines.spec import Drift

OPEN_FOR = timedelta(hours=24)
"""After this long a request of which nothing was heard is taken to be lost, and holds nobody up any
more."""

REASON = 500
"""Characters that the reason of a run may have (see `trigger_conf.RetrainConf`)."""


def run_id(model: str, window: Interval) -> str:
    """Return the name of the retraining that a window starts.

    The same window always names the same one.
    """
    return f"drift__{model}__{iso(window.end)}"


def request_for(
    model: str, result: DriftResult, asked_by: str, *, newest: bool = False
) -> RetrainRequest:
    """Return what a window's request says; `asked_by` is the drift run.

    With `newest` the retraining reads what there is when it runs, as a snapshot has it.
    """
    reason = "drift: " + join(result.reasons)
    return RetrainRequest(
        run_id=run_id(model, result.window),
        window=result.window,
        reasons=[r[: outcomes.WORDS] for r in result.reasons[: outcomes.REASONS]],
        conf=RequestConf(
            **({} if newest else {"as_of": result.window.end}),
            reason=reason if len(reason) <= REASON else reason[: REASON - 1] + "…",
        ),
        asked_by=asked_by,
    )


def ask(
    ledger: Ledger, model: str, request: RetrainRequest, rules: Drift, now: datetime
) -> tuple[Entry | None, str]:
    """Return the window's request, entering it where it is new.

    Or None, and in words what holds it back.

    `now` is by the ledger's clock.
    """
    while True:
        entries = ledger.entries(model, "retrain_request")
        own = [e for e in entries if e.read(RetrainRequest).run_id == request.run_id]
        if own:
            return own[0], ""
        why = _why_held(ledger, model, entries, request, rules, now)
        if why:
            return None, why
        # Whoever is faster takes the number; the next look finds the own request there, or another
        # one.

        ledger.append(model, f"{len(entries) + 1:06d}", request)


def find_open_request(ledger: Ledger, model: str, now: datetime) -> Entry | None:
    """Return the newest request that is open.

    Nothing came of it yet, and it is younger than a day by the ledger's clock.
    """
    return _newest_open(ledger, model, ledger.entries(model, "retrain_request"), now)


def _newest_open(ledger: Ledger, model: str, entries: list[Entry], now: datetime) -> Entry | None:
    young = [e for e in reversed(entries) if now - e.at < OPEN_FOR]
    for entry in young:
        request = entry.decision
        if (
            isinstance(request, RetrainRequest)
            and outcomes.find_outcome(ledger, model, request.run_id) is None
        ):
            return entry
    return None


def _why_held(
    ledger: Ledger,
    model: str,
    entries: list[Entry],
    request: RetrainRequest,
    rules: Drift,
    now: datetime,
) -> str:
    """Return in words why no new request may be entered, or nothing."""
    open_request = _newest_open(ledger, model, entries, now)
    if open_request is not None:
        return (
            f"the retraining {open_request.read(RetrainRequest).run_id} was asked for at"
            f" {iso(open_request.at.replace(microsecond=0))} and has not ended yet"
        )
    if not entries:
        return ""
    latest = max((e.read(RetrainRequest) for e in entries), key=lambda r: r.window.end)
    end, last = request.window.end, latest.window.end
    if end <= last:
        return (
            f"the later window until {iso(last)} has asked for a retraining already"
            f" ({latest.run_id})"
        )
    if end - last < rules.cooldown:
        return (
            f"cooldown: the window until {iso(last)} asked for {latest.run_id}, and"
            f" {_days(rules.cooldown)} must lie between them"
        )
    return ""


def _days(duration: timedelta) -> str:
    """Return a duration as one would say it: 7 days, 12 hours."""
    hours = duration.total_seconds() / 3_600
    # A day's hours.
    number, unit = (hours / 24, "day") if hours >= 24 else (hours, "hour")  # noqa: PLR2004
    return f"{number:g} {unit}{'' if number == 1 else 's'}"
