"""Who waits for a turn and who has one, as the ledger's entries tell it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pipelines.ledger import Turn
from pipelines.turns.rules import Line, UnderWay, Waiting

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipelines.ledger import Entry, Ledger
    from pipelines.ledger.entries import Kind

KINDS: tuple[Kind, ...] = ("turn", "outcome", "verdict")
LOOK_BACK = timedelta(days=7)
"""So far back entries are read; what is older counts no more."""


@dataclass
class _Model:
    """What is known of one model while its entries are read: the last word on each of its runs, and
    since when it has been without a turn.
    """

    turns: dict[str, tuple[Turn, Entry]]
    attempts: dict[str, int]
    since: datetime | None = None


class LineReader:
    """Puts entries together to a line, in the order in which they were written."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        """Read these entries."""
        self._models: dict[str, _Model] = {}
        self._begun: list[tuple[str, datetime]] = []
        self._newest: Entry | None = None
        for entry in entries:
            self.take(entry)

    def newest_at(self, otherwise: datetime) -> datetime:
        """Return when the newest entry that was read was written."""
        return self._newest.at if self._newest else otherwise

    def take(self, entry: Entry) -> None:
        """Read one more entry; one that was read already changes nothing."""
        if self._newest is not None and entry.seq <= self._newest.seq:
            return
        self._newest = entry
        known = self._models.setdefault(entry.model, _Model({}, {}))
        if entry.kind == "outcome":
            self._end(known, entry.run)
        elif entry.kind == "verdict":
            found = known.turns.get(entry.run)
            if found and found[0].asks:
                self._end(known, entry.run)
        elif isinstance(turn := entry.decision, Turn):
            self._take_turn(known, turn, entry)

    def line(self) -> Line:
        """Return who waits, who is under way, and whose turns have begun."""
        waiting, under_way = [], []
        for model, known in self._models.items():
            for turn, entry in known.turns.values():
                if turn.event == "waits":
                    waiting.append(_waiting(model, turn, entry, known.since or entry.at))
                elif turn.event == "begins":
                    under_way.append(_under_way(model, turn, entry))
        return Line(
            waiting=sorted(waiting, key=lambda w: w.number),
            under_way=sorted(under_way, key=lambda u: (u.since, u.model, u.run)),
            begun=sorted(self._begun, key=lambda b: b[1]),
        )

    def last(self, model: str, run: str) -> Turn | None:
        """Return the last word on a run's turn; None where there is none, or it is over."""
        known = self._models.get(model)
        found = known.turns.get(run) if known else None
        return found[0] if found else None

    def attempt(self, model: str, run: str) -> int:
        """Return the newest attempt of a run that is known; 0 where there is none."""
        known = self._models.get(model)
        return known.attempts.get(run, 0) if known else 0

    def _take_turn(self, known: _Model, turn: Turn, entry: Entry) -> None:
        known.attempts[turn.run] = max(known.attempts.get(turn.run, 0), turn.attempt)
        if turn.event == "ends":
            self._end(known, turn.run)
            return
        known.turns[turn.run] = (turn, entry)
        if turn.event == "waits":
            known.since = known.since or entry.at
        elif turn.event == "begins":
            known.since = None
            self._begun.append((turn.owner, entry.at))

    def _end(self, known: _Model, run: str) -> None:
        found = known.turns.get(run)
        if found and found[0].event == "waits":
            known.since = None  # whoever took the run away wants no turn for it
        if found and found[0].event in ("waits", "begins"):
            del known.turns[run]


def _waiting(model: str, turn: Turn, entry: Entry, since: datetime) -> Waiting:
    return Waiting(
        model=model,
        run=turn.run,
        owner=turn.owner,
        asked=entry.at,
        since=min(since, entry.at),
        number=entry.seq,
        priority=turn.priority,
        first=turn.first,
        attempt=turn.attempt,
    )


def _under_way(model: str, turn: Turn, entry: Entry) -> UnderWay:
    return UnderWay(
        model=model, run=turn.run, owner=turn.owner, since=entry.at, attempt=turn.attempt
    )


def find_decline(ledger: Ledger, model: str, run: str) -> Turn | None:
    """Return why a retraining was declined; None where it was not, or its turn came later."""
    last = LineReader(ledger.entries(model, "turn")).last(model, run)
    return last if last is not None and last.event == "declined" else None


def read_line(ledger: Ledger, models: Sequence[str], now: datetime) -> Line:
    """Return the line at a moment (aware): one question, however many models there are."""
    return LineReader(ledger.since(models, KINDS, now - LOOK_BACK)).line()
