"""The incidents of a model, as its entries in the ledger tell them at a moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple

from pipelines.intervals import Moment
from pipelines.ledger import DriftCheck, IncidentEvent, Outcome, Quarantine, What
from pipelines.refs import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipelines.ledger import Entry, Kind, Ledger

State = Literal["open", "acknowledged", "snoozed", "closed", "expired"]
EXPIRES = timedelta(days=30)
"""An incident that was not seen for so long, and that nobody closed, is over."""

SETTLES = timedelta(hours=30)
"""The same again within so long after Perennial closed an incident is no other one: it is open
again. Only then is it over for good, and people are told so. It is a day, and the hours by which a
daily check may come later: what is broken every other day is one incident.
"""
FLAPPING: frozenset[What] = frozenset({"alarm", "quarantine", "no_check"})
"""What may come and go with each look. A run that failed or a version that does not serve does not:
each is an incident of its own.
"""

SOURCES: dict[What, Kind] = {
    "alarm": "drift",
    "quarantine": "quarantine",
    "refused": "outcome",
    "failed_retraining": "outcome",
    "failed_deployment": "outcome",
}
"""The entries in which an incident is seen; those of the others are seen once."""


class Incident(Value):
    """One thing that is wrong with a model, from when it was first seen until it is over.

    One of each `what` and `cause` is open at a time. `seen` counts how often, `last` is when it was
    seen last. `until` is how long it is snoozed. `by` and `reason` are the last answer's, or say
    why it was closed; `by` is empty where Perennial did that. `seq` is the number of the
    entry that opened it, `first` that of the first one that shows it. `settles` is until when it is
    open again if the same comes back; None where it is not closed, or by a person.
    """

    number: int
    model: str
    what: What
    cause: str
    words: str
    state: State
    opened: Moment
    last: Moment
    seen: int
    seq: int
    first: int
    until: Moment | None = None
    by: str = ""
    reason: str = ""
    closed: Moment | None = None
    settles: Moment | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing has to be done about it any more."""
        return self.state in {"closed", "expired"}


class Seen(NamedTuple):
    """What an entry shows of an incident."""

    what: What
    cause: str


@dataclass(frozen=True)
class Life:
    """The events of one incident: the entry that opened it, and those after it, oldest first."""

    first: Entry
    opening: IncidentEvent
    later: list[tuple[Entry, IncidentEvent]] = field(default_factory=list)

    @property
    def newest(self) -> tuple[Entry, IncidentEvent]:
        """The newest event, with its entry."""
        return self.later[-1] if self.later else (self.first, self.opening)

    @property
    def answer(self) -> IncidentEvent:
        """What was said of it last: what closed it, or a person's word, which a return leaves."""
        said = [event for _, event in self.later if event.event not in {"closed", "reopened"}]
        return self.newest[1] if self.is_closed else [self.opening, *said][-1]

    @property
    def settles(self) -> datetime | None:
        """Until when the same again would be this one; None where nothing makes it open again."""
        entry, event = self.newest
        mends = self.is_closed and not event.by and event.what in FLAPPING
        return entry.at + SETTLES if mends else None

    @property
    def seen(self) -> Seen:
        """What it is about."""
        return Seen(self.opening.what, self.opening.cause)

    @property
    def begin(self) -> int:
        """The number of the first entry that shows it."""
        return self.first.seq if self.opening.first is None else self.opening.first

    @property
    def appearances(self) -> list[tuple[Entry, IncidentEvent]]:
        """The events by which it was open, and open again."""
        again = [(entry, event) for entry, event in self.later if event.event == "reopened"]
        return [(self.first, self.opening), *again]

    @property
    def is_closed(self) -> bool:
        """Whether somebody has closed it, and it did not come back."""
        return self.newest[1].event == "closed"

    @property
    def end(self) -> int | None:
        """The number of the entry that closed it; None where none did."""
        return self.newest[0].seq if self.is_closed else None


def seen_in(entry: Entry) -> Seen | None:
    """Return what an entry shows; None where it shows that nothing is wrong."""
    match entry.decision:
        case DriftCheck(verdict="alarm") as check:
            return Seen("alarm", "the check failed" if check.failed else "the data are broken")
        case Quarantine(cause=None):  # a broken pipe is told of by the check's alarm
            return Seen("quarantine", "a batch is in quarantine")
        case Outcome(outcome="refused"):
            return Seen("refused", "challengers are refused")
        case Outcome(outcome="failed") as outcome:
            if outcome.version:
                return Seen("failed_deployment", "a promoted version does not serve")
            return Seen("failed_retraining", "a retraining failed")
        case _:
            return None


def all_incidents(ledger: Ledger, model: str, now: datetime) -> list[Incident]:
    """Return every incident of a model, oldest first, as it is at a moment (aware).

    An entry of a newer Perennial is left out.
    """
    return states_of(ledger, model, lives_of(ledger, model), now)


def open_incidents(ledger: Ledger, model: str, now: datetime) -> list[Incident]:
    """Return the incidents of a model that are not over, oldest first: open, acknowledged, snoozed.

    One that was not seen for EXPIRES is over.
    """
    lives = [life for life in lives_of(ledger, model) if not life.is_closed]
    return [i for i in states_of(ledger, model, lives, now) if not i.is_over]


def lives_of(ledger: Ledger, model: str) -> list[Life]:
    """Return the events of every incident of a model, oldest first."""
    lives: dict[int, Life] = {}
    for entry in ledger.entries(model, "incident"):
        event = entry.decision
        if not isinstance(event, IncidentEvent):
            continue
        if event.event == "opened":
            lives.setdefault(event.number, Life(entry, event))
        elif event.number in lives:
            lives[event.number].later.append((entry, event))
    return list(lives.values())


def states_of(ledger: Ledger, model: str, lives: Sequence[Life], now: datetime) -> list[Incident]:
    """Return the incidents with these events; the entries that show them are read once a kind."""
    kinds = {SOURCES[life.opening.what] for life in lives if life.opening.what in SOURCES}
    shown = {
        kind: [(e, seen) for e in ledger.entries(model, kind) if (seen := seen_in(e))]
        for kind in kinds
    }
    found = []
    for life in lives:
        kind = SOURCES.get(life.opening.what)
        found.append(_make_incident(life, shown[kind] if kind else [], now))
    return found


def is_live(ledger: Ledger, model: str, life: Life, now: datetime, but: int | None) -> bool:
    """Tell whether an incident is not over, of what was seen before the entry `but`.

    In a storm a look at the newest entries is enough.
    """
    if life.is_closed:
        return False
    kind = SOURCES.get(life.opening.what)
    if kind is not None:
        for entry in reversed(ledger.entries(model, kind, limit=_RECENT)):
            if entry.seq != but and entry.seq >= life.begin and seen_in(entry) == life.seen:
                return now - entry.at < EXPIRES
    return not states_of(ledger, model, [life], now)[0].is_over


_RECENT = 3


def _make_incident(life: Life, shown: Iterable[tuple[Entry, Seen]], now: datetime) -> Incident:
    newest, answer = life.newest[0], life.answer
    times = [entry.at for entry, event in life.appearances if event.first is None]
    for entry, seen in shown:
        mine = seen == life.seen and life.begin <= entry.seq < (life.end or entry.seq + 1)
        if mine and times and entry.at - times[-1] >= EXPIRES:
            break  # it was over by then, and this is another one
        times += [entry.at] if mine else []
    last = max([life.first.at, *times])
    is_answer = answer.event != "opened"
    return Incident(
        number=life.opening.number,
        model=life.first.model,
        what=life.opening.what,
        cause=life.opening.cause,
        words=life.opening.words,
        state=_state(answer, last, now),
        opened=life.first.at,
        last=last,
        seen=max(len(times), 1),
        seq=life.first.seq,
        first=life.begin,
        until=answer.until,
        by=answer.by,
        reason=answer.words if is_answer else "",
        closed=newest.at if life.is_closed else None,
        settles=life.settles,
    )


def _state(newest: IncidentEvent, last: datetime, now: datetime) -> State:
    """Return the state that the newest event leaves at a moment; the last answer counts."""
    if newest.event == "closed":
        return "closed"
    if now - last >= EXPIRES:
        return "expired"
    if newest.event == "snoozed":
        return "snoozed" if newest.until is not None and now < newest.until else "open"
    return "acknowledged" if newest.event == "acknowledged" else "open"
