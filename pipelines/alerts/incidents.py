"""What there is to tell of a model, read from the ledger: incidents that begin and end.

However often the same goes wrong, it is one incident until it goes right again. A refusal is told
of once and is never over: it is a result, and the next one is another.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pipelines.intervals import iso
from pipelines.ledger import (
    Crown,
    DriftCheck,
    Outcome,
    Quarantine,
    ReleaseRefusal,
    Validation,
)
from pipelines.spec.schedules import grace_of, next_due
from pipelines.watch.retrain_requests import find_open_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pipelines.alerts.routes import About
    from pipelines.ledger import Entry, Ledger
    from pipelines.ledger.decision import Decision
    from pipelines.ledger.entries import Kind
    from pipelines.spec import Spec

_LATE = "late/"


@dataclass(frozen=True)
class Event:
    """What began or ended an incident: when, by which entry (0: by the clock), why and in which
    run ("" where it is of none).
    """

    at: datetime
    seq: int
    reasons: tuple[str, ...] = ()
    run: str = ""


@dataclass(frozen=True)
class Incident:
    """Something that people are told of; `key` names it for ever, `over` is None while it lasts."""

    model: str
    about: About
    key: str
    opened: Event
    over: Event | None = None
    page: str = ""
    """The kind of the run's page that shows more; empty where there is none."""


def incidents_of(
    ledger: Ledger, model: str, spec: Spec | None, since: datetime, now: datetime
) -> list[Incident]:
    """Return all incidents of a model, the oldest first.

    `spec` is None where it is broken; then nobody knows when a drift check is due. `since` is when
    the first route began to tell of the model, `now` this moment.
    """
    checks = ledger.entries(model, "drift")
    found = [
        *_episodes(
            "failed",
            _of_kinds(ledger, model, "outcome", "release_refused", "champion"),
            begins=_is_failure,
            ends=lambda d: isinstance(d, Crown) or (isinstance(d, Outcome) and not _is_failure(d)),
        ),
        *_refusals(ledger, model),
        *_episodes(
            "data",
            _of_kinds(ledger, model, "quarantine", "validation"),
            begins=lambda decision: isinstance(decision, Quarantine),
            ends=lambda decision: isinstance(decision, Validation),
        ),
        *_episodes("alarm", checks, begins=_is_alarm, ends=_is_calm, page="drift"),
        *_late_checks(ledger, model, spec, checks, since, now),
    ]
    return sorted(found, key=lambda incident: (incident.opened.at, incident.opened.seq))


def _of_kinds(ledger: Ledger, model: str, *kinds: Kind) -> list[Entry]:
    entries = (entry for kind in kinds for entry in ledger.entries(model, kind))
    return sorted(entries, key=lambda entry: entry.seq)


def _is_failure(decision: Decision) -> bool:
    failed = isinstance(decision, Outcome) and decision.outcome == "failed"
    return failed or isinstance(decision, ReleaseRefusal)


def _is_alarm(decision: Decision) -> bool:
    return isinstance(decision, DriftCheck) and decision.verdict == "alarm"


def _is_calm(decision: Decision) -> bool:
    """Tell whether a check saw its window; one with too few rows says nothing of what was wrong."""
    return isinstance(decision, DriftCheck) and decision.verdict in {"no_drift", "drift"}


def _episodes(
    about: About,
    entries: Iterable[Entry],
    *,
    begins: Callable[[Decision], bool],
    ends: Callable[[Decision], bool],
    page: str = "",
) -> list[Incident]:
    """Return an incident for each stretch from what begins one to what ends it."""
    incidents: list[Incident] = []
    is_open = False
    for entry in entries:
        decision = entry.decision
        if begins(decision) and not is_open:
            key = f"{about}/{entry.seq}"
            incidents.append(Incident(entry.model, about, key, _event(entry), page=page))
            is_open = True
        elif is_open and ends(decision):
            last = incidents[-1]
            over = _event(entry)
            incidents[-1] = Incident(last.model, about, last.key, last.opened, over, page)
            is_open = False
    return incidents


def _event(entry: Entry) -> Event:
    match entry.decision:
        case ReleaseRefusal() as refusal:
            return Event(entry.at, entry.seq, (refusal.difference,), entry.run)
        case Quarantine() as quarantine:
            batch = f"batch {iso(quarantine.interval.start)}"
            return Event(entry.at, entry.seq, (batch, *quarantine.reasons))
        case Outcome() | DriftCheck() as decision:
            return Event(entry.at, entry.seq, tuple(decision.reasons), entry.run)
        case Crown() as crown:
            return Event(entry.at, entry.seq, (f"version {crown.version} serves",), entry.run)
        case _:
            return Event(entry.at, entry.seq, (), entry.run)


def _refusals(ledger: Ledger, model: str) -> list[Incident]:
    return [
        Incident(model, "refused", f"refused/{entry.seq}", _event(entry), page="verdict")
        for entry in ledger.entries(model, "outcome")
        if isinstance(outcome := entry.decision, Outcome) and outcome.outcome == "refused"
    ]


def _late_checks(
    ledger: Ledger,
    model: str,
    spec: Spec | None,
    checks: Sequence[Entry],
    since: datetime,
    now: datetime,
) -> list[Incident]:
    """Return the drift check that is late now, and those that were told of as late.

    The clock alone opens such an incident, so the outbox writes down that it was noticed.
    """
    late = [
        _noticed_late(model, spec, entry, checks, now)
        for entry in ledger.entries(model, "alert")
        if entry.body.get("state") == "noticed"
    ]
    if spec is None or spec.drift is None:
        return late
    newest = max([entry.at for entry in checks[-1:]], default=since)
    due = next_due(spec.drift.schedule, newest)
    if now <= due + grace_of(spec.drift.schedule, due):
        return late
    if find_open_request(ledger, model, now) is not None:
        return late  # the drift DAG waits for the retraining that it has started
    key = _LATE + iso(due)
    if all(incident.key != key for incident in late):
        late.append(Incident(model, "late", key, Event(now, 0, (_never_ran(due),))))
    return late


def _noticed_late(
    model: str, spec: Spec | None, noticed: Entry, checks: Sequence[Entry], now: datetime
) -> Incident:
    due = datetime.fromisoformat(noticed.key.removeprefix(_LATE))
    came = next((entry for entry in checks if entry.at >= due), None)
    over = None
    if came is not None:
        over = Event(came.at, came.seq, (), came.run)
    elif spec is not None and spec.drift is None:
        over = Event(now, 0, ("the model is not watched any more",))
    opened = Event(noticed.at, noticed.seq, (_never_ran(due),))
    return Incident(model, "late", noticed.key, opened, over, "drift")


def _never_ran(due: datetime) -> str:
    return f"the check that was due at {iso(due)} has not run"
