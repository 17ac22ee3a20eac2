"""Whose turn it is: pure functions of who waits, who is under way, and the limits.

Owners share what there is: the next turn is that of the owner with the fewest retrainings under
way, and of those that have equally many, of the one whose last turn is longest ago. Among an
owner's own, who asked first is first; a priority of 1 is worth HEAD_START. So nobody can push
others' models back, and nobody waits for ever: who waits longer moves up.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipelines.turns.limits import Limits

HEAD_START = timedelta(hours=1)
"""So much longer has a retraining waited for each point of its priority."""
LONGEST = timedelta(hours=24)
"""Who has waited for so long is declined: a drift run waits for its retraining no longer either."""
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Waiting:
    """A retraining that stands in line.

    `asked` is when it joined; `since` is by when it goes: when the model first asked after its last
    turn, so that who was declined keeps what it had waited. `number` is the ledger's, which decides
    between equals. With `first` it goes before all others.
    """

    model: str
    run: str
    owner: str
    asked: datetime
    since: datetime
    number: int
    priority: int = 0
    first: bool = False
    attempt: int = 1


@dataclass(frozen=True)
class UnderWay:
    """A retraining whose turn has begun, and is not over."""

    model: str
    run: str
    owner: str
    since: datetime
    attempt: int = 1


@dataclass(frozen=True)
class Line:
    """Who waits, who is under way, and when whose turns have begun, oldest first: owner, moment."""

    waiting: Sequence[Waiting] = ()
    under_way: Sequence[UnderWay] = ()
    begun: Sequence[tuple[str, datetime]] = ()


@dataclass(frozen=True)
class Turns:
    """What is decided: who begins, who is declined and why, who waits on, in line, and why."""

    begin: list[Waiting] = field(default_factory=list)
    declined: list[tuple[Waiting, str]] = field(default_factory=list)
    waiting: list[tuple[Waiting, str]] = field(default_factory=list)


def give_turns(line: Line, limits: Limits, now: datetime) -> Turns:
    """Return what becomes of everybody in line at a moment (aware); equal lines, equal turns."""
    turns = Turns()
    count = _Count(line, limits, now)
    for waits in in_order(line):
        if why := count.why_declined(waits):
            turns.declined.append((waits, why))
        elif why := count.why_it_waits(waits):
            turns.waiting.append((waits, why))
        else:
            turns.begin.append(waits)
            count.add(waits)
    return turns


def in_order(line: Line) -> Iterator[Waiting]:
    """Yield those in line, the next one first."""
    under_way = Counter(u.owner for u in line.under_way)
    last = {owner: (at, 0) for owner, at in line.begun}
    heads: dict[str, deque[Waiting]] = {}
    for waits in sorted(line.waiting, key=_rank):
        if waits.first:
            under_way[waits.owner] += 1
            yield waits
        else:
            heads.setdefault(waits.owner, deque()).append(waits)
    newest = max((at for _, at in line.begun), default=_NEVER)
    for number in range(1, sum(map(len, heads.values())) + 1):
        owner = min(
            heads,
            key=lambda o: (under_way[o], last.get(o, (_NEVER, 0)), _rank(heads[o][0]), o),
        )
        yield heads[owner].popleft()
        under_way[owner] += 1
        last[owner] = (newest, number)
        if not heads[owner]:
            del heads[owner]


def _rank(waits: Waiting) -> tuple[bool, datetime, int]:
    return not waits.first, waits.since - waits.priority * HEAD_START, waits.number


class _Count:
    """How much of each limit is used up while turns are given."""

    def __init__(self, line: Line, limits: Limits, now: datetime) -> None:
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        self._limits, self._now = limits, now
        self._under_way = Counter(u.owner for u in line.under_way)
        self._today = Counter(owner for owner, at in line.begun if at >= midnight)

    def add(self, waits: Waiting) -> None:
        self._under_way[waits.owner] += 1
        self._today[waits.owner] += 1

    def why_declined(self, waits: Waiting) -> str:
        """Return in words why it does not begin at all; empty where it may."""
        if waits.first:
            return ""
        today, most = self._today.total(), self._limits.per_day
        if most is not None and today >= most:
            return f"the day's budget is used up: {today} of {most} retrainings have begun (UTC)"
        owner, most = waits.owner, self._limits.per_day_of(waits.owner)
        if most is not None and self._today[owner] >= most:
            return (
                f"{owner}'s budget of the day is used up: {self._today[owner]} of {most}"
                " retrainings have begun (UTC)"
            )
        if self._now - waits.asked >= LONGEST:
            return f"its turn did not come within {LONGEST // timedelta(hours=1)} hours"
        return ""

    def why_it_waits(self, waits: Waiting) -> str:
        """Return in words what it waits for; empty where it may begin."""
        running, most = self._under_way.total(), self._limits.at_once
        if most is not None and running >= most:
            return f"{running} of {most} retrainings are under way"
        owner, most = waits.owner, self._limits.at_once_of(waits.owner)
        if most is not None and self._under_way[owner] >= most and not waits.first:
            return f"{self._under_way[owner]} of {most} retrainings of {owner} are under way"
        return ""
