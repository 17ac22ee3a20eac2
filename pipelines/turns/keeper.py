"""Keeps the line: writes down who joined, whose turn came, who was declined, and whose is over.

Only one keeper at a time decides, wherever the others are (the ledger's turn `retrainings`); and
each event of an attempt has a key of its own, so that none is there twice.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pipelines.ledger import Turn
from pipelines.plurals import ordinal
from pipelines.turns.line import KINDS, LOOK_BACK, LineReader
from pipelines.turns.rules import Turns, UnderWay, Waiting, give_turns

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from pipelines.ledger import Entry, Ledger
    from pipelines.turns.limits import Limits

LOCK = "retrainings"
SKEW = timedelta(minutes=2)
"""So far the clocks of two writers may be apart."""
ANEW = timedelta(hours=1)
"""After so long all is read anew."""
Run = tuple[str, str]
"""A model and its run."""


class Keeper:
    """Keeps the line of all models in one ledger."""

    def __init__(
        self,
        ledger: Ledger,
        limits: Limits,
        models: Callable[[], Sequence[str]],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Remember where the line stands, its limits, and which models there are."""
        self._ledger, self._limits, self._models, self._now = ledger, limits, models, now
        self._read_models: list[str] | None = None
        self._begun = now()
        self.reader = LineReader()
        self.turns = Turns()

    def join(self, model: str, wish: Turn) -> None:
        """Have a run stand in line, unless it does, or its turn has come, or was declined in this
        attempt.
        """
        self.read()
        last = self.reader.last(model, wish.run)
        if last is not None and (last.event != "declined" or last.attempt >= wish.attempt):
            return
        attempt = max(wish.attempt, self.reader.attempt(model, wish.run) + 1)
        while True:
            asked = wish.model_copy(update={"attempt": attempt})
            entry = self._enter(model, asked)
            if entry.at >= self._now() - LOOK_BACK:
                break
            attempt += 1  # a run of this name stood in line long ago
        self.read()

    def read(self) -> Turns:
        """Read what came since, and return what would be decided now.

        All of it is read anew where models have come or gone, and now and then, to forget what is
        old.
        """
        now, models = self._now(), sorted(self._models())
        if models != self._read_models or not timedelta(0) <= now - self._begun < ANEW:
            self._begun, self._read_models = now, models
            self.reader = LineReader(self._ledger.since(models, KINDS, now - LOOK_BACK))
        else:
            for entry in self._ledger.since(models, KINDS, self.reader.newest_at(now) - SKEW):
                self.reader.take(entry)
        self.turns = give_turns(self.reader.line(), self._limits, now)
        return self.turns

    def runs_under_way(self) -> list[Run]:
        """Return the runs whose turns have begun and are not over."""
        return [(u.model, u.run) for u in self.reader.line().under_way]

    def next_runs(self) -> list[Run]:
        """Return the runs that would begin now."""
        return [(waits.model, waits.run) for waits in self.turns.begin]

    def say(self, model: str, run: str) -> str:
        """Return in words how a run's turn stands."""
        for place, (waits, why) in enumerate(self.turns.waiting, start=1):
            if (waits.model, waits.run) == (model, run):
                return f"waits for its turn: {why}; {ordinal(place)} in line"
        last = self.reader.last(model, run)
        return last.words if last else "waits for its turn"

    def give(self, alive: Collection[Run], gone: Collection[Run]) -> None:
        """Write down what is decided, where nobody else does at this moment.

        `gone` are runs that are at work no more: their turns are over, or never come. Only those
        among `alive` begin.
        """
        with self._ledger.turn(LOCK) as is_ours:
            if not is_ours:
                return
            self.read()
            line = self.reader.line()
            everybody: list[Waiting | UnderWay] = [*line.under_way, *line.waiting]
            for each in everybody:
                if (each.model, each.run) in gone:
                    why = "its run has ended in Airflow, or is not there any more"
                    self._enter(each.model, _event(each, "ends", why))
            turns = self.read()
            for waits, why in turns.declined:
                self._enter(waits.model, _event(waits, "declined", why))
            for waits in turns.begin:
                if (waits.model, waits.run) in alive:
                    self._enter(waits.model, _begins(self.reader, waits))
            if gone or turns.declined or turns.begin:
                self.read()

    def _enter(self, model: str, turn: Turn) -> Entry:
        return self._ledger.append(model, f"{turn.run}:{turn.attempt}:{turn.event}", turn)


def _event(each: Waiting | UnderWay, event: str, why: str) -> Turn:
    return Turn.model_validate(
        {
            "run": each.run,
            "event": event,
            "owner": each.owner,
            "attempt": each.attempt,
            "why": why,
        }
    )


def _begins(reader: LineReader, waits: Waiting) -> Turn:
    """Return the entry by which a turn begins; it keeps what the run had asked for."""
    asked = reader.last(waits.model, waits.run)
    asks = asked.asks if asked else False
    return _event(waits, "begins", "").model_copy(update={"asks": asks})
