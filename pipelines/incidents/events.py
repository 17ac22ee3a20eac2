"""Incidents are opened, answered and closed here: an entry for each, and each once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pipelines.errors import RequestError
from pipelines.incidents.state import is_live, lives_of, states_of
from pipelines.intervals import iso
from pipelines.ledger import IncidentEvent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.incidents.state import Incident, Life
    from pipelines.ledger import Ledger, What
    from pipelines.ledger.incident_entries import IncidentStep

WORDS = 1_000
"""Characters of what is said of an incident."""
NAME = 100
"""Characters of a person's name."""
LONGEST_SNOOZE = timedelta(days=90)


def open_incident(
    ledger: Ledger,
    model: str,
    what: What,
    cause: str,
    words: str,
    now: datetime,
    *,
    first: int | None = None,
) -> int | None:
    """Open an incident and return its number; where one of its kind and cause is open, that one's.

    One that Perennial closed less than SETTLES ago is open again instead: a feed that is broken
    every other hour is one incident. `first` is the number of the entry that led to it. None where
    that entry belongs to an incident that is over: noting it again opens none. `now` is by the
    ledger's clock.
    """
    while True:
        lives = lives_of(ledger, model)
        same = [life for life in lives if life.seen == (what, cause)]
        if same and is_live(ledger, model, same[-1], now, first):
            return same[-1].opening.number
        if first is not None and any(life.begin <= first < (life.end or 0) for life in same):
            return None
        settles = same[-1].settles if same else None
        again = same[-1] if settles is not None and now < settles else None
        number = again.opening.number if again else _next_number(lives)
        # Whoever is faster takes the number; the next look finds what was entered.
        opening = IncidentEvent(
            format=1,
            number=number,
            event="reopened" if again else "opened",
            what=what,
            cause=cause,
            words=words[:WORDS],
            first=first,
        )
        ledger.append(model, _key(number, again), opening)


def _next_number(lives: Sequence[Life]) -> int:
    return max((life.opening.number for life in lives), default=0) + 1


def _key(number: int, life: Life | None) -> str:
    """Return the key of an incident's next event; of its first one where it has no life yet."""
    return f"{number:06d}" if life is None else f"{number:06d}:{len(life.later) + 1:04d}"


def find_incident(ledger: Ledger, model: str, number: int, now: datetime) -> Incident:
    """Return an incident by its number. Raises RequestError where there is none."""
    return states_of(ledger, model, [_life(ledger, model, number)], now)[0]


def acknowledge(
    ledger: Ledger, model: str, number: int, *, by: str, reason: str, now: datetime
) -> Incident:
    """Write down that a person sees to an incident, and return it.

    Raises RequestError where there is no such incident, it is over, or no reason is given.
    """
    return _answer(ledger, model, number, "acknowledged", by=by, reason=reason, now=now)


def snooze(
    ledger: Ledger,
    model: str,
    number: int,
    *,
    until: datetime,
    by: str,
    reason: str,
    now: datetime,
) -> Incident:
    """Let an incident rest until a moment, 90 days ahead at most; then it is open again."""
    if not now < until <= now + LONGEST_SNOOZE:
        raise RequestError(
            f"An incident cannot be snoozed until {iso(until)}.",
            remedy=f"choose a moment in the next {LONGEST_SNOOZE.days} days, such as 7d.",
        )
    return _answer(ledger, model, number, "snoozed", by=by, reason=reason, now=now, until=until)


def close(
    ledger: Ledger, model: str, number: int, *, by: str, reason: str, now: datetime
) -> Incident:
    """Close an incident by a person's word; what is still wrong opens another one.

    Refusals before it count for nothing: the policy may start a retraining again.
    """
    return _answer(ledger, model, number, "closed", by=by, reason=reason, now=now)


def close_by_itself(ledger: Ledger, incident: Incident, why: str) -> None:
    """Close an incident because of what the ledger says; one that is closed stays as it is."""
    _append(ledger, incident.model, incident.number, "closed", words=why)


def forgiven_at(ledger: Ledger, model: str) -> datetime | None:
    """Return when a person last closed an incident of refused challengers; None: nobody did."""
    lives = [life for life in lives_of(ledger, model) if life.is_closed]
    times = [
        life.newest[0].at for life in lives if life.opening.what == "refused" and life.newest[1].by
    ]
    return max(times, default=None)


def expect_answer(by: str, reason: str) -> None:
    """Raise RequestError where an answer lacks a person's name or the reason."""
    for name, text in (("person", by), ("reason", reason)):
        if not text.strip() or not text.strip().isprintable():
            raise RequestError(
                f"An answer needs a {name}, in one line of plain text.",
                remedy="say who answers, and why.",
            )


def _answer(
    ledger: Ledger,
    model: str,
    number: int,
    event: IncidentStep,
    *,
    by: str,
    reason: str,
    now: datetime,
    until: datetime | None = None,
) -> Incident:
    expect_answer(by, reason)
    incident = find_incident(ledger, model, number, now)
    if incident.is_over:
        raise RequestError(
            f"The incident {number} of {model} is {incident.state} already.",
            remedy=f"`perennial incidents {model}` lists those that are not over.",
        )
    _append(ledger, model, number, event, words=reason.strip(), by=by.strip()[:NAME], until=until)
    return find_incident(ledger, model, number, now)


def _append(
    ledger: Ledger,
    model: str,
    number: int,
    event: IncidentStep,
    *,
    words: str,
    by: str = "",
    until: datetime | None = None,
) -> None:
    """Enter an event under its number, unless it is the newest one already, or all is over."""
    while True:
        life = _life(ledger, model, number)
        new = IncidentEvent(
            format=1,
            number=number,
            event=event,
            what=life.opening.what,
            cause=life.opening.cause,
            words=words[:WORDS],
            by=by,
            until=until,
        )
        if life.is_closed or life.newest[0].body == new.body():
            return
        ledger.append(model, _key(number, life), new)


def _life(ledger: Ledger, model: str, number: int) -> Life:
    for life in lives_of(ledger, model):
        if life.opening.number == number:
            return life
    raise RequestError(
        f"{model} has no incident {number}.",
        remedy=f"`perennial incidents {model} --all` lists all there ever were.",
    )
