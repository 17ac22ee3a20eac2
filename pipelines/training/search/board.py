"""Where the workers of one search see what the others have found.

Each worker goes through the same search: it proposes the same settings in the same order, for these
depend on the seed and on finished trials alone. What a trial scored is fitted by one of them, who
has its turn, and pinned to the board, where the first one counts; the others read it there. Nobody
leads: a worker that is alone does everything, and one that comes late finds it done. The turn of a
worker that dies ends with it, and the next one to look fits that trial again.

The board lies in the store, the turns in the ledger's database: workers share nothing else.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from pipelines.errors import Corrupted, GiveUp, Unreachable
from pipelines.refs import canonical, digest
from pipelines.training.search.clock import TimeIsUp
from pipelines.training.search.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pipelines.ledger import Ledger
    from pipelines.store.port import Store

OVER = "over"
"""The entry that says that the minutes of the search are over."""
CLOSED = "closed"
"""The entry that tells helpers that the training has given up."""
TURNS = 32
"""So many turns a candidate has: a ledger in a file keeps a lock file for each, for ever."""
SHORTEST, LONGEST = 0.05, 2.0
"""Seconds after which a worker that has nothing to fit looks again."""

_log = logging.getLogger("perennial.search")


@dataclass(frozen=True)
class Board:
    """The board of one search: `folder` is that of its entries in the store, and `turns` what the
    turns for its trials are called.

    `worker` 0 is the training itself, the others help it.
    """

    store: Store
    ledger: Ledger
    folder: str
    turns: str
    worker: int = 0
    sleep: Callable[[float], None] = time.sleep
    within: str = ""
    """The folder of the training's own search, where this one lies within it."""

    def below(self, name: str) -> Board:
        """Return the board of a search within this one."""
        return replace(self, folder=f"{self.folder}/{name}", within=self.within or self.folder)

    def spread(
        self,
        settings: Mapping[int, tuple[dict[str, Any], float]],
        attempt: Callable[[int], Outcome],
    ) -> Iterator[tuple[int, Outcome, bool]]:
        """Yield by number what came of each trial, and whether it is this worker's own.

        `settings` are the trials' settings and shares by number, of which none depends on another;
        `attempt` fits one here. Raises TimeIsUp where this worker's minutes are over, or another's,
        and in a helper where the training has given up.
        """
        missing = {number: _name(number, *setting) for number, setting in settings.items()}
        pause = SHORTEST
        while missing:
            pinned = {key.rpartition("/")[2] for key in self.store.keys(self.folder)}
            for number in [n for n, name in missing.items() if name in pinned]:
                if outcome := self._read(missing[number]):
                    del missing[number]
                    yield number, outcome, False
            if not missing:
                return
            if OVER in pinned or (self.worker and self.store.read(self._closing_key) is not None):
                raise TimeIsUp
            found = self._fit_one(missing, attempt)
            if found is None:
                self.sleep(pause)
                pause = min(2 * pause, LONGEST)
                continue
            pause = SHORTEST
            del missing[found[0]]
            yield found

    def _fit_one(
        self, missing: Mapping[int, str], attempt: Callable[[int], Outcome]
    ) -> tuple[int, Outcome, bool] | None:
        """Fit the first of the missing trials that nobody is at; None where each has somebody."""
        for number, name in missing.items():
            with self.ledger.turn(f"{self.turns}-{number % TURNS}") as is_ours:
                if not is_ours:
                    continue
                # Whoever had the turn before may have pinned it; a listing may be late
                if outcome := self._read(name):
                    return number, outcome, False
                try:
                    outcome = attempt(number)
                except TimeIsUp:
                    self.store.publish(f"{self.folder}/{OVER}", b"{}")
                    raise
                return number, *self._pin(name, outcome)
        return None

    def _pin(self, name: str, outcome: Outcome) -> tuple[Outcome, bool]:
        """Pin an outcome; return the one that counts, and whether it is this one."""
        if self.store.publish(f"{self.folder}/{name}", canonical(outcome)):
            return outcome, True
        return self._read(name) or outcome, False

    def _read(self, name: str) -> Outcome | None:
        """Return what is pinned under a name; None where nothing is that can be believed."""
        try:
            data = self.store.read(f"{self.folder}/{name}")
            return None if data is None else Outcome.model_validate_json(data)
        except (Corrupted, ValidationError):
            return None

    @property
    def seconds(self) -> float:
        """The most seconds that any one worker has spent on fits of this search."""
        spent: defaultdict[int, float] = defaultdict(float)
        for key in self.store.keys(self.folder):
            name = key.rpartition("/")[2]
            if name not in {OVER, CLOSED} and (outcome := self._read(name)):
                spent[outcome.worker] += sum(outcome.seconds)
        return max(spent.values(), default=0.0)

    @property
    def _closing_key(self) -> str:
        return f"{self.within or self.folder}/{CLOSED}"

    def reopen(self) -> None:
        """Let helpers go on where an earlier try of the training has given up."""
        if self.store.read(self._closing_key) is not None:
            self.store.remove("entries", self._closing_key)

    def close(self) -> None:
        """Take everything down, and let helpers end: nobody needs what they would find."""
        self.clear()
        self.store.publish(self._closing_key, b"{}")

    def clear(self) -> None:
        """Take everything down. What cannot be removed stays, until `prune` takes it."""
        try:
            for item in list(self.store.contents("entries", self.folder)):
                self.store.remove("entries", item.name)
        except (Unreachable, GiveUp) as error:
            _log.warning("the board of a search is left behind: %s", error)


def _name(number: int, params: dict[str, Any], share: float) -> str:
    """Return what a trial is called: other versions of a library may propose another setting."""
    return f"{number:04d}-{digest(sorted(params.items()), share)[:16]}"
