"""Whether estimates are to be trusted, by those whose truth came to pass.

Each window whose labels came is a bet on the interval: a miss makes the odds that it misses half of
the time, and not one in twenty, ten times as great (0.5 / 0.05), a hit divides them by 1.9
(0.5 / 0.95); they never fall below 1. At 100 the estimates of the model are switched off: two
misses in a row suffice, or three with three hits or fewer between them. That is Page's test; by
Lorden's bound, intervals that miss one in twenty windows, independently, are switched off after 100
windows in the mean, or later.

Sources: Page (1954), "Continuous Inspection Schemes", Biometrika 41; Lorden (1971), "Procedures for
reacting to a change in distribution", Annals of Mathematical Statistics 42.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WRONG = 0.5
"""How often an interval misses that is of no use."""
ODDS = 100.0
"""The odds at which estimates are switched off."""


@dataclass(frozen=True)
class Outcome:
    """An interval at a stated rate, and the truth that came to pass."""

    low: float
    high: float
    confidence: float
    truth: float

    @property
    def missed(self) -> bool:
        """Whether the truth lay outside."""
        return not self.low <= self.truth <= self.high


def find_end_of_trust(outcomes: Sequence[Outcome]) -> int | None:
    """Return the place of the outcome, oldest first, after which estimates are switched off.

    None where they are not.
    """
    odds = 1.0
    for place, outcome in enumerate(outcomes):
        rate = 1 - outcome.confidence
        factor = WRONG / rate if outcome.missed else (1 - WRONG) / (1 - rate)
        odds = max(1.0, odds * factor)
        if odds >= ODDS * (1 - 1e-9):
            return place
    return None


def count_misses(outcomes: Iterable[Outcome]) -> int:
    """Return how many intervals the truth lay outside of."""
    return sum(outcome.missed for outcome in outcomes)
