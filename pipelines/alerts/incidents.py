"""What there is to tell of a model, read from the ledger: what begins, and what is over.

Most of it are the incidents (`pipelines.incidents`), each of them one thing that is wrong, however
often it shows. Two things are no such incidents. A refusal is told of once and is never over: it
is a result, and the next one is another. Rollbacks that the server does not take are one thing
until a version becomes champion.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from pipelines import incidents
from pipelines.incidents import EXPIRES, SETTLES
from pipelines.ledger import Crown, Outcome, ReleaseRefusal
from pipelines.run_names import OVERRIDE, PROMOTION, ROLLBACK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from pipelines.alerts.routes import About
    from pipelines.ledger import Entry, Ledger, What
    from pipelines.ledger.decision import Decision
    from pipelines.ledger.entries import Kind

Matter = Literal[
    "retraining", "deployment", "rollback", "refusal", "stopped", "data", "alarm", "check"
]
"""What a message speaks of; `about` sorts these into what routes are told of."""

_MATTERS: dict[What, Matter] = {
    "alarm": "alarm",
    "quarantine": "data",
    "refused": "stopped",
    "failed_retraining": "retraining",
    "failed_deployment": "deployment",
    "no_check": "check",
}
_ABOUT: dict[Matter, About] = {
    "retraining": "failed",
    "deployment": "failed",
    "rollback": "failed",
    "refusal": "refused",
    "stopped": "refused",
    "data": "data",
    "alarm": "alarm",
    "check": "late",
}
_BY_HAND = (ROLLBACK, PROMOTION, OVERRIDE)
"""How the keys of releases begin that no retraining has made, so that no outcome tells of them."""


@dataclass(frozen=True)
class Event:
    """What began or ended something: when, by which entry (0: by none), why and in which run (""
    where it is of none).
    """

    at: datetime
    seq: int
    reasons: tuple[str, ...] = ()
    run: str = ""


@dataclass(frozen=True)
class Incident:
    """Something that people are told of; `key` names it for ever, `over` is None while it lasts.

    `closed` is when it ended where it may still come back, so that it is not told as over yet.
    """

    model: str
    matter: Matter
    key: str
    opened: Event
    over: Event | None = None
    number: int = 0
    """The number by which people answer it; 0 of what is no incident of the ledger's."""
    closed: datetime | None = None

    @property
    def ended(self) -> datetime | None:
        """When it ended, whether or not that is told already; None while it lasts."""
        return self.closed or (self.over.at if self.over is not None else None)

    @property
    def about(self) -> About:
        """Which routes are told of it."""
        return _ABOUT[self.matter]


def incidents_of(ledger: Ledger, model: str, now: datetime) -> list[Incident]:
    """Return all that there is to tell of a model, the oldest first; `now` is this moment."""
    found = [
        *_of_the_ledger(ledger, model, now),
        *_refusals(ledger, model),
        *_episodes(
            "rollback",
            _of_kinds(ledger, model, "release_refused", "champion"),
            begins=_is_refused_by_hand,
            ends=lambda decision: isinstance(decision, Crown),
        ),
    ]
    return sorted(found, key=lambda incident: (incident.opened.at, incident.opened.seq))


def _of_the_ledger(ledger: Ledger, model: str, now: datetime) -> list[Incident]:
    return [_told_as(ledger, found, now) for found in incidents.all_incidents(ledger, model, now)]


def _told_as(ledger: Ledger, found: incidents.Incident, now: datetime) -> Incident:
    cause = ledger.at(found.first)
    run = cause.run if cause is not None and cause.kind in {"drift", "outcome"} else ""
    refusal = ledger.find(found.model, "release_refused", run) if run else None
    reasons = [found.words]
    if refusal is not None and isinstance(refusal.decision, ReleaseRefusal):
        reasons.append(refusal.decision.difference)
    over = None
    if found.settles is not None:
        if found.settles <= now:
            calm = f"it has not come back for {SETTLES // timedelta(hours=1)} hours"
            over = Event(found.settles, 0, (found.reason, calm))
    elif found.closed is not None:
        why = f"closed by {found.by}: {found.reason}" if found.by else found.reason
        over = Event(found.closed, 0, (why,))
    elif found.is_over:
        over = Event(found.last + EXPIRES, 0, (f"it was not seen for {EXPIRES.days} days",))
    return Incident(
        found.model,
        _MATTERS[found.what],
        f"incident/{found.number}",
        Event(found.opened, found.seq, tuple(reasons), run),
        over,
        found.number,
        found.closed,
    )


def _refusals(ledger: Ledger, model: str) -> list[Incident]:
    return [
        Incident(model, "refusal", f"refusal/{entry.seq}", _make_event(entry))
        for entry in ledger.entries(model, "outcome")
        if isinstance(outcome := entry.decision, Outcome) and outcome.outcome == "refused"
    ]


def _of_kinds(ledger: Ledger, model: str, *kinds: Kind) -> list[Entry]:
    entries = (entry for kind in kinds for entry in ledger.entries(model, kind))
    return sorted(entries, key=lambda entry: entry.seq)


def _is_refused_by_hand(entry: Entry) -> bool:
    return isinstance(entry.decision, ReleaseRefusal) and entry.key.startswith(_BY_HAND)


def _episodes(
    matter: Matter,
    entries: Iterable[Entry],
    *,
    begins: Callable[[Entry], bool],
    ends: Callable[[Decision], bool],
) -> list[Incident]:
    """Return an incident for each stretch from what begins one to what ends it."""
    found: list[Incident] = []
    is_open = False
    for entry in entries:
        if begins(entry) and not is_open:
            found.append(Incident(entry.model, matter, f"{matter}/{entry.seq}", _make_event(entry)))
            is_open = True
        elif is_open and ends(entry.decision):
            found[-1] = replace(found[-1], over=_make_event(entry))
            is_open = False
    return found


def _make_event(entry: Entry) -> Event:
    match entry.decision:
        case ReleaseRefusal() as refusal:
            return Event(entry.at, entry.seq, (refusal.difference,), entry.run)
        case Outcome() as outcome:
            return Event(entry.at, entry.seq, tuple(outcome.reasons), entry.run)
        case Crown() as crown:
            return Event(entry.at, entry.seq, (f"version {crown.version} serves",), entry.run)
        case _:
            return Event(entry.at, entry.seq)
