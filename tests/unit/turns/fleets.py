"""Fleets that are retrained by the line, with a clock that stands still between events."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pipelines.ledger import MemoryLedger, Outcome, Turn
from pipelines.turns.keeper import Keeper

if TYPE_CHECKING:
    from pipelines.turns.limits import Limits

START = datetime(2026, 11, 30, 1, tzinfo=UTC)
NOTICED = 10.0
"""Seconds after which a run that died without a word is found."""


@dataclass
class Fleet:
    """Models by owner, and what has happened to them: seconds are those since START."""

    owners: dict[str, str]
    limits: Limits
    second: float = 0.0
    begun: list[tuple[str, str, float]] = field(default_factory=list)
    most: int = 0
    asked: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ledger = MemoryLedger(now=self.now)
        self.keeper = Keeper(self.ledger, self.limits, lambda: list(self.owners), self.now)
        self.dead: set[tuple[str, str]] = set()

    def now(self) -> datetime:
        return START + timedelta(seconds=self.second)

    def ask(self, model: str, run: str = "r1", **facts) -> None:
        self.asked[model] = self.second
        body = {"run": run, "event": "waits", "owner": self.owners[model], **facts}
        self.keeper.join(model, Turn.model_validate(body))

    def look(self) -> list[tuple[str, str]]:
        """Look once, as the watch does; return the runs that began."""
        keeper = self.keeper
        keeper.read()
        before = set(keeper.runs_under_way())
        asked = before | set(keeper.next_runs())
        keeper.give(asked - self.dead, asked & self.dead)
        line = keeper.reader.line()
        now = [(u.model, u.run) for u in line.under_way if (u.model, u.run) not in before]
        for model, _ in now:
            self.begun.append((model, self.owners[model], self.second - self.asked[model]))
        self.most = max(self.most, len(line.under_way))
        return now

    def end(self, model: str, run: str = "r1", outcome: str = "refused") -> None:
        self.ledger.append(model, run, Outcome(outcome=outcome, version="1", reasons=[], run=run))

    def live(self, seconds: float, seed: int, crashes: float = 0.0) -> None:
        """Let every model be retrained once, all asked for at the same moment.

        One takes `seconds`, or up to a fifth more or less; a part of them dies on the way without a
        word to the ledger.
        """
        chance, ends = random.Random(seed), list[tuple[float, str, bool]]()
        models = list(self.owners)
        chance.shuffle(models)
        for model in models:
            self.ask(model)
        while True:
            for model, _ in self.look():
                dies = chance.random() < crashes
                took = chance.uniform(0.8, 1.2) * seconds
                heapq.heappush(ends, (self.second + took, model, dies))
            if not ends:
                return
            self.second, model, dies = heapq.heappop(ends)
            if dies:
                self.dead.add((model, "r1"))
                self.second += NOTICED
            else:
                self.end(model)


def owners_of(**loads: int) -> dict[str, str]:
    """Return so many models of each owner."""
    return {f"{owner}_{n}": owner for owner, load in loads.items() for n in range(load)}
